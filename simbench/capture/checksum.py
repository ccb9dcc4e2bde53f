"""The Internet checksum (RFC 1071), by words instead of halves of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from simbench.kernel.pure import direct, load_le16, load_le32, load_u8

if TYPE_CHECKING:
    from simbench.capture.block import Bytes


@direct
def add(data: Bytes, start: int, end: int, total: int) -> int:
    """Add data[start:end] to a running sum, little-endian 16-bit words at a time; at most 4 GiB in one sum.

    A sum of 16-bit words does not care for their byte order as long as it is one, nor for being added in pairs.
    """
    words = end - start >> 2
    for index in range(words):  # in this shape LLVM makes it a vector loop
        total += load_le32(data, start + 4 * index)
    at = start + 4 * words
    if at + 2 <= end:
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
