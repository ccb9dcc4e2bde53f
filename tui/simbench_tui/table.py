"""A pane that is a table: a head, rows that scroll under it, and columns that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from simbench_tui.columns import Column, choose
from simbench_tui.format import fit
from simbench_tui.pane import Cell, Pane, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType
    from textual.events import MouseScrollDown, MouseScrollUp

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.glyphs import Glyphs


class TablePane(Pane, can_focus=True):
    """A table over one tuple of a snapshot.

    A subclass says which columns there are, how many rows, and one row as a cell per column; only the rows in view
    are made. A `tail` keeps the last row in view until somebody scrolls up.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_rows(-1)", "Up", show=False),
        Binding("down", "scroll_rows(1)", "Down", show=False),
        Binding("pageup", "scroll_rows(-10)", "Page up", show=False),
        Binding("pagedown", "scroll_rows(10)", "Page down", show=False),
        Binding("home", "scroll_rows(-1000000)", "First", show=False),
        Binding("end", "scroll_rows(1000000)", "Last", show=False),
    ]
    columns: ClassVar[tuple[Column, ...]] = ()
    nothing: ClassVar[str] = ""
    tail: ClassVar[bool] = False
    headed: ClassVar[bool] = True

    _first = 0
    _most = 0
    _held = False

    def size_of(self, snapshot: Snapshot) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One row: a cell for every column; figures already have their width."""
        raise NotImplementedError

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Head and the rows in view."""
        chosen = choose(self.columns, width)
        rows = [self._cells(chosen, [(column.title, "dim") for column in self.columns])] if self.headed else []
        total, room = self.size_of(snapshot), height - len(rows)
        self._most = max(total - room, 0)
        self._first = min(self._first, self._most)
        if self.tail and not self._held:
            self._first = self._most
        if not total:
            return [*rows, ((self.nothing, "dim"),)]
        view = range(self._first, min(self._first + max(room, 0), total))
        return rows + [self._cells(chosen, self.row(snapshot, index)) for index in view]

    def position(self, total: int) -> str:
        """Where in the table the view is, where not all of it is seen."""
        if not self._most:
            return ""
        return f" {self.glyphs.dot} {self._first + 1}-{self._first + total - self._most} of {total}"

    def action_scroll_rows(self, by: int) -> None:
        """Move the view by so many rows."""
        self._first = max(0, min(self._first + by, self._most))
        self._held = self._first < self._most
        self.update_rows()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move the view down."""
        event.stop()
        self.action_scroll_rows(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move the view up."""
        event.stop()
        self.action_scroll_rows(-1)

    def _cells(self, chosen: list[tuple[int, int]], cells: Sequence[Cell]) -> Row:
        return cut_row([(self.columns[index], width, *cells[index]) for index, width in chosen], self.glyphs)


def cut_row(cells: Iterable[tuple[Column, int, str, str]], glyphs: Glyphs) -> Row:
    """Cells of (column, width, text, ink) with a gap of one between them."""
    row: list[Cell] = []
    gap = ""
    for column, width, text, names in cells:
        row.append((gap + fit(text, width, glyphs.ellipsis, right=column.right), names))
        gap = " "
    return tuple(row)
