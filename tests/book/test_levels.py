"""Books by level number: shifts, what is unknown and what is known to be empty."""

from typing import Any

import pytest
from book_events import LEVEL, Pair, events, level

from simbench import event
from simbench.event import ASK, BID, IMPLIED_BID

NEW, CHANGE, DELETE = event.LEVEL_NEW, event.LEVEL_CHANGE, event.LEVEL_DELETE
SNAPSHOT = {"kind": event.SNAPSHOT, "instrument": 7}


@pytest.fixture
def pair() -> Pair:
    """Return books of four levels, two of them implied, and their reference."""
    return Pair(LEVEL)


def prices(pair: Pair, side: int = BID) -> list[int | None]:
    """Return the prices of a side of the engine, None where a level is unknown, after both agreed on everything."""
    pair.agree()
    rows = pair.engine.levels(pair.engine.find(0, 7), side)
    return [int(row["price"]) if row["known"] == 1 else None for row in rows]


def full(pair: Pair) -> None:
    """Fill the bids: 40, 30, 20, 10."""
    pair.apply(events(*(level(NEW, n, 50 - 10 * n) for n in (1, 2, 3, 4))))


def test_levels_that_were_never_sent_are_unknown(pair: Pair) -> None:
    """A book joined in the middle shows what is missing above what it knows, and nothing below."""
    pair.apply(events(level(CHANGE, 3, 20)))
    assert prices(pair) == [None, None, 20]
    assert pair.engine.to_json()[0]["bids"] == [None, None, ["0.000002", "1", None]]
    assert pair.engine.anomalies()["unknown_level"] == 0


def test_a_new_level_shifts_down_and_out_beyond_the_depth(pair: Pair) -> None:
    """The depth is four, two on the implied sides."""
    full(pair)
    pair.apply(events(level(NEW, 2, 35), *(level(NEW, 1, n, side=IMPLIED_BID) for n in (5, 6, 7))))
    assert prices(pair) == [40, 35, 30, 20]
    assert prices(pair, IMPLIED_BID) == [7, 6]


def test_a_deleted_level_shifts_up_and_leaves_the_last_one_unknown(pair: Pair) -> None:
    """A full book may go on below what the exchange sends: what comes up there is sent by itself."""
    full(pair)
    pair.apply(events(level(DELETE, 2, 30)))
    assert prices(pair) == [40, 20, 10]
    pair.apply(events(level(CHANGE, 4, 5)))
    assert prices(pair) == [40, 20, 10, 5]
    assert pair.engine.anomalies()["unknown_level"] == 0


def test_below_a_book_that_ends_there_is_nothing(pair: Pair) -> None:
    """After a snapshot a level that it does not carry is empty, not unknown: to change it is an anomaly."""
    pair.apply(events(SNAPSHOT, level(NEW, 1, 40), level(NEW, 2, 30), level(DELETE, 1, 40)))
    assert prices(pair) == [30]
    pair.apply(events(level(CHANGE, 2, 20)))
    assert prices(pair) == [30, 20]
    pair.apply(events(level(DELETE, 4, 10)))
    assert prices(pair) == [30, 20]
    assert pair.engine.anomalies()["unknown_level"] == 2


def test_a_level_below_an_empty_one_shows_that_something_was_missed(pair: Pair) -> None:
    """What must be there becomes unknown, and is counted."""
    pair.apply(events(SNAPSHOT, level(NEW, 3, 20)))
    assert prices(pair) == [None, None, 20]
    assert pair.engine.anomalies()["unknown_level"] == 1


def test_levels_of_a_snapshot_come_in_any_order(pair: Pair) -> None:
    """They are put where they belong, without a shift."""
    pair.apply(
        events(
            {**SNAPSHOT, "flags": event.FROM_SNAPSHOT},
            level(NEW, 2, 30, flags=event.FROM_SNAPSHOT),
            level(NEW, 1, 40, flags=event.FROM_SNAPSHOT | event.END),
        )
    )
    assert prices(pair) == [40, 30]
    assert not any(pair.engine.anomalies().values())


@pytest.mark.parametrize("kind", [CHANGE, DELETE])
def test_another_price_than_the_levels_is_a_mismatch(pair: Pair, kind: int) -> None:
    """The number is believed all the same; a price that is left out is none."""
    full(pair)
    pair.apply(events(level(kind, 2, 31, time=5)))
    pair.agree()
    assert pair.engine.anomalies()["price_mismatch"] == 1
    pair.apply(events(level(DELETE, 1, (1 << 63) - 1)))
    pair.agree()
    assert pair.engine.anomalies()["price_mismatch"] == 1


def test_delete_through_empties_the_side(pair: Pair) -> None:
    """And nothing of it is unknown then."""
    full(pair)
    pair.apply(events(level(NEW, 1, 60, side=ASK), level(event.LEVEL_DELETE_THROUGH, 1, 40)))
    assert prices(pair) == []
    assert prices(pair, ASK) == [60]
    pair.apply(events(level(DELETE, 1, 40)))
    assert pair.engine.anomalies()["unknown_level"] == 1


