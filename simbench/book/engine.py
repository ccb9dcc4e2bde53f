"""The book engine: applies events to a block, with the memory of the next ones on its way before their turn.

An event of an order touches four to six cache lines that nothing but the order id leads to. So each event of a batch
is looked at three times before it is applied: its slot in the table is asked for, then the record that the slot
names, then what that record names. Give it batches: one event alone has nobody to wait with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book import orders
from simbench.book.contract import APPLY_SIGNATURE
from simbench.book.emptying import empty_channel
from simbench.book.instruments import (
    count_anomaly,
    define,
    find_or_new,
    follow,
    instrument_of,
    judge,
    record_trade,
    touch,
)
from simbench.book.layout import (
    AHEAD,
    AHEAD_MASK,
    AWAITED_BY_PACKET,
    BEFORE,
    BEHIND,
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
    KEY,
    LADDER_LIMIT,
    LADDER_ROOM,
    LADDER_TOP,
    LEVEL,
    LEVEL_COUNT,
    LEVEL_MASK,
    LEVEL_ROOM,
    LEVEL_SLOTS,
    LOW,
    MOST_INSTRUMENTS,
    MOST_LADDERS,
    MOST_LEVELS,
    MOST_ORDERS,
    NO_ROOM,
    NODE_COUNT,
    NODE_ROOM,
    ORDER_COUNT,
    ORDER_MASK,
    ORDER_ROOM,
    ORDER_SLOTS,
    PATH_DEPTH,
    PLACE,
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
from simbench.book.levels import address, set_level
from simbench.book.packet_waiting import lose, pass_or_wait_by_packet, pass_order
from simbench.book.rungs import apply_level, empty_ladder, need_ladder, resize_ladder
from simbench.book.snapshots import admit, leave
from simbench.book.table import hash_order, hash_price, home
from simbench.book.touched import note_missed
from simbench.book.waiting import pass_or_wait
from simbench.kernel.pure import direct, direct_as, direct_inlined, prefetch, signed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.kernel.pure import Words

    Events = NDArray[np.void]

# How many events ahead each look is: far enough for a line from memory, near enough to be in the cache still.
SLOT_AHEAD = 24
RECORD_AHEAD = 16
LINKS_AHEAD = 9
LEVEL_AHEAD = 4
PROBES = 4  # slots from its home on in which a look expects to find a key


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
def _fetch_slots(memory: Words, channel: int, what: Any, at: int) -> None:
    """Ask for the slots that an event will look at; leave in AHEAD the one that leads further."""
    kind = signed(what["kind"])
    h = hash_order(memory, channel, signed(what["order"]))
    slot = memory[ORDER_SLOTS] + home(h, memory[ORDER_MASK])
    prefetch(memory, slot)
    prefetch(memory, slot + 2)  # the next line, if the probe may go there
    if kind == event.REPLACE:
        new = hash_order(memory, channel, signed(what["other"]))
        prefetch(memory, memory[ORDER_SLOTS] + home(new, memory[ORDER_MASK]))
    if kind in (event.ADD, event.LEVEL):
        key, side, price = signed(what["instrument"]), signed(what["side"]), signed(what["price"])
        h = hash_price(memory, channel, key, side, price)
        slot = memory[LEVEL_SLOTS] + home(h, memory[LEVEL_MASK])
        prefetch(memory, slot)
    ahead = AHEAD + 2 * (at & AHEAD_MASK)
    memory[ahead] = slot
    memory[ahead + 1] = h


@direct_inlined
def _fetch_record(memory: Words, at: int) -> None:
    """Ask for the record of the key: the order, or the level of a new order."""
    ahead = AHEAD + 2 * (at & AHEAD_MASK)
    slot = memory[ahead]
    h = memory[ahead + 1]
    word = memory[slot]
    end = slot + PROBES
    while word != 0 and (word ^ h) >> 32 != 0 and slot < end:
        slot += 1
        word = memory[slot]
    record = address(memory, word & LOW)
    prefetch(memory, record)
    memory[ahead] = record


@direct_inlined
def _fetch_links(memory: Words, channel: int, what: Any, at: int) -> None:
    """Ask for what the record names: level, neighbours in the queue, instrument; where an order moves, its new slot."""
    ahead = AHEAD + 2 * (at & AHEAD_MASK)
    record = memory[ahead]
    prefetch(memory, address(memory, memory[record + LEVEL]))
    prefetch(memory, address(memory, memory[record + BEFORE]))
    prefetch(memory, address(memory, memory[record + BEHIND]))
    place = memory[record + PLACE]
    prefetch(memory, instrument_of(memory, place))
    if signed(what["kind"]) == event.REPLACE:
        key = memory[instrument_of(memory, max(place, 0)) + KEY]
        h = hash_price(memory, channel, key, place & 3, signed(what["price"]))
        slot = memory[LEVEL_SLOTS] + home(h, memory[LEVEL_MASK])
        prefetch(memory, slot)
        memory[ahead] = slot
        memory[ahead + 1] = h


@direct
def _apply_other(memory: Words, channel: int, what: Any, kind: int, flags: int, time: int) -> int:
    """Apply any other event; return the word where its instrument begins, -1 where it names none."""
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
    instrument = find_or_new(memory, channel, key)
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
    # The looks at the first events have nobody to hide behind; then one of each goes with every event applied.
    stop = first
    for at in range(first - SLOT_AHEAD, last):
        if at + SLOT_AHEAD < last:
            _fetch_slots(memory, channel, events[at + SLOT_AHEAD], at + SLOT_AHEAD)
        if first <= at + RECORD_AHEAD < last:
            _fetch_record(memory, at + RECORD_AHEAD)
        if first <= at + LINKS_AHEAD < last:
            _fetch_links(memory, channel, events[at + LINKS_AHEAD], at + LINKS_AHEAD)
        if first <= at + LEVEL_AHEAD < last and signed(events[at + LEVEL_AHEAD]["kind"]) == event.REPLACE:
            _fetch_record(memory, at + LEVEL_AHEAD)
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
                instrument = orders.apply_order(memory, channel, what, kind, flags, time)
        else:
            instrument = _apply_other(memory, channel, what, kind, flags, time)
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
