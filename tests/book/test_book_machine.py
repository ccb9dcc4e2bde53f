"""Whatever happens to books, one thing after the other: engine and reference agree, and all invariants hold."""

from typing import Any

import pytest
from book_events import (
    LARGEST,
    LEVEL,
    LEVEL_BY_SNAPSHOT,
    LEVEL_REFRESHED,
    LEVEL_WAITING,
    ORDER,
    ORDER_WAITING,
    PRICE,
    PRICE_BY_SNAPSHOT,
    SYMBOL,
    Pair,
    events,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simbench import event
from simbench.book import block
from simbench.book.layout import BookChannel
from simbench.book.reference_book import Book

STEPS = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TEXT = (65 << 56, 65 << 56 | 66 << 48, 1 << 56, 0)
NUMBERS = (1, 2, (1 << 64) - 1, 0)

whiches = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2, 3])
ids = st.integers(0, 5)
sides = st.sampled_from([0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 9])
prices = st.sampled_from([1, 2, 1, 2, 1, 2, 0, 3, -1, LARGEST, -LARGEST - 1])
quantities = st.sampled_from([1, 2, 3, 4, 1, 2, 3, 4, 0, -1, LARGEST, LARGEST - 3])
priorities = st.sampled_from([0, 0, 1, 2, 3, (1 << 64) - 1])
flags = st.one_of(st.sampled_from([event.END, event.KEEP_PRIORITY]), st.integers(0, 31))
steps = st.sampled_from([None, None, 1, 1, 1, 0, 2, -1])
numbers = st.sampled_from([1, 1, 1, 2, 2, 2, 3, 4, 5, -1])
kinds = st.one_of(st.integers(event.TRADE, event.NOTE), st.integers(event.TRADE, event.NOTE), st.integers(0, 99))
ROW = ("side", "level", "price", "quantity", "orders")
rungs = st.tuples(sides, numbers, st.integers(1, 3), st.integers(-1, 3), st.sampled_from([-1, -1, 1, -2]))
changed = st.lists(rungs, min_size=1, max_size=3)
places = st.sampled_from([0, 0, 0, 1, -1, 2])
moments = st.sampled_from([0, 1, 1, -1])


class AnyBooks(RuleBasedStateMachine):
    """Books of one channel in the engine and in the reference, and what happens to books of every kind."""

    channel: BookChannel
    keys = NUMBERS

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(self.channel)
        self.told: list[list[dict[str, Any]]] = [[]]
        self.now = 0

    def book(self, key: int) -> Book:
        """Return what the reference has of an instrument, or would have."""
        return self.pair.reference.books.get((0, key)) or Book(self.channel, key, after_reset=False)

    def tell(self, kind: int, key: int, *, step: int | None = None, **fields: Any) -> None:
        """Apply an event; a step is from the last sequence of its instrument."""
        sequence = 0 if step is None else max(self.book(key).sequence + step, 0)
        self.now += 1
        placed = {"instrument_sequence": sequence, "time": self.now, "sequence": self.now}
        one = {"kind": kind, "instrument": key, **placed, **fields}
        self.told[-1].append(one)
        self.pair.apply(events(one))

    @invariant()
    def both_say_the_same(self) -> None:
        """Books, queues, states, digests, anomalies, and what became of snapshots."""
        self.pair.agree()

    def teardown(self) -> None:
        """Apply the same events in batches, in which the engine looks ahead: nothing else comes out."""
        batch = Pair(self.channel).engine
        for number, one in enumerate(self.told):
            if number:
                batch.reset(0, 0)
            batch.apply(0, events(*one))
        engine = self.pair.engine
        assert batch.digest_orders(0) == engine.digest_orders(0)
        assert (batch.anomalies(), batch.snapshots(0)) == (engine.anomalies(), engine.snapshots(0))

    @rule(
        which=whiches,
        depth=st.integers(0, 6),
        said=st.sampled_from([0, 1 << 16 | 0xFE | 0x01 << 8, 3 << 24, 9 << 24 | 1 << 16]),
    )
    def define(self, which: int, depth: int, said: int) -> None:
        """Define an instrument: symbol, exponents, depths."""
        self.tell(event.DEFINE, self.keys[which], order=SYMBOL, quantity=said, level=depth)

    @rule(which=whiches, kind=st.sampled_from([event.CLEAR, event.SNAPSHOT]), flags=flags, step=steps)
    def clear(self, which: int, kind: int, flags: int, step: int | None) -> None:
        """Say that a book is empty."""
        self.tell(kind, self.keys[which], flags=flags, step=step)

    @rule(which=whiches, kind=kinds, side=sides, order=ids, flags=flags, step=steps)
    def note(self, which: int, kind: int, side: int, order: int, flags: int, step: int | None) -> None:
        """Send anything else, of this kind of book or of another."""
        if kind not in {event.DEFINE, event.RESET}:
            self.tell(kind, self.keys[which], side=side, order=order, quantity=1, flags=flags, step=step)

    @rule(how=st.sampled_from(["copied", "larger", "copied", "larger", "reset", "restarted"]))
    def turn(self, how: str) -> None:
        """Go on in a copy or in a larger block, or from nothing: the exchange says so, or an epoch ends."""
        if how == "reset":
            self.tell(event.RESET, 0)
        elif how == "restarted":
            self.now += 1
            self.pair.engine.reset(0, self.now)
            self.pair.reference.reset(0, self.now)
            self.told.append([])
        else:
            old = self.pair.engine.memory
            if how == "larger":
                self.pair.engine.grow()
            else:
                self.pair.engine = self.pair.engine.copy()
            old[:] = -1
        self.pair.engine.check()


