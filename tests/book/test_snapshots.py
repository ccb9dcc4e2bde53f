"""Books that are known from a snapshot on: what may change them, and what a snapshot says of a book that is current."""

from typing import Any

import pytest
from book_events import LEVEL_BY_SNAPSHOT, PRICE_BY_SNAPSHOT, Pair, events, level

from simbench import event
from simbench.event import ASK, BID

SNAPSHOT = event.FROM_SNAPSHOT | event.CHAINED
CURRENT, STALE, UNSYNCHRONISED = range(3)


@pytest.fixture
def pair() -> Pair:
    """Return an engine and a reference of one such channel."""
    return Pair(PRICE_BY_SNAPSHOT)


def change(before: int, after: int, *rows: tuple[int, int, int], time: int = 0, last: bool = True) -> Any:
    """Return the events of a change of instrument 5: side, price and quantity a level."""
    made = [
        {
            "kind": event.LEVEL,
            "instrument": 5,
            "order": after,
            "other": before,
            "side": side,
            "price": price,
            "quantity": quantity,
            "time": time or after,
            "flags": event.CHAINED,
        }
        for side, price, quantity in rows
    ]
    made[-1]["flags"] |= event.END if last else 0
    return events(*made)


def snapshot(at: int, *rows: tuple[int, int, int], time: int = 0, whole: bool = True) -> Any:
    """Return the events of a snapshot of instrument 5."""
    head = {"kind": event.SNAPSHOT, "instrument": 5, "order": at, "time": time or at, "flags": SNAPSHOT}
    made = [head] + [
        {
            "kind": event.LEVEL,
            "instrument": 5,
            "side": side,
            "price": price,
            "quantity": quantity,
            "time": time or at,
            "flags": event.FROM_SNAPSHOT,
        }
        for side, price, quantity in rows
    ]
    made[-1]["flags"] |= event.END if whole else 0
    return events(*made)


def state(pair: Pair) -> int:
    """Return the instrument's state, on which engine and reference agree."""
    pair.agree()
    return int(pair.engine.instruments[0]["state"])


def book(pair: Pair) -> list[tuple[int, int, int]]:
    """Return the levels of both sides."""
    return [
        (side, int(row["price"]), int(row["quantity"])) for side in (BID, ASK) for row in pair.engine.levels(0, side)
    ]


def counts(pair: Pair) -> dict[str, int]:
    """Return what became of snapshots and changes, what is zero left out."""
    odd = {name: n for name, n in pair.engine.anomalies().items() if n}
    return {**{name: n for name, n in pair.engine.snapshots(0).items() if n}, **odd}


def test_a_book_is_not_current_until_its_snapshot(pair: Pair) -> None:
    """What is seen of it before is in it, and what it lacks is no anomaly, since nobody knows what it had."""
    pair.apply(events({"kind": event.NOTE, "instrument": 5}))
    assert state(pair) == UNSYNCHRONISED
    pair.apply(change(7, 8, (BID, 100, 3), (BID, 99, 0)))
    assert (state(pair), book(pair)) == (UNSYNCHRONISED, [(BID, 100, 3)])
    pair.apply(snapshot(8, (BID, 101, 4), (ASK, 103, 5)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 101, 4), (ASK, 103, 5)])
    assert counts(pair) == {"taken": 1}


def test_changes_that_the_snapshot_has_are_left_out(pair: Pair) -> None:
    """Those up to its own place; the next one is linked to it."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.apply(change(10, 15, (BID, 101, 9)))
    pair.apply(change(15, 20, (BID, 102, 9), (ASK, 103, 9)))
    pair.apply(change(20, 23, (BID, 100, 2)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 101, 4), (BID, 100, 2)])
    assert counts(pair) == {"taken": 1, "covered": 3}


def test_a_broken_chain_makes_the_book_stale_until_the_next_snapshot(pair: Pair) -> None:
    """One that is older than what was seen does not help."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.apply(change(21, 22, (BID, 100, 2)))
    assert (state(pair), book(pair)) == (STALE, [(BID, 101, 4), (BID, 100, 2)])
    pair.apply(snapshot(21, (BID, 99, 1)))
    assert (state(pair), len(book(pair))) == (STALE, 2)
    pair.apply(snapshot(22, (BID, 99, 1)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 99, 1)])
    assert counts(pair) == {"taken": 2, "old": 1, "broken_chain": 1}
    assert int(pair.engine.instruments[0]["holes"]) == 1


