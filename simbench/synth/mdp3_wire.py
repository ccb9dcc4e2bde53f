"""Writes CME MDP 3.0 messages inside kernels, at the offsets of the shipped schema.

The templates of versions 8 and 9 that say the same lie the same; they differ in number, version and price exponent. So
one writer serves both: `old` is 1 for version 8 at 1e-7 and 0 for version 9 at 1e-9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import types

from simbench.kernel.pure import F, kernel_as, store_le16, store_le32, store_le64
from simbench.protocol.cme_layout import shipped
from simbench.protocol.contract import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from simbench.protocol.sbe import Group, Template

    Bytes = NDArray[np.uint8]

HEAD: Final = 10  # size, block length, template, schema, version
END_OF_EVENT: Final = 0x80
LAST_TRADE, LAST_VOLUME, LAST_QUOTE, LAST_STATISTICS, LAST_IMPLIED = (1 << bit for bit in range(5))
NO_NUMBER: Final = 2**31 - 1  # null of the 32-bit quantities

NEW, CHANGE, DELETE, DELETE_THRU, DELETE_FROM, OVERLAY = range(6)
BOOK, ORDER_BOOK, TRADES, DAILY, LIMITS, SESSION = 46, 47, 48, 49, 50, 51  # of version 9
BEFORE: Final = {46: 32, 47: 43, 48: 42, 49: 33, 50: 34, 51: 35}  # template of version 8 that says the same
RESET, STATUS, TRADE, VOLUME, QUOTE = 4, 30, 36, 37, 39  # one template for both versions


def _group(number: int, name: str) -> Group:
    return next(group for group in shipped().templates[number].groups if group.name == name)


def _at(block: Template | Group, name: str) -> int:
    return next(leaf.offset for leaf in block.fields if leaf.name == name)


ROOT: Final = shipped().templates[BOOK].block_length
INDICATOR: Final = _at(shipped().templates[BOOK], "MatchEventIndicator")
ENTRY_HEAD: Final = _group(BOOK, "NoMDEntries").head
ORDER_HEAD: Final = _group(BOOK, "NoOrderIDEntries").head
ORDER_NUMBER: Final = _group(BOOK, "NoOrderIDEntries").number.offset

_BOOK: Final = _group(BOOK, "NoMDEntries")
BOOK_SIZE: Final = _BOOK.block_length
BOOK_FIELDS: Final = tuple(
    _at(_BOOK, name)
    for name in (
        "MDEntryPx",
        "MDEntrySize",
        "SecurityID",
        "RptSeq",
        "NumberOfOrders",
        "MDPriceLevel",
        "MDUpdateAction",
        "MDEntryType",
    )
)
_ORDER: Final = _group(BOOK, "NoOrderIDEntries")
ORDER_SIZE: Final = _ORDER.block_length
ORDER_FIELDS: Final = tuple(
    _at(_ORDER, name) for name in ("OrderID", "MDOrderPriority", "MDDisplayQty", "ReferenceID", "OrderUpdateAction")
)
_FULL: Final = _group(ORDER_BOOK, "NoMDEntries")
FULL_SIZE: Final = _FULL.block_length
FULL_FIELDS: Final = tuple(
    _at(_FULL, name)
    for name in (
        "OrderID",
        "MDOrderPriority",
        "MDEntryPx",
        "MDDisplayQty",
        "SecurityID",
        "MDUpdateAction",
        "MDEntryType",
    )
)
_TRADE: Final = _group(TRADES, "NoMDEntries")
TRADE_SIZE: Final = _TRADE.block_length
TRADE_FIELDS: Final = tuple(
    _at(_TRADE, name)
    for name in (
        "MDEntryPx",
        "MDEntrySize",
        "SecurityID",
        "RptSeq",
        "NumberOfOrders",
        "AggressorSide",
        "MDUpdateAction",
        "MDTradeEntryID",
    )
)
_FILL: Final = _group(TRADES, "NoOrderIDEntries")
FILL_SIZE: Final = _FILL.block_length
FILL_QUANTITY: Final = _at(_FILL, "LastQty")
_SINGLE: Final = _group(TRADE, "NoMDEntries")
SINGLE_SIZE: Final = _SINGLE.block_length
SINGLE_FIELDS: Final = tuple(
    _at(_SINGLE, name)
    for name in ("MDEntryPx", "MDEntrySize", "SecurityID", "RptSeq", "NumberOfOrders", "TradeID", "AggressorSide")
)
_VOLUME: Final = _group(VOLUME, "NoMDEntries")
VOLUME_SIZE: Final = _VOLUME.block_length
VOLUME_FIELDS: Final = tuple(_at(_VOLUME, name) for name in ("MDEntrySize", "SecurityID", "RptSeq"))
_DAILY: Final = _group(DAILY, "NoMDEntries")
DAILY_SIZE: Final = _DAILY.block_length
DAILY_FIELDS: Final = tuple(
    _at(_DAILY, name)
    for name in ("MDEntryPx", "MDEntrySize", "SecurityID", "RptSeq", "TradingReferenceDate", "MDEntryType")
)
_LIMITS: Final = _group(LIMITS, "NoMDEntries")
LIMITS_SIZE: Final = _LIMITS.block_length
LIMITS_FIELDS: Final = tuple(
    _at(_LIMITS, name) for name in ("HighLimitPrice", "LowLimitPrice", "MaxPriceVariation", "SecurityID", "RptSeq")
)
_SESSION: Final = _group(SESSION, "NoMDEntries")
SESSION_SIZE: Final = _SESSION.block_length
SESSION_FIELDS: Final = tuple(
    _at(_SESSION, name)
    for name in ("MDEntryPx", "SecurityID", "RptSeq", "OpenCloseSettlFlag", "MDEntryType", "MDEntrySize")
)
_STATUS: Final = shipped().templates[STATUS]
STATUS_ROOT: Final = _STATUS.block_length
STATUS_FIELDS: Final = tuple(
    _at(_STATUS, name)
    for name in ("SecurityID", "TradeDate", "MatchEventIndicator", "SecurityTradingStatus", "SecurityTradingEvent")
)
_QUOTE: Final = shipped().templates[QUOTE]
QUOTE_ROOT: Final = _QUOTE.block_length
QUOTE_FIELDS: Final = tuple(_at(_QUOTE, name) for name in ("QuoteReqID", "MatchEventIndicator"))
_SYMBOL: Final = _group(QUOTE, "NoRelatedSym")
SYMBOL_SIZE: Final = _SYMBOL.block_length
SYMBOL_FIELDS: Final = tuple(_at(_SYMBOL, name) for name in ("SecurityID", "OrderQty", "QuoteType", "Side"))
RESET_SIZE: Final = _group(RESET, "NoMDEntries").block_length
RESET_ROOT: Final = shipped().templates[RESET].block_length

NUMBERS: Final = (tuple(BEFORE), tuple(BEFORE.values()))
VERSIONS: Final = (9, 8)
SCALES: Final = (1, 100)  # prices at 1e-9 divided by


def writer(words: int) -> Callable[[F], F]:
    """Compile a function of a buffer and so many integers that returns one: one version, whatever is constant."""
    return kernel_as(types.int64(DATA, *[types.int64] * words))


@kernel_as(types.void(DATA, types.int64, types.int64))
def clear(data: Bytes, at: int, size: int) -> None:
    """Make bytes zero: buffers are used again."""
    for index in range(at, at + size):
        data[index] = 0


@writer(5)
def begin(data: Bytes, at: int, template: int, old: int, root: int, time: int) -> int:
    """Write a message's head and its root block with the time first; return where the root block starts."""
    number = template
    if template >= BOOK and old:
        number = NUMBERS[1][template - BOOK]
    store_le16(data, at + 2, root)
    store_le16(data, at + 4, number)
    store_le16(data, at + 6, 1)
    store_le16(data, at + 8, VERSIONS[old])
    clear(data, at + HEAD, root)
    store_le64(data, at + HEAD, time)
    return at + HEAD


