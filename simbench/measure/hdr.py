"""Histograms as HdrHistogram's tools read them: .hgrm, a table of percentiles, and .hlog, intervals of a run.

Our buckets are those of an HdrHistogram with two significant digits, one by one: what is written holds every count in
the bucket it was counted in, and nothing is rounded a second time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.measure.histogram import BUCKETS, HEAD, LIMIT, SUB, Histogram, upper_edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Self, TextIO

    from hdrh.histogram import HdrHistogram

DIGITS: Final = 2  # significant: 2 * 10**2 values a unit apart, rounded up to 2 * SUB of them
TICKS: Final = 5  # rows of a .hgrm for every halving of the distance to 100 %, as HistogramLogProcessor has it
US: Final = 1e3  # values of a .hgrm are microseconds with three decimals: nanoseconds are not rounded away
MS: Final = 1e6  # the largest value beside an interval is in milliseconds, by the format's convention


def converted(histogram: Histogram) -> HdrHistogram:
    """Return a copy of a histogram as an HdrHistogram of nanoseconds."""
    from hdrh.histogram import HdrHistogram

    target: Any = HdrHistogram(1, LIMIT, DIGITS)
    assert (target.counts_len, target.sub_bucket_half_count) == (BUCKETS, SUB)
    edges = upper_edges()
    counts = histogram.words[HEAD:].copy()
    for place in np.flatnonzero(counts).tolist():
        target.record_value(int(edges[place]), int(counts[place]))
    return target


def write_hgrm(path: Path, histogram: Histogram, notes: Iterable[str] = ()) -> None:
    """Write the percentiles of a histogram as a .hgrm file.

    Args:
        path: of the file.
        histogram: with one value at least.
        notes: lines that stand at its end as comments.
    """
    target: Any = converted(histogram)
    rows = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for each in target.get_percentile_iterator(TICKS):
        share = each.percentile_level_iterated_to / 100
        value = min(each.value_iterated_to, histogram.highest) / US
        odds = f" {1 / (1 - share):14.2f}" if share < 1 else ""
        rows.append(f"{value:12.3f} {share:2.12f} {each.total_count_to_this_value:10d}{odds}")
    rows += [
        f"#[Mean    = {histogram.mean / US:12.3f}, StdDeviation   = {target.get_stddev() / US:12.3f}]",
        f"#[Max     = {histogram.highest / US:12.3f}, Total count    = {histogram.count:12d}]",
        f"#[Buckets = {target.bucket_count:12d}, SubBuckets     = {target.sub_bucket_count:12d}]",
        *(f"# {note}" for note in notes),
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


class IntervalLog:
    """Writes a .hlog file, version 1.3: what was counted between two looks, a line for every histogram.

    Args:
        path: of the file.

    Closed by leaving it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._began = time.time()
        self._looked = self._began
        self._before: dict[str, Histogram] = {}
        at = datetime.fromtimestamp(self._began, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        self._file.write(
            "#[Histogram log format version 1.3]\n"
            f"#[StartTime: {self._began:.3f} (seconds since epoch), {at}]\n"
            f"#[BaseTime: {self._began:.3f} (seconds since epoch)]\n"
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self) -> None:
        """Begin anew, with histograms that are empty; the next interval starts now."""
        self._before = {}
        self._looked = time.time()

    def take(self, histograms: Mapping[str, Histogram]) -> None:
        """Write what each of them counted since the last look, tagged with its name; nothing of those without a value.

        Args:
            histograms: copies of them; a name must not hold a blank or a comma.
        """
        now = time.time()
        start, length = self._looked - self._began, now - self._looked
        self._looked = now
        for name, histogram in histograms.items():
            between = histogram.since(self._before.get(name, Histogram()))
            self._before[name] = histogram
            if between.count:
                encoded = converted(between).encode().decode("ascii")
                self._file.write(f"Tag={name},{start:.3f},{length:.3f},{between.highest / MS:.6f},{encoded}\n")
        self._file.flush()

    def note(self, line: str) -> None:
        """Write a comment."""
        self._file.write(f"# {line}\n")
