"""The ring: shared memory between two processes, laid out like an AF_XDP ring pair; no privilege, no kernel.

    create(entries, frame_size) -> fd of a memfd     attach_sender(fd), attach_receiver(fd) -> ends

The fill ring holds the frames that the sender may write, the rx ring descriptors (offset, length) of those it wrote.
Each ring has an entry for every frame, so neither can overflow, and one index each has to be shared: the sender's
`produced` and the receiver's `filled`. Indices only grow; the entry is the index modulo the entries.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.kernel.host import acquire64, fence, peek64, poke64, release64, sleep_while, wake
from simbench.kernel.pure import copy_bytes, kernel_as, prefetch
from simbench.wire.contract import (
    COMMIT_SIGNATURE,
    MAX_FRAME,
    NO_ROOM,
    POLL_SIGNATURE,
    PREPARE_SIGNATURE,
    PRIVATE,
    RECEIVED,
    RELEASE_SIGNATURE,
    SENT,
    TOO_LONG,
    TOO_LONG_FRAMES,
    WAIT_SIGNATURE,
    ReceiverEnd,
    SenderEnd,
    new_words,
)
from simbench.wire.layout import describe, sign

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

MAGIC: Final = 0x474E49524D4953  # "SIMRING", little-endian
RING_VERSION: Final = 1
MOST_ENTRIES: Final = 1 << 20
COLOURS: Final = 8  # frames start at so many different cache lines of their slot, or they would share few cache sets

# The header, in bytes; what different sides write is 128 apart, since cores fetch pairs of cache lines.
HEADER: Final = struct.Struct("<4q")  # magic, version, entries, frame size
PRODUCED: Final = 128  # the sender's
FILLED: Final = 256  # the receiver's
SLEEPING: Final = 384  # 1 while the receiver sleeps on PRODUCED
SENDER_BEAT: Final = 512  # CLOCK_MONOTONIC at the side's last sign of life, 0 before the first
RECEIVER_BEAT: Final = 640
RINGS: Final = 1024  # fill ring (8 bytes an entry), then rx ring (16), then, at a page, the frames

# Private words of either end.
BASE: Final = PRIVATE  # address of the header
FILL: Final = PRIVATE + 1  # address of the fill ring
RX: Final = PRIVATE + 2  # address of the rx ring
MASK: Final = PRIVATE + 3
MINE: Final = PRIVATE + 4  # sender: frames prepared; receiver: frames polled
THEIRS: Final = PRIVATE + 5  # the other side's index as last seen
OWN: Final = PRIVATE + 6  # this side's index as last published
TIMEOUT: Final = PRIVATE + 7  # struct timespec, two words

_CLOSED = np.zeros(2 * RINGS, np.uint8)  # what an end that was closed points to: a ring with no room and no frames


def create(entries: int = 4096, frame_size: int = 2048) -> int:
    """Create a ring and return its descriptor, to be inherited by the processes that attach to it.

    Args:
        entries: frames, a power of two; what a slow receiver can fall behind before frames are dropped.
        frame_size: bytes of a slot, 1024 or more; frames may be 448 shorter than that, at most.
    """
    if entries < 1 or entries & (entries - 1) or entries > MOST_ENTRIES:
        raise SimbenchError(f"a ring has a power of two of entries, at most {MOST_ENTRIES}, not {entries}")
    if frame_size < 1024 or frame_size > 1 << 17 or frame_size % 64:
        raise SimbenchError(f"a ring's frames have 1024 to 131072 bytes, a multiple of 64, not {frame_size}")
    fd = os.memfd_create("simbench-ring", os.MFD_CLOEXEC)
    os.ftruncate(fd, _frames_at(entries) + entries * frame_size)
    with mmap.mmap(fd, _frames_at(entries)) as shared:
        HEADER.pack_into(shared, 0, MAGIC, RING_VERSION, entries, frame_size)
        for entry in range(entries):
            struct.pack_into("<q", shared, RINGS + 8 * entry, entry * frame_size + (entry % COLOURS) * 64)
        struct.pack_into("<q", shared, FILLED, entries)
    return fd


def slot_for(max_frame: int) -> int:
    """Return the frame size of a ring that carries frames of so many bytes."""
    return (max_frame + 63) // 64 * 64 + (COLOURS - 1) * 64


def attach_sender(fd: int, words: Words | None = None) -> SenderEnd:
    """Return the sender end of a ring; frames that an earlier sender prepared and did not commit are forgotten."""
    shared, entries, frame_size = _map(fd)
    words = _attach(shared, entries, frame_size, words)
    words[MINE] = words[OWN] = _shared(words, PRODUCED).value
    words[THEIRS] = _shared(words, FILLED).value
    end = SenderEnd(words, shared[_frames_at(entries) :], int(words[MAX_FRAME]), prepare=prepare, commit=commit)
    end.description = f"shared-memory ring of {entries} frames"
    end.shut = lambda: _detach(words)
    return end


def attach_receiver(fd: int, words: Words | None = None) -> ReceiverEnd:
    """Return the receiver end of a ring; it starts with what an earlier receiver did not release."""
    shared, entries, frame_size = _map(fd)
    words = _attach(shared, entries, frame_size, words)
    words[OWN] = _shared(words, FILLED).value
    words[MINE] = words[THEIRS] = words[OWN] - entries
    end = ReceiverEnd(
        words,
        shared[_frames_at(entries) :],
        int(words[MAX_FRAME]),
        poll=poll,
        release=release,
        wait=wait,
        batch=entries,
    )
    end.description = f"shared-memory ring of {entries} frames"
    end.shut = lambda: _detach(words)
    return end


def beat(end: SenderEnd | ReceiverEnd) -> None:
    """Give a sign of life that the other process can see."""
    mine = SENDER_BEAT if isinstance(end, SenderEnd) else RECEIVER_BEAT
    _shared(end.words, mine).value = time.monotonic_ns()


def last_beat(end: SenderEnd | ReceiverEnd) -> int:
    """Return CLOCK_MONOTONIC, in ns, of the other side's last sign of life; 0 before the first."""
    theirs = RECEIVER_BEAT if isinstance(end, SenderEnd) else SENDER_BEAT
    return _shared(end.words, theirs).value


