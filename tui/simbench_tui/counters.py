"""Every named counter of the run, in as many columns as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, fit
from simbench_tui.pane import Cell, Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

_NAME_CELLS = 24
_FIGURE_CELLS = 13


class Counters(Pane):
    """Counters by name, down the first column and then the next."""

    title = "counters"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """How many there are."""
        return f"{len(snapshot.counters)} since the start" if snapshot.counters else ""

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """As many as fit; how many do not, in the last row."""
        items = list(snapshot.counters.items())
        if not items:
            return self.centred("no counter yet", width, height)
        each = _NAME_CELLS + _FIGURE_CELLS + 3
        across = max(1, (width + 2) // each)
        down = max(1, min(height, -(-len(items) // across)))
        hidden = len(items) - across * down
        if hidden > 0 and down > 1:
            down -= 1
            hidden = len(items) - across * down
        rows: list[Row] = []
        for y in range(down):
            cells: list[Cell] = []
            for name, value in items[y : across * down : down]:
                cells += [
                    (fit(name, _NAME_CELLS, self.glyphs.ellipsis), "dim"),
                    (" " + count(value, _FIGURE_CELLS) + "  ", "text" if value else "dim"),
                ]
            rows.append(tuple(cells))
        if hidden > 0:
            rows.append(((f"and {hidden} more", "dim"),))
        return rows
