"""Recorded time on a row of cells: which column a moment is in, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.graph import area

if TYPE_CHECKING:
    from simbench.measure.snapshot import RunInfo


def column_at(ns: int, run: RunInfo, width: int) -> int:
    """The column of a recorded time; what is outside of the run is in the nearest."""
    span = run.last_ns - run.first_ns
    return min(max((ns - run.first_ns) * width // span, 0), width - 1) if span > 0 else 0


def time_at(column: int, run: RunInfo, width: int) -> int:
    """The first recorded time that is in a column, ns since 1970."""
    span = run.last_ns - run.first_ns
    return run.first_ns - (-span * min(max(column, 0), width) // max(width, 1))


class RatePicture:
    """The capture's rate as an area: made once for a size, since a run's strip never changes.

    Args:
        levels: a vertical bar's cell, from empty to full.
    """

    def __init__(self, levels: str) -> None:
        self._levels = levels
        self._made: tuple[RunInfo | None, int, int] = (None, 0, 0)
        self._rows: list[str] = []
        self.peak = 0.0

    def rows(self, run: RunInfo, width: int, height: int) -> list[str]:
        """The area, top first; its whole height is `peak` frames a second. No rows where nothing is known."""
        if (run, width, height) != self._made:
            rates = run.strip.over(run.first_ns, run.last_ns, width) if run.strip is not None else []
            self.peak = max(rates, default=0.0)
            self._rows = area([rate / self.peak for rate in rates], height, self._levels) if self.peak > 0 else []
            self._made = (run, width, height)
        return self._rows
