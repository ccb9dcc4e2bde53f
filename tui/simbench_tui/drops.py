"""Frames and datagrams lost, by cause, and anomalies of the books: all that should be nought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import count
from simbench_tui.grid import Figure, grid
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.measure.snapshot import Snapshot

_FIGURE_CELLS = 9


class Drops(Pane):
    """Drops by cause first, then anomalies; what happened is marked and stands before what did not."""

    title = "should be nought"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """Both added up."""
        dropped, anomalies = sum(snapshot.drops.values()), sum(snapshot.anomalies.values())
        return f"{dropped:,} dropped {self.glyphs.dot} {anomalies:,} anomalies"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """As many as fit."""
        figures = [*self._figures("drop", snapshot.drops), *self._figures("book", snapshot.anomalies)]
        if not figures:
            return self.centred("nothing is counted yet", width, height)
        # Stable: only whether something happened at all moves a figure.
        figures.sort(key=lambda figure: figure[2] == "dim")
        return grid(figures, width, height, self.glyphs, figure=_FIGURE_CELLS)

    def _figures(self, kind: str, counts: Mapping[str, int]) -> list[Figure]:
        return [
            (
                f"{self.glyphs.warn if value else ' '} {kind}: {name.replace('_', ' ')}",
                count(value, _FIGURE_CELLS),
                "warn" if value else "dim",
            )
            for name, value in counts.items()
        ]
