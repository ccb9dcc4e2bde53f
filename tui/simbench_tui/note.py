"""A note for a bookmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from simbench_tui.format import time_of_day

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Note(ModalScreen[str | None]):
    """Asks for a line of words; gives it, or None where the bookmark is not wanted after all.

    Args:
        recorded_ns: the time that it is about.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", show=False)]

    def __init__(self, recorded_ns: int) -> None:
        super().__init__()
        self._recorded_ns = recorded_ns

    def compose(self) -> ComposeResult:
        """One line to write."""
        with Vertical(classes="dialog small"):
            yield Static(f"bookmark at {time_of_day(self._recorded_ns)} UTC")
            yield Input(placeholder="a note", id="note-words")
            yield Static("enter keeps it   esc back")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it."""
        self.dismiss(event.value.strip())
