"""From a frame's first byte to its UDP payload: one kernel for captures and wires, and the class that holds its state.

What has no whole payload is counted by name; nothing is trusted before it is checked against the frame's end.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from simbench.capture import checksum, kinds, tunnels
from simbench.capture.contract import DISSECT_SIGNATURE
from simbench.capture.flows import SEED, intern
from simbench.capture.ipv6 import AUTHENTICATION, DESTINATION, FRAGMENTED, HOP_BY_HOP, ROUTING, extensions
from simbench.capture.links import (
    DONE,
    IN_ETHERNET,
    IN_IPV4,
    IN_IPV6,
    IN_TRANSPORT,
    IN_TYPE,
    count_type,
    enter,
    llc,
    short,
)
from simbench.frame import (
    BAD_IP_CHECKSUM,
    BAD_UDP_CHECKSUM,
    BROKEN,
    FLOW,
    FLOWS_FULL,
    FRAGMENT,
    NO_UDP_CHECKSUM,
    NOT_IP,
    NOT_UDP,
    PAYLOAD_ONLY,
    SNAPPED,
)
from simbench.kernel.pure import direct_as, load_be16, load_be32, load_be64, load_le32, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Block, Bytes, Frames, Words

VERIFY: Final = 1 << 0  # option: verify IP and UDP checksums

DEEPEST: Final = 24  # headers inside each other

UDP: Final = 17
GRE: Final = 47


class Dissector:
    """Dissect frames, block after block, and keep their flows and counters.

    Attributes:
        flow_table: FLOW[capacity]; the first `counters[kinds.FLOW_COUNT]` rows are in use.
        table: int64, the hash of the flow table.
        words: int64[kinds.COUNTER_WORDS], the counters.
        options: for the kernel.
    """

    def __init__(self, *, checksums: Literal["verify", "ignore"] = "verify", capacity: int = 1 << 16) -> None:
        """Start with an empty table.

        Args:
            checksums: whether those of IP and UDP are looked at.
            capacity: flows, a power of two; frames of further ones are counted as such.
        """
        self.flow_table = np.zeros(capacity, FLOW)
        self.table = np.zeros(1 + 2 * capacity, np.int64)
        self.table[SEED] = secrets.randbits(62)  # rows are in order of sight, whatever the seed
        self.words = np.zeros(kinds.COUNTER_WORDS, np.int64)
        self.options = VERIFY if checksums == "verify" else 0

    def dissect(self, block: Block) -> int:
        """Fill in payload, trailer, flow and flags of the block's frames; return the number of flows known."""
        return dissect(block.data, block.frames, self.flow_table, self.table, self.words, self.options)

    @property
    def flows(self) -> Frames:
        """FLOW[n]: the flows seen so far, in order of sight."""
        return self.flow_table[: self.words[kinds.FLOW_COUNT]]

    def counters(self) -> dict[str, int]:
        """Return what was counted, by name, without what was not met."""
        return kinds.describe(self.words)

    def left_out(self) -> dict[str, int]:
        """Return how many frames hold no datagram of a flow, by name."""
        return kinds.left_out(self.words)


