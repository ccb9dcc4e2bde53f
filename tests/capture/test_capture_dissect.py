"""The UDP payload is found behind every header that carries it, and what has none is counted by name."""

import os
import random
import struct
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import capture_files as make
import dpkt
import numpy as np
import pytest

from simbench.capture import kinds
from simbench.capture.dissect import DEEPEST, Dissector
from simbench.capture.reader import open_capture
from simbench.capture.summary import group_text, source_text
from simbench.frame import (
    BAD_IP_CHECKSUM,
    BAD_UDP_CHECKSUM,
    BROKEN,
    FLOWS_FULL,
    FRAGMENT,
    NO_UDP_CHECKSUM,
    NOT_IP,
    NOT_UDP,
    PAYLOAD_ONLY,
    SNAPPED,
    UNKNOWN_LINK,
)

PAYLOAD = b"what the exchange said"
ETHER = b"\x01\x00\x5e\x00\x1f\x01\x02\x00\x0a\x00\x00\x01"


def udp(payload: bytes = PAYLOAD, port: int = 14310, **fields: int) -> dpkt.udp.UDP:
    """Return a UDP datagram; dpkt fills in its checksum when it knows the IP header."""
    made = dpkt.udp.UDP(sport=30001, dport=port, data=payload, **fields)
    made.ulen = 8 + len(payload)
    return made


def ipv4(data: object = None, **fields: object) -> bytes:
    """Return an IPv4 packet from 10.0.0.1 to 224.0.31.1."""
    given: dict[str, object] = {"src": ip_address("10.0.0.1").packed, "dst": ip_address("224.0.31.1").packed, "p": 17}
    return bytes(dpkt.ip.IP(data=udp() if data is None else data, **(given | fields)))


def ipv6(data: bytes | None = None, next_header: int = 17) -> bytes:
    """Return an IPv6 packet from fd00::1 to ff05::1f01."""
    source, group = ip_address("fd00::1").packed, ip_address("ff05::1f01").packed
    if data is None:
        data = udp6(source, group)
    return struct.pack(">IHBB", 6 << 28, len(data), next_header, 9) + source + group + data


def udp6(source: bytes, group: bytes) -> bytes:
    """Return a UDP datagram with its checksum over IPv6."""
    made = udp()
    pseudo = source + group + struct.pack(">II", made.ulen, 17)
    made.sum = dpkt.in_cksum(pseudo + bytes(made))
    return bytes(made)


def ethernet(packet: bytes, kind: int = 0x0800) -> bytes:
    """Return an Ethernet frame."""
    return ETHER + struct.pack(">H", kind) + packet


def tag(packet: bytes, vlan: int, kind: int = 0x0800) -> bytes:
    """Return a packet behind a VLAN tag, without the ethertype that announces the tag."""
    return struct.pack(">HH", vlan, kind) + packet


def gre(packet: bytes, kind: int, flags: int = 0) -> bytes:
    """Return an IPv4 packet with GRE inside."""
    words = sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
    return ipv4(struct.pack(">HH", flags, kind) + bytes(4 * words) + packet, p=47)


def vxlan(frame: bytes) -> bytes:
    """Return an IPv4 packet with VXLAN inside."""
    return ipv4(udp(b"\x08\0\0\0\0\0\x2a\0" + frame, 4789))


def one(frame: bytes, link: int = 1, wire: int | None = None, **options: object) -> tuple[np.void, bytes, Dissector]:
    """Dissect a frame; return its record, its payload and the dissector."""
    block = make.batch([frame], link, None if wire is None else [wire])
    dissector = Dissector(**options)
    dissector.dissect(block)
    record = block.frames[0]
    start = int(record["payload"])
    payload = block.data[start : start + record["payload_length"]].tobytes() if start >= 0 else b""
    return record, payload, dissector


