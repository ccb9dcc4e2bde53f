"""Figures as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from simbench_tui import format as fmt

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("expected", "ns"),
    [
        ("   0 ns", 0),
        (" 812 ns", 812),
        (" 999 ns", 999),
        ("1.00 us", 1_000),
        ("12.4 us", 12_400),
        (" 999 us", 999_400),
        ("1.00 ms", 999_600),
        ("8.14 ms", 8_140_000),
        ("1.00 s ", 1_000_000_000),
        (" 124 s ", 124_000_000_000),
        ("2.50 h ", 9_000_000_000_000),
        ("-1.2 us", -1_240),
    ],
)
def test_a_duration_has_three_digits_and_its_unit(expected: str, ns: int) -> None:
    """The unit changes where three digits would not be enough."""
    assert expected == fmt.duration(ns)


@given(INT64)
def test_durations_are_all_of_one_width(ns: int) -> None:
    """Nothing jumps, whatever comes."""
    assert len(fmt.duration(ns)) == fmt.DURATION_WIDTH


@given(st.integers(), st.integers(1, 20))
def test_counts_have_the_width_that_was_asked_for(value: int, width: int) -> None:
    """Numbers of any size fit, or say that they do not."""
    assert len(fmt.count(value, width)) == width


@given(INT64)
def test_a_count_in_full_is_exact(value: int) -> None:
    """With room enough nothing is rounded."""
    assert value == int(fmt.count(value, 27).replace(",", ""))


@pytest.mark.parametrize(
    ("expected", "value", "width"),
    [
        ("  1,234", 1_234, 7),
        ("1234567", 1_234_567, 7),
        (" 12.35M", 12_345_678, 7),
        ("  9.22E", 2**63 - 1, 7),
        ("12k", 12_345, 3),
        ("##", 12_345, 2),
    ],
)
def test_a_count_is_scaled_only_where_it_does_not_fit(expected: str, value: int, width: int) -> None:
    """In full, else with a suffix, else marked as too long; never cut."""
    assert expected == fmt.count(value, width)


@pytest.mark.parametrize(
    ("expected", "value"),
    [("      0", 0.0), ("    0.5", 0.5), ("     10", 9.97), (" 12,346", 12_345.6), ("  2.17M", 2_168_760.0)],
)
def test_a_rate_shows_what_can_be_read(expected: str, value: float) -> None:
    """One decimal where the rate is low."""
    assert expected == fmt.rate(value, 7)


@pytest.mark.parametrize(
    ("expected", "mantissa", "exponent", "places"),
    [
        ("41.2", 41_200_000_000, -9, 0),
        ("41.20", 41_200_000_000, -9, 2),
        ("0", 0, -9, 0),
        ("-0.05", -5, -2, 0),
        ("1200", 12, 2, 0),
        ("1200.0", 12, 2, 1),
        ("0.000000001", 1, -9, 0),
    ],
)
def test_prices_are_exact(expected: str, mantissa: int, exponent: int, places: int) -> None:
    """No zeros beyond those that were asked for, no rounding."""
    assert expected == fmt.exact(mantissa, exponent, places)


@given(INT64, st.integers(-18, 18), st.integers(0, 18))
def test_a_price_reads_back_as_it_was(mantissa: int, exponent: int, places: int) -> None:
    """The text is the number."""
    text = fmt.exact(mantissa, exponent, places)
    assert Decimal(mantissa).scaleb(exponent) == Decimal(text)
    assert fmt.decimals(mantissa, exponent) == -min(
        Decimal(mantissa).scaleb(exponent).normalize().as_tuple().exponent, 0
    )


@given(st.text(), st.integers(0, 30), st.booleans())
def test_words_have_the_cells_that_were_asked_for(text: str, width: int, right: bool) -> None:
    """Wide characters take two cells, control characters none of the terminal's."""
    fitted = fmt.fit(text, width, right=right)
    assert width == cell_len(fitted)
    assert fitted.isprintable()


def test_a_cut_word_says_so() -> None:
    """The ellipsis is part of the width."""
    assert fmt.fit("ESZ6-NQZ6", 6, "…") == "ESZ6-…"


def test_recorded_time_is_utc() -> None:
    """To the digit that was asked for, cut and not rounded."""
    assert fmt.time_of_day(1_478_961_025_968_272_358) == "14:30:25.968272"
    assert fmt.time_of_day(1_478_961_025_968_272_358, 0) == "14:30:25"
    assert fmt.date(1_478_961_025_968_272_358) == "2016-11-12"


def test_no_recorded_time_is_dashes_of_the_same_width() -> None:
    """Before the first frame nothing jumps either."""
    assert len(fmt.time_of_day(1)) == len(fmt.time_of_day(0))
    assert len(fmt.date(1)) == len(fmt.date(0))


@given(INT64)
def test_elapsed_time_is_of_one_width(ns: int) -> None:
    """A run of days too."""
    assert len(fmt.elapsed(ns)) == 10


def test_elapsed_time_counts_tenths() -> None:
    """Hours, minutes, seconds, tenths."""
    assert fmt.elapsed(3_723_456_000_000) == "01:02:03.4"
