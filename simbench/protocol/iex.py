"""IEX's feeds over IEX-TP: TOPS (best bid and ask), DEEP (levels by price) and DEEP+ (order by order).

Messages are walked by the length that IEX-TP gives them: one longer than its layout is a later version's and read as
far as it is known, a shorter one is malformed; a type that the feed does not have is counted and passed over. What a
message becomes:

    quote update (Q)              for each side a LEVEL_OVERLAY of level 1, or LEVEL_DELETE_THROUGH where its size is 0
    price level update (8, 5)     LEVEL; END where the event is complete
    orders (a, M, R, L, C)        ADD, MODIFY, DELETE, EXECUTE_AT, CLEAR
    trade report (T)              TRADE; other: the trade's id
    trade break (B)               NOTE; other: the trade's id
    official price (X)            STATISTIC; other: 'Q' opening, 'M' closing
    auction information (A)       STATISTIC; order: imbalance side, other: imbalance, price: reference, quantity: paired
    security directory (D)        DEFINE
    statuses (S, H, O, P, E)      STATUS; quantity: the letter << 8 | its code, other: reason or detail
    retail liquidity (I)          NOTE; quantity: the indicator

Between the price level updates of one DEEP event nothing else ends an event: the book between them never was. Its end
is waited for in whatever packet it comes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from simbench import event
from simbench.kernel.pure import kernel_as, load_be32, load_be64, load_le16, load_le32, load_le64, load_u8, unsigned
from simbench.protocol import iex_tp
from simbench.protocol.contract import (
    BAD_LENGTH,
    COUNTS,
    DECODE_SIGNATURE,
    ERROR,
    FRAME_SIGNATURE,
    MESSAGES,
    SEQUENCE,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Message,
    Options,
    Protocol,
)
from simbench.protocol.iex_layout import (
    DEEP_PLUS_TYPES,
    DEEP_TYPES,
    LAYOUTS,
    SIZES,
    STAMP,
    SYMBOL,
    TABLE,
    TOPS_TYPES,
    field,
)
from simbench.protocol.iex_tp import read_header
from simbench.protocol.sessions import SESSION_WORDS
from simbench.protocol.text import symbol_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

# The state behind the counters.
PROTOCOL_ID: Final = COUNTS + len(TABLE)
OPEN: Final = PROTOCOL_ID + 1  # 1: an event of price level updates has begun and not ended
TYPES: Final = OPEN + 1  # the counter of each letter; UNKNOWN where the feed does not have it
SESSIONS: Final = TYPES + 256
STATE_SIZE: Final = SESSIONS + SESSION_WORDS

# What a message becomes: kind, and which fields go to order, other, price and quantity. A quote's are those of its bid.
_EVENTS: Final = {
    "Q": (event.LEVEL_OVERLAY, "", "", "bid_price", "bid_size"),
    "8": (event.LEVEL, "", "", "price", "size"),
    "5": (event.LEVEL, "", "", "price", "size"),
    "a": (event.ADD, "order", "", "price", "size"),
    "M": (event.MODIFY, "order", "", "price", "size"),
    "R": (event.DELETE, "order", "", "", ""),
    "L": (event.EXECUTE_AT, "order", "trade", "price", "size"),
    "C": (event.CLEAR, "", "", "", ""),
    "T": (event.TRADE, "", "trade", "price", "size"),
    "B": (event.NOTE, "", "trade", "price", "size"),
    "X": (event.STATISTIC, "", "price_type", "price", ""),
    "A": (event.STATISTIC, "imbalance_side", "imbalance_shares", "reference_price", "paired_shares"),
    "D": (event.DEFINE, "", "", "", ""),
    "S": (event.STATUS, "", "", "", "event"),
    "H": (event.STATUS, "", "reason", "", "status"),
    "O": (event.STATUS, "", "", "", "status"),
    "P": (event.STATUS, "", "detail", "", "status"),
    "E": (event.STATUS, "", "", "", "event"),
    "I": (event.NOTE, "", "", "", "indicator"),
}
_SIDES: Final = {"8": event.BID, "5": event.ASK}

# The same as rows of numbers, one a letter. A field is its offset << 8 | its form, 0 where there is none.
NEED: Final = 0  # size of the message; 1 for a letter that is not known
KIND: Final = 1
SIDE: Final = 2
ORDER: Final = 3
OTHER: Final = 4
PRICE: Final = 5
QUANTITY: Final = 6
INSTRUMENT: Final = 7  # offset of the symbol
ROW: Final = 8
TEXT: Final = 2
_FORMS: Final = {"text1": 1, "u8": 1, "text4": TEXT, "u32": 4, "i64": 8}


def _rows() -> NDArray[np.int64]:
    rows = np.zeros((256, ROW), np.int64)
    rows[:, NEED] = 1
    for key, (kind, *names) in _EVENTS.items():
        row = rows[ord(key)]
        row[[NEED, KIND, SIDE]] = SIZES[key], kind, _SIDES.get(key, event.NO_SIDE)
        row[INSTRUMENT] = SYMBOL[1] if SYMBOL in LAYOUTS[key] else 0
        for slot, name in enumerate(names, ORDER):
            if name:
                at, form = field(key, str(name))
                row[slot] = at << 8 | _FORMS[form]
    return rows.ravel()


ROWS: Final = _rows()
TIMESTAMP: Final = STAMP[1]
CODE: Final = 1  # of every message: offset of its flags, status or side
ASK_PRICE: Final = field("Q", "ask_price")[0]
ASK_SIZE: Final = field("Q", "ask_size")[0]
COMPLETE: Final = 1  # of a price level update's flags: the event ends with it
KEEPS_PRIORITY: Final = 1  # of an order modify's flags
BUY, SELL = b"85"


@kernel_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read an IEX-TP header, see protocol/contract.py."""
    status = read_header(data, start, end, state[PROTOCOL_ID], state, SESSIONS, header)
    if status != 0:
        state[ERROR] = status
    return int(status)


