"""The list of gaps that a reader looks at: the open ones, and those of the ring of closed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.measure import telemetry as t
from simbench.measure.snapshot import GapView, LogLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.names import Names

    Words = NDArray[np.int64]


class GapList:
    """Looks at the gaps of all channels.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called.
    """

    def __init__(self, words: Words, names: Names) -> None:
        self._words = words
        self._names = names
        self._ring = words[t.GAP_BASE : t.GAP_BASE + t.GAP_ROWS * t.GAP_WORDS]
        self._image = b""  # of the ring, as it was
        self._known: list[tuple[list[int], GapView] | None] = [None] * t.GAP_ROWS  # of the ring's rows, as they were
        self._closed: tuple[GapView, ...] = ()
        self._seen = 0

    def look(self, position: int) -> tuple[tuple[GapView, ...], list[LogLine]]:
        """Return every gap, the open ones first, then the latest; and a line for each that closed since the last look.

        Args:
            position: recorded time of the replay, up to which an open gap lasts.
        """
        total = int(self._words[t.GAPS])
        image = self._ring.tobytes()
        told: list[LogLine] = []
        if total != self._seen or image != self._image:
            told = self._walk(total)
            self._seen, self._image = total, image
        holes = []
        for number in range(int(self._words[t.GAPS_OPEN])):
            base = t.OPEN_BASE + number * t.GAP_WORDS
            row = self._words[base : base + t.GAP_WORDS].tolist()
            holes.append(self._view(row, "asked" if row[t.GAP_ATTEMPTS] else "open", position))
        return (*holes, *self._closed), told

    def _walk(self, total: int) -> list[LogLine]:
        rows = self._ring.reshape(t.GAP_ROWS, t.GAP_WORDS).tolist()
        views, told = [], []
        for number in range(max(0, total - t.GAP_ROWS), total):
            place = number % t.GAP_ROWS
            row = rows[place]
            if row[t.GAP_UNITS] == 0:  # joined to another
                continue
            known = self._known[place]
            if known is None or known[0] != row:
                view = self._view(row, self._names.outcome(row[t.GAP_OUTCOME]), row[t.GAP_CLOSED])
                known = self._known[place] = (row, view)
            view = known[1]
            views.append(view)
            if number >= self._seen:
                level = "warning" if view.outcome == "lost" else "info"
                told.append(
                    LogLine(view.detected_ns, level, f"{view.channel}: gap {view.first}-{view.last} {view.outcome}")
                )
        self._closed = tuple(reversed(views))
        return told

    def _view(self, row: list[int], outcome: str, until: int) -> GapView:
        return GapView(
            channel=self._names.channel(row[t.GAP_CHANNEL]),
            epoch=row[t.GAP_EPOCH],
            first=row[t.GAP_FIRST],
            last=row[t.GAP_LAST],
            outcome=outcome,
            detected_ns=row[t.GAP_DETECTED],
            open_ns=max(0, until - row[t.GAP_DETECTED]),
            units=row[t.GAP_UNITS],
            attempts=row[t.GAP_ATTEMPTS],
        )