def test_delete_from_removes_the_best_down_to_the_level(pair: Pair) -> None:
    """What is left moves up."""
    full(pair)
    pair.apply(events(level(event.LEVEL_DELETE_FROM, 3, 20)))
    assert prices(pair) == [10]


def test_overlay_replaces_the_level_price_included(pair: Pair) -> None:
    """Without a mismatch and without a shift."""
    full(pair)
    pair.apply(events(level(event.LEVEL_OVERLAY, 2, 33, 9, orders=4)))
    assert prices(pair) == [40, 33, 20, 10]
    assert pair.engine.to_json()[0]["bids"][1] == ["0.0000033", "9", 4]
    assert not any(pair.engine.anomalies().values())


@pytest.mark.parametrize(
    ("row", "anomaly"),
    [
        (level(NEW, 0, 1), "bad_level"),
        (level(NEW, -1, 1), "bad_level"),
        (level(NEW, 5, 1), "bad_level"),
        (level(NEW, 3, 1, side=IMPLIED_BID), "bad_level"),
        (level(NEW, 1, 1, side=4), "bad_side"),
        ({**level(NEW, 1, 1), "instrument": 0}, "unknown_instrument"),
        ({"kind": event.LEVEL, "instrument": 7, "quantity": 1}, "foreign_event"),
    ],
)
def test_what_makes_no_sense_is_counted_and_changes_nothing(pair: Pair, row: dict[str, Any], anomaly: str) -> None:
    """No level number from the wire leads outside the ladder."""
    full(pair)
    before = pair.engine.digest(0)
    pair.apply(events(row))
    pair.agree()
    assert {name: n for name, n in pair.engine.anomalies().items() if n} == {anomaly: 1}
    assert pair.engine.digest(0) == before


def test_a_negative_quantity_is_none(pair: Pair) -> None:
    """The level stays, since the ones below it are counted from it."""
    pair.apply(events(level(NEW, 1, 40, -3)))
    pair.agree()
    assert pair.engine.to_json()[0]["bids"] == [["0.000004", "0", None]]
    assert pair.engine.anomalies()["bad_quantity"] == 1


def test_a_reset_empties_what_was_never_seen_too(pair: Pair) -> None:
    """Afterwards every book of the channel is known from the beginning."""
    pair.apply(events({"kind": event.RESET}, level(CHANGE, 1, 40)))
    pair.agree()
    assert pair.engine.anomalies()["unknown_level"] == 1


def test_a_definition_sets_depth_exponents_and_symbol(pair: Pair) -> None:
    """A ladder follows its depth and keeps what it knows."""
    full(pair)
    symbol = int.from_bytes(b"ESZ6-ESH", "big"), int.from_bytes(b"7\0\0\0\0\0\0\0", "big")
    said = (-2 & 0xFF) | (1 & 0xFF) << 8 | 1 << 16 | 3 << 24
    definition = {"kind": event.DEFINE, "instrument": 7, "order": symbol[0], "other": symbol[1], "quantity": said}
    pair.apply(events({**definition, "level": 300, "price": 10_000_000}, level(NEW, 5, 5)))
    assert prices(pair) == [40, 30, 20, 10, 5]
    book = pair.engine.to_json()[0]
    assert (book["symbol"], book["bids"][0]) == ("ESZ6-ESH7", ["0.4", "10", None])
    assert tuple(pair.engine.instruments[0][["depth", "implied_depth", "display_factor"]].tolist()) == (
        255,
        3,
        10_000_000,
    )
    pair.apply(events({**definition, "level": 2}))
    assert prices(pair) == [40, 30]


def test_a_crossed_ladder_is_counted(pair: Pair) -> None:
    """By the best level of both sides, when both are known."""
    full(pair)
    pair.apply(events(level(NEW, 2, 10, side=ASK)))
    assert pair.engine.anomalies()["crossed"] == 0
    pair.apply(events(level(NEW, 1, 39, side=ASK)))
    pair.agree()
    assert pair.engine.anomalies()["crossed"] == 1


def test_books_that_are_forgotten_are_unknown_again(pair: Pair) -> None:
    """After a replay begins anew nothing is left of the first time, and the second ends where the first did."""
    rows = events(level(CHANGE, 2, 30, instrument_sequence=5), level(NEW, 1, 45, instrument_sequence=6))
    pair.engine.apply(0, rows)
    first = pair.engine.digest(0), pair.engine.to_json()
    pair.engine.reset(0, 99)
    pair.engine.check()
    assert pair.engine.to_json()[0]["bids"] == []
    pair.engine.apply(0, rows)
    assert first == (pair.engine.digest(0), pair.engine.to_json())
    assert not any(pair.engine.anomalies().values())
