"""Several instruments side by side: the touch of the shown one, of those that were pinned, and of the busiest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, decimals, exact, number
from simbench_tui.table import TablePane
from simbench_tui.touch import best, imbalance, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import BookView, LevelView, Snapshot
    from simbench_tui.pane import Cell

_PRICE_CELLS = 11


class Market(TablePane):
    """Best prices and sizes a row; the shown instrument first."""

    title = "side by side"
    nothing = "no instrument yet"
    calm_ns = CALM_NS
    columns: ClassVar[tuple[Column, ...]] = (
        Column("", 2, right=False),
        Column("instrument", 8, right=False, stretch=True, most=24),
        Column("bid size", 8, rank=2),
        Column("bid", _PRICE_CELLS),
        Column("ask", _PRICE_CELLS),
        Column("ask size", 8, rank=2),
        Column("spread", 8, rank=1),
        Column("imb %", 5, rank=3),
        Column("last", _PRICE_CELLS, rank=5),
        Column("updates", 8, rank=4),
        Column("state", 14, rank=6, right=False),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """How many of them were pinned."""
        del snapshot
        pinned = len(self.look.pinned)
        return f"{pinned} pinned, then the busiest" if pinned else "the busiest; p pins the shown one"

    def size_of(self, snapshot: Snapshot) -> int:
        """How many books there are."""
        return len(self._books(snapshot))

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One book."""
        book = self._books(snapshot)[index]
        places = max((decimals(level.price, book.price_exponent) for level in _touch(book)), default=0)
        bid, ask, gap, share = best(book.bids), best(book.asks), spread(book), imbalance(book)
        last = book.trades[0].price if book.trades else None
        chosen = self.glyphs.chosen if book is snapshot.book else " "
        pin = self.glyphs.mark if book.index in self.look.pinned else " "
        return (
            (chosen + pin, "accent"),
            (book.symbol or book.key, "strong" if book is snapshot.book else "text"),
            (_size(bid, book), "bid"),
            (_price(bid.price if bid else None, book, places), "bid"),
            (_price(ask.price if ask else None, book, places), "ask"),
            (_size(ask, book), "ask"),
            (_price(gap, book, places, 8), "warn" if gap is not None and gap <= 0 else "text"),
            ("-" if share is None else f"{100 * share:+.0f}", "dim"),
            (_price(last, book, places), "dim"),
            (count(book.updates, 8), "dim"),
            (book.state, "dim" if book.state == "current" else "warn"),
        )

    @staticmethod
    def _books(snapshot: Snapshot) -> tuple[BookView, ...]:
        return (*((snapshot.book,) if snapshot.book else ()), *snapshot.others)


def _touch(book: BookView) -> list[LevelView]:
    return [level for level in (best(book.bids), best(book.asks)) if level is not None]


def _price(mantissa: int | None, book: BookView, places: int, width: int = _PRICE_CELLS) -> str:
    return "-" if mantissa is None else number(exact(mantissa, book.price_exponent, places), width)


def _size(level: LevelView | None, book: BookView) -> str:
    return "-" if level is None else number(exact(level.quantity, book.quantity_exponent), 8)
