"""What of a moment takes reckoning: percentiles, the budget, intervals; done as often as anybody could read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench.measure import telemetry as t
from simbench.measure.budget import budget, title
from simbench.measure.skew import Skew
from simbench.measure.snapshot import LagView, PartView, Stage, Tick
from simbench.measure.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.histogram import Histogram
    from simbench.measure.names import Names
    from simbench.replay.control import Control

    Words = NDArray[np.int64]

BUCKETS: Final = 64  # of a stage's histogram


@dataclass(frozen=True)
class Reckoned:
    """Figures of a moment that may be a little ago, in the words of `Snapshot`.

    Attributes:
        lateness: p50 and p99 of the frames' lateness, ns.
    """

    stages: tuple[Stage, ...]
    budget: tuple[PartView, ...]
    ticks: tuple[Tick, ...]
    lags: tuple[LagView, ...]
    lateness: tuple[int, int]


class Reckoning:
    """Reckons for one run.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called.
        control: the replayer's control block; None where the receiver is alone.
    """

    def __init__(self, words: Words, names: Names, control: Control | None) -> None:
        self._words = words
        self._control = control
        self._skew = Skew(words, names)
        self._ticks = Ticks()
        self._stages: dict[str, Stage] = {}  # as they were: one without a new value is what it was
        self._latest: Reckoned | None = None

    def see(
        self, now: int, position: int, counters: Mapping[str, int], gaps: int, *, due: bool, stands: bool
    ) -> Reckoned:
        """Return the figures, new ones when they are due.

        Args:
            now: CLOCK_MONOTONIC.
            position: recorded time of the replay.
            counters: of the run.
            gaps: found since the start.
            due: whether it is time for new ones.
            stands: whether the run stands.
        """
        if self._latest is None or due:
            histograms = t.histograms(self._words)
            self._latest = Reckoned(
                stages=tuple(self._stage(name, words, histograms[name]) for name, words in t.STAGES),
                budget=_budget(histograms),
                ticks=self._ticks.see(now, position, histograms, counters, gaps, last=stands),
                lags=self._skew.look(),
                lateness=self._lateness(),
            )
        return self._latest

    def _stage(self, name: str, words: str, histogram: Histogram) -> Stage:
        known = self._stages.get(name)
        if known is None or known.count != histogram.count:
            p50, p90, p99, p999 = histogram.percentiles(50, 90, 99, 99.9)
            buckets = tuple(histogram.buckets(BUCKETS))
            known = Stage(name, words, histogram.count, p50, p90, p99, p999, histogram.highest, buckets)
            self._stages[name] = known
        return known

    def _lateness(self) -> tuple[int, int]:
        if self._control is None:
            return 0, 0
        p50, p99 = self._control.lateness.percentiles(50, 99)
        return p50, p99


def _budget(histograms: Mapping[str, Histogram]) -> tuple[PartView, ...]:
    parts = budget(histograms).parts
    return tuple(PartView(part.name, title(part.name), part.a_frame, part.share) for part in parts)
