"""The recipe of docs/json.md for a digest: a stranger who follows it comes to the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from book_events import CD, LEVEL, ORDER, PRICE, add, events, level

from simbench import event
from simbench.book.reference import ReferenceBooks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    """Return the functions of the page's snippet, without the lines that read and print."""
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    functions = snippet.split("\nfound = ")[0]
    names: dict[str, Any] = {}
    exec(compile(functions, str(PAGE), "exec"), names)  # noqa: S102 - the page's own lines are what is tested
    return names


def books() -> ReferenceBooks:
    """Return books of every kind: queues, whole and broken decimals, an unknown level, a negative price."""
    found = ReferenceBooks((ORDER, PRICE, LEVEL))
    found.apply_all(
        0,
        events(
            add(1, event.BID, 1_012_500, 300),
            add(2, event.BID, 1_012_500, 200),
            add(3, event.ASK, 1_013_000, 7, CD),
        ),
    )
    found.apply_all(
        1,
        events(
            {"kind": event.LEVEL, "instrument": 10, "side": event.BID, "price": -250, "quantity": 1_500, "orders": 4},
            {"kind": event.LEVEL, "instrument": 9, "side": event.ASK, "price": 0, "quantity": 12_345},
        ),
    )
    found.apply_all(2, events(level(event.LEVEL_CHANGE, 2, 410_000_000, 5), level(event.LEVEL_NEW, 3, 400_000_000, 20)))
    return found


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_the_recipe_gives_the_digest(recipe: dict[str, Any], channel: int) -> None:
    """Computed from what JSON has, of books by order, by price and by number."""
    reference = books()
    found = {"books": reference.to_json()}
    name = (ORDER, PRICE, LEVEL)[channel].name
    assert reference.digest(channel) == recipe["digest"](found, name)


def test_there_is_an_unknown_level_among_them() -> None:
    """The books of this test hold what the recipe treats apart."""
    found = books().to_json()
    assert any(None in book["bids"] for book in found)
    assert any(row[2] is None for book in found for row in book["asks"] if row is not None)


def test_another_quantity_is_another_digest(recipe: dict[str, Any]) -> None:
    """The recipe sees one changed quantity."""
    found = {"books": books().to_json()}
    before = recipe["digest"](found, ORDER.name)
    found["books"][0]["bids"][0][1] = "501"
    assert before != recipe["digest"](found, ORDER.name)
