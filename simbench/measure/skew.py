"""How far lines lag behind each other, as a reader sees it: a row of the sequencer's for every line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.feed.layout import LAG_BUCKETS, LAG_COUNT, LAG_HEAD, LAG_HIGHEST, LAG_SUB, LAG_WORDS
from simbench.measure import telemetry as t
from simbench.measure.histogram import percentiles, upper_edges
from simbench.measure.snapshot import LagView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.measure.names import Names

    Words = NDArray[np.int64]

EDGES: Final = upper_edges(LAG_BUCKETS, LAG_SUB)  # of a bucket's values the largest, ns


class Skew:
    """Looks at the lags of all lines.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called.
    """

    def __init__(self, words: Words, names: Names) -> None:
        self._words = words
        self._names = names
        self._views: dict[int, LagView] = {}  # as they were: one without a new value is what it was

    def look(self) -> tuple[LagView, ...]:
        """Return the lags of every line, in the order of the lines."""
        lines = int(self._words[t.LINES])
        counts = self._words[t.LAG_BASE + LAG_COUNT :: LAG_WORDS][:lines].tolist()
        for row, count in enumerate(counts):
            known = self._views.get(row)
            if known is None or known.count != count:
                self._views[row] = self._view(row)
        return tuple(self._views[row] for row in range(lines))

    def _view(self, row: int) -> LagView:
        base = t.LINE_BASE + row * t.LINE_WORDS
        place = (int(self._words[base + word]) for word in (t.LINE_CHANNEL, t.LINE_NUMBER))
        channel, name, _ = self._names.line(*place)
        start = t.LAG_BASE + row * LAG_WORDS
        lags = self._words[start : start + LAG_WORDS].copy()
        p50, p99 = percentiles(lags[LAG_HEAD:], EDGES, int(lags[LAG_HIGHEST]), 50, 99)
        return LagView(channel, name, int(lags[LAG_COUNT]), p50, p99, int(lags[LAG_HIGHEST]), buckets(lags))


def buckets(row: Words) -> tuple[tuple[int, int], ...]:
    """Return (upper edge in ns, count) of the buckets of a row that hold something."""
    counts = row[LAG_HEAD:]
    filled = np.flatnonzero(counts)
    return tuple(zip(EDGES[filled].tolist(), counts[filled].tolist(), strict=True))


def told(words: Words, names: Names) -> list[dict[str, Any]]:
    """Return the lags of every line, in the shape of `run --json`."""
    return [
        {
            "channel": view.channel,
            "line": view.name,
            "behind": {"n": view.count, "p50": view.p50, "p99": view.p99, "max": view.highest},
        }
        for view in Skew(words, names).look()
    ]
