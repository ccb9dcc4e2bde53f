"""Books that wait for a snapshot: what goes round in their queues comes to an end."""

from typing import Any

import pytest
from book_events import LEVEL_WAITING, Pair, events, level

from simbench import event


@pytest.fixture
def pair() -> Pair:
    """Return an engine and a reference of one such channel."""
    return Pair(LEVEL_WAITING)


def change(sequence: int, price: int = 100) -> dict[str, Any]:
    """Return a change of instrument 7."""
    return level(event.LEVEL_CHANGE, 1, price, instrument_sequence=sequence, sequence=sequence, time=sequence)


def snapshot(at: int, price: int) -> list[dict[str, Any]]:
    """Return a snapshot of instrument 7 that has one level."""
    head = {"kind": event.SNAPSHOT, "instrument": 7, "instrument_sequence": at, "other": at}
    best = level(event.LEVEL_OVERLAY, 1, price, flags=event.FROM_SNAPSHOT | event.END)
    return [{**head, "flags": event.FROM_SNAPSHOT}, best]


def test_what_waited_follows_the_snapshot(pair: Pair) -> None:
    """An older one is left out."""
    pair.apply(events(change(5), change(6, 101), change(7, 102)))
    pair.apply(events(*snapshot(3, 99)))
    assert pair.engine.to_json()[0]["state"] == "unsynchronised"
    pair.apply(events(*snapshot(5, 100)))
    pair.agree()
    assert pair.engine.to_json(since=True)[0]["state"] == "current"
    assert [int(row["price"]) for row in pair.engine.levels(0, event.BID)] == [102]


def test_a_change_in_the_packet_of_a_snapshot_that_leaves_some_out(pair: Pair) -> None:
    """What waits goes on waiting, in its order, and the gap is counted once."""
    pair.apply(events(change(5), change(6), change(7)))
    pair.apply(events(*snapshot(5, 99), change(20)))
    assert pair.engine.to_json()[0]["state"] == "stale"
    assert pair.engine.anomalies()["instrument_gap"] == 14
    pair.apply(events(*snapshot(20, 98)))
    assert [int(row["price"]) for row in pair.engine.levels(0, event.BID)] == [98]
    assert pair.engine.to_json()[0]["state"] == "current"


def test_two_snapshots_of_an_instrument_in_one_packet(pair: Pair) -> None:
    """Both fill it before its queue goes into it, once."""
    pair.apply(events(change(5), change(9)))
    pair.apply(events(*snapshot(8, 99), *snapshot(9, 100)))
    assert [int(row["price"]) for row in pair.engine.levels(0, event.BID)] == [100]
    assert pair.engine.to_json()[0]["state"] == "current"
