"""The queues of the wire: which channels each owns, and on which core its thread runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
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
        Column("channels", 8),
        Column("which", 16, right=False, stretch=True),
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
        return (
            (str(queue.number), "strong"),
            (core, "text"),
            (str(len(queue.channels)), "text"),
            (", ".join(queue.channels), "dim"),
        )