@njit(inline="always")
def load_field(data: Bytes, at: int, described: int) -> int:
    """Load the field that a row describes from the message at `at`; 0 where there is none."""
    form, where = described & 0xFF, at + (described >> 8)
    if form == 8:
        return load_le64(data, where)
    if form == 4:
        return load_le32(data, where)
    if form == 1:
        return load_u8(data, where)
    return load_be32(data, where) if form == TEXT else 0


@njit(inline="always")
def fill(data: Bytes, at: int, row: int, flags: int, sequence: int, out: Records) -> None:
    """Fill one event as the row of its message says.

    Args:
        data: uint8[n].
        at: where the message starts; it is as long as its layout.
        row: of its letter, in ROWS.
        flags: of the event.
        sequence: of the message.
        out: one EVENT.
    """
    symbol = ROWS[row + INSTRUMENT]
    out["kind"] = ROWS[row + KIND]
    out["side"] = ROWS[row + SIDE]
    out["flags"] = flags
    out["level"] = 0
    out["orders"] = -1
    out["instrument_sequence"] = 0
    out["instrument"] = unsigned(symbol_key(load_be64(data, at + symbol)) if symbol > 0 else 0)
    out["order"] = unsigned(load_field(data, at, ROWS[row + ORDER]))
    out["other"] = unsigned(load_field(data, at, ROWS[row + OTHER]))
    out["priority"] = 0
    out["price"] = load_field(data, at, ROWS[row + PRICE])
    out["quantity"] = load_field(data, at, ROWS[row + QUANTITY])
    out["time"] = load_le64(data, at + TIMESTAMP)
    out["sequence"] = unsigned(sequence)


@njit(inline="always")
def top(out: Records, side: int, price: int, size: int) -> None:
    """Make an event the best level of a side, or say that the side has none."""
    out["kind"] = event.LEVEL_OVERLAY if size > 0 else event.LEVEL_DELETE_THROUGH
    out["side"] = side
    out["level"] = 1
    out["price"] = price
    out["quantity"] = size


