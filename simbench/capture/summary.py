"""Everything about a capture that needs no protocol: what it is, when, who sends, what is wrong with it, how bursty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from simbench.address import address_of
from simbench.capture import kinds
from simbench.capture.bursts import BurstProfile
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, NO_UDP_CHECKSUM

if TYPE_CHECKING:
    from os import PathLike

    from simbench.capture.block import Frames, Interface, Words
    from simbench.capture.bursts import Burst

# Columns of what is kept of a flow.
BYTES: Final = 0
FIRST: Final = 1
LAST: Final = 2
BAD_CHECKSUMS: Final = 3
NO_CHECKSUMS: Final = 4
SEEN: Final = 5
COLUMNS: Final = 6

# Words of what is kept of all frames.
EARLIEST: Final = 0
LATEST: Final = 1
CAPTURED: Final = 2
WIRE: Final = 3
WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """A flow: who sends to which group.

    Attributes:
        group: destination, "224.0.31.1:14310", "[ff05::1]:14310".
        source: address.
        vlan: the outermost, -1 none.
        interface: of the capture.
        datagrams: with a whole payload.
        payload_bytes: in them.
        first_ns: earliest stamp, since 1970.
        last_ns: latest stamp.
        bad_checksums: datagrams whose IP or UDP checksum is wrong.
        no_checksums: datagrams without a UDP checksum.
        name: of the protocol that lives at this port where it is no feed: "hsrp"; "" otherwise.
    """

    group: str
    source: str
    vlan: int
    interface: int
    datagrams: int
    payload_bytes: int
    first_ns: int
    last_ns: int
    bad_checksums: int
    no_checksums: int
    name: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A capture in figures.

    Attributes:
        path: of the file.
        format: "pcap ns little-endian".
        compression: "none", "gzip", "zstd".
        truncated: whether it could not be read to its end.
        problem: what is wrong with the file; "" when nothing is.
        frames: in the file.
        captured_bytes: of them, in the file.
        wire_bytes: of them, on the wire.
        first_ns: earliest stamp, since 1970; 0 without frames.
        last_ns: latest stamp.
        backward_stamps: frames stamped before their predecessor.
        unstamped: frames without a time of their own.
        interfaces: with link type, clock and name.
        flows: in order of sight.
        datagrams: with a whole payload.
        bad_ip_checksums: frames.
        bad_udp_checksums: frames.
        no_udp_checksums: frames.
        trailers: frames with bytes behind their IP packet.
        peeled: frames with a tag or in a tunnel, by its name.
        other: frames that hold no datagram of a flow, by name.
        bursts: the most frames in 100 us, 1 ms and 10 ms.
    """

    path: str
    format: str
    compression: str
    truncated: bool
    problem: str
    frames: int
    captured_bytes: int
    wire_bytes: int
    first_ns: int
    last_ns: int
    backward_stamps: int
    unstamped: int
    interfaces: list[Interface]
    flows: list[FlowSummary]
    datagrams: int
    bad_ip_checksums: int
    bad_udp_checksums: int
    no_udp_checksums: int
    trailers: int
    peeled: dict[str, int]
    other: dict[str, int]
    bursts: list[Burst]

    @property
    def checksums(self) -> str:
        """Say in a phrase how the UDP checksums are as recorded."""
        bad, absent, datagrams = self.bad_udp_checksums, self.no_udp_checksums, self.datagrams
        if not datagrams:
            return "none"
        if not bad and not absent:
            return "all good"
        parts = [f"{bad:,} of {datagrams:,} wrong"] if bad else []
        if bad > datagrams // 2:
            parts[0] += ", as where frames are captured on the sending host, before its card fills them in"
        if absent:
            parts.append(f"{absent:,} absent")
        return "; ".join(parts)

    def offset_s(self, stamp: int) -> float:
        """Return a stamp as seconds since the capture's first."""
        return (stamp - self.first_ns) / 1e9


