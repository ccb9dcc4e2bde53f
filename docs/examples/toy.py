"""toy.quotes: an invented feed of price levels, and all that a protocol of your own has to be (docs/protocol.md)."""

# ruff: noqa: INP001 - it stands alone here, as the one module of a plug-in would

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.kernel.pure import kernel_as, load_be64, load_le16, load_le32, load_le64, load_u8, unsigned
from simbench.protocol.contract import (
    BAD_HEADER,
    BAD_LENGTH,
    COUNTS,
    DECODE_SIGNATURE,
    ERROR,
    FRAME_SIGNATURE,
    HEARTBEAT,
    MESSAGES,
    SENT,
    SEQUENCE,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Message,
    Options,
    Protocol,
)
from simbench.protocol.rewriting import Number, Rewriting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

# Layouts: field, offset, type. Little-endian; text is padded with NULs.
PACKET: Final = (("sequence", 0, "u32"), ("count", 4, "u16"), ("zero", 6, "u16"), ("sent", 8, "u64"))
QUOTE: Final = (
    ("type", 0, "text1"),  # "Q"
    ("side", 1, "text1"),  # "B", "S"
    ("orders", 2, "u16"),
    ("quantity", 4, "u32"),  # 0: the level is gone
    ("symbol", 8, "text8"),
    ("price", 16, "i64"),  # 1e-4
)
TRADE: Final = (
    ("type", 0, "text1"),  # "T"
    ("side", 1, "text1"),  # of the aggressor: "B", "S"
    ("zero", 2, "u16"),
    ("quantity", 4, "u32"),
    ("symbol", 8, "text8"),
    ("price", 16, "i64"),  # 1e-4
)
HEADER_SIZE: Final = 16
COUNT_AT: Final = 4
BODY: Final = HEADER_SIZE - COUNT_AT  # of the body, which starts at the count: bytes before the first message
SIZE: Final = 24  # of every message, also of types to come
LETTER_B, LETTER_S, LETTER_Q, LETTER_T = b"BSQT"
QUOTES: Final = COUNTS  # counters by message type
TRADES: Final = COUNTS + 1
STATE_SIZE: Final = COUNTS + 2


@kernel_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read a packet's header; the whole datagram is one packet."""
    if end - start < HEADER_SIZE:
        state[ERROR] = TRUNCATED
        return TRUNCATED
    if load_le16(data, start + 6) != 0:
        state[ERROR] = BAD_HEADER
        return BAD_HEADER
    count = load_le16(data, start + COUNT_AT)
    out = header[0]
    out["stream"] = 0
    out["session"] = 0
    out["first"] = load_le32(data, start)
    out["units"] = count
    out["flags"] = HEARTBEAT if count == 0 else 0
    out["sent"] = load_le64(data, start + 8)
    out["start"] = start + COUNT_AT
    out["end"] = end
    return 0


@kernel_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn quotes into levels and trades into trades; the body starts at the count."""
    units = load_le16(data, start) if start + BODY <= end else 1
    at = start + BODY
    produced = 0
    status = 0
    unit = 0
    while unit < units:
        if at + SIZE > end:
            status = TRUNCATED
            break
        message = at
        at += SIZE
        unit += 1
        if unit <= skip:
            continue
        letter = load_u8(data, message)
        if letter not in (LETTER_Q, LETTER_T):
            state[UNKNOWN] += 1
            continue
        if produced == len(events):
            status = TOO_MANY_EVENTS
            unit -= 1
            break
        out = events[produced]
        produced += 1
        side = load_u8(data, message + 1)
        out["kind"] = event.LEVEL if letter == LETTER_Q else event.TRADE
        out["side"] = event.BID if side == LETTER_B else event.ASK if side == LETTER_S else event.NO_SIDE
        out["flags"] = event.END
        out["level"] = 0
        out["orders"] = load_le16(data, message + 2) if letter == LETTER_Q else -1
        out["instrument_sequence"] = 0
        out["instrument"] = unsigned(load_be64(data, message + 8))
        out["order"] = 0
        out["other"] = 0
        out["priority"] = 0
        out["price"] = load_le64(data, message + 16)
        out["quantity"] = load_le32(data, message + 4)
        out["time"] = state[SENT]
        out["sequence"] = state[SEQUENCE] + unit - 1
        state[QUOTES if letter == LETTER_Q else TRADES] += 1
    state[MESSAGES] += max(unit - skip, 0)
    if status == 0 and at != end:
        status = BAD_LENGTH
    if status != 0:
        state[ERROR] = status
        state[UNITS] = unit
        return -1 - produced
    return produced


def setup(state: Words, options: Options) -> None:
    """Leave a zeroed state as it is: nothing in this protocol depends on the channel."""


def detect(payload: bytes) -> bool:
    """Tell whether a payload can only be this: a header whose count fills it with messages of known types."""
    count = int.from_bytes(payload[COUNT_AT : COUNT_AT + 2], "little")
    types = payload[HEADER_SIZE::SIZE]
    return (
        len(payload) == HEADER_SIZE + count * SIZE and payload[6:8] == b"\0\0" and count > 0 and set(types) <= {*b"QT"}
    )


def bounds(packet: bytes) -> range:
    """Return where each message of a packet starts, and where the last one ends."""
    return range(HEADER_SIZE, len(packet) + 1, SIZE)


REWRITING: Final = Rewriting(
    header=HEADER_SIZE, sequence=Number(0, 4, big=False), count=Number(COUNT_AT, 2, big=False), bounds=bounds
)


PROTOCOL: Final = Protocol(
    name="toy.quotes",
    frame=frame,
    decode=decode,
    state_size=STATE_SIZE,
    setup=setup,
    messages=(Message("Q", "Quote", QUOTES), Message("T", "Trade", TRADES)),
    sequence_unit="message",
    book="price",
    text_key=True,
    price_exponent=-4,
    versions="the one in docs/protocol.md",
    detect=detect,
    layouts={"packet": PACKET, "Q": QUOTE, "T": TRADE},
    rewriting=REWRITING,
)
