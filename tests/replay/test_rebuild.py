"""Rebuilt frames are what a kernel socket takes, read back with dpkt; recorded ones say beforehand what it will not."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_files import GROUP, SOURCE, frame, write

from simbench.replay.loader import Loader
from simbench.replay.schedule import Endpoint, Options

if TYPE_CHECKING:
    from pathlib import Path

STAMP = 1_478_961_025_000_000_000


def sent(loader: Loader) -> list[bytes]:
    """Return the frames that a loader has made."""
    return [loader.data[row["source"] : row["source"] + row["length"]].tobytes() for row in loader.rows]


def one(path: Path, data: bytes, options: Options | None = None) -> bytes:
    """Return what becomes of a single frame."""
    return sent(Loader(write(path / "one.pcap", [(STAMP, data)]), options or Options()))[0]


def checked(data: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6:
    """Return the IP packet of a frame, its checksums verified by dpkt."""
    packet = dpkt.ethernet.Ethernet(data).data
    udp = packet.data
    if isinstance(packet, dpkt.ip.IP):
        head = bytes(packet)[:20]
        assert dpkt.in_cksum(head) == 0
        pseudo = struct.pack(">4s4sBBH", packet.src, packet.dst, 0, 17, udp.ulen)
    else:
        pseudo = struct.pack(">16s16sII", packet.src, packet.dst, udp.ulen, 17)
    assert udp.sum != 0
    assert dpkt.in_cksum(pseudo + bytes(udp)) == 0
    return packet


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=1400), port=st.integers(1, 65535))
def test_a_rebuilt_frame_carries_the_payload_under_right_checksums(
    tmp_path_factory: pytest.TempPathFactory, payload: bytes, port: int
) -> None:
    """Whatever the payload, odd lengths and all zeros included, dpkt finds it again and both checksums right."""
    data = frame(payload, port=port, tail=b"\xde\xad\xbe\xef")
    packet = checked(one(tmp_path_factory.getbasetemp(), data))
    assert packet.data.data == payload
    assert (packet.data.sport, packet.data.dport) == (5000, port)
    assert packet.ttl == 64
    assert packet.len == 28 + len(payload)


def test_addresses_come_from_the_group(tmp_path: Path) -> None:
    """The destination MAC is the group's, the source MAC begins with 02, VLAN tag and trailer are gone."""
    data = one(tmp_path, frame(b"abc", group="239.129.2.3", vlan=905, tail=b"FCS!"))
    assert data[:6] == bytes.fromhex("01005e010203")
    assert data[6:12] == bytes.fromhex("020000000000")
    assert data[12:14] == b"\x08\x00"
    assert len(data) == 14 + 20 + 8 + 3
    assert checked(data).src == ip_address(SOURCE).packed


def test_ipv6_is_rebuilt(tmp_path: Path) -> None:
    """An IPv6 datagram keeps its addresses, gets the group's MAC and a right checksum."""
    data = one(tmp_path, frame(b"\0" * 33, group="ff3e::8000:1234", source="2001:db8::7"))
    packet = checked(data)
    assert data[:6] == bytes.fromhex("333380001234")
    assert packet.hlim == 64
    assert packet.dst == ip_address("ff3e::8000:1234").packed
    assert packet.src == ip_address("2001:db8::7").packed
    assert packet.data.data == b"\0" * 33


@pytest.mark.parametrize(
    ("group", "source", "expected"),
    [
        (GROUP, "127.0.0.1", "198.18.0.1"),
        (GROUP, "0.0.0.0", "198.18.0.1"),  # noqa: S104 - as recorded, not bound to
        (GROUP, "224.1.1.1", "198.18.0.1"),
        (GROUP, "255.255.255.255", "198.18.0.1"),
        (GROUP, "10.1.2.3", "10.1.2.3"),
        ("ff02::7", "::1", "2001:2::1"),
        ("ff02::7", "::", "2001:2::1"),
        ("ff02::7", "fe80::9", "fe80::9"),
    ],
)
def test_a_source_that_no_kernel_takes_is_replaced(tmp_path: Path, group: str, source: str, expected: str) -> None:
    """Loopback, zero, multicast and broadcast sources become the benchmark address; the plan says so."""
    loader = Loader(write(tmp_path / "one.pcap", [(STAMP, frame(b"abc", group=group, source=source))]), Options())
    assert checked(sent(loader)[0]).src == ip_address(expected).packed
    assert [entry[2] for entry in loader.plan.sources] == ([expected] if expected != source else [])


