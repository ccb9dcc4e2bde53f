"""Where to go on: a time, or a place from the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.asking import Asking
from simbench_tui.format import fit, time_of_day
from simbench_tui.places import parse_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import RunInfo
    from simbench_tui.glyphs import Glyphs
    from simbench_tui.places import Place

_HINT = "14:30:25.9 (UTC), +12.5 seconds from the start, 40%"
_FOOTER = "enter goes there: everything before it is sent first, as fast as it is taken   esc back"


class Jump(Asking[int]):
    """Asks for a recorded time; gives it in ns since 1970, or None.

    Args:
        run: whose time line it is.
        places: worth a look.
        glyphs: to draw with.
    """

    def __init__(self, run: RunInfo, places: Sequence[Place], glyphs: Glyphs) -> None:
        lines = [f"{time_of_day(place.recorded_ns)}  {fit(place.what, 50, glyphs.ellipsis)}" for place in places]
        super().__init__("jump", hint=_HINT, choices=lines, footer=_FOOTER)
        self._run = run
        self._places = places

    def read(self, text: str) -> int:
        """Return the time that was written."""
        return parse_place(text, self._run)

    def chosen(self, index: int) -> int:
        """Return when a place is."""
        return self._places[index].recorded_ns
