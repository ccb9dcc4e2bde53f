"""Curves and timelines: bounded, and nothing is lost by keeping them so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.measure import telemetry as t
from simbench.measure.histogram import Histogram, record
from simbench.measure.series import MOST, Timeline, curve, curves

SECOND = 1_000_000_000


def counted(values: list[int]) -> Histogram:
    """Return a histogram of values."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(st.integers(0, 1 << 41), min_size=1, max_size=300))
def test_a_curve_rises_from_the_smallest_to_the_largest(values: list[int]) -> None:
    """Shares and values only rise, the ends are 0 and 1, and each value is the histogram's own percentile."""
    histogram = counted(values)

    found = curve(histogram)

    shares, times = zip(*found, strict=True)
    assert shares[0] == 0.0
    assert found[-1] == [1.0, histogram.highest]
    assert all(low < high for low, high in pairwise(shares))
    assert list(times) == sorted(times)
    assert list(times[:-1]) == histogram.percentiles(*(100 * share for share in shares[:-1]))


def test_a_curve_is_bounded_however_much_was_counted() -> None:
    """Five points for a halving: some 200 for more values than there will ever be."""
    histogram = counted([5, 9])
    histogram.words[0] = histogram.words[4 + 9] = 1 << 40

    assert len(curve(histogram)) == 5 * 40 + 2


def test_stages_without_values_have_no_curve() -> None:
    """Nothing is drawn of what was not measured."""
    assert set(curves({"due_send": counted([1]), "send_hook": Histogram()})) == {"due_send"}


def grown(words: t.Words, frames: int, latency: int, stage: str = "due_book") -> None:
    """Count so many frames more, each with this latency."""
    words[t.counter("frames")] += frames
    for _ in range(frames):
        record(words, t.stage(stage), latency)


def test_a_bucket_has_what_came_between_two_looks() -> None:
    """Counters, gaps, drops and the percentiles of each stage."""
    words, line = np.zeros(t.WORDS, np.int64), Timeline()
    line.look(5 * SECOND, words)
    words[t.STARTED] = 7 * SECOND
    grown(words, 3, 100)
    line.look(8 * SECOND, words)
    grown(words, 2, 9)
    words[t.GAPS_LOST] = 1
    words[t.counter("drop_fill_empty")] = 4
    words[t.REPLAY_NOW] = 1 << 60
    line.look(10 * SECOND, words)

    first, second = line.told()

    assert (first["at_ns"], first["span_ns"], first["frames"], first["drops"]) == (0, SECOND, 3, 0)
    assert first["stages"] == {"due_book": [3, 100, 100, 100]}
    assert (second["at_ns"], second["span_ns"], second["frames"]) == (SECOND, 2 * SECOND, 2)
    assert (second["gaps_lost"], second["drops"], second["recorded_ns"]) == (1, 4, str(1 << 60))
    assert second["stages"] == {"due_book": [2, 9, 9, 9]}


@pytest.mark.parametrize("looks", [2, MOST, MOST + 1, 5 * MOST + 17])
def test_a_timeline_is_bounded_and_loses_nothing(looks: int) -> None:
    """At most MOST buckets, back to back, that add up to the whole run."""
    words, line = np.zeros(t.WORDS, np.int64), Timeline()
    line.look(0, words)
    words[t.STARTED] = 1
    for number in range(1, looks):
        grown(words, 2, number)
        line.look(number * SECOND, words)

    found = line.told()

    assert 1 <= len(found) <= MOST
    assert sum(bucket["frames"] for bucket in found) == 2 * (looks - 1)
    assert sum(bucket["stages"]["due_book"][0] for bucket in found) == 2 * (looks - 1)
    ends = [bucket["at_ns"] + bucket["span_ns"] for bucket in found]
    assert [bucket["at_ns"] for bucket in found] == [0, *ends[:-1]]
    assert ends[-1] == (looks - 1) * SECOND - 1


def test_a_run_without_a_frame_has_no_timeline() -> None:
    """What is before the first frame is no part of it."""
    words, line = np.zeros(t.WORDS, np.int64), Timeline()
    for number in range(MOST * 2):
        line.look(number * SECOND, words)

    assert line.told() == []