INNER = ethernet(ipv4())
CARRIERS = {
    "ethernet": (1, INNER),
    "ethernet ipv6": (1, ethernet(ipv6(), 0x86DD)),
    "vlan": (1, ethernet(tag(ipv4(), 905), 0x8100)),
    "qinq": (1, ethernet(tag(tag(ipv4(), 7, 0x0800), 905, 0x8100), 0x88A8)),
    "qinq before the standard": (1, ethernet(tag(tag(ipv4(), 7), 905, 0x8100), 0x9100)),
    "mpls": (1, ethernet(struct.pack(">II", 100 << 12, 200 << 12 | 1 << 8) + ipv4(), 0x8847)),
    "mpls multicast ipv6": (1, ethernet(struct.pack(">I", 200 << 12 | 1 << 8) + ipv6(), 0x8848)),
    "gre": (1, ethernet(gre(ipv4(), 0x0800))),
    "gre with everything": (1, ethernet(gre(ipv6(), 0x86DD, 0xB000))),
    "gre ethernet": (1, ethernet(gre(INNER, 0x6558, 0x2000))),
    "gre vlan": (1, ethernet(gre(ethernet(tag(ipv4(), 905), 0x8100), 0x6558))),
    "erspan i": (1, ethernet(gre(INNER, 0x88BE))),
    "erspan ii": (1, ethernet(gre(b"\x10" + bytes(7) + INNER, 0x88BE, 0x1000))),
    "erspan iii": (1, ethernet(gre(b"\x20" + bytes(11) + INNER, 0x22EB, 0x1000))),
    "erspan iii with more": (1, ethernet(gre(b"\x20" + bytes(10) + b"\x01" + bytes(8) + INNER, 0x22EB, 0x1000))),
    "vxlan": (1, ethernet(vxlan(INNER))),
    "vxlan in vlan": (1, ethernet(tag(vxlan(ethernet(tag(ipv4(), 905), 0x8100)), 8), 0x8100)),
    "ip in ip": (1, ethernet(ipv4(ipv4(), p=4))),
    "ipv6 in ip": (1, ethernet(ipv4(ipv6(), p=41))),
    "snap": (1, ethernet(b"\xaa\xaa\x03\0\0\0\x08\x00" + ipv4(), 60)),
    "raw": (101, ipv4()),
    "raw ipv6": (12, ipv6()),
    "raw by its own number": (228, ipv4()),
    "cooked": (113, bytes(14) + b"\x08\x00" + ipv4()),
    "cooked vlan": (113, bytes(14) + b"\x81\x00" + tag(ipv4(), 905)),
    "cooked v2": (276, b"\x86\xdd" + bytes(18) + ipv6()),
    "loopback": (0, struct.pack("<I", 2) + ipv4()),
    "loopback, other byte order": (0, struct.pack(">I", 30) + ipv6()),
    "openbsd loopback": (108, struct.pack(">I", 24) + ipv6()),
    "options": (1, ethernet(ipv4(opts=bytes(8), hl=7))),
    "hop by hop": (
        101,
        ipv6(b"\x11\0" + bytes(6) + udp6(*(ip_address(a).packed for a in ("fd00::1", "ff05::1f01"))), 0),
    ),
    "whole fragment": (
        101,
        ipv6(b"\x11\0" + bytes(6) + udp6(*(ip_address(a).packed for a in ("fd00::1", "ff05::1f01"))), 44),
    ),
}


@pytest.mark.parametrize("name", CARRIERS)
def test_payload_is_found_behind(name: str) -> None:
    """The payload, its flow and its good checksum come out of every carrier."""
    link, frame = CARRIERS[name]
    record, payload, dissector = one(frame, link)
    assert payload == PAYLOAD
    assert record["flags"] == 0
    assert record["trailer"] == 0
    flow = dissector.flows[record["flow"]]
    assert group_text(flow) in {"224.0.31.1:14310", "[ff05::1f01]:14310"}
    assert source_text(flow) in {"10.0.0.1", "fd00::1"}
    assert (905 if "vlan" in name or "qinq" in name else -1) == flow["vlan"]


