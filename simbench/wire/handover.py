"""Receiver ends of several queues that hand each other what lands on the wrong one, by lock-free rings.

Under RSS the lines of a channel may land on different queues, but its sequencer and its books are one thread's. A
queue's thread looks up who owns the group of each frame that it polls, and what is another's it describes to the owner
in a ring of one producer and one consumer. The frame itself stays where the kernel put it: all queues' frames are one
memory, the owner reads it there, and gives it back by a second ring to the queue whose frame it is.

Either ring has as many entries as a queue has frames, each of which is in it at most once: neither can be full. An
owner that falls behind keeps the other queue's frames, which that queue's socket then lacks and counts as fill_empty.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.host import (
    acquire64,
    fence,
    monotonic_ns,
    peek64,
    poke64,
    read,
    release32,
    release64,
    wait_readable,
    write,
)
from simbench.kernel.pure import kernel, kernel_as
from simbench.measure.histogram import SIZE as HISTOGRAM
from simbench.measure.histogram import Histogram, record
from simbench.wire import xdp
from simbench.wire.contract import (
    DROPS,
    POLL_SIGNATURE,
    PRIVATE,
    RECEIVED,
    RELEASE_SIGNATURE,
    WAIT_SIGNATURE,
    WORDS_SIZE,
    ReceiverEnd,
    new_words,
)
from simbench.wire.flowtable import queue_of_frame
from simbench.wire.layout import describe
from simbench.wire.xsk import frame_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

ME: Final = PRIVATE
QUEUES: Final = PRIVATE + 1
PART: Final = PRIVATE + 2  # bytes of a queue's frames
MASK: Final = PRIVATE + 3  # of every ring
ASLEEP: Final = PRIVATE + 4  # address of my flag: 1 while I wait in the kernel
POLLFDS: Final = PRIVATE + 5  # two struct pollfd: the socket, the descriptor that wakes me
TIMEOUT: Final = PRIVATE + 7  # a struct timespec, two words
SIGNAL: Final = PRIVATE + 9  # what is written to wake, and read
WAKER: Final = PRIVATE + 10  # the descriptor that wakes me
SOCKET: Final = WORDS_SIZE  # the words of my socket's end
PEERS: Final = 2 * WORDS_SIZE  # a row for each queue, mine included and unused

# A row: addresses of four rings, and where I stand in them.
TO: Final = 0  # frames of mine that are theirs
PUSHED: Final = 1
BACK: Final = 2  # from which they come back
RETURNED: Final = 3
FROM: Final = 4  # frames of theirs that are mine
TAKEN: Final = 5
GIVE: Final = 6  # by which I give them back
GIVEN: Final = 7
THEIR_SLEEP: Final = 8  # address of their flag
THEIR_WAKER: Final = 9
SHOWN: Final = 10  # of PUSHED, what they can see
PEER_WORDS: Final = 16

# A ring: how many were put in, a cache line of its own, then the entries.
FIRST: Final = 64  # bytes before the entries
ENTRY: Final = 32  # bytes: offset << 16 | length, stamp, serial, clock when it was polled

POLLIN: Final = 1


@dataclass(kw_only=True)
class HandingEnd(ReceiverEnd):
    """Where the frames come out that are this queue's to deal with, whichever queue they landed on.

    Attributes:
        queue: its number.
        queues: how many there are.
        start: of the histogram in words.
    """

    queue: int = 0
    queues: int = 1
    start: int = 0
    kept: list[Any] = field(default_factory=list, repr=False)

    @property
    def landed(self) -> int:
        """Frames that came on this queue's socket."""
        return int(self.words[SOCKET + RECEIVED])

    @property
    def handed_over(self) -> int:
        """Frames that were another's."""
        return self._sum(PUSHED)

    @property
    def taken_over(self) -> int:
        """Frames that came from other queues."""
        return self._sum(TAKEN)

    @property
    def times(self) -> Histogram:
        """From the poll of the queue that a frame landed on to the poll that took it over, ns."""
        return Histogram(self.words[self.start : self.start + HISTOGRAM])

    def _sum(self, word: int) -> int:
        rows = self.words[PEERS : PEERS + self.queues * PEER_WORDS].reshape(-1, PEER_WORDS)
        return int(rows[:, word].sum())


