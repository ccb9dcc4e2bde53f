"""The books behind a made-up market: a ladder of prices for each instrument, with a queue of orders at each.

They keep what the messages say true: an execution takes the first order at the best price, a cancel leaves something,
no order crosses the other side, and an id is never used twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.pure import kernel
from simbench.synth.random import below, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Records = NDArray[Any]

TICKS: Final = 1_024
CENT: Final = 100  # in units of 1e-4 dollars: the tick
RECENT: Final = 4_096

ORDER: Final = np.dtype(
    [
        ("reference", "i8"),  # 0: the slot is free
        ("instrument", "i4"),
        ("place", "i4"),  # side * TICKS + tick
        ("shares", "i4"),
        ("next", "i4"),  # in the queue, or the next free slot; 0 none
        ("previous", "i4"),
        ("unused", "i4"),
    ],
    align=True,
)
TOP: Final = np.dtype(
    [
        ("bid", "i8"),  # best tick; -1 none
        ("ask", "i8"),  # best tick; TICKS none
        ("middle", "i8"),  # the last tick in the middle that was known
        ("price", "i8"),  # of tick 0, 1e-4 dollars
        ("stock", "i8"),  # 8 characters, big-endian
        ("trend", "i8"),  # the side that is being hit
    ],
    align=True,
)

# Words of the market.
REFERENCE: Final = 0  # the last order id given
MATCH: Final = 1  # the last match number given
LIVE: Final = 2  # orders
TARGET: Final = 3  # live orders to hold
HIGH: Final = 4  # slots ever used
FREE: Final = 5  # first free slot below it; 0 none
RECENT_AT: Final = 6
SHOCK_FROM: Final = 7  # ns since 1970: from here on the flow is a shock's: three times the executions, one way
SHOCK_TO: Final = 8
SHOCK_SIDE: Final = 9
WORDS: Final = 16

BUY: Final = 0
SELL: Final = 1


@kernel
def unlink(orders: Records, heads: Numbers, tails: Numbers, tops: Records, slot: int) -> None:
    """Take an order out of its queue, and move the best price when that was its last."""
    order = orders[slot]
    row = order["instrument"] * 2 * TICKS
    place = int(order["place"])
    before, behind = order["previous"], order["next"]
    if before:
        orders[before]["next"] = behind
    else:
        heads[row + place] = behind
    if behind:
        orders[behind]["previous"] = before
    else:
        tails[row + place] = before
    top = tops[order["instrument"]]
    if heads[row + place] == 0:
        if place == top["bid"]:
            tick = place
            while tick >= 0 and heads[row + tick] == 0:
                tick -= 1
            top["bid"] = tick
        elif place - TICKS == top["ask"]:
            tick = place - TICKS
            while tick < TICKS and heads[row + TICKS + tick] == 0:
                tick += 1
            top["ask"] = tick


@kernel
def link(orders: Records, heads: Numbers, tails: Numbers, tops: Records, slot: int, place: int) -> None:
    """Put an order at the end of the queue of a side and tick."""
    order = orders[slot]
    at = order["instrument"] * 2 * TICKS + place
    last = tails[at]
    order["place"] = place
    order["previous"] = last
    order["next"] = 0
    if last:
        orders[last]["next"] = slot
    else:
        heads[at] = slot
    tails[at] = slot
    top = tops[order["instrument"]]
    if place < TICKS:
        top["bid"] = max(top["bid"], place)
    else:
        top["ask"] = min(top["ask"], place - TICKS)


@kernel
def release(orders: Records, words: Words, slot: int) -> None:
    """Give an order's slot back."""
    orders[slot]["reference"] = 0
    orders[slot]["next"] = words[FREE]
    words[FREE] = slot
    words[LIVE] -= 1


@kernel
def choose(orders: Records, words: Words, recent: Numbers, random: Words) -> int:
    """Return a live order's slot, 0 when chance found none."""
    bits = draw(random)
    if bits & 1:
        slot = int(recent[(bits >> 8) & (RECENT - 1)])
        if slot and orders[slot]["reference"]:
            return slot
    for _ in range(16):
        if words[HIGH] == 0:
            break
        slot = 1 + below(random, words[HIGH])
        if orders[slot]["reference"]:
            return slot
    return 0


@kernel
def distance(random: Words) -> int:
    """Return how many ticks behind the touch an order goes: mostly few, sometimes many."""
    bits = draw(random)
    near = (bits & 3) + (bits >> 2 & 3)
    kind = bits >> 8 & 31
    if kind == 0:
        return near + (bits >> 16 & 255)
    return near + (bits >> 16 & 63) if kind < 8 else near


@kernel
def place_for(top: Any, side: int, away: int) -> int:
    """Return side * TICKS + tick for an order so far from the opposite touch; on the ladder, never across."""
    if side == BUY:
        touch = top["ask"] if top["ask"] < TICKS else max(top["bid"], top["middle"]) + 1
        return max(min(touch - 1 - away, TICKS - 1), 0) if touch > 0 else -1
    touch = top["bid"] if top["bid"] >= 0 else min(top["ask"], top["middle"]) - 1
    return TICKS + min(max(touch + 1 + away, 0), TICKS - 1) if touch < TICKS - 1 else -1


@kernel
def some_shares(random: Words) -> int:
    """Return a size: round lots mostly."""
    bits = draw(random)
    return 1 + (bits >> 8) % 99 if bits & 7 == 0 else 100 * (1 + (bits >> 8 & 0xFFFF) % 10)
