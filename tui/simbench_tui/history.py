"""Messages per second over the last intervals, as an area."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS, HISTORY_INTERVALS
from simbench_tui.format import rate
from simbench_tui.graph import area, braille, round_up
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot

_SCALE_CELLS = 6


class History(Pane):
    """The rate of messages; its time axis is as long from the first moment as it ever gets."""

    title = "messages/s"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """Now and the peak in view."""
        values = snapshot.rate_history
        peak = rate(max(values, default=0.0), 6)
        return f"now {rate(snapshot.rates.get('messages', 0.0), 6)} {self.glyphs.dot} peak {peak}"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The area, and its scale at the left."""
        room = width - _SCALE_CELLS - 1
        if room < 4 or height < 1:
            return []
        values = snapshot.rate_history
        top = round_up(max(values, default=0.0))
        dots = spread(values, room * 2 if self.glyphs.braille else room)
        shares = [value / top for value in dots]
        picture = braille(shares, height) if self.glyphs.braille else area(shares, height, self.glyphs.levels)
        labels = [""] * height
        labels[-1] = "0"
        labels[0] = rate(top, _SCALE_CELLS)
        return [
            ((f"{label:>{_SCALE_CELLS}} ", "dim"), (line, "title")) for label, line in zip(labels, picture, strict=True)
        ]


def spread(values: Sequence[float], columns: int) -> list[float]:
    """The values over so many columns, the latest at the right; where several share one, the highest of them."""
    padded = [0.0] * (HISTORY_INTERVALS - len(values)) + list(values)[-HISTORY_INTERVALS:]
    edges = [x * HISTORY_INTERVALS // columns for x in range(columns + 1)]
    return [max(padded[a : max(b, a + 1)]) for a, b in pairwise(edges)]
