"""What the doctor says of how the host is set up: what keeps its cores from doing one thing at an even pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell

_WORST_FIRST = ("missing", "change", "note", "good")


class Host(TablePane):
    """A line of the doctor's a row; those with an advice that changes figures come first."""

    title = "host"
    nothing = "not looked at; simbench doctor tells"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("verdict", 9, right=False),
        Column("of", 24, right=False),
        Column("found", 22, right=False, stretch=True, most=40),
        Column("advice", 24, rank=1, right=False, stretch=True),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """How much there is to change."""
        lines = snapshot.run.host
        if not lines:
            return ""
        changes = sum(line.verdict in {"missing", "change"} for line in lines)
        return f"changes advised: {changes}" + self.position(len(lines))

    def size_of(self, snapshot: Snapshot) -> int:
        """How many lines there are."""
        return len(snapshot.run.host)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One line."""
        ranked = sorted(snapshot.run.host, key=lambda line: _WORST_FIRST.index(line.verdict))
        line = ranked[index]
        glyph, ink = {
            "good": (self.glyphs.up, "good"),
            "note": (self.glyphs.dot, "dim"),
            "change": (self.glyphs.warn, "warn"),
        }.get(line.verdict, (self.glyphs.bad, "bad"))
        return (f"{glyph} {line.verdict}", ink), (line.name, "text"), (line.found, "text"), (line.advice, "dim")
