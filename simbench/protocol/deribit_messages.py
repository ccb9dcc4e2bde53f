"""Turns Deribit's messages into events, one function for each kind; what becomes of what stands in deribit_sbe.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.kernel.pure import kernel, load_le16, load_le32, load_le64, load_le_f64, load_u8, multiply, unsigned
from simbench.protocol.contract import BAD_LENGTH, SEQUENCE, SNAPSHOT_FLOW, TOO_MANY_EVENTS
from simbench.protocol.deribit_layout import (
    ASK_SIDE,
    BID_SIDE,
    BOOK,
    DELETE,
    ENTRY,
    GROUP_SIZE,
    HEAD_SIZE,
    INSTRUMENT,
    INSTRUMENT_2,
    OPEN,
    OPEN_CHANGE,
    ROWS,
    SELL,
    SNAPSHOT,
    SNAPSHOT_END,
    SNAPSHOT_START,
    TICKER,
    TORN,
    TRADES,
    entry_offset,
    offset,
)
from simbench.protocol.deribit_scale import define, scale_of, scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

BAD_ENTRY: Final = -5  # a level without a price or an amount, or a change of it that is not known
MS: Final = 1_000_000  # ns

BOOK_TIME: Final = offset(BOOK, "time")
BOOK_PREVIOUS: Final = offset(BOOK, "previous_change")
BOOK_CHANGE: Final = offset(BOOK, "change")
BOOK_LAST: Final = offset(BOOK, "is_last")
BOOK_SIDE: Final = entry_offset(BOOK, "side")
BOOK_ACTION: Final = entry_offset(BOOK, "change")
BOOK_PRICE: Final = entry_offset(BOOK, "price")
BOOK_AMOUNT: Final = entry_offset(BOOK, "amount")
SNAPSHOT_TIME: Final = offset(SNAPSHOT, "time")
SNAPSHOT_CHANGE: Final = offset(SNAPSHOT, "change")
SNAPSHOT_COMPLETE: Final = offset(SNAPSHOT, "is_complete")
SNAPSHOT_LAST: Final = offset(SNAPSHOT, "is_last")
SNAPSHOT_SIDE: Final = entry_offset(SNAPSHOT, "side")
SNAPSHOT_PRICE: Final = entry_offset(SNAPSHOT, "price")
SNAPSHOT_AMOUNT: Final = entry_offset(SNAPSHOT, "amount")
TRADE_DIRECTION: Final = entry_offset(TRADES, "direction")
TRADE_PRICE: Final = entry_offset(TRADES, "price")
TRADE_AMOUNT: Final = entry_offset(TRADES, "amount")
TRADE_TIME: Final = entry_offset(TRADES, "time")
TRADE_SEQUENCE: Final = entry_offset(TRADES, "sequence")
TRADE_ID: Final = entry_offset(TRADES, "trade")
TICKER_TIME: Final = offset(TICKER, "time")
TICKER_LAST: Final = offset(TICKER, "last_price")
CONTRACT_SIZE: Final = offset(INSTRUMENT, "contract_size")
MINIMUM_AMOUNT: Final = offset(INSTRUMENT, "minimum_amount")
TICK_SIZE: Final = offset(INSTRUMENT, "tick_size")
SHORTER: Final = offset(INSTRUMENT, "tick_size") - offset(INSTRUMENT_2, "tick_size")


@kernel
def message(
    data: Bytes,
    at: int,
    block: int,
    row: int,
    strings: int,
    behind: int,
    flow: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode a message whose parts lie inside the frame, behind `count` events; how many there are then, or why not.

    Args:
        data: of the frame.
        at: where the message starts; its block has at least the size of its template.
        block: length of the root block.
        row: of its template.
        strings: where its strings start.
        behind: where it ends.
        flow: where the state of its snapshot flow begins.
        state: the channel's.
        events: EVENT[n].
        count: events so far.
    """
    template = load_le16(data, at + 2)
    body = at + HEAD_SIZE
    group = body + block
    entry = 0
    number = 0
    if ROWS[row + ENTRY] > 0 and load_le16(data, at + 8) > 0:
        entry = load_le16(data, group)
        number = load_le16(data, group + 2)
        flat = load_le32(data, group + 4) == 0  # neither groups nor strings in its entries
        if number > 0 and (entry < ROWS[row + ENTRY] or not flat):
            return BAD_LENGTH
    if count + number + 2 > len(events):
        return TOO_MANY_EVENTS
    first = group + GROUP_SIZE
    if template == BOOK:
        return _book(data, body, first, entry, number, state, events, count)
    if template == TRADES:
        return _trades(data, body, first, entry, number, state, events, count)
    if template == SNAPSHOT:
        return _snapshot(data, body, first, entry, number, flow, state, events, count)
    if template == TICKER:
        instrument = load_le32(data, body)
        fill(events[count], event.STATISTIC, instrument, load_le64(data, body + TICKER_TIME), state)
        digits = scale_of(state, instrument) & 0xFF
        events[count]["price"] = scaled(load_le_f64(data, body + TICKER_LAST), digits, state)
        return count + 1
    if template in (INSTRUMENT, INSTRUMENT_2):
        sizes = body - (SHORTER if template == INSTRUMENT_2 else 0)
        _define(data, body, sizes, strings, behind, state, events[count])
        return count + 1
    if template in (SNAPSHOT_START, SNAPSHOT_END):
        state[flow + OPEN] = 0
        state[flow + TORN] = 0
    return count


