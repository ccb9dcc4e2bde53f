"""CME MDP 3.0: market data by price level in SBE, over multicast.

A packet is a head of 12 bytes and messages, each with its size, an SBE header and a body; one packet is one sequence
unit. A heartbeat is an ordinary packet that carries only template 12: it takes a sequence number of its own (seen in
production: no hole where heartbeats stand). Bodies are walked by the lengths on the wire, so messages of a version
that gained fields still decode; where the fields lie comes from the state, see cme_layout. Source: CME MDP 3.0 message
specification, schema versions 5 to 9.

Books have levels by number. What a message becomes:

    book (32, 46)              a LEVEL_ event an entry; CLEAR for a book reset
    order book (43, 47)        NOTE an entry
    trades (36, 42, 48)        TRADE; NOTE for one that is taken back
    volume (37)                VOLUME
    statistics (33, 35, 49, 51) STATISTIC; other: the entry type's character
    limits (34, 50)            STATISTIC; other: 'g', price: high, order: low, priority: largest variation
    snapshot (38, 52)          SNAPSHOT (other: the incremental sequence that it is at), STATUS, then a LEVEL_OVERLAY or
                               STATISTIC an entry, all FROM_SNAPSHOT
    snapshot of orders (44, 53) NOTE
    definitions (27, 29, 41, 54, 55, 56) DEFINE, with the schema version as `orders`; NOTE for one that is deleted
    status (30)                STATUS; instrument 0 where it is a group's: order: group, other: asset, as text
    quote request (39)         NOTE an instrument
    channel reset (4)          RESET

PROTOCOL_ORDERS shows the same feed order by order: ADD, MODIFY and DELETE from the orders in 32 and 46, from 43 and 47,
and from the snapshots 44 and 53, all FROM_SNAPSHOT: SNAPSHOT from the first chunk, SNAPSHOT_PART from each behind it,
ADD an entry. Orders have no rptSeq: books that missed something wait by packet (book/packet_waiting.py). One book
cannot hold both views, since an order's quantity is in its level's too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from numba import types

from simbench import event
from simbench.kernel.pure import direct_as, load_le16, load_le32, load_le64
from simbench.protocol.cme_book import decode_book, decode_order_book, decode_order_snapshot, decode_snapshot
from simbench.protocol.cme_fields import MESSAGE, check_blocks, fill, take, take_or
from simbench.protocol.cme_layout import (
    BOOK,
    DEFINITION,
    INDICATOR,
    KIND,
    LIMITS,
    ORDER_BOOK,
    ORDER_SNAPSHOT,
    ORDERS_VIEW,
    PRICE_EXPONENT,
    QUOTES,
    RESET,
    ROWS,
    SCHEMA,
    SNAPSHOT,
    STATE_SIZE,
    STATUSES,
    TEMPLATES,
    TIME,
    TRADES,
    shipped,
    user_schema,
    write,
)
from simbench.protocol.cme_notices import decode_definition, decode_entries, decode_status
from simbench.protocol.contract import (
    BAD_LENGTH,
    COUNTS,
    DATA,
    DECODE_SIGNATURE,
    ERROR,
    FRAME_SIGNATURE,
    MESSAGES,
    SEQUENCE_RESET,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    WORDS,
    Message,
    Options,
    Protocol,
)
from simbench.protocol.rewriting import Number, Rewriting
from simbench.protocol.sbe import layouts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.protocol.sbe import Schema

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

PACKET_HEAD: Final = 12  # sequence u32, sent time u64 ns
MESSAGE_HEAD: Final = (
    10  # size u16 (its own two bytes too), then SBE: block length, template, schema, version, u16 each
)
NO_ROW: Final = 0  # a state's first word is none of a row's
MOST_VERSIONS: Final = 64  # more than schema versions will ever be, for guessing
EXCHANGE_END: Final = 0x80  # of MatchEventIndicator: the last message of an event

PACKET_LAYOUT: Final = (("sequence", 0, "uint32"), ("sent", 4, "uint64"))
MESSAGE_LAYOUT: Final = (
    ("size", 0, "uint16"),
    ("blockLength", 2, "uint16"),
    ("templateId", 4, "uint16"),
    ("schemaId", 6, "uint16"),
    ("version", 8, "uint16"),
)

ROW: Final = types.int64(DATA, types.int64, WORDS)
FIT: Final = types.int64(DATA, types.int64, types.int64)
FAIL: Final = types.int64(WORDS, types.int64, types.int64)


@direct_as(ROW)
def _row(data: Bytes, at: int, state: Words) -> int:
    """Return the row of a message's template; NO_ROW where the schema does not have it."""
    template = load_le16(data, at + 4)
    if template >= TEMPLATES or load_le16(data, at + 6) != state[SCHEMA]:
        return NO_ROW
    return int(state[ROWS + template])


