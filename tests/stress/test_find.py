"""Bursts, as users ask for them and as a capture has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simbench.capture.reader import open_capture
from simbench.capture.writer import write_pcap
from simbench.errors import SimbenchError
from simbench.stress.find import Burst, parse, windows

if TYPE_CHECKING:
    from pathlib import Path

START = 1_750_000_000_000_000_000
MS = 1_000_000


def capture(folder: Path, stamps: list[int]) -> Path:
    """Write frames of nothing at these times."""
    path = folder / "c.pcap"
    count = len(stamps)
    write_pcap(path, np.array(stamps) + START, np.zeros(60, np.uint8), np.zeros(count, int), np.full(count, 60))
    return path


@pytest.mark.parametrize(
    "text",
    ["", "window=2ms", "factor=3", "window=2ms,factor=x", "window=0ms,factor=2", "window=1ms,factor=0",
     "window=1ms,factor=2,top=0%", "window=1ms,factor=2,top=101%", "window=1ms,factor=2,window=3ms",
     "window=1ms,factor=2,speed=3", "window=1ms,factor=nan", "window=1ms,factor=1e9",
     "window=1ms,factor=2,top=1%,at=+1"],
)  # fmt: skip
def test_what_is_no_burst_is_one_line(text: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(SimbenchError):
        parse(text)


def test_bursts_as_users_write_them() -> None:
    """A share in per cent or as a fraction, and times instead of looking."""
    assert parse("window=2ms, factor=100, top=5%") == Burst(2 * MS, 100.0, 0.05)
    assert parse("factor=2.5,window=100us,top=0.5") == Burst(100_000, 2.5, 0.5)
    assert parse("window=1ms,factor=9,at=+1.5s,at=+2s").at == ("+1.5s", "+2s")


def test_the_busiest_windows_are_found_and_neighbours_joined(tmp_path: Path) -> None:
    """A frame every 10 ms, and 30 more in two neighbouring milliseconds at 500 ms, out of order in the file."""
    calm = [10 * MS * k for k in range(100)]
    burst = [500 * MS + k * MS // 15 for k in range(30)]
    path = capture(tmp_path, [*calm, *burst])

    found = windows(open_capture(path), parse("window=1ms,factor=100,top=2%"))

    assert [(w.start_ns - START, w.end_ns - START, w.factor) for w in found] == [(500 * MS, 502 * MS, 100.0)]
    (one,) = windows(open_capture(path), parse("window=1ms,factor=2"))
    assert one.end_ns - one.start_ns == MS, "one per cent of 101 windows with frames is one"


def test_windows_that_are_given_are_taken(tmp_path: Path) -> None:
    """In their order, those that overlap as one."""
    found = windows(
        open_capture(capture(tmp_path, [0, 10 * MS])), parse("window=2ms,factor=3,at=+0.007,at=+0.001,at=+0.002")
    )
    assert [((w.start_ns - START) / MS, (w.end_ns - START) / MS) for w in found] == [(1, 4), (7, 9)]


def test_windows_too_short_for_a_capture_are_refused(tmp_path: Path) -> None:
    """A week in nanoseconds has no room."""
    week = capture(tmp_path, [0, 7 * 86_400_000 * MS])
    with pytest.raises(SimbenchError, match="too short"):
        windows(open_capture(week), parse("window=1us,factor=3"))
