"""The capture's rate over its recorded time, with the bursts to be seen, and what happened on it marked below."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding

from simbench_tui.constants import CALM_NS
from simbench_tui.format import rate, time_of_day
from simbench_tui.gaps import OPEN
from simbench_tui.pane import Cell, Pane, Row
from simbench_tui.timescale import RatePicture, column_at, time_at

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Click

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.glyphs import Glyphs

FAULT: Final = "f"
Marks = list[tuple[str, str]]


class Timeline(Pane, can_focus=True):
    """An area of the rate; the cursor where the replay is; a row of marks. A click jumps, and so does enter."""

    title = "capture"
    calm_ns = CALM_NS  # the strip's cursor, one row high, moves with every snapshot
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "place(-1)", "Earlier", show=False),
        Binding("right", "place(1)", "Later", show=False),
        Binding("shift+left", "place(-10)", "Much earlier", show=False),
        Binding("shift+right", "place(10)", "Much later", show=False),
        Binding("enter", "jump", "Jump there", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(glyphs, id=id)
        self._rates = RatePicture(glyphs.levels)
        self._place: int | None = None

    def heading(self, snapshot: Snapshot) -> str:
        """The highest rate, or the time of the place that was chosen; and what the marks mean."""
        glyphs, dot = self.glyphs, f" {self.glyphs.dot} "
        if self._place is not None and self.has_focus:
            at = time_at(self._place, snapshot.run, self._cells)
            return dot.join((f"enter jumps to {time_of_day(at, 3)}", "left right move"))
        faults = f" {FAULT} fault" if snapshot.switches or snapshot.run.faults else ""
        legend = f"{glyphs.up} filled {glyphs.bad} lost {glyphs.mark} bookmark {glyphs.burst} burst{faults}"
        return dot.join((f"peak {rate(self._rates.peak, 6).strip()} frames/s", legend))

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The area, and the marks in the last row."""
        run = snapshot.run
        picture = self._rates.rows(run, width, height - 1) if height > 1 else []
        if not picture:
            return self.centred("nothing is known of what will come", width, height)
        cursor = column_at(snapshot.position_ns, run, width) if snapshot.position_ns > 0 else 0
        rows: list[Row] = [self._line(line, cursor) for line in picture]
        rows.append(_row(self._marks(snapshot, width)))
        return rows

    def action_place(self, by: int) -> None:
        """Choose a place so many columns on, first from where the replay is."""
        if self.snapshot is None or not self._cells:
            return
        if self._place is None:
            self._place = column_at(self.snapshot.position_ns, self.snapshot.run, self._cells)
        self._place = min(max(self._place + by, 0), self._cells - 1)
        self.update_rows()

    async def action_jump(self) -> None:
        """Go on at the chosen place."""
        if self._place is not None and self.snapshot is not None:
            await self._jump(self._place)

    def action_leave(self) -> None:
        """Give the arrow keys back."""
        self._place = None
        self.screen.set_focus(None)

    async def on_click(self, event: Click) -> None:
        """Go on at the place that was clicked."""
        event.stop()
        if self.snapshot is not None and event.y > 0:
            await self._jump(min(max(event.x - 1, 0), self._cells - 1))

    async def _jump(self, column: int) -> None:
        assert self.snapshot is not None
        if self.snapshot.run.strip is not None:
            await self.run_action(f"app.jump_to({time_at(column, self.snapshot.run, self._cells)})")

    @property
    def _cells(self) -> int:
        return max(self.size.width - 2, 0)

    def _line(self, line: str, cursor: int) -> Row:
        return (
            (line[:cursor], "title"),
            (self.glyphs.cursor, "accent"),
            (line[cursor + 1 :], "dim"),
        )

    def _marks(self, snapshot: Snapshot, width: int) -> Marks:
        """A mark a column; of several the one that matters most."""
        run, glyphs = snapshot.run, self.glyphs
        marks: Marks = [(" ", "text")] * width
        for first, last in _faulty(snapshot):
            for column in range(column_at(first, run, width), column_at(last, run, width) + 1):
                marks[column] = (FAULT, "warn")
        if run.strip is not None:
            for at in run.strip.bursts:
                if run.first_ns <= at <= run.last_ns:
                    marks[column_at(at, run, width)] = (glyphs.burst, "dim")
        inks = {"lost": (glyphs.bad, "bad")} | dict.fromkeys(OPEN, (glyphs.stale, "warn"))
        found = sorted(snapshot.gaps, key=lambda gap: (gap.outcome == "lost", gap.outcome in OPEN))
        for gap in found:
            marks[column_at(gap.detected_ns, run, width)] = inks.get(gap.outcome, (glyphs.up, "good"))
        for bookmark in self.look.bookmarks:
            marks[column_at(bookmark.recorded_ns, run, width)] = (glyphs.mark, "accent")
        for edge in self.look.window or ():
            if edge is not None:
                marks[column_at(edge, run, width)] = (glyphs.edge_mark, "accent")
        if self._place is not None and self.has_focus:
            marks[min(self._place, width - 1)] = (glyphs.sell, "strong")
        return marks


def _faulty(snapshot: Snapshot) -> list[tuple[int, int]]:
    """Recorded times from when to when a fault was, of a script or by hand; one that went round a loop is two."""
    run = snapshot.run
    found = [(span.first_ns, span.last_ns) for span in run.faults]
    for switch in snapshot.switches:
        first, last = switch.since_ns, switch.until_ns or snapshot.position_ns
        found += [(first, last)] if first <= last else [(first, run.last_ns), (run.first_ns, last)]
    bounds = [(max(first, run.first_ns), min(last, run.last_ns)) for first, last in found]
    return [(first, last) for first, last in bounds if first <= last]


def _row(marks: Marks) -> Row:
    """Cells of equal ink joined."""
    cells: list[Cell] = []
    for text, ink in marks:
        if cells and cells[-1][1] == ink:
            cells[-1] = (cells[-1][0] + text, ink)
        else:
            cells.append((text, ink))
    return tuple(cells)
