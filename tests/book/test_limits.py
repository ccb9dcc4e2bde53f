"""A feed that would fill the memory: what finds no room is left out and counted, and the books that exist go on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from book_events import (
    AB,
    LEVEL,
    LEVEL_BY_SNAPSHOT,
    LEVEL_WAITING,
    ORDER,
    PRICE,
    PRICE_BY_SNAPSHOT,
    add,
    drain,
    events,
    level,
    on,
)

from simbench import event
from simbench.book.block import Limits
from simbench.book.books import Books
from simbench.book.layout import (
    LADDER_LIMIT,
    MOST_INSTRUMENTS,
    MOST_LADDERS,
    MOST_LEVELS,
    MOST_ORDERS,
    BookChannel,
)
from simbench.book.reference import ReferenceBooks
from simbench.event import ASK, BID

LADDERS = 1000  # words: 20 ladders of LEVEL's depth, or none of 255 levels


def books_of(channel: BookChannel, **limits: int) -> Books:
    """Return books with little room that may not grow beyond the limits."""
    return Books.create([channel], instruments=2, orders=2, levels=2, limits=Limits(**limits))


def apply(books: Books, *rows: dict[str, Any]) -> None:
    """Apply events, one at a time and checked."""
    for row in rows:
        books.apply(0, events(row))
        books.check()


def standing(books: Books, key: int) -> tuple[str, str | None, str | None]:
    """Return state, time and reason of a book."""
    shown = next(book for book in books.to_json(since=True) if book["key"] == books.key(books.find(0, key)))
    return shown["state"], shown["since_ns"], shown["reason"]


def test_instruments_beyond_the_limit_are_left_out() -> None:
    """Those that are known go on as if the others had never been sent, and the memory stays as it is."""
    books, reference = books_of(ORDER, instruments=10), ReferenceBooks([ORDER])
    known = [add(n, BID, 100 + n, 5, instrument=n) for n in range(1, 11)]
    apply(books, *known)
    before = len(books.memory)
    for n in range(11, 500):
        apply(books, add(n, BID, 100, 5, instrument=n), add(1000 + n, ASK, 200, 5, instrument=1 + n % 10))
        known.append(add(1000 + n, ASK, 200, 5, instrument=1 + n % 10))
    apply(books, {"kind": event.TRADE, "instrument": 77, "quantity": 1})
    reference.apply_all(0, events(*known))
    assert books.to_json(orders=True) == reference.to_json(orders=True)
    assert books.anomalies()["no_room"] == 489 + 1
    grown = len(books.memory) - before
    books.apply(0, events(*(add(n, BID, 100, 5, instrument=n) for n in range(10_000, 20_000))))
    assert len(books.memory) - before == grown
    assert len(books.instruments) == 10


def test_orders_beyond_the_limit_make_their_book_stale() -> None:
    """Orders that are in a book are executed, replaced and deleted; one that ends makes room for another."""
    books = books_of(ORDER, orders=4)
    apply(books, *(add(n, BID, 100, 5) for n in range(4)))
    apply(books, on(event.EXECUTE, 0, quantity=2), on(event.REPLACE, 1, other=9, price=101, quantity=7))
    assert standing(books, AB) == ("current", None, None)
    apply(books, {**add(10, ASK, 103, 1), "time": 33})
    assert standing(books, AB) == ("stale", "33", "no_room")
    assert books.anomalies()["no_room"] == 1
    apply(books, on(event.DELETE, 9), add(11, ASK, 104, 1))
    assert [row["order"] for row in books.orders(0, BID)] == [0, 2, 3]
    assert [row["order"] for row in books.orders(0, ASK)] == [11]
    apply(books, {"kind": event.CLEAR, "instrument": AB})
    assert standing(books, AB) == ("current", None, None)


def test_an_order_that_needs_a_level_too_many_is_left_out() -> None:
    """No empty level stays behind."""
    books = books_of(ORDER, levels=2)
    apply(books, add(1, BID, 100, 5), add(2, BID, 101, 5), add(3, BID, 102, 5), add(4, BID, 101, 5))
    assert [int(row["price"]) for row in books.levels(0, BID)] == [101, 100]
    assert (books.anomalies()["no_room"], standing(books, AB)[2]) == (1, "no_room")


def test_prices_beyond_the_limit_make_their_book_stale() -> None:
    """Those that it has are changed and removed."""
    books = books_of(PRICE, levels=3)
    row = {"kind": event.LEVEL, "instrument": 5, "quantity": 1}
    apply(books, *({**row, "price": price, "time": price} for price in range(100, 110)))
    assert (books.anomalies()["no_room"], standing(books, 5)) == (7, ("stale", "103", "no_room"))
    apply(books, {**row, "price": 101, "quantity": 0}, {**row, "price": 109}, {**row, "price": 100, "quantity": 8})
    assert books.levels(0, BID)[["price", "quantity"]].tolist() == [(109, 1), (102, 1), (100, 8)]


def test_ladders_beyond_the_limit_are_not_made() -> None:
    """An instrument without one has no level, and says why."""
    books = books_of(LEVEL, ladders=LADDERS)
    apply(books, *({**level(event.LEVEL_NEW, 1, 100 + n, time=n), "instrument": n} for n in range(1, 100)))
    have = [key for key in range(1, 100) if len(books.levels(books.find(0, key), BID))]
    assert have == list(range(1, 1 + LADDERS // (2 * (4 + 2) * 4)))
    assert books.anomalies()["no_room"] == 99 - len(have)
    assert standing(books, 99) == ("stale", "99", "no_room")
    apply(books, {**level(event.LEVEL_NEW, 1, 500), "instrument": 1}, {"kind": event.CLEAR, "instrument": 99})
    assert [int(row["price"]) for row in books.levels(0, BID)] == [500, 101]
    assert standing(books, 1)[0] == "current"


def test_a_definition_that_asks_for_more_levels_than_there_is_room_for_keeps_the_depth() -> None:
    """The levels that the book has stay."""
    books = books_of(LEVEL, ladders=LADDERS)
    apply(books, level(event.LEVEL_NEW, 1, 100), {"kind": event.DEFINE, "instrument": 7, "level": 200, "time": 8})
    assert standing(books, 7) == ("stale", "8", "no_room")
    apply(books, level(event.LEVEL_NEW, 4, 97), level(event.LEVEL_NEW, 5, 96))
    assert [int(row["price"]) for row in books.levels(0, BID)] == [100, 0, 0, 97]
    assert books.anomalies()["bad_level"] == 1


def test_the_limits_are_those_of_the_documentation() -> None:
    """And what the usual books grow to."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "counters.md").read_text(encoding="utf-8")
    usual = Limits()
    assert all(f"{most:,}" in page for most in (usual.instruments, usual.orders, usual.levels))
    assert (usual.ladders * 8, usual.ladders // LADDER_LIMIT) == (1 << 30, 32_896)
    memory = Books.create([ORDER]).memory
    found = [int(memory[word]) for word in (MOST_INSTRUMENTS, MOST_ORDERS, MOST_LEVELS, MOST_LADDERS)]
    assert found == [usual.instruments, usual.orders, usual.levels, usual.ladders]


def test_what_waits_for_a_snapshot_that_finds_no_room_goes_on_waiting() -> None:
    """It is not put into the book, which has none, again and again."""
    books = books_of(LEVEL_WAITING, ladders=0)
    change = {**level(event.LEVEL_NEW, 1, 100), "instrument_sequence": 5}
    head = {"kind": event.SNAPSHOT, "instrument": 7, "instrument_sequence": 5, "flags": event.FROM_SNAPSHOT}
    apply(books, change, {**change, "instrument_sequence": 6})
    apply(books, head, level(event.LEVEL_OVERLAY, 1, 100, flags=event.FROM_SNAPSHOT | event.END, time=9))
    drain(books)
    books.check()
    assert standing(books, 7)[::2] == ("stale", "no_room")


@pytest.mark.parametrize("channel", [PRICE_BY_SNAPSHOT, LEVEL_BY_SNAPSHOT], ids=["price", "level"])
def test_a_snapshot_that_finds_no_room_does_not_make_a_book_current(channel: BookChannel) -> None:
    """Not even when its last level has found some."""
    books = books_of(channel, levels=1, ladders=0)
    head = {"kind": event.SNAPSHOT, "instrument": 5, "instrument_sequence": 3, "flags": event.FROM_SNAPSHOT, "time": 3}
    one = {"kind": event.LEVEL if channel is PRICE_BY_SNAPSHOT else event.LEVEL_OVERLAY, "instrument": 5, "level": 1}
    inside = {**one, "quantity": 1, "flags": event.FROM_SNAPSHOT, "time": 3}
    last = {**inside, "price": 1, "flags": event.FROM_SNAPSHOT | event.END}
    apply(books, head, {**inside, "price": 1}, {**inside, "price": 2}, last)
    assert standing(books, 5) == ("stale", "3", "no_room")


def test_a_block_at_its_limits_still_takes_batches() -> None:
    """What does not fit is left out of the middle of them."""
    books = books_of(ORDER, instruments=8, orders=64, levels=64)
    rng = np.random.default_rng(1)
    rows = [add(int(order), BID, 100, 1, instrument=1 + int(order) % 20) for order in rng.permutation(5000)]
    books.apply(0, events(*rows))
    books.check()
    assert len(books.instruments) == 8
    assert sum(len(books.orders(index, BID)) for index in range(8)) == 64
    assert books.anomalies()["no_room"] == 5000 - 64
