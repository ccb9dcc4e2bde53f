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
from simbench.frame import PAYLOAD_ONLY, SNAPPED
from simbench.kernel.host import acquire64, monotonic_ns, peek32, peek64, poke64, receive_many, wait_readable
from simbench.kernel.pure import inlined, kernel_as, load_le64, load_u8
from simbench.wire import bpf, programs
from simbench.wire.contract import (
    LINK_DROPPED,
    MAC_SERIAL,
    POLL_SIGNATURE,
    PRIVATE,
    RECEIVED,
    RELEASE_SIGNATURE,
    SOCKET_OVERFLOW,
    UNMATCHED,
    WAIT_SIGNATURE,
    ReceiverEnd,
    new_words,
)
from simbench.wire.namespace import LinkDrops, interface_mtu
from simbench.wire.programs import FIRST, FIRST_BYTES, LENGTH, NUMBER, RECORD, SOURCE, TIME
from simbench.wire.slots import (
    HEADER_CONTROL,
    HEADER_CONTROL_LENGTH,
    HEADER_FLAGS,
    HEADER_MOVED,
    MMSGHDR,
    message_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

SO_RCVBUFFORCE: Final = 33
SO_RXQ_OVFL: Final = 40
SO_MEMINFO: Final = 55
MEMINFO_DROPS: Final = 8  # the word of the answer
IP_MULTICAST_ALL: Final = 49
IPV6_MULTICAST_ALL: Final = 29
MSG_TRUNC: Final = 0x20
POLLIN: Final = 1
CONTROL: Final = 32  # bytes of control data a message: one cmsghdr with a 32-bit count
BATCH: Final = 64  # datagrams of one call, so that one line does not keep the other waiting
RECORD_SLOTS: Final = 1 << 14  # a flow: more than a socket buffer of the default size holds

COUNT: Final = PRIVATE  # sockets
CURSOR: Final = PRIVATE + 1  # the socket whose turn it is
MASK: Final = PRIVATE + 2
SLOT_SIZE: Final = PRIVATE + 3
MINE: Final = PRIVATE + 4  # slots handed out
OWN: Final = PRIVATE + 5  # slots given back
MESSAGES: Final = PRIVATE + 6  # addresses: struct mmsghdr for each slot
POLLFDS: Final = PRIVATE + 7  # struct pollfd for each socket
ROWS: Final = PRIVATE + 8  # a row for each socket
RECORDS: Final = PRIVATE + 9  # the records of the first flow; 0 without a witness
TIMEOUT: Final = PRIVATE + 10  # struct timespec, two words

ROW: Final = 64  # bytes: descriptor, losses as last seen, number of the next record, and the two of _catch_up()
ROW_FD, ROW_LOST, ROW_NEXT, ROW_SEEN, ROW_SINCE = 0, 8, 16, 24, 32
PASSAGE_NS: Final = 5_000_000  # more than a datagram takes from the hook to its socket


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


@kernel_as(POLL_SIGNATURE)
def poll(words: Words, memory: Bytes, frames: Frames) -> int:
    """Read what the sockets hold, a batch of each in turn; see contract."""
    n = 0
    mask, sockets = int(words[MASK]), int(words[COUNT])
    for _ in range(sockets):
        flow = int(words[CURSOR])
        words[CURSOR] = flow + 1 if flow + 1 < sockets else 0
        mine = int(words[MINE])
        room = min(mask + 1 - (mine - words[OWN]), mask + 1 - (mine & mask), len(frames) - n, BATCH)
        if room <= 0:
            break
        row = words[ROWS] + ROW * flow
        first = words[MESSAGES] + MMSGHDR * (mine & mask)
        got = receive_many(peek64(row + ROW_FD), first, room)
        if got <= 0 and words[RECORDS] != 0:
            _catch_up(words, flow, row)
        for i in range(got):
            message = first + MMSGHDR * i
            lost = 0
            if peek64(message + HEADER_CONTROL_LENGTH) >= 20:
                lost = peek32(peek64(message + HEADER_CONTROL) + 16)
            poke64(message + HEADER_CONTROL_LENGTH, CONTROL)
            offset = ((mine + i) & mask) * words[SLOT_SIZE]
            length = peek32(message + HEADER_MOVED)
            frame = frames[n]
            frame["offset"] = offset
            frame["payload"] = offset
            frame["captured"] = length
            frame["wire"] = length
            frame["payload_length"] = length
            frame["trailer"] = 0
            frame["flow"] = flow
            frame["interface"] = 0
            frame["capture"] = 0
            frame["flags"] = PAYLOAD_ONLY | (SNAPPED if peek32(message + HEADER_FLAGS) & MSG_TRUNC else 0)
            frame["link"] = 0
            frame["stamp"] = 0
            frame["ordinal"] = -1
            if words[RECORDS] != 0:
                missed = (lost - peek64(row + ROW_LOST)) & 0xFFFFFFFF
                poke64(row + ROW_LOST, lost)
                number = _find(words, memory, flow, row, offset, length, missed)
                if number >= 0:
                    record = _record(words, flow, number)
                    stamp, source = peek64(record + TIME), peek64(record + SOURCE)
                    poke64(row + ROW_NEXT, number + 1)
                    if acquire64(record + NUMBER) == number + 1:  # not written over meanwhile
                        frame["stamp"] = stamp
                        frame["ordinal"] = _serial(source)
                    else:
                        words[UNMATCHED] += 1
                else:
                    words[UNMATCHED] += 1
            n += 1
        if got > 0:
            words[MINE] = mine + got
            words[RECEIVED] += got
    return n


@kernel_as(RELEASE_SIGNATURE)
def release(words: Words, _frames: Frames, n: int) -> int:
    """Give the slots of the oldest datagrams back; see contract."""
    words[OWN] += n
    return n


@kernel_as(WAIT_SIGNATURE)
def wait(words: Words, timeout_ns: int) -> int:
    """Sleep in poll(2) until a socket has a datagram; see contract."""
    words[TIMEOUT] = timeout_ns // 1_000_000_000
    words[TIMEOUT + 1] = timeout_ns % 1_000_000_000
    return 1 if wait_readable(words[POLLFDS], words[COUNT], words.ctypes.data + 8 * TIMEOUT) > 0 else 0


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
    rows[:, ROW_FD // 8] = [each.fileno() for each in sockets]
    words = new_words(words, slot_size)
    words[COUNT] = len(sockets)
    words[MASK] = slots - 1
    words[SLOT_SIZE] = slot_size
    words[MESSAGES] = messages.ctypes.data + 8 * first
    words[POLLFDS] = pollfds.ctypes.data
    words[ROWS] = rows.ctypes.data
    return [messages, control, pollfds, rows.reshape(-1)], words


def _lost(each: socket.socket) -> int:
    """Ask a socket how many datagrams it had no room for, or found corrupt."""
    return int(struct.unpack_from("I", each.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64), 4 * MEMINFO_DROPS)[0])
