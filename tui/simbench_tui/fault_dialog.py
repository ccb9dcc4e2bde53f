"""Which fault to switch on, or off."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from simbench.errors import SimbenchError
from simbench_tui.faulting import EXAMPLES, Order, parse_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from simbench.measure.snapshot import SwitchView


class FaultDialog(ModalScreen[Order | None]):
    """Asks for a fault in words; gives it, or None.

    Args:
        lines: names of the lines that there are.
        switches: faults that were switched on so far.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
    ]

    def __init__(self, lines: Sequence[str], switches: Sequence[SwitchView]) -> None:
        super().__init__()
        self._lines = lines
        on = [f"{switch.kind} {switch.line} off" for switch in switches if not switch.until_ns]
        dark = [f"dark {line} for 2s" for line in lines]
        self._choices = [*on, *(["off"] if on else []), *dark, "lose 1%", "corrupt 1%", *self._skew()]

    def _skew(self) -> list[str]:
        return [f"delay {line} 300us" for line in self._lines]

    def compose(self) -> ComposeResult:
        """What to write, what is often wanted, and what is wrong with what was written."""
        with Vertical(classes="dialog"):
            yield Input(placeholder=EXAMPLES, id="fault-words")
            yield OptionList(*(Option(Content(choice)) for choice in self._choices), id="fault-choices")
            yield Static("enter switches it, of all lines where none is named   esc back")

    def on_mount(self) -> None:
        """Let the words be typed, with nothing marked."""
        self.query_one(OptionList).highlighted = None
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Mark another choice."""
        found = self.query_one(OptionList)
        last = len(self._choices) - 1
        at = (0 if by > 0 else last) if found.highlighted is None else found.highlighted + by
        found.highlighted = max(0, min(at, last))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was written, else the choice that is marked."""
        marked = self.query_one(OptionList).highlighted
        text = event.value.strip()
        if text:
            self._take(text)
        elif marked is not None:
            self._take(self._choices[marked])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the choice that was clicked."""
        self._take(self._choices[event.option_index])

    def _take(self, text: str) -> None:
        try:
            self.dismiss(parse_order(text, self._lines))
        except SimbenchError as error:
            self.query_one(Static).update(Content(str(error)))