class OrderBooks(AnyBooks):
    """Books order by order."""

    channel = ORDER
    keys = TEXT

    def has_orders(self) -> bool:
        """Tell whether there is any order; what happens to unknown ones happens beside them."""
        return bool(self.pair.reference.where)

    @initialize(queues=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2), priorities), min_size=2, max_size=6))
    def open_with(self, queues: list[tuple[int, int, int]]) -> None:
        """Begin with some orders."""
        for order, (side, price, priority) in enumerate(queues):
            self.tell(event.ADD, TEXT[0], order=order, side=side, price=price, quantity=3, priority=priority)

    def known(self, number: int) -> int:
        """Return the id of an order that is in a book, or one that need not be."""
        living = sorted(self.pair.reference.where)
        return living[number][1] if number < len(living) else number

    def price_of(self, order: int, otherwise: int) -> int:
        """Return the price that an order stands at, so that another one comes into its queue."""
        living = self.pair.reference.where.get((0, self.known(order)))
        return living[2].price if living else otherwise

    @rule(
        which=whiches, order=ids, side=sides, price=prices, quantity=quantities, priority=priorities, flags=flags,
        step=steps,
    )  # fmt: skip
    def add(self, which: int, **fields: Any) -> None:
        """Add an order, sometimes under the id of a living one."""
        self.tell(event.ADD, self.keys[which], **fields)

    @precondition(has_orders)
    @rule(order=ids, behind=ids, quantity=st.integers(1, 3), priority=priorities)
    def queue(self, behind: int, **fields: Any) -> None:
        """Add an order to the queue of another one."""
        living = self.pair.reference.where.get((0, self.known(behind)))
        if living:
            book, side, level, _ = living
            self.tell(event.ADD, book.key, side=side, price=level.price, **fields)

    @precondition(has_orders)
    @rule(
        order=ids,
        kind=st.sampled_from([event.EXECUTE, event.EXECUTE_AT, event.EXECUTE, event.REDUCE]),
        price=prices,
        quantity=quantities,
        flags=flags,
    )
    def take(self, kind: int, order: int, **fields: Any) -> None:
        """Execute or cancel an order in part, whole, or beyond what it has."""
        self.tell(kind, 0, order=self.known(order), **fields)

    @precondition(has_orders)
    @rule(order=ids, flags=flags)
    def delete(self, order: int, **fields: Any) -> None:
        """Delete an order."""
        self.tell(event.DELETE, 0, order=self.known(order), **fields)

    @precondition(has_orders)
    @rule(order=ids, other=ids, near=ids, price=prices, quantity=quantities, priority=priorities, flags=flags)
    def replace(self, order: int, near: int, price: int, **fields: Any) -> None:
        """Replace an order by one with another id, or with its own, or with that of a living one."""
        self.tell(event.REPLACE, 0, order=self.known(order), price=self.price_of(near, price), **fields)

    @precondition(has_orders)
    @rule(
        which=whiches, order=ids, near=ids, side=sides, price=prices, quantity=quantities, priority=priorities,
        flags=st.sampled_from([event.KEEP_PRIORITY, event.KEEP_PRIORITY | event.END, event.END, 31]), step=steps,
    )  # fmt: skip
    def modify(self, which: int, order: int, near: int, price: int, **fields: Any) -> None:
        """Modify an order, in its place or not."""
        order = self.known(order)
        self.tell(event.MODIFY, self.keys[which], order=order, price=self.price_of(near, price), **fields)


