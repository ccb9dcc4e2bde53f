"""Books order by order wait by the packets of their channel: what makes them wait, and what ends it."""

from typing import Any

import pytest
from book_events import AB, CD, ORDER_WAITING, Pair, add, drain, events, on

from simbench import event
from simbench.book import block
from simbench.book.books import Books

EF = int.from_bytes(b"EF".ljust(8, b"\0"), "big")


def lost(first: int, last: int, **more: Any) -> dict[str, Any]:
    """Return that packets never came."""
    return {"kind": event.LOST, "sequence": first, "other": last, "flags": 0, "time": 1000 + first, **more}


def part(number: int, placed: int, *orders: dict[str, Any], last: bool = False) -> list[dict[str, Any]]:
    """Return a part of a snapshot of AB."""
    kind = event.SNAPSHOT if number == 1 else event.SNAPSHOT_PART
    rows = [{"kind": kind, "instrument": AB, "orders": number, "other": placed}, *orders]
    return [
        {**row, "flags": event.FROM_SNAPSHOT | (event.END if last and row is rows[-1] else 0), "sequence": 1}
        for row in rows
    ]


@pytest.fixture
def pair() -> Pair:
    """Return an engine and a reference that joined a channel at its first packet, and have an order in each of two."""
    made = Pair(ORDER_WAITING)
    made.apply(events(lost(1, 0), add(1, event.BID, 10, 5, sequence=1), add(2, event.BID, 20, 5, CD, sequence=2)))
    assert states(made) == ["current", "current"]
    return made


def states(pair: Pair) -> list[str]:
    """Return the states of the books, which are the reference's too."""
    pair.agree()
    return [book["state"] for book in pair.engine.to_json()]


def orders(pair: Pair, index: int = 0) -> list[int]:
    """Return the ids of the bids of an instrument."""
    pair.agree()
    return [int(order) for order in pair.engine.orders(index, event.BID)["order"]]


def test_every_book_of_the_channel_waits_for_what_may_have_been_its(pair: Pair) -> None:
    """It says why and since when; what comes goes into the queue; trades are no matter of the book."""
    trade = {"kind": event.TRADE, "instrument": AB, "price": 10, "quantity": 1, "sequence": 6}
    pair.apply(events(lost(3, 5), add(3, event.BID, 11, 5, sequence=6), trade))
    assert states(pair) == ["stale", "stale"]
    assert [(book["reason"], book["since_ns"]) for book in pair.engine.to_json(since=True)] == [
        ("instrument_gap", "1003")
    ] * 2
    assert orders(pair) == [1]
    assert pair.engine.instruments["trades"].tolist() == [1, 0]
    assert pair.engine.anomalies()["instrument_gap"] == 0