def test_flows_that_only_a_vlan_told_apart_stay_apart(tmp_path: Path) -> None:
    """The same group and source on two VLANs get different sources, or their lines would be one on the wire."""
    records = [(STAMP, frame(b"a", vlan=1)), (STAMP + 1, frame(b"b", vlan=2))]
    loader = Loader(write(tmp_path / "two.pcap", records), Options())
    first, second = (checked(data).src for data in sent(loader))
    assert first == ip_address(SOURCE).packed
    assert second == ip_address("198.18.1.1").packed


def test_a_wrong_checksum_stays_wrong_where_it_means_loss(tmp_path: Path) -> None:
    """A datagram that is loss for its checksum is loss on the wire too; with verify off it is put right."""
    bad = bytearray(frame(b"abcd"))
    bad[40:42] = b"\x12\x34"
    loader = Loader(write(tmp_path / "bad.pcap", [(STAMP, bytes(bad))]), Options())
    assert loader.plan.kept_wrong == 1
    with pytest.raises(AssertionError):
        checked(sent(loader)[0])
    assert checked(one(tmp_path, bytes(bad), Options(verify=False))).data.data == b"abcd"


def test_as_recorded_is_the_frame_itself_and_says_what_a_socket_will_not_see(tmp_path: Path) -> None:
    """The recorded frames go out byte by byte; each reason for which a kernel drops one is counted beforehand."""
    bad = bytearray(frame(b"abcd"))
    bad[40:42] = b"\x12\x34"
    right = bytes.fromhex("01005e001f40") + frame(b"ok")[6:]
    records = [
        (STAMP, bytes(bad)),
        (STAMP + 1, frame(b"tagged", vlan=905, tail=b"FCS!")),
        (STAMP + 2, frame(b"home", source="127.0.0.1")),
        (STAMP + 3, right),
    ]
    loader = Loader(write(tmp_path / "some.pcap", records), Options(as_recorded=True))
    assert sent(loader) == [data for _, data in records]
    assert loader.plan.unseen == {"bad_checksum": 1, "mac_not_the_groups": 3, "source_not_routable": 1, "vlan": 1}


def test_what_is_not_of_the_feed_stays_at_home(tmp_path: Path) -> None:
    """Other groups, other sources and frames without a datagram are counted and sent only when all are asked for."""
    arp = b"\xff" * 6 + b"\x0a\0\0\0\0\x02" + b"\x08\x06" + bytes(46)
    records = [
        (STAMP, frame(b"a")),
        (STAMP + 1, arp),
        (STAMP + 2, frame(b"b", port=1)),
        (STAMP + 3, frame(b"c", source="10.0.0.1")),
    ]
    path = write(tmp_path / "mixed.pcap", records)
    feed = [Endpoint(f"{GROUP}:14340", source=SOURCE)]
    some, every = Loader(path, Options(), feed), Loader(path, Options(everything=True), feed)
    assert some.plan.frames == 1
    assert some.plan.left_out == {"no_datagram": 1, "not_feed": 2}
    assert every.plan.frames == 4
    assert sent(every)[1] == arp


def test_a_frame_too_long_for_the_wire_is_counted(tmp_path: Path) -> None:
    """A frame that the wire cannot carry stays at home and is counted as such."""
    path = write(tmp_path / "long.pcap", [(STAMP, frame(b"a" * 900)), (STAMP + 1, frame(b"b"))])
    loader = Loader(path, Options(max_frame=200))
    assert loader.plan.frames == 1
    assert loader.plan.left_out == {"too_long": 1}
