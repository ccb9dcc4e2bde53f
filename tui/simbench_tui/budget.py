"""Where the nanoseconds of a frame go, from when it is due to its book: a bar for each part of the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import duration, fit
from simbench_tui.graph import bar
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import PartView, Snapshot

_FIGURES_CELLS = 15


class Budget(Pane):
    """Parts in the order in which they follow each other, with what each adds to the mean of the whole."""

    title = "budget of a frame"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """The whole."""
        whole = sum(part.a_frame for part in snapshot.budget)
        return f"mean {duration(round(whole))} in all" if whole else ""

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """A row a part."""
        parts = snapshot.budget
        if not any(part.a_frame for part in parts):
            return self.centred("no frame measured yet", width, height)
        name = min(max(len(part.title) for part in parts), max(width - _FIGURES_CELLS - 8, 8))
        return [self._row(part, name, width) for part in parts[:height]]

    def _row(self, part: PartView, name: int, width: int) -> Row:
        room = max(width - name - _FIGURES_CELLS - 2, 0)
        return (
            (fit(part.title, name, self.glyphs.ellipsis), "text"),
            (f" {duration(round(part.a_frame))} {100 * part.share:4.0f} %", "dim"),
            (" " + bar(min(max(part.share, 0.0), 1.0), room, self.glyphs.eighths), "mid"),
        )
