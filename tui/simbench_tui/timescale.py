"""Recorded time on a row of cells: which column a moment is in, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simbench.measure.snapshot import RunInfo


def column_at(ns: int, run: RunInfo, width: int) -> int:
    """The column of a recorded time; what is outside of the run is in the nearest."""
    span = run.last_ns - run.first_ns
    return min(max((ns - run.first_ns) * width // span, 0), width - 1) if span > 0 else 0


def time_at(column: int, run: RunInfo, width: int) -> int:
    """The recorded time at which a column begins, ns since 1970."""
    return run.first_ns + (run.last_ns - run.first_ns) * min(max(column, 0), width) // max(width, 1)


class Rates:
    """The capture's rate by column: made once for a width, since a run's strip never changes."""

    def __init__(self) -> None:
        self._made: tuple[RunInfo | None, int] = (None, 0)
        self._shares: list[float] = []
        self.peak = 0.0

    def shares(self, run: RunInfo, width: int) -> list[float]:
        """Shares of the highest rate, 0 to 1; none where nothing is known of the capture."""
        if (run, width) != self._made:
            rates = run.strip.over(run.first_ns, run.last_ns, width) if run.strip is not None else []
            self.peak = max(rates, default=0.0)
            self._shares = [rate / self.peak for rate in rates] if self.peak > 0 else []
            self._made = (run, width)
        return self._shares
