"""The Toeplitz hash against the verification suite of Microsoft's RSS documentation."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from simbench.steering.toeplitz import ENTRIES, hash_flow, queue_of, toeplitz

VERIFICATION = [
    ("161.142.100.80", 1766, "66.9.149.187", 2794, 0x323E8FC2, 0x51CCC178),
    ("65.69.140.83", 4739, "199.92.111.2", 14230, 0xD718262A, 0xC626B0EA),
    ("12.22.207.184", 38024, "24.19.198.95", 12898, 0xD2D0A5DE, 0x5C2B394A),
    ("209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xAFC7327F),
    ("202.188.127.2", 1303, "153.39.163.191", 44251, 0x5D1809C5, 0x10E828A2),
    ("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2CC18CD5, 0x40207D3D),
    ("ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0F0C461C, 0xDDE51BBF),
    ("fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4B61E985, 0x02D1FEEF),
]


@pytest.mark.parametrize(("target", "port", "source", "source_port", "addresses", "whole"), VERIFICATION)
def test_verification_values(target: str, port: int, source: str, source_port: int, addresses: int, whole: int) -> None:
    """All sixteen."""
    ends = ip_address(source), ip_address(target)

    assert hash_flow(*ends, None) == addresses
    assert hash_flow(*ends, (source_port, port)) == whole


def test_the_key_bounds_what_is_hashed() -> None:
    """36 bytes are what two IPv6 addresses and two ports need."""
    assert toeplitz(bytes(36)) == 0
    with pytest.raises(ValueError, match="at most 36"):
        toeplitz(bytes(37))


def test_the_table_is_filled_in_turn() -> None:
    """Every queue has as many entries as any other, or one more."""
    counts = [sum(queue_of(entry, 3) == queue for entry in range(ENTRIES)) for queue in range(3)]

    assert counts == [43, 43, 42]
    assert queue_of(0xFFFF_FF80, 3) == queue_of(0, 3)
