"""Datagrams sent at another time: later, twice, after those behind them; and lines that are late as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simbench.faults.draw import SALT_JITTER, draws
from simbench.faults.lot import PART, Lot, empty, join, of_line
from simbench.faults.script import Delay, Duplicate, Reorder, Skew
from simbench.faults.stage import Holding, Setting, Stage, remade, replaced
from simbench.times import duration_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Delaying(Holding):
    """Sends datagrams later, one by one: the next ones of their line may overtake them."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Delay)
        self._delay = duration_ns(setting.fault.delay)
        self._jitter = duration_ns(setting.fault.jitter)

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that are due before any that can still come."""
        if not len(lot):
            return lot
        reached = int(lot.items["when"][-1])
        chosen = self.chosen(lot)
        if chosen.any():
            before = lot.items[chosen]
            due = before["when"] + self._delay
            if self._jitter:
                bits = draws(self.setting.seed, self.setting.number, before["ordinal"], SALT_JITTER)
                due += (bits % np.uint64(self._jitter + 1)).astype(np.int64)
            self.note(before, due, due - before["when"])
            lot = Lot(lot.items.copy(), lot.data)
            lot.items["when"][chosen] = due
            lot.items["moved"][chosen] = 1
        return self.pass_on(lot, reached)


class Skewing(Holding):
    """Sends a line later as a whole: a datagram never overtakes one of its own line, also where the skew ends."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Skew)
        self._delay = duration_ns(setting.fault.delay)
        self._latest: dict[tuple[int, int], int] = {}

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that are due before any that can still come."""
        if not len(lot):
            return lot
        reached = int(lot.items["when"][-1])
        chosen = self.choice.matches(lot.items)
        lot = Lot(lot.items.copy(), lot.data)
        for key in self.choice.lines:
            mine = of_line(lot.items, *key)
            if len(mine):
                self._skew(key, lot, mine, chosen[mine])
        return self.pass_on(lot, reached)

    def _skew(self, key: tuple[int, int], lot: Lot, mine: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        before = lot.items[mine]
        due = before["when"] + self._delay * chosen
        due = np.maximum.accumulate(np.maximum(due, self._latest.get(key, due[0])))
        self._latest[key] = int(due[-1])
        late = due > before["when"]
        lot.items["when"][mine] = due
        lot.items["moved"][mine[late]] = 1
        if self.setting.log is not None:
            self.setting.log.note_runs(self.setting.number, before, due, late)


class Duplicating(Holding):
    """Sends copies behind datagrams."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Duplicate)
        self._copies = setting.fault.copies
        self._delay = duration_ns(setting.fault.delay)

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that are due before any that can still come."""
        if not len(lot):
            return lot
        reached = int(lot.items["when"][-1])
        chosen = self.chosen(lot)
        lot = Lot(lot.items.copy(), lot.data)
        lot.items["ordinal"] = remade(lot.items["ordinal"], self._copies + 1)
        if chosen.any():
            places = np.repeat(np.flatnonzero(chosen), self._copies)
            number = 1 + np.tile(np.arange(self._copies), int(np.count_nonzero(chosen)))
            copies = lot.only(places)
            copies.items["ordinal"] += number << PART
            copies.items["when"] += number * self._delay
            copies.items["moved"] |= self._delay > 0
            self.note(lot.items[chosen], copies.items["when"][:: self._copies], self._copies)
            lot = replaced(lot, np.zeros(len(lot), np.bool_), join([copies]), places)
        return self.pass_on(lot, reached)


class Reordering(Stage):
    """Sends datagrams after those that follow them on their line, one at a time on each line."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Reorder)
        self._by = setting.fault.by
        self._held: dict[tuple[int, int], Lot] = {}
        self._left: dict[tuple[int, int], int] = {}  # how many still have to overtake it
        self._latest = 0

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return them without those held back, and with those that have been overtaken."""
        if not len(lot):
            return lot
        self._latest = int(lot.items["when"][-1])
        chosen = self.choice.candidates(lot.items)
        gone = np.zeros(len(lot), np.bool_)
        put: list[Lot] = []
        places: list[int] = []
        for key in self.choice.lines:
            self._pass(key, lot, of_line(lot.items, *key), chosen, gone, put, places)
        if not put and not gone.any():
            return lot
        where = np.array(places, np.int64)
        made = join(put) if put else empty()
        if len(made):
            self.note(made.items, lot.items["when"][where], self._by)
            made.items["when"] = lot.items["when"][where]
            made.items["moved"] = 1
        return replaced(lot, gone, made, where)

    def _pass(
        self,
        key: tuple[int, int],
        lot: Lot,
        mine: NDArray[np.int64],
        chosen: NDArray[np.bool_],
        gone: NDArray[np.bool_],
        put: list[Lot],
        places: list[int],
    ) -> None:
        """Go through a line's frames: who is held back, and behind whom it is sent."""
        at = 0
        while at < len(mine):
            if key in self._held:
                step = min(self._left[key], len(mine) - at)
                self._left[key] -= step
                at += step
                if self._left[key] == 0:
                    put.append(self._held.pop(key))
                    places.append(int(mine[at - 1]))
                continue
            following = np.flatnonzero(chosen[mine[at:]])
            if not len(following):
                return
            at += int(following[0])
            if self.choice.may(*key):
                gone[mine[at]] = True
                self._held[key] = join([lot.only(mine[at : at + 1])])
                self._left[key] = self._by
            at += 1

    def end(self) -> Lot:
        """Return what is held back: too few have followed, so it is the last."""
        if not self._held:
            return empty()
        last = join(list(self._held.values()))
        self._held = {}
        last = last.only(np.argsort(last.items["when"], kind="stable"))
        self.note(last.items, self._latest, self._by)
        last.items["when"] = self._latest
        last.items["moved"] = 1
        return last