def test_the_book_is_the_snapshot_and_what_waits_from_behind_it(pair: Pair) -> None:
    """One from before the last lost packet is left out; the other instrument goes on waiting."""
    later = [add(order, event.BID, 20 - order, 5, sequence=packet) for order, packet in ((3, 6), (4, 7), (5, 8))]
    pair.apply(events(lost(3, 5), *later))
    pair.apply(events(*part(1, 4, add(9, event.BID, 30, 1), last=True)))
    assert (states(pair), orders(pair)) == (["stale", "stale"], [1])
    pair.apply(events(*part(1, 7, add(9, event.BID, 30, 1), add(4, event.BID, 16, 5), last=True)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [9, 4, 5])
    pair.apply(events(on(event.DELETE, 4, instrument=AB, sequence=9)))
    assert orders(pair) == [9, 5]
    assert {name: n for name, n in pair.engine.snapshots(0).items() if n} == {"taken": 1, "old": 1}


def test_a_snapshot_without_orders_empties_the_book(pair: Pair) -> None:
    """The exchange says of an instrument without orders that it has none."""
    pair.apply(events(lost(3, 5), *part(1, 5, last=True)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [])


def test_a_snapshot_from_ahead_of_its_channel_covers_what_the_channel_still_brings(pair: Pair) -> None:
    """Up to its place; another loss up to there is none of this book's."""
    pair.apply(events(lost(3, 3), *part(1, 8, add(9, event.BID, 30, 1), last=True)))
    pair.apply(events(add(3, event.BID, 31, 5, sequence=4), lost(5, 7), add(4, event.BID, 32, 5, sequence=8)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [9])
    pair.apply(events(add(5, event.BID, 29, 5, sequence=9)))
    assert orders(pair) == [9, 5]
    assert pair.engine.snapshots(0)["covered"] == 2


@pytest.mark.parametrize(
    "parts",
    [
        [part(1, 5, add(8, 0, 9, 1)), part(3, 5, add(9, 0, 8, 1), last=True)],
        [part(1, 5, add(8, 0, 9, 1)), part(2, 6, add(9, 0, 8, 1), last=True)],
        [part(2, 5, add(8, 0, 9, 1)), part(3, 5, add(9, 0, 8, 1), last=True)],
        [part(1, 5, add(8, 0, 9, 1))],
        [part(1, 5, add(8, 0, 9, 1)), [lost(6, 6)], part(2, 5, add(9, 0, 8, 1), last=True)],
    ],
    ids=["one lost", "of another place", "no first", "no last", "more lost in between"],
)
def test_a_snapshot_of_which_a_part_is_missing_makes_no_book(pair: Pair, parts: list[list[dict[str, Any]]]) -> None:
    """The next one that is whole does, and has nothing of the other."""
    pair.apply(events(lost(3, 4), *(row for rows in parts for row in rows)))
    pair.apply(events(add(3, event.BID, 7, 1, sequence=7)))
    assert states(pair) == ["stale", "stale"]
    whole = [*part(1, 6, add(4, 0, 9, 1)), *part(2, 6, add(5, 0, 8, 1)), *part(3, 6, last=True)]
    pair.apply(events(*whole))
    assert (states(pair), orders(pair)) == (["current", "stale"], [4, 5, 3])


def test_parts_that_come_twice_are_taken_once(pair: Pair) -> None:
    """As where both lines of a snapshot feed are heard."""
    pair.apply(events(lost(3, 4)))
    for number in (1, 2, 3):
        rows = part(number, 6, add(10 + number, 0, 10 - number, 1), last=number == 3)
        pair.apply(events(*rows, *rows))
    assert (states(pair), orders(pair)) == (["current", "stale"], [11, 12, 13])
    assert pair.engine.anomalies()["duplicate_order"] == 0


def test_a_second_loss_needs_a_later_snapshot(pair: Pair) -> None:
    """What waited from in between is of no use any more."""
    pair.apply(events(lost(3, 3), add(3, 0, 9, 1, sequence=4), lost(5, 5), add(4, 0, 8, 1, sequence=6)))
    pair.apply(events(*part(1, 4, last=True)))
    assert states(pair) == ["stale", "stale"]
    pair.apply(events(*part(1, 5, add(5, 0, 10, 1), last=True)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [5, 4])


def test_a_channel_that_is_joined_behind_its_first_packet_is_not_known() -> None:
    """Nor are instruments that come later; each waits for a snapshot from there on or later."""
    pair = Pair(ORDER_WAITING)
    pair.apply(events(lost(1, 6), add(1, 0, 9, 1, sequence=7, time=50)))
    assert states(pair) == ["unsynchronised"]
    assert [(book["reason"], book["since_ns"]) for book in pair.engine.to_json(since=True)] == [("no_snapshot", "50")]
    pair.apply(events(*part(1, 5, last=True)))
    assert states(pair) == ["unsynchronised"]
    pair.apply(events(*part(1, 6, add(8, 0, 10, 1), last=True)))
    assert (states(pair), orders(pair)) == (["current"], [8, 1])


def test_an_instrument_that_is_first_seen_after_a_loss_may_have_missed_something(pair: Pair) -> None:
    """It waits too, and a reset of the channel is where everything is known again."""
    pair.apply(events(lost(3, 5), add(3, 0, 9, 1, EF, sequence=6)))
    assert states(pair) == ["stale", "stale", "unsynchronised"]
    pair.apply(events({"kind": event.RESET, "sequence": 7}, add(4, 0, 9, 1, EF, sequence=8)))
    assert (states(pair), orders(pair, 2)) == (["current"] * 3, [4])


def test_a_reset_that_a_snapshot_is_ahead_of_leaves_its_book_alone(pair: Pair) -> None:
    """The others are empty."""
    pair.apply(events(lost(3, 5), *part(1, 9, add(9, 0, 10, 1), last=True), {"kind": event.RESET, "sequence": 8}))
    assert (states(pair), orders(pair), orders(pair, 1)) == (["current", "current"], [9], [])


def test_a_channel_that_begins_anew_takes_its_books_with_it(pair: Pair) -> None:
    """Those that waited wait on, by the new sequences; those that are right stay so unless something is missing."""
    pair.apply(events(lost(3, 5), *part(1, 6, add(9, 0, 10, 1), last=True)))
    pair.apply(events(lost(1, 0, flags=event.ANEW), add(3, 0, 9, 1, sequence=1)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [9, 3])
    pair.apply(events(lost(1, 2, flags=event.ANEW)))
    assert states(pair) == ["stale", "stale"]
    pair.apply(events(*part(1, 2, add(9, 0, 10, 1), last=True)))
    assert (states(pair), orders(pair)) == (["current", "stale"], [9])


def test_a_queue_that_finds_no_room_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot has to be from there on or later then."""
    monkeypatch.setattr(block, "WAIT_ROWS", 3)
    pair = Pair(ORDER_WAITING)
    pair.apply(events(lost(1, 1), *(add(order, 0, 9, 1, sequence=order) for order in range(2, 6))))
    assert pair.engine.snapshots(0)["overflowed"] == 1
    pair.apply(events(*part(1, 3, last=True)))
    assert states(pair) == ["unsynchronised"]
    pair.apply(events(*part(1, 4, add(4, 0, 10, 1), last=True)))
    assert (states(pair), orders(pair)) == (["current"], [4, 5])


def test_a_book_that_found_no_room_for_an_order_waits_for_what_is_behind_it() -> None:
    """Room comes back when other orders end; a snapshot from before the one that was left out does not have it."""
    limits = block.Limits(instruments=8, orders=8, levels=8, ladders=8)
    books = Books.create([ORDER_WAITING], instruments=8, orders=8, levels=8, limits=limits)
    books.apply(0, events(lost(1, 0), *(add(order, 0, 9, 1, sequence=order) for order in range(1, 10))))
    assert books.to_json(since=True)[0]["reason"] == "no_room"
    for placed, state in ((8, "stale"), (9, "current")):
        books.apply(0, events(*part(1, placed, add(1, 0, 9, 1), last=True)))
        drain(books)
        books.check()
        assert books.to_json()[0]["state"] == state
