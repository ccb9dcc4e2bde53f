"""The book as one would explain it: dictionaries, lists, one event at a time. Slow on purpose, to be believed.

Tests, `golden` and `--paranoid` hold the engine against it. It shares nothing with the engine but the kinds of events
and the names of anomalies: not the block, not the kernels, and digests come from what `to_json` says.
"""

from __future__ import annotations

import struct
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.book.layout import (
    ANOMALIES,
    AWAITED,
    AWAITED_BY_PACKET,
    NO_PRICE,
    REFRESHES,
    REQUIRED,
    SNAPSHOT_COUNTS,
    WAIT_ROWS,
)
from simbench.book.reference_book import EMPTY, Book, Empty, Level, Order
from simbench.book.reference_json import book_json, digest_of
from simbench.book.reference_packets import PacketWaiting
from simbench.book.reference_snapshots import admit, leave
from simbench.book.reference_waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.book.layout import BookChannel

LARGEST: Final = (1 << 63) - 1


class ReferenceBooks:
    """All books of some channels.

    Args:
        channels: what the books of each are like, by channel number.
        waiting: events of books that wait for a snapshot that each channel has room for.
    """

    def __init__(self, channels: Sequence[BookChannel], *, waiting: int = WAIT_ROWS - 1) -> None:
        self.channels = tuple(channels)
        self.books: dict[tuple[int, int], Book] = {}
        self.where: dict[tuple[int, int], tuple[Book, int, Level, Order]] = {}
        self.was_reset: set[int] = set()
        self.touched: dict[int, set[Book]] = {number: set() for number in range(len(self.channels))}
        self.counts: list[Counter[str]] = [Counter() for _ in self.channels]
        self.waiting = [
            PacketWaiting(waiting) if described.snapshots == AWAITED_BY_PACKET else Waiting(waiting)
            for described in self.channels
        ]

    def apply(self, channel: int, what: Any) -> None:
        """Apply one EVENT record, and what has waited for it."""
        fields = {name: int(what[name]) for name in event.EVENT.names or ()}
        self._apply(channel, fields)
        while (waited := self.waiting[channel].next_waiting(partial(self._count, channel))) is not None:
            self._apply(channel, waited)

    def _apply(self, channel: int, fields: dict[str, int]) -> None:
        kind, flags = fields["kind"], fields["flags"]
        book = self._dispatch(channel, kind, fields)
        sequence = fields["instrument_sequence"]
        quiet = flags & event.FROM_SNAPSHOT or kind == event.SNAPSHOT
        follows = self.channels[channel].snapshots not in {REQUIRED, AWAITED_BY_PACKET}
        if book is not None and sequence and follows and not quiet:
            self._follow(channel, book, sequence, fields["time"])
        if flags & event.END:
            for changed in self.touched[channel]:
                before, changed.crossed = changed.crossed, changed.is_crossed()
                self._count(channel, "crossed", int(changed.crossed and not before))
            self.touched[channel].clear()

    def apply_all(self, channel: int, events: NDArray[Any]) -> None:
        """Apply EVENT records one after the other."""
        for what in events:
            self.apply(channel, what)

    def reset(self, channel: int, time: int) -> None:
        """Forget a channel's books; see Books.reset."""
        self.was_reset.discard(channel)
        self.waiting[channel].lost = 0
        for book in self._books_of(channel):
            self._begin_again(channel, book)
            book.ladders = [[None] * book.depth(side) for side in range(4)]
            book.sequence, book.crossed = -1, False
            book.state = "current"
            if book.channel.snapshots in {REQUIRED, AWAITED, AWAITED_BY_PACKET}:
                book.state, book.reason, book.since = "unsynchronised", "restart", time
        self.touched[channel].clear()

    def snapshots(self, channel: int) -> dict[str, int]:
        """Return what became of the snapshots of a channel."""
        return {name: self.counts[channel][name] for name in SNAPSHOT_COUNTS}

    def anomalies(self) -> dict[str, int]:
        """Return how often each anomaly was seen."""
        return {name: sum(counts[name] for counts in self.counts) for name in ANOMALIES}

    def digest(self, channel: int) -> str:
        """Return the digest of a channel's books, by level."""
        return digest_of(self._json_of(channel))

    def digest_orders(self, channel: int) -> str:
        """Return the digest of a channel's books, by level and order."""
        return digest_of(self._json_of(channel), with_orders=True)

    def to_json(self, *, orders: bool = False, since: bool = False) -> list[dict[str, Any]]:
        """Return every book in the shape of `simbench book --json`; see Books.to_json."""
        return [book_json(self.books[place], orders=orders, since=since) for place in sorted(self.books)]

    def _books_of(self, channel: int) -> list[Book]:
        return [book for (number, _), book in self.books.items() if number == channel]

    def _json_of(self, channel: int) -> list[dict[str, Any]]:
        return [book_json(book, orders=True) for book in self._books_of(channel)]

    def _count(self, channel: int, name: str, by: int = 1) -> None:
        self.counts[channel][name] += by

    def _touch(self, channel: int, book: Book) -> None:
        self.touched[channel].add(book)
        book.began = True

    def _book(self, channel: int, key: int) -> Book:
        if (channel, key) not in self.books:
            described = self.channels[channel]
            self.books[channel, key] = book = Book(described, key, after_reset=channel in self.was_reset)
            book.needed = self.waiting[channel].lost
        return self.books[channel, key]

    def _follow(self, channel: int, book: Book, sequence: int, time: int) -> None:
        if book.sequence >= 0 and sequence < book.sequence:
            self._count(channel, "instrument_backward")
            return
        if book.sequence >= 0 and sequence > book.sequence + 1:
            self._count(channel, "instrument_gap", sequence - book.sequence - 1)
            book.make_stale("instrument_gap", time)
        book.sequence = sequence

    def _dispatch(self, channel: int, kind: int, what: dict[str, int]) -> Book | None:
        kept = self.channels[channel].kind
        waiting, count, touch = self.waiting[channel], partial(self._count, channel), partial(self._touch, channel)
        policy = self.channels[channel].snapshots
        if event.ADD <= kind <= event.MODIFY and kept != "price":
            if policy == AWAITED_BY_PACKET and what["instrument"]:
                book = self._book(channel, what["instrument"])
                if not waiting.passes(book, what, count, touch):
                    return None
            return self._order(channel, kind, what)
        if kind == event.RESET:
            self.was_reset.add(channel)
            waiting.lost = 0
            for book in self._books_of(channel):
                if book.placed == 0 or book.placed < what["sequence"]:  # else its snapshot is from behind the reset
                    self._begin_again(channel, book)
                    book.sequence, book.state = 0, "current"
            return None
        if kind == event.LOST and policy == AWAITED_BY_PACKET:
            known = waiting.lose(self._books_of(channel), what, count, known=channel in self.was_reset)
            self.was_reset = self.was_reset - {channel} | ({channel} if known else set())
            return None
        by_number = event.LEVEL_NEW <= kind <= event.LEVEL_OVERLAY
        whole = kind in {event.CLEAR, event.SNAPSHOT}
        quiet = kind == event.DEFINE or event.TRADE <= kind <= event.NOTE
        fits = (by_number and kept == "level") or (kind == event.LEVEL and kept == "price")
        fits = fits or (kind == event.SNAPSHOT_PART and kept == "order")
        if not (whole or quiet or fits):
            self._count(channel, "foreign_event")
            return None
        if what["instrument"] == 0:
            self._count(channel, "unknown_instrument", int(not quiet))
            return None
        book = self._book(channel, what["instrument"])
        if policy == REQUIRED and not admit(book, what, count) and not quiet:
            return None
        if policy in {AWAITED, REFRESHES, AWAITED_BY_PACKET} and not waiting.passes(book, what, count, touch):
            return None
        if by_number:
            self._by_number(channel, book, kind, what)
        elif kind == event.LEVEL:
            self._by_price(channel, book, what)
        elif whole:
            self._empty(channel, book)
            if kind == event.SNAPSHOT and what["instrument_sequence"]:
                book.sequence = what["instrument_sequence"]
        elif kind == event.DEFINE:
            self._define(channel, book, what)
        return book

    # Order by order.

    def _order(self, channel: int, kind: int, what: dict[str, int]) -> Book | None:
        if kind == event.ADD:
            return self._add(channel, what)
        if (channel, what["order"]) not in self.where:
            self._count(channel, "unknown_order")
            whole = what["instrument"] and what["side"] <= event.IMPLIED_ASK and what["quantity"] > 0
            return self._add(channel, what) if kind == event.MODIFY and whole else None
        book, side, level, order = self.where[channel, what["order"]]
        if kind == event.DELETE:
            self._leave(channel, what["order"])
        elif kind == event.REPLACE:
            self._replace(channel, book, side, what)
        elif kind == event.MODIFY:
            self._modify(channel, book, side, level, order, what)
        else:
            self._take(channel, book, order, what["quantity"])
        return book

    def _add(self, channel: int, what: dict[str, int]) -> Book | None:
        if what["instrument"] == 0:
            self._count(channel, "unknown_instrument")
            return None
        book = self._book(channel, what["instrument"])
        if what["side"] > event.IMPLIED_ASK:
            self._count(channel, "bad_side")
        elif what["quantity"] <= 0:
            self._count(channel, "bad_quantity")
        else:
            order = Order(what["order"], what["quantity"], what["priority"])
            self._enter(channel, book, what["side"], what["price"], order)
        return book

    def _take(self, channel: int, book: Book, order: Order, quantity: int) -> None:
        if quantity <= 0:
            self._count(channel, "bad_quantity")
            return
        self._count(channel, "over_executed", int(quantity > order.quantity))
        if quantity >= order.quantity:
            self._leave(channel, order.id)
        else:
            order.quantity -= quantity
            self._touch(channel, book)

    def _replace(self, channel: int, book: Book, side: int, what: dict[str, int]) -> None:
        self._leave(channel, what["order"])
        if what["quantity"] <= 0:
            self._count(channel, "bad_quantity")
        else:
            order = Order(what["other"], what["quantity"], what["priority"])
            self._enter(channel, book, side, what["price"], order)

    def _modify(self, channel: int, book: Book, side: int, level: Level, order: Order, what: dict[str, int]) -> None:
        quantity, priority = what["quantity"], what["priority"]
        self._count(channel, "bad_quantity", int(quantity < 0))
        keep = bool(what["flags"] & event.KEEP_PRIORITY)
        fits = level.total() - order.quantity + quantity <= LARGEST
        if quantity <= 0:
            self._leave(channel, order.id)
        elif keep and what["price"] == level.price and fits:
            order.quantity = quantity
            self._touch(channel, book)
        else:
            self._leave(channel, order.id)
            place = priority or order.priority if keep else priority
            self._enter(channel, book, side, what["price"], Order(order.id, quantity, place))

    def _enter(self, channel: int, book: Book, side: int, price: int, order: Order) -> None:
        if (channel, order.id) in self.where:
            self._count(channel, "duplicate_order")
            self._leave(channel, order.id)
        level = book.prices[side].setdefault(price, Level(price))
        if level.total() + order.quantity > LARGEST:
            self._count(channel, "overflow")
            return
        place = len(level.queue)
        while order.priority and place and level.queue[place - 1].priority > order.priority:
            place -= 1
        level.queue.insert(place, order)
        self.where[channel, order.id] = book, side, level, order
        self._touch(channel, book)

    def _leave(self, channel: int, order_id: int) -> None:
        book, side, level, order = self.where.pop((channel, order_id))
        level.queue = [other for other in level.queue if other is not order]
        if not level.queue:
            del book.prices[side][level.price]
        self._touch(channel, book)

    # Levels by price.

    def _by_price(self, channel: int, book: Book, what: dict[str, int]) -> None:
        side, price, quantity = what["side"], what["price"], what["quantity"]
        if side > event.IMPLIED_ASK:
            self._count(channel, "bad_side")
            return
        self._count(channel, "bad_quantity", int(quantity < 0))
        if quantity > 0:
            book.prices[side][price] = Level(price, quantity, max(what["orders"], -1))
        elif price in book.prices[side]:
            del book.prices[side][price]
        else:
            self._count(channel, "unknown_level", int(book.state == "current"))
            return
        self._touch(channel, book)

    # Levels by number.

    def _by_number(self, channel: int, book: Book, kind: int, what: dict[str, int]) -> None:
        side, number, price, quantity = what["side"], what["level"], what["price"], what["quantity"]
        if side > event.IMPLIED_ASK:
            self._count(channel, "bad_side")
            return
        ladder, depth = book.ladders[side], book.depth(side)
        snapshot = bool(what["flags"] & event.FROM_SNAPSHOT)
        if kind == event.LEVEL_DELETE_THROUGH:
            book.ladders[side] = [EMPTY] * depth
        elif not 1 <= number <= depth:
            self._count(channel, "bad_level")
            return
        elif kind == event.LEVEL_DELETE_FROM:
            self._remove(ladder, 0, number)
        elif kind == event.LEVEL_DELETE:
            self._compare(channel, ladder[number - 1], price)
            if isinstance(ladder[number - 1], Empty):
                return
            self._remove(ladder, number - 1, 1)
        else:
            self._count(channel, "bad_quantity", int(quantity < 0))
            if kind == event.LEVEL_CHANGE and not snapshot:
                self._compare(channel, ladder[number - 1], price)
            level = Level(price, max(quantity, 0), max(what["orders"], -1))
            if kind == event.LEVEL_NEW and not snapshot:
                ladder.insert(number - 1, level)
                ladder.pop()
            else:
                ladder[number - 1] = level
            if any(isinstance(place, Empty) for place in ladder[: number - 1]):
                self._count(channel, "unknown_level", int(not snapshot))
                ladder[: number - 1] = [None if isinstance(p, Empty) else p for p in ladder[: number - 1]]
        self._touch(channel, book)

    def _compare(self, channel: int, place: Level | Empty | None, price: int) -> None:
        if isinstance(place, Empty):
            self._count(channel, "unknown_level")
        elif place is not None and price not in {place.price, NO_PRICE}:
            self._count(channel, "price_mismatch")

    @staticmethod
    def _remove(ladder: list[Level | Empty | None], first: int, count: int) -> None:
        behind = EMPTY if isinstance(ladder[-1], Empty) else None
        del ladder[first : first + count]
        ladder.extend([behind] * count)

    # Whole books.

    def _empty(self, channel: int, book: Book) -> None:
        for place, (owner, _, _, _) in list(self.where.items()):
            if owner is book:
                del self.where[place]
        book.empty()
        book.state = book.state if book.channel.snapshots else "current"
        self._touch(channel, book)

    def _begin_again(self, channel: int, book: Book) -> None:
        self._empty(channel, book)
        book.doing, book.whole = "nothing", True
        book.confirmed = book.needed = book.placed = book.parts = self.waiting[channel].reached = 0
        self.waiting[channel].forget(book)

    def _define(self, channel: int, book: Book, what: dict[str, int]) -> None:
        words = (what["order"], what["other"], what["priority"])
        book.symbol = "".join(word.to_bytes(8, "big").rstrip(b"\0 ").decode("ascii", "replace") for word in words)
        said, depth = what["quantity"], what["level"]
        scale = book.price_exponent, book.quantity_exponent
        if said >> 16 & 1:
            book.price_exponent, book.quantity_exponent = struct.unpack("bb", struct.pack("<H", said & 0xFFFF))
        implied = said >> 24 & 0xFF
        before = [book.depth(side) for side in range(4)]
        if depth > 0:
            book.depths[:2] = [depth] * 2
        if implied:
            book.depths[2:] = [implied] * 2
        for side, was in enumerate(before):
            ladder, now = book.ladders[side], book.depth(side)
            if now != was:
                behind = EMPTY if isinstance(ladder[-1], Empty) else None
                book.ladders[side] = (ladder + [behind] * now)[:now]
                if book.began:
                    self._touch(channel, book)
        if scale != (book.price_exponent, book.quantity_exponent) and book.channel.snapshots == REQUIRED:
            leave(book, partial(self._count, channel))
            self._empty(channel, book)
            book.ladders = [[None] * book.depth(side) for side in range(4)]
            book.state, book.reason, book.since = "unsynchronised", "rescaled", what["time"]
