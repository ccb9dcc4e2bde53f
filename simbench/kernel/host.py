"""What a kernel needs of the host: its clock, raw memory that a device shares, and system calls by name.

`protocol`, `feed` and `book` never import this module: time is an argument to them. Addresses are int64, as all
integers of a kernel are. A system call returns what it did, or minus the error's number.
"""

from __future__ import annotations

import ctypes
import platform
import time
from typing import TYPE_CHECKING

from numba import njit, types
from numba.core import config

MSG_DONTWAIT = 0x40
SYS_FUTEX = 202 if platform.machine() in ("x86_64", "AMD64") else 98  # everything younger has the generic numbers

if TYPE_CHECKING or config.DISABLE_JIT:

    def monotonic_ns() -> int:
        """Read CLOCK_MONOTONIC in nanoseconds."""
        return time.monotonic_ns()

    def cycles() -> int:
        """Read a counter that grows with time at a fixed rate (the time stamp counter where there is one)."""
        return time.monotonic_ns()

    def pause() -> None:
        """Tell the core that this is a spin."""

    def sleep_until(deadline: int) -> None:
        """Sleep until CLOCK_MONOTONIC reads so many nanoseconds, or a signal comes."""
        time.sleep(max(0, deadline - time.monotonic_ns()) / 1e9)

    def peek32(address: int) -> int:
        """Load the unsigned 32-bit word at an address."""
        return ctypes.c_uint32.from_address(int(address)).value

    def peek64(address: int) -> int:
        """Load the 64-bit word at an address; the top bit is the sign."""
        return ctypes.c_int64.from_address(int(address)).value

    def poke32(address: int, value: int) -> None:
        """Store the low 32 bits at an address."""
        ctypes.c_uint32.from_address(int(address)).value = int(value) & 0xFFFFFFFF

    def poke64(address: int, value: int) -> None:
        """Store 64 bits at an address."""
        ctypes.c_int64.from_address(int(address)).value = int(value)

    def acquire32(address: int) -> int:
        """Load an unsigned 32-bit word so that everything its writer stored before it is seen."""
        return peek32(address)

    def acquire64(address: int) -> int:
        """Load a 64-bit word so that everything its writer stored before it is seen."""
        return peek64(address)

    def release32(address: int, value: int) -> None:
        """Store the low 32 bits after everything that was stored before."""
        poke32(address, value)

    def release64(address: int, value: int) -> None:
        """Store 64 bits after everything that was stored before."""
        poke64(address, value)

    def fence() -> None:
        """Order the stores before against the loads after."""

    def _call(name: str, *arguments: int) -> int:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
        result = int(function(*(ctypes.c_long(int(argument)) for argument in arguments)))
        return result if result >= 0 else -ctypes.get_errno()

    def kick(fd: int) -> int:
        """Make the kernel look at a socket's transmit ring: sendto() of nothing, without blocking."""
        return _call("sendto", fd, 0, 0, MSG_DONTWAIT, 0, 0)

    def write(fd: int, address: int, length: int) -> int:
        """Write so many bytes at an address to a descriptor."""
        return _call("write", fd, address, length)

    def read(fd: int, address: int, length: int) -> int:
        """Read at most so many bytes from a descriptor to an address."""
        return _call("read", fd, address, length)

    def send_many(fd: int, messages: int, count: int) -> int:
        """Call sendmmsg() on `count` struct mmsghdr, without blocking."""
        return _call("sendmmsg", fd, messages, count, MSG_DONTWAIT)

    def receive_many(fd: int, messages: int, count: int) -> int:
        """Call recvmmsg() on `count` struct mmsghdr, without blocking."""
        return _call("recvmmsg", fd, messages, count, MSG_DONTWAIT, 0)

    def wait_readable(descriptors: int, count: int, timeout: int) -> int:
        """Call ppoll() on `count` struct pollfd; the timeout is the address of a struct timespec."""
        return _call("ppoll", descriptors, count, timeout, 0)

    def sleep_while(address: int, value: int, timeout: int) -> int:
        """Sleep while the 32-bit word at an address, shared between processes, has a value: FUTEX_WAIT."""
        return _call("syscall", SYS_FUTEX, address, 0, value, timeout, 0, 0)

    def wake(address: int) -> int:
        """Wake those who sleep on a word: FUTEX_WAKE."""
        return _call("syscall", SYS_FUTEX, address, 1, 0x7FFFFFFF, 0, 0, 0)

else:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    X86 = platform.machine() in ("x86_64", "AMD64")

    @intrinsic
    def monotonic_ns(_typing):
        def codegen(_context, builder, _signature, _args):
            i32, i64 = ir.IntType(32), ir.IntType(64)
            spec = cgutils.alloca_once(builder, i64, 2)
            kind = ir.FunctionType(i32, [i32, i64.as_pointer()])
            function = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
            builder.call(function, [ir.Constant(i32, 1), spec])
            seconds = builder.load(spec)
            rest = builder.load(builder.gep(spec, [ir.Constant(i32, 1)]))
            return builder.add(builder.mul(seconds, ir.Constant(i64, 1_000_000_000)), rest)

        return types.int64(), codegen

    @intrinsic
    def sleep_until(_typing, deadline):
        def codegen(context, builder, signature, args):
            i32, i64 = ir.IntType(32), ir.IntType(64)
            at = context.cast(builder, args[0], signature.args[0], types.int64)
            second = ir.Constant(i64, 1_000_000_000)
            spec = cgutils.alloca_once(builder, i64, 2)
            builder.store(builder.sdiv(at, second), spec)
            builder.store(builder.srem(at, second), builder.gep(spec, [ir.Constant(i32, 1)]))
            kind = ir.FunctionType(i32, [i32, i32, i64.as_pointer(), i64.as_pointer()])
            function = cgutils.get_or_insert_function(builder.module, kind, "clock_nanosleep")
            none = ir.Constant(i64.as_pointer(), None)
            builder.call(function, [ir.Constant(i32, 1), ir.Constant(i32, 1), spec, none])  # TIMER_ABSTIME
            return context.get_dummy_value()

        return types.void(deadline), codegen

    if X86:

        @intrinsic
        def cycles(_typing):
            def codegen(_context, builder, _signature, _args):
                kind = ir.FunctionType(ir.IntType(64), [])
                return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), kind), [])

            return types.int64(), codegen

        @intrinsic
        def pause(_typing):
            def codegen(context, builder, _signature, _args):
                kind = ir.FunctionType(ir.VoidType(), [])
                builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), [])
                return context.get_dummy_value()

            return types.void(), codegen

    else:
        cycles = monotonic_ns  # the counter traps in user mode on most Arm cores

        @intrinsic
        def pause(_typing):
            return types.void(), lambda context, _b, _s, _a: context.get_dummy_value()

    def _peek(bits, *, atomic=False):
        @intrinsic
        def peek(_typing, address):
            def codegen(context, builder, signature, args):
                at = context.cast(builder, args[0], signature.args[0], types.int64)
                where = builder.inttoptr(at, ir.IntType(bits).as_pointer())
                value = builder.load_atomic(where, "acquire", bits // 8) if atomic else builder.load(where, align=1)
                return value if bits == 64 else builder.zext(value, ir.IntType(64))

            return types.int64(address), codegen

        return peek

    def _poke(bits, *, atomic=False):
        @intrinsic
        def poke(_typing, address, value):
            def codegen(context, builder, signature, args):
                at = context.cast(builder, args[0], signature.args[0], types.int64)
                word = context.cast(builder, args[1], signature.args[1], types.int64)
                word = word if bits == 64 else builder.trunc(word, ir.IntType(bits))
                where = builder.inttoptr(at, ir.IntType(bits).as_pointer())
                if atomic:
                    builder.store_atomic(word, where, "release", bits // 8)
                else:
                    builder.store(word, where, align=1)
                return context.get_dummy_value()

            return types.void(address, value), codegen

        return poke

    peek32 = _peek(32)
    peek64 = _peek(64)
    poke32 = _poke(32)
    poke64 = _poke(64)
    acquire32 = _peek(32, atomic=True)
    acquire64 = _peek(64, atomic=True)
    release32 = _poke(32, atomic=True)
    release64 = _poke(64, atomic=True)

    @intrinsic
    def fence(_typing):
        def codegen(context, builder, _signature, _args):
            builder.fence("seq_cst")
            return context.get_dummy_value()

        return types.void(), codegen

    # Symbols looked up by name, so that the callers stay cacheable; an address travels as the integer it is.
    _INT, _LONG = types.int32, types.int64
    _errno_location = types.ExternalFunction("__errno_location", _LONG())
    _sendto = types.ExternalFunction("sendto", _LONG(_INT, _LONG, _LONG, _INT, _LONG, _INT))
    _write = types.ExternalFunction("write", _LONG(_INT, _LONG, _LONG))
    _read = types.ExternalFunction("read", _LONG(_INT, _LONG, _LONG))
    _sendmmsg = types.ExternalFunction("sendmmsg", _INT(_INT, _LONG, _INT, _INT))
    _recvmmsg = types.ExternalFunction("recvmmsg", _INT(_INT, _LONG, _INT, _INT, _LONG))
    _ppoll = types.ExternalFunction("ppoll", _INT(_LONG, _LONG, _LONG, _LONG))
    _syscall = types.ExternalFunction("syscall", _LONG(_LONG, _LONG, _LONG, _LONG, _LONG, _LONG, _LONG))

    @njit(inline="always")
    def _outcome(result):
        return result if result >= 0 else -peek32(_errno_location())

    @njit(inline="always")
    def kick(fd):
        return _outcome(_sendto(fd, 0, 0, MSG_DONTWAIT, 0, 0))

    @njit(inline="always")
    def write(fd, address, length):
        return _outcome(_write(fd, address, length))

    @njit(inline="always")
    def read(fd, address, length):
        return _outcome(_read(fd, address, length))

    @njit(inline="always")
    def send_many(fd, messages, count):
        return _outcome(_sendmmsg(fd, messages, count, MSG_DONTWAIT))

    @njit(inline="always")
    def receive_many(fd, messages, count):
        return _outcome(_recvmmsg(fd, messages, count, MSG_DONTWAIT, 0))

    @njit(inline="always")
    def wait_readable(descriptors, count, timeout):
        return _outcome(_ppoll(descriptors, count, timeout, 0))

    @njit(inline="always")
    def sleep_while(address, value, timeout):
        return _outcome(_syscall(SYS_FUTEX, address, 0, value, timeout, 0, 0))

    @njit(inline="always")
    def wake(address):
        return _outcome(_syscall(SYS_FUTEX, address, 1, 0x7FFFFFFF, 0, 0, 0))
