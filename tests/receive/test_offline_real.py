"""A real CME channel, offline: the books that an independent program built, from both lines and from each alone."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import levels, rebuilt

if TYPE_CHECKING:
    from pathlib import Path

SIDES = {"0": "bids", "1": "asks", "E": "implied_bids", "F": "implied_asks"}
NO_ORDERS = 2_147_483_647
PRICE = Decimal("1e-7")


@pytest.fixture(scope="session")
def independent(real_captures: Path) -> dict[str, Any]:
    """Return what an independent decoder made of the channel."""
    loaded: dict[str, Any] = json.loads((real_captures / "cme-mdp3-340" / "independent.json").read_text())
    return loaded


@pytest.fixture(scope="session")
def outcomes(cme: Path) -> dict[str | None, dict[str, Any]]:
    """Return the result from both lines, from A alone and from B alone."""
    return {line: rebuilt(cme, only_line=line) for line in (None, "A", "B")}


def expected_books(independent: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Return the independent books as numbers: price, quantity, orders; what was never sent is None."""
    return {
        key: {
            name: [
                None if level is None else (level[0] * PRICE, level[1], None if level[2] == NO_ORDERS else level[2])
                for level in sides.get(entry, [])
            ]
            for entry, name in SIDES.items()
        }
        for key, sides in independent["books"].items()
    }


def numbers(side: list[Any]) -> list[Any]:
    """Return the levels of the JSON as numbers."""
    return [None if level is None else (Decimal(level[0]), int(level[1]), level[2]) for level in side]


@pytest.mark.parametrize("line", [None, "A", "B"])
def test_every_book_is_that_of_an_independent_decoder(
    line: str | None, outcomes: dict[str | None, dict[str, Any]], independent: dict[str, Any]
) -> None:
    """Prices, quantities and orders of every level of every instrument, implied ones and never sent ones too."""
    expected = expected_books(independent)
    found = {book["key"]: {name: numbers(book[name]) for name in SIDES.values()} for book in outcomes[line]["books"]}

    assert sum(len(side) for book in expected.values() for side in book.values()) > 1000
    assert {key for key, book in expected.items() if any(book.values())} <= found.keys()
    empty: dict[str, list[Any]] = {name: [] for name in SIDES.values()}
    for key, book in found.items():
        assert expected.get(key, empty) == book, key


@pytest.mark.parametrize("line", [None, "A", "B"])
def test_every_message_arrives_once_and_nothing_is_odd(
    line: str | None, outcomes: dict[str | None, dict[str, Any]], independent: dict[str, Any]
) -> None:
    """Either line carries all of it: no gap, no anomaly, and as many messages as the independent decoder saw."""
    found = outcomes[line]

    assert independent["messages"] == found["messages"]["total"] == sum(found["messages"]["by_type"].values())
    assert (found["messages"]["unknown"], found["messages"]["malformed"]) == (0, 0)
    assert found["channels"][0]["gaps"] == []
    assert set(found["anomalies"].values()) == {0}


def test_lines_share_the_wins(outcomes: dict[str | None, dict[str, Any]]) -> None:
    """In the order of the file B is mostly first; a line alone wins every time, and the other is as if not there."""
    by_line = {
        line: {one["name"]: (one["datagrams"], one["won"], one["duplicates"]) for one in found["channels"][0]["lines"]}
        for line, found in outcomes.items()
    }

    assert by_line[None] == {"A": (5000, 750, 4250), "B": (5000, 4250, 750)}
    assert by_line["A"] == {"A": (5000, 5000, 0), "B": (0, 0, 0)}
    assert by_line["B"] == {"A": (0, 0, 0), "B": (5000, 5000, 0)}


def test_digest_does_not_depend_on_the_line(outcomes: dict[str | None, dict[str, Any]]) -> None:
    """Books and digest are the same however the messages came, and there is something in them."""
    assert levels(outcomes[None]) > 1000
    assert len({found["channels"][0]["digest"] for found in outcomes.values()}) == 1
    assert outcomes["A"]["books"] == outcomes["B"]["books"] == outcomes[None]["books"]


def test_capture_itself_is_described(outcomes: dict[str | None, dict[str, Any]]) -> None:
    """Frames, datagrams, stamps that go backwards in the file, and the sequences from first to last."""
    found = outcomes[None]

    assert tuple(found["capture"][key] for key in ("frames", "datagrams", "other_frames", "backward_stamps")) == (
        10_000,
        10_000,
        0,
        581,
    )
    assert found["capture"]["first_ns"] == "1478961025968272358"
    assert [(epoch["first"], epoch["last"]) for epoch in found["channels"][0]["epochs"]] == [(5615, 10_614)]
