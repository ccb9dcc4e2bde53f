"""Log-linear histograms of latencies: fixed size, one increment a value, relative error below 1 %.

Each power of two is divided into 128 equal buckets, so a bucket is at most 1/128 of its value wide (0.8 %). Values
are int64 nanoseconds from 0 to 2**40 - 1 (18 minutes); what is outside is counted at the nearest end, and the exact
smallest and largest are kept beside the buckets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numba import njit

from simbench.kernel.pure import bit_length

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

SUB: Final = 128
BITS: Final = 40
BUCKETS: Final = (BITS - 7) * SUB + SUB
COUNT: Final = 0  # head of a histogram: values, their sum, smallest, largest; then the buckets
SUM: Final = 1
LOWEST: Final = 2
HIGHEST: Final = 3
HEAD: Final = 4
SIZE: Final = HEAD + BUCKETS  # words
LIMIT: Final = (1 << BITS) - 1


@njit(inline="always")
def bucket(value: int) -> int:
    """Return the bucket of a value from 0 to LIMIT."""
    shift = max(bit_length(value) - 8, 0)
    return shift * SUB + (value >> shift)


@njit(cache=True, nogil=True)
def record(words: Words, base: int, value: int) -> None:
    """Count a value in the histogram whose head is words[base]."""
    if words[base + COUNT] == 0:
        words[base + LOWEST] = value
        words[base + HIGHEST] = value
    elif value < words[base + LOWEST]:
        words[base + LOWEST] = value
    elif value > words[base + HIGHEST]:
        words[base + HIGHEST] = value
    words[base + COUNT] += 1
    words[base + SUM] += value
    words[base + HEAD + bucket(min(max(value, 0), LIMIT))] += 1


def upper_edges(buckets: int = BUCKETS, sub: int = SUB) -> NDArray[np.int64]:
    """Return the largest value of each bucket, of which each power of two has `sub`: int64[buckets], ns."""
    index = np.arange(buckets, dtype=np.int64)
    shift = np.maximum(index // sub - 1, 0)
    edges: NDArray[np.int64] = ((index - shift * sub + 1) << shift) - 1
    return edges


def percentiles(counts: Words, edges: Words, highest: int, *shares: float) -> list[int]:
    """Return the values below which these percentages of what was counted lie, ns.

    Args:
        counts: int64[n], by bucket.
        edges: int64[n], the largest value of each.
        highest: value that was counted; none is larger.
        shares: percentages.
    """
    sums = np.cumsum(counts)
    total = int(sums[-1])
    if total == 0:
        return [0 for _ in shares]
    ranks = [max(1, int(np.ceil(share / 100 * total))) for share in shares]
    return [min(int(edges[int(np.searchsorted(sums, rank))]), highest) for rank in ranks]


_EDGES = upper_edges()


class Histogram:
    """A view of one histogram, its own or in shared memory.

    Args:
        words: int64[SIZE] with the head first; a new, empty one where None.
    """

    def __init__(self, words: Words | None = None) -> None:
        self.words: Words = np.zeros(SIZE, np.int64) if words is None else words

    def since(self, before: Histogram) -> Histogram:
        """Return what was counted since an earlier copy; its extremes are those of their buckets."""
        counts = self.words[HEAD:] - before.words[HEAD:]
        filled = np.flatnonzero(counts)
        between = Histogram()
        if len(filled):
            between.words[HEAD:] = counts
            between.words[COUNT] = counts.sum()
            between.words[SUM] = self.total - before.total
            between.words[LOWEST] = _EDGES[filled[0] - 1] + 1 if filled[0] else 0
            between.words[HIGHEST] = min(int(_EDGES[filled[-1]]), self.highest)
        return between

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Self:
        """Return one histogram of the values of several; they are left as they are."""
        whole = cls()
        for each in histograms:
            if each.count == 0:
                continue
            first = whole.count == 0
            lowest, highest = int(each.words[LOWEST]), int(each.words[HIGHEST])
            whole.words[LOWEST] = lowest if first else min(int(whole.words[LOWEST]), lowest)
            whole.words[HIGHEST] = highest if first else max(whole.highest, highest)
            whole.words[[COUNT, SUM]] += each.words[[COUNT, SUM]]
            whole.words[HEAD:] += each.words[HEAD:]
        return whole

    def record(self, value: int) -> None:
        """Count one value in ns."""
        record(self.words, 0, value)

    @property
    def count(self) -> int:
        """Values counted."""
        return int(self.words[COUNT])

    @property
    def total(self) -> int:
        """Sum of the values, exact, ns."""
        return int(self.words[SUM])

    @property
    def highest(self) -> int:
        """Largest value, exact, ns."""
        return int(self.words[HIGHEST])

    @property
    def mean(self) -> float:
        """Mean, exact, ns."""
        return float(self.words[SUM]) / self.count if self.count else 0.0

    def percentiles(self, *shares: float) -> list[int]:
        """Return the values below which these percentages lie (upper bucket edges, at most the largest value), ns.

        >>> h = Histogram()
        >>> for value in (1, 2, 3, 100): h.record(value)
        >>> h.percentiles(50, 100)
        [2, 100]
        """
        return percentiles(self.words[HEAD:], _EDGES, self.highest, *shares)

    def buckets(self, most: int = 64) -> list[tuple[int, int]]:
        """Return (upper edge in ns, count) over the occupied range, neighbours merged to at most so many."""
        every = self.words[HEAD:].copy()  # it is counted on meanwhile, where it is shared
        filled = np.flatnonzero(every)
        if len(filled) == 0:
            return []
        first, last = int(filled[0]), int(filled[-1])
        step = max(1, -(-(last - first + 1) // most))
        counts = every[first : last + 1]
        starts = np.arange(0, len(counts), step)
        merged = np.add.reduceat(counts, starts)
        edges = _EDGES[np.minimum(first + starts + step - 1, BUCKETS - 1)]
        return [(int(edge), int(count)) for edge, count in zip(edges, merged, strict=True)]

    def summary(self) -> dict[str, int]:
        """Return n, p50, p90, p99, p999 and max in ns, as reports and JSON have them."""
        p50, p90, p99, p999 = self.percentiles(50, 90, 99, 99.9)
        return {"n": self.count, "p50": p50, "p90": p90, "p99": p99, "p999": p999, "max": self.highest}