class PriceBooks(AnyBooks):
    """Books by price."""

    channel = PRICE

    @initialize(put=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), max_size=5))
    def open_with(self, put: list[tuple[int, int]]) -> None:
        """Begin with some levels."""
        for side, price in put:
            self.tell(event.LEVEL, NUMBERS[0], side=side, price=price, quantity=3)

    @rule(
        which=whiches, side=sides, price=prices, quantity=quantities, orders=st.integers(-2, 3), flags=flags, step=steps
    )
    def put(self, which: int, **fields: Any) -> None:
        """Say what a level is."""
        self.tell(event.LEVEL, self.keys[which], **fields)

    @rule(which=whiches, side=sides, price=prices, flags=flags)
    def remove(self, which: int, **fields: Any) -> None:
        """Remove a level."""
        self.tell(event.LEVEL, self.keys[which], **fields)


class LevelBooks(AnyBooks):
    """Books by number, with orders beside them."""

    channel = LEVEL

    @initialize(put=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), max_size=5), empty=st.booleans())
    def open_with(self, put: list[tuple[int, int]], *, empty: bool) -> None:
        """Begin with some levels, in a book that was known to be empty or not known at all."""
        if empty:
            self.tell(event.CLEAR, NUMBERS[0])
        for side, price in put:
            self.tell(event.LEVEL_NEW, NUMBERS[0], side=side, level=1, price=price, quantity=3)

    def rung(self, kind: int, which: int, rung: tuple[int, ...], flags: int, step: int | None) -> None:
        """Send an event of a level."""
        self.tell(kind, self.keys[which], **dict(zip(ROW, rung, strict=True)), flags=flags, step=step)

    @rule(which=whiches, rung=rungs, flags=flags, step=steps)
    def insert(self, which: int, rung: tuple[int, ...], flags: int, step: int | None) -> None:
        """Put a level in: those below it move down."""
        self.rung(event.LEVEL_NEW, which, rung, flags, step)

    @rule(which=whiches, rung=rungs, flags=flags, kind=st.sampled_from([event.LEVEL_CHANGE, event.LEVEL_OVERLAY]))
    def change(self, which: int, kind: int, rung: tuple[int, ...], flags: int) -> None:
        """Change a level, or put another in its place."""
        self.rung(kind, which, rung, flags, 1)

    @rule(which=whiches, rung=rungs, flags=flags, step=steps)
    def delete(self, which: int, rung: tuple[int, ...], flags: int, step: int | None) -> None:
        """Take a level out: those below it move up."""
        self.rung(event.LEVEL_DELETE, which, rung, flags, step)

    @rule(which=whiches, rung=rungs, kind=st.sampled_from([event.LEVEL_DELETE_THROUGH, event.LEVEL_DELETE_FROM]))
    def cut(self, which: int, kind: int, rung: tuple[int, ...]) -> None:
        """Empty a side, or take its best levels."""
        self.rung(kind, which, rung, event.END, 1)

    @rule(
        which=whiches, kind=st.integers(event.ADD, event.MODIFY), order=ids, other=ids, side=sides, price=prices,
        quantity=quantities, flags=flags,
    )  # fmt: skip
    def order(self, kind: int, which: int, **fields: Any) -> None:
        """Send an event of an order."""
        self.tell(kind, self.keys[which], **fields)