@kernel_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn a segment's messages into events, see protocol/contract.py. The body is the blocks, state[UNITS] of them."""
    units, first = state[UNITS], state[SEQUENCE]
    at = start
    count = 0
    status = 0
    unit = 0
    while unit < units:
        message = at + 2
        if message > end:
            status = TRUNCATED
            break
        length = load_le16(data, at)
        at = message + length
        if at > end:
            status = TRUNCATED
            break
        letter = load_u8(data, message) if length > 0 else 0
        counter = state[TYPES + letter]
        row = letter * ROW if counter != UNKNOWN else 0
        if length < ROWS[row + NEED]:
            status = BAD_LENGTH
            break
        unit += 1
        if unit <= skip:
            continue
        if counter == UNKNOWN:
            state[UNKNOWN] += 1
            continue
        if count + 2 > len(events):  # a quote is two
            status = TOO_MANY_EVENTS
            unit -= 1
            break
        state[counter] += 1
        kind = ROWS[row + KIND]
        code = load_u8(data, message + CODE)
        if kind == event.LEVEL:
            state[OPEN] = 1 - (code & COMPLETE)
        flags = event.END * (1 - state[OPEN])
        sequence = first + unit - 1
        out = events[count]
        fill(data, message, row, flags, sequence, out)
        count += 1
        if kind == event.LEVEL_OVERLAY:
            out["flags"] = 0
            top(out, event.BID, out["price"], out["quantity"])
            out = events[count]
            fill(data, message, row, flags, sequence, out)
            top(out, event.ASK, load_le64(data, message + ASK_PRICE), load_le32(data, message + ASK_SIZE))
            count += 1
        elif kind == event.ADD:
            out["side"] = event.BID if code == BUY else event.ASK if code == SELL else event.NO_SIDE
        elif kind == event.MODIFY:
            out["flags"] = flags | event.KEEP_PRIORITY * (code & KEEPS_PRIORITY)
        elif kind == event.STATUS:
            out["quantity"] = letter << 8 | out["quantity"]
        elif kind == event.DEFINE:
            out["order"] = out["instrument"]
    state[MESSAGES] += max(unit - skip, 0)
    if status == 0 and at != end:
        status = BAD_LENGTH
    if status != 0:
        state[ERROR] = status
        state[UNITS] = unit
        count = -1 - count
    return count


def _setup(protocol_id: int, counters: dict[str, int], state: Words, _options: Options) -> None:
    """Write into a zeroed state which of IEX's feeds the channel carries."""
    state[PROTOCOL_ID] = protocol_id
    state[TYPES : TYPES + 256] = UNKNOWN
    for key, counter in counters.items():
        state[TYPES + ord(key)] = counter


def _detect(protocol_id: int, payload: bytes) -> bool:
    """Tell whether a payload can only be this: a segment of the feed whose messages of known types are whole."""
    found = iex_tp.blocks(payload, protocol_id)
    return found is not None and all(message and len(message) >= SIZES.get(chr(message[0]), 1) for message in found)


def _protocol(
    name: str, protocol_id: int, types: str, book: str, versions: str, depth: int = 0, implied_depth: int = 0
) -> Protocol:
    counters = {key: COUNTS + index for index, key in enumerate(TABLE) if key in types}
    return Protocol(
        name=name,
        frame=frame,
        decode=decode,
        state_size=STATE_SIZE,
        setup=partial(_setup, protocol_id, counters),
        messages=tuple(Message(key, TABLE[key][0], counter) for key, counter in counters.items()),
        sequence_unit="message",
        book=book,
        text_key=True,
        price_exponent=-4,
        depth=depth,
        implied_depth=implied_depth,
        rewriting=iex_tp.REWRITING,
        versions=versions,
        sessions=lambda state: iex_tp.session_names(state, SESSIONS),
        detect=partial(_detect, protocol_id),
        layouts={"IEX-TP": iex_tp.LAYOUT, **{key: LAYOUTS[key] for key in counters}},
    )


# An implied side has one level that is never filled: 0 would be room for as many as a ladder can have.
TOPS: Final = _protocol(
    "iex.tops", iex_tp.TOPS_ID, TOPS_TYPES, "level", "TOPS 1.5 and 1.6 over IEX-TP 1", depth=1, implied_depth=1
)
DEEP: Final = _protocol("iex.deep", iex_tp.DEEP_ID, DEEP_TYPES, "price", "DEEP 1.0 over IEX-TP 1")
DEEP_PLUS: Final = _protocol(
    "iex.deep_plus", iex_tp.DEEP_PLUS_ID, DEEP_PLUS_TYPES, "order", "DEEP+ 1.0.2 over IEX-TP 1"
)
