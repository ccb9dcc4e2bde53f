"""Bursts on the schedule: what is compressed, what moves, and how the pace of it is told."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.errors import SimbenchError
from simbench.replay.squeeze import Window, pace, squeeze

DAY = 1_750_000_000_000_000_000


@st.composite
def several(draw: st.DrawFn) -> list[Window]:
    """Return windows in order, some of them touching."""
    at = DAY
    found = []
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.integers(0, 10**10))
        length = draw(st.integers(1, 10**10))
        found.append(Window(at, at + length, draw(st.sampled_from([0.5, 1.0, 3.0, 100.0, 1e6]))))
        at += length
    return found


@given(several(), st.lists(st.integers(DAY - 10**10, DAY + 10**11), min_size=1).map(sorted))
def test_every_window_takes_its_share_and_order_is_kept(windows: list[Window], stamps: list[int]) -> None:
    """Exact to a nanosecond a window, by fractions; nothing overtakes anything."""
    found = squeeze(np.array(stamps, np.int64), windows).tolist()

    assert all(a <= b for a, b in pairwise(found))
    for stamp, got in zip(stamps, found, strict=True):
        lost = Fraction(0)
        for window in windows:
            inside = min(max(stamp - window.start_ns, 0), window.end_ns - window.start_ns)
            lost += inside - Fraction(inside) / Fraction(window.factor)
        assert abs(got - (stamp - lost)) <= len(windows)


def test_without_windows_nothing_moves() -> None:
    """The very same stamps, not copies."""
    stamps = np.array([DAY, DAY + 5], np.int64)
    assert squeeze(stamps, ()) is stamps


@pytest.mark.parametrize(("start", "end", "factor"), [(5, 5, 2.0), (5, 4, 2.0), (1, 2, 0.0), (1, 2, -1.0)])
def test_a_window_of_nothing_is_refused(start: int, end: int, factor: float) -> None:
    """It has a length and a factor."""
    with pytest.raises(SimbenchError, match="longer than 0"):
        Window(start, end, factor)


def test_windows_that_overlap_are_refused() -> None:
    """Whose factor would it be?"""
    with pytest.raises(SimbenchError, match="overlap"):
        squeeze(np.array([DAY]), (Window(0, 10, 2.0), Window(9, 20, 2.0)))


def test_the_pace_of_bursts_is_told_from_when_they_were_due() -> None:
    """100 times as fast was asked, 50 sent and 25 received; what lies outside does not count."""
    windows = (Window(DAY, DAY + 1000, 100.0), Window(DAY + 5000, DAY + 6000, 100.0))
    rows = []
    for window in windows:
        rows += [(window.start_ns + k, k // 100, k // 50, k // 25) for k in range(0, 1000, 100)]
    rows.append((DAY + 3000, 0, 10**9, 10**9))
    found = pace(np.array(rows, np.int64), windows)

    assert found == {"windows": 2, "frames": 20, "due": 100.0, "sent": 50.0, "received": 25.0}
    assert pace(np.array(rows[-1:], np.int64), windows) is None
