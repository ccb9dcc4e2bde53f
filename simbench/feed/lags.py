"""How long after the first copy of a packet a line's own copy came: what tells how lines of a channel are skewed.

A copy counts where its line goes on with it, and another line was first: repeats of a line, what it brings out of order
and what only an answer to a request had brought are left out. Times are those of `offer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simbench.feed.layout import (
    C_LAGS,
    CHANNEL,
    CHANNEL_WORDS,
    LAG,
    LAG_BITS,
    LAG_BUCKETS,
    LAG_COUNT,
    LAG_HEAD,
    LAG_HIGHEST,
    LAG_SUB,
    LAG_WORDS,
    S_CHANNEL,
    STREAM_WORDS,
    T_BASE,
    W_AT,
    W_FIRST,
    W_UNITS,
    WINDOW,
    WINDOW_WORDS,
)
from simbench.kernel.pure import bit_length, inlined, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.feed.layout import Words


@kernel
def lag_base(memory: Words, channel: int, line: int) -> int:
    """Return the index of the first word of a line's lags."""
    first = memory[memory[CHANNEL + T_BASE] + channel * CHANNEL_WORDS + C_LAGS]
    base: int = memory[LAG + T_BASE] + (first + line) * LAG_WORDS
    return base


@inlined
def count_lag(memory: Words, channel: int, line: int, now: int, before: int) -> None:
    """Count a copy that came at `now` of what first came at `before`, NIL where that was asked for."""
    if before < 0:
        return
    lag = now - before
    base = lag_base(memory, channel, line)
    memory[base + LAG_COUNT] += 1
    memory[base + LAG_HIGHEST] = max(memory[base + LAG_HIGHEST], lag)
    value = min(max(lag, 0), (1 << LAG_BITS) - 1)
    shift = max(bit_length(value) - 4, 0)
    memory[base + LAG_HEAD + shift * LAG_SUB + (value >> shift)] += 1


@kernel
def note_lag(memory: Words, stream: int, line: int, first: int, units: int, now: int) -> None:
    """Count a copy if the window still has the first."""
    row = stream + STREAM_WORDS + (first & (WINDOW - 1)) * WINDOW_WORDS
    if memory[row + W_FIRST] == first and memory[row + W_UNITS] == units:
        count_lag(memory, memory[stream + S_CHANNEL], line, now, memory[row + W_AT])


def edges() -> NDArray[np.int64]:
    """Return the largest value of each bucket: int64[LAG_BUCKETS], ns."""
    index = np.arange(LAG_BUCKETS, dtype=np.int64)
    shift = np.maximum(index // LAG_SUB - 1, 0)
    found: NDArray[np.int64] = ((index - shift * LAG_SUB + 1) << shift) - 1
    return found


_EDGES = edges()


def percentiles(row: Words, *shares: float) -> list[int]:
    """Return the values below which these percentages of a row's lags lie, ns; each at most an eighth too large.

    Args:
        row: int64[LAG_WORDS], of one line.
        shares: percentages.
    """
    sums = np.cumsum(row[LAG_HEAD:])
    total = int(sums[-1])
    if total == 0:
        return [0 for _ in shares]
    ranks = [max(1, int(np.ceil(share / 100 * total))) for share in shares]
    return [min(int(_EDGES[int(np.searchsorted(sums, rank))]), int(row[LAG_HIGHEST])) for rank in ranks]


def buckets(row: Words) -> tuple[tuple[int, int], ...]:
    """Return (upper edge in ns, count) of the buckets of a row that hold something."""
    counts = row[LAG_HEAD:]
    filled = np.flatnonzero(counts)
    return tuple(zip(_EDGES[filled].tolist(), counts[filled].tolist(), strict=True))