def test_a_later_snapshot_has_to_be_equal(pair: Pair) -> None:
    """Levels in any order; the book is not touched by it, and goes on."""
    pair.apply(snapshot(20, (BID, 101, 4), (ASK, 103, 5), (ASK, 104, 6)))
    pair.apply(change(20, 22, (ASK, 103, 0), (BID, 100, 2)))
    version = int(pair.engine.instruments[0]["version"])
    pair.apply(snapshot(22, (ASK, 104, 6), (BID, 100, 2), (BID, 101, 4)))
    assert version == int(pair.engine.instruments[0]["version"])
    pair.apply(change(22, 23, (BID, 100, 0)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 101, 4), (ASK, 104, 6)])
    assert counts(pair) == {"taken": 1, "equal": 1}


def test_a_book_without_levels_is_compared_too(pair: Pair) -> None:
    """A snapshot that is its own end."""
    pair.apply(snapshot(0))
    pair.apply(snapshot(0))
    assert state(pair) == CURRENT
    assert counts(pair) == {"taken": 1, "equal": 1}
    pair.apply(snapshot(0, (BID, 100, 1)))
    assert state(pair) == STALE


@pytest.mark.parametrize(
    "rows",
    [
        [(BID, 101, 4)],
        [(BID, 101, 4), (ASK, 103, 6)],
        [(BID, 101, 4), (ASK, 102, 5)],
        [(BID, 101, 4), (BID, 103, 5)],
        [(BID, 101, 4), (ASK, 103, 5), (ASK, 104, 1)],
        [(BID, 101, 4), (BID, 101, 4)],
        [(BID, 101, 4), (ASK, 103, 5), (ASK, 104, 1), (ASK, 104, 1)],
    ],
    ids=["level less", "quantity", "price", "side", "level more", "twice", "two more alike"],
)
def test_a_snapshot_that_differs_makes_the_book_stale(pair: Pair, rows: list[tuple[int, int, int]]) -> None:
    """It is counted, the book stays what it was, and the next snapshot is taken."""
    pair.apply(snapshot(20, (BID, 101, 4), (ASK, 103, 5)))
    pair.apply(snapshot(20, *rows))
    assert (state(pair), book(pair)) == (STALE, [(BID, 101, 4), (ASK, 103, 5)])
    assert counts(pair) == {"taken": 1, "snapshot_differs": 1}
    pair.apply(snapshot(20, *rows))
    assert state(pair) == CURRENT
    assert counts(pair)["taken"] == 2


def test_a_snapshot_ahead_of_the_book_is_taken(pair: Pair) -> None:
    """What the book did not see is in it; when it comes late, it is left out."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.apply(snapshot(25, (BID, 102, 7)))
    pair.apply(change(20, 25, (BID, 101, 0), (BID, 102, 7)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 102, 7)])
    assert counts(pair) == {"taken": 2, "covered": 2}


def test_a_change_in_two_messages_is_one_link(pair: Pair) -> None:
    """Both name the same ids; a snapshot between them is ahead, and has the second one already."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.apply(change(20, 21, (BID, 100, 1), last=False))
    pair.apply(change(20, 21, (BID, 99, 1)))
    assert (state(pair), len(book(pair))) == (CURRENT, 3)
    pair.apply(change(21, 22, (BID, 98, 1), last=False))
    pair.apply(snapshot(22, (BID, 97, 1)))
    pair.apply(change(21, 22, (BID, 97, 1)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 97, 1)])
    assert counts(pair) == {"taken": 2, "covered": 1}


def test_a_snapshot_without_its_end_leaves_the_book_unsynchronised(pair: Pair) -> None:
    """The next one begins anew."""
    pair.apply(snapshot(20, (BID, 101, 4), whole=False))
    assert state(pair) == UNSYNCHRONISED
    pair.apply(snapshot(20, (BID, 100, 4)))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 100, 4)])
    assert counts(pair) == {"taken": 1, "unfinished": 1}


@pytest.mark.parametrize("first", [True, False], ids=["filling", "comparing"])
def test_a_change_in_the_middle_of_a_snapshot_ends_it(pair: Pair, first: bool) -> None:
    """What comes of the snapshot behind the change is older than the book, and is left out."""
    if not first:
        pair.apply(snapshot(20, (BID, 101, 4), (ASK, 103, 5)))
    whole = snapshot(20, (BID, 101, 4), (ASK, 103, 5))
    pair.apply(whole[:2])
    pair.apply(change(20, 21, (ASK, 103, 0), (ASK, 102, 1)))
    pair.apply(whole[2:])
    assert book(pair) == [(BID, 101, 4), (ASK, 102, 1)]
    assert state(pair) == (UNSYNCHRONISED if first else CURRENT)
    assert counts(pair)["unfinished"] == 1


