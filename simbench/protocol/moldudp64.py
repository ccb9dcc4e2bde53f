"""MoldUDP64 1.00, Nasdaq's framing: which messages of which session a datagram carries.

A packet is session char[10], sequence u64 (of the first message), count u16, then count blocks of {length u16, data},
all big-endian. Count 0 is a heartbeat and 0xFFFF the end of the session; both carry the next expected sequence.

The body that is handed on starts at the count, not behind it, so that whoever decodes it, perhaps much later and out
of a slab, knows how many messages the packet promised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import njit

from simbench.kernel.pure import load_be16, load_be64
from simbench.protocol.contract import BAD_HEADER, END_OF_SESSION, HEARTBEAT, TRUNCATED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

LAYOUT: Final = (("session", 0, "text10"), ("sequence", 10, "u64"), ("count", 18, "u16"))
HEADER_SIZE: Final = 20
COUNT_AT: Final = 18
END_COUNT: Final = 0xFFFF
HIGHEST: Final = 1 << 62  # sequence: no session gets there, and sums with it cannot wrap
MAX_SESSIONS: Final = 64  # names that a channel remembers; a session more is a malformed header, never a wrong name
SESSION_WORDS: Final = 2 + 2 * MAX_SESSIONS  # how many there are, the last one met, then two words a name


@njit(inline="always")
def intern_session(words: Words, at: int, head: int, tail: int) -> int:
    """Return the index of a session's name in the table at words[at:at + SESSION_WORDS], -1 when it is full.

    Args:
        words: a state that holds the table.
        at: where it starts.
        head: the name's first 8 characters, big-endian.
        tail: its last 2.
    """
    known, last = words[at], words[at + 1]
    if known > 0 and words[at + 2 + 2 * last] == head and words[at + 3 + 2 * last] == tail:
        return int(last)
    for index in range(known):
        if words[at + 2 + 2 * index] == head and words[at + 3 + 2 * index] == tail:
            words[at + 1] = index
            return index
    if known == MAX_SESSIONS:
        return -1
    words[at + 2 + 2 * known] = head
    words[at + 3 + 2 * known] = tail
    words[at] = known + 1
    words[at + 1] = known
    return int(known)


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


def session_names(words: Words, at: int) -> tuple[str, ...]:
    """Return the names in a table of sessions, by index; NULs and trailing spaces dropped."""
    mask = (1 << 64) - 1
    names = []
    for index in range(int(words[at])):
        head, tail = (int(word) & mask for word in words[at + 2 + 2 * index : at + 4 + 2 * index])
        raw = head.to_bytes(8, "big") + tail.to_bytes(2, "big")
        names.append(raw.decode("ascii", "replace").rstrip("\0 "))
    return tuple(names)
