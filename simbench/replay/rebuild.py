"""Frames as an exchange's switch would hand them to a kernel socket, made from what a capture holds of them.

Rebuilt: Ethernet address from the group (RFC 1112 section 6.4, RFC 2464 section 7), no VLAN, tunnel, trailer or IP
options, a routable source address, a TTL, right IP and UDP checksums; the UDP payload is as recorded. A datagram that
counts as lost for its checksum keeps a wrong one. The source MAC is 02:00:00:00:00:00 until the wire signs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.capture.seal import seal
from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, NO_PAYLOAD
from simbench.kernel.pure import copy_bytes, kernel, load_be16, store_be16, store_be32, store_be64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

ETHERNET: Final = 1  # link type
HEADERS_4: Final = 42  # Ethernet, IPv4, UDP
HEADERS_6: Final = 62
TTL: Final = 64
BENCH_SOURCE_4: Final = 0xC6120001  # 198.18.0.1, of RFC 2544's block for benchmarks
BENCH_SOURCE_6_HIGH: Final = 0x2001_0002_0000_0000  # 2001:2::1, of RFC 5180's
BENCH_SOURCE_6_LOW: Final = 1

# Options.
FROM: Final = 0  # recorded ns; earlier frames stay at home
TO: Final = 1  # recorded ns; frames of this time and later stay at home
AS_RECORDED: Final = 2  # 1: the frames as they are in the capture
EVERYTHING: Final = 3  # 1: frames that are not of the feed too; those that cannot be rebuilt go as recorded
VERIFY: Final = 4  # 1: a wrong checksum is loss and is kept wrong
MAX_FRAME: Final = 5  # bytes that the wire carries
OPTION_WORDS: Final = 8

# Counters.
CHOSEN: Final = 0
BYTES: Final = 1  # of the frames chosen, as they are sent
NOT_FEED: Final = 2
NO_DATAGRAM: Final = 3  # of no whole UDP payload
TOO_LONG: Final = 4
OUTSIDE: Final = 5  # of the window
NOT_ETHERNET: Final = 6  # as recorded, and of a link that no Ethernet wire carries
KEPT_WRONG: Final = 7  # rebuilt with a wrong checksum, as they had one
UNSEEN_CHECKSUM: Final = 8  # as recorded, and a kernel socket will not see it: wrong IP or UDP checksum
UNSEEN_MAC: Final = 9  # destination MAC is not the group's
UNSEEN_SOURCE: Final = 10  # source address is not routable
UNSEEN_VLAN: Final = 11
COUNTERS: Final = 16

LEFT_OUT: Final = {
    "not_feed": NOT_FEED,
    "no_datagram": NO_DATAGRAM,
    "too_long": TOO_LONG,
    "outside_window": OUTSIDE,
    "not_ethernet": NOT_ETHERNET,
}
UNSEEN: Final = {
    "bad_checksum": UNSEEN_CHECKSUM,
    "mac_not_the_groups": UNSEEN_MAC,
    "source_not_routable": UNSEEN_SOURCE,
    "vlan": UNSEEN_VLAN,
}


@kernel
def routable(version: int, high: int, low: int) -> bool:
    """Tell whether a kernel takes datagrams from this source address off a wire."""
    if version == 6:
        loopback_or_none = high == 0 and low in (0, 1)
        return not loopback_or_none and (high >> 56) & 0xFF != 0xFF
    first = low >> 24 & 0xFF
    return 0 < first < 224 and first != 127


def sources(flows: Records) -> Records:
    """Return the flows with the source addresses that their frames are rebuilt with: FLOW[n].

    A source that is not routable becomes 198.18.0.1 or 2001:2::1. Flows that only VLAN, interface or capture told
    apart would be one on the wire: the later ones get 198.18.0.0 or 2001:2:: and 256 + their row.
    """
    changed = flows.copy()
    seen: set[tuple[int, ...]] = set()
    for row, flow in enumerate(changed):
        version = int(flow["version"])
        if not routable(version, int(flow["source_high"]), int(flow["source_low"])):
            _set_source(flow, version, 1)
        key = tuple(int(flow[name]) for name in ("source_high", "source_low", "group_high", "group_low", "port"))
        if key in seen:
            _set_source(flow, version, 256 + row)
            key = tuple(int(flow[name]) for name in ("source_high", "source_low", "group_high", "group_low", "port"))
        seen.add(key)
    return changed


def _set_source(flow: Any, version: int, host: int) -> None:
    if version == 6:
        flow["source_high"], flow["source_low"] = BENCH_SOURCE_6_HIGH, host
    else:
        flow["source_low"] = BENCH_SOURCE_4 - 1 + host


@kernel
def rebuild(
    data: Bytes,
    frames: Records,
    flows: Records,
    changed: Records,
    wanted: Bytes,
    options: Words,
    counters: Words,
    rows: Records,
    out: Bytes,
) -> int:
    """Choose and rebuild the frames of a block; return how many.

    Args:
        data: uint8[n], the block.
        frames: FRAME[m], dissected.
        flows: FLOW[k], as recorded.
        changed: FLOW[k] of sources().
        wanted: uint8[k], 1 for a flow of the feed.
        options: int64[OPTION_WORDS].
        counters: int64[COUNTERS], added to.
        rows: ROW[m]; recorded, ordinal, source (in out), length and flow are filled.
        out: uint8 of at least the block's bytes and HEADERS_6 a frame.
    """
    count = 0
    at = 0
    for index in range(len(frames)):
        frame = frames[index]
        stamp = frame["stamp"]
        if stamp < options[FROM] or stamp >= options[TO]:
            counters[OUTSIDE] += 1
            continue
        flow = int(frame["flow"])
        whole = frame["payload"] >= 0 and frame["flags"] & NO_PAYLOAD == 0 and flow >= 0
        if not options[EVERYTHING]:
            if not whole:
                counters[NO_DATAGRAM] += 1
                continue
            if not wanted[flow]:
                counters[NOT_FEED] += 1
                continue
        copied = options[AS_RECORDED] != 0 or not whole
        if copied and frame["link"] != ETHERNET:
            counters[NOT_ETHERNET] += 1
            continue
        if copied:
            length = int(frame["captured"])
        else:
            length = (HEADERS_6 if changed[flow]["version"] == 6 else HEADERS_4) + int(frame["payload_length"])
        if length > options[MAX_FRAME]:
            counters[TOO_LONG] += 1
            continue
        if copied:
            copy_bytes(out, at, data, frame["offset"], length)
            if whole:
                _foresee(data, frame, flows[flow], counters)
        else:
            broken = options[VERIFY] != 0 and frame["flags"] & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM) != 0
            counters[KEPT_WRONG] += broken
            _compose(data, frame, changed[flow], broken, out, at)
        row = rows[count]
        row["recorded"] = stamp
        row["ordinal"] = frame["ordinal"]
        row["source"] = at
        row["length"] = length
        row["flow"] = flow
        counters[BYTES] += length
        at += length
        count += 1
    counters[CHOSEN] += count
    return count


@kernel
def _compose(data: Bytes, frame: Any, flow: Any, broken: int, out: Bytes, at: int) -> None:
    """Write the frame to out[at:]."""
    payload = int(frame["payload"])
    size = int(frame["payload_length"])
    store_be16(out, at + 6, 0x0200)
    store_be32(out, at + 8, 0)
    ip = at + 14
    if flow["version"] == 6:
        udp = ip + 40
        if (flow["group_high"] >> 56) & 0xFF == 0xFF:
            store_be16(out, at, 0x3333)
            store_be32(out, at + 2, flow["group_low"])
        else:
            store_be16(out, at, 0xFFFF)
            store_be32(out, at + 2, 0xFFFF_FFFF)
        store_be16(out, at + 12, 0x86DD)
        store_be32(out, ip, 0x6000_0000)
        store_be16(out, ip + 6, 17 << 8 | TTL)
        store_be64(out, ip + 8, flow["source_high"])
        store_be64(out, ip + 16, flow["source_low"])
        store_be64(out, ip + 24, flow["group_high"])
        store_be64(out, ip + 32, flow["group_low"])
    else:
        udp = ip + 20
        if (flow["group_low"] >> 28) & 0xF == 0xE:
            store_be16(out, at, 0x0100)
            store_be32(out, at + 2, 0x5E00_0000 | flow["group_low"] & 0x7F_FFFF)
        else:
            store_be16(out, at, 0xFFFF)  # a unicast address: nobody knows whose MAC the receiver has
            store_be32(out, at + 2, 0xFFFF_FFFF)
        store_be16(out, at + 12, 0x0800)
        store_be16(out, ip, 0x4500)
        store_be32(out, ip + 4, 0x4000)  # do not fragment
        store_be16(out, ip + 8, TTL << 8 | 17)
        store_be32(out, ip + 12, flow["source_low"])
        store_be32(out, ip + 16, flow["group_low"])
    store_be16(out, udp, load_be16(data, payload - 8))
    store_be16(out, udp + 2, flow["port"])
    copy_bytes(out, udp + 8, data, payload, size)
    length = udp + 8 + size - at
    seal(out, at, length)
    if broken:
        check = load_be16(out, udp + 6) ^ 0x5555
        store_be16(out, udp + 6, check if check != 0 else 0xFFFF)


@kernel
def _foresee(data: Bytes, frame: Any, flow: Any, counters: Words) -> None:
    """Count why a kernel socket will not see this frame of the feed, sent as it was recorded."""
    at = int(frame["offset"])
    if frame["flags"] & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM):
        counters[UNSEEN_CHECKSUM] += 1
    if flow["vlan"] >= 0:
        counters[UNSEEN_VLAN] += 1
    if not routable(flow["version"], flow["source_high"], flow["source_low"]):
        counters[UNSEEN_SOURCE] += 1
    high = load_be16(data, at)
    low = load_be16(data, at + 2) << 16 | load_be16(data, at + 4)
    if flow["version"] == 6:
        right = high == 0x3333 and low == flow["group_low"] & 0xFFFF_FFFF
    else:
        right = high == 0x0100 and low == 0x5E00_0000 | flow["group_low"] & 0x7F_FFFF
    if not right:
        counters[UNSEEN_MAC] += 1