class SnapshotBooks(AnyBooks):
    """Books that are known from a snapshot on."""

    kinds: tuple[int, ...]

    def send(self, first: list[int], key: int, rows: list[tuple[int, ...]], what: dict[str, Any], *, end: bool) -> None:
        """Apply the events of one change or snapshot, of which the last one is its end."""
        made = [{"kind": kind} for kind in first]
        made += [
            {"kind": self.kinds[n % len(self.kinds)], **dict(zip(ROW, row, strict=True))} for n, row in enumerate(rows)
        ]
        for number, one in enumerate(made):
            last = end and number == len(made) - 1
            self.tell(one.pop("kind"), key, **{**what, "flags": what["flags"] | (event.END if last else 0), **one})

    def placed(self, key: int, place: int, later: int, *, chained: bool, before: int) -> dict[str, Any]:
        """Return what places a change or snapshot behind what the book has: change ids, or a sequence."""
        book = self.book(key)
        at = max(book.sequence + place, 0)
        times = {"time": max(book.changed + later, 0)}
        if chained:
            return {**times, "order": at, "other": max(book.sequence + before, 0), "flags": event.CHAINED}
        return {**times, "instrument_sequence": at, "flags": 0}

    @rule(which=whiches, rows=changed, later=moments, chained=st.booleans(), end=st.booleans())
    def follow(self, which: int, rows: list[Any], later: int, *, chained: bool, end: bool) -> None:
        """Send the next change."""
        key = self.keys[which]
        self.send([], key, rows, self.placed(key, 1, later, chained=chained, before=0), end=end)

    @rule(which=whiches, rows=changed, place=places, before=places, later=moments, chained=st.booleans())
    def stray(self, which: int, rows: list[Any], place: int, before: int, later: int, *, chained: bool) -> None:
        """Send a change again, an older one, or one that leaves some out."""
        key = self.keys[which]
        self.send([], key, rows, self.placed(key, place, later, chained=chained, before=before), end=True)

    @rule(which=whiches, place=places, later=moments, rows=changed, chained=st.booleans(), end=st.booleans())
    def refresh(self, which: int, place: int, later: int, rows: list[Any], *, chained: bool, end: bool) -> None:
        """Send a snapshot of other levels than the book has, at its own place, before it or behind it."""
        self.snapshot(self.keys[which], place, later, rows, chained=chained, end=end)

    @rule(which=whiches, later=moments, times=st.sampled_from([1, 1, 1, 0, 3]), chained=st.booleans())
    def confirm(self, which: int, later: int, times: int, *, chained: bool) -> None:
        """Send a snapshot of what the book has, or the same with a level that is missing or repeated."""
        key = self.keys[which]
        rows = [(side, 1, *level) for side, *level in self.book(key).contents()]
        self.snapshot(key, 0, later, rows[:1] * times + rows[1:], chained=chained, end=True)

    def snapshot(self, key: int, place: int, later: int, rows: list[Any], *, chained: bool, end: bool) -> None:
        """Send a snapshot."""
        what = self.placed(key, place, later, chained=chained, before=0)
        self.send([event.SNAPSHOT], key, rows, {**what, "flags": what["flags"] | event.FROM_SNAPSHOT}, end=end)


class PriceSnapshotBooks(SnapshotBooks):
    """By price."""

    channel = PRICE_BY_SNAPSHOT
    kinds = (event.LEVEL,)


class LevelSnapshotBooks(SnapshotBooks):
    """By number."""

    channel = LEVEL_BY_SNAPSHOT
    kinds = (event.LEVEL_OVERLAY, event.LEVEL_NEW, event.LEVEL_CHANGE, event.LEVEL_DELETE)


