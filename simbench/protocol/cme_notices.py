"""Turns the CME messages that leave books as they are into events: trades, figures, definitions, statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.kernel.pure import direct_as, unsigned
from simbench.protocol.cme_fields import MESSAGE, fill, find_group, take, take_or, take_price, take_text
from simbench.protocol.cme_layout import (
    ACTION,
    ASSET,
    DEPTH,
    ENTRIES,
    FACTOR,
    FEED_TYPE,
    GROUP,
    HALT,
    KIND,
    LIMITS,
    LOW,
    NUMBER,
    PRICE,
    PRICE_EXPONENT,
    QUOTES,
    REPORT,
    SECURITY,
    SIDE,
    SIZE,
    STATISTICS,
    STATUS,
    SYMBOL,
    TIME,
    TRADE,
    TRADES,
    TRADING_EVENT,
    TYPE,
    VARIATION,
    VOLUMES,
)
from simbench.protocol.contract import TOO_MANY_EVENTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

ACTION_DELETE: Final = 2
UPDATE_DELETE: Final = 68  # 'D'
REAL_BOOK: Final = 0x47_42_58_00_00_00_00_00  # "GBX", packed: its market depth is that of the explicit sides
IMPLIED_BOOK: Final = 0x47_42_49_00_00_00_00_00  # "GBI"


@direct_as(MESSAGE)
def decode_entries(
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
    """Decode trades, volume, statistics, limits and quote requests; an event an entry, as decode_book."""
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    if count + number > len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    kind = state[row + KIND]
    for _ in range(number):
        instrument = take_or(data, at, length, version, state, row + SECURITY, 0)
        report = take_or(data, at, length, version, state, row + REPORT, 0)
        out = events[count]
        fill(out, event.NOTE, instrument, report, time, state)
        out["quantity"] = take_or(data, at, length, version, state, row + SIZE, 0)
        if kind == TRADES:
            side = take(data, at, length, version, state, row + SIDE)
            if take(data, at, length, version, state, row + ACTION) != ACTION_DELETE:
                out["kind"] = event.TRADE
            out["side"] = side - 1 if 1 <= side <= 2 else event.NO_SIDE  # 1 buy, 2 sell
            out["price"] = take_price(data, at, length, version, state, row + PRICE)
            out["orders"] = take_or(data, at, length, version, state, row + NUMBER, -1)
            out["other"] = unsigned(take_or(data, at, length, version, state, row + TRADE, 0))
        elif kind == VOLUMES:
            out["kind"] = event.VOLUME
        elif kind == STATISTICS:
            out["kind"] = event.STATISTIC
            out["price"] = take_price(data, at, length, version, state, row + PRICE)
            out["other"] = unsigned(take(data, at, length, version, state, row + TYPE))
        elif kind == LIMITS:
            out["kind"] = event.STATISTIC
            out["price"] = take_price(data, at, length, version, state, row + PRICE)
            out["order"] = unsigned(take_price(data, at, length, version, state, row + LOW))
            out["priority"] = unsigned(take_price(data, at, length, version, state, row + VARIATION))
            out["other"] = unsigned(take(data, at, length, version, state, row + TYPE))
        elif kind == QUOTES:
            side = take(data, at, length, version, state, row + SIDE)
            out["side"] = side - 1 if 1 <= side <= 2 else event.NO_SIDE
        at += length
        count += 1
    return count


@direct_as(MESSAGE)
def decode_definition(
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
    """Decode an instrument definition (templates 27, 29, 41, 54 to 56) behind `count` events; as decode_book."""
    if count == len(events):
        return TOO_MANY_EVENTS
    at, length, number = find_group(data, body + block, behind, version, state, row, state[row + ENTRIES])
    depth, implied_depth = 0, 0
    for _ in range(number):
        feed_type = take_text(data, at, length, state, row + FEED_TYPE, 0)
        levels = min(max(take_or(data, at, length, version, state, row + DEPTH, 0), 0), 0x7FFF)
        if feed_type == REAL_BOOK:
            depth = levels
        elif feed_type == IMPLIED_BOOK:
            implied_depth = levels
        at += length
    time = take_or(data, body, block, version, state, row + TIME, 0)
    instrument = take_or(data, body, block, version, state, row + SECURITY, 0)
    deleted = take(data, body, block, version, state, row + ACTION) == UPDATE_DELETE
    factor = take_price(data, body, block, version, state, row + FACTOR)
    out = events[count]
    fill(out, event.NOTE if deleted else event.DEFINE, instrument, 0, time, state)
    out["level"] = depth
    out["orders"] = version
    out["order"] = unsigned(take_text(data, body, block, state, row + SYMBOL, 0))
    out["other"] = unsigned(take_text(data, body, block, state, row + SYMBOL, 8))
    out["priority"] = unsigned(take_text(data, body, block, state, row + SYMBOL, 16))
    out["price"] = 0 if factor == event.NO_PRICE else factor
    out["quantity"] = (PRICE_EXPONENT & 0xFF) | 1 << 16 | implied_depth << 24
    return count + 1


@direct_as(MESSAGE)
def decode_status(
    data: Bytes,
    body: int,
    _behind: int,
    block: int,
    version: int,
    row: int,
    state: Words,
    events: Records,
    count: int,
) -> int:
    """Decode a security status (template 30) behind `count` events; as decode_book.

    quantity: trading status, -1 none; level: halt reason; orders: trading event. Instrument 0: of a whole group.
    """
    if count == len(events):
        return TOO_MANY_EVENTS
    time = take_or(data, body, block, version, state, row + TIME, 0)
    out = events[count]
    fill(out, event.STATUS, take_or(data, body, block, version, state, row + SECURITY, 0), 0, time, state)
    out["quantity"] = take_or(data, body, block, version, state, row + STATUS, -1)
    out["level"] = take_or(data, body, block, version, state, row + HALT, 0)
    out["orders"] = take_or(data, body, block, version, state, row + TRADING_EVENT, -1)
    out["order"] = unsigned(take_text(data, body, block, state, row + GROUP, 0))
    out["other"] = unsigned(take_text(data, body, block, state, row + ASSET, 0))
    return count + 1
