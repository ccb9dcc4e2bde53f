"""Areas, bars, histograms and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simbench_tui.columns import Column, choose
from simbench_tui.glyphs import ASCII, UNICODE, ascii_wanted
from simbench_tui.graph import area, bar, braille, round_up, stacked
from simbench_tui.histogram import axis, columns, decades
from simbench_tui.history import spread

BUCKETS = st.lists(
    st.tuples(st.integers(1, 10**11), st.integers(1, 10**6)), min_size=1, max_size=64, unique_by=lambda pair: pair[0]
).map(sorted)


def test_an_area_rises_from_the_bottom() -> None:
    """Empty, half, full: two rows, top first."""
    assert area([0.0, 0.5, 1.0], 2, UNICODE.levels) == ["  █", " ██"]


def test_an_area_shows_the_smallest_value() -> None:
    """A single packet in the tail must be seen."""
    assert area([0.0, 1e-9], 1, UNICODE.levels) == [" ▁"]


def test_braille_has_two_values_a_cell() -> None:
    """Left and right column of dots."""
    assert braille([1.0, 0.5], 1) == ["⣧"]
    assert braille([0.0, 0.0], 2) == [" ", " "]


def test_a_stack_is_solid_below_and_shaded_above() -> None:
    """The lower part in eighths, the upper in whole cells; nothing where there is nothing."""
    assert stacked([0.5, 0.25, 0.0], [1.0, 0.5, 0.0], 2, UNICODE.levels, "░") == ["░  ", "█▄ "]


@given(st.floats(0, 1), st.integers(0, 40))
def test_a_bar_stays_in_its_room(share: float, width: int) -> None:
    """With either set of characters."""
    for glyphs in (UNICODE, ASCII):
        assert len(bar(share, width, glyphs.eighths)) <= width


@given(st.floats(0, 1e18))
def test_a_scale_covers_its_value_and_wastes_little(value: float) -> None:
    """At most half of the room stays empty."""
    assert value <= round_up(value) <= max(2 * value, 1.0)


@given(BUCKETS, st.integers(10, 120))
def test_a_histogram_loses_no_count(buckets: list[tuple[int, int]], width: int) -> None:
    """Whatever the buckets, the columns add up to the values."""
    low, high = decades(buckets)
    assert sum(count for _, count in buckets) == pytest.approx(sum(columns(buckets, low, high, width)), rel=1e-6)


def test_neighbouring_buckets_leave_no_comb() -> None:
    """A flat distribution is drawn flat, however buckets and columns meet."""
    buckets = [(int(100 * 10 ** (k / 12)), 5) for k in range(37)]
    heights = columns(buckets, 2, 5, 72)
    assert max(heights[1:-1]) < 1.2 * min(heights[1:-1])


def test_the_axis_names_the_powers_of_ten() -> None:
    """In the unit in which they are read."""
    assert axis(2, 5, 30, "|") == "|100ns    |1us      |10us     "


@pytest.mark.parametrize("width", [4, 7, 30])
def test_the_history_keeps_its_peak(width: int) -> None:
    """Where several intervals share a column the highest is drawn."""
    values = [1.0] * 50 + [99.0] + [1.0] * 20
    assert max(spread(values, width)) == 99.0
    assert len(spread(values, width)) == width


def test_columns_go_by_rank_and_one_stretches() -> None:
    """What matters least goes first; what is left over is used."""
    table = (Column("a", 4), Column("b", 4, rank=2), Column("c", 4, rank=1, stretch=True))
    assert choose(table, 20) == [(0, 4), (1, 4), (2, 10)]
    assert choose(table, 10) == [(0, 4), (2, 5)]
    assert choose(table, 4) == [(0, 4)]


@pytest.mark.parametrize(
    ("expected", "environment", "encoding"),
    [
        (False, {}, "utf-8"),
        (True, {}, "ANSI_X3.4-1968"),
        (True, {"SIMBENCH_ASCII": "1"}, "utf-8"),
        (False, {"SIMBENCH_ASCII": "0"}, "latin-1"),
        (True, {}, None),
    ],
)
def test_ascii_is_drawn_where_it_is_wanted(expected: bool, environment: dict[str, str], encoding: str | None) -> None:
    """The user's word counts more than the encoding."""
    assert expected == ascii_wanted(environment, encoding)


def test_all_glyphs_are_one_cell() -> None:
    """The ASCII set is ASCII."""
    words = [getattr(ASCII, name) for name in ASCII.__slots__ if name != "braille"]
    assert all(word.isascii() for word in words)
