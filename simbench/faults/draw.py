"""Random numbers without a state: what a fault draws for a datagram depends on seed, fault and ordinal alone.

A counter-based generator: SplitMix64's finalizer over a key and a counter. Which datagrams a fault takes is the same
whatever is replayed before them, in blocks of any size, on any wire, at any speed.

    key  = scatter(seed + scatter(fault * 2^20 + salt))
    draw = scatter(key + (ordinal + 1) * 0x9E3779B97F4A7C15)       all modulo 2^64
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK: Final = (1 << 64) - 1
GOLDEN: Final = 0x9E37_79B9_7F4A_7C15
MIX_1: Final = 0xBF58_476D_1CE4_E5B9
MIX_2: Final = 0x94D0_49BB_1331_11EB

# Salts: what is drawn. The places of bits are SALT_BITS and above.
SALT_CHOICE: Final = 0
SALT_JITTER: Final = 1
SALT_BITS: Final = 16


def scatter(value: int) -> int:
    """Return 64 bits that depend on every bit of the value.

    >>> hex(scatter(1))
    '0x5692161d100b05e5'
    """
    value &= MASK
    value = (value ^ value >> 30) * MIX_1 & MASK
    value = (value ^ value >> 27) * MIX_2 & MASK
    return value ^ value >> 31


def draw(seed: int, fault: int, ordinal: int, salt: int) -> int:
    """Return 64 drawn bits.

    Args:
        seed: of the script.
        fault: its number in the script, from 1.
        ordinal: of the datagram, with its part above (lot.py).
        salt: what it is drawn for, below 2^20.
    """
    key = scatter(seed + scatter((fault << 20) + salt))
    return scatter(key + (ordinal + 1) * GOLDEN)


def draws(seed: int, fault: int, ordinals: NDArray[np.int64], salt: int) -> NDArray[np.uint64]:
    """Return drawn bits for many ordinals at once: uint64[n], each as draw() gives them."""
    key = scatter(seed + scatter((fault << 20) + salt))
    value: NDArray[Any] = np.uint64(key) + (ordinals.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
    value = (value ^ value >> np.uint64(30)) * np.uint64(MIX_1)
    value = (value ^ value >> np.uint64(27)) * np.uint64(MIX_2)
    scattered: NDArray[np.uint64] = value ^ value >> np.uint64(31)
    return scattered


def happens(bits: NDArray[np.uint64], probability: float) -> NDArray[np.bool_]:
    """Return for drawn bits whether what has this probability happens: bool[n]."""
    chosen: NDArray[np.bool_] = bits >> np.uint64(11) < np.uint64(round(probability * (1 << 53)))
    return chosen
