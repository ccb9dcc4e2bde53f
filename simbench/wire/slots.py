"""Senders that hand frames to a descriptor: a TAP device (write) and a packet socket (sendmmsg, in batches).

Both copy within the call, so that a slot is free again when it was committed.
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.kernel.host import peek64, poke64, send_many, write
from simbench.kernel.pure import copy_bytes, kernel_as
from simbench.wire.contract import (
    COMMIT_SIGNATURE,
    DEVICE_FULL,
    MAX_FRAME,
    NO_ROOM,
    PREPARE_SIGNATURE,
    PRIVATE,
    SEND_FAILED,
    SENT,
    TOO_LONG,
    TOO_LONG_FRAMES,
    SenderEnd,
    new_words,
)
from simbench.wire.layout import sign
from simbench.wire.namespace import interface_mtu

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words

ETHERNET: Final = 18  # header and one VLAN tag
SOL_PACKET: Final = 263
PACKET_QDISC_BYPASS: Final = 20
EAGAIN: Final = -errno.EAGAIN
EINTR: Final = -errno.EINTR
ENOBUFS: Final = -errno.ENOBUFS
PATIENCE: Final = 100_000  # calls before what a full device does not take counts as dropped

FD: Final = PRIVATE
MASK: Final = PRIVATE + 1
SLOT_SIZE: Final = PRIVATE + 2
MINE: Final = PRIVATE + 3  # slots prepared
OWN: Final = PRIVATE + 4  # slots committed
VECTORS: Final = PRIVATE + 5  # address of a struct iovec for each slot
MESSAGES: Final = PRIVATE + 6  # address of a struct mmsghdr for each slot

IOVEC: Final = 16  # bytes: address, length
MMSGHDR: Final = 64  # bytes: name, its length, vectors, their number, control, its length, flags, bytes moved
HEADER_VECTORS, HEADER_VECTOR_COUNT, HEADER_CONTROL, HEADER_CONTROL_LENGTH, HEADER_FLAGS, HEADER_MOVED = (
    16,
    24,
    32,
    40,
    48,
    56,
)


def open_tap_sender(tap_fd: int, interface: str, *, entries: int = 1024, words: Words | None = None) -> SenderEnd:
    """Open the sender end on a TAP device, whose descriptor stays the caller's.

    Args:
        tap_fd: of the device.
        interface: its name, in the calling thread's namespace.
        entries: frames that may be prepared, a power of two.
        words: control words of the caller's, int64[WORDS_SIZE].
    """
    end = _sender(os.dup(tap_fd), interface_mtu(interface) + ETHERNET, entries, words)
    end.commit = commit_tap
    end.description = f"TAP device {interface}"
    return end


def open_packet_sender(interface: str, *, entries: int = 1024, words: Words | None = None) -> SenderEnd:
    """Open the sender end on a packet socket, past the queueing discipline; arguments as for open_tap_sender()."""
    try:
        packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        raise SimbenchError(f"sending on {interface} needs root or CAP_NET_RAW") from None
    packet.bind((interface, 0))
    packet.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    packet.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    end = _sender(packet.detach(), interface_mtu(interface) + ETHERNET - 4, entries, words)
    end.commit = commit_packets
    end.description = f"packet socket on {interface}"
    return end


@kernel_as(PREPARE_SIGNATURE)
def prepare(words: Words, memory: Bytes, source: Bytes, offset: int, length: int, serial: int) -> int:
    """Copy a frame into the next slot; see contract."""
    if length > words[MAX_FRAME]:
        words[TOO_LONG_FRAMES] += 1
        return TOO_LONG
    mine = words[MINE]
    if mine - words[OWN] > words[MASK]:
        return NO_ROOM
    slot = mine & words[MASK]
    frame = slot * words[SLOT_SIZE]
    copy_bytes(memory, frame, source, offset, length)
    if serial >= 0:
        sign(memory, frame, serial)
    poke64(words[VECTORS] + IOVEC * slot + 8, length)
    words[MINE] = mine + 1
    return 1


@kernel_as(COMMIT_SIGNATURE)
def commit_tap(words: Words, count: int) -> int:
    """Write the oldest `count` prepared frames, one call each; see contract."""
    count = min(count, int(words[MINE] - words[OWN]))
    for _ in range(count):
        vector = words[VECTORS] + IOVEC * (words[OWN] & words[MASK])
        if write(words[FD], peek64(vector), peek64(vector + 8)) < 0:
            words[SEND_FAILED] += 1
        words[OWN] += 1
    words[SENT] += count
    return count


@kernel_as(COMMIT_SIGNATURE)
def commit_packets(words: Words, count: int) -> int:
    """Send the oldest `count` prepared frames in as few calls as can be; see contract."""
    count = min(count, int(words[MINE] - words[OWN]))
    left = count
    patience = PATIENCE
    while left > 0:
        slot = words[OWN] & words[MASK]
        said = send_many(words[FD], words[MESSAGES] + MMSGHDR * slot, min(left, words[MASK] + 1 - slot))
        if said <= 0:
            if said in (EAGAIN, EINTR) and patience > 0:
                patience -= 1
                continue
            words[DEVICE_FULL if said in (EAGAIN, ENOBUFS) else SEND_FAILED] += 1
            said = 1
        words[OWN] += said
        left -= said
    words[SENT] += count
    return count


def message_table(memory: Bytes, slots: int, slot_size: int) -> tuple[Words, int]:
    """Return the tables of system calls on many messages, and where in them the messages start.

    One struct iovec for each slot, then one struct mmsghdr that points to it: int64[slots * (2 + 8)], word of the first
    mmsghdr.
    """
    table = np.zeros(slots * (IOVEC + MMSGHDR) // 8, np.int64)
    vectors = table[: 2 * slots].reshape(slots, 2)
    vectors[:, 0] = memory.ctypes.data + slot_size * np.arange(slots)
    vectors[:, 1] = slot_size
    messages = table[2 * slots :].reshape(slots, 8)
    messages[:, HEADER_VECTORS // 8] = table.ctypes.data + IOVEC * np.arange(slots)
    messages[:, HEADER_VECTOR_COUNT // 8] = 1
    return table, 2 * slots


def _sender(fd: int, max_frame: int, entries: int, words: Words | None) -> SenderEnd:
    slot_size = (max_frame + 63) // 64 * 64
    memory = np.frombuffer(mmap.mmap(-1, entries * slot_size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
    table, first = message_table(memory, entries, slot_size)
    words = new_words(words, max_frame)
    words[FD] = fd
    words[MASK] = entries - 1
    words[SLOT_SIZE] = slot_size
    words[VECTORS] = table.ctypes.data
    words[MESSAGES] = table.ctypes.data + 8 * first

    def shut() -> None:
        words[FD] = -1
        words[MASK] = -1  # no room
        words[MINE] = words[OWN] = 0
        os.close(fd)
        table.fill(0)  # kept alive until here: words hold its address

    end = SenderEnd(words, memory, max_frame, fd, prepare=prepare, commit=commit_tap)
    end.shut = shut
    return end
