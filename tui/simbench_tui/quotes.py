"""Spread and imbalance of the shown instrument over the last moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import CALM_NS
from simbench_tui.format import exact, number
from simbench_tui.graph import area, braille, round_up
from simbench_tui.pane import Pane, Row

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

_SCALE_CELLS = 9


class Touch(Pane):
    """Two areas, the latest at the right: the spread from nought up, and the bid's share of the best sizes."""

    title = "spread and imbalance"
    calm_ns = CALM_NS

    def heading(self, snapshot: Snapshot) -> str:
        """The widest spread in view."""
        spreads = [quote.spread for quote in self.look.quotes if quote.spread is not None]
        if snapshot.book is None or not spreads:
            return ""
        exponent = snapshot.book.price_exponent
        return f"{exact(min(spreads), exponent)} to {exact(max(spreads), exponent)}"

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Spread above, imbalance below."""
        book, quotes = snapshot.book, self.look.quotes
        room = width - _SCALE_CELLS - 1
        if book is None or room < 4 or height < 2 or all(quote.spread is None for quote in quotes):
            return self.centred("no two sides to quote yet", width, height)
        across = room * 2 if self.glyphs.braille else room
        shown = quotes[-across:]
        lead = [0.0] * (across - len(shown))
        spreads = [quote.spread or 0 for quote in shown]
        top = round_up(max(*spreads, 1))
        upper = self._area([*lead, *(max(spread, 0) / top for spread in spreads)], height - height // 2)
        shares = [0.5 if quote.imbalance is None else (1 + quote.imbalance) / 2 for quote in shown]
        lower = self._area([*lead, *shares], height // 2)
        labels = _labels(number(exact(int(top), book.price_exponent), _SCALE_CELLS), "spread 0", len(upper))
        labels += _labels("all bid", "all ask", len(lower))
        inks = ["title"] * len(upper) + ["mid"] * len(lower)
        return [
            ((f"{label:>{_SCALE_CELLS}} ", "dim"), (line, ink))
            for label, line, ink in zip(labels, [*upper, *lower], inks, strict=True)
        ]

    def _area(self, shares: list[float], height: int) -> list[str]:
        return braille(shares, height) if self.glyphs.braille else area(shares, height, self.glyphs.levels)


def _labels(top: str, bottom: str, height: int) -> list[str]:
    """Of the first row and of the last; the first wins where they are one."""
    labels = [""] * height
    if height:
        labels[-1] = bottom
        labels[0] = top
    return labels
