"""Lengths and checksums of a plain frame, Ethernet, IP without options and UDP: written, and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.capture.checksum import add, fold, swap16
from simbench.kernel.pure import kernel, load_be16, store_be16

if TYPE_CHECKING:
    from simbench.capture.block import Bytes

ETHERNET: Final = 14  # bytes of its header
IPV4: Final = 20
IPV6: Final = 40
UDP: Final = 8
IPV6_TYPE: Final = 0x86DD


@kernel
def udp_at(data: Bytes, at: int) -> int:
    """Return where the UDP header of the frame at data[at:] starts."""
    return at + ETHERNET + (IPV6 if load_be16(data, at + 12) == IPV6_TYPE else IPV4)


@kernel
def seal(data: Bytes, at: int, length: int) -> None:
    """Write the lengths and the checksums of data[at:at + length], whose other fields and payload stand already."""
    ip = at + ETHERNET
    udp = udp_at(data, at)
    size = at + length - udp
    if udp - ip == IPV6:
        store_be16(data, ip + 4, size)
        total = add(data, ip + 8, udp, 0)
    else:
        store_be16(data, ip + 2, IPV4 + size)
        store_be16(data, ip + 10, 0)
        store_be16(data, ip + 10, swap16(fold(add(data, ip, udp, 0)) ^ 0xFFFF))
        total = add(data, ip + 12, udp, 0)
    store_be16(data, udp + 4, size)
    store_be16(data, udp + 6, 0)
    total += swap16(17) + swap16(size)  # of the pseudo header
    check = swap16(fold(add(data, udp, at + length, total)) ^ 0xFFFF)
    store_be16(data, udp + 6, check if check != 0 else 0xFFFF)


@kernel
def fits(data: Bytes, at: int, length: int) -> bool:
    """Tell whether the lengths in the frame data[at:at + length] are those of the frame."""
    if length < ETHERNET + IPV4 + UDP:
        return False
    ip = at + ETHERNET
    udp = udp_at(data, at)
    size = at + length - udp
    if size < UDP or load_be16(data, udp + 4) != size:
        return False
    if udp - ip == IPV6:
        return bool(load_be16(data, ip + 4) == size)
    return bool(load_be16(data, ip + 2) == IPV4 + size)


@kernel
def is_sound(data: Bytes, at: int, length: int) -> bool:
    """Tell whether a receiver takes the datagram in data[at:at + length]: its lengths and checksums are right."""
    if not fits(data, at, length):
        return False
    ip = at + ETHERNET
    udp = udp_at(data, at)
    if udp - ip == IPV6:
        total = add(data, ip + 8, udp, 0)
    else:
        if fold(add(data, ip, udp, 0)) != 0xFFFF:
            return False
        total = add(data, ip + 12, udp, 0)
    total += swap16(17) + swap16(at + length - udp)
    return bool(fold(add(data, udp, at + length, total)) == 0xFFFF)
