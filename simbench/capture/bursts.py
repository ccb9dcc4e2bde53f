"""The burst profile: the most frames within a short time, and when that was; over a stream, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.capture.block import Words

SPANS_NS: Final = (100_000, 1_000_000, 10_000_000)
RING: Final = 1 << 20  # stamps of the last 10 ms; more frames than that in it are counted as that many
WINDOW: Final = 1 << 16  # frames that are held back to put stamps in order

# Words: how many stamps the ring has taken, then for each span where it begins, the most frames, and their first stamp.
TAKEN: Final = 0
SPAN: Final = 1
SPAN_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Burst:
    """The most frames within a time.

    Attributes:
        span_ns: that time.
        frames: how many; RING means that many or more.
        stamp: ns, of the first of them; 0 where there are none.
    """

    span_ns: int
    frames: int
    stamp: int


class BurstProfile:
    """Find the densest 100 us, 1 ms and 10 ms of a capture whose file order is nearly its time order."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._held = np.zeros(0, np.int64)
        self._ring = np.zeros(RING, np.int64)
        self._spans = np.array(SPANS_NS, np.int64)
        self._words = np.zeros(SPAN + SPAN_WORDS * len(SPANS_NS), np.int64)

    def add(self, stamps: NDArray[np.int64]) -> None:
        """Take the stamps of a block, int64[n], ns."""
        held = np.concatenate((self._held, stamps))
        if len(held) > 2 * WINDOW:
            held.sort(kind="stable")  # radix or merge: quick where they are in order
            _slide(held[:-WINDOW], self._ring, self._spans, self._words)
            held = held[-WINDOW:].copy()
        self._held = held

    def bursts(self) -> list[Burst]:
        """Return the densest of each span; nothing can be added afterwards."""
        self._held.sort(kind="stable")
        _slide(self._held, self._ring, self._spans, self._words)
        self._held = np.zeros(0, np.int64)
        best = self._words[SPAN:].reshape(-1, SPAN_WORDS)
        return [Burst(span, int(row[1]), int(row[2])) for span, row in zip(SPANS_NS, best, strict=True)]


@njit(cache=True, nogil=True)
def _slide(stamps: Words, ring: Words, spans: Words, words: Words) -> None:
    """Move the window of each span over sorted stamps; a span holds stamps that differ by less than it."""
    mask = len(ring) - 1
    taken = words[TAKEN]
    for index in range(len(stamps)):
        stamp = stamps[index]
        ring[taken & mask] = stamp
        taken += 1
        for which in range(len(spans)):
            word = SPAN + SPAN_WORDS * which
            first = max(words[word], taken - len(ring))
            while stamp - ring[first & mask] >= spans[which]:
                first += 1
            words[word] = first
            if taken - first > words[word + 1]:
                words[word + 1] = taken - first
                words[word + 2] = ring[first & mask]
    words[TAKEN] = taken