def summarize(path: str | PathLike[str]) -> Summary:
    """Read a capture to its end and return its figures; memory does not grow with the file.

    Raises:
        SimbenchError: there is no such file, or it is not a capture.
    """
    capture = open_capture(path)
    dissector = Dissector()
    profile = BurstProfile()
    table = np.zeros((64, COLUMNS), np.int64)
    words = np.zeros(WORDS, np.int64)
    words[EARLIEST], words[LATEST] = (1 << 63) - 1, -(1 << 63)
    for block in capture.blocks():
        flows = dissector.dissect(block)
        while flows > len(table):
            table = np.concatenate((table, np.zeros_like(table)))
        _accumulate(block.frames, table, words)
        profile.add(block.frames["stamp"])
    counters = dissector.counters()
    counted = capture.frames > 0
    return Summary(
        path=str(path),
        format=capture.format,
        compression=capture.compression,
        truncated=capture.truncated,
        problem=capture.problem,
        frames=capture.frames,
        captured_bytes=int(words[CAPTURED]),
        wire_bytes=int(words[WIRE]),
        first_ns=int(words[EARLIEST]) if counted else 0,
        last_ns=int(words[LATEST]) if counted else 0,
        backward_stamps=capture.backward_stamps,
        unstamped=capture.unstamped,
        interfaces=capture.interfaces,
        flows=_flows(dissector.flows, table),
        datagrams=counters.get("datagrams", 0),
        bad_ip_checksums=counters.get("bad_ip_checksum", 0),
        bad_udp_checksums=counters.get("bad_udp_checksum", 0),
        no_udp_checksums=counters.get("no_udp_checksum", 0),
        trailers=counters.get("trailer", 0),
        peeled={name: count for name, count in counters.items() if name in _TUNNELS},
        other=dissector.left_out(),
        bursts=profile.bursts(),
    )


_TUNNELS: Final = frozenset(kinds.NAMES[word] for word in range(kinds.VLAN, kinds.IP_IN_IP + 1))


def group_text(flow: np.void) -> str:
    """Return the group and port of a FLOW: "224.0.31.1:14310"."""
    address = address_of(flow, "group")
    port = int(flow["port"])
    return f"[{address}]:{port}" if flow["version"] == 6 else f"{address}:{port}"


def source_text(flow: np.void) -> str:
    """Return the source address of a FLOW."""
    return str(address_of(flow, "source"))


def _flows(flows: Frames, table: np.ndarray) -> list[FlowSummary]:
    return [
        FlowSummary(
            group=group_text(flow),
            source=source_text(flow),
            vlan=int(flow["vlan"]),
            interface=int(flow["interface"]),
            datagrams=int(flow["datagrams"]),
            payload_bytes=int(row[BYTES]),
            first_ns=int(row[FIRST]),
            last_ns=int(row[LAST]),
            bad_checksums=int(row[BAD_CHECKSUMS]),
            no_checksums=int(row[NO_CHECKSUMS]),
            name=kinds.PORT_NAMES.get(int(flow["port"]), ""),
        )
        for flow, row in zip(flows, table, strict=False)
    ]


@njit(cache=True, nogil=True)
def _accumulate(frames: Frames, table: Words, words: Words) -> None:
    for index in range(len(frames)):
        frame = frames[index]
        stamp = frame["stamp"]
        words[EARLIEST] = min(words[EARLIEST], stamp)
        words[LATEST] = max(words[LATEST], stamp)
        words[CAPTURED] += frame["captured"]
        words[WIRE] += frame["wire"]
        flow = frame["flow"]
        if flow < 0:
            continue
        if table[flow, SEEN] == 0 or stamp < table[flow, FIRST]:
            table[flow, FIRST] = stamp
        if table[flow, SEEN] == 0 or stamp > table[flow, LAST]:
            table[flow, LAST] = stamp
        table[flow, SEEN] = 1
        table[flow, BYTES] += frame["payload_length"]
        table[flow, BAD_CHECKSUMS] += (frame["flags"] & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM)) != 0
        table[flow, NO_CHECKSUMS] += (frame["flags"] & NO_UDP_CHECKSUM) != 0
