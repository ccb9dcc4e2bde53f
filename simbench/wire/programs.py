"""The XDP programs: all frames or multicast UDP to AF_XDP, and a witness of what passes to UDP sockets."""

from __future__ import annotations

import socket
import struct
from typing import Final

from simbench.wire.bpf import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Assembler

MAP_LOOKUP, KTIME, REDIRECT_MAP, ADJUST_META = 1, 5, 51, 54  # helpers
PASS: Final = 2
DATA, DATA_END, META, QUEUE = 0, 4, 8, 16  # of struct xdp_md

# Ethertypes as a little-endian load sees them.
IPV4: Final = 0x0008
IPV6: Final = 0xDD86
VLANS: Final = (0x0081, 0xA888)
UDP: Final = 17

# The record that the witness leaves of each datagram, 64 bytes, in a ring per flow.
RECORD: Final = 64
NUMBER: Final = 0  # 1 + how many came before it on this flow; 0 while it is written
TIME: Final = 8  # CLOCK_MONOTONIC, ns
SOURCE: Final = 16  # six bytes of source MAC, then two of no meaning
LENGTH: Final = 24  # of the UDP payload
FIRST: Final = 32  # its first 32 bytes
FIRST_BYTES: Final = 32

KEY_SIZE: Final = 24  # of the witness's flow map: address (IPv4 in the first four bytes), port, zeros


def redirect(xsk_map: int, *, only_multicast: bool, own: bytes = b"") -> bytes:
    """Assemble: stamp the frame with the time in 8 bytes of metadata, hand it to the AF_XDP socket of its queue.

    Args:
        xsk_map: queue to socket; a frame of a queue without socket goes on to the kernel.
        only_multicast: hand over no more than multicast UDP and what is tagged, so that a host keeps its connections.
        own: MAC of the interface: what is sent to it alone goes on to the kernel; b"" for no difference.
    """
    code = Assembler()
    code.move(R6, R1)
    if only_multicast:
        _keep_multicast(code)
    elif own:
        _pass_to(code, own)
    code.move(R1, R6)
    code.move(R2, -8)
    code.call(ADJUST_META)
    code.jump_if("not_equal", R0, 0, "hand over")
    code.call(KTIME)
    code.load(R2, R6, META, 4)
    code.load(R3, R6, DATA, 4)
    code.move(R4, R2)
    code.alu("add", R4, 8)
    code.jump_if("above", R4, R3, "hand over")
    code.store(R2, 0, R0, 8)
    code.label("hand over")
    code.load(R2, R6, QUEUE, 4)
    code.load_map(R1, xsk_map)
    code.move(R3, PASS)
    code.call(REDIRECT_MAP)
    code.exit()
    if only_multicast or own:  # the verifier refuses what cannot be reached
        code.label("pass")
        code.move(R0, PASS)
        code.exit()
    return code.assemble()


def witness(flow_map: int, records: int, flows: int, slots: int) -> bytes:
    """Assemble: leave a record of each datagram of a known flow, and pass every frame on to the kernel.

    Args:
        flow_map: key of KEY_SIZE bytes to flow number, u32.
        records: array of flows * (1 + slots) records; the first of each flow holds its count.
        flows: how many.
        slots: records a flow, a power of two.
    """
    code = Assembler()
    code.move(R6, R1)
    code.call(KTIME)
    code.move(R9, R0)
    code.load(R2, R6, DATA, 4)
    code.load(R8, R6, DATA_END, 4)
    _need(code, R2, 14 + 20 + 8)
    code.load(R3, R2, 6, 8)
    code.store(R10, -32, R3, 8)
    code.move(R3, 0)
    for at in (-24, -16, -8):
        code.store(R10, at, R3, 8)
    code.load(R3, R2, 12, 2)
    code.jump_if("equal", R3, IPV6, "ipv6")
    code.jump_if("not_equal", R3, IPV4, "pass")
    code.load(R3, R2, 14, 1)
    code.jump_if("not_equal", R3, 0x45, "pass")
    code.load(R3, R2, 23, 1)
    code.jump_if("not_equal", R3, UDP, "pass")
    code.load(R3, R2, 20, 2)
    code.jump_if("any_bit", R3, 0xFF3F, "pass")  # a fragment
    code.load(R3, R2, 30, 4)
    code.store(R10, -24, R3, 4)
    code.move(R7, R2)
    code.alu("add", R7, 34)
    code.jump("udp")
    code.label("ipv6")
    _need(code, R2, 14 + 40 + 8)
    code.load(R3, R2, 20, 1)
    code.jump_if("not_equal", R3, UDP, "pass")
    for at in (0, 8):
        code.load(R3, R2, 38 + at, 8)
        code.store(R10, -24 + at, R3, 8)
    code.move(R7, R2)
    code.alu("add", R7, 54)
    code.label("udp")
    _need(code, R7, 8)
    code.load(R3, R7, 2, 2)
    code.store(R10, -8, R3, 2)
    _lookup(code, flow_map, -24)
    code.load(R6, R0, 0, 4)
    code.jump_if("above", R6, flows - 1, "pass")
    _record_number(code, records, flows, slots)
    _fill_record(code)
    code.label("pass")
    code.move(R0, PASS)
    code.exit()
    return code.assemble()


