"""Windows of a capture that are replayed faster than the rest: a schedule on which only the bursts are compressed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Times = NDArray[np.int64]


class Window(msgspec.Struct, frozen=True):
    """A stretch of recorded time that takes a fraction of its length.

    Attributes:
        start_ns: ns since 1970.
        end_ns: behind it.
        factor: how much faster it passes than the rest, above 0.
    """

    start_ns: int
    end_ns: int
    factor: float

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns or not self.factor > 0:
            raise SimbenchError("a burst needs a window longer than 0 and a factor above 0")


def squeeze(stamps: Times, windows: Sequence[Window]) -> Times:
    """Return recorded times on the schedule on which these windows are compressed; order is kept.

    What is before the first window stays where it is; what is behind a window moves ahead by what the window lost.

    Args:
        stamps: int64[n], ns since 1970.
        windows: in order, none overlapping another.

    Raises:
        SimbenchError: two overlap.
    """
    if not windows:
        return stamps
    for before, after in pairwise(windows):
        if after.start_ns < before.end_ns:
            raise SimbenchError("windows of bursts overlap, or are out of order")
    starts = np.array([window.start_ns for window in windows], np.int64)
    lengths = np.array([window.end_ns for window in windows], np.int64) - starts
    factors = np.array([window.factor for window in windows])
    kept = np.rint(lengths / factors).astype(np.int64)
    lost = np.concatenate([[0], np.cumsum(lengths - kept)])  # before each window
    at = np.searchsorted(starts, stamps, side="right") - 1
    inside = np.where(at < 0, 0, at)
    passed = np.clip(stamps - starts[inside], 0, lengths[inside])
    saved = lost[inside] + passed - np.rint(passed / factors[inside]).astype(np.int64)
    return np.where(at < 0, stamps, stamps - saved)


def pace(stamps: NDArray[np.int64], windows: Sequence[Window]) -> dict[str, float | int] | None:
    """Say how fast what lies in the windows was due, sent and received, as multiples of the recorded pace.

    Each is the recorded time from a window's first frame to its last over the time from when the first was due to when
    the last was due, sent and received, all windows together; None where no window has two frames.

    Args:
        stamps: int64[n, 4] of recorded (ns since 1970), T0, T1 and T3 (CLOCK_MONOTONIC), by T1.
        windows: in order.
    """
    took = np.zeros(4, np.int64)
    frames = windows_met = 0
    for window in windows:
        rows = stamps[(stamps[:, 0] >= window.start_ns) & (stamps[:, 0] < window.end_ns)]
        if len(rows) < 2:
            continue
        took += rows.max(axis=0) - np.array([rows[:, 0].min(), *[rows[:, 1].min()] * 3])
        frames += len(rows)
        windows_met += 1
    if not windows_met:
        return None
    due, sent, received = (float(took[0] / max(1, each)) for each in took[1:])
    return {"windows": windows_met, "frames": frames, "due": due, "sent": sent, "received": received}
