"""One book as the reference keeps it: dictionaries and lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sortedcontainers import SortedDict

from simbench import event
from simbench.book.layout import AWAITED, AWAITED_BY_PACKET, DEPTH_LIMIT, REQUIRED
from simbench.book.reference_json import SIDES

if TYPE_CHECKING:
    from simbench.book.layout import BookChannel


@dataclass
class Order:
    """An order in a queue."""

    id: int
    quantity: int
    priority: int


@dataclass
class Level:
    """A level: its orders where the book is kept order by order, what the exchange said where it is not."""

    price: int
    quantity: int = 0
    count: int = -1
    queue: list[Order] = field(default_factory=list)

    def total(self) -> int:
        """Return the quantity."""
        return sum(order.quantity for order in self.queue) if self.queue else self.quantity

    def orders(self) -> int:
        """Return the number of orders, -1 where it is not known."""
        return len(self.queue) if self.queue else self.count


class Empty:
    """A place in a ladder that is known to hold nothing; None is one of which nothing is known."""


EMPTY: Final = Empty()


class Book:
    """The book of one instrument."""

    def __init__(self, channel: BookChannel, key: int, *, after_reset: bool) -> None:
        self.channel = channel
        self.key = key
        self.symbol = ""
        self.price_exponent = channel.price_exponent
        self.quantity_exponent = channel.quantity_exponent
        self.depths = [channel.depth, channel.depth, channel.implied_depth, channel.implied_depth]
        self.prices: list[SortedDict[int, Level]] = [SortedDict() for _ in SIDES]
        self.ladders: list[list[Level | Empty | None]] = [
            [EMPTY if after_reset else None] * self.depth(side) for side in range(4)
        ]
        self.sequence = 0 if after_reset else -1
        needs_one = channel.snapshots in {REQUIRED, AWAITED, AWAITED_BY_PACKET}
        self.state = "unsynchronised" if needs_one and not after_reset else "current"
        self.reason = "no_snapshot"  # why it is not current, and since when
        self.since = 0
        self.began = False  # whether anything of it has come
        self.crossed = False
        self.whole = True  # whether nothing more can come of the last change
        self.before = -1  # id before the last change
        self.changed = 0
        self.doing = "nothing"  # with the snapshot that is under way: "fill", "compare", "leave"
        self.confirmed = 0  # sequence of the channel up to which the book is known to be right
        self.needed = 0  # while it waits: sequence, its own or the channel's, that a snapshot has to be at
        self.placed = 0  # sequence of the channel that the last snapshot was taken at, where books wait by that
        self.parts = 0  # that have come of the snapshot that fills it
        self.queue: list[dict[str, int]] = []  # events that wait
        self.seen: Counter[tuple[int, int, int, int]] = Counter()  # levels of the snapshot to compare with

    def depth(self, side: int) -> int:
        """Return how many levels a side has, when levels go by number."""
        return min(self.depths[side] or DEPTH_LIMIT, DEPTH_LIMIT)

    def empty(self) -> None:
        """Remove everything, and know that there is nothing."""
        for prices in self.prices:
            prices.clear()
        for side in range(4):
            self.ladders[side] = [EMPTY] * self.depth(side)

    def make_stale(self, reason: str, time: int) -> None:
        """Say that something is missing; what is stale already goes on being so."""
        if self.state != "stale":
            self.state, self.reason, self.since = "stale", reason, time

    def rows(self, side: int) -> list[Level | None]:
        """Return the levels of a side, best first; None where one is not known."""
        if self.channel.kind != "level":
            levels = list(self.prices[side].values())
            return levels[::-1] if side in {event.BID, event.IMPLIED_BID} else levels
        known = [place if isinstance(place, Level) else None for place in self.ladders[side]]
        while known and known[-1] is None:
            known.pop()
        return known

    def contents(self) -> Counter[tuple[int, int, int, int]]:
        """Return the levels by price: side, price, quantity, orders."""
        return Counter(
            (side, level.price, level.total(), level.orders())
            for side in range(4)
            for level in self.prices[side].values()
        )

    def is_crossed(self) -> bool:
        """Tell whether the best bid is above the best ask, as far as both are known."""
        bids, asks = self.rows(event.BID), self.rows(event.ASK)
        return bool(bids and asks and bids[0] and asks[0] and bids[0].price > asks[0].price)
