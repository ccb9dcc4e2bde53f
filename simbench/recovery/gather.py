"""Kernels that take every message of a MoldUDP64 channel out of a capture once, and put some of them into a datagram.

A range is a run of messages that one datagram brought first. What no datagram has brought yet of a session is known as
holes, in order, and everything from its next sequence on; so a line that repeats another costs one look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, NO_PAYLOAD
from simbench.kernel.pure import copy_bytes, kernel, load_be16
from simbench.protocol.moldudp64 import HEADER_SIZE, read_header, whole
from simbench.protocol.sessions import MAX_SESSIONS, SESSION_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

RANGE: Final = np.dtype(
    [
        ("first", "i8"),  # sequence
        ("stamp", "i8"),  # ns since 1970, of the datagram that brought it
        ("at", "i8"),  # of the first message's length in the store
        ("units", "i4"),
        ("session", "i4"),
    ],
    align=True,
)

# Words of a channel's gathering.
SESSIONS: Final = 0  # the table of names
NEXT: Final = SESSION_WORDS  # of each session: the sequence from which on nothing is known; 0 while it was never seen
COUNTS: Final = NEXT + MAX_SESSIONS  # of each session: its ranges
FRAME: Final = COUNTS + MAX_SESSIONS  # the frame of the block that is next
ROWS: Final = FRAME + 1  # ranges in the buffer
USED: Final = FRAME + 2  # bytes in the buffer
STORED: Final = FRAME + 3  # bytes in the store before those in the buffer
HOLES: Final = FRAME + 4  # how many there are
MESSAGES: Final = FRAME + 5  # gathered
MALFORMED: Final = FRAME + 6  # datagrams that promise more than they hold, or have no good header
UNSORTED: Final = FRAME + 7  # 1: a range lies below one before it
LAST_SESSION: Final = FRAME + 8  # of the last range
LAST_FIRST: Final = FRAME + 9
GATHER_WORDS: Final = FRAME + 16

# Columns of a hole; sorted by session and first.
HOLE_SESSION: Final = 0
HOLE_FIRST: Final = 1
HOLE_LAST: Final = 2
HOLE_COLUMNS: Final = 3

# Statuses.
DONE: Final = 0
FULL: Final = 1  # ranges and bytes have to be written away
CROWDED: Final = 2  # no room for another hole

# What `pack` says besides the messages.
LENGTH: Final = 0  # bytes of the datagram
EARLY: Final = 1  # 1: it ended at a message that has not been sent yet
PACK_WORDS: Final = 2


@kernel
def gather(
    data: Bytes,
    frames: Records,
    wanted: Bytes,
    verify: int,
    words: Words,
    holes: NDArray[np.int64],
    header: Records,
    ranges: Records,
    out: Bytes,
) -> int:
    """Take what is new in a block's frames; return DONE, or what has to be done before the next call with the same.

    Args:
        data: uint8[n], the block.
        frames: FRAME[m], dissected.
        wanted: uint8 per flow, 1 for a line of the channel.
        verify: 1 where a wrong checksum is loss.
        words: int64[GATHER_WORDS].
        holes: int64[k, HOLE_COLUMNS].
        header: HEADER[1], scratch.
        ranges: RANGE[r], the buffer of ranges.
        out: uint8[b], the buffer of messages, each behind its length; larger than any datagram.
    """
    while words[FRAME] < len(frames):
        frame = frames[words[FRAME]]
        flow, flags = frame["flow"], frame["flags"]
        lost = verify != 0 and flags & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM) != 0
        if flow < 0 or flags & NO_PAYLOAD or lost or wanted[flow] == 0:
            words[FRAME] += 1
            continue
        start = frame["payload"]
        end = start + frame["payload_length"]
        if read_header(data, start, end, words, SESSIONS, header) < 0:
            words[MALFORMED] += 1
        elif header[0]["units"] > 0:
            promised = int(header[0]["units"])
            units = whole(data, start + HEADER_SIZE, end, promised)
            if units > 0:
                session, first = int(header[0]["session"]), int(header[0]["first"])
                status = _take(
                    data, start + HEADER_SIZE, session, first, units, frame["stamp"], words, holes, ranges, out
                )
                if status != DONE:
                    return int(status)
            words[MALFORMED] += units < promised
        words[FRAME] += 1
    return DONE


@kernel
def behind(data: Bytes, at: int, units: int) -> int:
    """Return where so many messages from data[at] on end."""
    for _ in range(units):
        at += 2 + load_be16(data, at)
    return at


@kernel
def _take(
    data: Bytes,
    at: int,
    session: int,
    first: int,
    units: int,
    stamp: int,
    words: Words,
    holes: NDArray[np.int64],
    ranges: Records,
    out: Bytes,
) -> int:
    """Take what is new of a datagram's messages; what was taken is no hole any more, so it can be called again."""
    last = first + units - 1
    if words[NEXT + session] == 0:
        if first > 1:
            if words[HOLES] == len(holes):
                return CROWDED
            _open(words, holes, session, 1, first - 1)
        words[NEXT + session] = first
    while True:
        following = words[NEXT + session]
        hole = _hole_from(words, holes, session, first)
        if hole < words[HOLES] and holes[hole, HOLE_SESSION] == session and holes[hole, HOLE_FIRST] <= last:
            low, high = max(first, holes[hole, HOLE_FIRST]), min(last, holes[hole, HOLE_LAST])
        elif last >= following:
            low, high = max(first, following), last
        else:
            return DONE
        begin = behind(data, at, low - first)
        size = behind(data, begin, high - low + 1) - begin
        if words[ROWS] == len(ranges) or words[USED] + size > len(out):
            return FULL
        if words[HOLES] == len(holes):
            return CROWDED
        if low >= following:
            if low > following:
                _open(words, holes, session, following, low - 1)
            words[NEXT + session] = high + 1
        else:
            _fill(words, holes, hole, low, high)
        copy_bytes(out, words[USED], data, begin, size)
        row = ranges[words[ROWS]]
        row["first"] = low
        row["stamp"] = stamp
        row["at"] = words[STORED] + words[USED]
        row["units"] = high - low + 1
        row["session"] = session
        words[UNSORTED] |= session < words[LAST_SESSION] or (session == words[LAST_SESSION] and low < words[LAST_FIRST])
        words[LAST_SESSION] = session
        words[LAST_FIRST] = low
        words[ROWS] += 1
        words[USED] += size
        words[COUNTS + session] += 1
        words[MESSAGES] += high - low + 1


