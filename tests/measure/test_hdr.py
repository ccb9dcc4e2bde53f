"""HdrHistogram's own reader finds in our files every value where we counted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbench.measure.hdr import IntervalLog, converted, write_hgrm
from simbench.measure.histogram import BUCKETS, LIMIT, SIZE, Histogram, record, upper_edges

if TYPE_CHECKING:
    from pathlib import Path

record(np.zeros(SIZE, np.int64), 0, 0)  # compiled here, not within an example's time limit
VALUES = st.lists(st.one_of(st.integers(0, 5_000), st.integers(0, LIMIT)), min_size=1, max_size=50)
IN_A_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def filled(values: list[int]) -> Histogram:
    """Return a histogram of values."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def counts(histogram: Any) -> list[int]:
    """Return the counts of an HdrHistogram."""
    return [histogram.get_count_at_index(i) for i in range(histogram.counts_len)]


def read(path: Path) -> list[tuple[str, Any]]:
    """Return tag and histogram of every interval of a log."""
    reader = HistogramLogReader(str(path), HdrHistogram(1, LIMIT, 2))
    found = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        found.append((interval.get_tag(), interval))
    reader.close()
    return found


def test_buckets_are_those_of_two_significant_digits() -> None:
    """Every bucket of ours has its values in common with one of theirs, in the same order."""
    theirs: Any = HdrHistogram(1, LIMIT, 2)
    edges = upper_edges().tolist()

    assert theirs.counts_len == BUCKETS
    assert [theirs.get_counts_array_index(edge) for edge in edges] == list(range(BUCKETS))
    assert [theirs.get_highest_equivalent_value(edge) for edge in edges] == edges


@given(VALUES)
@settings(deadline=None)
def test_copy_holds_what_theirs_would(values: list[int]) -> None:
    """The counts are those of an HdrHistogram that recorded the values itself."""
    theirs: Any = HdrHistogram(1, LIMIT, 2)
    for value in values:
        theirs.record_value(value)

    assert counts(converted(filled(values))) == counts(theirs)


@IN_A_FILE
@given(VALUES, VALUES)
def test_log_is_read_back_interval_by_interval(tmp_path: Path, first: list[int], second: list[int]) -> None:
    """Two looks, two intervals of each histogram with its tag; one that is empty has no line."""
    with IntervalLog(tmp_path / "run.hlog") as log:
        log.take({"a": filled(first), "b": Histogram()})
        log.take({"a": filled(first + second), "b": filled(second)})
        log.take({"a": filled(first + second), "b": filled(second)})

    found = read(tmp_path / "run.hlog")

    assert [tag for tag, _ in found] == ["a", "a", "b"]
    assert [counts(each) for _, each in found] == [
        counts(converted(filled(values))) for values in (first, second, second)
    ]


def test_log_that_begins_anew_counts_from_nothing(tmp_path: Path) -> None:
    """The next run's histograms are empty again, and lose nothing."""
    with IntervalLog(tmp_path / "runs.hlog") as log:
        log.take({"a": filled([5, 6])})
        log.begin()
        log.take({"a": filled([5])})

    assert [each.get_total_count() for _, each in read(tmp_path / "runs.hlog")] == [2, 1]


@IN_A_FILE
@given(VALUES)
def test_percentile_table_is_as_the_format_has_it(tmp_path: Path, values: list[int]) -> None:
    """Four columns, microseconds that rise to the exact largest value, counts that rise to all of them."""
    write_hgrm(tmp_path / "a.hgrm", filled(values), ["hiccups: none"])

    lines = (tmp_path / "a.hgrm").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines[2:] if not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert {len(row) for row in rows[:-1]} <= {4}
    assert len(rows[-1]) == 3
    assert [float(row[0]) for row in rows] == sorted(float(row[0]) for row in rows)
    assert [int(row[2]) for row in rows] == sorted(int(row[2]) for row in rows)
    assert (float(rows[-1][0]), float(rows[-1][1]), int(rows[-1][2])) == (max(values) / 1e3, 1.0, len(values))
    assert lines[-1] == "# hiccups: none"


def test_percentile_table_states_mean_and_deviation_in_its_own_unit(tmp_path: Path) -> None:
    """Both are microseconds, as the values are."""
    write_hgrm(tmp_path / "a.hgrm", filled([1_000, 3_000]))

    line = next(x for x in (tmp_path / "a.hgrm").read_text(encoding="utf-8").splitlines() if "Mean" in x)
    mean, deviation = (float(part.split("=")[1].strip(" ]")) for part in line.split(","))
    assert mean == 2.0
    assert deviation == pytest.approx(1.0, rel=0.01)


@given(VALUES, VALUES)
def test_what_came_since_is_what_was_added(first: list[int], second: list[int]) -> None:
    """Counts and sum of the second part, extremes within their buckets."""
    between = filled(first + second).since(filled(first))

    assert (between.words[4:] == filled(second).words[4:]).all()
    assert (between.count, between.total) == (len(second), sum(second))
    assert between.words[2] <= min(second)
    assert max(second) <= between.highest <= max(first + second)
