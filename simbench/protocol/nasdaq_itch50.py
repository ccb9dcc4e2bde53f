"""Nasdaq TotalView-ITCH 5.0 over MoldUDP64: order by order, a message is an event.

Source: NQTVITCHSpecification 5.0, sections 1.1 to 1.7; checked on recorded packets of Nasdaq, BX and PSX. Messages
are walked by the length that MoldUDP64 gives them: one longer than its layout is a later version's and read as far as
it is known, a shorter one is malformed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numba import njit

from simbench import event
from simbench.errors import SimbenchError
from simbench.kernel.pure import (
    direct_as,
    load_be16,
    load_be32,
    load_be48,
    load_be64,
    load_u8,
    unsigned,
)
from simbench.protocol.contract import (
    BAD_LENGTH,
    COUNTS,
    DECODE_SIGNATURE,
    ERROR,
    FRAME_SIGNATURE,
    MESSAGES,
    MIDNIGHT,
    SEQUENCE,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Message,
    Options,
    Protocol,
)
from simbench.protocol.itch50_layout import LAYOUTS, SIZES, TABLE, field_size, offset
from simbench.protocol.moldudp64 import (
    COUNT_AT,
    END_COUNT,
    HEADER_SIZE,
    REWRITING,
    raw_sessions,
    read_header,
    request,
    session_names,
    whole,
)
from simbench.protocol.moldudp64 import LAYOUT as MOLD_LAYOUT
from simbench.protocol.sessions import SESSION_WORDS
from simbench.protocol.text import symbol_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

TIMESTAMP: Final = offset("A", "timestamp")
LOCATE: Final = offset("R", "locate")
SESSIONS: Final = COUNTS + len(TABLE)
STATE_SIZE: Final = SESSIONS + SESSION_WORDS
DAY_NS: Final = 86_400_000_000_000

# The messages that change a book, as one row of numbers a type: no branch depends on the type. Types alternate at
# random, and each wrong guess of the processor would cost more than decoding the message. A field that a type lacks is
# read at the reference, which all of them have, and masked away.
_REFERENCE: Final = offset("A", "reference")
NEED: Final = 0  # size of the message; 1 for a type that is not known
COUNTER: Final = 1
KIND: Final = 2  # of the event; 0 where this table does not say it all
SHARES: Final = 3
PRICE: Final = 4
OTHER: Final = 5
STOCK: Final = 6
MASKS: Final = 7  # bits: has shares, price, other, stock; is sold by "S"; may be not printable
ROW: Final = 8
HAS_SHARES, HAS_PRICE, HAS_OTHER, HAS_STOCK, HAS_PRINTABLE = 1, 2, 4, 8, 16
_BOOK: Final = {
    "A": (event.ADD, "shares", "price", "", "stock"),
    "F": (event.ADD, "shares", "price", "", "stock"),
    "D": (event.DELETE, "", "", "", ""),
    "U": (event.REPLACE, "shares", "price", "new_reference", ""),
    "E": (event.EXECUTE, "shares", "", "match", ""),
    "C": (event.EXECUTE_AT, "shares", "price", "match", ""),
    "X": (event.REDUCE, "shares", "", "", ""),
}


def _rows() -> NDArray[np.int64]:
    rows = np.zeros(256 * ROW, np.int64)
    rows[NEED::ROW] = 1
    rows[COUNTER::ROW] = UNKNOWN
    for index, key in enumerate(TABLE):
        row = rows[ord(key) * ROW : (ord(key) + 1) * ROW]
        row[NEED], row[COUNTER] = SIZES[key], COUNTS + index
        if key in _BOOK:
            kind, *fields = _BOOK[key]
            row[KIND] = kind
            for slot, bit, name in zip((SHARES, PRICE, OTHER, STOCK), (1, 2, 4, 8), fields, strict=True):
                row[slot] = offset(key, str(name)) if name else _REFERENCE
                row[MASKS] |= bit if name else 0
    rows[ord("C") * ROW + MASKS] |= HAS_PRINTABLE
    return rows


ROWS: Final = _rows()
# The other messages: the event's kind, and which fields go to its order, other, price, instrument and quantity. The
# quantity of a status is its letter << 8 | its code, so that "halted" of H is not "restricted" of Y.
_REST: Final = {
    "P": (event.TRADE, "reference", "match", "price", "stock", "shares"),
    "Q": (event.TRADE, "", "match", "price", "stock", "shares"),
    "B": (event.NOTE, "", "match", "", "", ""),
    "I": (event.STATISTIC, "direction", "imbalance_shares", "reference_price", "stock", "paired_shares"),
    "R": (event.DEFINE, "", "", "", "stock", ""),
    "S": (event.STATUS, "", "", "", "", "event"),
    "H": (event.STATUS, "", "reason", "", "stock", "state"),
    "Y": (event.STATUS, "", "", "", "stock", "action"),
    "L": (event.STATUS, "", "participant", "", "stock", "state"),
    "V": (event.STATISTIC, "level2", "level3", "level1", "", ""),
    "W": (event.STATUS, "", "", "", "", "breached"),
    "K": (event.STATUS, "", "release_time", "price", "stock", "qualifier"),
    "J": (event.STATISTIC, "lower_price", "upper_price", "reference_price", "stock", ""),
    "h": (event.STATUS, "", "market", "", "stock", "action"),
    "N": (event.NOTE, "", "", "", "stock", "interest"),
    "O": (event.STATISTIC, "minimum_price", "maximum_price", "near_price", "stock", ""),
}


def _rest_rows() -> NDArray[np.int64]:
    rows = np.zeros(256 * ROW, np.int64)
    for key, (kind, *names) in _REST.items():
        sizes = {name: field_size(form) for name, _at, form in LAYOUTS[key]}
        rows[ord(key) * ROW] = kind
        for slot, name in enumerate(names, start=1):
            if name:
                rows[ord(key) * ROW + slot] = offset(key, str(name)) << 8 | sizes[str(name)]
    return rows


REST: Final = _rest_rows()
SIDE_BEFORE_STOCK: Final = offset("A", "stock") - offset("A", "side")
PRINTABLE_BEFORE_PRICE: Final = offset("C", "price") - offset("C", "printable")
SELL: Final = ord("S")
NOT_PRINTED: Final = ord("N")


@direct_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read a MoldUDP64 header, see protocol/contract.py. A packet whose messages do not fit into it is malformed."""
    status = read_header(data, start, end, state, SESSIONS, header)
    if status == 0 and whole(data, start + HEADER_SIZE, end, header[0]["units"]) < header[0]["units"]:
        status = TRUNCATED
    if status != 0:
        state[ERROR] = status
    return int(status)


