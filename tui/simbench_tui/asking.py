"""A question that is answered in words, or by a choice from a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

Answer = TypeVar("Answer")


class Asking(ModalScreen["Answer | None"], Generic[Answer]):
    """Asks, and gives the answer, or None.

    Args:
        what: is asked for; the ids of its parts begin with it.
        hint: what may be written.
        choices: what is often wanted.
        footer: what the keys do.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
    ]

    def __init__(self, what: str, *, hint: str, choices: Sequence[str], footer: str) -> None:
        super().__init__()
        self._what = what
        self._hint = hint
        self._choices = choices
        self._footer = footer

    def read(self, text: str) -> Answer:
        """Return what was written, which is not nothing, as an answer.

        Raises:
            SimbenchError: it is none.
        """
        raise NotImplementedError

    def chosen(self, index: int) -> Answer:
        """Return a choice as an answer; raises as `read` does."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """What to write, what there is, and what is wrong with what was written."""
        with Vertical(classes="dialog"):
            yield Input(placeholder=self._hint, id=f"{self._what}-words")
            yield OptionList(*(Option(Content(choice)) for choice in self._choices), id=f"{self._what}-choices")
            yield Static(self._footer)

    def on_mount(self) -> None:
        """Let the words be typed, with nothing marked."""
        self.query_one(OptionList).highlighted = None
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Mark another choice."""
        found = self.query_one(OptionList)
        last = len(self._choices) - 1
        at = (0 if by > 0 else last) if found.highlighted is None else found.highlighted + by
        found.highlighted = max(0, min(at, last)) if self._choices else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was written, else the choice that is marked."""
        marked = self.query_one(OptionList).highlighted
        text = event.value.strip()
        if text:
            self._give(lambda: self.read(text))
        elif marked is not None:
            self._give(lambda: self.chosen(marked))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the choice that was clicked."""
        self._give(lambda: self.chosen(event.option_index))

    def _give(self, answer: Callable[[], Answer]) -> None:
        try:
            self.dismiss(answer())
        except SimbenchError as error:
            self.query_one(Static).update(Content(str(error)))
