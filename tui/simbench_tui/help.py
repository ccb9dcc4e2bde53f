"""The help: the keys, and every figure with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from simbench_tui.glossary import FIGURES
from simbench_tui.keys import KEYS

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Help(ModalScreen[None]):
    """A page over the panes; any of its keys leads back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Back", show=False),
    ]

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with VerticalScroll(id="help"):
            yield Static(page(), id="help-page")
        yield Static("up down scroll   esc back", id="help-foot")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one("#help").focus()


def page() -> Text:
    """The whole text."""
    text = Text()
    text.append("Keys\n", "bold")
    for key in KEYS:
        text.append(f"  {key.shown:<7}", "bold")
        text.append(f"{key.meaning}\n")
    text.append("  ctrl+p ", "bold")
    text.append("Command palette: every action by name.\n")
    for title, figures in FIGURES:
        text.append(f"\n{title}\n", "bold")
        for name, unit, meaning in figures:
            text.append(f"  {name:<20}", "bold")
            text.append(f"{unit:<11}", "italic")
            text.append(f"{meaning}\n")
    return text