@kernel
def _book(
    data: Bytes, body: int, first: int, entry: int, number: int, state: Words, events: Records, count: int
) -> int:
    instrument = load_le32(data, body)
    time = load_le64(data, body + BOOK_TIME)
    digits = scale_of(state, instrument)
    for index in range(max(number, 1)):
        out = events[count]
        fill(out, event.LEVEL if number > 0 else event.NOTE, instrument, time, state)
        out["flags"] = event.CHAINED
        out["order"] = unsigned(load_le64(data, body + BOOK_CHANGE))
        out["other"] = unsigned(load_le64(data, body + BOOK_PREVIOUS))
        if number > 0:
            level = first + index * entry
            action = load_u8(data, level + BOOK_ACTION)
            price = scaled(load_le_f64(data, level + BOOK_PRICE), digits & 0xFF, state)
            amount = scaled(load_le_f64(data, level + BOOK_AMOUNT), digits >> 8, state)
            if action > DELETE or event.NO_PRICE in (price, amount):
                return BAD_ENTRY
            out["side"] = _side(load_u8(data, level + BOOK_SIDE))
            out["price"] = price
            out["quantity"] = 0 if action == DELETE else amount
        count += 1
    if load_u8(data, body + BOOK_LAST) != 0:
        events[count - 1]["flags"] = event.CHAINED | event.END
    return count


