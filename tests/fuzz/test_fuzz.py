"""A short share of `make fuzz`: damage is survived everywhere, and what is planted is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import files
import pytest
from run import BUILDS, fuzz

from simbench.protocol.registry import names

if TYPE_CHECKING:
    from pathlib import Path

OURS = sorted(name for name in names() if name.split(".")[0] in {"cme", "nasdaq", "iex", "deribit", "simbench"})


@pytest.mark.parametrize("protocol", OURS)
def test_no_decoder_looks_beyond_a_damaged_datagram(protocol: str) -> None:
    """Both functions, against guard pages and between bytes of two kinds."""
    out = fuzz(protocol, "guarded", 20_000, 7)
    assert (out.finding, out.datagrams) == ("", 20_000)
    assert out.broken > 1_000  # the damage is damage
    assert out.events > 1_000  # and not all of it is


@pytest.mark.parametrize("protocol", ["cme.mdp3", "nasdaq.itch50"])
@pytest.mark.parametrize("build", ["checked", "receiver"])
def test_damage_is_counted_in_the_checked_build_and_by_a_whole_receiver(protocol: str, build: str) -> None:
    """The same bytes with every load's bounds checked, and on two lines through arbitration into books."""
    out = fuzz(protocol, build, 20_000, 7)
    assert (out.finding, out.datagrams) == ("", 20_000)
    assert out.events > 1_000


def test_a_right_decoder_passes() -> None:
    """Without a mistake nothing is found."""
    assert fuzz("planted.right", "guarded", 2_000, 1).finding == ""


@pytest.mark.parametrize("build", [build for build in BUILDS if build != "receiver"])
def test_a_load_one_byte_too_far_is_seen(build: str) -> None:
    """A fault at the guard page, an exception in the checked build; the datagram is named."""
    out = fuzz("planted.reads_on", build, 2_000, 1)
    assert "outside of the datagram" in out.finding or "out of bounds" in out.finding
    assert len(out.payload) > 0


def test_a_result_that_hangs_on_the_next_byte_is_seen() -> None:
    """Where the byte behind the datagram can be read, two fills tell."""
    assert "depends on bytes outside" in fuzz("planted.takes_on", "guarded", 2_000, 1).finding


def test_damaged_captures_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """Whole or not at all: frames, or a refusal in one line."""
    readable, frames, datagrams = files.fuzz(tmp_path, 400, 3)
    assert 100 < readable < 400
    assert frames > datagrams > 1_000
