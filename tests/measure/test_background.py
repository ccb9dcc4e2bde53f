"""The strip: every frame is in it once, at its time, however the capture is cut and however long it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.measure.background import BINS, NARROWEST_NS, Strip, StripMaker

SECOND = 1_000_000_000
BLOCKS = st.lists(st.lists(st.integers(0, 10**15), min_size=1, max_size=20), min_size=1, max_size=8)


def made(blocks: list[list[int]], top: float = 0.01) -> Strip:
    """Return the strip of some blocks of stamps."""
    maker = StripMaker()
    for block in blocks:
        maker.add(np.array(block, np.int64))
    strip = maker.strip(top)
    assert strip is not None
    return strip


@settings(deadline=None)
@given(BLOCKS)
def test_every_frame_is_counted_where_it_lies(blocks: list[list[int]]) -> None:
    """Against counting all stamps at once in bins of the width that came out."""
    strip = made(blocks)
    stamps = np.array([stamp for block in blocks for stamp in block])
    expected = np.bincount((stamps - strip.first_ns) // strip.width_ns, minlength=len(strip.counts))
    assert expected.tolist() == list(strip.counts)
    assert len(strip.counts) <= BINS


@settings(deadline=None)
@given(BLOCKS)
def test_bins_are_no_wider_than_they_have_to_be(blocks: list[list[int]]) -> None:
    """Half as wide they would not have had room."""
    strip = made(blocks)
    stamps = [stamp for block in blocks for stamp in block]
    half = strip.width_ns // 2
    assert strip.width_ns == NARROWEST_NS or max(stamps) // half - min(stamps) // half >= BINS


@settings(deadline=None)
@given(BLOCKS, st.randoms())
def test_how_a_capture_is_cut_makes_no_difference(blocks: list[list[int]], random: np.random.Generator) -> None:
    """Neither does the order of its blocks."""
    shuffled = list(blocks)
    random.shuffle(shuffled)
    assert made(blocks) == made([[stamp] for block in shuffled for stamp in block])


def test_nothing_has_no_strip() -> None:
    """An empty block is nothing either."""
    maker = StripMaker()
    maker.add(np.zeros(0, np.int64))
    assert maker.strip(0.01) is None


def test_bursts_begin_where_the_busiest_stretches_do() -> None:
    """Two of four; of those that touch only the first."""
    stamps = [[k * NARROWEST_NS] * count for k, count in enumerate((1, 9, 8, 1, 1, 7, 1))]
    assert made(stamps, top=3 / 7).bursts == (NARROWEST_NS, 5 * NARROWEST_NS)


def test_columns_have_the_highest_rate_within_them() -> None:
    """Also where columns are narrower than bins, and outside of the capture there is none."""
    strip = Strip(first_ns=10 * SECOND, width_ns=SECOND, counts=(5, 1, 0, 8))
    assert strip.over(10 * SECOND, 14 * SECOND, 2) == [5.0, 8.0]
    assert strip.over(10 * SECOND, 12 * SECOND, 4) == [5.0, 5.0, 1.0, 1.0]
    assert strip.over(8 * SECOND, 16 * SECOND, 4) == [0.0, 5.0, 8.0, 0.0]
    assert strip.over(10 * SECOND, 10 * SECOND, 4) == []
