"""Processor time: of each process of the run, and of each core with everything that runs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.measure.snapshot import Phase
from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, duration, fit
from simbench_tui.graph import bar
from simbench_tui.pane import Cell, Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

_NAME_CELLS = 9
_PID_CELLS = 9
_SHARE_CELLS = 8


class Processors(Pane):
    """A bar for each process and each core; a process that is gone says so."""

    title = "processor time"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """What the receiving core lost."""
        hiccups, longest, share = snapshot.hiccups
        dot = self.glyphs.dot
        lost = f"{100 * share:.2f} % of the core lost {dot} longest {duration(longest).strip()}"
        return f"{count(hiccups, 7).strip()} hiccups {dot} {lost}"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Processes, then cores."""
        gone: Cell = (f" {self.glyphs.bad} gone", "bad")
        if snapshot.phase is Phase.ENDED:
            gone = (f" {self.glyphs.dot} ended", "dim")
        rows = [self._row(each.name, f"pid {each.pid}", each.share, width, gone) for each in snapshot.processes]
        rows += [self._row(f"core {core}", "", share, width, gone) for core, share in snapshot.cores.items()]
        return rows[:height] or self.centred("not measured yet", width, height)

    def _row(self, name: str, pid: str, share: float, width: int, gone: Cell) -> Row:
        head = (fit(name, _NAME_CELLS, self.glyphs.ellipsis), "text")
        number = (" " + fit(pid, _PID_CELLS, self.glyphs.ellipsis), "dim")
        if share < 0:
            return head, number, gone
        room = max(width - _NAME_CELLS - _PID_CELLS - _SHARE_CELLS - 3, 0)
        figure = (f" {100 * share:6.1f} %", "text")
        return head, number, figure, (" " + bar(min(share, 1.0), room, self.glyphs.eighths), "mid")
