"""An AF_XDP socket: its frame memory, its four rings and its binding to one queue of an interface.

Copy mode throughout: veth and tap have nothing else, and a device that could do without the copy would want the ring
addresses handled the same way. Need-wakeup is not asked for: a copy-mode send is a system call anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from simbench.errors import SimbenchError
from simbench.wire.bpf import NEEDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes

AF_XDP: Final = 44
SOL_XDP: Final = 283
MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING, STATISTICS = 1, 2, 3, 4, 5, 6, 7
PAGE_OFFSETS: Final = {RX_RING: 0, TX_RING: 0x80000000, FILL_RING: 0x100000000, COMPLETION_RING: 0x180000000}
ENTRY_SIZE: Final = {RX_RING: 16, TX_RING: 16, FILL_RING: 8, COMPLETION_RING: 8}
BIND_ZERO_COPY: Final = 1 << 2
BIND_COPY: Final = 1 << 1
HEADROOM: Final = 256  # that the kernel keeps before a received frame, and metadata in it
REBIND_S: Final = 2.0  # a queue stays busy for about a second after its last socket was closed
MOST_ENTRIES: Final = 1 << 16


class Ring(NamedTuple):
    """Addresses in the mapped ring: two 32-bit indices and the entries."""

    producer: int
    consumer: int
    entries: int


class Statistics(NamedTuple):
    """What the kernel counts for a socket (struct xdp_statistics)."""

    rx_dropped: int
    rx_invalid: int
    tx_invalid: int
    rx_ring_full: int
    fill_empty: int
    tx_empty: int


@dataclass
class Xsk:
    """A bound socket.

    Attributes:
        socket: its descriptor's owner.
        memory: the frames, uint8[entries * frame_size].
        fill: ring of frames to receive into.
        completion: ring of frames that were sent.
        work: the rx ring of a receiver, the tx ring of a sender.
    """

    socket: socket.socket
    memory: Bytes
    fill: Ring
    completion: Ring
    work: Ring
    maps: list[mmap.mmap]

    def statistics(self) -> Statistics:
        """Ask the kernel what it dropped, by cause; nothing once closed."""
        if self.socket.fileno() < 0:
            return Statistics(0, 0, 0, 0, 0, 0)
        return Statistics(*struct.unpack("6Q", self.socket.getsockopt(SOL_XDP, STATISTICS, 48)))

    def close(self) -> None:
        """Unmap the rings, which hold the socket, and close it."""
        for ring in self.maps:
            ring.close()
        self.socket.close()


def open_xsk(
    interface: str, queue: int, *, entries: int, frame_size: int, sends: bool, memory: Bytes | None = None
) -> Xsk:
    """Open a socket for one direction, in the calling thread's namespace.

    Args:
        interface: its name.
        queue: of the interface.
        entries: frames, and entries of every ring; a power of two.
        frame_size: 2048 or 4096, as the kernel's page allows.
        sends: whether it sends or receives.
        memory: for its frames, uint8[entries * frame_size] of frame_memory(); some of its own where None.
    """
    if entries & (entries - 1) or not 1 <= entries <= MOST_ENTRIES:
        raise SimbenchError(f"AF_XDP rings have a power of two of entries, at most {MOST_ENTRIES}, not {entries}")
    if frame_size not in {2048, mmap.PAGESIZE}:
        raise SimbenchError(f"AF_XDP frames have 2048 or {mmap.PAGESIZE} bytes, not {frame_size}; shorten the MTU")
    try:
        xsk = socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise SimbenchError(f"AF_XDP {NEEDS} ({error.strerror}); try --wire ring") from None
    maps: list[mmap.mmap] = []
    try:
        if memory is None:
            memory = frame_memory(entries * frame_size)
        kinds = (FILL_RING, COMPLETION_RING, TX_RING if sends else RX_RING)
        _register(xsk, memory, frame_size, entries, kinds)
        offsets = struct.unpack("16Q", xsk.getsockopt(SOL_XDP, MMAP_OFFSETS, 128))
        rings = []
        for kind in kinds:
            shared, ring = _map_ring(xsk, kind, entries, offsets)
            maps.append(shared)
            rings.append(ring)
        _bind(xsk, interface, queue)
    except OSError as error:
        for shared in maps:
            shared.close()
        xsk.close()
        raise _refusal(error, interface, queue) from None
    return Xsk(xsk, memory, rings[0], rings[1], rings[2], maps)


def frame_memory(size: int) -> Bytes:
    """Return memory for frames: whole pages, uint8[size]."""
    shared = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages
        shared.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(shared, np.uint8)


def _register(xsk: socket.socket, memory: Bytes, frame_size: int, entries: int, kinds: Sequence[int]) -> None:
    """Give a socket its frames, and rings of so many entries."""
    xsk.setsockopt(SOL_XDP, UMEM_REG, struct.pack("QQIIII", memory.ctypes.data, len(memory), frame_size, 0, 0, 0))
    for kind in kinds:
        xsk.setsockopt(SOL_XDP, kind, struct.pack("I", entries))


def _map_ring(xsk: socket.socket, kind: int, entries: int, offsets: tuple[int, ...]) -> tuple[mmap.mmap, Ring]:
    producer, consumer, first, _flags = offsets[4 * (RX_RING, TX_RING, FILL_RING, COMPLETION_RING).index(kind) :][:4]
    size = first + entries * ENTRY_SIZE[kind]
    shared = mmap.mmap(xsk.fileno(), size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=PAGE_OFFSETS[kind])
    base = ctypes.addressof(ctypes.c_char.from_buffer(shared))
    return shared, Ring(base + producer, base + consumer, base + first)


def allows_zero_copy(interface: str, queue: int) -> bool:
    """Tell whether a queue of an interface in the calling thread's namespace hands out frames without copying them."""
    size = 16
    with socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as xsk:
        memory = frame_memory(size * mmap.PAGESIZE)
        _register(xsk, memory, mmap.PAGESIZE, size, (FILL_RING, COMPLETION_RING, RX_RING))
        try:
            _bind(xsk, interface, queue, BIND_ZERO_COPY)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                return False
            raise
    return True


def _bind(xsk: socket.socket, interface: str, queue: int, how: int = BIND_COPY) -> None:
    """Bind by libc: Python's socket.bind() does not know the family."""
    address = struct.pack("HHIII", AF_XDP, how, socket.if_nametoindex(interface), queue, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    deadline = time.monotonic() + REBIND_S
    while libc.bind(xsk.fileno(), address, len(address)):
        code = ctypes.get_errno()
        if code != errno.EBUSY or time.monotonic() > deadline:
            raise OSError(code, os.strerror(code))
        time.sleep(0.01)


def _refusal(error: OSError, interface: str, queue: int) -> SimbenchError:
    where = f"queue {queue} of {interface}"
    if error.errno == errno.EBUSY:
        return SimbenchError(f"another AF_XDP socket holds {where}; end that program first")
    if error.errno == errno.EINVAL:
        return SimbenchError(f"there is no {where}")
    if error.errno == errno.ENOBUFS:
        return SimbenchError("AF_XDP may not lock its frames in memory; raise `ulimit -l` or run as root")
    if error.errno in {errno.EPERM, errno.EACCES}:
        return SimbenchError(f"AF_XDP {NEEDS}; try --wire ring")
    return SimbenchError(f"AF_XDP on {where}: {error.strerror or error}")
