"""Where what is looked at is kept as a golden capture, and how much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from simbench_tui.format import time_of_day

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class GoldenDialog(ModalScreen[tuple[str, int] | None]):
    """Asks for the name of a new folder; gives it and from when on the capture is kept (0: all), or None.

    Args:
        until_ns: recorded time up to which the capture is kept.
        name: that is offered.
        since_ns: where the window begins that is looked at; 0 there is none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(0)", "Up", show=False, priority=True),
    ]

    def __init__(self, until_ns: int, name: str, since_ns: int = 0) -> None:
        super().__init__()
        self._until_ns = until_ns
        self._name = name
        self._beginnings = [0, since_ns] if 0 < since_ns < until_ns else [0]

    def compose(self) -> ComposeResult:
        """What will be written, and where."""
        with Vertical(classes="dialog small"):
            yield Static(f"the capture up to {time_of_day(self._until_ns)} UTC, as it was recorded,")
            yield Static("with feed.toml and what must come out; a new folder:")
            yield Input(self._name, id="golden-folder")
            yield OptionList(*(Option(Content(self._words(since))) for since in self._beginnings), id="golden-since")
            yield Static("enter writes it, which may take a while; the run goes on   esc back")

    def on_mount(self) -> None:
        """Let the name be typed, with the whole marked."""
        self.query_one(OptionList).highlighted = 0
        self.query_one(Input).focus()

    def action_move(self, to: int) -> None:
        """Mark another beginning."""
        self.query_one(OptionList).highlighted = min(to, len(self._beginnings) - 1)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Take the name, and the beginning that is marked."""
        self._take(self.query_one(OptionList).highlighted or 0)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the name, and the beginning that was clicked."""
        self._take(event.option_index)

    def _take(self, index: int) -> None:
        name = self.query_one(Input).value.strip()
        self.dismiss((name, self._beginnings[index]) if name else None)

    def _words(self, since_ns: int) -> str:
        if not since_ns:
            return "from its beginning: books are whole"
        return f"from {time_of_day(since_ns)}, the window's: books of a receiver that joins there"
