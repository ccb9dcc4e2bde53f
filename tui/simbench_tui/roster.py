"""Which instrument is shown, and which comes next: an order that does not change under the user's fingers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.constants import FOLLOW_FACTOR, ROSTER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simbench.measure.snapshot import InstrumentRow


class Roster:
    """Instruments in the order in which they were first seen, the busiest of each moment first.

    Attributes:
        chosen: index of the shown instrument; None before any was seen.
        following: whether the busiest one is shown, until a key chooses.
    """

    def __init__(self) -> None:
        self.chosen: int | None = None
        self.following = True
        self._order: list[int] = []
        self._places: dict[int, int] = {}
        self._rows: Sequence[InstrumentRow] = ()

    @property
    def rows(self) -> Sequence[InstrumentRow]:
        """The instruments of the last snapshot, the busiest first."""
        return self._rows

    def see(self, rows: Sequence[InstrumentRow]) -> None:
        """Take note of the instruments of a snapshot, the busiest first."""
        self._rows = rows
        self._remember(row.index for row in rows)
        if not self.following or not rows:
            return
        updates = {row.index: row.updates for row in rows}
        if self.chosen is None or rows[0].updates > FOLLOW_FACTOR * updates.get(self.chosen, 0):
            self.chosen = rows[0].index

    def move(self, by: int) -> None:
        """Choose the instrument so many places on, around the end."""
        if self._order:
            self.following = False
            place = -1 if self.chosen is None and by > 0 else self._places.get(self.chosen or 0, 0)
            self.chosen = self._order[(place + by) % len(self._order)]

    def choose(self, index: int) -> None:
        """Choose this instrument."""
        self._remember([index])
        self.chosen = index
        self.following = False

    def follow(self) -> None:
        """Show the busiest one again."""
        self.following = True
        if self._rows:
            self.chosen = self._rows[0].index

    def _remember(self, indices: Iterable[int]) -> None:
        for index in indices:
            if index not in self._places and len(self._order) < ROSTER_LIMIT:
                self._places[index] = len(self._order)
                self._order.append(index)


def search(rows: Sequence[InstrumentRow], words: str) -> list[InstrumentRow]:
    """Instruments whose symbol, key or channel holds every word; whole names first, then beginnings, then activity."""
    asked = words.casefold().split()
    if not asked:
        return list(rows)
    found = []
    for row in rows:
        names = (row.symbol.casefold(), row.key.casefold(), row.channel.casefold())
        if all(any(word in name for name in names) for word in asked):
            whole = any(word in names for word in asked)
            start = any(name.startswith(word) for word in asked for name in names[:2])
            found.append((not whole, not start, row))
    found.sort(key=lambda item: item[:2])
    return [row for _, _, row in found]
