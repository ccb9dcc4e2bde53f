"""Ranges of sequences, first and last inclusive: joined, subtracted, looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Range = tuple[int, int]


class Ranges:
    """The union of ranges, to be asked what of it lies in another.

    Attributes:
        pairs: int64[n, 2], first and last of each, in their order.
    """

    def __init__(self, ranges: Sequence[Range]) -> None:
        self.pairs = np.array(union(ranges), np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.pairs)

    def touched(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether ranges overlap with any of these: bool[n]."""
        at = np.searchsorted(self.pairs[:, 1], first)
        known = at < len(self.pairs)
        hit = np.zeros(len(first), np.bool_)
        hit[known] = self.pairs[at[known], 0] <= last[known]
        return hit & (last >= first)

    def common(self, first: int, last: int) -> list[Range]:
        """Return the parts of these that lie in a range."""
        begin = int(np.searchsorted(self.pairs[:, 1], first))
        end = int(np.searchsorted(self.pairs[:, 0], last, side="right"))
        return [(max(a, first), min(b, last)) for a, b in self.pairs[begin:end].tolist()]


def union(ranges: Sequence[Range]) -> list[Range]:
    """Return ranges in their order, overlapping and neighbouring ones as one; those without anything in them left out.

    >>> union([(5, 6), (1, 2), (3, 3)])
    [(1, 3), (5, 6)]
    """
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        elif first <= last:
            found.append((first, last))
    return found


def minus(ranges: Sequence[Range], covers: Ranges) -> list[Range]:
    """Return what of ranges no other covers.

    >>> minus([(1, 10)], Ranges([(2, 3), (9, 12)]))
    [(1, 1), (4, 8)]
    """
    found = []
    for first, last in ranges:
        at = first
        for a, b in covers.common(first, last):
            if a > at:
                found.append((at, a - 1))
            at = b + 1
        if at <= last:
            found.append((at, last))
    return found
