"""The Toeplitz hash against the verification suite of Microsoft's RSS documentation."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from simbench.steering import toeplitz as hashing
from simbench.steering.toeplitz import ENTRIES, KEY, hash_flow, queue_of, toeplitz
from simbench.steering.verification import VALUES, VERIFICATION, wrong


@pytest.mark.parametrize(("target", "port", "source", "source_port", "addresses", "whole"), VERIFICATION)
def test_verification_values(target: str, port: int, source: str, source_port: int, addresses: int, whole: int) -> None:
    """All sixteen."""
    ends = ip_address(source), ip_address(target)

    assert hash_flow(*ends, None) == addresses
    assert hash_flow(*ends, (source_port, port)) == whole


def test_a_wrong_key_is_seen_in_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite says of each value that it is not as documented, and nothing of a hash that is right."""
    assert wrong() == []

    broken = bytes([KEY[0] ^ 0x80]) + KEY[1:-1] + bytes([KEY[-1] ^ 1])
    monkeypatch.setattr(hashing.toeplitz, "__defaults__", (bytes(reversed(broken)),))
    assert len(wrong()) == VALUES == 16
    assert wrong()[0].startswith("66.9.149.187 to 161.142.100.80, addresses: 0x")


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
