"""Which frames a fault takes: by line, recorded sequence and recorded time; of those every so many, by chance, so many.

Lines, sequences, times and chance look at what the capture recorded and nothing else. What is counted is counted on
each line by itself, over the frames that reach the fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.faults.draw import SALT_CHOICE, draws, happens
from simbench.faults.lot import carries, of_line
from simbench.faults.script import lines_of, parse
from simbench.times import time_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.script import Fault
    from simbench.feed.definition import Feed

    Items = NDArray[Any]
    Chosen = NDArray[np.bool_]

FOREVER: Final = (1 << 63) - 1


class Choice:
    """What a fault of a script takes, in one pass over a capture.

    Args:
        fault: of the script.
        number: its place in the script, from 1.
        seed: of the script.
        feed: whose lines it names.
        start_ns: stamp of the capture's first frame: what "+1.5s" counts from.
    """

    def __init__(self, fault: Fault, number: int, seed: int, feed: Feed, start_ns: int) -> None:
        self.lines = lines_of(fault, feed)
        self._seed, self._number = seed, number
        sequence = getattr(fault, "sequence", None)
        self._sequence = (sequence, sequence) if isinstance(sequence, int) else sequence
        at = getattr(fault, "at", None)
        start = at or getattr(fault, "start", None)
        stop = getattr(fault, "to", None)
        self._from = -FOREVER if start is None else time_ns(start, start_ns)
        self._to = FOREVER if stop is None else time_ns(stop, start_ns)
        self._probability: float | None = getattr(fault, "probability", None)
        self._every: int | None = getattr(fault, "every", None)
        count = getattr(fault, "count", None) or (1 if at is not None else None)
        self._passed = dict.fromkeys(self.lines, 0)
        self._left: dict[tuple[int, int], int] | None = None if count is None else dict.fromkeys(self.lines, count)

    def matches(self, items: Items) -> Chosen:
        """Return which frames are of the lines, sequences and times: bool[n]."""
        chosen = np.zeros(len(items), np.bool_)
        for channel, line in self.lines:
            chosen |= (items["channel"] == channel) & (items["line"] == line)
        if self._sequence is not None:
            first, last = self._sequence
            chosen &= carries(items) & (items["first"] <= last) & (items["last"] >= first)
        if self._from != -FOREVER or self._to != FOREVER:
            chosen &= (items["recorded"] >= self._from) & (items["recorded"] < self._to)
        return chosen

    def candidates(self, items: Items) -> Chosen:
        """Return which frames are taken, should it be possible and none too many: bool[n]. Once for each frame."""
        chosen = self.matches(items)
        if self._every is not None and chosen.any():
            for key in self.lines:
                mine = of_line(items, *key)
                mine = mine[chosen[mine]]
                numbers = self._passed[key] + np.arange(len(mine))
                self._passed[key] += len(mine)
                chosen[mine[numbers % self._every != 0]] = False
        if self._probability is not None and chosen.any():
            bits = draws(self._seed, self._number, items["ordinal"], SALT_CHOICE)
            chosen &= happens(bits, self._probability)
        return chosen

    def limited(self, items: Items, chosen: Chosen) -> Chosen:
        """Return the first of the frames that can be taken, as many as `count` allows: bool[n]."""
        if self._left is None or not chosen.any():
            return chosen
        kept = np.zeros(len(items), np.bool_)
        for key in self.lines:
            mine = of_line(items, *key)
            mine = mine[chosen[mine]][: self._left[key]]
            self._left[key] -= len(mine)
            kept[mine] = True
        return kept

    def may(self, channel: int, line: int) -> bool:
        """Take one more frame of a line off the count; False where that is used up."""
        if self._left is None:
            return True
        self._left[channel, line] -= 1
        return self._left[channel, line] >= 0


def spans(text: str, feed: Feed, start_ns: int) -> list[tuple[str, int, int]]:
    """Return what the faults of a script that have a time are, and from when to when: recorded ns.

    Args:
        text: of the script.
        feed: whose lines it names.
        start_ns: stamp of the capture's first frame.
    """
    found = []
    for fault in parse(text, feed).faults:
        at, start, stop = (getattr(fault, name, None) for name in ("at", "start", "to"))
        if at is None and start is None and stop is None:
            continue
        first = time_ns(at or start or "+0s", start_ns)
        last = first if at is not None else FOREVER if stop is None else time_ns(stop, start_ns)
        line = getattr(fault, "line", None)
        found.append((f"{fault.kind} {line}" if line else fault.kind, first, last))
    return found
