"""A row for every channel: what it is doing, and what its holes came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import count, rate
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell


class Channels(TablePane):
    """State, lines, rate, and what was asked for again."""

    title = "channels"
    nothing = "no channel seen yet"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("channel", 8, right=False, stretch=True, most=16),
        Column("state", 14, right=False),
        Column("lines up", 8, rank=1),
        Column("per s", 6, rank=2),
        Column("requests", 8, rank=4),
        Column("repaired", 8, rank=3),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """How many are live."""
        live = sum(channel.state == "live" for channel in snapshot.channels)
        total = len(snapshot.channels)
        return f"{live} of {total} live" + self.position(total) if total else ""

    def size_of(self, snapshot: Snapshot) -> int:
        """How many there are."""
        return len(snapshot.channels)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One channel."""
        channel = snapshot.channels[index]
        glyph, ink = {
            "live": (self.glyphs.up, "good"),
            "joining": (self.glyphs.never, "dim"),
            "ended": (self.glyphs.dot, "dim"),
        }.get(channel.state, (self.glyphs.stale, "warn"))
        lines = [line for line in snapshot.lines if line.channel == channel.name]
        up = sum(line.state == "up" for line in lines)
        return (
            (channel.name, "strong"),
            (f"{glyph} {channel.state}", ink),
            (f"{up} of {len(lines)}", "text"),
            (rate(sum(line.rate for line in lines), 6), "text"),
            (count(channel.requests, 8), "text" if channel.requests else "dim"),
            (count(channel.repaired, 8), "text" if channel.repaired else "dim"),
        )
