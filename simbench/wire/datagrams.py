"""What a receiver on UDP sockets does: read, match with the hook's records, hand on in the order of arrival, give back.

Sockets keep no order among each other, and whoever reads one of them far ahead of another sees losses that there are
not, and snapshots before what the lines sent ahead of them. So each socket's datagrams are read in batches into slots,
and handed on by the time at the hook, the oldest first: nothing goes on that came later than another socket was last
known to hold nothing, but for SLACK_NS. Sockets are read from the last to the first: what is beside a channel's lines
comes behind them in a feed, and is read before them, so that what it follows is there when it is. Without the hook
datagrams count as arrived when they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.frame import PAYLOAD_ONLY, SNAPPED
from simbench.kernel.host import acquire64, monotonic_ns, peek32, peek64, poke64, receive_many, wait_readable
from simbench.kernel.pure import inlined, kernel_as, load_le64, load_u8
from simbench.wire.contract import (
    MAC_SERIAL,
    POLL_SIGNATURE,
    PRIVATE,
    RECEIVED,
    RELEASE_SIGNATURE,
    UNMATCHED,
    WAIT_SIGNATURE,
)
from simbench.wire.programs import FIRST, FIRST_BYTES, LENGTH, NUMBER, RECORD, SOURCE, TIME
from simbench.wire.slots import HEADER_CONTROL, HEADER_CONTROL_LENGTH, HEADER_FLAGS, HEADER_MOVED, MMSGHDR

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

MSG_TRUNC: Final = 0x20
CONTROL: Final = 32  # bytes of control data a message: one cmsghdr with a 32-bit count
BATCH: Final = 64  # datagrams of one call, so that one socket does not take the slots of the others
RECORD_SLOTS: Final = 1 << 14  # a flow: more than a socket buffer of the default size holds

COUNT: Final = PRIVATE  # sockets
MASK: Final = PRIVATE + 1
SLOT_SIZE: Final = PRIVATE + 2
MINE: Final = PRIVATE + 3  # slots read into
OWN: Final = PRIVATE + 4  # slots that may be read into again
HELD: Final = PRIVATE + 5  # datagrams read and not handed on
MESSAGES: Final = PRIVATE + 6  # addresses: struct mmsghdr for each slot
POLLFDS: Final = PRIVATE + 7  # struct pollfd for each socket
ROWS: Final = PRIVATE + 8  # a row for each socket
NOTES: Final = PRIVATE + 9  # a note for each slot
RECORDS: Final = PRIVATE + 10  # the records of the first flow; 0 without a witness
TIMEOUT: Final = PRIVATE + 11  # struct timespec, two words

# A socket: descriptor, losses as last seen, number of the next record, the two of _catch_up(), the slots that are read
# and not handed on, until when all that came has been read, the time of the last one that was matched.
ROW: Final = 72  # bytes
ROW_FD, ROW_LOST, ROW_NEXT, ROW_SEEN, ROW_SINCE, ROW_HEAD, ROW_TAIL, ROW_UNTIL, ROW_TIME = range(0, ROW, 8)
# A slot: when it came, its stamp and serial, its length, whether it was cut off, whether it was given back.
NOTE: Final = 48  # bytes
NOTE_TIME, NOTE_STAMP, NOTE_SERIAL, NOTE_LENGTH, NOTE_FLAGS, NOTE_FREE = range(0, NOTE, 8)
PASSAGE_NS: Final = 5_000_000  # more than a datagram takes from the hook to its socket
SLACK_NS: Final = 5_000  # more than a look at all sockets takes: without it every datagram would wait for a second one
NEVER: Final = np.iinfo(np.int64).max


@inlined
def _record(words: Words, flow: int, number: int) -> int:
    return int(words[RECORDS]) + RECORD * (flow * RECORD_SLOTS + (number & (RECORD_SLOTS - 1)))


@inlined
def _is_same(memory: Bytes, record: int, payload: int, length: int) -> bool:
    """Compare length and first bytes with a record's."""
    if peek64(record + LENGTH) != length:
        return False
    first = min(length, FIRST_BYTES)
    at = 0
    while at + 8 <= first:
        if peek64(record + FIRST + at) != load_le64(memory, payload + at):
            return False
        at += 8
    while at < first:
        if peek32(record + FIRST + at) & 0xFF != load_u8(memory, payload + at):
            return False
        at += 1
    return True