@pytest.mark.parametrize("name", CARRIERS)
def test_every_carrier_cut_by_snaplen_or_broken(name: str) -> None:
    """A frame cut anywhere has no payload: by the capture where the wire had it, broken where it had not."""
    link, frame = CARRIERS[name]
    block = make.batch([frame[:size] for size in range(len(frame))], link, [len(frame)] * len(frame))
    dissector = Dissector()
    dissector.dissect(block)
    assert {SNAPPED} == set(block.frames["flags"].tolist())
    assert len(frame) == dissector.counters()["cut_by_snaplen"]

    block = make.batch([frame[:size] for size in range(len(frame))], link)
    Dissector().dissect(block)
    assert {BROKEN} == set(block.frames["flags"].tolist())
    assert {-1} == set(block.frames["payload"].tolist()) == set(block.frames["flow"].tolist())


@pytest.mark.parametrize("trailer", [b"\x01\x02\x03\x04", bytes(20)])
def test_trailers_are_no_payload(trailer: bytes) -> None:
    """An FCS, padding, or a switch's stamp behind the IP packet is kept apart."""
    record, payload, dissector = one(ethernet(ipv4()) + trailer)
    assert payload == PAYLOAD
    assert len(trailer) == record["trailer"]
    assert dissector.counters()["trailer"] == 1


def test_payload_ends_where_udp_says() -> None:
    """What IP carries behind the UDP datagram is no payload either."""
    made = udp()
    packet = ipv4(bytes(made) + b"more")
    record, payload, _ = one(ethernet(packet), checksums="ignore")
    assert (payload, record["trailer"]) == (PAYLOAD, 0)


def corrupt(frame: bytes, at: int) -> bytes:
    """Return a frame with one bit turned."""
    return frame[:at] + bytes([frame[at] ^ 4]) + frame[at + 1 :]


def test_bad_checksums() -> None:
    """A wrong IP or UDP checksum is a flag and a count; the payload is there all the same."""
    record, payload, dissector = one(corrupt(INNER, 22))
    assert (record["flags"], payload) == (BAD_IP_CHECKSUM, PAYLOAD)
    assert dissector.counters()["bad_ip_checksum"] == 1
    for at in (35, 41, 42, len(INNER) - 1):
        record, _, dissector = one(corrupt(INNER, at))
        assert record["flags"] == BAD_UDP_CHECKSUM
        assert dissector.counters()["bad_udp_checksum"] == 1
    assert one(corrupt(INNER, 42), checksums="ignore")[0]["flags"] == 0


def test_absent_checksums() -> None:
    """A UDP checksum of 0 is absent: legal over IPv4, not over IPv6."""
    record, payload, _ = one(INNER[:40] + b"\0\0" + INNER[42:])
    assert (record["flags"], payload) == (NO_UDP_CHECKSUM, PAYLOAD)
    packet = ipv6()
    assert one(packet[:46] + b"\0\0" + packet[48:], 101)[0]["flags"] == BAD_UDP_CHECKSUM


@pytest.mark.parametrize("length", [*range(40), 1471, 1472, 65_507])
def test_checksum_of_every_length(length: int) -> None:
    """Checksums are right whatever remains behind the last whole word."""
    payload = random.Random(length).randbytes(length)
    frame = ethernet(ipv4(udp(payload)))
    record, seen, _ = one(frame)
    assert (0, payload) == (record["flags"], seen)
    if length:
        assert one(corrupt(frame, len(frame) - 1))[0]["flags"] == BAD_UDP_CHECKSUM


def test_route_with_stops_left() -> None:
    """Over IPv6 the checksum is over the last address of a route, which is where the datagram goes."""
    source, group = ip_address("fd00::1").packed, ip_address("ff05::99").packed
    last_in_type_0 = bytes([17, 4, 0, 1, 0, 0, 0, 0]) + bytes(16) + group
    first_in_type_4 = bytes([17, 4, 4, 1, 1, 0, 0, 0]) + group + bytes(16)
    for header in (last_in_type_0, first_in_type_4):
        record, payload, dissector = one(ipv6(header + udp6(source, group), 43), 101)
        assert (record["flags"], payload) == (0, PAYLOAD)
        assert group_text(dissector.flows[0]) == "[ff05::99]:14310"


