"""The Internet checksum (RFC 1071), by words instead of halves of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from simbench.kernel.pure import load_le16, load_le32, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Bytes


@njit(cache=True, nogil=True)
def add(data: Bytes, start: int, end: int, total: int) -> int:
    """Add data[start:end] to a running sum, little-endian 16-bit words at a time; at most 4 GiB in one sum.

    A sum of 16-bit words does not care for their byte order as long as it is one, nor for being added in pairs.
    """
    at = start
    a = b = c = d = 0
    while at + 16 <= end:
        a += load_le32(data, at)
        b += load_le32(data, at + 4)
        c += load_le32(data, at + 8)
        d += load_le32(data, at + 12)
        at += 16
    total += a + b + c + d
    while at + 2 <= end:
        total += load_le16(data, at)
        at += 2
    if at < end:
        total += load_u8(data, at)
    return total


@njit(inline="always")
def fold(total: int) -> int:
    """Fold a running sum to 16 bits with the carries brought round: 0xffff when a checksum in it was right."""
    total = (total & 0xFFFF_FFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


@njit(inline="always")
def swap16(value: int) -> int:
    """Return a 16-bit number as the little-endian sum sees it on the wire."""
    return (value & 0xFF) << 8 | value >> 8
