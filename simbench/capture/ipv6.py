"""The extension headers of IPv6 (RFC 8200, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import njit

from simbench.capture import kinds
from simbench.capture.links import short
from simbench.frame import BROKEN, FRAGMENT
from simbench.kernel.pure import load_be16, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Bytes, Words

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENTED: Final = 44
AUTHENTICATION: Final = 51
DESTINATION: Final = 60
MOST_EXTENSIONS: Final = 16


@njit(cache=True, nogil=True)
def extensions(
    data: Bytes, at: int, end: int, limit: int, kind: int, group: int, counters: Words
) -> tuple[int, int, int, int]:
    """Step over the extension headers from at on.

    Args:
        data: the buffer.
        at: where the first one starts.
        end: of what was captured.
        limit: of what was on the wire.
        kind: the number that announced the first one.
        group: where the packet's destination address stands.
        counters: counts what ends the walk.

    Returns:
        What is inside, where it starts, where the address stands that a checksum is over, and flags of a bad end.
    """
    for _ in range(MOST_EXTENSIONS):
        if kind not in (HOP_BY_HOP, ROUTING, FRAGMENTED, AUTHENTICATION, DESTINATION):
            return kind, at, group, 0
        if at + 8 > end:
            return kind, at, group, short(counters, at, 8, limit, kinds.BROKEN_IPV6)
        size = 8
        if kind == AUTHENTICATION:
            size = (load_u8(data, at + 1) + 2) * 4
        elif kind != FRAGMENTED:
            size = (load_u8(data, at + 1) + 1) * 8
        if at + size > end:
            return kind, at, group, short(counters, at, size, limit, kinds.BROKEN_IPV6)
        if kind == FRAGMENTED and load_be16(data, at + 2) & 0xFFF9:
            counters[kinds.FRAGMENT_COUNT] += 1
            return kind, at, group, FRAGMENT
        if kind == ROUTING and load_u8(data, at + 3) > 0 and size >= 24:
            # Not there yet: the checksum is over the last address of the route (section 8.1), which stands last in
            # types 0 and 2 and first in type 4.
            group = at + 8 if load_u8(data, at + 2) == 4 else at + size - 16
        kind = load_u8(data, at)
        at += size
    counters[kinds.TOO_DEEP] += 1
    return kind, at, group, BROKEN
