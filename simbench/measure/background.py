"""What is known of a run before it starts and shown beside what it does: how the capture bursts, the host, the queues.

Frozen like snapshots, and made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stamps = NDArray[np.int64]

BINS: Final = 1024  # of a strip at most: five a column of a wide terminal
NARROWEST_NS: Final = 1_000  # a bin


@dataclass(frozen=True, slots=True)
class Strip:
    """How many frames a capture holds in each stretch of recorded time, all as long.

    Attributes:
        first_ns: where the first stretch begins, ns since 1970.
        width_ns: of each.
        counts: frames, at most BINS of them.
        bursts: recorded times, in order, at which a burst begins: the busiest stretches, those that touch as one.
    """

    first_ns: int
    width_ns: int
    counts: tuple[int, ...]
    bursts: tuple[int, ...] = ()

    def over(self, first_ns: int, last_ns: int, columns: int) -> list[float]:
        """Return the highest rate, frames a second, within each of so many equal parts of a time."""
        if columns < 1 or last_ns <= first_ns:
            return []
        edges = [first_ns + (last_ns - first_ns) * x // columns for x in range(columns + 1)]
        places = [(edge - self.first_ns) // self.width_ns for edge in edges]
        highest = [max(self.counts[max(a, 0) : max(b, a + 1, 0)], default=0) for a, b in pairwise(places)]
        return [count * 1e9 / self.width_ns for count in highest]


@dataclass(frozen=True, slots=True)
class HostLine:
    """One thing of the host that the doctor looked at; verdict is "good", "note", "change" or "missing"."""

    name: str
    verdict: str
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A queue of the wire: its number, the core of its thread (-1 any), and the channels that it owns."""

    number: int
    cpu: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultSpan:
    """A fault of a script that has a time: what it is, and the recorded times between which it is, ns since 1970."""

    words: str
    first_ns: int
    last_ns: int


class StripMaker:
    """Counts frames by time over a stream, in bounded memory: where time is short of bins, each becomes twice as long.

    Bins lie at multiples of their length, so that two of them are one of the next length.
    """

    def __init__(self) -> None:
        self._width = NARROWEST_NS
        self._start = 0  # number of the first bin
        self._counts = np.zeros(0, np.int64)

    def add(self, stamps: Stamps) -> None:
        """Count frames by their stamps, int64[n], ns since 1970, in any order."""
        if not len(stamps):
            return
        low, high = int(stamps.min()), int(stamps.max())
        while True:
            start, end = low // self._width, high // self._width + 1
            if len(self._counts):
                start, end = min(start, self._start), max(end, self._start + len(self._counts))
            if end - start <= BINS:
                break
            self._widen()
        counts = np.bincount(stamps // self._width - start, minlength=end - start)
        if len(self._counts):
            place = self._start - start
            counts[place : place + len(self._counts)] += self._counts
        self._start, self._counts = start, counts.astype(np.int64)

    def strip(self, top: float) -> Strip | None:
        """Return what was counted; None where nothing was.

        Args:
            top: share of the bins with frames that are bursts.
        """
        if not len(self._counts):
            return None
        places = busiest(self._counts, top).tolist()
        begins = [place for k, place in enumerate(places) if k == 0 or place > places[k - 1] + 1]
        return Strip(
            first_ns=self._start * self._width,
            width_ns=self._width,
            counts=tuple(self._counts.tolist()),
            bursts=tuple((self._start + place) * self._width for place in begins),
        )

    def _widen(self) -> None:
        if len(self._counts):
            padded = np.concatenate((np.zeros(self._start % 2, np.int64), self._counts))
            padded = np.concatenate((padded, np.zeros(len(padded) % 2, np.int64)))
            self._counts = padded.reshape(-1, 2).sum(axis=1)
        self._start //= 2
        self._width *= 2


def busiest(counts: Stamps, top: float) -> Stamps:
    """Return the places of the busiest share of the counts above 0, in order; of equal ones the earlier."""
    held = np.flatnonzero(counts)
    wanted = max(1, round(len(held) * top))
    order = np.argsort(-counts[held], kind="stable")
    return np.sort(held[order[:wanted]]).astype(np.int64)
