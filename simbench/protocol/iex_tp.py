"""IEX-TP, IEX's framing: which messages of which session a datagram carries.

A segment is a header of 40 bytes and count blocks of {length u16, data}, all little-endian; a datagram is one segment.
Count 0 is a heartbeat, which carries the next expected sequence. The sequence numbers messages. Lines carry the same
messages but need not cut them into the same segments, and each sends at a time of its own: the body that is handed on
is the messages alone, so that copies are equal. Source: IEX Transport Specification, "Outbound segment".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import njit

from simbench.kernel.pure import load_le16, load_le32, load_le64, load_u8
from simbench.protocol.contract import BAD_HEADER, HEARTBEAT, TRUNCATED
from simbench.protocol.rewriting import Number, Rewriting
from simbench.protocol.sessions import intern_session, sessions_met

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

LAYOUT: Final = (
    ("version", 0, "u8"),
    ("reserved", 1, "u8"),
    ("protocol", 2, "u16"),
    ("channel", 4, "u32"),
    ("session", 8, "u32"),
    ("payload_length", 12, "u16"),
    ("count", 14, "u16"),
    ("stream_offset", 16, "i64"),
    ("first_sequence", 24, "i64"),
    ("sent", 32, "i64"),
)
HEADER_SIZE: Final = 40
VERSION: Final = 1
TOPS_ID: Final = 0x8003
DEEP_ID: Final = 0x8004
DEEP_PLUS_ID: Final = 0x8005


@njit(inline="always")
def read_header(data: Bytes, start: int, end: int, protocol: int, words: Words, sessions: int, header: Records) -> int:
    """Fill header[0] from the segment at data[start:end]; 0, or a code of malformation.

    Args:
        data: uint8[n].
        start: of the datagram.
        end: behind it.
        protocol: message protocol id that the channel carries; any other is malformed.
        words: the channel's state.
        sessions: where its table of sessions starts.
        header: HEADER[1].
    """
    if end - start < HEADER_SIZE:
        return TRUNCATED
    length = load_le16(data, start + 12)
    count = load_le16(data, start + 14)
    first = load_le64(data, start + 24)
    if load_u8(data, start) != VERSION or load_le16(data, start + 2) != protocol:
        return BAD_HEADER
    if first < 0 or (length == 0) != (count == 0):
        return BAD_HEADER
    body = start + HEADER_SIZE
    if body + length > end or not _is_filled(data, body, body + length, count):
        return TRUNCATED
    session = intern_session(words, sessions, load_le32(data, start + 8), 0)
    if session < 0:
        return BAD_HEADER
    out = header[0]
    out["stream"] = load_le32(data, start + 4)
    out["session"] = session
    out["first"] = first
    out["units"] = count
    out["flags"] = HEARTBEAT if count == 0 else 0
    out["sent"] = load_le64(data, start + 32)
    out["start"] = body
    out["end"] = body + length
    return 0


@njit(inline="always")
def _is_filled(data: Bytes, at: int, end: int, units: int) -> bool:
    """Tell whether so many messages, each behind its length, do not go beyond data[at:end]."""
    for _unit in range(units):
        if at + 2 > end:
            return False
        at += 2 + load_le16(data, at)
    return at <= end


def session_names(words: Words, at: int) -> tuple[str, ...]:
    """Return the sessions in a table of them, by index: their numbers."""
    return tuple(str(number) for number, _none in sessions_met(words, at))


def blocks(payload: bytes, protocol: int) -> list[bytes] | None:
    """Return the messages of a payload that is exactly one segment of a protocol; None where it is not."""
    version, length, count = payload[:1], payload[12:14], payload[14:16]
    head = version == bytes((VERSION,)) and payload[2:4] == protocol.to_bytes(2, "little")
    if not head or len(payload) != HEADER_SIZE + int.from_bytes(length, "little"):
        return None
    at, found = HEADER_SIZE, []
    for _message in range(int.from_bytes(count, "little")):
        behind = at + 2 + int.from_bytes(payload[at : at + 2], "little")
        found.append(payload[at + 2 : behind])
        at = behind
    return found if at == len(payload) else None


def message_bounds(segment: bytes) -> tuple[int, ...]:
    """Return where each message block of a segment starts, and where the last ends; () where they do not fill it."""
    bounds = [HEADER_SIZE]
    for _message in range(COUNT.read(segment)):
        bounds.append(bounds[-1] + 2 + int.from_bytes(segment[bounds[-1] : bounds[-1] + 2], "little"))
        if bounds[-1] > len(segment):
            return ()
    return tuple(bounds) if bounds[-1] == len(segment) else ()


COUNT: Final = Number(14, 2, big=False)
REWRITING: Final = Rewriting(
    header=HEADER_SIZE,
    sequence=Number(24, 8, big=False),
    count=COUNT,
    length=Number(12, 2, big=False),
    position=Number(16, 8, big=False),
    bounds=message_bounds,
)
