"""simbench from Python: a few lines to books as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_feeds import frames, rebuilt

import simbench

if TYPE_CHECKING:
    from pathlib import Path


def test_book_of_a_real_capture_as_arrays(cme: Path) -> None:
    """Levels are structured arrays, best first, at the instrument's exponent; the counters are those of the JSON."""
    found = simbench.book(cme)
    index = found.find(411_873)

    bids = found.books.levels(index, simbench.BID)
    asks = found.books.levels(index, simbench.ASK)

    assert found.result["messages"]["total"] == 10_273
    assert len(found.instruments) == len(found.result["books"]) > 50
    assert bids["price"][bids["known"] == 1].tolist() == sorted(bids["price"][bids["known"] == 1], reverse=True)
    assert float(bids["price"][0]) * 10.0 ** int(found.instruments["price_exponent"][index]) == pytest.approx(412.0)
    assert bids["price"][0] < asks["price"][0]


def test_queue_adds_up_to_its_level(itch: Path) -> None:
    """Order by order, each level's quantity and count are those of its queue."""
    books = simbench.book(str(itch)).books
    levels = 0
    for index in range(len(books.instruments)):
        for side in (simbench.BID, simbench.ASK):
            for level in books.levels(index, side):
                queue = books.queue(index, side, int(level["price"]))
                assert (queue["quantity"].sum(), len(queue)) == (level["quantity"], level["orders"])
                assert len(np.unique(queue["order"])) == len(queue)
                levels += 1

    assert levels > 50


def test_options_of_book(itch: Path) -> None:
    """One line alone, a stop by time, a source that is opened first."""
    stop = frames(itch, "nasdaq.itch50")[1000].stamp
    source = simbench.open(itch)

    whole, line, early = simbench.book(itch), simbench.book(itch, line="A"), simbench.book(itch, until_ns=stop)

    assert [channel.name for channel in source.feed.channels] == ["itch"]
    assert whole.result == rebuilt(itch)
    assert line.books.digest(0) == whole.books.digest(0) != early.books.digest(0)
    assert 0 < early.result["messages"]["total"] < whole.result["messages"]["total"]


def test_mistakes_are_one_kind_of_error(itch: Path, tmp_path: Path) -> None:
    """No file, no instrument, no line, no attribute."""
    with pytest.raises(simbench.SimbenchError, match="there is no file"):
        simbench.open(tmp_path / "nothing")
    with pytest.raises(simbench.SimbenchError, match="NOSUCH"):
        simbench.book(itch).find("NOSUCH")
    with pytest.raises(simbench.SimbenchError, match="line"):
        simbench.book(itch, line="C")
    with pytest.raises(AttributeError):
        simbench.nothing  # noqa: B018 - what is asked for is the error