@direct_as(FIT)
def _fit(data: Bytes, at: int, end: int) -> int:
    """Return 0 where messages fill data[at:end] exactly, by the sizes that they say; else what is wrong."""
    while at < end:
        if end - at < MESSAGE_HEAD:
            return TRUNCATED
        size = load_le16(data, at)
        if size < MESSAGE_HEAD:
            return BAD_LENGTH
        at += size
    return 0 if at == end else TRUNCATED


@direct_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read the packet's head, see protocol/contract.py; a packet is the whole datagram, and messages fill it exactly.

    A channel reset empties the books but leaves the sequence alone, so it alone is no SEQUENCE_RESET: the flag is set
    where it comes in packet 1. A sequence that starts again without it shows in the sequencer, by its sent time.
    """
    body = start + PACKET_HEAD
    status = TRUNCATED if body > end else _fit(data, body, end)
    if status != 0:
        state[ERROR] = status
        return status
    out = header[0]
    first = load_le32(data, start)
    out["stream"] = 0
    out["session"] = 0
    out["first"] = first
    out["units"] = 1
    out["flags"] = 0
    out["sent"] = load_le64(data, start + 4)
    out["start"] = body
    out["end"] = end
    if first == 1 and end - body >= MESSAGE_HEAD:
        row = _row(data, body, state)
        if row != NO_ROW and state[row + KIND] == RESET:
            out["flags"] = SEQUENCE_RESET
    return 0


@direct_as(FAIL)
def _fail(state: Words, code: int, count: int) -> int:
    """Note what was wrong behind so many events: the packet is one unit, and that is lost."""
    state[ERROR] = code
    state[UNITS] = 0
    return -1 - count


@direct_as(MESSAGE)
def _message(
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
    """Decode one checked message by its kind, the frequent ones first; how many events there are then, or an error."""
    kind = state[row + KIND]
    if TRADES <= kind <= LIMITS or kind == QUOTES:
        return decode_entries(data, body, behind, block, version, row, state, events, count)
    if kind == ORDER_BOOK:
        return decode_order_book(data, body, behind, block, version, row, state, events, count)
    if kind == SNAPSHOT:
        return decode_snapshot(data, body, behind, block, version, row, state, events, count)
    if kind == ORDER_SNAPSHOT:
        return decode_order_snapshot(data, body, behind, block, version, row, state, events, count)
    if kind == DEFINITION:
        return decode_definition(data, body, behind, block, version, row, state, events, count)
    if kind == STATUSES:
        return decode_status(data, body, behind, block, version, row, state, events, count)
    if kind == RESET:
        if count == len(events):
            return TOO_MANY_EVENTS
        fill(events[count], event.RESET, 0, 0, take_or(data, body, block, version, state, row + TIME, 0), state)
        return count + 1
    return count


@direct_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn a packet's messages into events, see protocol/contract.py. A packet is one unit: skipped, it is nothing."""
    if skip > 0:
        return 0
    count = 0
    at = start
    while at < end:
        if end - at < MESSAGE_HEAD:
            return _fail(state, TRUNCATED, count)
        size = load_le16(data, at)
        if size < MESSAGE_HEAD:
            return _fail(state, BAD_LENGTH, count)
        behind = at + size
        if behind > end:
            return _fail(state, TRUNCATED, count)
        row = _row(data, at, state)
        if row == NO_ROW:
            state[UNKNOWN] += 1
        else:
            body = at + MESSAGE_HEAD
            block = load_le16(data, at + 2)
            version = load_le16(data, at + 8)
            code = check_blocks(data, body, behind, block, version, state, row)
            if code < 0:
                return _fail(state, code, count)
            if state[row + KIND] == BOOK:
                after = decode_book(data, body, behind, block, version, row, state, events, count)
            else:
                after = _message(data, body, behind, block, version, row, state, events, count)
            if after < 0:
                return _fail(state, after, count)
            count = after
            if count > 0 and take(data, body, block, version, state, row + INDICATOR) & EXCHANGE_END:
                events[count - 1]["flags"] |= event.END
            state[COUNTS + load_le16(data, at + 4)] += 1
        state[MESSAGES] += 1
        at = behind
    return count