def test_levels_of_a_snapshot_whose_beginning_was_not_seen_are_left_out(pair: Pair) -> None:
    """Its end does not make a book current."""
    pair.apply(snapshot(20, (BID, 101, 4))[1:])
    assert (state(pair), book(pair)) == (UNSYNCHRONISED, [])


def test_ids_that_begin_anew_are_told_by_their_time(pair: Pair) -> None:
    """A lower id is old where its time is not later than the book's; where it is, the chain is broken, and mended."""
    pair.apply(snapshot(20, (BID, 101, 4), time=1000))
    pair.apply(change(2, 3, (BID, 100, 4), time=1000))
    assert (state(pair), counts(pair)["covered"]) == (CURRENT, 1)
    pair.apply(change(2, 3, (BID, 100, 4), time=1001))
    assert (state(pair), counts(pair)["broken_chain"]) == (STALE, 1)
    pair.apply(snapshot(3, (BID, 99, 1), time=1002))
    pair.apply(snapshot(1, (BID, 98, 1), time=1003))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 98, 1)])


def test_a_definition_that_changes_the_scale_empties_the_book(pair: Pair) -> None:
    """Its integers mean something else then; the same definition again does nothing."""
    define = {"kind": event.DEFINE, "instrument": 5, "quantity": (-4 & 0xFF) | (-1 & 0xFF) << 8 | 1 << 16}
    pair.apply(change(7, 8, (BID, 100, 3)))
    pair.apply(events(define))
    assert (state(pair), book(pair)) == (UNSYNCHRONISED, [])
    pair.apply(snapshot(8, (BID, 10_000, 30)))
    pair.apply(events(define))
    assert (state(pair), book(pair)) == (CURRENT, [(BID, 10_000, 30)])
    assert pair.engine.to_json()[0]["bids"] == [["1", "3", None]]


def test_after_a_restart_nothing_is_known(pair: Pair) -> None:
    """Books are unsynchronised, whatever ids they had; a reset by the exchange says that they are empty."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.engine.reset(0, 99)
    pair.engine.check()
    assert (int(pair.engine.instruments[0]["state"]), book(pair)) == (UNSYNCHRONISED, [])
    pair.engine.apply(0, snapshot(3, (BID, 90, 1)))
    assert (int(pair.engine.instruments[0]["state"]), book(pair)) == (CURRENT, [(BID, 90, 1)])
    pair.engine.apply(0, events({"kind": event.RESET}))
    assert (int(pair.engine.instruments[0]["state"]), book(pair)) == (CURRENT, [])


def test_a_change_that_is_not_whole_ends_with_a_reset(pair: Pair) -> None:
    """A snapshot of the empty book behind it is compared, and not taken for one in the middle of the change."""
    pair.apply(snapshot(20, (BID, 101, 4)))
    pair.apply(change(20, 21, (BID, 100, 1), last=False))
    pair.apply(events({"kind": event.RESET}))
    pair.apply(snapshot(0, time=22))
    assert state(pair) == CURRENT
    assert counts(pair) == {"taken": 1, "equal": 1}


def test_instrument_sequences_place_snapshots_as_change_ids_do() -> None:
    """Books by number that count their events: what is missing makes them stale, what a snapshot has is left out."""
    pair = Pair(LEVEL_BY_SNAPSHOT)
    whole = {"kind": event.SNAPSHOT, "instrument": 7, "flags": event.FROM_SNAPSHOT, "time": 5}
    best = level(event.LEVEL_OVERLAY, 1, 100, 5, flags=event.FROM_SNAPSHOT | event.END, time=5)
    pair.apply(events({**whole, "instrument_sequence": 10}, best))
    pair.apply(events(level(event.LEVEL_NEW, 1, 101, instrument_sequence=10, time=5)))
    pair.apply(events(level(event.LEVEL_NEW, 2, 99, instrument_sequence=11, time=6)))
    assert (state(pair), counts(pair)) == (CURRENT, {"taken": 1, "covered": 1})
    assert [int(row["price"]) for row in pair.engine.levels(0, BID)] == [100, 99]
    pair.apply(events({"kind": event.TRADE, "instrument": 7, "instrument_sequence": 14, "time": 7}))
    assert (state(pair), counts(pair)["instrument_gap"]) == (STALE, 2)
    pair.apply(events({**whole, "instrument_sequence": 12}, best))
    assert (state(pair), counts(pair)["old"]) == (STALE, 1)
    pair.apply(events({**whole, "instrument_sequence": 14, "time": 8}, best))
    assert (state(pair), len(pair.engine.levels(0, BID))) == (CURRENT, 1)
