"""How long after the first copy of a packet a line's own copy came: what tells how lines of a channel are skewed.

A copy counts where its line goes on with it, and another line was first: repeats of a line, what it brings out of order
and what only an answer to a request had brought are left out. Times are those of `offer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    C_LAGS,
    CHANNEL,
    CHANNEL_WORDS,
    LAG,
    LAG_BITS,
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
