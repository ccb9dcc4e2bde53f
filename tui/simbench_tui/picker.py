"""Finding an instrument by symbol, id or channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from simbench_tui.format import count, fit
from simbench_tui.roster import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from simbench.measure.snapshot import InstrumentRow
    from simbench_tui.glyphs import Glyphs


class Picker(ModalScreen[int | None]):
    """A list that narrows while one types; gives the index of the chosen instrument, or None.

    Args:
        rows: instruments to choose from, the busiest first.
        glyphs: to draw with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
        Binding("pagedown", "move(10)", "Page down", show=False, priority=True),
        Binding("pageup", "move(-10)", "Page up", show=False, priority=True),
    ]

    def __init__(self, rows: Sequence[InstrumentRow], glyphs: Glyphs) -> None:
        super().__init__()
        self._rows = rows
        self._found: list[InstrumentRow] = list(rows)
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """What to look for, what was found."""
        with Vertical(id="picker"):
            yield Input(placeholder="symbol, id or channel", id="picker-words")
            yield Static(_head(), id="picker-head")
            yield OptionList(id="picker-found")
            yield Static("", id="picker-foot")

    def on_mount(self) -> None:
        """Begin with everything."""
        self._list("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        self._list(event.value)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Take the marked one."""
        marked = self.query_one(OptionList).highlighted
        if marked is not None:
            self.dismiss(self._found[marked].index)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the one that was clicked."""
        self.dismiss(self._found[event.option_index].index)

    def action_move(self, by: int) -> None:
        """Mark another one."""
        found = self.query_one(OptionList)
        if self._found:
            found.highlighted = max(0, min((found.highlighted or 0) + by, len(self._found) - 1))

    def _list(self, words: str) -> None:
        self._found = search(self._rows, words)
        found = self.query_one(OptionList)
        found.clear_options()
        found.add_options([Option(Content(self._line(row))) for row in self._found])
        found.highlighted = 0 if self._found else None
        foot = f"{len(self._found)} of {len(self._rows)}, the busiest first   enter shows it   esc back"
        self.query_one("#picker-foot", Static).update(
            foot if self._found else "nothing found among the busiest instruments   esc back"
        )

    def _line(self, row: InstrumentRow) -> str:
        cut = self._glyphs.ellipsis
        return " ".join(
            (fit(row.symbol, 22, cut), fit(row.key, 20, cut), fit(row.channel, 12, cut), count(row.updates, 9))
        )


def _head() -> str:
    return f"{'symbol':<22} {'id':<20} {'channel':<12} {'updates':>9}"
