"""Two books side by side: what differs is marked, and nothing else is."""

from __future__ import annotations

from typing import Any

from simbench.golden.ladders import beside

NAMES = ("ours", "theirs")


def book(**sides: Any) -> dict[str, Any]:
    """Return a book with some levels."""
    empty: dict[str, list[Any]] = {"bids": [], "asks": [], "implied_bids": [], "implied_asks": []}
    return {"channel": "x", "key": "7", "symbol": None, "state": "current", **empty, **sides}


def marked(lines: list[str]) -> list[list[str]]:
    """Return the words of the lines that are marked."""
    return [line.split() for line in lines if "<>" in line]


def test_best_levels_meet_in_the_middle() -> None:
    """Offers from the worst to the best, then bids from the best to the worst."""
    one = book(bids=[["10", "1", 1], ["9", "2", 1]], asks=[["11", "3", 1], ["12", "4", 1]])

    lines = beside(one, one, NAMES)

    assert [line.split()[:2] for line in lines[3:]] == [["offer", "12"], ["offer", "11"], ["bid", "10"], ["bid", "9"]]
    assert marked(lines) == []


def test_a_level_less_shifts_no_other() -> None:
    """Levels are paired by price."""
    ours = book(bids=[["10", "1", 1], ["9.5", "2", 2], ["9", "3", 3]])
    theirs = book(bids=[["10", "1", 1], ["9", "3", 3]])

    assert marked(beside(ours, theirs, NAMES)) == [["bid", "9.5", "2", "2", "<>"]]
    assert marked(beside(theirs, ours, NAMES)) == [["bid", "<>", "9.5", "2", "2"]]


def test_levels_that_are_not_known_are_paired_by_number() -> None:
    """A question mark has no price to be found by."""
    ours = book(asks=[None, ["12", "1", None]])
    theirs = book(asks=[["11", "5", None], ["12", "1", None]])

    assert marked(beside(ours, theirs, NAMES)) == [["offer", "?", "?", "?", "<>", "11", "5"]]


def test_a_deep_difference_is_shown() -> None:
    """Levels behind the first that differs are summed up, those before it are there."""
    ours = book(bids=[[str(1000 - n), "1", 1] for n in range(40)])
    theirs = book(bids=[[str(1000 - n), "2" if n == 20 else "1", 1] for n in range(40)])

    lines = beside(ours, theirs, NAMES)

    assert marked(lines) == [["bid", "980", "1", "1", "<>", "980", "2", "1"]]
    assert lines[-1].split() == ["bid", "15", "more"]


def test_a_book_that_is_missing_is_said() -> None:
    """There is no book on one side; its levels are all marked."""
    lines = beside(None, book(bids=[["10", "1", 1]]), NAMES)

    assert marked(lines) == [["bid", "<>", "10", "1", "1"]]
    assert "state: ours no book, theirs current" in lines


def test_queues_of_equal_sums_are_told_apart() -> None:
    """The first place that differs, and who stands there."""
    level = ["10", "300", 2]
    ours = book(bids=[level], bid_orders=[["10", [["1", "100"], ["2", "200"]]]])
    theirs = book(bids=[level], bid_orders=[["10", [["1", "100"], ["3", "200"]]]])

    lines = beside(ours, theirs, NAMES)

    assert marked(lines) == []
    assert lines[-2:] == ["bid 10, ours, from place 2 of 2: 200 of 2", "bid 10, theirs, from place 2 of 2: 200 of 3"]
