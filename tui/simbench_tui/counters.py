"""Every named counter of the run, in as many columns as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import count
from simbench_tui.grid import grid
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

_FIGURE_CELLS = 13


class Counters(Pane):
    """Counters by name, down the first column and then the next."""

    title = "counters"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """How many there are."""
        return f"{len(snapshot.counters)} since the start" if snapshot.counters else ""

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """As many as fit."""
        if not snapshot.counters:
            return self.centred("no counter yet", width, height)
        figures = [
            (name, count(value, _FIGURE_CELLS), "text" if value else "dim") for name, value in snapshot.counters.items()
        ]
        return grid(figures, width, height, self.glyphs, figure=_FIGURE_CELLS)
