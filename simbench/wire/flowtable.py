"""Which queue a frame belongs to: a table of flows that kernels look frames up in.

By group and port, as the rules of a card are and as channels are owned, or by addresses and ports, as a card's hash
sees them. Whoever makes the table computes the queues; here they are only found again.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from simbench.errors import SimbenchError
from simbench.kernel.pure import kernel, load_be16, load_be32, load_be64, load_u8, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes, Words

ELSEWHERE: Final = -1  # the queue of what the table does not name

# Words of a table: a head, then rows.
BY_SOURCE: Final = 0  # 1: source address and port are part of the key
MASK: Final = 1  # of the rows, a power of two
HEAD: Final = 2
USED: Final = 0  # of a row: 1
SOURCE_HIGH: Final = 1
SOURCE_LOW: Final = 2
GROUP_HIGH: Final = 3
GROUP_LOW: Final = 4
PORTS: Final = 5  # source port << 16 | destination port
QUEUE: Final = 6
ROW: Final = 8

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
VLAN: Final = 0x8100
SERVICE_VLAN: Final = 0x88A8
UDP: Final = 17


class FlowQueue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flow and its queue.

    Attributes:
        group: destination address.
        port: likewise.
        queue: of the frames.
        source: address of the sender; "" in a table by group and port.
        source_port: likewise.
    """

    group: str
    port: int
    queue: int
    source: str = ""
    source_port: int = 0


def new_table(flows: Sequence[FlowQueue], *, by_source: bool) -> Words:
    """Return a table, int64[n]; of flows with the same key the first counts.

    Args:
        flows: what it names.
        by_source: whether source addresses and ports are part of the key.
    """
    rows = 1 << max(3, (2 * len(flows)).bit_length())
    table = np.zeros(HEAD + rows * ROW, np.int64)
    table[[BY_SOURCE, MASK]] = by_source, rows - 1
    for flow in flows:
        source = _halves(flow.source) if by_source else (0, 0)
        ports = (flow.source_port if by_source else 0) << 16 | flow.port
        key = (*source, *_halves(flow.group), ports)
        row = find_row(table, *key)
        if not table[row + USED]:
            table[row : row + ROW] = 1, *key, flow.queue, 0
    return table


def _halves(address: str) -> tuple[int, int]:
    try:
        packed = ip_address(address).packed.rjust(16, b"\0")
    except ValueError:
        raise SimbenchError(f"{address!r} is no address") from None
    return int.from_bytes(packed[:8], signed=True), int.from_bytes(packed[8:], signed=True)


@kernel
def find_row(table: Words, source_high: int, source_low: int, group_high: int, group_low: int, ports: int) -> int:
    """Return where the row of a key begins, or the free one where it belongs."""
    mask = table[MASK]
    place = mix(mix(group_low ^ group_high, ports), source_low ^ source_high) & mask
    while True:
        row = HEAD + place * ROW
        if table[row + USED] == 0 or (
            table[row + GROUP_LOW] == group_low
            and table[row + PORTS] == ports
            and table[row + SOURCE_LOW] == source_low
            and table[row + GROUP_HIGH] == group_high
            and table[row + SOURCE_HIGH] == source_high
        ):
            return int(row)
        place = (place + 1) & mask


@kernel
def queue_of_frame(table: Words, data: Bytes, at: int, length: int) -> int:
    """Return the queue of the Ethernet frame data[at:at + length]; ELSEWHERE where the table does not name its flow.

    A fragment has no ports, and a tunnel's inside is not looked at: as cards have it, neither is found by its flow.
    """
    end = at + length
    if length < 14:
        return ELSEWHERE
    kind = load_be16(data, at + 12)
    at += 14
    while kind in (VLAN, SERVICE_VLAN) and at + 4 <= end:
        kind = load_be16(data, at + 2)
        at += 4
    source_high = source_low = group_high = group_low = 0
    if kind == IPV4:
        if at + 20 > end or load_u8(data, at + 9) != UDP or load_be16(data, at + 6) & 0x3FFF != 0:
            return ELSEWHERE
        source_low = load_be32(data, at + 12)
        group_low = load_be32(data, at + 16)
        at += (load_u8(data, at) & 15) * 4
    elif kind == IPV6:
        if at + 40 > end or load_u8(data, at + 6) != UDP:
            return ELSEWHERE
        source_high = load_be64(data, at + 8)
        source_low = load_be64(data, at + 16)
        group_high = load_be64(data, at + 24)
        group_low = load_be64(data, at + 32)
        at += 40
    else:
        return ELSEWHERE
    if at + 4 > end:
        return ELSEWHERE
    ports = load_be16(data, at) << 16 | load_be16(data, at + 2)
    if table[BY_SOURCE] == 0:
        source_high = source_low = 0
        ports &= 0xFFFF
    row = find_row(table, source_high, source_low, group_high, group_low, ports)
    return int(table[row + QUEUE]) if table[row + USED] != 0 else ELSEWHERE
