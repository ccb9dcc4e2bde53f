"""The event log: what the run had to say, the latest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import time_of_day
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell


class EventLog(TablePane):
    """Lines by recorded time; follows the end until somebody scrolls up."""

    title = "log"
    nothing = "nothing to report"
    tail = True
    headed = False  # a time, a level and words need no names
    columns: ClassVar[tuple[Column, ...]] = (
        Column("time (UTC)", 15, rank=1, right=False),
        Column("level", 9, rank=2, right=False),
        Column("event", 20, right=False, stretch=True),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """Where in the log the view is."""
        return self.position(len(snapshot.log)).strip(f" {self.glyphs.dot}")

    def size_of(self, snapshot: Snapshot) -> int:
        """How many lines the snapshot carries."""
        return len(snapshot.log)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One line."""
        line = snapshot.log[index]
        glyph, ink = {"warning": (self.glyphs.warn, "warn"), "error": (self.glyphs.bad, "bad")}.get(
            line.level, (self.glyphs.dot, "dim")
        )
        return (
            (time_of_day(line.recorded_ns), "dim"),
            (f"{glyph} {line.level}", ink),
            (line.text, "text" if ink == "dim" else ink),
        )
