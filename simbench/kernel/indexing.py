"""Indices that do not count from the end.

In Python a[-1] is the last item, so Numba tests every signed index for its sign before it uses it: two or three cycles
in a chain of dependent loads, two fifths of the time of an order book. Kernels compiled with the error model "numpy"
and without Numba's runtime (`direct` in pure.py) do without: a negative index there is outside the array, and the
checked build (NUMBA_BOUNDSCHECK=1) says so. Functions of anybody else are compiled as ever.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.targetconfig import ConfigStack
from numba.np import arrayobj


def install() -> None:
    """Teach Numba's indexing of arrays to look at how the function at hand is compiled; twice is as good as once."""
    wrapping: Any = arrayobj.fix_integer_index
    stack: Any = ConfigStack
    if getattr(wrapping, "is_direct", False):
        return

    def fix_integer_index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
        flags = stack.top_or_none()
        if flags is not None and flags.error_model == "numpy" and not flags.nrt:
            return context.cast(builder, index, kind, types.intp)
        return wrapping(context, builder, kind, index, size)

    fix_integer_index.is_direct = True  # type: ignore[attr-defined]
    arrayobj.fix_integer_index = fix_integer_index
