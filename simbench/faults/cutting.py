"""The same messages cut into datagrams differently: split between messages, or several in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.capture.seal import ETHERNET
from simbench.faults.lot import PART, SOUND, UNALTERED, Lot, carries, empty, join, of_line
from simbench.faults.script import Merge, Split
from simbench.faults.stage import Setting, Stage, Writer, payload_of, remade, replaced
from simbench.times import duration_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.stage import Items

LONGEST: Final = ETHERNET + 1500  # bytes of a frame that every Ethernet carries


class Splitting(Stage):
    """Cuts datagrams between messages."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Split)
        self._pieces = setting.fault.pieces

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return them, cut."""
        items = lot.items.copy()
        items["ordinal"] = remade(items["ordinal"], self._pieces)
        lot = Lot(items, lot.data)
        candidates = self.choice.candidates(items) & _whole(items) & (items["last"] > items["first"])
        cuts = {int(index): self._cut(lot, int(index)) for index in np.flatnonzero(candidates)}
        able = np.zeros(len(lot), np.bool_)
        able[[index for index, pieces in cuts.items() if pieces]] = True
        chosen = self.choice.limited(items, able)
        if not chosen.any():
            return lot
        writer, places, counts = Writer(lot), [], []
        for index in np.flatnonzero(chosen).tolist():
            counts.append(len(cuts[index]))
            for number, (packet, first, units) in enumerate(cuts[index]):
                item = writer.add(index, packet)
                item["ordinal"] += number << PART
                item["first"] += first
                item["last"] = item["first"] + units - 1
                places.append(index)
        self.note(items[chosen], items["when"][chosen], np.array(counts, np.int64))
        return replaced(lot, chosen, writer.lot(), np.array(places, np.int64))

    def _cut(self, lot: Lot, index: int) -> list[tuple[bytes, int, int]]:
        rewriting = self.setting.lines.protocols[int(lot.items[index]["channel"])].rewriting
        return rewriting.cut(payload_of(lot, index), self._pieces) if rewriting is not None else []


class Merging(Stage):
    """Sends several datagrams of a line as one, at the time of the last of them.

    What may still be merged is held back, with all that is sent after it.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Merge)
        self._datagrams = setting.fault.datagrams
        self._within = duration_ns(setting.fault.within)
        self._held = empty()
        self._waiting: NDArray[np.bool_] = np.zeros(0, np.bool_)  # of those held: the ones to start with

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that nothing can be merged with any more."""
        if not len(lot):
            return lot
        chosen = self.choice.candidates(lot.items) & _whole(lot.items) & carries(lot.items)
        self._waiting = np.concatenate([self._waiting, chosen])
        self._held = join([self._held, lot])
        return self._settle(int(lot.items["when"][-1]) - self._within)

    def end(self) -> Lot:
        """Return all that is held back."""
        return self._settle(None)

    def _settle(self, until: int | None) -> Lot:
        """Merge what starts before a time, everything where None; return what is sent before it."""
        lot, waiting = self._held, self._waiting
        ripe = np.ones(len(lot), np.bool_) if until is None else lot.items["when"] < until
        gone = np.zeros(len(lot), np.bool_)
        writer, places = Writer(lot), []
        for key in self.choice.lines:
            mine = of_line(lot.items, *key)
            at = 0
            while at < len(mine):
                first = int(mine[at])
                group = self._group(lot, mine[at:]) if waiting[first] and ripe[first] else []
                if len(group) < 2 or not self.choice.may(*key):
                    at += 1
                    continue
                gone[group] = True
                waiting[group] = False
                places.append(group[-1])
                self._merge(lot, group, writer)
                at += len(group)
        made = writer.lot()
        if len(made):
            marks = np.concatenate([waiting & ~ripe, np.zeros(len(made), np.bool_)])
            keys = np.concatenate([2 * np.arange(len(lot)), 2 * np.array(places, np.int64) + 1])
            order = np.argsort(keys, kind="stable")
            kept = np.concatenate([~gone, np.ones(len(made), np.bool_)])[order]
            waiting = marks[order][kept]
            lot = replaced(lot, gone, made, np.array(places, np.int64))
        else:
            waiting = waiting & ~ripe
        now = np.ones(len(lot), np.bool_) if until is None else lot.items["when"] < until
        self._held, self._waiting = join([lot.only(~now)]), waiting[~now]
        return lot.only(now)

    def _group(self, lot: Lot, mine: NDArray[np.int64]) -> list[int]:
        """Return the first frame of these and the ones behind it that can be sent with it."""
        items: Items = lot.items
        group = [int(mine[0])]
        start = items[group[0]]
        length = int(start["length"])
        rewriting = self.setting.lines.protocols[int(start["channel"])].rewriting
        assert rewriting is not None
        for index in mine[1 : self._datagrams].tolist():
            before, item = items[group[-1]], items[index]
            packet = payload_of(lot, index)
            length += len(packet) - rewriting.header
            fits = (
                item["packets"] == 1
                and item["sound"] == SOUND
                and item["altered"] == start["altered"] == UNALTERED
                and item["last"] >= item["first"] == before["last"] + 1
                and all(item[name] == start[name] for name in ("stream", "session", "turn", "generation"))
                and item["when"] - start["when"] <= self._within
                and length <= LONGEST
            )
            if not fits:
                break
            group.append(index)
        return group

    def _merge(self, lot: Lot, group: list[int], writer: Writer) -> None:
        first, last = lot.items[group[0]], lot.items[group[-1]]
        rewriting = self.setting.lines.protocols[int(first["channel"])].rewriting
        assert rewriting is not None
        units = int(last["last"] - first["first"] + 1)
        item = writer.add(group[0], rewriting.joined([payload_of(lot, index) for index in group], units))
        self.note(lot.items[group[:1]], int(last["when"]), len(group))
        item["last"] = last["last"]
        item["when"] = last["when"]
        item["moved"] = 1


def _whole(items: Items) -> NDArray[np.bool_]:
    """Return whether frames hold one packet that can be read: bool[n]."""
    whole: NDArray[np.bool_] = (items["channel"] >= 0) & (items["packets"] == 1) & (items["sound"] == SOUND)
    return whole
