"""A row for every line of every channel: is it alive, and what does it contribute?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import count, duration, fit, rate
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell


MOST_BUSY = 3  # channels named in the heading


class Lines(TablePane):
    """State, datagrams, arbitration and loss by line."""

    title = "lines"
    nothing = "no line seen yet"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("state", 7, right=False),
        Column("channel", 8, right=False, stretch=True, most=16),
        Column("ln", 2, right=False),
        Column("group", 21, rank=9, right=False),
        Column("datagrams", 9, rank=2),
        Column("per s", 6, rank=4),
        Column("won", 9, rank=5),
        Column("won %", 5, rank=1),
        Column("dup", 9, rank=8),
        Column("late", 5, rank=7),
        Column("missing", 7),
        Column("last seq", 12, rank=10),
        Column("age", 7, rank=3),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """How many lines are up, which channels are not simply live, and how many books are in which state."""
        up = sum(line.state == "up" for line in snapshot.lines)
        busy = [f"{channel.name} {channel.state}" for channel in snapshot.channels if channel.state != "live"]
        said = [f"{up} of {len(snapshot.lines)} up", *busy[:MOST_BUSY]]
        if snapshot.states:
            said.append("books " + ", ".join(f"{count:,} {state}" for state, count in snapshot.states.items()))
        return f" {self.glyphs.dot} ".join(said) + self.position(len(snapshot.lines))

    def size_of(self, snapshot: Snapshot) -> int:
        """How many lines there are."""
        return len(snapshot.lines)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One line."""
        line = snapshot.lines[index]
        glyph, ink = {
            "up": (self.glyphs.up, "good"),
            "stale": (self.glyphs.stale, "warn"),
            "down": (self.glyphs.bad, "bad"),
        }.get(line.state, (self.glyphs.never, "dim"))
        quiet = "dim" if line.age_ns < 0 else "text"
        won = f"{100 * line.won / line.datagrams:5.1f}" if line.datagrams else "    -"
        return (
            (f"{glyph} {line.state}", ink),
            (line.channel, quiet),
            (line.name, "strong"),
            (fit(line.group, 21, self.glyphs.ellipsis), "dim"),
            (count(line.datagrams, 9), quiet),
            (rate(line.rate, 6), quiet),
            (count(line.won, 9), quiet),
            (won, quiet),
            (count(line.duplicates, 9), "dim"),
            (count(line.late, 5), "warn" if line.late else "dim"),
            (count(line.missing, 7), "warn" if line.missing else "dim"),
            (str(line.last_sequence), "dim"),
            ("  never" if line.age_ns < 0 else duration(line.age_ns), ink if ink in {"warn", "bad"} else "dim"),
        )