def flow_key(group: str, port: int) -> bytes:
    """Return the key of a group and port in the witness's flow map."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    return socket.inet_pton(family, group).ljust(16, b"\0") + struct.pack(">H6x", port)


def _need(code: Assembler, start: object, length: int) -> None:
    """Pass the frame on unless it has so many bytes from a pointer on; R8 is its end."""
    code.move(R4, start)  # type: ignore[arg-type]
    code.alu("add", R4, length)
    code.jump_if("above", R4, R8, "pass")


def _pass_to(code: Assembler, own: bytes) -> None:
    """Pass on what is sent to a MAC."""
    code.load(R2, R6, DATA, 4)
    code.load(R8, R6, DATA_END, 4)
    _need(code, R2, 14)
    for at in range(0, 6, 2):
        code.load(R3, R2, at, 2)
        code.jump_if("not_equal", R3, int.from_bytes(own[at : at + 2], "little"), "feed")
    code.jump("pass")
    code.label("feed")


def _keep_multicast(code: Assembler) -> None:
    """Pass on what is not a feed: all but UDP to IP multicast, and tagged frames to such addresses."""
    code.load(R2, R6, DATA, 4)
    code.load(R8, R6, DATA_END, 4)
    _need(code, R2, 34)
    code.load(R3, R2, 0, 2)
    code.load(R5, R2, 12, 2)
    code.jump_if("equal", R3, 0x3333, "group 6")
    code.jump_if("not_equal", R3, 0x0001, "pass")  # 01:00:5e
    code.load(R3, R2, 2, 1)
    code.jump_if("not_equal", R3, 0x5E, "pass")
    code.load(R3, R2, 3, 2)
    code.jump_if("equal", R3, 0, "pass")  # 224.0.0.x is the network's own
    code.load(R3, R2, 23, 1)
    code.jump_if("equal", R5, IPV4, "protocol")
    code.jump("tagged")
    code.label("group 6")
    code.load(R3, R2, 20, 1)
    code.jump_if("equal", R5, IPV6, "protocol")
    code.label("tagged")
    for tag in VLANS:
        code.jump_if("equal", R5, tag, "feed")
    code.jump("pass")
    code.label("protocol")
    code.jump_if("not_equal", R3, UDP, "pass")
    code.label("feed")


def _lookup(code: Assembler, map_fd: int, key: int) -> None:
    """Set R0 to the value of the key on the stack, or pass the frame on."""
    code.move(R2, R10)
    code.alu("add", R2, key)
    code.load_map(R1, map_fd)
    code.call(MAP_LOOKUP)
    code.jump_if("equal", R0, 0, "pass")


def _record_number(code: Assembler, records: int, flows: int, slots: int) -> None:
    """Count the datagram on its flow (R6) and set R0 to its record, R6 to its number."""
    code.store(R10, -40, R6, 4)
    _lookup(code, records, -40)
    code.move(R3, 1)
    code.fetch_add(R0, 0, R3)
    code.move(R5, R3)
    code.alu("and", R5, slots - 1)
    code.alu("shift_left", R6, slots.bit_length() - 1)
    code.alu("add", R6, R5)
    code.alu("add", R6, flows)
    code.store(R10, -40, R6, 4)
    code.move(R6, R3)
    code.alu("add", R6, 1)
    _lookup(code, records, -40)


def _fill_record(code: Assembler) -> None:
    """Fill the record at R0 from R9 (time), the stack (source) and R7 (UDP header); its number comes last."""
    code.move(R3, 0)
    code.exchange(R0, NUMBER, R3)
    code.store(R0, TIME, R9, 8)
    code.load(R3, R10, -32, 8)
    code.store(R0, SOURCE, R3, 8)
    code.load(R3, R7, 4, 2)
    code.big_endian(R3, 16)
    code.alu("sub", R3, 8)
    code.store(R0, LENGTH, R3, 8)
    code.move(R4, R7)
    code.alu("add", R4, 8 + FIRST_BYTES)
    code.jump_if("above", R4, R8, "short")
    for at in range(0, FIRST_BYTES, 8):
        code.load(R3, R7, 8 + at, 8)
        code.store(R0, FIRST + at, R3, 8)
    code.jump("filled")
    code.label("short")
    for at in range(FIRST_BYTES):
        code.move(R4, R7)
        code.alu("add", R4, 8 + at + 1)
        code.jump_if("above", R4, R8, "filled")
        code.load(R3, R7, 8 + at, 1)
        code.store(R0, FIRST + at, R3, 1)
    code.label("filled")
    code.exchange(R0, NUMBER, R6)
