"""A book's side as rungs: direct and implied levels joined by price, and what changed since the last look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simbench.measure.snapshot import BookView, LevelView


@dataclass(frozen=True, slots=True)
class Rung:
    """One price of one side.

    Attributes:
        quantity: of the direct book; 0 where the price is only implied.
        implied: quantity implied from other books.
        orders: in the direct book; -1 where nobody says.
        known: false for a level that exists but was never sent.
    """

    price: int
    quantity: int
    implied: int
    orders: int
    known: bool


def rungs(levels: Sequence[LevelView], implied: Sequence[LevelView], *, bid: bool) -> list[Rung]:
    """Both books of a side, best first; an unknown level keeps its place, since only its place is known."""
    extra = {level.price: level.quantity for level in implied if level.known}
    waiting = sorted(extra, reverse=not bid)  # the best last, to be popped
    direct = {level.price for level in levels if level.known}
    joined: list[Rung] = []
    for level in levels:
        if not level.known:
            joined.append(Rung(0, 0, 0, -1, known=False))
            continue
        while waiting and (waiting[-1] >= level.price if bid else waiting[-1] <= level.price):
            price = waiting.pop()
            if price not in direct:
                joined.append(Rung(price, 0, extra[price], -1, known=True))
        joined.append(Rung(level.price, level.quantity, extra.get(level.price, 0), level.orders, known=True))
    joined += [Rung(price, 0, extra[price], -1, known=True) for price in reversed(waiting) if price not in direct]
    return joined


class Changes:
    """Remembers what each price held and marks it for a while after it changed.

    Args:
        lasting_ns: how long a mark stays.
    """

    def __init__(self, lasting_ns: int) -> None:
        self._lasting = lasting_ns
        self._index: int | None = None
        self._held: dict[tuple[str, int], tuple[int, int]] = {}
        self._marks: dict[tuple[str, int], tuple[str, int]] = {}

    def look(self, book: BookView, now_ns: int) -> None:
        """Compare with the last look; another instrument starts afresh, unmarked."""
        fresh = book.index != self._index
        self._index = book.index
        held = {
            **_totals("bid", book.bids, book.implied_bids),
            **_totals("ask", book.asks, book.implied_asks),
        }
        self._marks = {} if fresh else {key: mark for key, mark in self._marks.items() if mark[1] > now_ns}
        if not fresh:
            for key, total in held.items():
                before = self._held.get(key)
                if before != total:
                    sign = "*" if before is None else "-" if total < before else "+"
                    self._marks[key] = (sign, now_ns + self._lasting)
        self._held = held

    def mark(self, side: str, price: int) -> str:
        """`*` new, `+` more, `-` less, or nothing; side is "bid" or "ask"."""
        return self._marks.get((side, price), ("", 0))[0]


def _totals(
    side: str, levels: Iterable[LevelView], implied: Iterable[LevelView]
) -> dict[tuple[str, int], tuple[int, int]]:
    totals: dict[tuple[str, int], tuple[int, int]] = {}
    for level in (*levels, *implied):
        if level.known:
            quantity, orders = totals.get((side, level.price), (0, 0))
            totals[side, level.price] = (quantity + level.quantity, orders + max(level.orders, 0))
    return totals
