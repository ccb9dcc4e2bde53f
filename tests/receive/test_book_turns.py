"""The time of the books is told from that of decoding, however often they take turns in one frame."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from book_turns import APPLY_NS
from small_feeds import ITCH, frames, make, rewrite

LATE_NS = 5_000_000  # less than a hole is waited for


@pytest.fixture(scope="module")
def overtaken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture in which a datagram is late on both lines, and several wait for it."""
    folder = tmp_path_factory.mktemp("turns")
    path = make(folder / "whole", ITCH, 60, rate=5_000.0, window_ns=1)
    every = frames(path, ITCH)
    late = sorted({frame.sequence for frame in every if frame.units})[10]
    for frame in every:
        if frame.sequence == late and frame.units:
            frame.stamp += LATE_NS
    feed = (path.parent / "feed.toml").read_text(encoding="utf-8")
    return rewrite(folder / "late", sorted(every, key=lambda frame: frame.stamp), feed)


def turns(path: Path, *, timed: bool) -> list[list[int]]:
    """Return decodes, applies and the books' time of each frame, in plain Python with a clock that only these move."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("book_turns.py")), str(path), str(int(timed))],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    found: list[list[int]] = json.loads(run.stdout)
    return found


def test_books_are_charged_for_their_turns_and_for_nothing_else(overtaken: Path) -> None:
    """Decoding between two turns of one frame is not theirs; a frame that brings nothing has no turn."""
    found = turns(overtaken, timed=True)

    assert [ns for _, _, ns in found] == [APPLY_NS * applies for _, applies, _ in found]
    assert {applies for _, applies, _ in found} >= {0, 1}
    assert max(decodes for decodes, _, _ in found) > 3


def test_nobody_asks_the_clock_where_nobody_wants_to_know(overtaken: Path) -> None:
    """Offline the pipeline reads no clock."""
    assert {ns for _, _, ns in turns(overtaken, timed=False)} == {0}