@pytest.mark.parametrize(
    ("frame", "link", "flag", "name"),
    [
        (ethernet(ipv4(mf=1)), 1, FRAGMENT, "fragment"),
        (ethernet(ipv4(offset=128)), 1, FRAGMENT, "fragment"),
        (ipv6(b"\x11\0\0\x01" + bytes(20), 44), 101, FRAGMENT, "fragment"),
        (ethernet(bytes(28), 0x0806), 1, NOT_IP, "arp"),
        (ethernet(bytes(46), 0x88CC), 1, NOT_IP, "lldp"),
        (ethernet(bytes(46), 0x1234), 1, NOT_IP, "ethertype_0x1234"),
        (ethernet(b"\x42\x42\x03" + bytes(43), 38), 1, NOT_IP, "stp"),
        (ethernet(b"\xaa\xaa\x03\x00\x00\x0c\x20\x00" + bytes(30), 38), 1, NOT_IP, "cisco_snap"),
        (ethernet(b"\xe0\xe0\x03" + bytes(43), 46), 1, NOT_IP, "llc"),
        (ethernet(struct.pack(">I", 1 << 8) + bytes(60), 0x8847), 1, NOT_IP, "mpls_not_ip"),
        (struct.pack("<I", 7) + bytes(40), 0, NOT_IP, "loopback_not_ip"),
        (ethernet(ipv4(bytes(8), p=2)), 1, NOT_UDP, "igmp"),
        (ethernet(ipv4(bytes(8), p=103)), 1, NOT_UDP, "pim"),
        (ethernet(ipv4(bytes(20), p=6)), 1, NOT_UDP, "tcp"),
        (ethernet(ipv4(bytes(20), p=200)), 1, NOT_UDP, "ip_protocol_200"),
        (ethernet(ipv6(bytes(8), 58), 0x86DD), 1, NOT_UDP, "icmpv6"),
        (ethernet(gre(bytes(40), 0x880B, 0x3001)), 1, NOT_UDP, "gre_not_understood"),
        (ethernet(gre(b"\x30" + bytes(60), 0x88BE, 0x1000)), 1, BROKEN, "broken_tunnel"),
        (ethernet(b"\x55" + ipv4()[1:]), 1, BROKEN, "broken_ipv4"),
        (ethernet(b"\x41" + ipv4()[1:]), 1, BROKEN, "broken_ipv4"),
        (ethernet(ipv4()[:2] + b"\xff\xff" + ipv4()[4:]), 1, BROKEN, "broken_ipv4"),
        (ethernet(ipv4()[:24] + b"\0\x07" + ipv4()[26:]), 1, BROKEN, "broken_udp"),
        (ethernet(ipv4()[:24] + b"\x01\0" + ipv4()[26:]), 1, BROKEN, "broken_udp"),
        (ethernet(b"\x40" + ipv6()[1:], 0x86DD), 1, BROKEN, "broken_ipv6"),
        (ethernet(struct.pack(">I", 0) * 20 + ipv4(), 0x8847), 1, BROKEN, "broken_tunnel"),
        (ethernet(tag(b"", 1, 0x8100) * (DEEPEST + 2) + ipv4(), 0x8100), 1, BROKEN, "nested_too_deep"),
        (ipv6(b"\0\0" + bytes(6) + (b"\0\0" + bytes(6)) * 30, 0), 101, BROKEN, "nested_too_deep"),
        (b"anything", 105, UNKNOWN_LINK, "unknown_link_type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_no_datagram_is_named(frame: bytes, link: int, flag: int, name: str) -> None:
    """Frames without a whole UDP payload have a flag and are counted once, by name."""
    record, payload, dissector = one(frame, link)
    assert (payload, record["payload"], record["flow"]) == (b"", -1, -1)
    assert flag == int(record["flags"]) & ~(BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM)
    assert {name: 1} == dissector.left_out()


def test_every_ethertype_is_counted() -> None:
    """More ethertypes than the table holds are counted together."""
    dissector = Dissector()
    dissector.dissect(make.batch([ethernet(bytes(46), 0x1000 + n) for n in range(kinds.MOST_TYPES + 6)] * 2))
    left_out = dissector.left_out()
    assert (left_out["ethertype_0x1000"], left_out["other_ethertypes"]) == (2, 12)
    assert sum(left_out.values()) == 2 * (kinds.MOST_TYPES + 6)


def test_flows() -> None:
    """Group, port, source, VLAN and interface tell flows apart; rows are in order of sight and count datagrams."""
    frames = [
        ethernet(ipv4()),
        ethernet(ipv4(udp(port=14311))),
        ethernet(ipv4(dst=ip_address("224.0.31.2").packed)),
        ethernet(ipv4(src=ip_address("10.0.0.2").packed)),
        ethernet(tag(ipv4(), 9), 0x8100),
        ethernet(ipv6(), 0x86DD),
        ethernet(ipv4()),
    ]
    block = make.batch([*frames, *frames])
    block.frames["interface"][len(frames) :] = 1
    dissector = Dissector()
    assert dissector.dissect(block) == 12
    assert block.frames["flow"].tolist() == [0, 1, 2, 3, 4, 5, 0, 6, 7, 8, 9, 10, 11, 6]
    assert dissector.flows["datagrams"].tolist() == [2, 1, 1, 1, 1, 1] * 2
    assert dissector.flows["first_ordinal"].tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]


def test_flow_table_is_bounded() -> None:
    """Frames of more flows than there is room for are flagged and counted; known flows go on."""
    frames = [ethernet(ipv4(udp(port=1 + n))) for n in range(40)]
    block = make.batch(frames + frames[:5])
    dissector = Dissector(capacity=16)
    assert dissector.dissect(block) == 16
    assert [*range(16), *[-1] * 24, *range(5)] == block.frames["flow"].tolist()
    assert {FLOWS_FULL} == set(block.frames["flags"][16:40].tolist())
    assert dissector.left_out() == {"flow_table_full": 24}


def test_payload_from_a_socket_is_left_alone() -> None:
    """A frame without headers, from a UDP socket, stays as its receiver described it."""
    block = make.batch([b"payload"])
    block.frames["flags"] = PAYLOAD_ONLY
    block.frames["payload"], block.frames["payload_length"], block.frames["flow"] = 0, 7, 3
    before = block.frames.copy()
    assert Dissector().dissect(block) == 0
    assert before.tolist() == block.frames.tolist()


MUTATIONS = """
import hashlib, os, random, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import test_capture_dissect as tests
from simbench.capture.block import Block
from simbench.capture.dissect import Dissector
import capture_files as make
generator = random.Random(5)
digest = hashlib.blake2b()
dissector = Dissector()
for count in range(int(sys.argv[2])):
    for link, frame in tests.CARRIERS.values():
        frame = bytearray(frame[: generator.choice((len(frame), generator.randrange(len(frame) + 1)))])
        for _ in range(min(len(frame), generator.randrange(4))):
            at = generator.randrange(min(len(frame), 80))
            frame[at] = generator.choice((0, 1, 4, 6, 17, 47, 255, generator.randrange(256)))
        block = make.batch([bytes(frame)], link, [len(frame) + generator.choice((0, 0, 1, 500))])
        noise = np.frombuffer(generator.randbytes(len(frame) + 64), np.uint8).copy()
        noise[32 : 32 + len(frame)] = block.data
        moved = Block(noise, block.frames.copy())
        moved.frames["offset"] += 32
        dissector.dissect(block)
        dissector.dissect(moved)
        moved.frames["offset"] -= 32
        moved.frames["payload"] -= np.where(moved.frames["payload"] >= 0, 32, 0)
        assert moved.frames.tolist() == block.frames.tolist()
        one = block.frames[0]
        assert one["payload"] < 0 or 0 <= one["payload"] <= one["payload"] + one["payload_length"] <= len(frame)
        digest.update(block.frames.tobytes())
if "NUMBA_BOUNDSCHECK" in os.environ or "NUMBA_DISABLE_JIT" in os.environ:
    for link, frame in tests.CARRIERS.values():
        block = make.batch([frame], link)
        try:
            Dissector().dissect(Block(block.data[:-1].copy(), block.frames))
        except IndexError:
            continue
        raise AssertionError("a frame that reaches behind its buffer was not noticed")
print(digest.hexdigest(), sorted(dissector.counters().items()))
"""


def test_mutated_frames_in_every_mode() -> None:
    """Mutated frames read nothing outside themselves, and mean the same compiled, checked and as plain Python."""

    def run(count: int, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", MUTATIONS, str(Path(__file__).parent), str(count)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr
        return done.stdout

    assert run(300) == run(300, NUMBA_BOUNDSCHECK="1")
    assert run(8) == run(8, NUMBA_DISABLE_JIT="1")


def dpkt_payloads(path: Path) -> list[bytes]:
    """Return the UDP payloads that dpkt finds in a capture; fragments have none."""
    found = []
    with path.open("rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        layer = {1: dpkt.ethernet.Ethernet, 113: dpkt.sll.SLL, 101: dpkt.ip.IP}[reader.datalink()]
        for _, data in reader:
            packet = layer(data)
            while packet is not None and not isinstance(packet, bytes) and not isinstance(packet, dpkt.udp.UDP):
                packet = packet.data
            if isinstance(packet, dpkt.udp.UDP):
                found.append(bytes(packet.data)[: packet.ulen - 8])
    return found


def our_payloads(path: Path) -> list[bytes]:
    """Return the UDP payloads that the dissection finds in a capture."""
    dissector = Dissector()
    found = []
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        found += [
            block.data[frame["payload"] : frame["payload"] + frame["payload_length"]].tobytes()
            for frame in block.frames[block.frames["payload"] >= 0]
        ]
    return found


def test_payloads_of_all_packets_as_dpkt_finds_them(real_captures: Path) -> None:
    """The payloads of all small real captures are those of a second reader."""
    paths = sorted((real_captures / "packets").rglob("*.pcap"))
    assert len(paths) == 397
    total = 0
    for path in paths:
        expected = dpkt_payloads(path)
        assert expected == our_payloads(path), path
        total += len(expected)
    assert total >= 397


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cme-mdp3-340/capture.pcap", {"datagrams": 10_000, "ipv4": 10_000}),
        ("deribit-sbe/capture.pcapng", {"datagrams": 5_066, "bad_udp_checksum": 5_066}),
        ("iex-tops/capture.pcapng.gz", {"datagrams": 13_022, "bad_udp_checksum": 13_021}),
        ("miax-tom/capture.pcap", {"datagrams": 20_560, "vlan": 20_560, "trailer": 20_560}),
        ("ice-impact/capture.pcap", {"trailer": 2_334}),
        ("krx-kospi200/capture.pcap.gz", {"stp": 15, "igmp": 8, "pim": 2, "arp": 1}),
    ],
)
def test_real_captures_are_dissected(real_captures: Path, name: str, expected: dict[str, int]) -> None:
    """What is known of the real captures is what is counted."""
    dissector = Dissector()
    trailers, quotes = set(), 0
    for block in open_capture(real_captures / name).blocks():
        dissector.dissect(block)
        trailers |= set(block.frames["trailer"].tolist())
        quotes += int(np.count_nonzero(block.frames["payload_length"] == 215))
    counters = dissector.counters()
    assert expected == {key: counters.get(key) for key in expected}
    if name.startswith("miax"):
        assert {4, 10} == trailers  # an FCS; and padding to the shortest frame before it
        assert {905} == set(dissector.flows["vlan"].tolist())
    if name.startswith("krx"):
        assert quotes >= 16_004
