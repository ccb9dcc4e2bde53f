"""The last minute in equal intervals: latency, hiccups and gaps on one axis of clock time."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from simbench.measure.snapshot import Tick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.measure.histogram import Histogram

TICK_NS: Final = 500_000_000
TICKS: Final = 120


class Ticks:
    """Cuts what only grows into intervals of running; each is TICK_NS long or more, but for the last before a rest."""

    def __init__(self) -> None:
        self._at = 0
        self._before: Mapping[str, Histogram] = {}
        self._counts = (0, 0, 0)
        self._ticks: tuple[Tick, ...] = ()

    def see(
        self,
        now: int,
        position: int,
        histograms: Mapping[str, Histogram],
        counters: Mapping[str, int],
        gaps: int,
        *,
        last: bool = False,
    ) -> tuple[Tick, ...]:
        """Return the intervals up to now, oldest first.

        Args:
            now: CLOCK_MONOTONIC.
            position: recorded time of the replay.
            histograms: of all stages by name, copies that do not move any more.
            counters: of the run.
            gaps: found since the start.
            last: whether the run stands: the interval ends here, and the next one begins when it goes on.
        """
        early = now - self._at < TICK_NS and not last
        if early if self._at else last:
            return self._ticks
        counts = (counters["hiccups"], counters["hiccup_total_ns"], gaps)
        if self._at:
            hiccups, away, found = (max(after - before, 0) for before, after in zip(self._counts, counts, strict=True))
            tick = Tick(
                recorded_ns=position,
                span_ns=now - self._at,
                stages=MappingProxyType(self._between(histograms)),
                hiccups=hiccups,
                away_ns=away,
                gaps=found,
            )
            self._ticks = (*self._ticks, tick)[-TICKS:]
        self._at, self._before, self._counts = 0 if last else now, histograms, counts
        return self._ticks

    def _between(self, histograms: Mapping[str, Histogram]) -> dict[str, tuple[int, int, int, int]]:
        stages = {}
        for name, histogram in histograms.items():
            if histogram.count != self._before[name].count:
                between = histogram.since(self._before[name])
                p50, p99 = between.percentiles(50, 99)
                stages[name] = (between.count, p50, p99, between.highest)
        return stages
