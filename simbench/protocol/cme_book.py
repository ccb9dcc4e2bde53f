"""Turns the CME messages that change books into events: book, order book and snapshots, by level or order by order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import types

from simbench import event
from simbench.kernel.pure import direct_as, unsigned
from simbench.protocol.cme_fields import MESSAGE, fill, find_group, get, get_or, get_price, take, take_or, take_price
from simbench.protocol.cme_layout import (
    ACTION,
    CHUNK,
    CHUNKS,
    ENTRIES,
    LAST,
    LEVEL,
    NULL,
    NUMBER,
    ORDER,
    ORDER_ACTION,
    ORDER_SIZE,
    ORDERS,
    ORDERS_VIEW,
    PRICE,
    PRIORITY,
    REFERENCE,
    REPORT,
    SECURITY,
    SIZE,
    STATUS,
    TIME,
    TYPE,
)
from simbench.protocol.contract import SEQUENCE, TOO_MANY_EVENTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

BAD_REFERENCE: Final = -5  # an order that names an entry its message does not have

BOOK_RESET: Final = 74  # 'J'
NOT_A_SIDE: Final = -1
OVERLAY: Final = 5  # the last of the actions, which are numbered as the kinds of events from LEVEL_NEW on

MOST_CHUNKS: Final = 1 << 31  # that an event can name

SIDE_OF: Final = types.int64(types.int64)
ORDER_KIND: Final = types.int64(types.int64, types.int64)
BOOK_ORDERS: Final = types.int64(*MESSAGE.args, types.int64, types.int64, types.int64)


@direct_as(SIDE_OF)
def side_of(entry_type: int) -> int:
    """Return the side of an entry type: '0' bid, '1' offer, 'E' and 'F' the implied ones."""
    if entry_type | 1 == 49:  # no branch between bid and offer, which alternate at random
        return entry_type & 1
    if 69 <= entry_type <= 70:
        return event.IMPLIED_BID + entry_type - 69
    return NOT_A_SIDE


@direct_as(ORDER_KIND)
def _order_kind(action: int, side: int) -> int:
    if side < event.BID or side > event.ASK:
        return event.NOTE
    if action == 0:
        return event.ADD
    if action == 1:
        return event.MODIFY
    return event.DELETE if action == 2 else event.NOTE


@direct_as(BOOK_ORDERS)
def _decode_orders(
    data: Bytes,
    body: int,
    behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
    first: int,
    entry_length: int,
    entries: int,
) -> int:
    """Decode the orders of a book refresh; price, side and instrument are those of the entry that each refers to."""
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ORDERS])
    if count + number > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    for _ in range(number):
        reference = take(data, at, length, version, state, row + REFERENCE)
        if not 1 <= reference <= entries:
            return BAD_REFERENCE
        entry = first + (reference - 1) * entry_length
        action = take(data, at, length, version, state, row + ORDER_ACTION)
        instrument = take_or(data, entry, entry_length, version, state, row + SECURITY, 0)
        side = side_of(take(data, entry, entry_length, version, state, row + TYPE))
        out = events[count]
        fill(out, _order_kind(action, side), instrument, 0, time, state)
        out["side"] = side & 0xFF
        out["order"] = unsigned(take(data, at, length, version, state, row + ORDER))
        out["priority"] = unsigned(take_or(data, at, length, version, state, row + PRIORITY, 0))
        out["price"] = take_price(data, entry, entry_length, version, state, row + PRICE)
        out["quantity"] = take_or(data, at, length, version, state, row + ORDER_SIZE, 0)
        at += length
        count += 1
    return count


@direct_as(MESSAGE)
def decode_book(
    data: Bytes,
    body: int,
    behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode a book refresh (templates 32, 46) behind `count` events; how many there are then, or a malformation."""
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    if count + number > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    sequence = state[SEQUENCE]
    by_order = state[ORDERS_VIEW] == 1
    first = at
    for index in range(count, count + number):
        action = get(data, at, state, row + ACTION)
        entry_type = get(data, at, state, row + TYPE)
        side = side_of(entry_type)
        kind = event.NOTE
        if entry_type == BOOK_RESET:
            kind = event.CLEAR
        elif side != NOT_A_SIDE and 0 <= action <= OVERLAY and not by_order:
            kind = event.LEVEL_NEW + action
        out = events[index]
        out["kind"] = kind
        out["side"] = side & 0xFF
        out["flags"] = 0
        out["level"] = get_or(data, at, state, row + LEVEL, 0)
        out["orders"] = get_or(data, at, state, row + NUMBER, -1)
        out["instrument_sequence"] = get_or(data, at, state, row + REPORT, 0)
        out["instrument"] = unsigned(get_or(data, at, state, row + SECURITY, 0))
        out["order"] = 0
        out["other"] = 0
        out["priority"] = 0
        out["price"] = get_price(data, at, state, row + PRICE)
        out["quantity"] = get_or(data, at, state, row + SIZE, 0)
        out["time"] = time
        out["sequence"] = unsigned(sequence)
        at += length
    count += number
    if by_order:
        return _decode_orders(data, body, behind, block, version, row, state, events, count, first, length, number)
    return count


