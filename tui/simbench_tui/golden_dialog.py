"""Where what is looked at is kept as a golden capture."""

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


class GoldenDialog(ModalScreen[str | None]):
    """Asks for the name of a new folder; gives it, or None.

    Args:
        until_ns: recorded time up to which the capture is kept.
        name: that is offered.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", show=False)]

    def __init__(self, until_ns: int, name: str) -> None:
        super().__init__()
        self._until_ns = until_ns
        self._name = name

    def compose(self) -> ComposeResult:
        """What will be written, and where."""
        with Vertical(classes="dialog small"):
            yield Static(f"the capture from its beginning to {time_of_day(self._until_ns)} UTC,")
            yield Static("as it was recorded, with feed.toml and what must come out; a new folder:")
            yield Input(self._name, id="golden-folder")
            yield Static("enter writes it, which may take a while; the run goes on   esc back")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name."""
        self.dismiss(event.value.strip() or None)
