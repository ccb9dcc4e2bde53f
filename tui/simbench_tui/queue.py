"""The queue of orders at the level that the cursor is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.columns import Column
from simbench_tui.format import exact, number
from simbench_tui.table import TablePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import QueueView, Snapshot
    from simbench_tui.pane import Cell, Row

_SIZE_CELLS = 7


class Queue(TablePane):
    """A row an order, first in the queue first; a book without single orders says so."""

    title = "queue"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("#", 3),
        Column("order", 8, stretch=True, most=20),
        Column("size", _SIZE_CELLS),
        Column("ahead", _SIZE_CELLS, rank=1),
    )

    def caption(self, snapshot: Snapshot) -> str:
        """The level."""
        level, book = self.look.level, snapshot.book
        if level is None or book is None:
            return self.title
        return f"queue  {level[0]} {exact(level[1], book.price_exponent)}"

    def heading(self, snapshot: Snapshot) -> str:
        """How many orders, and how many of them are listed."""
        queue = self._queue(snapshot)
        if queue is None or queue.orders < 0:
            return ""
        beyond = queue.orders - len(queue.first)
        said = f"{queue.orders:,} orders" if queue.orders != 1 else "1 order"
        return said + (f" {self.glyphs.dot} {beyond:,} more" if beyond > 0 else "")

    def size_of(self, snapshot: Snapshot) -> int:
        """How many are listed."""
        queue = self._queue(snapshot)
        return len(queue.first) if queue is not None else 0

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The orders, or why there are none."""
        queue = self._queue(snapshot)
        words = ""
        if self.look.level is None:
            words = "arrow keys choose a level"
        elif queue is None:
            words = "asking the receiver"
        elif queue.orders < 0:
            words = "no single orders in this feed"
        elif not queue.first:
            words = "no order at this price"
        return self.centred(words, width, height) if words else super().paint(snapshot, width, height)

    def row(self, snapshot: Snapshot, index: int) -> Sequence[Cell]:
        """One order."""
        queue, book = self._queue(snapshot), snapshot.book
        assert queue is not None
        assert book is not None
        ahead = sum(order.quantity for order in queue.first[:index])
        order = queue.first[index]
        return (
            (str(index + 1), "dim"),
            (str(order.order), "text"),
            (number(exact(order.quantity, book.quantity_exponent), _SIZE_CELLS), queue.side),
            (number(exact(ahead, book.quantity_exponent), _SIZE_CELLS), "dim"),
        )

    def _queue(self, snapshot: Snapshot) -> QueueView | None:
        """The queue of the chosen level, once it is there."""
        queue = snapshot.book.queue if snapshot.book is not None else None
        return queue if queue is not None and (queue.side, queue.price) == self.look.level else None