class WaitingBooks(AnyBooks):
    """Books by number that wait for a snapshot when they missed something, in queues with little room."""

    channel = LEVEL_WAITING
    rows = 6

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block, "WAIT_ROWS", self.rows)
            super().__init__()

    def teardown(self) -> None:
        """Leave the batches out: what waits goes into the books behind every snapshot, and not behind every batch."""

    def change(self, which: int, kind: int, rung: tuple[int, ...], step: int, late: int = 0) -> None:
        """Change a level, so many steps behind the last change."""
        packet = max(self.now + 1 - late, 0)
        what = {"sequence": packet, "flags": event.END, **dict(zip(ROW, rung, strict=True))}
        self.tell(kind, self.keys[which], step=step, **what)

    @rule(which=whiches, kind=st.integers(event.LEVEL_NEW, event.LEVEL_OVERLAY), rung=rungs)
    def follow(self, which: int, kind: int, rung: tuple[int, ...]) -> None:
        """Send the next change, or one more that waits."""
        book = self.book(self.keys[which])
        last = book.queue[-1]["instrument_sequence"] if book.queue else book.sequence
        self.change(which, kind, rung, 1 + last - book.sequence)

    @rule(
        which=whiches, kind=st.integers(event.LEVEL_NEW, event.LEVEL_OVERLAY), rung=rungs, step=st.integers(-1, 4),
        late=st.integers(0, 4),
    )  # fmt: skip
    def stray(self, which: int, kind: int, rung: tuple[int, ...], step: int, late: int) -> None:
        """Send a change that leaves some out, or an old one."""
        self.change(which, kind, rung, step, late)

    @rule(
        which=whiches, ahead=st.integers(-1, 2), ago=st.integers(-1, 3), rows=st.lists(rungs, max_size=2),
        end=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def refresh(self, which: int, ahead: int, ago: int, rows: list[Any], *, end: bool) -> None:
        """Send a snapshot that is at the book's own place, behind it or before it."""
        key, made = (
            self.keys[which],
            [{"kind": event.LEVEL_OVERLAY, **dict(zip(ROW, row, strict=True))} for row in rows],
        )
        made = [{"kind": event.SNAPSHOT}, *made]
        at = max(self.book(key).needed or self.book(key).sequence, 0) + ahead
        placed = max(self.now - ago, 0)
        for number, one in enumerate(made):
            flags = event.FROM_SNAPSHOT | (event.END if end and number == len(made) - 1 else 0)
            self.tell(one.pop("kind"), key, flags=flags, **one, instrument_sequence=max(at, 0), other=placed)


class RefreshedBooks(WaitingBooks):
    """Likewise such that are emptied and go on."""

    channel = LEVEL_REFRESHED


class WaitingOrderBooks(OrderBooks):
    """Books order by order that wait by the packets of their channel, in queues with little room."""

    channel = ORDER_WAITING
    rows = 8

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block, "WAIT_ROWS", self.rows)
            super().__init__()

    @initialize(
        queues=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2), priorities), min_size=2, max_size=6),
        first=st.sampled_from([1, 1, 4]),
    )
    def open_with(self, queues: list[tuple[int, int, int]], first: int) -> None:
        """Join the channel at its first packet or behind it, and begin with some orders."""
        self.tell(event.LOST, 0, sequence=1, other=first - 1, flags=0)
        super().open_with(queues)

    def teardown(self) -> None:
        """Leave the batches out: what waits goes into the books behind every snapshot, and not behind every batch."""

    @rule(order=ids, flags=flags, which=whiches)
    def end(self, order: int, which: int, **fields: Any) -> None:
        """Delete an order, as a feed does that names the instrument too."""
        self.tell(event.DELETE, self.keys[which], order=self.known(order), **fields)

    @rule(first=st.integers(-2, 2), count=st.integers(0, 3), flags=st.sampled_from([0, 0, 0, event.ANEW]))
    def lose(self, first: int, count: int, flags: int) -> None:
        """Lose packets in front of the next one, or let the channel begin anew, at its first packet or behind it."""
        begins = 1 if flags else max(self.now + first, 1)
        self.tell(event.LOST, 0, sequence=begins, other=begins + count - 1, flags=flags)

    @rule(
        which=whiches, ahead=st.sampled_from([-2, 0, 0, 1, 3, 15]), end=st.sampled_from([True, True, True, False]),
        numbers=st.sampled_from([[1], [1], [1, 2], [1, 2, 3], [1, 1, 2, 2, 3, 3], [1, 3], [2], [1, 2, 1, 2, 3]]),
        orders=st.lists(st.tuples(ids, st.integers(0, 1), st.integers(1, 3)), max_size=3),
    )  # fmt: skip
    def refresh(self, which: int, ahead: int, numbers: list[int], orders: list[Any], *, end: bool) -> None:
        """Send a snapshot in parts, all of them or not, from where it is needed or from elsewhere."""
        key = self.keys[which]
        placed = max((self.book(key).needed or self.now) + ahead, 0)
        for number in numbers:
            made: list[dict[str, Any]] = [
                {"kind": event.SNAPSHOT if number == 1 else event.SNAPSHOT_PART, "orders": number, "other": placed}
            ]
            for order, side, price in orders[number - 1 : number]:
                made.append({"kind": event.ADD, "order": order, "side": side, "price": price, "quantity": 3})
            for one in made:
                ends = end and number == max(numbers) and one is made[-1]
                self.tell(one.pop("kind"), key, flags=event.FROM_SNAPSHOT | (event.END if ends else 0), **one)


TestOrderBooks = OrderBooks.TestCase
TestOrderBooks.settings = STEPS

TestPriceBooks = PriceBooks.TestCase
TestPriceBooks.settings = STEPS

TestLevelBooks = LevelBooks.TestCase
TestLevelBooks.settings = STEPS

TestPriceSnapshotBooks = PriceSnapshotBooks.TestCase
TestPriceSnapshotBooks.settings = STEPS

TestLevelSnapshotBooks = LevelSnapshotBooks.TestCase
TestLevelSnapshotBooks.settings = STEPS

TestWaitingBooks = WaitingBooks.TestCase
TestWaitingBooks.settings = STEPS

TestWaitingOrderBooks = WaitingOrderBooks.TestCase
TestWaitingOrderBooks.settings = STEPS

TestRefreshedBooks = RefreshedBooks.TestCase
TestRefreshedBooks.settings = STEPS
