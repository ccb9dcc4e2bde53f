"""UDP sockets as the receiver end: one socket for each group and port, read in batches, spinning or blocking.

Behind a socket the frame's serial and the time at the hook are gone. An XDP program that passes every frame on leaves
both in a ring of records for each flow (see programs.witness); here each datagram is matched with its record in the
order of its flow, by the socket's own count of what it lost, by length and by the first 32 bytes of the payload. What
is not surely the same is counted as unmatched and has no stamp.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import socket
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.wire import bpf, programs
from simbench.wire.contract import LINK_DROPPED, PRIVATE, SOCKET_OVERFLOW, ReceiverEnd, new_words
from simbench.wire.datagrams import (
    CONTROL,
    COUNT,
    MASK,
    MESSAGES,
    NOTE,
    NOTES,
    POLLFDS,
    RECORD_SLOTS,
    RECORDS,
    ROW,
    ROW_FD,
    ROWS,
    SLOT_SIZE,
    poll,
    release,
    wait,
)
from simbench.wire.namespace import LinkDrops, interface_mtu
from simbench.wire.programs import RECORD
from simbench.wire.slots import HEADER_CONTROL, HEADER_CONTROL_LENGTH, MMSGHDR, message_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes, Words

SO_RCVBUFFORCE: Final = 33
SO_RXQ_OVFL: Final = 40
SO_MEMINFO: Final = 55
MEMINFO_DROPS: Final = 8  # the word of the answer
IP_MULTICAST_ALL: Final = 49
IPV6_MULTICAST_ALL: Final = 29
POLLIN: Final = 1


def open_receiver(
    interface: str,
    groups: Sequence[str],
    *,
    mode: str = "generic",
    receive_buffer: int = 4 << 20,
    slots: int = 4096,
    hook: bool = True,
    words: Words | None = None,
) -> ReceiverEnd:
    """Open a socket for each "group:port" on an interface of the calling thread's namespace.

    Args:
        interface: its name.
        groups: "a.b.c.d:port" or "[v6]:port"; frame["flow"] is the index in the end's flows, which has each once.
        mode: "generic" or "native", of the program that leaves records.
        receive_buffer: bytes a socket; the kernel doubles it for its own needs.
        slots: datagrams that may be held between poll and release, a power of two.
        hook: whether to know the serial and the time at the hook; a program passes every frame.
        words: control words of the caller's, int64[WORDS_SIZE].
    """
    if not groups:
        raise SimbenchError("UDP sockets need the groups of a feed to join; give a feed.toml, or use --stack xdp")
    groups = tuple(dict.fromkeys(groups))
    index = socket.if_nametoindex(interface)
    with contextlib.ExitStack() as owned:
        sockets = [_join(owned, group, index, receive_buffer) for group in groups]
        drops = LinkDrops(interface)
        owned.callback(drops.close)
        epoll = select.epoll()
        owned.callback(epoll.close)
        for each in sockets:
            epoll.register(each, select.EPOLLIN)
        records = _attach(owned, groups, index, mode) if hook else None
        slot_size = (interface_mtu(interface) + 63) // 64 * 64
        memory = np.frombuffer(mmap.mmap(-1, slots * slot_size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
        tables, words = _tables(memory, sockets, slots, slot_size, words)
        words[RECORDS] = records.ctypes.data + RECORD * len(groups) if records is not None else 0
        kept = owned.pop_all()
    end = ReceiverEnd(
        words,
        memory,
        slot_size,
        epoll.fileno(),
        poll=poll,
        release=release,
        wait=wait,
        batch=slots,
        flows=groups,
    )
    end.description = f"{len(groups)} UDP sockets on {interface}" + (f", witness in {mode} mode" if hook else "")

    def refresh() -> None:
        words[SOCKET_OVERFLOW] = sum(_lost(each) for each in sockets)
        words[LINK_DROPPED] = drops()

    def shut() -> None:
        words[PRIVATE:] = 0
        kept.close()
        tables.clear()  # kept alive until here: words held their addresses, and that of the records
        nonlocal records
        records = None

    end.refresh, end.shut = refresh, shut
    return end


def split_group(group: str) -> tuple[str, int]:
    """Split "a.b.c.d:port" or "[v6]:port"."""
    host, _, port = group.rpartition(":")
    host = host.strip("[]")
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        return host, int(port)
    except (OSError, ValueError):
        raise SimbenchError(f"{group} is no group and port; write 224.0.31.64:14340 or [ff05::1]:14340") from None


def _join(owned: contextlib.ExitStack, group: str, interface_index: int, receive_buffer: int) -> socket.socket:
    host, port = split_group(group)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    each = owned.enter_context(socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)
    except PermissionError:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    each.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    address = socket.inet_pton(family, host)
    try:
        each.bind((host, port))
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            if address[0] == 0xFF:
                membership = address + struct.pack("I", interface_index)
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        else:
            each.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            if 224 <= address[0] < 240:
                membership = address + struct.pack("4xI", interface_index)
                each.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError as error:
        raise SimbenchError(f"cannot listen to {group}: {error.strerror}") from None
    return each


def _attach(owned: contextlib.ExitStack, groups: Sequence[str], interface_index: int, mode: str) -> Words:
    """Attach the witness and return its records, int64[]."""
    flows = bpf.create_map(bpf.HASH, programs.KEY_SIZE, 4, len(groups))
    owned.callback(os.close, flows)
    for flow, group in enumerate(groups):
        bpf.update_map(flows, programs.flow_key(*split_group(group)), struct.pack("I", flow))
    entries = len(groups) * (1 + RECORD_SLOTS)
    array = bpf.create_map(bpf.ARRAY, 4, RECORD, entries, bpf.MMAPABLE)
    owned.callback(os.close, array)
    program = bpf.load_program(programs.witness(flows, array, len(groups), RECORD_SLOTS))
    owned.callback(os.close, program)
    owned.callback(os.close, bpf.attach_xdp(program, interface_index, mode))
    size = (entries * RECORD + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE
    return np.frombuffer(mmap.mmap(array, size), np.int64)


def _tables(
    memory: Bytes, sockets: Sequence[socket.socket], slots: int, slot_size: int, words: Words | None
) -> tuple[list[Words], Words]:
    """Make what the system calls read and write, and the words that say where it is."""
    messages, first = message_table(memory, slots, slot_size)
    control = np.zeros(slots * CONTROL // 8, np.int64)
    headers = messages[first:].reshape(slots, MMSGHDR // 8)
    headers[:, HEADER_CONTROL // 8] = control.ctypes.data + CONTROL * np.arange(slots)
    headers[:, HEADER_CONTROL_LENGTH // 8] = CONTROL
    pollfds = np.array([each.fileno() | POLLIN << 32 for each in sockets], np.int64)
    rows = np.zeros((len(sockets), ROW // 8), np.int64)
    notes = np.zeros(slots * NOTE // 8, np.int64)
    rows[:, ROW_FD // 8] = [each.fileno() for each in sockets]
    words = new_words(words, slot_size)
    words[COUNT] = len(sockets)
    words[MASK] = slots - 1
    words[SLOT_SIZE] = slot_size
    words[MESSAGES] = messages.ctypes.data + 8 * first
    words[POLLFDS] = pollfds.ctypes.data
    words[ROWS] = rows.ctypes.data
    words[NOTES] = notes.ctypes.data
    return [messages, control, pollfds, notes, rows.reshape(-1)], words


def _lost(each: socket.socket) -> int:
    """Ask a socket how many datagrams it had no room for, or found corrupt."""
    return int(struct.unpack_from("I", each.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64), 4 * MEMINFO_DROPS)[0])
