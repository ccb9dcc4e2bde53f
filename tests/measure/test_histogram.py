"""Histograms count every value once and are never off by more than one in 128."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from simbench.measure import telemetry as t
from simbench.measure.hdr import converted
from simbench.measure.histogram import BUCKETS, HEAD, LIMIT, SIZE, SUB, Histogram, bucket, record, upper_edges
from simbench.measure.series import Timeline

bucket(0)  # compiled here, not within an example's time limit
record(np.zeros(SIZE, np.int64), 0, 0)
VALUES = st.integers(0, LIMIT)


def filled(values: list[int]) -> Histogram:
    """Return a histogram of values."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(VALUES)
def test_value_lies_in_its_bucket(value: int) -> None:
    """The bucket's edges enclose the value, and it is at most 1/128 of it wide."""
    edges = upper_edges()
    index = bucket(value)
    lower = int(edges[index - 1]) + 1 if index else 0

    assert lower <= value <= edges[index]
    assert (int(edges[index]) - lower) * SUB <= max(value, SUB - 1)


@njit(nogil=True)
def _count_on(words: Any, stop: Any) -> None:
    """Fill the buckets and empty them again, until told to stop."""
    while stop[0] == 0:
        for place in range(HEAD, len(words)):
            words[place] ^= 1


def test_it_is_read_while_it_is_counted_on() -> None:
    """Another process writes to it at any moment; what is seen is one state of each bucket."""
    words, stop = np.zeros(t.WORDS, np.int64), np.zeros(1, np.int64)
    shared = words[t.STAGE_BASE : t.STAGE_BASE + SIZE]
    histogram, line = Histogram(shared), Timeline()
    writer = threading.Thread(target=_count_on, args=(shared, stop))
    writer.start()
    try:
        while not shared[HEAD]:  # until it is compiled, and at work
            time.sleep(0.001)
        for _ in range(500):
            assert sum(count for _, count in histogram.buckets()) <= SIZE - HEAD
            line.look(1, words)
        converted(histogram)
    finally:
        stop[0] = 1
        writer.join()


def test_edges_cover_everything_without_overlap() -> None:
    """Edges rise strictly from 0 to the limit, and each is the last value of its own bucket."""
    edges = upper_edges()

    assert (len(edges), edges[0], edges[-1]) == (BUCKETS, 0, LIMIT)
    assert (np.diff(edges) > 0).all()
    assert [bucket(int(edge)) for edge in edges] == list(range(BUCKETS))
    assert [bucket(int(edge) + 1) for edge in edges[:-1]] == list(range(1, BUCKETS))


@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from([1, 50, 90, 99, 99.9, 100]))
def test_percentile_is_that_of_the_sorted_values(values: list[int], share: float) -> None:
    """A percentile is the exact one of the values, up to the width of its bucket, and never beyond the largest."""
    exact = sorted(values)[max(1, int(np.ceil(share / 100 * len(values)))) - 1]

    found = filled(values).percentiles(share)[0]

    assert exact <= found <= max(values)
    assert (found - exact) * SUB <= max(exact, SUB - 1)


@given(st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=60))
def test_extremes_sum_and_count_are_exact(values: list[int]) -> None:
    """What is outside the buckets is counted too, and the exact extremes stay."""
    histogram = filled(values)

    assert histogram.count == len(values) == histogram.words[4:].sum()
    assert (histogram.words[2], histogram.words[3]) == (min(values), max(values))
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    assert histogram.percentiles(100)[0] <= max(values)


@given(st.lists(VALUES, min_size=1, max_size=60), st.integers(1, 64))
def test_merged_buckets_keep_every_value(values: list[int], most: int) -> None:
    """However few rows are asked for, their counts add up, their edges rise, and the last one holds the largest."""
    rows = filled(values).buckets(most)

    assert 1 <= len(rows) <= most
    assert sum(count for _, count in rows) == len(values)
    assert [edge for edge, _ in rows] == sorted({edge for edge, _ in rows})
    assert rows[-1][0] >= max(values)


def test_empty_histogram_says_zero() -> None:
    """Without a value there is nothing to divide by."""
    histogram = Histogram()

    assert histogram.summary() == {"n": 0, "p50": 0, "p90": 0, "p99": 0, "p999": 0, "max": 0}
    assert (histogram.mean, histogram.buckets()) == (0.0, [])


def test_histogram_in_the_middle_of_a_block_touches_nothing_else() -> None:
    """Recording at a base stays within its own words, at both ends of the range."""
    words = np.zeros(3 * SIZE, np.int64)
    for value in (-5, 0, 1, LIMIT, LIMIT + 1, 2**62):
        record(words, SIZE, value)

    assert not words[:SIZE].any()
    assert not words[2 * SIZE :].any()
    assert words[SIZE] == 6


@given(st.lists(st.lists(VALUES, max_size=20), max_size=5))
def test_merged_histogram_is_that_of_all_values(parts: list[list[int]]) -> None:
    """Adding histograms up is the same as recording everything in one."""
    whole = Histogram.merged(filled(values) for values in parts)

    assert (whole.words == filled([value for values in parts for value in values]).words).all()
