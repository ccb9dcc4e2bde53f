"""Receive side scaling: the Toeplitz hash over addresses and ports, and the indirection table behind it.

Hash, key and verification values are those of Microsoft's RSS documentation; cards use a table of 128 entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simbench.address import Address

KEY: Final = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa",
)
ENTRIES: Final = 128


def toeplitz(data: bytes, key: bytes = KEY) -> int:
    """Return the 32-bit hash: the exclusive or of the key's 32 bits from each set bit of the data on.

    Args:
        data: at most 36 bytes, as far as the key reaches.
        key: 40 bytes.

    Raises:
        ValueError: the data is longer than the key allows.
    """
    if len(data) + 4 > len(key):
        raise ValueError(f"a key of {len(key)} bytes hashes at most {len(key) - 4}, not {len(data)}")
    window, bits = int.from_bytes(key), len(key) * 8 - 32
    found = 0
    for place in range(len(data) * 8):
        if data[place // 8] >> (7 - place % 8) & 1:
            found ^= window >> (bits - place) & 0xFFFF_FFFF
    return found


def hash_flow(source: Address, group: Address, ports: tuple[int, int] | None) -> int:
    """Return the hash of a flow's packets.

    Args:
        source: address.
        group: destination address.
        ports: of source and destination; None where only addresses are hashed, as many cards do for UDP.
    """
    data = source.packed + group.packed
    if ports is not None:
        data += ports[0].to_bytes(2) + ports[1].to_bytes(2)
    return toeplitz(data)


def queue_of(hashed: int, queues: int) -> int:
    """Return the queue that a table filled in turn has for a hash."""
    return (hashed & (ENTRIES - 1)) % queues
