"""Doubles to integers: at which exponents an instrument's prices and amounts go, and what they do not hold.

Deribit sends doubles. A definition says the tick size, the contract size and the least amount; as many digits behind
the point as these have is the instrument's scale. An instrument that was not defined yet has DEFAULT_DIGITS, more than
any tick or amount seen. A double is exact at a scale when it is the nearest one to the integer divided by the power of
ten, which is how the decimal was made a double; any other is rounded and counted as INEXACT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.event import NO_PRICE
from simbench.kernel.pure import HASH_PRIME, kernel, multiply, shift_right
from simbench.protocol.contract import INEXACT
from simbench.protocol.deribit_layout import SCALE_SLOTS, SCALE_WORDS, SCALES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

DEFAULT_DIGITS: Final = 8
MOST_DIGITS: Final = 12
POWERS: Final = np.array([float(10**digits) for digits in range(MOST_DIGITS + 1)])
LARGEST: Final = NO_PRICE - 1
BEYOND: Final = float(2**63)  # the first double that is no int64
NO_DIGITS: Final = -1
FULL: Final = SCALE_SLOTS * 3 // 4
SLOT_BITS: Final = 52  # of the hash, shifted out: 4096 slots


@kernel
def scaled(value: float, digits: int, state: Words) -> int:
    """Return a double at a scale; rounded and counted where the scale does not hold it, NO_PRICE for a NaN."""
    if value != value:  # noqa: PLR0124 - only a NaN is not itself
        return NO_PRICE
    shifted = np.rint(value * POWERS[digits])
    if not -BEYOND < shifted < BEYOND:
        state[INEXACT] += 1
        return LARGEST if value > 0 else -LARGEST
    if shifted / POWERS[digits] != value:
        state[INEXACT] += 1
    return min(int(shifted), LARGEST)


@kernel
def digits_of(step: float) -> int:
    """Return how many digits behind the point a step has; NO_DIGITS for no step, and for more than MOST_DIGITS."""
    if 0.0 < step < BEYOND:
        for digits in range(MOST_DIGITS + 1):
            shifted = np.rint(step * POWERS[digits])
            if shifted > 0.0 and shifted / POWERS[digits] == step:
                return digits
    return NO_DIGITS


@kernel
def define(state: Words, instrument: int, tick: float, contract: float, least: float) -> bool:
    """Keep the scale of an instrument; return whether there was room for it."""
    slot = _seek(state, instrument)
    if state[slot] == 0 and state[SCALES] == FULL:
        return False
    prices = digits_of(tick)
    amounts = max(digits_of(contract), digits_of(least))
    prices = DEFAULT_DIGITS if prices == NO_DIGITS else prices
    amounts = DEFAULT_DIGITS if amounts == NO_DIGITS else amounts
    state[SCALES] += state[slot] == 0
    state[slot] = instrument + 1
    state[slot + 1] = prices | amounts << 8
    return True


@kernel
def scale_of(state: Words, instrument: int) -> int:
    """Return the digits of an instrument: of its prices | of its amounts << 8."""
    slot = _seek(state, instrument)
    return int(state[slot + 1]) if state[slot] != 0 else DEFAULT_DIGITS | DEFAULT_DIGITS << 8


@kernel
def _seek(state: Words, instrument: int) -> int:
    """Return the slot of an instrument, or the free one where it would go."""
    at = shift_right(multiply(instrument, HASH_PRIME), SLOT_BITS)
    while True:
        slot = SCALES + 1 + at * SCALE_WORDS
        if state[slot] in (0, instrument + 1):
            return slot
        at = (at + 1) & (SCALE_SLOTS - 1)
