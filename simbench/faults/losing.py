"""Datagrams that are not sent: dropped one by one, or a whole line dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.faults.lot import NONE, Lot, of_line
from simbench.faults.stage import Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Dropping(Stage):
    """Leaves datagrams out."""

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that are sent."""
        chosen = self.chosen(lot)
        if not chosen.any():
            return lot
        self.note(lot.items[chosen], NONE)
        return lot.only(~chosen)


class Darkness(Stage):
    """Leaves whole stretches of lines out."""

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that are sent."""
        chosen = self.choice.matches(lot.items)
        self._note(lot, chosen)
        return lot.only(~chosen) if chosen.any() else lot

    def _note(self, lot: Lot, chosen: NDArray[np.bool_]) -> None:
        if self.setting.log is None:
            return
        for key in self.choice.lines:
            mine = of_line(lot.items, *key)
            if len(mine):
                self.setting.log.note_runs(self.setting.number, lot.items[mine], NONE, chosen[mine])
