"""The book engine: applies events to a block, with the memory of the next ones on its way before their turn.

An event of an order touches six to sixteen cache lines that nothing but the order id leads to. So each event of a
batch is looked at several times before it is applied (ahead.py). Give it batches: one event alone has nobody to wait
with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book import orders
from simbench.book.ahead import (
    LEVEL_AHEAD,
    LINKS_AHEAD,
    RECORDS_AHEAD,
    SLOTS_AHEAD,
    found_ahead,
    look_for_instrument,
    look_for_instrument_slot,
    look_for_level,
    look_for_links,
    look_for_records,
    look_for_rung,
    look_for_slots,
)
from simbench.book.contract import APPLY_SIGNATURE
from simbench.book.emptying import empty_channel
from simbench.book.instruments import (
    count_anomaly,
    define,
    follow,
    judge,
    record_trade,
    touch,
)
from simbench.book.layout import (
    AWAITED_BY_PACKET,
    BY_LEVEL,
    BY_ORDER,
    BY_PRICE,
    CHANNEL_COUNT,
    CHANNEL_KIND,
    CHANNEL_RESET_AT,
    CHANNEL_SNAPSHOTS,
    CHANNEL_WORDS,
    CHANNELS,
    CONFIRMED,
    CURRENT,
    DEPTH,
    EMPTY,
    EVENTS,
    FOREIGN_EVENT,
    IMPLIED_DEPTH,
    INSTRUMENT_COUNT,
    INSTRUMENT_ROOM,
    INT64_MAX,
    LADDER_LIMIT,
    LADDER_ROOM,
    LADDER_TOP,
    LEVEL_COUNT,
    LEVEL_ROOM,
    MOST_INSTRUMENTS,
    MOST_LADDERS,
    MOST_LEVELS,
    MOST_ORDERS,
    NO_ROOM,
    NODE_COUNT,
    NODE_ROOM,
    ORDER_COUNT,
    ORDER_ROOM,
    PATH_DEPTH,
    PRICE_EXPONENT,
    QUANTITY_EXPONENT,
    REASON,
    REQUIRED,
    RESCALED,
    SEQUENCE,
    STALE_SINCE,
    STATE,
    STATUS_CODE,
    UNKNOWN,
    UNKNOWN_INSTRUMENT,
    UNSYNCHRONISED,
    UNUSED,
    VERSION,
)
from simbench.book.levels import set_level
from simbench.book.packet_waiting import lose, pass_or_wait_by_packet, pass_order
from simbench.book.rungs import apply_level, empty_ladder, need_ladder, resize_ladder
from simbench.book.snapshots import admit, leave
from simbench.book.touched import note_missed
from simbench.book.waiting import pass_or_wait
from simbench.kernel.pure import direct, direct_as, direct_inlined, signed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.kernel.pure import Words

    Events = NDArray[np.void]


@direct
def _room(memory: Words, channel: int) -> int:
    """Return how many events there is room for whatever they are."""
    room = (memory[NODE_ROOM] - memory[NODE_COUNT]) // PATH_DEPTH
    room = min(room, _left(memory, ORDER_ROOM, ORDER_COUNT, MOST_ORDERS))
    room = min(room, _left(memory, LEVEL_ROOM, LEVEL_COUNT, MOST_LEVELS))
    room = min(room, _left(memory, INSTRUMENT_ROOM, INSTRUMENT_COUNT, MOST_INSTRUMENTS))
    if memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_KIND] == BY_LEVEL:
        room = min(room, _left(memory, LADDER_ROOM, LADDER_TOP, MOST_LADDERS) // LADDER_LIMIT)
    return int(max(room, 0))


@direct
def _left(memory: Words, room: int, used: int, most: int) -> int:
    """Return how much room is left; where it may not grow, no end of it: what finds none is left out there."""
    return INT64_MAX if memory[room] >= memory[most] else int(memory[room] - memory[used])


@direct_inlined
def _look_for_order(memory: Words, channel: int, events: Events, first: int, last: int, at: int) -> None:
    """Take each look at the event that is so far ahead of the one at hand, in books order by order or by price."""
    if at + SLOTS_AHEAD < last:
        look_for_slots(memory, channel, events[at + SLOTS_AHEAD], at + SLOTS_AHEAD)
    if first <= at + RECORDS_AHEAD < last:
        look_for_records(memory, events[at + RECORDS_AHEAD], at + RECORDS_AHEAD)
    if first <= at + LINKS_AHEAD < last:
        look_for_links(memory, channel, events[at + LINKS_AHEAD], at + LINKS_AHEAD)
    if first <= at + LEVEL_AHEAD < last:
        look_for_level(memory, channel, events[at + LEVEL_AHEAD], at + LEVEL_AHEAD)


@direct_inlined
def _look_for_level_by_number(memory: Words, channel: int, events: Events, first: int, last: int, at: int) -> None:
    """Likewise in books by level number; orders, which a channel may show beside them, by their hashes alone."""
    if at + SLOTS_AHEAD < last:
        what = events[at + SLOTS_AHEAD]
        if signed(what["kind"]) <= event.MODIFY:
            look_for_slots(memory, channel, what, at + SLOTS_AHEAD)
        else:
            look_for_instrument_slot(memory, channel, signed(what["instrument"]), at + SLOTS_AHEAD)
    if first <= at + RECORDS_AHEAD < last:
        look_for_instrument(memory, at + RECORDS_AHEAD)
    if first <= at + LINKS_AHEAD < last:
        look_for_rung(memory, events[at + LINKS_AHEAD], at + LINKS_AHEAD)


@direct
def _apply_other(memory: Words, channel: int, what: Any, at: int, kind: int, flags: int, time: int) -> int:
    """Apply any other event, events[at]; return the word where its instrument begins, -1 where it names none."""
    if kind in (event.RESET, event.LOST):
        _apply_to_channel(memory, channel, what, kind, flags, time)
        return -1
    words = memory[CHANNELS] + channel * CHANNEL_WORDS
    book = memory[words + CHANNEL_KIND]
    by_number = event.LEVEL_NEW <= kind <= event.LEVEL_OVERLAY
    fits = (by_number and book == BY_LEVEL) or (kind == event.LEVEL and book == BY_PRICE)
    fits = fits or event.CLEAR <= kind <= event.SNAPSHOT or event.TRADE <= kind <= event.NOTE or kind == event.DEFINE
    if not fits and (kind != event.SNAPSHOT_PART or book != BY_ORDER):
        count_anomaly(memory, channel, FOREIGN_EVENT, 1, time)
        return -1
    key = signed(what["instrument"])
    if key == 0:
        if kind < event.DEFINE:
            count_anomaly(memory, channel, UNKNOWN_INSTRUMENT, 1, time)
        return -1
    instrument = found_ahead(memory, channel, key, at)
    if instrument < 0:
        count_anomaly(memory, channel, NO_ROOM, 1, time)
        return -1
    snapshots = memory[words + CHANNEL_SNAPSHOTS]
    if snapshots == REQUIRED:
        admitted = admit(memory, channel, instrument, what, kind, flags, time)
        if kind < event.DEFINE and not admitted:
            return -1
    elif snapshots == AWAITED_BY_PACKET:
        if not pass_or_wait_by_packet(memory, channel, instrument, what, kind, flags, time):
            return -1
    elif snapshots != UNUSED and not pass_or_wait(memory, channel, instrument, what, kind, flags, time):
        return -1
    side, price, quantity = signed(what["side"]), signed(what["price"]), signed(what["quantity"])
    if by_number:
        overlay = 1 if flags & event.FROM_SNAPSHOT else 0
        level, count = signed(what["level"]), signed(what["orders"])
        apply_level(memory, channel, instrument, kind, side, level, price, quantity, count, overlay, time)
    elif kind == event.LEVEL:
        set_level(memory, channel, instrument, side, price, quantity, signed(what["orders"]), time)
    elif kind <= event.SNAPSHOT:
        sequence = signed(what["instrument_sequence"]) if kind == event.SNAPSHOT else 0
        state = memory[instrument + STATE] if snapshots != UNUSED else CURRENT
        orders.empty_book(memory, channel, instrument, sequence if sequence != 0 else memory[instrument + SEQUENCE])
        memory[instrument + STATE] = state
        if book == BY_LEVEL and need_ladder(memory, instrument, time):
            empty_ladder(memory, instrument, EMPTY)
    elif kind == event.DEFINE:
        _define(memory, channel, instrument, what, time)
    elif kind == event.TRADE:
        record_trade(memory, instrument, price, quantity, time)
    elif kind == event.STATUS:
        memory[instrument + STATUS_CODE] = quantity
    return instrument


@direct
def _apply_to_channel(memory: Words, channel: int, what: Any, kind: int, flags: int, time: int) -> None:
    """Apply an event that names no instrument and is about all books of the channel."""
    by_packet = memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_SNAPSHOTS] == AWAITED_BY_PACKET
    sequence = signed(what["sequence"])
    if kind == event.RESET:
        empty_channel(memory, channel, time, 0, EMPTY, max(sequence, 1) if by_packet else INT64_MAX)
        memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_RESET_AT] = sequence
    elif by_packet:
        lose(memory, channel, sequence, signed(what["other"]), flags & event.ANEW, time)
    else:
        count_anomaly(memory, channel, FOREIGN_EVENT, 1, time)


@direct
def _define(memory: Words, channel: int, instrument: int, what: Any, time: int) -> None:
    symbol, middle, end = signed(what["order"]), signed(what["other"]), signed(what["priority"])
    factor, said = signed(what["price"]), signed(what["quantity"])
    depth, implied = memory[instrument + DEPTH], memory[instrument + IMPLIED_DEPTH]
    prices, quantities = memory[instrument + PRICE_EXPONENT], memory[instrument + QUANTITY_EXPONENT]
    define(memory, instrument, symbol, middle, end, factor, said, signed(what["level"]), signed(what["orders"]))
    if depth != memory[instrument + DEPTH] or implied != memory[instrument + IMPLIED_DEPTH]:
        resize_ladder(memory, instrument, depth, implied, time)
        if memory[instrument + VERSION] != 0:  # else there is nothing that could have changed
            touch(memory, instrument)
    words = memory[CHANNELS] + channel * CHANNEL_WORDS
    rescaled = prices != memory[instrument + PRICE_EXPONENT] or quantities != memory[instrument + QUANTITY_EXPONENT]
    if rescaled and memory[words + CHANNEL_SNAPSHOTS] == REQUIRED:
        # The integers of its levels mean something else from now on: they wait for a snapshot.
        leave(memory, channel, instrument)
        orders.empty_book(memory, channel, instrument, memory[instrument + SEQUENCE])
        memory[instrument + STATE] = UNSYNCHRONISED
        memory[instrument + STALE_SINCE] = time
        memory[instrument + REASON] = RESCALED
        if memory[words + CHANNEL_KIND] == BY_LEVEL and need_ladder(memory, instrument, time):
            empty_ladder(memory, instrument, UNKNOWN)


@direct_as(APPLY_SIGNATURE)
def apply(memory: Words, channel: int, events: Events, first: int, last: int) -> int:
    """Apply events[first:last] to the books of a channel and return the index behind the last one applied.

    Less than `last` means that the block has no room for what the next event could need: nothing of that event has
    been done; grow the block and call again. No event is refused: what is wrong with one is counted, and so is one
    that needs more than the block may grow to.

    Args:
        memory: int64[::1], the block.
        channel: number of the channel that all these events are of.
        events: EVENT[::1].
        first: of the events to apply.
        last: behind the last of them.
    """
    if channel < 0 or channel >= memory[CHANNEL_COUNT]:
        return last
    words = memory[CHANNELS] + channel * CHANNEL_WORDS
    by_price = memory[words + CHANNEL_KIND] == BY_PRICE
    by_packet = memory[words + CHANNEL_SNAPSHOTS] == AWAITED_BY_PACKET
    followed = memory[words + CHANNEL_SNAPSHOTS] != REQUIRED and not by_packet
    told = memory[words + CHANNEL_SNAPSHOTS] == UNUSED
    by_number = memory[words + CHANNEL_KIND] == BY_LEVEL
    # The looks at the first events have nobody to hide behind; then one of each goes with every event applied.
    stop = first
    for at in range(first - SLOTS_AHEAD, last):
        if by_number:
            _look_for_level_by_number(memory, channel, events, first, last, at)
        else:
            _look_for_order(memory, channel, events, first, last, at)
        if at < first:
            continue
        if at == stop:
            stop = at + _room(memory, channel)
            if at == stop:
                return at
        what = events[at]
        kind = signed(what["kind"])
        flags = signed(what["flags"])
        time = signed(what["time"])
        if event.ADD <= kind <= event.MODIFY and not by_price:
            if by_packet and not pass_order(memory, channel, what, kind, flags, time):
                instrument = -1
            else:
                instrument = orders.apply_order(memory, channel, what, at, kind, flags, time)
        else:
            instrument = _apply_other(memory, channel, what, at, kind, flags, time)
        if instrument >= 0:
            memory[instrument + EVENTS] += 1
            sequence = signed(what["instrument_sequence"])
            if sequence != 0 and flags & event.FROM_SNAPSHOT == 0 and kind != event.SNAPSHOT and followed:
                missed = follow(memory, channel, instrument, sequence, time)
                if told:
                    if missed:
                        note_missed(memory, channel, instrument, signed(what["sequence"]))
                    memory[instrument + CONFIRMED] = signed(what["sequence"])
        if flags & event.END:
            judge(memory, channel, time)
    return last
