"""Frames that a kernel delivers to a group's sockets."""

from __future__ import annotations

import socket
import struct


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(group: str, port: int, payload: bytes, *, broken: bool = False) -> bytes:
    """Return an Ethernet frame that a kernel delivers to the group's sockets, or drops for its UDP checksum."""
    six = ":" in group
    family = socket.AF_INET6 if six else socket.AF_INET
    target = socket.inet_pton(family, group)
    source = socket.inet_pton(family, "2001:db8::5" if six else "10.1.2.3")
    length = 8 + len(payload)
    udp = struct.pack(">HHHH", 5000, port, length, 0)
    checksum = _checksum(source + target + struct.pack(">IHBB", length, 0, 0, 17) + udp + payload) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", checksum ^ (0x1111 if broken else 0))
    if six:
        ip = struct.pack(">IHBB", 0x60000000, length, 17, 64) + source + target
        return b"\x33\x33" + target[-4:] + bytes(6) + b"\x86\xdd" + ip + udp + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + source + target
    ip = ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:]
    mac = b"\x01\x00\x5e" + bytes([target[1] & 0x7F]) + target[2:]
    return mac + bytes(6) + b"\x08\x00" + ip + udp + payload
