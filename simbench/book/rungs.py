"""Levels by number: for each side an array of rungs, each known, never sent (unknown) or known to be empty.

Meaning as in CME MDP 3.0, market by price: New shifts what is below down and beyond the depth out; Delete shifts it
up, and what comes to the last place is unknown until it is sent, unless the book was known to end above it.
A rung below which something is known cannot be empty: it becomes unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench import event
from simbench.book.instruments import count_anomaly, leave_out, touch
from simbench.book.layout import (
    BAD_LEVEL,
    BAD_QUANTITY,
    BAD_SIDE,
    CHANNEL,
    CHANNEL_WAS_RESET,
    CHANNEL_WORDS,
    CHANNELS,
    DEPTH,
    DEPTH_LIMIT,
    EMPTY,
    IMPLIED_DEPTH,
    KNOWN,
    LADDER,
    LADDER_ROOM,
    LADDER_ROOM_EXPLICIT,
    LADDER_ROOM_IMPLIED,
    LADDER_TOP,
    LADDERS,
    NO_PRICE,
    PRICE_MISMATCH,
    RUNG_ORDERS,
    RUNG_PRICE,
    RUNG_QUANTITY,
    RUNG_STATE,
    RUNG_WORDS,
    UNKNOWN,
    UNKNOWN_LEVEL,
)
from simbench.kernel.pure import direct, direct_inlined

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct
def apply_level(
    memory: Words,
    channel: int,
    instrument: int,
    kind: int,
    side: int,
    level: int,
    price: int,
    quantity: int,
    orders: int,
    overlay: int,
    time: int,
) -> None:
    """Apply an event of levels by number; overlay 1 puts a level where it belongs without a shift (snapshots)."""
    if side > 3:
        count_anomaly(memory, channel, BAD_SIDE, 1, time)
        return
    if not need_ladder(memory, instrument, time):
        return
    depth = depth_of(memory, instrument, side)
    first = rungs(memory, instrument, side)
    if kind == event.LEVEL_DELETE_THROUGH:
        _set_states(memory, first, 0, depth, EMPTY)
        touch(memory, instrument)
        return
    if level < 1 or level > depth:
        count_anomaly(memory, channel, BAD_LEVEL, 1, time)
        return
    rung = first + (level - 1) * RUNG_WORDS
    if kind == event.LEVEL_DELETE_FROM:
        _shift_up(memory, first, 0, level, depth)
    elif kind == event.LEVEL_DELETE:
        _compare(memory, channel, rung, price, time)
        if memory[rung + RUNG_STATE] == EMPTY:
            return
        _shift_up(memory, first, level - 1, 1, depth)
    else:
        if quantity < 0:
            count_anomaly(memory, channel, BAD_QUANTITY, 1, time)
            quantity = 0
        if kind == event.LEVEL_CHANGE and overlay == 0:
            _compare(memory, channel, rung, price, time)
        if kind == event.LEVEL_NEW and overlay == 0:
            _shift_down(memory, first, level - 1, depth)
        if _know_above(memory, first, level - 1) > 0 and overlay == 0:
            count_anomaly(memory, channel, UNKNOWN_LEVEL, 1, time)
        memory[rung + RUNG_PRICE] = price
        memory[rung + RUNG_QUANTITY] = quantity
        memory[rung + RUNG_ORDERS] = max(orders, -1)
        memory[rung + RUNG_STATE] = KNOWN
    touch(memory, instrument)


@direct
def need_ladder(memory: Words, instrument: int, time: int) -> bool:
    """Give an instrument that has no ladder one, of unknown levels; of empty ones once the channel was reset.

    Return whether it has one then: where there is no room the event is counted as left out.
    """
    if memory[instrument + LADDER] >= 0:
        return True
    if not _place_ladder(memory, instrument, depth_of(memory, instrument, 0), depth_of(memory, instrument, 2)):
        leave_out(memory, instrument, time)
        return False
    was_reset = memory[memory[CHANNELS] + memory[instrument + CHANNEL] * CHANNEL_WORDS + CHANNEL_WAS_RESET]
    for side in range(4):
        first = rungs(memory, instrument, side)
        _set_states(memory, first, 0, room_of_side(memory, instrument, side), EMPTY if was_reset else UNKNOWN)
    return True


@direct
def empty_ladder(memory: Words, instrument: int, state: int) -> None:
    """Make every level of an instrument that has a ladder EMPTY or UNKNOWN."""
    for side in range(4):
        _set_states(memory, rungs(memory, instrument, side), 0, room_of_side(memory, instrument, side), state)


@direct_inlined
def depth_of(memory: Words, instrument: int, side: int) -> int:
    """Return how many levels a side has."""
    depth = memory[instrument + (DEPTH if side < 2 else IMPLIED_DEPTH)]
    return depth if depth > 0 else DEPTH_LIMIT


@direct_inlined
def room_of_side(memory: Words, instrument: int, side: int) -> int:
    """Return how many levels a side of an instrument that has a ladder has room for."""
    return int(memory[instrument + (LADDER_ROOM_EXPLICIT if side < 2 else LADDER_ROOM_IMPLIED)])


@direct_inlined
def rungs(memory: Words, instrument: int, side: int) -> int:
    """Return the word of a side's first rung in an instrument that has a ladder."""
    explicit = memory[instrument + LADDER_ROOM_EXPLICIT]
    implied = memory[instrument + LADDER_ROOM_IMPLIED]
    above = min(side, 2) * explicit + max(side - 2, 0) * implied
    return int(memory[LADDERS] + memory[instrument + LADDER] + above * RUNG_WORDS)