@inlined
def _find(words: Words, memory: Bytes, flow: int, row: int, payload: int, length: int, lost: int) -> int:
    """Return the number of a datagram's record, -1 where none is surely its own.

    What the socket lost since its last datagram says how many records to step over. Where that record is another's
    (the kernel dropped a datagram before the socket), a later one is it if no second one looks the same.
    """
    number = peek64(row + ROW_NEXT)
    straight = number + lost
    record = _record(words, flow, straight)
    if acquire64(record + NUMBER) == straight + 1 and _is_same(memory, record, payload, length):
        return straight
    found = -1
    for _ in range(RECORD_SLOTS):
        record = _record(words, flow, number)
        written = acquire64(record + NUMBER)
        if written > number + 1:  # the program has been around the ring since
            number = written - RECORD_SLOTS
            continue
        if written != number + 1:
            break
        if _is_same(memory, record, payload, length):
            if found >= 0:
                return -1
            found = number
        number += 1
    return found


@inlined
def _catch_up(words: Words, flow: int, row: int) -> None:
    """Forget the records of datagrams that cannot come any more; called when the socket is empty.

    The kernel drops some without counting them on the socket (a bad checksum). Their records would stay in front and
    make later, equal datagrams ambiguous. When nothing was written for a while and the socket is empty, all is over.
    """
    written = acquire64(words[RECORDS] + RECORD * (flow - words[COUNT]))
    if written == peek64(row + ROW_NEXT):
        return
    now = monotonic_ns()
    if written != peek64(row + ROW_SEEN):
        poke64(row + ROW_SEEN, written)
        poke64(row + ROW_SINCE, now)
    elif now - peek64(row + ROW_SINCE) > PASSAGE_NS:
        poke64(row + ROW_NEXT, written)


@inlined
def _serial(source: int) -> int:
    """Read the serial out of a source MAC that was loaded as a little-endian word."""
    if source & 0xFF != MAC_SERIAL:
        return -1
    serial = 0
    for at in range(8, 48, 8):
        serial = serial << 8 | source >> at & 0xFF
    return serial


@inlined
def _note(words: Words, memory: Bytes, flow: int, slot: int, time: int) -> None:
    """Note what came into a slot: with the hook's record its stamp and serial, without it the time of reading."""
    row = words[ROWS] + ROW * flow
    message = words[MESSAGES] + MMSGHDR * slot
    note = words[NOTES] + NOTE * slot
    length = peek32(message + HEADER_MOVED)
    poke64(note + NOTE_STAMP, 0)
    poke64(note + NOTE_SERIAL, -1)
    poke64(note + NOTE_LENGTH, length)
    poke64(note + NOTE_FLAGS, PAYLOAD_ONLY | (SNAPPED if peek32(message + HEADER_FLAGS) & MSG_TRUNC else 0))
    poke64(note + NOTE_FREE, 0)
    lost = 0
    if peek64(message + HEADER_CONTROL_LENGTH) >= 20:
        lost = peek32(peek64(message + HEADER_CONTROL) + 16)
    poke64(message + HEADER_CONTROL_LENGTH, CONTROL)
    if words[RECORDS] != 0:
        missed = (lost - peek64(row + ROW_LOST)) & 0xFFFFFFFF
        poke64(row + ROW_LOST, lost)
        number = _find(words, memory, flow, row, slot * words[SLOT_SIZE], length, missed)
        matched = False
        if number >= 0:
            record = _record(words, flow, number)
            stamp, source = peek64(record + TIME), peek64(record + SOURCE)
            poke64(row + ROW_NEXT, number + 1)
            matched = acquire64(record + NUMBER) == number + 1  # not written over meanwhile
            if matched:
                poke64(note + NOTE_STAMP, stamp)
                poke64(note + NOTE_SERIAL, _serial(source))
                poke64(row + ROW_TIME, stamp)
        if not matched:
            words[UNMATCHED] += 1
        time = peek64(row + ROW_TIME)
    poke64(note + NOTE_TIME, time)