@kernel
def _snapshot(
    data: Bytes,
    body: int,
    first: int,
    entry: int,
    number: int,
    flow: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    instrument = load_le32(data, body)
    time = load_le64(data, body + SNAPSHOT_TIME)
    change = load_le64(data, body + SNAPSHOT_CHANGE)
    last = load_u8(data, body + SNAPSHOT_LAST) != 0
    goes_on = state[flow + OPEN] == instrument + 1 and state[flow + OPEN_CHANGE] == change
    taken = state[SNAPSHOT_FLOW] > 0 and load_u8(data, body + SNAPSHOT_COMPLETE) != 0
    taken = taken and (goes_on or state[flow + TORN] == 0)
    out = events[count]
    fill(out, event.SNAPSHOT if taken and not goes_on else event.NOTE, instrument, time, state)
    out["flags"] = event.FROM_SNAPSHOT | (event.CHAINED if taken and not goes_on else 0)
    out["order"] = unsigned(change)
    count += 1
    digits = scale_of(state, instrument)
    for index in range(number if taken else 0):
        level = first + index * entry
        price = scaled(load_le_f64(data, level + SNAPSHOT_PRICE), digits & 0xFF, state)
        amount = scaled(load_le_f64(data, level + SNAPSHOT_AMOUNT), digits >> 8, state)
        if event.NO_PRICE in (price, amount):
            return BAD_ENTRY
        out = events[count]
        fill(out, event.LEVEL, instrument, time, state)
        out["flags"] = event.FROM_SNAPSHOT
        out["side"] = _side(load_u8(data, level + SNAPSHOT_SIDE))
        out["price"] = price
        out["quantity"] = amount
        count += 1
    if taken and last:
        events[count - 1]["flags"] |= event.END
    state[flow + OPEN] = 0 if last or not taken else instrument + 1
    state[flow + OPEN_CHANGE] = change
    if last:
        state[flow + TORN] = 0
    return count


@kernel
def _trades(
    data: Bytes, body: int, first: int, entry: int, number: int, state: Words, events: Records, count: int
) -> int:
    instrument = load_le32(data, body)
    digits = scale_of(state, instrument)
    for index in range(number):
        trade = first + index * entry
        direction = load_u8(data, trade + TRADE_DIRECTION)
        out = events[count]
        fill(out, event.TRADE, instrument, load_le64(data, trade + TRADE_TIME), state)
        out["side"] = direction if direction <= SELL else event.NO_SIDE  # a buy is BID, a sell is ASK
        out["order"] = unsigned(load_le64(data, trade + TRADE_SEQUENCE))
        out["other"] = unsigned(load_le64(data, trade + TRADE_ID))
        out["price"] = scaled(load_le_f64(data, trade + TRADE_PRICE), digits & 0xFF, state)
        out["quantity"] = scaled(load_le_f64(data, trade + TRADE_AMOUNT), digits >> 8, state)
        count += 1
    return count


@kernel
def _define(data: Bytes, body: int, sizes: int, strings: int, behind: int, state: Words, out: Any) -> None:
    """Make the event of a definition; what template 1000 has at an offset, this message has at `sizes` + offset."""
    instrument = load_le32(data, body)
    tick = load_le_f64(data, sizes + TICK_SIZE)
    contract = load_le_f64(data, sizes + CONTRACT_SIZE)
    least = load_le_f64(data, sizes + MINIMUM_AMOUNT)
    fill(out, event.DEFINE, instrument, 0, state)
    if strings < behind:
        end = strings + 1 + load_u8(data, strings)
        out["order"] = unsigned(_text(data, strings + 1, end))
        out["other"] = unsigned(_text(data, strings + 9, end))
        out["priority"] = unsigned(_text(data, strings + 17, end))
    out["price"] = 0
    if define(state, instrument, tick, contract, least):
        digits = scale_of(state, instrument)
        out["quantity"] = (-(digits & 0xFF) & 0xFF) | (-(digits >> 8) & 0xFF) << 8 | 1 << 16


@kernel
def _text(data: Bytes, start: int, end: int) -> int:
    """Pack up to 8 characters from start on, big-endian and padded with zeros."""
    packed = 0
    for at in range(start, start + 8):
        packed = packed << 8 | (load_u8(data, at) if at < end else 0)
    return packed


@kernel
def _side(side: int) -> int:
    """Return the book's side."""
    if side == ASK_SIDE:
        return event.ASK
    return event.BID if side == BID_SIDE else event.NO_SIDE


@kernel
def fill(out: Any, kind: int, instrument: int, time: int, state: Words) -> None:
    """Start an event: what all of them have, and of the rest that nothing is said; time in ms."""
    out["kind"] = kind
    out["side"] = event.NO_SIDE
    out["flags"] = 0
    out["level"] = 0
    out["orders"] = -1
    out["instrument_sequence"] = 0
    out["instrument"] = unsigned(instrument)
    out["order"] = 0
    out["other"] = 0
    out["priority"] = 0
    out["price"] = event.NO_PRICE
    out["quantity"] = 0
    out["time"] = multiply(time, MS)
    out["sequence"] = unsigned(state[SEQUENCE])
