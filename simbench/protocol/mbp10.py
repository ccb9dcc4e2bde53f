"""simbench.mbp10: full snapshots of ten levels a side, one packet for an instrument that has changed.

A packet becomes a SNAPSHOT event and a LEVEL_OVERLAY for each level that it knows, the bids first, all FROM_SNAPSHOT;
END with the last of them. Nothing in it depends on a packet before it, and nothing is remembered: what is lost is made
good by the instrument's next packet.

Two names speak it: of `simbench.mbp10` the instruments are numbers, of `simbench.mbp10.symbols` they are characters.
Layout: mbp10_layout.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.kernel.pure import (
    kernel_as,
    load_le16,
    load_le32,
    load_le64,
    load_le_i32,
    load_u8,
    unsigned,
)
from simbench.protocol.contract import (
    BAD_HEADER,
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
    Message,
    Options,
    Protocol,
)
from simbench.protocol.mbp10_layout import (
    ASKS,
    BIDS,
    BODY_SIZE,
    DEPTH,
    DEPTH_AT,
    EXPONENT,
    HEADER_SIZE,
    LAYOUTS,
    LEVEL_SIZE,
    LEVELS,
    MAGIC,
    ORDERS,
    QUANTITY,
    REWRITING,
    SENT_AT,
    SEQUENCE_AT,
    SIZE,
    SYMBOLS_AT,
    TIME,
    VERSION,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

SNAPSHOTS: Final = COUNTS  # counter of the one message
SYMBOLS: Final = COUNTS + 1  # 1: the channel's instruments are characters
STATE_SIZE: Final = COUNTS + 2
BAD_LEVELS: Final = -5  # a level beyond the tenth


@kernel_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read a packet's header, see protocol/contract.py; the body of one that is cut may be shorter than all are."""
    status = 0
    if end - start < HEADER_SIZE:
        status = TRUNCATED
    elif (
        load_le32(data, start) != MAGIC
        or load_u8(data, start + 4) != VERSION
        or load_u8(data, start + SYMBOLS_AT) != state[SYMBOLS]
        or load_le16(data, start + DEPTH_AT) != DEPTH
        or load_le64(data, start + SEQUENCE_AT) < 0
    ):
        status = BAD_HEADER
    if status != 0:
        state[ERROR] = status
        return status
    out = header[0]
    out["stream"] = 0
    out["session"] = 0
    out["first"] = load_le64(data, start + SEQUENCE_AT)
    out["units"] = 1
    out["flags"] = 0
    out["sent"] = load_le64(data, start + SENT_AT)
    out["start"] = start + HEADER_SIZE
    out["end"] = min(start + SIZE, end)
    return 0


@kernel_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn a snapshot into events, see protocol/contract.py; one that is malformed gives none."""
    if skip > 0:
        return 0
    status = 0
    if end - start != BODY_SIZE:
        status = TRUNCATED if end - start < BODY_SIZE else BAD_LENGTH
    elif (load_le16(data, start + BIDS) | load_le16(data, start + ASKS)) >> DEPTH != 0:
        status = BAD_LEVELS
    elif len(events) < 1 + 2 * DEPTH:
        status = TOO_MANY_EVENTS
    if status != 0:
        state[ERROR] = status
        state[UNITS] = 0
        return -1
    instrument = load_le64(data, start)
    time = load_le64(data, start + TIME)
    known = load_le16(data, start + BIDS) | load_le16(data, start + ASKS) << DEPTH
    count = 0
    for place in range(-1, 2 * DEPTH):
        if place >= 0 and known >> place & 1 == 0:
            continue
        out = events[count]
        count += 1
        out["flags"] = event.FROM_SNAPSHOT
        out["instrument_sequence"] = 0
        out["instrument"] = unsigned(instrument)
        out["order"] = 0
        out["other"] = 0
        out["priority"] = 0
        out["time"] = time
        out["sequence"] = unsigned(state[SEQUENCE])
        if place < 0:
            out["kind"] = event.SNAPSHOT
            out["side"] = event.NO_SIDE
            out["level"] = 0
            out["orders"] = -1
            out["price"] = event.NO_PRICE
            out["quantity"] = 0
        else:
            at = start + LEVELS + place * LEVEL_SIZE
            out["kind"] = event.LEVEL_OVERLAY
            out["side"] = event.ASK if place >= DEPTH else event.BID
            out["level"] = 1 + place % DEPTH
            out["orders"] = load_le_i32(data, at + ORDERS)
            out["price"] = load_le64(data, at)
            out["quantity"] = load_le64(data, at + QUANTITY)
    events[count - 1]["flags"] = event.FROM_SNAPSHOT | event.END
    state[MESSAGES] += 1
    state[SNAPSHOTS] += 1
    return count


def _setup(symbols: int, state: Words, _options: Options) -> None:
    """Write into a zeroed state what the channel's instruments are."""
    state[SYMBOLS] = symbols


def _detect(symbols: int, payload: bytes) -> bool:
    """Tell whether a payload can only be this: one whole packet."""
    head = MAGIC.to_bytes(4, "little") + bytes((VERSION, symbols)) + DEPTH.to_bytes(2, "little")
    return len(payload) == SIZE and payload.startswith(head)


def _protocol(name: str, symbols: int) -> Protocol:
    return Protocol(
        name=name,
        frame=frame,
        decode=decode,
        state_size=STATE_SIZE,
        setup=partial(_setup, symbols),
        messages=(Message("snapshot", "Snapshot", SNAPSHOTS),),
        sequence_unit="packet",
        book="level",
        text_key=bool(symbols),
        price_exponent=EXPONENT,
        quantity_exponent=EXPONENT,
        depth=DEPTH,
        implied_depth=1,  # never filled; 0 would be room for as many as a ladder can have
        versions=f"{VERSION}, of simbench itself",
        detect=partial(_detect, symbols),
        layouts=LAYOUTS,
        rewriting=REWRITING,
    )


PROTOCOL: Final = _protocol("simbench.mbp10", 0)
PROTOCOL_SYMBOLS: Final = _protocol("simbench.mbp10.symbols", 1)
