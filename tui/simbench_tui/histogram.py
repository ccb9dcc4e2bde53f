"""A latency histogram on a logarithmic axis: buckets spread over the columns of a terminal."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from simbench_tui.constants import DECADES_MIN

if TYPE_CHECKING:
    from collections.abc import Sequence

_SLIVER = 1e-3  # of a column
_UNITS = ((0, "ns"), (3, "us"), (6, "ms"), (9, "s"))


def decades(buckets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The powers of ten that enclose the buckets: (low, high) exponents of nanoseconds."""
    edges = [max(edge, 1) for edge, _ in buckets] or [1]
    low, high = floor(log10(edges[0])), ceil(log10(edges[-1]))
    # The first bucket reaches below its upper edge.
    if low > 0 and edges[0] < 1.1 * 10**low:
        low -= 1
    while high - low < DECADES_MIN:
        high += 1
    return low, high


def columns(buckets: Sequence[tuple[int, int]], low: int, high: int, width: int) -> list[float]:
    """Counts a column; a bucket's count spreads evenly over the columns that it covers, parts included.

    Args:
        buckets: (upper edge in ns, count), non-empty ones only, by edge; a bucket starts at the edge before it, unless
            empty ones must lie between.
        low: exponent of ten at the left end of the axis.
        high: exponent of ten at the right end of the axis.
        width: columns.
    """
    places = [log10(max(edge, 1)) for edge, _ in buckets]
    steps = [b - a for a, b in pairwise(places) if b > a]
    step = min(steps, default=0.05)
    heights = [0.0] * width
    scale = width / (high - low)
    for i, (_, count) in enumerate(buckets):
        apart = places[i] - places[i - 1] if i else step
        # Log-linear buckets are up to twice as wide as the narrowest; anything wider has empty ones before it.
        start = places[i] - (apart if apart <= 2.5 * step else step)
        # A bucket that ends where the axis begins still has its place in the first column.
        left = min(max((start - low) * scale, 0.0), width - _SLIVER)
        right = max(min((places[i] - low) * scale, width), left + _SLIVER)
        for x in range(int(left), min(ceil(right), width)):
            heights[x] += count * (min(right, x + 1) - max(left, x)) / (right - left)
    return heights


def column_of(ns: int, low: int, high: int, width: int) -> int:
    """The column that a value falls into."""
    share = (log10(max(ns, 1)) - low) / (high - low)
    return min(max(int(share * width), 0), width - 1)


def axis(low: int, high: int, width: int, tick: str) -> str:
    """Labels at the powers of ten, as many as there is room for."""
    line = [" "] * width
    free = 0
    for exponent in range(low, high):
        x = column_of(10**exponent, low, high, width) if exponent > low else 0
        label = tick + power(exponent)
        if x >= free and x + len(label) <= width:
            line[x : x + len(label)] = label
            free = x + len(label) + 1
    return "".join(line)


def power(exponent: int) -> str:
    """10^exponent nanoseconds in words: 3 is "1us", 5 is "100us"."""
    base, unit = max((pair for pair in _UNITS if pair[0] <= max(exponent, 0)), default=_UNITS[0])
    return f"{10 ** (exponent - base)}{unit}"
