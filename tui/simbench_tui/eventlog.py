"""The event log: what the run had to say, the latest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from simbench_tui.columns import Column
from simbench_tui.format import time_of_day
from simbench_tui.look import LOUDNESS
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import LogLine, Snapshot
    from simbench_tui.pane import Cell, Row

_HEARD: Final[dict[str, frozenset[str]]] = {
    LOUDNESS[0]: frozenset(),  # all levels, those of tomorrow among them
    LOUDNESS[1]: frozenset({"warning", "error"}),
    LOUDNESS[2]: frozenset({"error"}),
}


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

    _lines: tuple[LogLine, ...] = ()

    def heading(self, snapshot: Snapshot) -> str:
        """What is left out, and where in the log the view is."""
        del snapshot
        loudness = self.look.loudness
        return (("" if loudness == LOUDNESS[0] else loudness) + self.position(len(self._lines))).strip(
            f" {self.glyphs.dot}"
        )

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The lines that are loud enough."""
        levels = _HEARD[self.look.loudness]
        self._lines = tuple(line for line in snapshot.log if line.level in levels) if levels else snapshot.log
        return super().paint(snapshot, width, height)

    def size_of(self, snapshot: Snapshot) -> int:
        """How many lines are loud enough."""
        del snapshot
        return len(self._lines)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One line."""
        del snapshot
        line = self._lines[index]
        glyph, ink = {"warning": (self.glyphs.warn, "warn"), "error": (self.glyphs.bad, "bad")}.get(
            line.level, (self.glyphs.dot, "dim")
        )
        return (
            (time_of_day(line.recorded_ns), "dim"),
            (f"{glyph} {line.level}", ink),
            (line.text, "text" if ink == "dim" else ink),
        )
