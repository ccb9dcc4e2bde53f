"""MoldUDP64 1.00, Nasdaq's framing: which messages of which session a datagram carries.

A packet is session char[10], sequence u64 (of the first message), count u16, then count blocks of {length u16, data},
all big-endian. Count 0 is a heartbeat and 0xFFFF the end of the session; both carry the next expected sequence.

A packet whose blocks go beyond its end was cut, or a length or the count is wrong: nothing of it can be trusted then.
Bytes behind the last block are left to the decoder, which has all messages by then.

The body that is handed on starts at the count, not behind it, so that whoever decodes it, perhaps much later and out
of a slab, knows how many messages the packet promised.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from numba import njit

from simbench.kernel.pure import direct, load_be16, load_be64
from simbench.protocol.contract import BAD_HEADER, END_OF_SESSION, HEARTBEAT, TRUNCATED
from simbench.protocol.rewriting import Number, Rewriting
from simbench.protocol.sessions import intern_session, sessions_met

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

LAYOUT: Final = (("session", 0, "text10"), ("sequence", 10, "u64"), ("count", 18, "u16"))
HEADER_SIZE: Final = 20
COUNT_AT: Final = 18
REQUEST: Final = ">10sQH"  # of the packet that asks for messages again: the header that they would come under
END_COUNT: Final = 0xFFFF
HIGHEST: Final = 1 << 62  # sequence: no session gets there, and sums with it cannot wrap


@njit(inline="always")
def read_header(data: Bytes, start: int, end: int, words: Words, sessions: int, header: Records) -> int:
    """Fill header[0] from the packet data[start:end]; 0, or a code of malformation.

    Args:
        data: uint8[n].
        start: of the datagram.
        end: behind it.
        words: the channel's state.
        sessions: where its table of sessions starts.
        header: HEADER[1].
    """
    if end - start < HEADER_SIZE:
        return TRUNCATED
    first = load_be64(data, start + 10)
    count = load_be16(data, start + COUNT_AT)
    if first < 0 or first > HIGHEST:
        return BAD_HEADER
    session = intern_session(words, sessions, load_be64(data, start), load_be16(data, start + 8))
    if session < 0:
        return BAD_HEADER
    out = header[0]
    out["stream"] = 0
    out["session"] = session
    out["first"] = first
    out["units"] = count
    out["flags"] = 0
    if count == 0:
        out["flags"] = HEARTBEAT
    elif count == END_COUNT:
        out["units"] = 0
        out["flags"] = HEARTBEAT | END_OF_SESSION
    out["sent"] = 0
    out["start"] = start + COUNT_AT
    out["end"] = end
    return 0


@direct
def whole(data: Bytes, at: int, end: int, units: int) -> int:
    """Return how many of so many messages, each behind its length, lie whole in data[at:end]."""
    for unit in range(units):
        if at + 2 > end or at + 2 + load_be16(data, at) > end:
            return unit
        at += 2 + load_be16(data, at)
    return units


def session_names(words: Words, at: int) -> tuple[str, ...]:
    """Return the names in a table of sessions, by index; NULs and trailing spaces dropped."""
    return tuple(raw.decode("ascii", "replace").rstrip("\0 ") for raw in raw_sessions(words, at))


def raw_sessions(words: Words, at: int) -> tuple[bytes, ...]:
    """Return the ten characters of each session in a table, by index, as they were on the wire."""
    mask = (1 << 64) - 1
    met = sessions_met(words, at)
    return tuple((head & mask).to_bytes(8, "big") + tail.to_bytes(2, "big") for head, tail in met)


def request(session: bytes, first: int, count: int) -> bytes:
    """Return the packet that asks a re-request server for messages (section "Request Packet").

    Args:
        session: ten characters.
        first: sequence of the first message.
        count: messages; more than a packet can ask for are asked for by the next.
    """
    return struct.pack(REQUEST, session, first, min(count, END_COUNT - 1))


def message_bounds(packet: bytes) -> tuple[int, ...]:
    """Return where each message block of a packet starts, and where the last ends; () where they do not fill it."""
    bounds = [HEADER_SIZE]
    for _ in range(COUNT.read(packet)):
        bounds.append(bounds[-1] + 2 + int.from_bytes(packet[bounds[-1] : bounds[-1] + 2], "big"))
        if bounds[-1] > len(packet):
            return ()
    return tuple(bounds) if bounds[-1] == len(packet) else ()


COUNT: Final = Number(COUNT_AT, 2, big=True)
REWRITING: Final = Rewriting(
    header=HEADER_SIZE,
    sequence=Number(10, 8, big=True),
    session=(0, 10),
    count=COUNT,
    bounds=message_bounds,
)
