"""Recorded time on cells, the touch of a book, the log's filter: what several panes rest on."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from moments import FIRST_NS, RUN, SECOND, TICK, book
from simbench_tui.glyphs import UNICODE
from simbench_tui.grid import grid
from simbench_tui.look import Quote
from simbench_tui.timescale import RatePicture, column_at, time_at
from simbench_tui.touch import Quotes, imbalance, spread

from simbench.measure.snapshot import LevelView


@given(st.integers(1, 400), st.data())
def test_a_jump_to_a_column_arrives_in_it(width: int, data: st.DataObject) -> None:
    """Whatever the width: what was clicked is where the cursor goes."""
    column = data.draw(st.integers(0, width - 1))
    at = time_at(column, RUN, width)
    assert column_at(at, RUN, width) == column
    assert column == 0 or column_at(at - 1, RUN, width) == column - 1


def test_times_outside_of_the_run_are_at_its_ends() -> None:
    """A gap that was found after the last frame has a place too."""
    assert column_at(0, RUN, 10) == 0
    assert column_at(RUN.last_ns + SECOND, RUN, 10) == 9
    assert column_at(5, replace(RUN, first_ns=7, last_ns=7), 10) == 0


def test_the_picture_is_made_once_for_a_size() -> None:
    """The same rows, not equal ones; another size makes others, and none where nothing is known."""
    picture = RatePicture(UNICODE.levels)
    rows = picture.rows(RUN, 60, 3)
    assert picture.rows(RUN, 60, 3) is rows
    assert [len(row) for row in picture.rows(RUN, 30, 2)] == [30, 30]
    assert picture.peak > 0
    assert picture.rows(replace(RUN, strip=None), 60, 3) == []


def test_the_touch_is_of_direct_levels_that_are_known() -> None:
    """Unknown and implied ones have no part in it; with one side there is none."""
    bids = (LevelView(0, 0, -1, known=False), LevelView(100 * TICK, 30, 1))
    asks = (LevelView(101 * TICK, 10, 1),)
    view = book(bids=bids, asks=asks)
    assert spread(view) == TICK
    assert imbalance(view) == 0.5
    assert spread(replace(view, asks=())) is None
    assert imbalance(replace(view, asks=())) is None
    assert imbalance(replace(view, bids=(LevelView(100, 0, 0),), asks=(LevelView(101, 0, 0),))) is None


def test_quotes_begin_anew_with_another_instrument() -> None:
    """And stay where no book came."""
    quotes = Quotes()
    first = quotes.see(book(0), 5)
    assert first == (Quote(2 * TICK, imbalance(book(0))),)
    assert quotes.see(None, 6) == first
    assert len(quotes.see(book(0), 7)) == 2
    assert len(quotes.see(book(0), 7)) == 2  # time stands
    assert len(quotes.see(book(1), 7)) == 1


@given(st.integers(0, 40), st.integers(1, 200), st.integers(2, 20))
def test_a_grid_shows_all_or_says_how_many_it_does_not(count: int, width: int, height: int) -> None:
    """Each figure once."""
    figures = [(f"n{k}.", str(k), "text") for k in range(count)]
    rows = grid(figures, width, height, UNICODE, name=6, figure=4)
    text = "\n".join("".join(cell for cell, _ in row) for row in rows)
    shown = sum(f"n{k}." in text for k in range(count))
    hidden = int(text.rpartition("and ")[2].split()[0]) if "more" in text else 0
    assert len(rows) <= height
    assert shown + hidden == count


def test_the_first_moment_is_the_first_column() -> None:
    """And the middle the middle one."""
    assert column_at(FIRST_NS, RUN, 100) == 0
    assert column_at(FIRST_NS + 60 * SECOND, RUN, 100) == 50
