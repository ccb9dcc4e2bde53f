"""Headers that carry other frames or packets: what is inside, and where it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import njit

from simbench.kernel.pure import load_be16, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Bytes

# Ethertypes (IEEE), also what GRE calls its content.
IPV4: Final = 0x0800
IPV6: Final = 0x86DD
CUSTOMER_VLAN: Final = 0x8100
SERVICE_VLAN: Final = 0x88A8
OLD_VLANS: Final = (0x9100, 0x9200, 0x9300)  # QinQ before it had a standard
MPLS_UNICAST: Final = 0x8847
MPLS_MULTICAST: Final = 0x8848
ETHERNET: Final = 0x6558  # a whole Ethernet frame (RFC 1701)
ERSPAN_2: Final = 0x88BE  # also type I
ERSPAN_3: Final = 0x22EB
LEAST_TYPE: Final = 0x0600  # a smaller number in its place is an 802.3 length

VXLAN_PORT: Final = 4789
VXLAN_HEADER: Final = 8

# What a step returns in place of the bytes it took: the header is cut, contradicts itself, or is not for us.
CUT: Final = -1
WRONG: Final = -2
OTHER: Final = -3

GRE_CHECKSUM: Final = 0x8000
GRE_ROUTING: Final = 0x4000
GRE_KEY: Final = 0x2000
GRE_SEQUENCE: Final = 0x1000
GRE_VERSION_BITS: Final = 7


@njit(inline="always")
def is_vlan(kind: int) -> bool:
    """Tell whether an ethertype is that of a VLAN tag."""
    return kind in (CUSTOMER_VLAN, SERVICE_VLAN, 0x9100, 0x9200, 0x9300)


@njit(cache=True, nogil=True)
def mpls_labels(data: Bytes, at: int, end: int) -> int:
    """Return the bytes of a label stack (RFC 3032): 4 a label, the last one has the bottom bit; at most 16."""
    size = 0
    while size < 64:
        if at + size + 4 > end:
            return CUT
        size += 4
        if load_u8(data, at + size - 2) & 1:
            return size
    return WRONG


@njit(cache=True, nogil=True)
def gre_header(data: Bytes, at: int, end: int) -> int:
    """Return the bytes of a GRE header (RFC 2784, 2890) and of an ERSPAN one behind it.

    ERSPAN (draft-foschiano-erspan): type I has no header of its own and no GRE sequence, type II has 8 bytes, type
    III 12 and 8 more where its last bit says so.
    """
    if at + 4 > end:
        return CUT
    flags = load_be16(data, at)
    kind = load_be16(data, at + 2)
    if flags & (GRE_ROUTING | GRE_VERSION_BITS):
        return OTHER
    size = 4
    if flags & GRE_CHECKSUM:
        size += 4
    if flags & GRE_KEY:
        size += 4
    if flags & GRE_SEQUENCE:
        size += 4
    if kind == ERSPAN_2 and flags & GRE_SEQUENCE:
        if at + size + 8 > end:
            return CUT
        if load_u8(data, at + size) >> 4 != 1:
            return WRONG
        return size + 8
    if kind == ERSPAN_3:
        if at + size + 12 > end:
            return CUT
        if load_u8(data, at + size) >> 4 != 2:
            return WRONG
        size += 20 if load_u8(data, at + size + 11) & 1 else 12
    return size


@njit(inline="always")
def is_vxlan(data: Bytes, at: int, end: int) -> bool:
    """Tell whether a VXLAN header (RFC 7348, section 5) stands here: only its I flag set, all reserved bits 0."""
    return (
        at + VXLAN_HEADER <= end
        and load_be16(data, at) == 0x0800
        and load_be16(data, at + 2) == 0
        and (load_u8(data, at + 7) == 0)
    )
