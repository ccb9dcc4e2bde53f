"""What a kernel needs of the host: its clock, raw memory that a device shares, and system calls by name.

`protocol`, `feed` and `book` never import this module: time is an argument to them. Addresses are uint64.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from numba import types
from numba.core import config

if TYPE_CHECKING or config.DISABLE_JIT:

    def monotonic_ns() -> int:
        """Read CLOCK_MONOTONIC in nanoseconds."""
        return time.monotonic_ns()

    def cycles() -> int:
        """Read a counter that grows with time at a fixed rate (the time stamp counter where there is one)."""
        return time.monotonic_ns()

    def pause() -> None:
        """Tell the core that this is a spin."""

else:
    import platform

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