@njit(inline="always")
def load_field(data: Bytes, at: int, field: int) -> int:
    """Load the field that a row describes: its offset << 8 | its size; 0 where there is none."""
    size, where = field & 0xFF, at + (field >> 8)
    if size == 8:
        return load_be64(data, where)
    if size == 4:
        return load_be32(data, where)
    return load_u8(data, where) if size == 1 else 0


@njit(inline="always")
def decode_rest(data: Bytes, at: int, out: Records) -> None:
    """Fill the event of a message that changes no book.

    Args:
        data: uint8[n].
        at: where the message starts; it is as long as its layout.
        out: one EVENT, whose common fields are set.
    """
    letter = load_u8(data, at)
    row = letter * ROW
    quantity = load_field(data, at, REST[row + 5])
    out["kind"] = REST[row]
    out["side"] = event.NO_SIDE
    out["order"] = unsigned(load_field(data, at, REST[row + 1]))
    out["other"] = unsigned(load_field(data, at, REST[row + 2]))
    out["price"] = load_field(data, at, REST[row + 3])
    out["instrument"] = unsigned(symbol_key(load_field(data, at, REST[row + 4])))
    out["quantity"] = letter << 8 | quantity if REST[row] == event.STATUS else quantity
    if REST[row] == event.DEFINE:
        out["order"] = out["instrument"]
        out["orders"] = load_be16(data, at + LOCATE)