def setup(state: Words, options: Options) -> None:
    """Write the schema into a state: the user's, or the one that comes with this package."""
    if options.schema:
        write(user_schema(options.schema), state, options.schema)
    else:
        write(shipped(), state, "the shipped schema")


def setup_orders(state: Words, options: Options) -> None:
    """Set up for the view order by order."""
    setup(state, options)
    state[ORDERS_VIEW] = 1


def with_schema(protocol: Protocol, path: str) -> Protocol:
    """Return the protocol as a user's schema has it: its messages and layouts."""
    schema = user_schema(path)
    return replace(protocol, messages=_messages(schema), layouts=_layouts(schema), versions=f"schema {path}")


def detect(payload: bytes) -> bool:
    """Tell whether a payload can only be this: messages that fill it exactly, all of templates known by number."""
    at = PACKET_HEAD
    if len(payload) < at + MESSAGE_HEAD:
        return False
    while at < len(payload):
        size, block, template, schema, version = (
            int.from_bytes(payload[at + 2 * k : at + 2 * k + 2], "little") for k in range(5)
        )
        known = shipped().templates.get(template)
        if known is None or schema != shipped().number or not known.since <= version < MOST_VERSIONS:
            return False
        if size < MESSAGE_HEAD + block:
            return False
        at += size
    return at == len(payload)


def _messages(schema: Schema) -> tuple[Message, ...]:
    return tuple(
        Message(str(number), template.name, COUNTS + number)
        for number, template in sorted(schema.templates.items())
        if number < TEMPLATES
    )


def _layouts(schema: Schema) -> dict[str, Any]:
    return {"packet": PACKET_LAYOUT, "message": MESSAGE_LAYOUT, **layouts(schema)}


PROTOCOL: Final = Protocol(
    name="cme.mdp3",
    frame=frame,
    decode=decode,
    state_size=STATE_SIZE,
    setup=setup,
    messages=_messages(shipped()),
    sequence_unit="packet",
    book="level",
    text_key=False,
    price_exponent=PRICE_EXPONENT,
    depth=10,
    implied_depth=2,
    versions="MDP 3.0, schema versions 5 to 9",
    detect=detect,
    layouts=_layouts(shipped()),
    with_schema=with_schema,
    recovery=("snapshot", "natural"),
    rewriting=Rewriting(header=PACKET_HEAD, sequence=Number(0, 4, big=False)),
)
PROTOCOL_ORDERS: Final = replace(
    PROTOCOL,
    name="cme.mdp3.orders",
    setup=setup_orders,
    book="order",
    depth=0,
    implied_depth=0,
    recovery=("snapshot",),
    detect=lambda _: False,
)