def open_receivers(
    interface: str, queues: Sequence[int], table: Words, *, mode: str, entries: int, frame_size: int, serials: bool
) -> list[HandingEnd]:
    """Open an end for each of some queues of an interface of the calling thread's namespace.

    Args:
        interface: its name.
        queues: rx queues.
        table: of flowtable, by group and port: who owns what; what it does not name stays where it lands.
        mode: of the XDP program.
        entries: frames of each queue, a power of two.
        frame_size: 2048 or 4096 bytes.
        serials: whether source MACs hold serials.
    """
    count, part = len(queues), entries * frame_size
    memory = frame_memory(count * part)
    begin = PEERS + count * PEER_WORDS
    blocks = [np.zeros(begin + HISTOGRAM + len(table), np.int64) for _ in queues]
    inner = xdp.open_receivers(
        interface,
        queues,
        mode=mode,
        entries=entries,
        frame_size=frame_size,
        serials=serials,
        words=[block[SOCKET : SOCKET + WORDS_SIZE] for block in blocks],
        memory=memory,
    )
    wakers = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in queues]
    flags = np.zeros((count, 8), np.int64)
    towards = np.zeros((count, count, (FIRST + entries * ENTRY) // 8), np.int64)  # from, to
    back = np.zeros((count, count, (FIRST + entries * 8) // 8), np.int64)  # from, to
    ends = []
    for me, (words, socket) in enumerate(zip(blocks, inner, strict=True)):
        new_words(words[:WORDS_SIZE], socket.max_frame)
        words[[ME, QUEUES, PART, MASK, WAKER]] = me, count, part, entries - 1, wakers[me]
        words[ASLEEP] = flags[me].ctypes.data
        words[POLLFDS : POLLFDS + 2] = socket.fileno | POLLIN << 32, wakers[me] | POLLIN << 32
        for peer in range(count):
            row = words[PEERS + peer * PEER_WORDS :]
            row[TO], row[FROM] = towards[me, peer].ctypes.data, towards[peer, me].ctypes.data
            row[GIVE], row[BACK] = back[me, peer].ctypes.data, back[peer, me].ctypes.data
            row[THEIR_SLEEP], row[THEIR_WAKER] = flags[peer].ctypes.data, wakers[peer]
        words[begin + HISTOGRAM :] = table
        end = HandingEnd(
            words, memory, socket.max_frame, socket.fileno, poll=poll, release=release, wait=wait, batch=socket.batch
        )
        end.queue, end.queues, end.start = me, count, begin
        end.description = socket.description
        end.kept = [flags, towards, back]  # whose addresses the words hold
        end.refresh, end.shut = _refresh(words, socket), _shut(words, socket, wakers[me])
        ends.append(end)
    return ends


def _refresh(words: Words, socket: ReceiverEnd) -> Any:
    def refresh() -> None:
        socket.refresh()
        for slot in DROPS.values():
            words[slot] = words[SOCKET + slot]

    return refresh


def _shut(words: Words, socket: ReceiverEnd, waker: int) -> Any:
    def shut() -> None:
        words[QUEUES] = 0
        socket.close()
        os.close(waker)

    return shut


@kernel
def _give(words: Words, offset: int) -> None:
    """Put a frame of my own socket back to be filled; the kernel sees it when the producer is released."""
    mine = words[SOCKET + xdp.OWN]
    entry = words[SOCKET + xdp.POOL] + 8 * (mine & words[SOCKET + xdp.MASK])
    poke64(entry, (offset - words[ME] * words[PART]) & -words[SOCKET + xdp.FRAME_SIZE])
    words[SOCKET + xdp.OWN] = mine + 1


@kernel
def _take_back(words: Words) -> None:
    """Fill my socket again with the frames that others are done with."""
    before = words[SOCKET + xdp.OWN]
    for queue in range(words[QUEUES]):
        row = PEERS + queue * PEER_WORDS
        if words[row + RETURNED] == words[row + SHOWN]:
            continue
        there = acquire64(words[row + BACK])
        while words[row + RETURNED] < there:
            _give(words, peek64(words[row + BACK] + FIRST + 8 * (words[row + RETURNED] & words[MASK])))
            words[row + RETURNED] += 1
    if words[SOCKET + xdp.OWN] != before:
        release32(words[SOCKET + xdp.POOL_PRODUCER], words[SOCKET + xdp.OWN])


@kernel
def _show(words: Words) -> None:
    """Let the owners see what was handed over, and wake those that sleep."""
    for queue in range(words[QUEUES]):
        row = PEERS + queue * PEER_WORDS
        if words[row + SHOWN] == words[row + PUSHED]:
            continue
        words[row + SHOWN] = words[row + PUSHED]
        release64(words[row + TO], words[row + PUSHED])
        fence()
        if acquire64(words[row + THEIR_SLEEP]) != 0:
            words[SIGNAL] = 1
            write(words[row + THEIR_WAKER], words.ctypes.data + 8 * SIGNAL, 8)


@kernel
def _take_over(words: Words, memory: Bytes, frames: Frames, count: int) -> int:
    """Add to frames[:count] what others handed over; return how many there are."""
    histogram = PEERS + words[QUEUES] * PEER_WORDS
    now = 0
    for queue in range(words[QUEUES]):
        row = PEERS + queue * PEER_WORDS
        there = acquire64(words[row + FROM])
        while words[row + TAKEN] < there and count < len(frames):
            if now == 0:
                now = monotonic_ns()
            entry = words[row + FROM] + FIRST + ENTRY * (words[row + TAKEN] & words[MASK])
            place = peek64(entry)
            describe(memory, frames, count, place >> 16, place & 0xFFFF, peek64(entry + 8), 0)
            frames[count]["ordinal"] = peek64(entry + 16)
            record(words, histogram, now - peek64(entry + 24))
            words[row + TAKEN] += 1
            count += 1
    return count


@kernel
def _any_handed(words: Words) -> bool:
    """Whether somebody handed something over that was not taken yet."""
    for queue in range(words[QUEUES]):
        row = PEERS + queue * PEER_WORDS
        if acquire64(words[row + FROM]) != words[row + TAKEN]:
            return True
    return False


@kernel_as(POLL_SIGNATURE)
def poll(words: Words, memory: Bytes, frames: Frames) -> int:
    """Hand out what landed here and is mine, then what landed elsewhere and is mine; see contract."""
    _take_back(words)
    me, queues = words[ME], words[QUEUES]
    base = me * words[PART]
    room = memory[base : base + words[PART]]
    n = xdp.poll(words[SOCKET : SOCKET + WORDS_SIZE], room, frames)
    table = words[PEERS + queues * PEER_WORDS + HISTOGRAM :]
    kept = 0
    now = 0
    for i in range(n):
        offset = frames[i]["offset"] + base
        length = int(frames[i]["captured"])
        owner = queue_of_frame(table, memory, offset, length)
        if owner < 0 or owner == me:
            if kept != i:
                frames[kept] = frames[i]
            frames[kept]["offset"] = offset
            kept += 1
            continue
        if now == 0:
            now = monotonic_ns()
        row = PEERS + owner * PEER_WORDS
        entry = words[row + TO] + FIRST + ENTRY * (words[row + PUSHED] & words[MASK])
        poke64(entry, offset << 16 | length)
        poke64(entry + 8, frames[i]["stamp"])
        poke64(entry + 16, frames[i]["ordinal"])
        poke64(entry + 24, now)
        words[row + PUSHED] += 1
    if now != 0:
        _show(words)
    kept = _take_over(words, memory, frames, kept)
    words[RECEIVED] += kept
    return kept


@kernel_as(RELEASE_SIGNATURE)
def release(words: Words, frames: Frames, n: int) -> int:
    """Give each frame back to the queue that it landed on; see contract."""
    me, part = words[ME], words[PART]
    before = words[SOCKET + xdp.OWN]
    for i in range(n):
        offset = frames[i]["offset"]
        origin = offset // part
        if origin == me:
            _give(words, offset)
            continue
        row = PEERS + origin * PEER_WORDS
        poke64(words[row + GIVE] + FIRST + 8 * (words[row + GIVEN] & words[MASK]), offset)
        words[row + GIVEN] += 1
        release64(words[row + GIVE], words[row + GIVEN])
    if words[SOCKET + xdp.OWN] != before:
        release32(words[SOCKET + xdp.POOL_PRODUCER], words[SOCKET + xdp.OWN])
    return n


@kernel_as(WAIT_SIGNATURE)
def wait(words: Words, timeout_ns: int) -> int:
    """Sleep until a frame lands here or one is handed over; see contract."""
    release64(words[ASLEEP], 1)
    fence()  # whoever hands over after this look sees the flag
    found = 1
    if not _any_handed(words):
        here = words.ctypes.data
        words[TIMEOUT] = timeout_ns // 1_000_000_000
        words[TIMEOUT + 1] = timeout_ns % 1_000_000_000
        found = wait_readable(here + 8 * POLLFDS, 2, here + 8 * TIMEOUT)
    release64(words[ASLEEP], 0)
    if words[POLLFDS + 1] >> 48 != 0:
        words[POLLFDS + 1] &= 0xFFFFFFFFFFFF
        read(words[WAKER], words.ctypes.data + 8 * SIGNAL, 8)
    return 1 if found > 0 else 0
