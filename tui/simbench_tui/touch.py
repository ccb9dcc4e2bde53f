"""The touch of a book: best known levels, spread and imbalance, and how they went over the last snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import QUOTES
from simbench_tui.look import Quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simbench.measure.snapshot import BookView, LevelView


def best(levels: Iterable[LevelView]) -> LevelView | None:
    """The first level that is known; None without one."""
    return next((level for level in levels if level.known), None)


def spread(book: BookView) -> int | None:
    """Best direct ask less best direct bid, at the price exponent: nought is locked, below that crossed."""
    bid, ask = best(book.bids), best(book.asks)
    return None if bid is None or ask is None else ask.price - bid.price


def imbalance(book: BookView) -> float | None:
    """Best bid's size less best ask's, of both together: -1 to 1."""
    bid, ask = best(book.bids), best(book.asks)
    if bid is None or ask is None or bid.quantity + ask.quantity <= 0:
        return None
    return (bid.quantity - ask.quantity) / (bid.quantity + ask.quantity)


class Quotes:
    """Remembers the touch of the shown instrument; another instrument starts afresh."""

    def __init__(self) -> None:
        self._index: int | None = None
        self._at = 0
        self._quotes: tuple[Quote, ...] = ()

    def see(self, book: BookView | None, at_ns: int) -> tuple[Quote, ...]:
        """Take note of a snapshot's book at this recorded time and return the last of them, oldest first.

        While time stands there is one of that time, the latest.
        """
        if book is None:
            return self._quotes
        if book.index != self._index:
            self._index, self._quotes = book.index, ()
        before = self._quotes[:-1] if at_ns == self._at else self._quotes
        self._quotes = (*before, Quote(spread(book), imbalance(book)))[-QUOTES:]
        self._at = at_ns
        return self._quotes