@inlined
def _read(words: Words, memory: Bytes, flow: int) -> None:
    """Read a batch of a socket of which nothing is held."""
    row = words[ROWS] + ROW * flow
    mask, mine = int(words[MASK]), int(words[MINE])
    room = min(mask + 1 - (mine - words[OWN]), mask + 1 - (mine & mask), BATCH)
    got = 0
    until = NEVER
    if room > 0:
        until = monotonic_ns() + SLACK_NS
        got = max(receive_many(peek64(row + ROW_FD), words[MESSAGES] + MMSGHDR * (mine & mask), room), 0)
        if got == 0 and words[RECORDS] != 0:
            _catch_up(words, flow, row)
    now = monotonic_ns() if got > 0 and words[RECORDS] == 0 else 0
    for i in range(got):
        _note(words, memory, flow, (mine + i) & mask, now)
    poke64(row + ROW_HEAD, mine)
    poke64(row + ROW_TAIL, mine + got)
    poke64(row + ROW_UNTIL, until if got < room or room <= 0 else 0)
    words[MINE] = mine + got
    words[HELD] += got


@inlined
def _oldest(words: Words) -> int:
    """Return the socket whose datagram is to be handed on; -1 where none is held, or another has to be read first."""
    oldest = -1
    lowest = until = NEVER
    for flow in range(words[COUNT]):
        row = words[ROWS] + ROW * flow
        head = peek64(row + ROW_HEAD)
        if head == peek64(row + ROW_TAIL):
            until = min(until, peek64(row + ROW_UNTIL))
            continue
        time = peek64(words[NOTES] + NOTE * (head & words[MASK]) + NOTE_TIME)
        if time < lowest:
            oldest = flow
            lowest = time
    return oldest if lowest <= until else -1


@inlined
def _hand_on(words: Words, frames: Frames, n: int, flow: int) -> None:
    """Make the oldest datagram that is held of a socket frames[n]."""
    row = words[ROWS] + ROW * flow
    head = peek64(row + ROW_HEAD)
    poke64(row + ROW_HEAD, head + 1)
    words[HELD] -= 1
    slot = head & words[MASK]
    note = words[NOTES] + NOTE * slot
    length = peek64(note + NOTE_LENGTH)
    frame = frames[n]
    frame["offset"] = slot * words[SLOT_SIZE]
    frame["payload"] = slot * words[SLOT_SIZE]
    frame["captured"] = length
    frame["wire"] = length
    frame["payload_length"] = length
    frame["trailer"] = 0
    frame["flow"] = flow
    frame["interface"] = 0
    frame["capture"] = 0
    frame["flags"] = peek64(note + NOTE_FLAGS)
    frame["link"] = 0
    frame["stamp"] = peek64(note + NOTE_STAMP)
    frame["ordinal"] = peek64(note + NOTE_SERIAL)


@kernel_as(POLL_SIGNATURE)
def poll(words: Words, memory: Bytes, frames: Frames) -> int:
    """Read what the sockets hold and hand it on in the order in which it came; see contract."""
    n = 0
    for _ in range(2):  # what came during the first look is behind none of the second
        for flow in range(words[COUNT] - 1, -1, -1):
            row = words[ROWS] + ROW * flow
            if peek64(row + ROW_HEAD) == peek64(row + ROW_TAIL):
                _read(words, memory, flow)
        flow = 0
        while n < len(frames) and words[HELD] > 0 and flow >= 0:
            flow = _oldest(words)
            if flow >= 0:
                _hand_on(words, frames, n, flow)
                n += 1
        if n > 0 or words[HELD] == 0:
            break
    words[RECEIVED] += n
    return n


@kernel_as(RELEASE_SIGNATURE)
def release(words: Words, frames: Frames, n: int) -> int:
    """Give the datagrams' slots back; one can be read into again when those before it can, too; see contract."""
    for i in range(n):
        poke64(words[NOTES] + NOTE * (frames[i]["offset"] // words[SLOT_SIZE]) + NOTE_FREE, 1)
    while words[OWN] < words[MINE]:
        free = words[NOTES] + NOTE * (words[OWN] & words[MASK]) + NOTE_FREE
        if peek64(free) == 0:
            break
        poke64(free, 0)
        words[OWN] += 1
    return n


@kernel_as(WAIT_SIGNATURE)
def wait(words: Words, timeout_ns: int) -> int:
    """Sleep in poll(2) until a socket has a datagram; see contract."""
    if words[HELD] > 0:
        return 1
    words[TIMEOUT] = timeout_ns // 1_000_000_000
    words[TIMEOUT + 1] = timeout_ns % 1_000_000_000
    return 1 if wait_readable(words[POLLFDS], words[COUNT], words.ctypes.data + 8 * TIMEOUT) > 0 else 0
