"""What flows, and what got lost on the way: rates, drops by cause, anomalies of the books, hiccups of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, duration, fit, rate
from simbench_tui.pane import Cell, Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

_RATES = ("messages", "datagrams", "events", "frames", "bytes")
_FIGURE_CELLS = 7
_RATE_CELLS = 19


class Rates(Pane):
    """Two columns: what flows at the left, what should be nought at the right."""

    title = "rates and losses"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """Everything that should be nought, added up."""
        return f"{sum(snapshot.drops.values()):,} dropped"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Rates beside losses; where room is short, losses that happened come first."""
        left = [self._rate(name, snapshot) for name in _RATES]
        right = self._losses(snapshot, width - _RATE_CELLS - 2)
        blank = (" " * _RATE_CELLS, "text")
        rows = []
        for y in range(min(max(len(left), len(right)), height)):
            cells: list[Cell] = [*(left[y] if y < len(left) else (blank,)), ("  ", "text")]
            cells += right[y] if y < len(right) else ()
            rows.append(tuple(cells))
        return rows

    def _rate(self, name: str, snapshot: Snapshot) -> Row:
        return (
            (f"{name + '/s':<{_RATE_CELLS - _FIGURE_CELLS}}", "dim"),
            (rate(snapshot.rates.get(name, 0.0), _FIGURE_CELLS), "text"),
        )

    def _losses(self, snapshot: Snapshot, width: int) -> list[Row]:
        hiccups, longest, share = snapshot.hiccups
        figures = [*snapshot.drops.items(), *snapshot.anomalies.items()]
        # Stable: only whether something happened at all moves a row.
        figures.sort(key=lambda pair: not pair[1])
        rows = [self._loss(name, count(value, _FIGURE_CELLS), width, bad=value > 0) for name, value in figures]
        core: list[Row] = [
            self._loss("hiccups", count(hiccups, _FIGURE_CELLS), width, bad=False),
            self._loss("longest hiccup", duration(longest), width, bad=False),
            self._loss("core time lost", f"{100 * share:5.2f} %", width, bad=False),
        ]
        return core[:1] + rows[:4] + core[1:] + rows[4:]

    def _loss(self, name: str, figure: str, width: int, *, bad: bool) -> Row:
        mark = self.glyphs.warn if bad else " "
        return (
            (
                f"{mark} {fit(name.replace('_', ' '), width - _FIGURE_CELLS - 3, self.glyphs.ellipsis)}",
                "warn" if bad else "dim",
            ),
            (" " + figure, "warn" if bad else "text"),
        )
