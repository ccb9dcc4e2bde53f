"""Build Ethernet frames around UDP payloads, with everything in them right: what a kernel socket would accept."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from simbench.capture import checksum
from simbench.errors import SimbenchError
from simbench.kernel.pure import load_le16, load_le32, store_be16, store_be32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.capture.block import Bytes, Frames, Words

HEADERS: Final = 42  # bytes: Ethernet 14, IPv4 20, UDP 8
LONGEST_PAYLOAD: Final = 65_507  # bytes: what the lengths of IPv4 and UDP can say
TTL: Final = 32

ROUTE: Final = np.dtype(
    [
        ("source_mac", "i8"),  # 48 bits
        ("source", "i8"),  # IPv4 address
        ("group", "i8"),  # IPv4 address, multicast or not
        ("source_port", "i8"),
        ("port", "i8"),
    ],
    align=True,
)


def route(source: str, group: str, source_mac: int | None = None) -> np.void:
    """Return a ROUTE.

    Args:
        source: "10.0.0.1:30001".
        group: "224.0.31.1:14310".
        source_mac: 48 bits; by default 02:00 and the source address.

    Raises:
        SimbenchError: an address is none.
    """
    address, source_port = _endpoint(source)
    group_address, port = _endpoint(group)
    made = np.zeros(1, ROUTE)
    made[0] = (0x0200 << 32 | address if source_mac is None else source_mac, address, group_address, source_port, port)
    one: np.void = made[0]
    return one


def _endpoint(text: str) -> tuple[int, int]:
    address, _, port = text.rpartition(":")
    try:
        number = int(IPv4Address(address))
    except ValueError:
        number = 0
    if not number or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise SimbenchError(f'"{text}" is not an address and port, as in 224.0.31.1:14310')
    return number, int(port)


def craft_udp(
    payload: Bytes,
    offsets: NDArray[Any],
    lengths: NDArray[Any],
    routes: Sequence[np.void],
    lines: NDArray[Any] | None = None,
    first_identification: int = 0,
) -> tuple[Bytes, Words, Words]:
    """Build a frame around each payload.

    Args:
        payload: uint8[n], all of them.
        offsets: int[m], of the first byte of each.
        lengths: int[m], bytes.
        routes: where from and to, each made by route().
        lines: int[m], which of the routes each one takes; the first one where None.
        first_identification: IPv4's; grows by 1 from frame to frame.

    Returns:
        The frames, uint8[k], one behind another; the offset of each, int64[m]; the length of each, int64[m].

    Raises:
        SimbenchError: a payload is longer than a datagram can be.
    """
    sizes = np.ascontiguousarray(lengths, np.int64)
    if len(sizes) and int(sizes.max()) > LONGEST_PAYLOAD:
        raise SimbenchError(f"a datagram carries at most {LONGEST_PAYLOAD:,} bytes, asked for {int(sizes.max()):,}")
    frame_lengths = sizes + HEADERS
    frame_offsets = np.cumsum(frame_lengths) - frame_lengths
    frames = np.empty(int(frame_lengths.sum()), np.uint8)
    chosen = np.zeros(len(sizes), np.int64) if lines is None else np.ascontiguousarray(lines, np.int64)
    table = np.array(list(routes), ROUTE)
    _craft(
        frames,
        frame_offsets,
        payload,
        np.ascontiguousarray(offsets, np.int64),
        sizes,
        table,
        chosen,
        first_identification,
    )
    return frames, frame_offsets, frame_lengths


@njit(cache=True, nogil=True)
def _craft(
    out: Bytes,
    out_offsets: Words,
    payload: Bytes,
    offsets: Words,
    lengths: Words,
    routes: Frames,
    chosen: Words,
    identification: int,
) -> None:
    for index in range(len(offsets)):
        line = routes[chosen[index]]
        at = out_offsets[index]
        start = offsets[index]
        for byte in range(lengths[index]):
            out[at + HEADERS + byte] = payload[start + byte]
        write_headers(
            out,
            at,
            lengths[index],
            line["source_mac"],
            line["source"],
            line["source_port"],
            line["group"],
            line["port"],
            identification + index,
        )


@njit(cache=True, nogil=True)
def write_headers(
    out: Bytes,
    at: int,
    length: int,
    source_mac: int,
    source: int,
    source_port: int,
    group: int,
    port: int,
    identification: int,
) -> None:
    """Write Ethernet, IPv4 and UDP headers, HEADERS bytes at out[at:], for the payload that stands behind them.

    The Ethernet address is the group's (RFC 1112, section 6.4), or 02:00 and the address for a single host.
    """
    multicast = group >> 28 == 0xE
    destination = 0x0100_5E00_0000 | (group & 0x7F_FFFF) if multicast else 0x0200_0000_0000 | group
    store_be16(out, at, destination >> 32)
    store_be32(out, at + 2, destination & 0xFFFF_FFFF)
    store_be16(out, at + 6, source_mac >> 32)
    store_be32(out, at + 8, source_mac & 0xFFFF_FFFF)
    store_be16(out, at + 12, 0x0800)

    ip = at + 14
    store_be16(out, ip, 0x4500)
    store_be16(out, ip + 2, 28 + length)
    store_be16(out, ip + 4, identification & 0xFFFF)
    store_be16(out, ip + 6, 0x4000)  # do not fragment
    store_be16(out, ip + 8, TTL << 8 | 17)
    store_be16(out, ip + 10, 0)
    store_be32(out, ip + 12, source)
    store_be32(out, ip + 16, group)
    header = checksum.fold(checksum.add(out, ip, ip + 20, 0)) ^ 0xFFFF
    store_be16(out, ip + 10, checksum.swap16(header))

    udp = ip + 20
    store_be16(out, udp, source_port)
    store_be16(out, udp + 2, port)
    store_be16(out, udp + 4, 8 + length)
    store_be16(out, udp + 6, 0)
    total = load_le32(out, ip + 12) + load_le32(out, ip + 16) + checksum.swap16(17) + load_le16(out, udp + 4)
    datagram = checksum.fold(checksum.add(out, udp, udp + 8 + length, total)) ^ 0xFFFF
    store_be16(out, udp + 6, checksum.swap16(datagram) if datagram else 0xFFFF)  # 0 would say that there is none
