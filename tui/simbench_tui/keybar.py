"""The footer: the screens, then as many keys of this one as fit, the most needed first; a click is the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from simbench_tui.constants import NARROW_BELOW
from simbench_tui.keys import SCREENS, keys_of

if TYPE_CHECKING:
    from simbench_tui.keys import Key


class KeyBar(Widget):
    """One row of keys.

    Args:
        name: of the screen that it is the footer of.
        steering: whether there is a replayer to drive; without one its keys are left out.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keybar--key", "keybar--label", "keybar--here"}

    def __init__(self, name: str, *, steering: bool) -> None:
        super().__init__()
        self._here = name
        self._keys = [key for key in keys_of(name) if key.label and (steering or not key.steers)]

    def render_line(self, y: int) -> Strip:
        """Line API: the row."""
        del y
        width = self.size.width
        segments: list[Segment] = []
        for number, name in enumerate(SCREENS, 1):
            here = name == self._here
            click = Style(meta={"@click": f"app.view('{name}')"})
            label = f" {name}" if here or width >= NARROW_BELOW else ""
            style = self.get_component_rich_style("keybar--here" if here else "keybar--key")
            words = self.get_component_rich_style("keybar--here" if here else "keybar--label")
            segments += [Segment(" "), Segment(str(number), style + click), Segment(label, words + click)]
        segments.append(Segment("  "))
        room = width - sum(segment.cell_length for segment in segments)
        for key in fitting(self._keys, room):
            click = Style(meta={"@click": f"app.{key.action}"})
            segments += [
                Segment(" "),
                Segment(key.shown, self.get_component_rich_style("keybar--key") + click),
                Segment(f" {key.label}", self.get_component_rich_style("keybar--label") + click),
            ]
        return Strip(segments).adjust_cell_length(width, self.rich_style).apply_style(self.rich_style)


def fitting(keys: list[Key], width: int) -> list[Key]:
    """The first keys that fit into `width` cells."""
    chosen = []
    for key in keys:
        width -= len(key.shown) + len(key.label) + 2
        if width < 0:
            break
        chosen.append(key)
    return chosen