@kernel
def _hole_from(words: Words, holes: NDArray[np.int64], session: int, sequence: int) -> int:
    """Return the first hole that ends at a sequence of a session or behind it; the number of holes where none does."""
    low, high = 0, int(words[HOLES])
    while low < high:
        middle = (low + high) // 2
        other = holes[middle, HOLE_SESSION]
        if other < session or (other == session and holes[middle, HOLE_LAST] < sequence):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _open(words: Words, holes: NDArray[np.int64], session: int, first: int, last: int) -> None:
    """Put a hole in its place; there is room for it."""
    place = _hole_from(words, holes, session, first)
    for row in range(words[HOLES], place, -1):
        for column in range(HOLE_COLUMNS):
            holes[row, column] = holes[row - 1, column]
    holes[place, HOLE_SESSION] = session
    holes[place, HOLE_FIRST] = first
    holes[place, HOLE_LAST] = last
    words[HOLES] += 1


@kernel
def _fill(words: Words, holes: NDArray[np.int64], hole: int, low: int, high: int) -> None:
    """Take low to high out of the hole that they lie in; there is room for another."""
    session, last = holes[hole, HOLE_SESSION], holes[hole, HOLE_LAST]
    if low > holes[hole, HOLE_FIRST]:
        holes[hole, HOLE_LAST] = low - 1
        if high < last:
            _open(words, holes, session, high + 1, last)
    elif high < last:
        holes[hole, HOLE_FIRST] = high + 1
    else:
        words[HOLES] -= 1
        for row in range(hole, words[HOLES]):
            for column in range(HOLE_COLUMNS):
                holes[row, column] = holes[row + 1, column]


@kernel
def pack(
    ranges: Records,
    store: Bytes,
    low: int,
    high: int,
    first: int,
    most: int,
    until: int,
    limit: int,
    out: Bytes,
    words: Words,
) -> int:
    """Write messages of a session behind where a datagram's header goes; return how many.

    Args:
        ranges: RANGE[n]; ranges[low:high] are the session's, sorted.
        store: uint8[m] that they point into.
        low: of the session.
        high: likewise.
        first: sequence of the first message.
        most: messages.
        until: ns since 1970; what was stamped later has not been sent yet.
        limit: bytes of the datagram; one message is written whatever its size.
        out: uint8[65,507], the datagram.
        words: int64[PACK_WORDS], filled.
    """
    words[LENGTH] = HEADER_SIZE
    words[EARLY] = 0
    start, end = low, high
    while start < end:  # to the first range that starts behind `first`
        middle = (start + end) // 2
        if ranges[middle]["first"] > first:
            end = middle
        else:
            start = middle + 1
    count = 0
    for index in range(max(start - 1, low), high):
        row = ranges[index]
        skipped = first + count - row["first"]
        if skipped < 0 or skipped >= row["units"]:
            break
        if row["stamp"] > until:
            words[EARLY] = 1
            break
        at = behind(store, row["at"], skipped)
        for _ in range(row["units"] - skipped):
            size = 2 + load_be16(store, at)
            if count == most or words[LENGTH] + size > (limit if count > 0 else len(out)):
                return count
            copy_bytes(out, words[LENGTH], store, at, size)
            words[LENGTH] += size
            at += size
            count += 1
    return count