@writer(7)
def begin_event(
    data: Bytes, at: int, template: int, old: int, time: int, indicator: int, size: int, number: int
) -> int:
    """Write all that comes before the entries of an incremental refresh; return where these start, zeroed."""
    root = begin(data, at, template, old, ROOT, time)
    data[root + INDICATOR] = indicator
    store_le16(data, root + ROOT, size)
    data[root + ROOT + 2] = number
    first = root + ROOT + ENTRY_HEAD
    clear(data, first, size * number)
    return first


@writer(3)
def begin_orders(data: Bytes, at: int, size: int, number: int) -> int:
    """Write the head of a group of orders; return where they start, zeroed."""
    clear(data, at, ORDER_HEAD + size * number)
    store_le16(data, at, size)
    data[at + ORDER_NUMBER] = number
    return at + ORDER_HEAD


@writer(2)
def finish(data: Bytes, at: int, end: int) -> int:
    """Write the size of a message that ends there; return the end."""
    store_le16(data, at, end - at)
    return end


@writer(10)
def put_level(
    data: Bytes,
    at: int,
    old: int,
    price: int,
    quantity: int,
    security: int,
    report: int,
    orders: int,
    level: int,
    action: int,
    entry_type: int,
) -> int:
    """Write an entry of a book refresh; return where the next starts."""
    store_le64(data, at + BOOK_FIELDS[0], price // SCALES[old])
    store_le32(data, at + BOOK_FIELDS[1], quantity)
    store_le32(data, at + BOOK_FIELDS[2], security)
    store_le32(data, at + BOOK_FIELDS[3], report)
    store_le32(data, at + BOOK_FIELDS[4], orders)
    data[at + BOOK_FIELDS[5]] = level
    data[at + BOOK_FIELDS[6]] = action
    data[at + BOOK_FIELDS[7]] = entry_type
    return at + BOOK_SIZE


@writer(5)
def put_order(data: Bytes, at: int, order: int, priority: int, quantity: int, action: int) -> int:
    """Write an order that belongs to the first entry of a book refresh; return where the next starts."""
    store_le64(data, at + ORDER_FIELDS[0], order)
    store_le64(data, at + ORDER_FIELDS[1], priority)
    store_le32(data, at + ORDER_FIELDS[2], quantity)
    data[at + ORDER_FIELDS[3]] = 1
    data[at + ORDER_FIELDS[4]] = action
    return at + ORDER_SIZE


@writer(10)
def write_full_order(
    data: Bytes,
    at: int,
    old: int,
    time: int,
    order: int,
    priority: int,
    price: int,
    quantity: int,
    security: int,
    action: int,
    side: int,
) -> int:
    """Write an order book refresh of one order, outside the levels that are shown; return its end."""
    entry = begin_event(data, at, ORDER_BOOK, old, time, LAST_QUOTE | END_OF_EVENT, FULL_SIZE, 1)
    store_le64(data, entry + FULL_FIELDS[0], order)
    store_le64(data, entry + FULL_FIELDS[1], priority)
    store_le64(data, entry + FULL_FIELDS[2], price // SCALES[old])
    store_le32(data, entry + FULL_FIELDS[3], quantity)
    store_le32(data, entry + FULL_FIELDS[4], security)
    data[entry + FULL_FIELDS[5]] = action
    data[entry + FULL_FIELDS[6]] = 48 + side
    return finish(data, at, entry + FULL_SIZE)


@writer(11)
def write_trade(
    data: Bytes,
    at: int,
    old: int,
    time: int,
    price: int,
    quantity: int,
    security: int,
    report: int,
    side: int,
    trade: int,
    aggressor: int,
    resting: int,
) -> int:
    """Write a trade summary: the side that hit, and both orders' fills; return its end. The event goes on."""
    entry = begin_event(data, at, TRADES, old, time, LAST_TRADE, TRADE_SIZE, 1)
    store_le64(data, entry + TRADE_FIELDS[0], price // SCALES[old])
    store_le32(data, entry + TRADE_FIELDS[1], quantity)
    store_le32(data, entry + TRADE_FIELDS[2], security)
    store_le32(data, entry + TRADE_FIELDS[3], report)
    store_le32(data, entry + TRADE_FIELDS[4], 2)
    data[entry + TRADE_FIELDS[5]] = 1 + side
    data[entry + TRADE_FIELDS[6]] = NEW
    store_le32(data, entry + TRADE_FIELDS[7], trade)
    fill = begin_orders(data, entry + TRADE_SIZE, FILL_SIZE, 2)
    store_le64(data, fill, aggressor)
    store_le32(data, fill + FILL_QUANTITY, quantity)
    store_le64(data, fill + FILL_SIZE, resting)
    store_le32(data, fill + FILL_SIZE + FILL_QUANTITY, quantity)
    return finish(data, at, fill + 2 * FILL_SIZE)


@writer(6)
def write_volume(data: Bytes, at: int, old: int, time: int, volume: int, security: int, report: int) -> int:
    """Write a volume refresh; return its end. The event goes on."""
    entry = begin_event(data, at, VOLUME, old, time, LAST_VOLUME, VOLUME_SIZE, 1)
    store_le32(data, entry + VOLUME_FIELDS[0], volume)
    store_le32(data, entry + VOLUME_FIELDS[1], security)
    store_le32(data, entry + VOLUME_FIELDS[2], report)
    return finish(data, at, entry + VOLUME_SIZE)


@writer(7)
def write_single_trade(
    data: Bytes, at: int, time: int, price: int, quantity: int, security: int, report: int, trade: int
) -> int:
    """Write a trade as versions before the summary did, at 1e-7 and without a side that hit; return its end."""
    entry = begin_event(data, at, TRADE, 1, time, LAST_TRADE | END_OF_EVENT, SINGLE_SIZE, 1)
    store_le64(data, entry + SINGLE_FIELDS[0], price // SCALES[1])
    store_le32(data, entry + SINGLE_FIELDS[1], quantity)
    store_le32(data, entry + SINGLE_FIELDS[2], security)
    store_le32(data, entry + SINGLE_FIELDS[3], report)
    store_le32(data, entry + SINGLE_FIELDS[4], NO_NUMBER)
    store_le32(data, entry + SINGLE_FIELDS[5], trade)
    data[entry + SINGLE_FIELDS[6]] = 0
    return finish(data, at, entry + SINGLE_SIZE)


@writer(8)
def write_daily(
    data: Bytes, at: int, old: int, time: int, price: int, quantity: int, security: int, report: int, entry_type: int
) -> int:
    """Write a daily statistic: settlement '6', cleared volume 'B' or open interest 'C'; return its end."""
    entry = begin_event(data, at, DAILY, old, time, LAST_STATISTICS | END_OF_EVENT, DAILY_SIZE, 1)
    store_le64(data, entry + DAILY_FIELDS[0], price // SCALES[old])
    store_le32(data, entry + DAILY_FIELDS[1], quantity)
    store_le32(data, entry + DAILY_FIELDS[2], security)
    store_le32(data, entry + DAILY_FIELDS[3], report)
    store_le16(data, entry + DAILY_FIELDS[4], time // 86_400_000_000_000)
    data[entry + DAILY_FIELDS[5]] = entry_type
    return finish(data, at, entry + DAILY_SIZE)


@writer(8)
def write_limits(
    data: Bytes, at: int, old: int, time: int, high: int, low: int, variation: int, security: int, report: int
) -> int:
    """Write price limits and banding; return its end."""
    entry = begin_event(data, at, LIMITS, old, time, LAST_STATISTICS | END_OF_EVENT, LIMITS_SIZE, 1)
    store_le64(data, entry + LIMITS_FIELDS[0], high // SCALES[old])
    store_le64(data, entry + LIMITS_FIELDS[1], low // SCALES[old])
    store_le64(data, entry + LIMITS_FIELDS[2], variation // SCALES[old])
    store_le32(data, entry + LIMITS_FIELDS[3], security)
    store_le32(data, entry + LIMITS_FIELDS[4], report)
    return finish(data, at, entry + LIMITS_SIZE)


@writer(7)
def write_session(
    data: Bytes, at: int, old: int, time: int, price: int, security: int, report: int, entry_type: int
) -> int:
    """Write a session statistic: open '4', high '7', low '8'; return its end."""
    entry = begin_event(data, at, SESSION, old, time, LAST_STATISTICS | END_OF_EVENT, SESSION_SIZE, 1)
    store_le64(data, entry + SESSION_FIELDS[0], price // SCALES[old])
    store_le32(data, entry + SESSION_FIELDS[1], security)
    store_le32(data, entry + SESSION_FIELDS[2], report)
    data[entry + SESSION_FIELDS[3]] = 0 if entry_type == 52 else 255
    data[entry + SESSION_FIELDS[4]] = entry_type
    store_le32(data, entry + SESSION_FIELDS[5], NO_NUMBER)
    return finish(data, at, entry + SESSION_SIZE)


@writer(5)
def write_status(data: Bytes, at: int, old: int, time: int, security: int, status: int) -> int:
    """Write a security status; return its end."""
    root = begin(data, at, STATUS, old, STATUS_ROOT, time)
    store_le32(data, root + STATUS_FIELDS[0], security)
    store_le16(data, root + STATUS_FIELDS[1], time // 86_400_000_000_000)
    data[root + STATUS_FIELDS[2]] = END_OF_EVENT
    data[root + STATUS_FIELDS[3]] = status
    return finish(data, at, root + STATUS_ROOT)


@writer(6)
def write_quote_request(data: Bytes, at: int, old: int, time: int, request: int, security: int, quantity: int) -> int:
    """Write a quote request for one instrument; return its end."""
    root = begin(data, at, QUOTE, old, QUOTE_ROOT, time)
    for digit in range(10):
        data[root + QUOTE_FIELDS[0] + 9 - digit] = 48 + request % 10
        request //= 10
    data[root + QUOTE_FIELDS[1]] = END_OF_EVENT
    store_le16(data, root + QUOTE_ROOT, SYMBOL_SIZE)
    data[root + QUOTE_ROOT + 2] = 1
    entry = root + QUOTE_ROOT + ENTRY_HEAD
    clear(data, entry, SYMBOL_SIZE)
    store_le32(data, entry + SYMBOL_FIELDS[0], security)
    store_le32(data, entry + SYMBOL_FIELDS[1], quantity)
    data[entry + SYMBOL_FIELDS[2]] = 1
    data[entry + SYMBOL_FIELDS[3]] = 127
    return finish(data, at, entry + SYMBOL_SIZE)


@writer(3)
def write_reset(data: Bytes, at: int, time: int, channel: int) -> int:
    """Write a channel reset; return its end."""
    root = begin(data, at, RESET, 0, RESET_ROOT, time)
    data[root + 8] = END_OF_EVENT
    store_le16(data, root + RESET_ROOT, RESET_SIZE)
    data[root + RESET_ROOT + 2] = 1
    store_le16(data, root + RESET_ROOT + ENTRY_HEAD, channel)
    return finish(data, at, root + RESET_ROOT + ENTRY_HEAD + RESET_SIZE)
