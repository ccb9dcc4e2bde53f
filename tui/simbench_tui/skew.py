"""How far each line lags behind the first copy of a packet: a histogram a line, all on one logarithmic axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from simbench_tui.columns import Column
from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, duration
from simbench_tui.graph import area
from simbench_tui.histogram import columns
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import LagView, Snapshot
    from simbench_tui.pane import Cell

_LOW, _HIGH = 1, 9  # decades of ns: 10 ns to 1 s
_CELLS: Final = 4 * (_HIGH - _LOW)


class Skew(TablePane):
    """A row a line; a value in A's row is a packet that another line brought first."""

    title = "skew: behind the first copy"
    nothing = "no line seen yet"
    calm_ns = CALM_NS
    columns: ClassVar[tuple[Column, ...]] = (
        Column("channel", 8, right=False, stretch=True, most=16),
        Column("ln", 2, right=False),
        Column("second", 7, rank=4),
        Column("p50", 7),
        Column("p99", 7, rank=1),
        Column("max", 7, rank=3),
        Column("from 10 ns to 1 s, log axis", _CELLS, rank=2, right=False),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """Where in the table the view is."""
        return self.position(len(snapshot.lags)).removeprefix(f" {self.glyphs.dot} ")

    def size_of(self, snapshot: Snapshot) -> int:
        """How many lines there are."""
        return len(snapshot.lags)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One line."""
        lag = snapshot.lags[index]
        figures = (duration(ns) if lag.count else "-" for ns in (lag.p50, lag.p99, lag.highest))
        p50, p99, highest = figures
        return (
            (lag.channel, "text"),
            (lag.name, "strong"),
            (count(lag.count, 7), "dim"),
            (p50, "strong"),
            (p99, "text"),
            (highest, "text"),
            (self._picture(lag), "mid"),
        )

    def _picture(self, lag: LagView) -> str:
        """Counts by lag, the highest column full; any value at all shows a foot."""
        if not lag.buckets:
            return ""
        heights = columns(lag.buckets, _LOW, _HIGH, _CELLS)
        top = max(heights) or 1.0
        return area([value / top for value in heights], 1, self.glyphs.levels)[0]
