"""Holes in the sequences: the open ones first, then the latest."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import count, duration, time_of_day
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import GapView, Snapshot
    from simbench_tui.pane import Cell


_SHORTEST, _LONGEST = 3, 10  # decades of ns across a life line: 1 us to 10 s
_SHORTEST_NS = 10**_SHORTEST
_LIFE_CELLS = 17
OPEN = frozenset({"open", "asked"})
SHORT = {"retransmission": "resent", "natural refresh": "refreshed"}


class Gaps(TablePane):
    """What is missing, since when, and what became of it."""

    title = "gaps"
    nothing = "no gap"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("outcome", 12, right=False),
        Column("channel", 8, rank=1, right=False),
        Column("ep", 2, rank=5),
        Column("first", 11),
        Column("last", 11, rank=3),
        Column("units", 6),
        Column("open for", 8, rank=2),
        Column("detected (UTC)", 15, rank=4),
        Column("life", 22, rank=6, right=False),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """Totals."""
        open_gaps = sum(gap.outcome in OPEN for gap in snapshot.gaps)
        lost = f" {self.glyphs.dot} ".join(
            (f"{open_gaps} open", f"{snapshot.gaps_lost:,} lost", f"{snapshot.gaps_total:,} in all")
        )
        return lost + self.position(len(snapshot.gaps))

    def size_of(self, snapshot: Snapshot) -> int:
        """How many records the snapshot carries."""
        return len(snapshot.gaps)

    def _life(self, gap: GapView, end: str) -> str:
        """Opened, held for so long on a log axis, how often asked for, and how it ended."""
        length = round((log10(max(gap.open_ns, _SHORTEST_NS)) - _SHORTEST) / (_LONGEST - _SHORTEST) * _LIFE_CELLS)
        line = self.glyphs.todo * max(1, min(length, _LIFE_CELLS))
        asked = f"?{gap.attempts}" if gap.attempts > 1 else "?" * gap.attempts
        half = len(line) // 2
        return f"{self.glyphs.tick}{line[:half]}{asked}{line[half:]}{end}"

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One gap."""
        gap = snapshot.gaps[index]
        glyph, ink = self.glyphs.up, "good"
        if gap.outcome in OPEN:
            glyph, ink = self.glyphs.stale, "warn"
        elif gap.outcome == "lost":
            glyph, ink = self.glyphs.bad, "bad"
        text = "dim" if ink == "good" else "text"
        return (
            (f"{glyph} {SHORT.get(gap.outcome, gap.outcome)}", ink),
            (gap.channel, text),
            (str(gap.epoch), "dim"),
            (str(gap.first), text),
            (str(gap.last), text),
            (count(gap.units, 6), text),
            (duration(gap.open_ns), text),
            (time_of_day(gap.detected_ns), "dim"),
            (self._life(gap, glyph), ink),
        )
