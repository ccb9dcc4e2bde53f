"""The frames that took longest: where their time went, and what they carried."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.constants import CALM_NS
from simbench_tui.format import count, duration, time_of_day
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell

_STAGES = {"hook_book": "driver hook to book", "send_book": "send to book"}


class Worst(TablePane):
    """A row a frame, the longest first."""

    title = "worst frames"
    nothing = "no frame measured yet"
    calm_ns = CALM_NS
    columns: ClassVar[tuple[Column, ...]] = (
        Column("took", 7),
        Column("before", 7, rank=2),
        Column("handler", 7, rank=3),
        Column("away", 7, rank=5),
        Column("recorded (UTC)", 15, rank=8, right=False),
        Column("channel", 8, rank=6, right=False),
        Column("ln", 2, rank=7, right=False),
        Column("sequence", 10, rank=1),
        Column("msgs", 4, rank=9),
        Column("bytes", 5, rank=10),
        Column("kinds", 12, rank=4, right=False, stretch=True),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """What they took it from and to, and how many the core was away for."""
        if not snapshot.worst:
            return ""
        dot = self.glyphs.dot
        away = sum(frame.away_ns > 0 for frame in snapshot.worst)
        said = _STAGES.get(snapshot.worst[0].stage, "")
        return f"{said} {dot} core away for {away} of {len(snapshot.worst)}" + self.position(len(snapshot.worst))

    def size_of(self, snapshot: Snapshot) -> int:
        """How many there are."""
        return len(snapshot.worst)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One frame."""
        frame = snapshot.worst[index]
        return (
            (duration(frame.ns), "strong"),
            (duration(frame.before_ns), "text"),
            (duration(frame.handling_ns), "text"),
            (duration(frame.away_ns), "warn") if frame.away_ns else ("-", "dim"),
            (time_of_day(frame.recorded_ns), "dim"),
            (frame.channel, "text"),
            (frame.line, "strong"),
            ("?" if frame.sequence < 0 else str(frame.sequence), "text"),
            (count(frame.messages, 4), "dim"),
            (str(frame.size), "dim"),
            (" ".join(f"{key}:{number}" for key, number in frame.kinds), "dim"),
        )