@direct
def known_range(memory: Words, instrument: int, side: int) -> int:
    """Return the number of the last known level of a side, 0 where none is."""
    if memory[instrument + LADDER] < 0:
        return 0
    first = rungs(memory, instrument, side)
    level = depth_of(memory, instrument, side)
    while level > 0 and memory[first + (level - 1) * RUNG_WORDS + RUNG_STATE] != KNOWN:
        level -= 1
    return level


@direct
def resize_ladder(memory: Words, instrument: int, depth: int, implied: int, time: int) -> None:
    """Fit the ladder to the depths that a definition has just changed from those given, as far as there is room."""
    if memory[instrument + LADDER] < 0:
        return
    for side in range(4):
        was = (depth if side < 2 else implied) or DEPTH_LIMIT
        room = room_of_side(memory, instrument, side)
        first = rungs(memory, instrument, side)
        kept = min(was, depth_of(memory, instrument, side))
        ends = memory[first + (was - 1) * RUNG_WORDS + RUNG_STATE] == EMPTY
        _set_states(memory, first, kept, room, EMPTY if ends else UNKNOWN)
    explicit_room = memory[instrument + LADDER_ROOM_EXPLICIT]
    implied_room = memory[instrument + LADDER_ROOM_IMPLIED]
    fits = depth_of(memory, instrument, 0) <= explicit_room and depth_of(memory, instrument, 2) <= implied_room
    if not fits and not _move_ladder(memory, instrument, explicit_room, implied_room):
        memory[instrument + DEPTH] = min(depth_of(memory, instrument, 0), explicit_room)
        memory[instrument + IMPLIED_DEPTH] = min(depth_of(memory, instrument, 2), implied_room)
        leave_out(memory, instrument, time)


@direct
def _place_ladder(memory: Words, instrument: int, explicit: int, implied: int) -> bool:
    end = memory[LADDER_TOP] + 2 * (explicit + implied) * RUNG_WORDS
    if end > memory[LADDER_ROOM]:
        return False
    memory[instrument + LADDER] = memory[LADDER_TOP]
    memory[instrument + LADDER_ROOM_EXPLICIT] = explicit
    memory[instrument + LADDER_ROOM_IMPLIED] = implied
    memory[LADDER_TOP] = end
    return True


@direct
def _move_ladder(memory: Words, instrument: int, explicit: int, implied: int) -> bool:
    """Copy the ladder to a place with at least twice the room, so that moving costs little however often it is."""
    old = memory[LADDERS] + memory[instrument + LADDER]
    placed = _place_ladder(
        memory,
        instrument,
        min(max(depth_of(memory, instrument, 0), 2 * explicit), DEPTH_LIMIT),
        min(max(depth_of(memory, instrument, 2), 2 * implied), DEPTH_LIMIT),
    )
    if not placed:
        return False
    for side in range(4):
        have = explicit if side < 2 else implied
        first = rungs(memory, instrument, side)
        for word in range(have * RUNG_WORDS):
            memory[first + word] = memory[old + word]
        last = memory[old + (have - 1) * RUNG_WORDS + RUNG_STATE]
        state = EMPTY if last == EMPTY else UNKNOWN
        _set_states(memory, first, have, room_of_side(memory, instrument, side), state)
        old += have * RUNG_WORDS
    return True


@direct
def _set_states(memory: Words, first: int, start: int, end: int, state: int) -> None:
    """Make rungs start to end hold nothing."""
    for level in range(start, end):
        rung = first + level * RUNG_WORDS
        memory[rung + RUNG_PRICE] = 0
        memory[rung + RUNG_QUANTITY] = 0
        memory[rung + RUNG_ORDERS] = 0
        memory[rung + RUNG_STATE] = state


@direct
def _shift_down(memory: Words, first: int, start: int, depth: int) -> None:
    word = first + depth * RUNG_WORDS - 1
    while word >= first + (start + 1) * RUNG_WORDS:
        memory[word] = memory[word - RUNG_WORDS]
        word -= 1


@direct
def _shift_up(memory: Words, first: int, start: int, by: int, depth: int) -> None:
    ends = memory[first + (depth - 1) * RUNG_WORDS + RUNG_STATE] == EMPTY
    for word in range(first + start * RUNG_WORDS, first + (depth - by) * RUNG_WORDS):
        memory[word] = memory[word + by * RUNG_WORDS]
    _set_states(memory, first, depth - by, depth, EMPTY if ends else UNKNOWN)


@direct
def _know_above(memory: Words, first: int, level: int) -> int:
    """Make empty rungs above a level that is known to exist unknown: they were missed; return how many."""
    above = level - 1
    while above >= 0 and memory[first + above * RUNG_WORDS + RUNG_STATE] == EMPTY:
        memory[first + above * RUNG_WORDS + RUNG_STATE] = UNKNOWN
        above -= 1
    return level - 1 - above


@direct
def _compare(memory: Words, channel: int, rung: int, price: int, time: int) -> None:
    """Count it when a level is not the one that the event means."""
    state = memory[rung + RUNG_STATE]
    if state == EMPTY:
        count_anomaly(memory, channel, UNKNOWN_LEVEL, 1, time)
    elif state == KNOWN and price not in (memory[rung + RUNG_PRICE], NO_PRICE):
        count_anomaly(memory, channel, PRICE_MISMATCH, 1, time)
