"""AF_XDP ends: batches of frames with one system call to send them, none to receive them.

The XDP program stamps each frame at the hook and hands it to the socket of its queue. In native mode a veth's queue q
arrives on the peer's queue q; in generic mode (the faster on veth) on q - 1, so several queues want native mode.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.kernel.host import acquire32, kick, peek32, peek64, poke64, release32, wait_readable
from simbench.kernel.pure import copy_bytes, kernel_as, prefetch
from simbench.wire import bpf, programs
from simbench.wire.contract import (
    COMMIT_SIGNATURE,
    DEVICE_FULL,
    FILL_EMPTY,
    LINK_DROPPED,
    MAX_FRAME,
    NO_ROOM,
    POLL_SIGNATURE,
    PREPARE_SIGNATURE,
    PRIVATE,
    RECEIVED,
    RELEASE_SIGNATURE,
    RX_DROPPED,
    RX_RING_FULL,
    SEND_FAILED,
    SENT,
    TOO_LONG,
    TOO_LONG_FRAMES,
    WAIT_SIGNATURE,
    ReceiverEnd,
    SenderEnd,
    new_words,
)
from simbench.wire.layout import describe, sign, take_stamp
from simbench.wire.namespace import LinkDrops, interface_mac, interface_mtu
from simbench.wire.xsk import HEADROOM, Ring, Xsk, open_xsk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

ETHERNET: Final = 18  # header and one VLAN tag: what a link carries beyond its MTU
MOST_QUEUES: Final = 256
POLLIN: Final = 1
EAGAIN: Final = -errno.EAGAIN
EBUSY: Final = -errno.EBUSY
PATIENCE: Final = 100_000  # kicks, some 50 ms, before what a full device does not take is left for the next commit

# Private words of either end.
FD: Final = PRIVATE
MASK: Final = PRIVATE + 1
RING_PRODUCER: Final = PRIVATE + 2  # addresses: tx ring of the sender, rx ring of the receiver
RING_CONSUMER: Final = PRIVATE + 3
RING: Final = PRIVATE + 4
POOL_PRODUCER: Final = PRIVATE + 5  # addresses: completion ring of the sender, fill ring of the receiver
POOL_CONSUMER: Final = PRIVATE + 6
POOL: Final = PRIVATE + 7
MINE: Final = PRIVATE + 8  # index: of the next frame to prepare, or to poll; grows for ever, the kernel sees 32 bits
OWN: Final = PRIVATE + 9  # index as committed, or released
FRESH: Final = PRIVATE + 10  # sender: offset of the next frame that was never used
REAPED: Final = PRIVATE + 11  # sender: completions taken
COMPLETE: Final = PRIVATE + 12  # sender: completions seen
FRAME_SIZE: Final = PRIVATE + 13
SERIALS: Final = PRIVATE + 14  # receiver: whether source MACs hold serials
POLLFD: Final = PRIVATE + 15  # struct pollfd
TIMEOUT: Final = PRIVATE + 16  # struct timespec, two words

_CLOSED = np.zeros(8, np.int64)  # what an end that was closed points to: rings without room and without frames


def open_sender(
    interface: str,
    queue: int = 0,
    *,
    entries: int = 4096,
    frame_size: int = 2048,
    words: Words | None = None,
    memory: Bytes | None = None,
) -> SenderEnd:
    """Open the sender end on a queue of an interface of the calling thread's namespace.

    Args:
        interface: its name.
        queue: tx queue.
        entries: frames that may be prepared or under way.
        frame_size: 2048 or 4096 bytes.
        words: control words of the caller's, int64[WORDS_SIZE].
        memory: of the caller's for the frames, uint8[entries * frame_size], whole pages.
    """
    xsk = open_xsk(interface, queue, entries=entries, frame_size=frame_size, sends=True, memory=memory)
    words = new_words(words, min(frame_size, interface_mtu(interface) + ETHERNET))
    _point(words, xsk, xsk.completion, entries, frame_size)
    end = SenderEnd(words, xsk.memory, int(words[MAX_FRAME]), xsk.socket.fileno(), prepare=prepare, commit=commit)
    end.description = f"AF_XDP, copied, queue {queue} of {interface}"
    end.shut = lambda: _shut(words, xsk)
    return end


def open_receivers(
    interface: str,
    queues: Sequence[int] = (0,),
    *,
    mode: str = "generic",
    entries: int = 4096,
    frame_size: int = 2048,
    serials: bool = True,
    only_multicast: bool = False,
    unicast: bool = False,
    words: Sequence[Words | None] = (),
    memory: Bytes | None = None,
) -> list[ReceiverEnd]:
    """Open a receiver end for each of some queues, under one XDP program that lives as long as one of them.

    Args:
        interface: its name, in the calling thread's namespace.
        queues: rx queues.
        mode: "generic" or "native".
        entries: frames a queue; 4096 or more, or a full rate drops.
        frame_size: 2048 or 4096 bytes.
        serials: whether source MACs that begin with 02 hold a serial.
        only_multicast: leave all but multicast UDP to the kernel, as on an interface that others use.
        unicast: leave what is sent to the interface's own MAC to the kernel.
        words: control words of the caller's, one int64[WORDS_SIZE] for each queue.
        memory: of the caller's for the frames of all queues, one behind the other.
    """
    part = entries * frame_size
    own = interface_mac(interface) if unicast else b""
    with contextlib.ExitStack() as undo:
        xsk_map = undo.enter_context(_owned(bpf.create_map(bpf.XSKMAP, 4, 4, MOST_QUEUES)))
        program = undo.enter_context(
            _owned(bpf.load_program(programs.redirect(xsk_map, only_multicast=only_multicast, own=own)))
        )
        sockets = []
        for place, queue in enumerate(queues):
            room = None if memory is None else memory[place * part : (place + 1) * part]
            xsk = open_xsk(interface, queue, entries=entries, frame_size=frame_size, sends=False, memory=room)
            undo.callback(xsk.close)
            _give_all(xsk, entries, frame_size)
            bpf.update_map(xsk_map, struct.pack("I", queue), struct.pack("I", xsk.socket.fileno()))
            sockets.append(xsk)
        drops = LinkDrops(interface)
        undo.callback(drops.close)
        undo.enter_context(_owned(bpf.attach_xdp(program, socket.if_nametoindex(interface), mode)))
        shared = _Shared(undo.pop_all(), sockets, drops, native=mode == "native")
    ends = []
    for i, (queue, xsk) in enumerate(zip(queues, sockets, strict=True)):
        end = _receiver(xsk, words[i] if words else None, entries, frame_size, shared, first=i == 0)
        end.words[SERIALS] = int(serials)
        end.description = f"AF_XDP, {mode} mode, copied, queue {queue} of {interface}"
        ends.append(end)
    return ends


@kernel_as(PREPARE_SIGNATURE)
def prepare(words: Words, memory: Bytes, source: Bytes, offset: int, length: int, serial: int) -> int:
    """Copy a frame into one that the kernel has sent, and into the tx ring; see contract."""
    if length > words[MAX_FRAME]:
        words[TOO_LONG_FRAMES] += 1
        return TOO_LONG
    # What came back last is in the caches still; a frame that never went out is not.
    reaped = words[REAPED]
    if reaped == words[COMPLETE]:
        words[COMPLETE] += (acquire32(words[POOL_PRODUCER]) - reaped) & 0xFFFFFFFF
    if reaped != words[COMPLETE]:
        frame = peek64(words[POOL] + 8 * (reaped & words[MASK]))
        words[REAPED] = reaped + 1
    else:
        frame = words[FRESH]
        if frame >= len(memory):
            return NO_ROOM
        words[FRESH] = frame + words[FRAME_SIZE]
    copy_bytes(memory, frame, source, offset, length)
    if serial >= 0:
        sign(memory, frame, serial)
    mine = words[MINE]
    entry = words[RING] + 16 * (mine & words[MASK])
    poke64(entry, frame)
    poke64(entry + 8, length)
    words[MINE] = mine + 1
    return 1


@kernel_as(COMMIT_SIGNATURE)
def commit(words: Words, count: int) -> int:
    """Show the kernel the oldest `count` prepared frames and make it send them; see contract.

    A copy-mode call sends at most 32 frames and then says EAGAIN, with the rest still queued: not a loss. EBUSY is
    one frame that the device dropped. 0 is said when the ring is empty.
    """
    count = min(count, int(words[MINE] - words[OWN]))
    if count > 0:
        words[OWN] += count
        words[SENT] += count
        release32(words[POOL_CONSUMER], words[REAPED])
        release32(words[RING_PRODUCER], words[OWN])
    for _ in range(PATIENCE):
        said = kick(words[FD])
        if said >= 0:
            break
        if said == EBUSY:
            words[DEVICE_FULL] += 1
        elif said != EAGAIN:
            words[SEND_FAILED] += (words[OWN] - acquire32(words[RING_CONSUMER])) & 0xFFFFFFFF
            break
    return count


@kernel_as(POLL_SIGNATURE)
def poll(words: Words, memory: Bytes, frames: Frames) -> int:
    """Hand out the frames that the kernel has put into the rx ring; see contract."""
    mine = int(words[MINE])
    n = (acquire32(words[RING_PRODUCER]) - mine) & 0xFFFFFFFF
    if n == 0:
        return 0
    n = min(n, len(frames))
    ring, mask, serials = words[RING], words[MASK], words[SERIALS]
    for i in range(n):
        if i + 2 < n:
            prefetch(memory, peek64(ring + 16 * ((mine + i + 2) & mask)))
        entry = ring + 16 * ((mine + i) & mask)
        frame = peek64(entry)
        describe(memory, frames, i, frame, peek32(entry + 8), take_stamp(memory, frame), serials)
    words[MINE] = mine + n
    release32(words[RING_CONSUMER], mine + n)
    words[RECEIVED] += n
    return n


@kernel_as(RELEASE_SIGNATURE)
def release(words: Words, frames: Frames, n: int) -> int:
    """Give frames back to the fill ring; see contract."""
    own, pool, mask, size = words[OWN], words[POOL], words[MASK], words[FRAME_SIZE]
    for i in range(n):
        poke64(pool + 8 * ((own + i) & mask), frames[i]["offset"] & -size)
    words[OWN] = own + n
    release32(words[POOL_PRODUCER], own + n)
    return n


@kernel_as(WAIT_SIGNATURE)
def wait(words: Words, timeout_ns: int) -> int:
    """Sleep in poll(2) until the rx ring has a frame; see contract."""
    here = words.ctypes.data
    words[POLLFD] = words[FD] | POLLIN << 32
    words[TIMEOUT] = timeout_ns // 1_000_000_000
    words[TIMEOUT + 1] = timeout_ns % 1_000_000_000
    return 1 if wait_readable(here + 8 * POLLFD, 1, here + 8 * TIMEOUT) > 0 else 0


class _Shared:
    """What the receivers of one program own together: given back with the last of them."""

    def __init__(self, owned: contextlib.ExitStack, sockets: list[Xsk], drops: LinkDrops, *, native: bool) -> None:
        self._owned = owned
        self._sockets = sockets
        self._users = len(sockets)
        self._drops = drops
        self._native = native

    def link_dropped(self) -> int:
        """Return what the interface dropped and no socket counts; a native driver counts a full socket too."""
        dropped = self._drops()
        if self._native:
            for xsk in self._sockets:
                said = xsk.statistics()
                dropped -= max(said.rx_dropped, said.fill_empty) + said.rx_ring_full
        return max(0, dropped)

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._owned.close()


def _receiver(
    xsk: Xsk, words: Words | None, entries: int, frame_size: int, shared: _Shared, *, first: bool
) -> ReceiverEnd:
    words = new_words(words, frame_size - HEADROOM)
    _point(words, xsk, xsk.fill, entries, frame_size)
    words[OWN] = entries

    def refresh() -> None:
        said = xsk.statistics()
        words[FILL_EMPTY] = said.fill_empty
        words[RX_DROPPED] = max(0, said.rx_dropped - said.fill_empty)  # the kernel counts an empty fill ring in both
        words[RX_RING_FULL] = said.rx_ring_full
        if first:
            words[LINK_DROPPED] = shared.link_dropped()

    def shut() -> None:
        _shut(words, xsk)
        shared.leave()

    end = ReceiverEnd(
        words,
        xsk.memory,
        int(words[MAX_FRAME]),
        xsk.socket.fileno(),
        poll=poll,
        release=release,
        wait=wait,
        batch=entries,
    )
    end.refresh, end.shut = refresh, shut
    return end


def _give_all(xsk: Xsk, entries: int, frame_size: int) -> None:
    """Put every frame into the fill ring."""
    ring = (ctypes.c_uint64 * entries).from_address(xsk.fill.entries)
    ring[:] = [entry * frame_size for entry in range(entries)]
    ctypes.c_uint32.from_address(xsk.fill.producer).value = entries


def _point(words: Words, xsk: Xsk, pool: Ring, entries: int, frame_size: int) -> None:
    words[FD] = xsk.socket.fileno()
    words[MASK] = entries - 1
    words[RING_PRODUCER : RING + 1] = xsk.work
    words[POOL_PRODUCER : POOL + 1] = pool
    words[FRAME_SIZE] = frame_size


def _shut(words: Words, xsk: Xsk) -> None:
    words[PRIVATE:] = 0
    words[FD] = -1
    words[RING_PRODUCER : POOL + 1] = _CLOSED.ctypes.data
    words[FRESH] = len(xsk.memory)
    xsk.close()


@contextlib.contextmanager
def _owned(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