@direct_as(MESSAGE)
def decode_order_book(
    data: Bytes,
    body: int,
    behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode an order book refresh (templates 43, 47) behind `count` events; as decode_book."""
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    if count + number > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    by_order = state[ORDERS_VIEW] == 1
    for _ in range(number):
        entry_type = take(data, at, length, version, state, row + TYPE)
        side = side_of(entry_type)
        kind = event.NOTE
        if by_order and entry_type == BOOK_RESET:
            kind = event.CLEAR
        elif by_order:
            kind = _order_kind(take(data, at, length, version, state, row + ACTION), side)
        out = events[count]
        fill(out, kind, take_or(data, at, length, version, state, row + SECURITY, 0), 0, time, state)
        out["side"] = side & 0xFF
        out["order"] = unsigned(take_or(data, at, length, version, state, row + ORDER, 0))
        out["priority"] = unsigned(take_or(data, at, length, version, state, row + PRIORITY, 0))
        out["price"] = take_price(data, at, length, version, state, row + PRICE)
        out["quantity"] = take_or(data, at, length, version, state, row + SIZE, 0)
        at += length
        count += 1
    return count


@direct_as(MESSAGE)
def decode_snapshot(
    data: Bytes,
    body: int,
    behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode a full refresh by level (templates 38, 52) behind `count` events; as decode_book."""
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    if count + number + 2 > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    instrument = take_or(data, body, block, version, state, row + SECURITY, 0)
    report = take_or(data, body, block, version, state, row + REPORT, 0)
    by_order = state[ORDERS_VIEW] == 1
    out = events[count]
    fill(out, event.NOTE if by_order else event.SNAPSHOT, instrument, report, time, state)
    out["other"] = unsigned(take_or(data, body, block, version, state, row + LAST, 0))
    out["flags"] = event.FROM_SNAPSHOT
    count += 1
    status = take(data, body, block, version, state, row + STATUS)
    if status != state[row + STATUS + NULL]:
        out = events[count]
        fill(out, event.STATUS, instrument, report, time, state)
        out["quantity"] = status
        out["flags"] = event.FROM_SNAPSHOT
        count += 1
    for _ in range(number):
        entry_type = take(data, at, length, version, state, row + TYPE)
        side = side_of(entry_type)
        out = events[count]
        fill(out, event.STATISTIC, instrument, report, time, state)
        out["flags"] = event.FROM_SNAPSHOT
        out["price"] = take_price(data, at, length, version, state, row + PRICE)
        out["quantity"] = take_or(data, at, length, version, state, row + SIZE, 0)
        out["orders"] = take_or(data, at, length, version, state, row + NUMBER, -1)
        if side == NOT_A_SIDE:
            out["other"] = unsigned(entry_type)
        else:
            out["kind"] = event.NOTE if by_order else event.LEVEL_OVERLAY
            out["side"] = side
            out["level"] = take_or(data, at, length, version, state, row + LEVEL, 0)
        at += length
        count += 1
    events[count - 1]["flags"] = event.FROM_SNAPSHOT | event.END
    return count


@direct_as(MESSAGE)
def decode_order_snapshot(
    data: Bytes,
    body: int,
    behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode a chunk of a full refresh order by order (templates 44, 53) behind `count` events; as decode_book.

    The first chunk begins the snapshot, the last one ends it; each says which one it is.
    """
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    by_order = state[ORDERS_VIEW] == 1
    number = number if by_order else 0
    if count + number + 1 > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    instrument = take_or(data, body, block, version, state, row + SECURITY, 0)
    chunk = take(data, body, block, version, state, row + CHUNK)
    out = events[count]
    kind = event.NOTE
    if by_order:
        kind = event.SNAPSHOT if chunk == 1 else event.SNAPSHOT_PART
    fill(out, kind, instrument, 0, time, state)
    out["other"] = unsigned(take_or(data, body, block, version, state, row + LAST, 0))
    out["orders"] = chunk if 0 <= chunk < MOST_CHUNKS else -1
    out["flags"] = event.FROM_SNAPSHOT
    count += 1
    for _ in range(number):
        side = side_of(take(data, at, length, version, state, row + TYPE))
        out = events[count]
        fill(out, _order_kind(0, side), instrument, 0, time, state)
        out["flags"] = event.FROM_SNAPSHOT
        out["side"] = side & 0xFF
        out["order"] = unsigned(take(data, at, length, version, state, row + ORDER))
        out["priority"] = unsigned(take_or(data, at, length, version, state, row + PRIORITY, 0))
        out["price"] = take_price(data, at, length, version, state, row + PRICE)
        out["quantity"] = take_or(data, at, length, version, state, row + SIZE, 0)
        at += length
        count += 1
    if chunk == take(data, body, block, version, state, row + CHUNKS):
        events[count - 1]["flags"] = event.FROM_SNAPSHOT | event.END
    return count
