"""What all faults have in common: lots in, lots out, in the order in which frames are sent.

A stage may hold frames back. It never hands one out before a frame that is sent earlier, and lots of any size give the
same frames: what a stage remembers from lot to lot is only what that needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.capture.seal import seal
from simbench.errors import SimbenchError
from simbench.faults.choice import Choice
from simbench.faults.lot import PART, Lot, empty, join, ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.lines import Lines
    from simbench.faults.log import Log
    from simbench.faults.script import Fault

    Bytes = NDArray[np.uint8]
    Items = NDArray[Any]


MOST_HELD: Final = 1 << 30  # bytes that a fault may hold back


@dataclass(frozen=True)
class Setting:
    """What a stage is told.

    Attributes:
        fault: of the script.
        number: its place in the script, from 1.
        seed: of the script.
        lines: of the feed.
        start_ns: stamp of the capture's first frame.
        log: takes note of what is done; nobody does where None.
    """

    fault: Fault
    number: int
    seed: int
    lines: Lines
    start_ns: int
    log: Log | None


class Stage:
    """One fault in one pass over a capture."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.choice = Choice(setting.fault, setting.number, setting.seed, setting.lines.feed, setting.start_ns)

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return those that can be sent now."""
        raise NotImplementedError

    def end(self) -> Lot:
        """Return what is still held back: nothing comes any more."""
        return empty()

    def note(self, items: Items, due: NDArray[np.int64] | int, detail: Any = 0) -> None:
        """Log what was done to some frames."""
        if self.setting.log is not None and len(items):
            self.setting.log.note(self.setting.number, items, due, detail)

    def chosen(self, lot: Lot, able: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Return which frames are taken, of those that can be: bool[n]."""
        found = self.choice.candidates(lot.items)
        return self.choice.limited(lot.items, found if able is None else found & able)


class Holding(Stage):
    """A stage that sends frames later."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._held = empty()

    def pass_on(self, lot: Lot, reached: int) -> Lot:
        """Put frames, with those held before, into the order of their times; return those due by a time.

        Args:
            lot: frames whose times may have been raised.
            reached: recorded time before which no other frame can come.
        """
        if not len(self._held) and (not len(lot) or (int(lot.items["when"][-1]) <= reached and _sorted(lot.items))):
            return lot
        both = ordered(join([self._held, lot]) if len(self._held) else lot)
        due = both.items["when"] <= reached
        self._held = join([both.only(~due)])
        if len(self._held.data) > MOST_HELD:
            raise SimbenchError(
                f"fault {self.setting.number} ({self.setting.fault.kind}) holds back more than {MOST_HELD >> 20:,} MiB "
                "of frames at once: shorten its delay, or let it take fewer"
            )
        return both.only(due)

    def end(self) -> Lot:
        """Return all that is held."""
        held, self._held = self._held, empty()
        return held


def _sorted(items: Items) -> bool:
    return bool(np.all(np.diff(items["when"]) >= 0))


def remade(ordinals: NDArray[np.int64], fanout: int) -> NDArray[np.int64]:
    """Return ordinals with room for so many frames made of each, part 0 of which it is: int64[n]."""
    part = ordinals >> PART
    return ordinals + ((part * (fanout - 1)) << PART)


def payload_of(lot: Lot, index: int) -> bytes:
    """Return the UDP payload of a frame."""
    item = lot.items[index]
    start = int(item["source"])
    return lot.data[start + int(item["payload"]) : start + int(item["length"])].tobytes()


class Writer:
    """Frames with payloads of their own, made like frames of a lot."""

    def __init__(self, lot: Lot) -> None:
        self._lot = lot
        self._items: list[Items] = []
        self._data: list[Bytes] = []
        self._size = 0

    def add(self, index: int, payload: bytes) -> Any:
        """Make a frame with the headers and the description of lot.items[index]; return its item, to be changed."""
        item = self._lot.items[index : index + 1].copy()
        start = int(item[0]["source"])
        headers = self._lot.data[start : start + int(item[0]["payload"])]
        frame = np.concatenate([headers, np.frombuffer(payload, np.uint8)])
        seal(frame, 0, len(frame))
        item["source"], item["length"] = self._size, len(frame)
        self._items.append(item)
        self._data.append(frame)
        self._size += len(frame)
        return item[0]

    def lot(self) -> Lot:
        """Return the frames made."""
        if not self._items:
            return empty()
        return Lot(np.concatenate(self._items), np.concatenate(self._data))


def replaced(lot: Lot, gone: NDArray[np.bool_], made: Lot, places: NDArray[np.int64]) -> Lot:
    """Return a lot without some of its frames and with others: each directly behind the frame at its place.

    Args:
        lot: the frames.
        gone: bool[n], those that are left out.
        made: others; what of them has one place stays in order.
        places: int64[m], indices in lot.
    """
    if not len(made):
        return lot.only(~gone)
    items = np.concatenate([lot.items, made.items])
    items["source"][len(lot) :] += len(lot.data)
    keys = np.concatenate([2 * np.arange(len(lot)), 2 * places + 1])
    order = np.argsort(keys, kind="stable")
    keep = np.concatenate([~gone, np.ones(len(made), np.bool_)])
    return Lot(items[order[keep[order]]], np.concatenate([lot.data, made.data]))
