"""The last minute of one latency stage, with hiccups of the core and gaps on the same axis of clock time."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from simbench.measure.ticks import TICKS
from simbench_tui.constants import CALM_NS, DECADES_MIN
from simbench_tui.format import duration
from simbench_tui.graph import stacked
from simbench_tui.histogram import decades, power
from simbench_tui.latency import chosen_stage
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot, Tick
    from simbench_tui.glyphs import Glyphs

_SCALE_CELLS = 7


class OverTime(Pane):
    """Half the values of each moment lie in the solid part, 99 % below the end of the shaded one; log axis."""

    title = "over time"
    calm_ns = CALM_NS

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(glyphs, id=id)
        self._axes: dict[str, tuple[int, int]] = {}

    def caption(self, snapshot: Snapshot) -> str:
        """Which stage."""
        if not snapshot.stages:
            return self.title
        return f"{self.title}  {chosen_stage(snapshot.stages, self.look.stage).title.partition(':')[0]}"

    def heading(self, snapshot: Snapshot) -> str:
        """The latest figures."""
        found = [tick.stages.get(self._chosen(snapshot)) for tick in snapshot.ticks[-1:]]
        if not found or found[0] is None:
            return ""
        _, p50, p99, highest = found[0]
        dot = self.glyphs.dot
        return f"p50 {duration(p50)} {dot} p99 {duration(p99)} {dot} max {duration(highest)}"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The picture, then a row of hiccups and a row of gaps."""
        room, name = width - _SCALE_CELLS - 1, self._chosen(snapshot)
        if room < 4 or height < 4:
            return []
        if not any(name in tick.stages for tick in snapshot.ticks):
            return self.centred("the first half second is not over yet", width, height)
        ticks = _spread(snapshot.ticks, room)
        figures = [tick.stages.get(name) if tick else None for tick in ticks]
        low, high = self._axis(name, [figure for figure in figures if figure])
        halves = [_share(figure[1], low, high) if figure else 0.0 for figure in figures]
        tails = [_share(figure[2], low, high) if figure else 0.0 for figure in figures]
        picture = stacked(halves, tails, height - 2, self.glyphs.levels, self.glyphs.shade)
        labels = [""] * len(picture)
        labels[0], labels[-1] = power(high), power(low)
        rows: list[Row] = [
            ((f"{label:>{_SCALE_CELLS}} ", "dim"), (line, "title")) for label, line in zip(labels, picture, strict=True)
        ]
        hiccups = "".join(self._away(tick) for tick in ticks)
        gaps = "".join(self.glyphs.bad if tick and tick.gaps else " " for tick in ticks)
        return [
            *rows,
            ((f"{'hiccups':>{_SCALE_CELLS}} ", "dim"), (hiccups, "warn")),
            ((f"{'gaps':>{_SCALE_CELLS}} ", "dim"), (gaps, "bad")),
        ]

    def _chosen(self, snapshot: Snapshot) -> str:
        return chosen_stage(snapshot.stages, self.look.stage).name if snapshot.stages else ""

    def _axis(self, name: str, figures: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
        edges = sorted(value for figure in figures for value in figure[1:3])
        low, high = decades([(edge, 1) for edge in edges])
        before = self._axes.get(name, (low, high))
        low, high = min(low, before[0]), max(high, before[1], low + DECADES_MIN)
        self._axes[name] = (low, high)
        return low, high

    def _away(self, tick: Tick | None) -> str:
        """The share of the interval that the core lost: the whole height is a hundredth."""
        if tick is None or not tick.away_ns:
            return " "
        steps = len(self.glyphs.levels) - 1
        return self.glyphs.levels[max(1, min(round(100 * tick.away_ns / tick.span_ns * steps), steps))]


def _spread(ticks: Sequence[Tick], columns: int) -> list[Tick | None]:
    """The latest ticks at the right, each in one column or in several."""
    padded: list[Tick | None] = [*[None] * (TICKS - len(ticks)), *ticks[-TICKS:]]
    if columns >= TICKS:
        return [padded[x * TICKS // columns] for x in range(columns)]
    return padded[-columns:]


def _share(ns: int, low: int, high: int) -> float:
    return min(max((log10(max(ns, 1)) - low) / (high - low), 0.01), 1.0)
