"""What a run is drawn from: the percentiles of each stage as a curve, and the run's course in bounded time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.measure import telemetry as t
from simbench.measure.histogram import HIGHEST, SIZE, Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simbench.measure.telemetry import Words

MOST: Final = 240  # buckets of a timeline
STEPS: Final = 5  # points of a curve for every halving of the distance to 100 %, as a .hgrm has them
EVERY_S: Final = 0.25  # between two looks at first; doubled whenever a timeline is full
COUNTED: Final = ("frames", "datagrams", "bytes", "messages", "hiccups")
AWAY: Final = t.counter("hiccup_total_ns")
WORDS: Final = (
    *(t.counter(name) for name in COUNTED),
    AWAY,
    t.GAPS_LOST,
    t.GAPS_FILLED,
    *(t.counter(name) for name in t.COUNTER_NAMES if name.startswith("drop_")),
)
NAMES: Final = (*COUNTED, "away_ns", "gaps_lost", "gaps_filled")  # then the drops, which are added up


def curves(histograms: Mapping[str, Histogram]) -> dict[str, list[list[float]]]:
    """Return the curve of every histogram that has a value.

    Args:
        histograms: by name of the stage.
    """
    return {name: curve(each) for name, each in histograms.items() if each.count}


def curve(histogram: Histogram) -> list[list[float]]:
    """Return [share, ns] from the smallest value (0.0) to the largest (1.0), denser towards 1.

    There are five points for every halving of what is left, as long as one value is left: at most some 200.
    """
    shares = [0.0]
    while 1 / (1 - shares[-1]) < histogram.count:
        shares.append(1 - 2 ** (-len(shares) / STEPS))
    values = histogram.percentiles(*(100 * share for share in shares))
    return [*([share, value] for share, value in zip(shares, values, strict=True)), [1.0, histogram.highest]]


@dataclass(frozen=True)
class _Look:
    """What had been counted at one time.

    Attributes:
        at: CLOCK_MONOTONIC.
        recorded: replay time, ns since 1970.
        counts: int64[len(WORDS)].
        places: of the words of all stages' histograms that are not 0, in one row.
        filled: int64, what these hold.
    """

    at: int
    recorded: int
    counts: NDArray[np.int64]
    places: NDArray[np.int32]
    filled: NDArray[np.int64]


class Timeline:
    """Cuts a run of any length into at most MOST buckets of clock time.

    Looks are kept as they were, sums since the start, so that a full timeline is thinned by leaving out every second
    one and no value is lost by it.
    """

    def __init__(self) -> None:
        self.every_s = EVERY_S
        self._looks: list[_Look] = []
        self._started = 0
        self._highest = np.zeros(len(t.STAGES), np.int64)

    def look(self, now: int, words: Words) -> None:
        """Take what has been counted up to now.

        Args:
            now: CLOCK_MONOTONIC.
            words: of the telemetry.
        """
        if len(self._looks) == MOST:
            self._looks = self._looks[::2]
            self.every_s *= 2
        if not self._started:  # what is before the first frame is no part of the run
            self._looks = self._looks[-1:]
            self._started = int(words[t.STARTED])
        region = words[t.STAGE_BASE : t.STAGE_BASE + len(t.STAGES) * SIZE]  # not copied: what it holds only grows
        places = np.flatnonzero(region != 0)  # of the region itself it would complain that it is written to meanwhile
        self._highest = region[HIGHEST::SIZE].copy()
        counts = words[list(WORDS)]
        self._looks.append(_Look(now, int(words[t.REPLAY_NOW]), counts, places.astype(np.int32), region[places]))

    def told(self) -> list[dict[str, Any]]:
        """Return the buckets, oldest first, as JSON has them."""
        found: list[dict[str, Any]] = []
        if not self._started:
            return found
        for before, after in pairwise(self._looks):
            start = max(before.at, self._started)
            if after.at <= start:
                continue
            counts = np.maximum(after.counts - before.counts, 0)
            named = dict(zip(NAMES, counts.tolist(), strict=False))
            found.append(
                {
                    "at_ns": start - self._started,
                    "span_ns": after.at - start,
                    "recorded_ns": str(after.recorded),
                    **named,
                    "drops": int(counts[len(NAMES) :].sum()),
                    "stages": self._stages(before, after),
                }
            )
        return found

    def _stages(self, before: _Look, after: _Look) -> dict[str, list[int]]:
        earlier, later = self._unpacked(before), self._unpacked(after)
        found = {}
        for (name, _), old, new in zip(t.STAGES, earlier, later, strict=True):
            between = new.since(old)
            if between.count:
                found[name] = [between.count, *between.percentiles(50, 99), between.highest]
        return found

    def _unpacked(self, look: _Look) -> list[Histogram]:
        rows = np.zeros((len(t.STAGES), SIZE), np.int64)
        rows.reshape(-1)[look.places] = look.filled
        rows[:, HIGHEST] = self._highest  # of the run: no bucket's edge is told above it
        return [Histogram(words) for words in rows]
