"""The last trades of the shown instrument, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import decimals, exact, number, time_of_day
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell, Row

_FIGURE_CELLS = 11


class Trades(TablePane):
    """Trade prints with the side of the aggressor."""

    title = "trades"
    nothing = "no trade yet"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("time (UTC)", 15, rank=1, right=False),
        Column("side", 6, right=False),
        Column("price", _FIGURE_CELLS),
        Column("size", 8),
    )

    _index = -1
    _places = 0

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The trades in view, with as many decimals as any of this instrument's needed so far."""
        book = snapshot.book
        if book is not None:
            if book.index != self._index:
                self._index, self._places = book.index, 0
            needed = (decimals(trade.price, book.price_exponent) for trade in book.trades)
            self._places = max(self._places, *needed, 0)
        return super().paint(snapshot, width, height)

    def size_of(self, snapshot: Snapshot) -> int:
        """How many trades the snapshot carries."""
        return len(snapshot.book.trades) if snapshot.book else 0

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One trade."""
        book = snapshot.book
        assert book is not None
        trade = book.trades[index]
        sign, ink = {
            "buy": (f"{self.glyphs.buy} buy", "bid"),
            "sell": (f"{self.glyphs.sell} sell", "ask"),
        }.get(trade.side, (self.glyphs.dot, "dim"))
        return (
            (time_of_day(trade.recorded_ns), "dim"),
            (sign, ink),
            (number(exact(trade.price, book.price_exponent, self._places), _FIGURE_CELLS), ink),
            (number(exact(trade.quantity, book.quantity_exponent), 8), "text"),
        )
