"""The layers below IP: where a frame's first packet starts, on every link but Ethernet, and what else they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import njit

from simbench.capture import kinds
from simbench.capture.tunnels import LEAST_TYPE
from simbench.frame import BROKEN, NOT_IP, SNAPPED, UNKNOWN_LINK
from simbench.kernel.pure import load_be16, load_be32, load_le32, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Bytes, Words

# Where a walk through a frame stands: what kind of header starts there.
DONE: Final = 0
IN_ETHERNET: Final = 1
IN_TYPE: Final = 2  # what an ethertype announced
IN_IPV4: Final = 3
IN_IPV6: Final = 4
IN_TRANSPORT: Final = 5  # what an IP protocol number announced


@njit(cache=True, nogil=True)
def short(counters: Words, at: int, size: int, limit: int, broken: int) -> int:
    """Count a header that is not all there: cut by snaplen when the wire had it, else broken; return the flag."""
    if at + size <= limit:
        counters[kinds.CUT_BY_SNAPLEN] += 1
        return SNAPPED
    counters[broken] += 1
    return BROKEN


@njit(cache=True, nogil=True)
def enter(data: Bytes, link: int, at: int, end: int, limit: int, counters: Words) -> tuple[int, int, int, int]:
    """Step over the link layer of a frame that is not Ethernet (tcpdump.org/linktypes.html).

    Returns:
        The step, the ethertype where that is IN_TYPE, where it starts, and flags where the walk is DONE.
    """
    if link in (12, 14, 101, 228, 229):  # raw IP, under all its numbers
        if at >= end:
            return DONE, 0, at, short(counters, at, 1, limit, kinds.BROKEN_LINK)
        return IN_IPV6 if load_u8(data, at) >> 4 == 6 else IN_IPV4, 0, at, 0
    if link in (113, 276):  # Linux cooked: the ethertype is its last field in version 1, its first in version 2
        size = 16 if link == 113 else 20
        if at + size > end:
            return DONE, 0, at, short(counters, at, size, limit, kinds.BROKEN_LINK)
        return IN_TYPE, load_be16(data, at + 14 if link == 113 else at), at + size, 0
    if link in (0, 108):
        if at + 4 > end:
            return DONE, 0, at, short(counters, at, 4, limit, kinds.BROKEN_LINK)
        # An address family, in the byte order of whoever captured: every family is a small number.
        family = load_le32(data, at)
        if family > 0xFFFF:
            family = load_be32(data, at)
        if family == 2:
            return IN_IPV4, 0, at + 4, 0
        if family in (10, 23, 24, 28, 30):  # Linux, Windows, NetBSD, FreeBSD, macOS
            return IN_IPV6, 0, at + 4, 0
        counters[kinds.LOOPBACK_FAMILY] += 1
        return DONE, 0, at, NOT_IP
    counters[kinds.UNKNOWN_LINK_TYPE] += 1
    return DONE, 0, at, UNKNOWN_LINK


@njit(cache=True, nogil=True)
def llc(data: Bytes, at: int, end: int, limit: int, counters: Words) -> tuple[int, int, int, int]:
    """Step over an 802.2 header; AA AA 03 and organisation 0 is SNAP, which names an ethertype. Returns as enter()."""
    if at + 3 > end:
        return DONE, 0, at, short(counters, at, 3, limit, kinds.BROKEN_LINK)
    service = load_be16(data, at)
    if service != 0xAAAA:
        counters[kinds.STP if service == 0x4242 else kinds.LLC] += 1
        return DONE, 0, at, NOT_IP
    if at + 8 > end:
        return DONE, 0, at, short(counters, at, 8, limit, kinds.BROKEN_LINK)
    organisation = load_be32(data, at + 2) & 0x00FF_FFFF
    kind = load_be16(data, at + 6)
    if organisation == 0 and kind >= LEAST_TYPE:
        return IN_TYPE, kind, at + 8, 0
    counters[kinds.CISCO_SNAP if organisation == 0x00000C else kinds.LLC] += 1
    return DONE, 0, at, NOT_IP


@njit(cache=True, nogil=True)
def count_type(counters: Words, kind: int) -> None:
    """Count a frame whose ethertype is not IP."""
    for at in range(kinds.TYPES, kinds.OTHER_TYPES, 2):
        if counters[at + 1] == 0:
            counters[at] = kind
        if counters[at] == kind:
            counters[at + 1] += 1
            return
    counters[kinds.OTHER_TYPES] += 1
