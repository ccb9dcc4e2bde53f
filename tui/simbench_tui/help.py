"""The help: the keys, and every figure with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from simbench_tui.glossary import FIGURES
from simbench_tui.keys import actions

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Help(ModalScreen[None]):
    """A page over the panes; any of its keys leads back.

    Args:
        screen: whose figures come first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Back", show=False),
    ]

    def __init__(self, screen: str) -> None:
        super().__init__()
        self._of = screen

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with VerticalScroll(id="help"):
            yield Static(page(self._of), id="help-page")
        yield Static("up down scroll   esc back", id="help-foot")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one("#help").focus()


def page(screen: str) -> Group:
    """The whole text, in columns that keep their place when a sentence wraps; what is on a screen comes first."""
    parts: list[RenderableType] = [Text("Keys", "bold"), _keys()]
    for title, _, figures in sorted(FIGURES, key=lambda section: screen not in section[1]):
        table = _columns(20, 11)
        for figure in figures:
            table.add_row("", *figure)
        parts += [Text(""), Text(title, "bold"), table]
    return Group(*parts)


def _keys() -> Table:
    table = _columns(7)
    for key in actions():
        table.add_row("", key.shown, key.meaning)
    table.add_row("", "ctrl+p", "Command palette: every action by name.")
    return table


def _columns(*widths: int) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0), pad_edge=True)
    table.add_column(width=1)
    for width, style in zip(widths, ("bold", "italic"), strict=False):
        table.add_column(width=width, style=style, no_wrap=True)
    table.add_column(ratio=1)
    return table