@direct_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn a packet's messages into events, see protocol/contract.py. The body starts at MoldUDP64's count."""
    midnight, sequence = state[MIDNIGHT], state[SEQUENCE]
    units = load_be16(data, start) if start + 2 <= end else 1
    units = 0 if units == END_COUNT else units
    at = start + 2
    count = 0
    status = 0
    unit = 0
    while unit < units:
        message = at + 2
        if message > end:
            status = TRUNCATED
            break
        length = load_be16(data, at)
        at = message + length
        if at > end:
            status = TRUNCATED
            break
        row = load_u8(data, message) * ROW if length > 0 else 0
        if length < ROWS[row + NEED]:
            status = BAD_LENGTH
            break
        unit += 1
        if unit <= skip:
            continue
        counter = ROWS[row + COUNTER]
        if counter == UNKNOWN:
            state[UNKNOWN] += 1
            continue
        if count == len(events):
            status = TOO_MANY_EVENTS
            unit -= 1
            break
        state[counter] += 1
        out = events[count]
        count += 1
        out["flags"] = event.END
        out["level"] = 0
        out["orders"] = -1
        out["instrument_sequence"] = 0
        out["priority"] = 0
        out["time"] = midnight + load_be48(data, message + TIMESTAMP)
        out["sequence"] = sequence + unit - 1
        kind = ROWS[row + KIND]
        if kind == 0:
            decode_rest(data, message, out)
            continue
        masks = ROWS[row + MASKS]
        price_at = message + ROWS[row + PRICE]
        stock_at = message + ROWS[row + STOCK]
        has_stock = (masks >> 3) & 1
        sell = int(load_u8(data, stock_at - SIDE_BEFORE_STOCK) == SELL)
        hidden = int(load_u8(data, price_at - PRINTABLE_BEFORE_PRICE) == NOT_PRINTED) & (masks >> 4)
        out["kind"] = kind
        out["side"] = (sell & has_stock) | ((has_stock - 1) & event.NO_SIDE)
        out["flags"] = event.END | hidden * event.NOT_PRINTABLE
        out["order"] = unsigned(load_be64(data, message + _REFERENCE))
        out["quantity"] = load_be32(data, message + ROWS[row + SHARES]) & -(masks & 1)
        out["price"] = load_be32(data, price_at) & -((masks >> 1) & 1)
        out["other"] = unsigned(load_be64(data, message + ROWS[row + OTHER]) & -((masks >> 2) & 1))
        out["instrument"] = unsigned(symbol_key(load_be64(data, stock_at)) & -has_stock)
    state[MESSAGES] += max(unit - skip, 0)
    if status == 0 and at != end:
        status = BAD_LENGTH
    if status != 0:
        state[ERROR] = status
        state[UNITS] = unit
        count = -1 - count
    return count


def setup(state: Words, options: Options) -> None:
    """Set the midnight that times count from: of the capture's first day, in the venue's zone.

    With options.first_ns 0 it stays 0, and times are since midnight: who has a clock passes its time.
    """
    name = options.timezone or "America/New_York"
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SimbenchError(f"timezone {name!r} is not known; write it as America/New_York") from None
    if options.first_ns:
        state[MIDNIGHT] = midnight_ns(options.first_ns, zone)


def midnight_ns(stamp: int, zone: ZoneInfo) -> int:
    """Return the last midnight in a zone at or before a time, both in ns since 1970."""
    local = datetime.fromtimestamp(stamp // 1_000_000_000, zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return int(midnight.astimezone(UTC).timestamp()) * 1_000_000_000


def detect(payload: bytes) -> bool:
    """Tell whether a payload can only be this: blocks that fill it, each of a known type and exactly its size.

    A heartbeat or an end of session shows MoldUDP64 alone, and only where the session has a name.
    """
    at, units = HEADER_SIZE, int.from_bytes(payload[COUNT_AT:HEADER_SIZE], "big")
    if len(payload) < HEADER_SIZE:
        return False
    if units in {0, END_COUNT}:
        name = payload[:10].strip(b" ")
        return len(payload) == HEADER_SIZE and name.isalnum() and payload[10] == 0
    for _unit in range(units):
        length = int.from_bytes(payload[at : at + 2], "big")
        message = payload[at + 2 : at + 2 + length]
        if length != len(message) or SIZES.get(chr(message[0]) if message else "") != length:
            return False
        if int.from_bytes(message[TIMESTAMP : TIMESTAMP + 6], "big") >= DAY_NS:
            return False
        at += 2 + length
    return at == len(payload)


PROTOCOL: Final = Protocol(
    name="nasdaq.itch50",
    frame=frame,
    decode=decode,
    state_size=STATE_SIZE,
    setup=setup,
    messages=tuple(Message(key, TABLE[key][0], COUNTS + index) for index, key in enumerate(TABLE)),
    sequence_unit="message",
    book="order",
    text_key=True,
    price_exponent=-4,
    versions="TotalView-ITCH 5.0 over MoldUDP64 1.00",
    sessions=lambda state: session_names(state, SESSIONS),
    detect=detect,
    layouts={"MoldUDP64": MOLD_LAYOUT, **LAYOUTS},
    framing="moldudp64",
    request=lambda state, session, first, units: request(raw_sessions(state, SESSIONS)[session], first, units),
    rewriting=REWRITING,
)
