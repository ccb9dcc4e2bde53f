"""Snapshots at 1e-9: what 64 bits hold there exactly is said, and what they do not is left out and counted."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st
from iex_feeds import sends, write
from iex_samples import quote
from mbp10_samples import read

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.receive.offline import open_source
from simbench.synth.mbp10 import write_snapshots
from simbench.synth.mbp10_tops import _fits, _scaled

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 2**63 - 1


@given(value=st.integers(-LARGEST, LARGEST) | st.integers(-(10**12), 10**12), exponent=st.integers(-30, 12))
@example(value=LARGEST // 10**9, exponent=0)
@example(value=LARGEST // 10**9 - 1, exponent=0)
@example(value=1_000, exponent=-12)
@example(value=1_001, exponent=-12)
def test_what_fits_is_exact(value: int, exponent: int) -> None:
    """The integer at 1e-9 is the value, and not the largest, which means none; what would be so is not refused."""
    exact = Fraction(value) * Fraction(10) ** (exponent + 9)
    fits = bool(_fits(value, exponent))
    if fits:
        assert exact == _scaled(value, exponent)
        assert abs(exact) <= LARGEST
    elif value != 0:
        far = abs(exponent + 9) > 18 or abs(exact) > LARGEST - 10 ** max(0, exponent + 9)
        assert far or exact.denominator > 1


def test_a_price_beyond_is_left_out_and_counted(tmp_path: Path) -> None:
    """One of ten thousand millions: the instrument goes on with the next change that can be said."""
    messages = [quote("AAPL", (price, 5), None) for price in (1_000_000, 10**14, 1_000_000, 2_000_000)]
    source = open_source(write(tmp_path / "tops", sends(messages, 0, (1,), "iex.tops"), "iex.tops"))
    done = write_snapshots(source, tmp_path / "snapshots.pcap")
    assert (done.beyond, done.datagrams) == (1, 2)
    prices = set()
    for block in open_capture(tmp_path / "snapshots.pcap").blocks():
        Dissector().dissect(block)
        for row in block.frames:
            packet = read(block.data[row["payload"] :][: row["payload_length"]].tobytes())
            prices.add((packet["sequence"], packet["bids"][0][0]))
    assert prices == {(1, 100 * 10**9), (2, 200 * 10**9)}
