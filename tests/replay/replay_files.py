"""Captures made for the replay tests, with dpkt: a second opinion on how frames are built."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dpkt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GROUP = "224.0.31.64"
SOURCE = "205.209.1.9"


def frame(
    payload: bytes, *, group: str = GROUP, source: str = SOURCE, port: int = 14340, vlan: int = 0, tail: bytes = b""
) -> bytes:
    """Return an Ethernet frame of a UDP datagram, with a MAC that is not the group's and a TTL of 7."""
    to, of = ip_address(group).packed, ip_address(source).packed
    udp = dpkt.udp.UDP(sport=5000, dport=port, ulen=8 + len(payload), data=payload)
    if len(to) == 16:
        packet = dpkt.ip6.IP6(src=of, dst=to, nxt=17, hlim=7, plen=8 + len(payload), data=udp)
        packet.extension_hdrs = {}
        kind = 0x86DD
    else:
        packet = dpkt.ip.IP(src=of, dst=to, p=17, ttl=7, data=udp)
        packet.len = len(packet)
        kind = 0x0800
    tag = struct.pack(">HH", 0x8100, vlan) if vlan else b""
    return b"\x11\x22\x33\x44\x55\x66\x0a\0\0\0\0\x01" + tag + struct.pack(">H", kind) + bytes(packet) + tail


def write(path: Path, records: Sequence[tuple[int, bytes]]) -> Path:
    """Write (stamp in ns, frame) records as a nanosecond pcap in their order."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for stamp, data in records:
            file.write(struct.pack("<IIII", stamp // 10**9, stamp % 10**9, len(data), len(data)) + data)
    return path
