"""The books behind a made-up futures market: those of itch_ladder, with what each level and instrument adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numba
import numpy as np
from numba import types

from simbench.kernel.pure import kernel_as
from simbench.synth.itch_ladder import BUY, HIGH, ORDER, TICKS, link, release, unlink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Numbers = NDArray[np.int32]
    Records = NDArray[Any]

TICK: Final = 250_000_000  # 0.25 at 1e-9
DEPTH: Final = 10
IMPLIED_DEPTH: Final = 2
PICKS: Final = 65_536  # entries in the table of instruments that activity is drawn from

# Words of the market behind those of itch_ladder.
STAGE: Final = 16  # of the event that is being sent: 0 none, then volume, book, statistics
EVENT_TIME: Final = 17
EVENT_INSTRUMENT: Final = 18
EVENT_TAKEN: Final = 19
EVENT_EXTREME: Final = 20  # entry type of the session statistic to follow; 0 none
EVENT_SIDE: Final = 21
PRIORITY: Final = 22  # the last one given
QUOTES: Final = 23  # requests so far
RESET_AT: Final = 24  # ns since 1970 from when on the channel is reset once; 0 never
ROOM: Final = 25  # out: messages written
WORDS: Final = 32

INSTRUMENT: Final = np.dtype(
    [
        ("bid", "i8"),  # best tick; -1 none
        ("ask", "i8"),  # best tick; TICKS none
        ("middle", "i8"),  # the last tick in the middle that was known
        ("price", "i8"),  # of tick 0, 1e-9
        ("trend", "i8"),  # the side that is being hit
        ("report", "i8"),  # the last rptSeq
        ("volume", "i8"),
        ("high", "i8"),  # ticks traded; -1 none
        ("low", "i8"),
        ("implied", "i8", (4,)),  # ticks of the implied bids, then of the implied asks, best first
        ("implied_levels", "i8", (2,)),
    ],
    align=True,
)


class Market(NamedTuple):
    """The arrays of a market.

    Attributes:
        words: int64[WORDS].
        random: int64[2].
        orders: itch_ladder.ORDER[m], slot 0 unused; two more than TARGET at least.
        priorities: int64[m], of each order.
        heads, tails: int32[instruments * 2 * TICKS], slots of each level's first and last order, 0 none.
        quantities: int64[instruments * 2 * TICKS], of each level.
        counts: int32[instruments * 2 * TICKS], orders of each level.
        tops: INSTRUMENT[instruments].
        recent: int32[RECENT], slots.
        picks: int32[PICKS], instruments, as often as they are active.
    """

    words: Words
    random: Words
    orders: Records
    priorities: Words
    heads: Numbers
    tails: Numbers
    quantities: Words
    counts: Numbers
    tops: Records
    recent: Numbers
    picks: Numbers


_WORDS: Final = types.int64[::1]
_NUMBERS: Final = types.int32[::1]
TOP: Final = numba.from_dtype(INSTRUMENT)
ORDERS: Final = numba.from_dtype(ORDER)[::1]
MARKET: Final = types.NamedTuple(  # type: ignore[no-untyped-call]
    (_WORDS, _WORDS, ORDERS, _WORDS, _NUMBERS, _NUMBERS, _WORDS, _NUMBERS, TOP[::1], _NUMBERS, _NUMBERS),
    Market,
)


@kernel_as(types.int64(TOP))
def next_report(top: Any) -> int:
    """Count an instrument's rptSeq on."""
    top["report"] += 1
    return int(top["report"])


@kernel_as(types.int64(MARKET, types.int64, types.int64, types.int64))
def tick_of_rank(market: Market, instrument: int, side: int, rank: int) -> int:
    """Return the tick of a side's level number `rank`, -1 where there are not so many."""
    top = market.tops[instrument]
    row = (instrument * 2 + side) * TICKS
    tick = top["bid"] if side == BUY else top["ask"]
    while 0 <= tick < TICKS:
        if market.heads[row + tick]:
            rank -= 1
            if rank == 0:
                return int(tick)
        tick += -1 if side == BUY else 1
    return -1


@kernel_as(types.int64(MARKET, types.int64, types.int64, types.int64))
def rank_of_tick(market: Market, instrument: int, side: int, wanted: int) -> int:
    """Return a tick's level number; DEPTH + 1 where it is not shown."""
    top = market.tops[instrument]
    row = (instrument * 2 + side) * TICKS
    tick = top["bid"] if side == BUY else top["ask"]
    rank = 1
    while tick != wanted and rank <= DEPTH:
        rank += 1 if market.heads[row + tick] else 0
        tick += -1 if side == BUY else 1
    return rank


@kernel_as(types.int64(MARKET, types.int64, types.int64, types.int64))
def count_orders(market: Market, instrument: int, side: int, levels: int) -> int:
    """Count the orders of a side's best levels, all of which must be there; 0 where they are not."""
    top = market.tops[instrument]
    row = (instrument * 2 + side) * TICKS
    tick = top["bid"] if side == BUY else top["ask"]
    total, seen = 0, 0
    while 0 <= tick < TICKS and seen < levels:
        if market.heads[row + tick]:
            total += market.counts[row + tick]
            seen += 1
        tick += -1 if side == BUY else 1
    return total if levels in (seen, TICKS) else 0


@kernel_as(types.void(MARKET, types.int64, types.int64))
def resize(market: Market, slot: int, shares: int) -> None:
    """Give an order another size where it is."""
    order = market.orders[slot]
    row = order["instrument"] * 2 * TICKS + order["place"]
    market.quantities[row] += shares - order["shares"]
    order["shares"] = shares


@kernel_as(types.void(MARKET, types.int64, types.int64))
def enter(market: Market, slot: int, place: int) -> None:
    """Put an order at the end of a level, with a new priority."""
    words = market.words
    link(market.orders, market.heads, market.tails, market.tops, slot, place)
    row = market.orders[slot]["instrument"] * 2 * TICKS + place
    market.quantities[row] += market.orders[slot]["shares"]
    market.counts[row] += 1
    words[PRIORITY] += 1
    market.priorities[slot] = words[PRIORITY]


@kernel_as(types.void(TOP))
def note_middle(top: Any) -> None:
    """Remember the middle while there are two sides."""
    if top["bid"] >= 0 and top["ask"] < TICKS:
        top["middle"] = (top["bid"] + top["ask"]) >> 1


@kernel_as(types.void(MARKET, types.int64))
def leave(market: Market, slot: int) -> None:
    """Take an order out of its level; its slot stays its own."""
    order = market.orders[slot]
    row = order["instrument"] * 2 * TICKS + order["place"]
    market.quantities[row] -= order["shares"]
    market.counts[row] -= 1
    unlink(market.orders, market.heads, market.tails, market.tops, slot)
    note_middle(market.tops[order["instrument"]])


@kernel_as(types.void(MARKET))
def reset(market: Market) -> None:
    """Empty every book; rptSeq starts again."""
    words = market.words
    for slot in range(1, words[HIGH] + 1):
        if market.orders[slot]["reference"]:
            leave(market, slot)
            release(market.orders, words, slot)
    for instrument in range(len(market.tops)):
        top = market.tops[instrument]
        top["report"] = 0
        top["implied_levels"][0] = 0
        top["implied_levels"][1] = 0
