"""Loads, stores, atomics, prefetch and hashing: what a kernel may do that touches no clock, no socket and no file.

Every name here exists twice: as an intrinsic that becomes a few instructions, and as plain Python for a debugger
(NUMBA_DISABLE_JIT=1) and for the type checker. Integers are int64 throughout, since Numba makes a float of a signed
and an unsigned one; a 64-bit field wraps into the sign. In a checked build (NUMBA_BOUNDSCHECK=1) a load or store
outside its array raises IndexError.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit, types
from numba.core import config

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

F = TypeVar("F", bound="Callable[..., Any]")
MASK64 = (1 << 64) - 1

# How kernels are compiled. Without numba's runtime there is no counting of references, which costs 5 ns an array and
# call where the optimizer cannot prove it away, and allocation is an error of the compiler instead of a rule.
KERNEL: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
# Not in the checked build, where every index is a branch: what is compiled in place there takes minutes to optimize.
INLINED: dict[str, Any] = {"forceinline": not getattr(config, "BOUNDSCHECK", False)}


def kernel(function: F) -> F:
    """Compile a function that allocates nothing for the types it is called with; cached on disk."""
    compiled: F = _once_for_integers(njit(**KERNEL)(function))
    return compiled


def inlined(function: F) -> F:
    """Compile as `kernel` does, always in place of the call: for what is small and hot, or called from one place."""
    compiled: F = _once_for_integers(njit(**KERNEL, **INLINED)(function))
    return compiled


def direct(function: F) -> F:
    """Compile as `kernel` does, but a negative index is outside the array, not counted from its end (indexing.py)."""
    compiled: F = _once_for_integers(njit(**KERNEL, error_model="numpy")(function))
    return compiled


def direct_inlined(function: F) -> F:
    """Compile as `direct` does, always in place of the call."""
    compiled: F = _once_for_integers(njit(**KERNEL, **INLINED, error_model="numpy")(function))
    return compiled


def _once_for_integers(dispatcher: Any) -> Any:
    """Compile for int64 where a caller passes a constant; Numba would compile again for every value of it."""
    template = getattr(dispatcher, "get_call_template", None)
    general: Any = types.unliteral
    if template is not None:
        dispatcher.get_call_template = lambda args, kws: template(
            tuple(general(kind) for kind in args), {name: general(kind) for name, kind in kws.items()}
        )
    return dispatcher


def kernel_as(signature: Any) -> Callable[[F], F]:
    """Compile as `kernel` does, when the module is imported and for one signature: for first-class functions."""
    compiler: Callable[[F], F] = njit(signature, **KERNEL)
    return compiler


def direct_as(signature: Any) -> Callable[[F], F]:
    """Compile as `direct` does, when the module is imported and for one signature: for first-class functions."""
    compiler: Callable[[F], F] = njit(signature, **KERNEL, error_model="numpy")
    return compiler


if TYPE_CHECKING or config.DISABLE_JIT:

    def _signed(value: int, bits: int = 64) -> int:
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value

    def _take(data: Bytes, at: int, size: int) -> bytes:
        if at < 0 or at + size > len(data):
            raise IndexError("index is out of bounds")
        return data[at : at + size].tobytes()

    def load_u8(data: Bytes, at: int) -> int:
        """Load an unsigned byte."""
        return _take(data, int(at), 1)[0]

    def load_le16(data: Bytes, at: int) -> int:
        """Load a little-endian unsigned 16-bit integer."""
        return int.from_bytes(_take(data, int(at), 2), "little")

    def load_le32(data: Bytes, at: int) -> int:
        """Load a little-endian unsigned 32-bit integer."""
        return int.from_bytes(_take(data, int(at), 4), "little")

    def load_le64(data: Bytes, at: int) -> int:
        """Load a little-endian 64-bit integer; the top bit is the sign."""
        return int.from_bytes(_take(data, int(at), 8), "little", signed=True)

    def load_be16(data: Bytes, at: int) -> int:
        """Load a big-endian unsigned 16-bit integer."""
        return int.from_bytes(_take(data, int(at), 2), "big")

    def load_be32(data: Bytes, at: int) -> int:
        """Load a big-endian unsigned 32-bit integer."""
        return int.from_bytes(_take(data, int(at), 4), "big")

    def load_be48(data: Bytes, at: int) -> int:
        """Load a big-endian unsigned 48-bit integer."""
        return int.from_bytes(_take(data, int(at), 6), "big")

    def load_be64(data: Bytes, at: int) -> int:
        """Load a big-endian 64-bit integer; the top bit is the sign."""
        return int.from_bytes(_take(data, int(at), 8), "big", signed=True)

    def load_i8(data: Bytes, at: int) -> int:
        """Load a signed byte."""
        return _signed(load_u8(data, at), 8)

    def load_le_i16(data: Bytes, at: int) -> int:
        """Load a little-endian signed 16-bit integer."""
        return _signed(load_le16(data, at), 16)

    def load_le_i32(data: Bytes, at: int) -> int:
        """Load a little-endian signed 32-bit integer."""
        return _signed(load_le32(data, at), 32)

    def load_be_i32(data: Bytes, at: int) -> int:
        """Load a big-endian signed 32-bit integer."""
        return _signed(load_be32(data, at), 32)

    def load_le_f64(data: Bytes, at: int) -> float:
        """Load a little-endian double."""
        return float(struct.unpack("<d", _take(data, int(at), 8))[0])

    def _put(data: Bytes, at: int, value: int, size: int, order: str) -> None:
        if at < 0 or at + size > len(data):
            raise IndexError("index is out of bounds")
        raw = (int(value) & ((1 << (8 * size)) - 1)).to_bytes(size, order)  # type: ignore[arg-type]
        data[at : at + size] = np.frombuffer(raw, np.uint8)

    def store_be16(data: Bytes, at: int, value: int) -> None:
        """Store the low 16 bits, big-endian."""
        _put(data, int(at), value, 2, "big")

    def store_be32(data: Bytes, at: int, value: int) -> None:
        """Store the low 32 bits, big-endian."""
        _put(data, int(at), value, 4, "big")

    def store_be64(data: Bytes, at: int, value: int) -> None:
        """Store 64 bits, big-endian."""
        _put(data, int(at), value, 8, "big")

    def store_le16(data: Bytes, at: int, value: int) -> None:
        """Store the low 16 bits, little-endian."""
        _put(data, int(at), value, 2, "little")

    def store_le32(data: Bytes, at: int, value: int) -> None:
        """Store the low 32 bits, little-endian."""
        _put(data, int(at), value, 4, "little")

    def store_le64(data: Bytes, at: int, value: int) -> None:
        """Store 64 bits, little-endian."""
        _put(data, int(at), value, 8, "little")

    def copy_bytes(target: Bytes, at: int, source: Bytes, start: int, length: int) -> None:
        """Copy source[start:start + length] to target[at:]; they must not overlap."""
        if min(at, start, length) < 0 or at + length > len(target) or start + length > len(source):
            raise IndexError("index is out of bounds")
        target[at : at + length] = source[start : start + length]

    def load_acquire(words: Words, index: int) -> int:
        """Load words[index] so that everything its writer stored before it is seen."""
        return int(words[index])

    def store_release(words: Words, index: int, value: int) -> None:
        """Store words[index] after everything that was stored before it."""
        words[index] = value

    def fetch_add(words: Words, index: int, value: int) -> int:
        """Add to words[index] atomically; return what it was."""
        before = int(words[index])
        words[index] = _signed(before + int(value))
        return before

    def prefetch(array: NDArray[Any], index: int) -> None:
        """Ask for the cache line of array[index], to be written soon; any index is harmless."""

    def multiply(a: int, b: int) -> int:
        """Multiply modulo 2**64; the result is the same bits as int64."""
        return _signed(int(a) * int(b))

    def bit_length(value: int) -> int:
        """Return how many bits it takes to write a value from 0 to 2**63 - 1."""
        return int(value).bit_length()

    def shift_right(a: int, by: int) -> int:
        """Shift the 64 bits right, filling with zeros."""
        return _signed((int(a) & MASK64) >> int(by))

    def unsigned(value: int) -> int:
        """Give the same 64 bits to an unsigned field."""
        return int(value) & MASK64

    def less_unsigned(a: int, b: int) -> bool:
        """Compare as unsigned 64-bit integers."""
        return (int(a) & MASK64) < (int(b) & MASK64)

else:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    from simbench.kernel import indexing

    indexing.install()

    def _address(context, builder, array_type, array, at, size):
        """Return the address of data[at], checked for size bytes in a checked build."""
        view = context.make_array(array_type)(context, builder, array)
        if context.enable_boundscheck:
            last = builder.add(at, ir.Constant(at.type, size - 1))
            cgutils.do_boundscheck(context, builder, at, view.nitems)
            cgutils.do_boundscheck(context, builder, last, view.nitems)
        return builder.gep(view.data, [at])

    def _loader(size, *, big=False, signed=False, double=False):
        @intrinsic
        def load(_typing, data, at):
            if not isinstance(data, types.Array) or not isinstance(at, types.Integer):
                return None

            def codegen(context, builder, signature, args):
                at64 = context.cast(builder, args[1], signature.args[1], types.int64)
                where = _address(context, builder, signature.args[0], args[0], at64, size)
                kind = ir.DoubleType() if double else ir.IntType(8 * size)
                value = builder.load(builder.bitcast(where, kind.as_pointer()), align=1)
                if double:
                    return value
                if big and size > 1:
                    value = builder.bswap(value)
                if size == 8:
                    return value
                return (builder.sext if signed else builder.zext)(value, ir.IntType(64))

            return (types.float64 if double else types.int64)(data, at), codegen

        return load

    def _storer(size, *, big):
        @intrinsic
        def store(_typing, data, at, value):
            if not isinstance(data, types.Array) or not isinstance(at, types.Integer):
                return None

            def codegen(context, builder, signature, args):
                at64 = context.cast(builder, args[1], signature.args[1], types.int64)
                word = context.cast(builder, args[2], signature.args[2], types.int64)
                where = _address(context, builder, signature.args[0], args[0], at64, size)
                kind = ir.IntType(8 * size)
                word = builder.trunc(word, kind) if size < 8 else word
                word = builder.bswap(word) if big else word
                builder.store(word, builder.bitcast(where, kind.as_pointer()), align=1)
                return context.get_dummy_value()

            return types.void(data, at, value), codegen

        return store

    load_u8 = _loader(1)
    load_i8 = _loader(1, signed=True)
    load_le16 = _loader(2)
    load_le_i16 = _loader(2, signed=True)
    load_le32 = _loader(4)
    load_le_i32 = _loader(4, signed=True)
    load_le64 = _loader(8)
    load_le_f64 = _loader(8, double=True)
    load_be16 = _loader(2, big=True)
    load_be32 = _loader(4, big=True)
    load_be_i32 = _loader(4, big=True, signed=True)
    load_be48 = _loader(6, big=True)
    load_be64 = _loader(8, big=True)
    store_be16 = _storer(2, big=True)
    store_be32 = _storer(4, big=True)
    store_be64 = _storer(8, big=True)
    store_le16 = _storer(2, big=False)
    store_le32 = _storer(4, big=False)
    store_le64 = _storer(8, big=False)

    @intrinsic
    def copy_bytes(_typing, target, at, source, start, length):
        def codegen(context, builder, signature, args):
            at64, start64, length64 = (
                context.cast(builder, args[i], signature.args[i], types.int64) for i in (1, 3, 4)
            )
            arrays = [context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 2)]
            if context.enable_boundscheck:
                last = builder.sub(length64, ir.Constant(length64.type, 1))
                with builder.if_then(builder.icmp_signed("!=", length64, ir.Constant(length64.type, 0))):
                    for array, first in zip(arrays, (at64, start64), strict=True):
                        cgutils.do_boundscheck(context, builder, first, array.nitems)
                        cgutils.do_boundscheck(context, builder, builder.add(first, last), array.nitems)
            to, of = builder.gep(arrays[0].data, [at64]), builder.gep(arrays[1].data, [start64])
            cgutils.raw_memcpy(builder, to, of, length64, 1)
            return context.get_dummy_value()

        return types.void(target, at, source, start, length), codegen

    def _word(context, builder, signature, args):
        at64 = context.cast(builder, args[1], signature.args[1], types.int64)
        view = context.make_array(signature.args[0])(context, builder, args[0])
        if context.enable_boundscheck:
            cgutils.do_boundscheck(context, builder, at64, view.nitems)
        return builder.gep(view.data, [at64])

    @intrinsic
    def load_acquire(_typing, words, index):
        def codegen(context, builder, signature, args):
            return builder.load_atomic(_word(context, builder, signature, args), "acquire", 8)

        return types.int64(words, index), codegen

    @intrinsic
    def store_release(_typing, words, index, value):
        def codegen(context, builder, signature, args):
            word = context.cast(builder, args[2], signature.args[2], types.int64)
            builder.store_atomic(word, _word(context, builder, signature, args), "release", 8)
            return context.get_dummy_value()

        return types.void(words, index, value), codegen

    @intrinsic
    def fetch_add(_typing, words, index, value):
        def codegen(context, builder, signature, args):
            word = context.cast(builder, args[2], signature.args[2], types.int64)
            return builder.atomic_rmw("add", _word(context, builder, signature, args), word, "seq_cst")

        return types.int64(words, index, value), codegen

    @intrinsic
    def prefetch(_typing, array, index):
        def codegen(context, builder, signature, args):
            byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
            at64 = context.cast(builder, args[1], signature.args[1], types.int64)
            view = context.make_array(signature.args[0])(context, builder, args[0])
            where = builder.bitcast(builder.gep(view.data, [at64]), byte)
            kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
            function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
            builder.call(function, [where, ir.Constant(i32, 1), ir.Constant(i32, 3), ir.Constant(i32, 1)])
            return context.get_dummy_value()

        return types.void(array, index), codegen

    @intrinsic
    def bit_length(_typing, value):
        def codegen(context, builder, signature, args):
            i64, i1 = ir.IntType(64), ir.IntType(1)
            word = context.cast(builder, args[0], signature.args[0], types.int64)
            return builder.sub(ir.Constant(i64, 64), builder.ctlz(word, ir.Constant(i1, 0)))

        return types.int64(value), codegen

    @njit(inline="always")
    def multiply(a, b):
        return np.int64(np.uint64(a) * np.uint64(b))

    @njit(inline="always")
    def shift_right(a, by):
        return np.int64(np.uint64(a) >> np.uint64(by))

    @njit(inline="always")
    def unsigned(value):
        return np.uint64(value)

    @njit(inline="always")
    def less_unsigned(a, b):
        return np.uint64(a) < np.uint64(b)


@njit(inline="always")
def signed(value: Any) -> int:
    """Read an integer field of a record as int64, the kind that kernels calculate with."""
    return int(np.int64(value))


MIX_1 = -4658895280553007687  # 0xbf58476d1ce4e5b9 and 0x94d049bb133111eb: the finalizer of SplitMix64
MIX_2 = -7723592293110705685
HASH_PRIME = -7046029254386353131  # 0x9e3779b97f4a7c15, 2**64 divided by the golden ratio


@njit(inline="always")
def mix(value: int, seed: int) -> int:
    """Scatter a 64-bit key; with a seed nobody knows, nobody can choose keys that collide."""
    h = value ^ seed
    h = multiply(h ^ shift_right(h, 30), MIX_1)
    h = multiply(h ^ shift_right(h, 27), MIX_2)
    return h ^ shift_right(h, 31)


@njit(inline="always")
def _stir(value: int, factor: int) -> int:
    value = multiply(value, factor)
    return value ^ shift_right(value, 29)


@direct
def hash_bytes(data: Bytes, start: int, end: int) -> int:
    """Hash data[start:end] to 64 bits: tells a duplicate from a conflict, not a defence against a forger.

    Four sums side by side, none of which waits for another; what is left of the last 32 bytes is read as the last 16.
    """
    a = multiply(end - start + 1, HASH_PRIME)
    b, c, d = a ^ MIX_1, a ^ MIX_2, ~a
    at = start
    while at + 32 <= end:
        a = _stir(a ^ load_le64(data, at), MIX_1)
        b = _stir(b ^ load_le64(data, at + 8), MIX_2)
        c = _stir(c ^ load_le64(data, at + 16), MIX_1)
        d = _stir(d ^ load_le64(data, at + 24), MIX_2)
        at += 32
    if at + 16 <= end:
        a = _stir(a ^ load_le64(data, at), MIX_1)
        b = _stir(b ^ load_le64(data, at + 8), MIX_2)
    if end - start >= 16:
        c = _stir(c ^ load_le64(data, end - 16), MIX_1)
        d = _stir(d ^ load_le64(data, end - 8), MIX_2)
    else:
        while at < end:
            a = multiply(a ^ load_u8(data, at), HASH_PRIME)
            at += 1
    return mix(a ^ multiply(b, HASH_PRIME), multiply(c, MIX_1) ^ multiply(d, MIX_2))
