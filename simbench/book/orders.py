"""Books order by order: each order in the queue of its level, found by channel and id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book import tree
from simbench.book.ahead import found_ahead, level_hash_ahead, order_hash_ahead
from simbench.book.instruments import (
    count_anomaly,
    instrument_of,
    leave_out,
    place_of,
    record_trade,
    touch,
)
from simbench.book.layout import (
    BAD_QUANTITY,
    BAD_SIDE,
    BEFORE,
    BEHIND,
    COUNT,
    CURRENT,
    DUPLICATE_ORDER,
    ID,
    INT64_MAX,
    LEVEL,
    LEVEL_COUNT,
    LEVEL_ROOM,
    LOW,
    NO_ROOM,
    ORDER_COUNT,
    ORDER_MASK,
    ORDER_ROOM,
    ORDER_SLOTS,
    ORDERS,
    OVER_EXECUTED,
    OVERFLOW,
    PLACE,
    PLACE_CHANNEL,
    PRICE,
    PRIORITY,
    QUANTITY,
    SEQUENCE,
    SIDE_WORDS,
    SIDES,
    STATE,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_ORDER,
)
from simbench.book.levels import address, free_record, hash_level, new_level, new_record, remove_level, seek_level
from simbench.book.table import hash_order, home, occupy, vacate
from simbench.kernel.pure import direct, direct_inlined, less_unsigned, signed

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct_inlined
def seek_order(memory: Words, h: int, channel: int, order: int) -> int:
    """Return the slot of an order, or the free one where it would go."""
    base = memory[ORDER_SLOTS]
    mask = memory[ORDER_MASK]
    at = home(h, mask)
    while True:
        slot = memory[base + at]
        if slot == 0:
            return int(base + at)
        if (slot ^ h) >> 32 == 0:
            record = address(memory, slot & LOW)
            if memory[record + ID] == order and memory[record + PLACE] >> PLACE_CHANNEL == channel:
                return int(base + at)
        at = (at + 1) & mask


@direct_inlined
def apply_order(memory: Words, channel: int, what: Any, at_event: int, kind: int, flags: int, time: int) -> int:
    """Apply an event of an order; return the word where its instrument begins, -1 where that is not known.

    An order leaves a level, or enters one, or both. Either stands here once, whatever the kind: compiled in place.
    """
    order = signed(what["order"])
    price = signed(what["price"])
    quantity = signed(what["quantity"])
    priority = signed(what["priority"])
    side = signed(what["side"])
    h = order_hash_ahead(memory, at_event)
    at = seek_order(memory, h, channel, order)
    record = address(memory, memory[at] & LOW)
    known = memory[at] != 0
    if not known and kind != event.ADD:
        count_anomaly(memory, channel, UNKNOWN_ORDER, 1, time)
        if kind != event.MODIFY or signed(what["instrument"]) == 0 or side > 3 or quantity <= 0:
            return -1  # else all there is to know of the order is in the event
    if known and kind != event.ADD:
        instrument = instrument_of(memory, memory[record + PLACE])
        side = memory[record + PLACE] & 3
        enters = False
        if kind in (event.REPLACE, event.MODIFY):
            enters = quantity > 0
            if quantity < 0 or (quantity == 0 and kind == event.REPLACE):
                count_anomaly(memory, channel, BAD_QUANTITY, 1, time)
            if kind == event.MODIFY and flags & event.KEEP_PRIORITY:
                if enters and _resize(memory, record, price, quantity):
                    touch(memory, instrument)
                    return instrument
                if priority == 0:
                    priority = memory[record + PRIORITY]
        elif kind != event.DELETE:
            if quantity <= 0:
                count_anomaly(memory, channel, BAD_QUANTITY, 1, time)
                return instrument
            if kind != event.REDUCE and flags & event.NOT_PRINTABLE == 0:
                traded_at = price if kind == event.EXECUTE_AT else memory[record + PRICE]
                record_trade(memory, instrument, traded_at, quantity, time)
            left = memory[record + QUANTITY] - quantity
            if left > 0:
                memory[record + QUANTITY] = left
                memory[address(memory, memory[record + LEVEL]) + QUANTITY] -= quantity
                touch(memory, instrument)
                return instrument
            if left < 0:
                count_anomaly(memory, channel, OVER_EXECUTED, 1, time)
        _leave(memory, at, instrument)
        if not enters:
            return instrument
        if kind == event.REPLACE:
            order = signed(what["other"])
        h = hash_order(memory, channel, order)
        at = seek_order(memory, h, channel, order)
        level_hash = hash_level(memory, instrument, side, price)
    else:
        key = signed(what["instrument"])
        if key == 0:
            count_anomaly(memory, channel, UNKNOWN_INSTRUMENT, 1, time)
            return -1
        instrument = found_ahead(memory, channel, key, at_event)
        if instrument < 0:
            count_anomaly(memory, channel, NO_ROOM, 1, time)
            return -1
        if side > 3 or quantity <= 0:
            count_anomaly(memory, channel, BAD_SIDE if side > 3 else BAD_QUANTITY, 1, time)
            return instrument
        if kind == event.ADD:
            level_hash = level_hash_ahead(memory, at_event)
        else:
            level_hash = hash_level(memory, instrument, side, price)
    return _enter(memory, channel, instrument, side, order, price, quantity, priority, time, h, at, level_hash)


@direct_inlined
def _enter(
    memory: Words,
    channel: int,
    instrument: int,
    side: int,
    order: int,
    price: int,
    quantity: int,
    priority: int,
    time: int,
    h: int,
    at: int,
    level_hash: int,
) -> int:
    """Put an order, whose slot is known, into the queue of its level and return the instrument."""
    if memory[at] != 0:
        count_anomaly(memory, channel, DUPLICATE_ORDER, 1, time)
        remove_order(memory, channel, order)
        at = seek_order(memory, h, channel, order)
    place = place_of(memory, instrument, side)
    level_at = seek_level(memory, level_hash, place, price)
    level_record = memory[level_at] & LOW
    levels = memory[LEVEL_COUNT] + (1 if level_record == 0 else 0)
    if memory[ORDER_COUNT] >= memory[ORDER_ROOM] or levels > memory[LEVEL_ROOM]:
        leave_out(memory, instrument, time)
        return instrument
    if level_record == 0:
        level_record = new_level(memory, level_at, level_hash, instrument, place, price)
    level = address(memory, level_record)
    if quantity > INT64_MAX - memory[level + QUANTITY]:
        count_anomaly(memory, channel, OVERFLOW, 1, time)
        return instrument
    new = new_record(memory)
    memory[ORDER_COUNT] += 1
    occupy(memory, at, h, new)
    # At the end of the queue, where nearly all begin, the last order's cache line is written but not waited for.
    before = memory[level + BEFORE]
    behind = level_record
    if priority != 0:
        before = _queue_place(memory, level_record, before, priority)
        behind = memory[address(memory, before) + BEHIND]
    record = address(memory, new)
    memory[record + ID] = order
    memory[record + PLACE] = place
    memory[record + PRICE] = price
    memory[record + QUANTITY] = quantity
    memory[record + LEVEL] = level_record
    memory[record + BEFORE] = before
    memory[record + BEHIND] = behind
    memory[record + PRIORITY] = priority
    memory[address(memory, before) + BEHIND] = new
    memory[address(memory, behind) + BEFORE] = new
    memory[level + QUANTITY] += quantity
    memory[level + ORDERS] += 1
    touch(memory, instrument)
    return instrument


@direct
def remove_order(memory: Words, channel: int, order: int) -> None:
    """Remove an order that is in a book."""
    at = seek_order(memory, hash_order(memory, channel, order), channel, order)
    _leave(memory, at, instrument_of(memory, memory[address(memory, memory[at] & LOW) + PLACE]))


@direct
def empty_book(memory: Words, channel: int, instrument: int, sequence: int) -> None:
    """Remove all orders and levels by price of an instrument; its book is known then, up to a sequence of its own."""
    for number in range(4):
        side = instrument + SIDES + number * SIDE_WORDS
        while memory[side + COUNT] > 0:
            level = tree.best(memory, side)
            order = memory[address(memory, level) + BEHIND]
            if order == level:
                remove_level(memory, level)
            else:
                remove_order(memory, channel, memory[address(memory, order) + ID])
    memory[instrument + STATE] = CURRENT
    memory[instrument + SEQUENCE] = sequence
    touch(memory, instrument)


@direct_inlined
def _leave(memory: Words, at: int, instrument: int) -> None:
    """Remove the order in a slot, and its level when it was the last."""
    index = memory[at] & LOW
    record = address(memory, index)
    vacate(memory, memory[ORDER_SLOTS], memory[ORDER_MASK], at)
    before = memory[record + BEFORE]
    behind = memory[record + BEHIND]
    memory[address(memory, before) + BEHIND] = behind
    memory[address(memory, behind) + BEFORE] = before
    level_record = memory[record + LEVEL]
    level = address(memory, level_record)
    memory[level + QUANTITY] -= memory[record + QUANTITY]
    memory[level + ORDERS] -= 1
    free_record(memory, index)
    memory[ORDER_COUNT] -= 1
    if memory[level + ORDERS] == 0:
        remove_level(memory, level_record)
    touch(memory, instrument)


@direct
def _resize(memory: Words, record: int, price: int, quantity: int) -> bool:
    """Change an order's quantity where it stands, if its price is the same and the level can hold it."""
    level = address(memory, memory[record + LEVEL])
    others = memory[level + QUANTITY] - memory[record + QUANTITY]
    if price != memory[record + PRICE] or quantity > INT64_MAX - others:
        return False
    memory[level + QUANTITY] = others + quantity
    memory[record + QUANTITY] = quantity
    return True


@direct
def _queue_place(memory: Words, level: int, last: int, priority: int) -> int:
    """Return whom an order with a priority stands behind: new ones come last, so the search begins there."""
    while last != level and less_unsigned(priority, memory[address(memory, last) + PRIORITY]):
        last = memory[address(memory, last) + BEFORE]
    return last
