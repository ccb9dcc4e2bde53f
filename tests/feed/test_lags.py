"""How far lines lag: each copy behind the first of another line, against a reckoning that remembers everything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from feed_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.feed import layout as at
from simbench.measure.histogram import percentiles
from simbench.measure.skew import EDGES, buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = 10


def counts(driver: Driver, line: int) -> Counter[int]:
    """Return a line's lags by the upper edge of their bucket."""
    return Counter(dict(buckets(driver.sequencer.lags(0)[line])))


def reckoned(lags: Sequence[int]) -> Counter[int]:
    """Return exact lags by the upper edge of the bucket that each falls into."""
    return Counter(next(int(edge) for edge in EDGES if lag <= edge) for lag in lags)


def test_a_copy_counts_for_the_line_that_was_second() -> None:
    """By how much, whichever line it was."""
    driver = Driver(2)
    driver.join(FIRST)
    driver.offer(0, 11, now=1_000)
    driver.offer(1, 11, now=1_700)
    driver.offer(1, 12, now=2_000)
    driver.offer(0, 12, now=2_005)
    assert counts(driver, 0) == reckoned([5])
    assert counts(driver, 1) == reckoned([700])
    assert [int(row[at.LAG_HIGHEST]) for row in driver.sequencer.lags(0)] == [5, 700]


def test_repeats_of_a_line_are_no_skew() -> None:
    """A line that sends a packet twice lags behind nobody."""
    driver = Driver(2)
    driver.join(FIRST)
    driver.offer(0, 11, now=100)
    driver.offer(0, 11, now=900)
    assert counts(driver, 0) == counts(driver, 1) == Counter()


def test_a_copy_of_a_packet_that_is_held_counts() -> None:
    """Its first copy came when it came, not when it was delivered."""
    driver = Driver(2)
    driver.join(FIRST)
    driver.offer(0, 12, now=100)  # 11 is missing
    driver.offer(1, 11, now=150)
    driver.offer(1, 12, now=160)
    assert counts(driver, 1) == reckoned([60])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.lists(st.integers(0, 3_000_000), min_size=3, max_size=3)),
        min_size=1,
        max_size=60,
    )
)
def test_lags_are_those_that_a_list_of_arrivals_tells(packets: list[tuple[int, list[int]]]) -> None:
    """Three lines that lose nothing and keep their order: every copy behind the first, and none else."""
    driver = Driver(3)
    driver.join(FIRST)
    arrivals: list[tuple[int, int, int, int]] = []
    first, reached = FIRST + 1, [0, 0, 0]
    for units, delays in packets:
        for line, delay in enumerate(delays):
            reached[line] = max(reached[line], delay)
            arrivals.append((reached[line], first, line, units))
        first += units
    arrivals.sort()
    expected: list[list[int]] = [[], [], []]
    seen: dict[int, int] = {}
    for now, sequence, line, units in arrivals:
        driver.offer(line, sequence, units, now=now)
        if sequence in seen:
            expected[line].append(now - seen[sequence])
        seen.setdefault(sequence, now)
    for line in range(3):
        assert counts(driver, line) == reckoned(expected[line])


@given(st.lists(st.integers(0, 1 << 34), min_size=1, max_size=200))
def test_percentiles_are_at_most_an_eighth_too_large(values: list[int]) -> None:
    """And never too small."""
    row = np.zeros(at.LAG_WORDS, np.int64)
    for value in values:
        row[at.LAG_HEAD + int(np.searchsorted(EDGES, value))] += 1
    row[at.LAG_HIGHEST] = max(values)
    for share, found in zip(
        (50, 99, 100), percentiles(row[at.LAG_HEAD :], EDGES, int(row[at.LAG_HIGHEST]), 50, 99, 100), strict=True
    ):
        exact = sorted(values)[max(0, -(-share * len(values) // 100) - 1)]
        assert exact <= found <= exact * 9 // 8 + 1


def test_a_bucket_is_at_most_an_eighth_of_its_value_wide() -> None:
    """Exact below 16 ns, and without a hole between two of them."""
    assert EDGES[:16].tolist() == list(range(16))
    widths = np.diff(EDGES)
    assert (widths > 0).all()
    assert (widths * 8 <= EDGES[:-1] + 1)[15:].all()
