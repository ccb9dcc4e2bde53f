"""The queues of the wire: which channels each owns, where its thread runs, and what that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import count, duration, rate
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.pane import Cell


class Queues(TablePane):
    """A row a queue; with one queue there is nothing to steer."""

    title = "queues"
    nothing = "one queue, one thread: nothing is steered"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("queue", 5),
        Column("core", 4),
        Column("frames", 9, rank=3),
        Column("per s", 6, rank=1),
        Column("p50", 7, rank=4),
        Column("p99", 7, rank=2),
        Column("hiccups", 7, rank=6),
        Column("drops", 6, rank=5),
        Column("chs", 3, rank=7),
        Column("channels", 16, rank=8, right=False, stretch=True),
    )

    def heading(self, snapshot: Snapshot) -> str:
        """How many there are."""
        queues = snapshot.run.queues
        return f"{len(queues)}" + self.position(len(queues)) if queues else ""

    def size_of(self, snapshot: Snapshot) -> int:
        """How many there are."""
        return len(snapshot.run.queues)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One queue."""
        queue = snapshot.run.queues[index]
        core = "any" if queue.cpu < 0 else str(queue.cpu)
        load = snapshot.loads[index] if index < len(snapshot.loads) else None
        figures: tuple[Cell, ...] = (("-", "dim"),) * 6
        if load is not None:
            figures = (
                (count(load.frames, 9), "text"),
                (rate(load.rate, 6), "text"),
                (duration(load.p50), "text"),
                (duration(load.p99), "strong"),
                (count(load.hiccups, 7), "warn" if load.hiccups else "dim"),
                (count(load.drops, 6), "bad" if load.drops else "dim"),
            )
        return (
            (str(queue.number), "strong"),
            (core, "text"),
            *figures,
            (str(len(queue.channels)), "dim"),
            (", ".join(queue.channels), "dim"),
        )