@direct_as(DISSECT_SIGNATURE)
def dissect(data: Bytes, frames: Frames, flows: Frames, table: Words, counters: Words, options: int) -> int:
    """Find the UDP payload of every frame.

    Fills payload, payload_length, trailer, flow and flags; a frame without a whole payload has payload and flow -1.
    Frames from a UDP socket (PAYLOAD_ONLY) are left as they are.

    Args:
        data: uint8[n], what the frames point into.
        frames: FRAME[m] with offset, captured, wire, link, interface, capture and ordinal set.
        flows: FLOW[capacity], of which counters[FLOW_COUNT] rows are in use.
        table: int64[1 + 2 * power of two of at least the capacity]: a seed, then the hash of the flows; zeros at first.
        counters: int64[COUNTER_WORDS], see kinds.py.
        options: VERIFY or 0.

    Returns:
        The number of flows known.
    """
    for index in range(len(frames)):
        frame = frames[index]
        if frame["flags"] & PAYLOAD_ONLY:
            continue
        frame["payload"] = -1
        frame["payload_length"] = 0
        frame["trailer"] = 0
        frame["flow"] = -1
        counters[kinds.FRAME_COUNT] += 1

        at = frame["offset"]
        frame_end = at + frame["captured"]
        end = frame_end  # of what was captured and belongs to the innermost packet so far
        limit = at + frame["wire"]  # of the same on the wire
        flags = 0
        step = IN_ETHERNET
        kind = 0  # ethertype, then IP protocol
        vlan = -1
        tags = 0
        version = 0
        outermost = True
        sum_addresses = 0
        source_high = source_low = group_high = group_low = 0

        if frame["link"] != 1:
            step, kind, at, flags = enter(data, frame["link"], at, end, limit, counters)
        depth = 0
        while step != DONE:
            depth += 1
            if depth > DEEPEST:
                counters[kinds.TOO_DEEP] += 1
                flags |= BROKEN
                break

            if step == IN_ETHERNET:
                if at + 14 > end:
                    flags |= short(counters, at, 14, limit, kinds.BROKEN_LINK)
                    break
                kind = load_be16(data, at + 12)
                at += 14
                vlan = -1
                tags = 0
                step = IN_TYPE
                if kind != tunnels.IPV4:
                    continue

            if step == IN_TYPE:
                if kind == tunnels.IPV4:
                    step = IN_IPV4
                elif kind == tunnels.IPV6:
                    step = IN_IPV6
                elif tunnels.is_vlan(kind):
                    if at + 4 > end:
                        flags |= short(counters, at, 4, limit, kinds.BROKEN_TUNNEL)
                        break
                    if tags == 0:
                        vlan = load_be16(data, at) & 0x0FFF
                    tags += 1
                    if tags <= 2:
                        counters[kinds.VLAN if tags == 1 else kinds.STACKED_VLAN] += 1
                    kind = load_be16(data, at + 2)
                    at += 4
                    continue
                elif kind in (tunnels.MPLS_UNICAST, tunnels.MPLS_MULTICAST):
                    size = tunnels.mpls_labels(data, at, end)
                    if size == tunnels.CUT or at + size == end:
                        flags |= short(counters, end, 1, limit, kinds.BROKEN_TUNNEL)
                        break
                    if size < 0:
                        counters[kinds.BROKEN_TUNNEL] += 1
                        flags |= BROKEN
                        break
                    at += size
                    counters[kinds.MPLS] += 1
                    nibble = load_u8(data, at) >> 4
                    if nibble == 4:
                        step = IN_IPV4
                    elif nibble == 6:
                        step = IN_IPV6
                    else:
                        counters[kinds.MPLS_PAYLOAD] += 1
                        flags |= NOT_IP
                        break
                elif kind == tunnels.ETHERNET:
                    step = IN_ETHERNET
                    continue
                elif kind < tunnels.LEAST_TYPE:
                    step, kind, at, flag = llc(data, at, end, limit, counters)
                    flags |= flag
                    continue
                else:
                    count_type(counters, kind)
                    flags |= NOT_IP
                    break

            if step == IN_IPV4:
                # RFC 791: version and header length, total length @2, fragment @6, protocol @9, checksum @10,
                # addresses @12 and @16
                if at + 20 > end:
                    flags |= short(counters, at, 20, limit, kinds.BROKEN_IPV4)
                    break
                first = load_u8(data, at)
                size = (first & 15) * 4
                total = load_be16(data, at + 2)
                if first >> 4 != 4 or size < 20 or total < size or at + total > limit:
                    counters[kinds.BROKEN_IPV4] += 1
                    flags |= BROKEN
                    break
                if at + size > end:
                    counters[kinds.CUT_BY_SNAPLEN] += 1
                    flags |= SNAPPED
                    break
                counters[kinds.PACKETS_V4] += 1
                limit = at + total
                end = min(end, limit)
                if outermost:
                    outermost = False
                    if frame_end > limit:
                        frame["trailer"] = frame_end - limit
                        counters[kinds.TRAILERS] += 1
                if options & VERIFY and checksum.fold(checksum.add(data, at, at + size, 0)) != 0xFFFF:
                    flags |= BAD_IP_CHECKSUM
                if load_be16(data, at + 6) & 0x3FFF:
                    counters[kinds.FRAGMENT_COUNT] += 1
                    flags |= FRAGMENT
                    break
                version = 4
                source_high = group_high = 0
                source_low = load_be32(data, at + 12)
                group_low = load_be32(data, at + 16)
                sum_addresses = load_le32(data, at + 12) + load_le32(data, at + 16)
                kind = load_u8(data, at + 9)
                at += size
                step = IN_TRANSPORT

            elif step == IN_IPV6:
                # RFC 8200: version, payload length @4, next header @6, addresses @8 and @24
                if at + 40 > end:
                    flags |= short(counters, at, 40, limit, kinds.BROKEN_IPV6)
                    break
                total = 40 + load_be16(data, at + 4)
                if load_u8(data, at) >> 4 != 6 or at + total > limit:
                    counters[kinds.BROKEN_IPV6] += 1
                    flags |= BROKEN
                    break
                counters[kinds.PACKETS_V6] += 1
                limit = at + total
                end = min(end, limit)
                if outermost:
                    outermost = False
                    if frame_end > limit:
                        frame["trailer"] = frame_end - limit
                        counters[kinds.TRAILERS] += 1
                version = 6
                source_high = load_be64(data, at + 8)
                source_low = load_be64(data, at + 16)
                group = at + 24
                kind = load_u8(data, at + 6)
                sum_addresses = checksum.add(data, at + 8, at + 24, 0)
                at += 40
                if kind in (HOP_BY_HOP, ROUTING, FRAGMENTED, AUTHENTICATION, DESTINATION):
                    kind, at, group, flag = extensions(data, at, end, limit, kind, group, counters)
                    if flag:
                        flags |= flag
                        break
                group_high = load_be64(data, group)
                group_low = load_be64(data, group + 8)
                sum_addresses = checksum.add(data, group, group + 16, sum_addresses)
                step = IN_TRANSPORT

            if step != IN_TRANSPORT:
                continue
            if kind == UDP:
                # RFC 768: ports, length @4, checksum @6
                if at + 8 > end:
                    flags |= short(counters, at, 8, limit, kinds.BROKEN_UDP)
                    break
                length = load_be16(data, at + 4)
                if length < 8 or at + length > limit:
                    counters[kinds.BROKEN_UDP] += 1
                    flags |= BROKEN
                    break
                port = load_be16(data, at + 2)
                if port == tunnels.VXLAN_PORT and tunnels.is_vxlan(data, at + 8, end):
                    counters[kinds.VXLAN] += 1
                    limit = at + length
                    end = min(end, limit)
                    at += 8 + tunnels.VXLAN_HEADER
                    step = IN_ETHERNET
                    continue
                if at + length > end:
                    counters[kinds.CUT_BY_SNAPLEN] += 1
                    flags |= SNAPPED
                    break
                if options & VERIFY:
                    if load_be16(data, at + 6) == 0:
                        # Without one over IPv6 (RFC 8200, section 8.1) the kernel drops the datagram.
                        flags |= NO_UDP_CHECKSUM if version == 4 else BAD_UDP_CHECKSUM
                    else:
                        total = sum_addresses + checksum.swap16(UDP) + checksum.swap16(length)
                        if checksum.fold(checksum.add(data, at, at + length, total)) != 0xFFFF:
                            flags |= BAD_UDP_CHECKSUM
                flow = intern(
                    flows,
                    table,
                    counters,
                    source_high,
                    source_low,
                    group_high,
                    group_low,
                    port,
                    version,
                    vlan,
                    int(frame["interface"]),
                    int(frame["capture"]),
                    int(frame["ordinal"]),
                )
                if flow < 0:
                    counters[kinds.FLOW_TABLE_FULL] += 1
                    flags |= FLOWS_FULL
                    break
                flows[flow]["datagrams"] += 1
                counters[kinds.DATAGRAM] += 1
                frame["flow"] = flow
                frame["payload"] = at + 8
                frame["payload_length"] = length - 8
                break
            if kind == GRE:
                size = tunnels.gre_header(data, at, end)
                if size == tunnels.CUT or (size > 0 and at + size > end):
                    flags |= short(counters, end, 1, limit, kinds.BROKEN_TUNNEL)
                    break
                if size == tunnels.OTHER:
                    counters[kinds.GRE_VERSION] += 1
                    flags |= NOT_UDP
                    break
                if size < 0:
                    counters[kinds.BROKEN_TUNNEL] += 1
                    flags |= BROKEN
                    break
                kind = load_be16(data, at + 2)
                mirrored = kind in (tunnels.ERSPAN_2, tunnels.ERSPAN_3)
                counters[kinds.ERSPAN if mirrored else kinds.GRE] += 1
                at += size
                step = IN_ETHERNET if mirrored else IN_TYPE
            elif kind == 4:
                counters[kinds.IP_IN_IP] += 1
                step = IN_IPV4
            elif kind == 41:
                counters[kinds.IP_IN_IP] += 1
                step = IN_IPV6
            else:
                counters[kinds.PROTOCOLS + kind] += 1
                flags |= NOT_UDP
                break

        if flags & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM | NO_UDP_CHECKSUM):
            counters[kinds.BAD_IP] += (flags & BAD_IP_CHECKSUM) != 0
            counters[kinds.BAD_UDP] += (flags & BAD_UDP_CHECKSUM) != 0
            counters[kinds.NO_UDP] += (flags & NO_UDP_CHECKSUM) != 0
        frame["flags"] = flags
    known: int = counters[kinds.FLOW_COUNT]
    return known
