"""The footer: as many keys as fit, the most needed first; a click does what the key does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from simbench_tui.keys import KEYS

if TYPE_CHECKING:
    from simbench_tui.keys import Key


class KeyBar(Widget):
    """One row of keys.

    Args:
        steering: whether there is a replayer to drive; without one its keys are left out.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keybar--key", "keybar--label"}

    def __init__(self, *, steering: bool) -> None:
        super().__init__()
        self._keys = [key for key in KEYS if key.label and (steering or not key.steers)]

    def render_line(self, y: int) -> Strip:
        """Line API: the row."""
        del y
        width = self.size.width
        segments: list[Segment] = []
        for key in fitting(self._keys, width):
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