@kernel_as(PREPARE_SIGNATURE)
def prepare(words: Words, memory: Bytes, source: Bytes, offset: int, length: int, serial: int) -> int:
    """Copy a frame into the next slot that the receiver gave back; see contract."""
    if length > words[MAX_FRAME]:
        words[TOO_LONG_FRAMES] += 1
        return TOO_LONG
    mine = words[MINE]
    if mine == words[THEIRS]:
        words[THEIRS] = acquire64(words[BASE] + FILLED)
        if mine == words[THEIRS]:
            return NO_ROOM
    mask = words[MASK]
    frame = peek64(words[FILL] + 8 * (mine & mask))
    copy_bytes(memory, frame, source, offset, length)
    if serial >= 0:
        sign(memory, frame, serial)
    entry = words[RX] + 16 * (mine & mask)
    poke64(entry, frame)
    poke64(entry + 8, length)
    words[MINE] = mine + 1
    ahead = peek64(words[FILL] + 8 * ((mine + 16) & mask))
    prefetch(memory, ahead)
    prefetch(memory, ahead + 64)
    return 1


@kernel_as(COMMIT_SIGNATURE)
def commit(words: Words, count: int) -> int:
    """Show the receiver the oldest `count` prepared frames; see contract."""
    count = min(count, int(words[MINE] - words[OWN]))
    if count > 0:
        words[OWN] += count
        base = words[BASE]
        release64(base + PRODUCED, words[OWN])
        words[SENT] += count
        fence()  # or the receiver could go to sleep between its look at the index and ours at its flag
        if peek64(base + SLEEPING) != 0:
            poke64(base + SLEEPING, 0)
            wake(base + PRODUCED)
    return count


@kernel_as(POLL_SIGNATURE)
def poll(words: Words, memory: Bytes, frames: Frames) -> int:
    """Hand out the frames that the sender has committed; see contract."""
    mine = words[MINE]
    available = int(words[THEIRS] - mine)
    if available == 0:
        words[THEIRS] = acquire64(words[BASE] + PRODUCED)
        available = int(words[THEIRS] - mine)
        if available == 0:
            return 0
    n = min(available, len(frames))
    rx, mask = words[RX], words[MASK]
    for i in range(n):
        if i + 4 < n:
            prefetch(memory, peek64(rx + 16 * ((mine + i + 4) & mask)))
        entry = rx + 16 * ((mine + i) & mask)
        describe(memory, frames, i, peek64(entry), peek64(entry + 8), 0, 1)
    words[MINE] = mine + n
    words[RECEIVED] += n
    return n


@kernel_as(RELEASE_SIGNATURE)
def release(words: Words, frames: Frames, n: int) -> int:
    """Give frames back to the sender; see contract."""
    own, fill, mask = words[OWN], words[FILL], words[MASK]
    for i in range(n):
        poke64(fill + 8 * ((own + i) & mask), frames[i]["offset"])
    words[OWN] = own + n
    release64(words[BASE] + FILLED, own + n)
    return n


@kernel_as(WAIT_SIGNATURE)
def wait(words: Words, timeout_ns: int) -> int:
    """Sleep until the sender commits; see contract."""
    base = words[BASE]
    mine = words[MINE]
    if words[THEIRS] != mine or acquire64(base + PRODUCED) != mine:
        return 1
    poke64(base + SLEEPING, 1)
    fence()
    if acquire64(base + PRODUCED) == mine:
        words[TIMEOUT] = timeout_ns // 1_000_000_000
        words[TIMEOUT + 1] = timeout_ns % 1_000_000_000
        sleep_while(base + PRODUCED, mine & 0xFFFFFFFF, words.ctypes.data + 8 * TIMEOUT)
    poke64(base + SLEEPING, 0)
    return 1 if acquire64(base + PRODUCED) != mine else 0


def _frames_at(entries: int) -> int:
    end = RINGS + 24 * entries
    return (end + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE


def _map(fd: int) -> tuple[Bytes, int, int]:
    size = os.fstat(fd).st_size
    if size < RINGS:
        raise SimbenchError("this descriptor is no ring: start the other side again")
    shared = np.frombuffer(mmap.mmap(fd, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE), np.uint8)
    magic, version, entries, frame_size = HEADER.unpack(shared[: HEADER.size].tobytes())
    if magic != MAGIC or version != RING_VERSION or size < _frames_at(entries) + entries * frame_size:
        raise SimbenchError("the ring is another version's: run the same simbench on both sides")
    return shared, entries, frame_size


def _shared(words: Words, at: int) -> ctypes.c_int64:
    return ctypes.c_int64.from_address(int(words[BASE]) + at)


def _attach(shared: Bytes, entries: int, frame_size: int, words: Words | None) -> Words:
    words = new_words(words, frame_size - (COLOURS - 1) * 64)
    words[BASE] = shared.ctypes.data
    words[FILL] = words[BASE] + RINGS
    words[RX] = words[FILL] + 8 * entries
    words[MASK] = entries - 1
    return words


def _detach(words: Words) -> None:
    words[BASE] = _CLOSED.ctypes.data
    words[FILL] = words[RX] = words[BASE] + RINGS
    words[MASK] = words[MINE] = words[THEIRS] = words[OWN] = 0
