"""Text in kernels: symbols as the keys of instruments."""

from __future__ import annotations

from typing import Final

from numba import njit

from simbench.kernel.pure import shift_right

SPACES: Final = 0x2020202020202020
LOW_BITS: Final = 0x7F7F7F7F7F7F7F7F
HIGH_BITS: Final = -0x7F7F7F7F7F7F7F80  # 0x8080808080808080


@njit(inline="always")
def symbol_key(symbol: int) -> int:
    """Return 8 characters, loaded big-endian, with their trailing spaces as NULs: what pack_text makes of them.

    The high bit of each byte that is no space is found without a branch; all below the lowest of these bytes goes.
    """
    other = symbol ^ SPACES
    marks = ((other & LOW_BITS) + LOW_BITS | other) & HIGH_BITS
    return symbol & -shift_right(marks & -marks, 7)
