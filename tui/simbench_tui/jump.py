"""Where to go on: a time, or a place from the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from simbench.errors import SimbenchError
from simbench_tui.format import fit, time_of_day
from simbench_tui.places import parse_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from simbench.measure.snapshot import RunInfo
    from simbench_tui.glyphs import Glyphs
    from simbench_tui.places import Place

_HINT = "14:30:25.9 (UTC), +12.5 seconds from the start, 40%"


class Jump(ModalScreen[int | None]):
    """Asks for a recorded time; gives it in ns since 1970, or None.

    Args:
        run: whose time line it is.
        places: worth a look.
        glyphs: to draw with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", show=False),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
    ]

    def __init__(self, run: RunInfo, places: Sequence[Place], glyphs: Glyphs) -> None:
        super().__init__()
        self._run = run
        self._places = places
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """What to write, what there is, and what is wrong with what was written."""
        with Vertical(classes="dialog"):
            yield Input(placeholder=_HINT, id="jump-time")
            yield OptionList(*(Option(Content(self._line(place))) for place in self._places), id="jump-places")
            yield Static("enter goes there: everything before it is sent first, as fast as it is taken   esc back")

    def on_mount(self) -> None:
        """Let the words be typed, with nothing marked."""
        self.query_one(OptionList).highlighted = None
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Mark another place."""
        found = self.query_one(OptionList)
        first = 0 if by > 0 else len(self._places) - 1
        at = first if found.highlighted is None else found.highlighted + by
        found.highlighted = max(0, min(at, len(self._places) - 1)) if self._places else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the time that was written, else the place that is marked."""
        marked = self.query_one(OptionList).highlighted
        if not event.value.strip():
            if marked is not None:
                self.dismiss(self._places[marked].recorded_ns)
            return
        try:
            self.dismiss(parse_place(event.value, self._run))
        except SimbenchError as error:
            self.query_one(Static).update(Content(str(error)))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the place that was clicked."""
        self.dismiss(self._places[event.option_index].recorded_ns)

    def _line(self, place: Place) -> str:
        return f"{time_of_day(place.recorded_ns)}  {fit(place.what, 50, self._glyphs.ellipsis)}"
