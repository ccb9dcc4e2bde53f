"""Random numbers inside kernels: SplitMix64 by counter, the same on every machine and under plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from simbench.kernel.pure import HASH_PRIME, mix, multiply, shift_right

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]


@njit(inline="always")
def draw(random: Words) -> int:
    """Return the next 64 random bits of random: int64[2], how many were drawn and the seed."""
    random[0] += 1
    return mix(multiply(random[0], HASH_PRIME), random[1])


@njit(inline="always")
def below(random: Words, limit: int) -> int:
    """Return a number from 0 to limit - 1; limit at most 2**31."""
    return (shift_right(draw(random), 33) * limit) >> 31
