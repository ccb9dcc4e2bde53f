"""Latency: the histogram of the chosen stage and the percentiles of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.columns import Column, choose
from simbench_tui.constants import CALM_NS, HISTOGRAM_ROWS_MIN, HISTOGRAM_SHARE_FROM, STAGES_MIN
from simbench_tui.format import count, duration
from simbench_tui.graph import area
from simbench_tui.histogram import axis, column_of, columns, decades
from simbench_tui.pane import Pane, Row
from simbench_tui.table import cut_row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot, Stage
    from simbench_tui.glyphs import Glyphs

_COLUMNS = (
    Column("", 1, right=False),
    Column("stage", 18, right=False, stretch=True, most=28),
    Column("n", 7, rank=5),
    Column("p50", 7),
    Column("p90", 7, rank=3),
    Column("p99", 7, rank=1),
    Column("p99.9", 7, rank=4),
    Column("max", 7, rank=2),
)


class Latency(Pane):
    """One stage drawn, all stages in figures; an axis only ever grows, so columns stay where they are."""

    title = "latency"
    calm_ns = CALM_NS

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(glyphs, id=id)
        self._axes: dict[str, tuple[int, int]] = {}

    def heading(self, snapshot: Snapshot) -> str:
        """The stage that is drawn."""
        return chosen_stage(snapshot.stages, self.look.stage).title if snapshot.stages else ""

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Histogram, axis, table; with little room stages around the drawn one, with less the table alone."""
        stages = snapshot.stages
        if not stages:
            return self.centred("no latency measured yet", width, height)
        stage = chosen_stage(stages, self.look.stage)
        drawn = max(HISTOGRAM_ROWS_MIN, height // 3) if height >= HISTOGRAM_SHARE_FROM else HISTOGRAM_ROWS_MIN
        room = height - drawn - 3  # for stages: the axis, the marks and the names of columns have a row each
        if room < min(STAGES_MIN, len(stages)):
            return self._table(around(stages, stage, max(1, height - 1)), stage, width)
        table = self._table(around(stages, stage, room), stage, width)
        return self._histogram(stage, width, height - len(table) - 2) + table

    def _histogram(self, stage: Stage, width: int, height: int) -> list[Row]:
        if not stage.buckets:
            words = self.centred(f"no value of {stage.title} yet", width, height + 2)
            return words + [()] * (height + 2 - len(words))
        low, high = self._axis(stage)
        heights = columns(stage.buckets, low, high, width)
        top = max(heights)
        # Where the tail begins is told by the marks above as well as by the ink.
        half, tail = (column_of(value, low, high, width) + 1 for value in (stage.p50, stage.p99))
        picture = area([value / top for value in heights], height, self.glyphs.levels)
        return [
            ((self._marks(stage, low, high, width), "dim"),),
            *(((line[:half], "title"), (line[half:tail], "mid"), (line[tail:], "accent")) for line in picture),
            ((axis(low, high, width, self.glyphs.tick), "dim"),),
        ]

    def _axis(self, stage: Stage) -> tuple[int, int]:
        low, high = decades(stage.buckets)
        before = self._axes.get(stage.name, (low, high))
        self._axes[stage.name] = (min(low, before[0]), max(high, before[1]))
        return self._axes[stage.name]

    def _marks(self, stage: Stage, low: int, high: int, width: int) -> str:
        """Names of percentiles above their columns; the outer ones have precedence."""
        line = [" "] * width
        named = (("p50", stage.p50), ("max", stage.highest), ("p99", stage.p99), ("p99.9", stage.p999))
        for name, value in named:
            x = min(column_of(value, low, high, width), width - len(name))
            if all(cell == " " for cell in line[max(x - 1, 0) : x + len(name) + 1]):
                line[x : x + len(name)] = name
        return "".join(line)

    def _table(self, stages: tuple[Stage, ...], chosen: Stage, width: int) -> list[Row]:
        picked = choose(_COLUMNS, width)

        def cells(texts: list[str], inks: list[str]) -> Row:
            return cut_row([(_COLUMNS[i], size, texts[i], inks[i]) for i, size in picked], self.glyphs)

        rows = [cells([column.title for column in _COLUMNS], ["dim"] * len(_COLUMNS))]
        for stage in stages:
            here = stage is chosen
            figures = (stage.p50, stage.p90, stage.p99, stage.p999, stage.highest)
            texts = [
                self.glyphs.chosen if here else " ",
                stage.title,
                count(stage.count, 7),
                *(duration(figure) if stage.count else "-" for figure in figures),
            ]
            name = "strong" if here else "text"
            inks = ["accent", name, "dim", name, "text", "text", "text", "text"]
            rows.append(cells(texts, inks))
        return rows


def chosen_stage(stages: tuple[Stage, ...], name: str) -> Stage:
    """The stage of this name, or the first; there is one at least."""
    return next((stage for stage in stages if stage.name == name), stages[0])


def around(stages: tuple[Stage, ...], chosen: Stage, most: int) -> tuple[Stage, ...]:
    """Return at most so many neighbours, the chosen one among them, in their order."""
    first = min(max(0, stages.index(chosen) - most // 2), max(0, len(stages) - most))
    return stages[first : first + most]
