"""The addresses of a flow, as Python's own library has them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal

Address = IPv4Address | IPv6Address


def address_of(flow: Any, end: Literal["source", "group"]) -> Address:
    """Return an address of a FLOW record, which holds it as two big-endian halves.

    Args:
        flow: FLOW record.
        end: which of the two.
    """
    mask = (1 << 64) - 1
    high, low = int(flow[f"{end}_high"]) & mask, int(flow[f"{end}_low"]) & mask
    return IPv6Address(high << 64 | low) if flow["version"] == 6 else IPv4Address(low & 0xFFFF_FFFF)
