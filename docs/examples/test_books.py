"""Tests of a feed handler's own: the fixtures come with simbench, the captures are golden folders."""

# ruff: noqa: INP001 - it stands alone here, as a test of a user's does

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import simbench

Books = Callable[..., simbench.Outcome]
Replay = Callable[..., dict[str, Any]]
CAPTURE = Path("captures/itch-open")


@pytest.fixture(scope="module")
def found(golden_book: Books) -> simbench.Outcome:
    """Build the books of the capture once."""
    return golden_book(CAPTURE)


def test_best_bid_is_below_the_best_offer(found: simbench.Outcome) -> None:
    """At the end no book is crossed."""
    for index in range(len(found.instruments)):
        bids, asks = found.books.levels(index, simbench.BID), found.books.levels(index, simbench.ASK)
        assert len(bids) > 0
        assert bids["price"][0] < asks["price"][0]


def test_nothing_is_lost_over_a_wire(found: simbench.Outcome, feed_replay: Replay) -> None:
    """Replayed as fast as the receiver takes it: no gap, no anomaly, and the books of `golden_book`."""
    run = feed_replay(CAPTURE)
    (channel,) = run["book"]["channels"]
    assert channel["gaps"] == []
    assert not any(run["book"]["anomalies"].values())
    assert channel["digest_orders"] == found.books.digest_orders(0)


@pytest.mark.parametrize("line", ["A", "B"])
def test_each_line_alone_is_enough(found: simbench.Outcome, golden_book: Books, line: str) -> None:
    """One line alone comes to the same books."""
    assert golden_book(CAPTURE, line=line).result["books"] == found.result["books"]
