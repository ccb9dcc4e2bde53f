"""What lines and channels are doing, told from the words that arbitration keeps and from what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    C_LINES,
    C_SNAPSHOT,
    DOUBT_JUMP,
    DOWN,
    DOWN_NS,
    E_PREVIOUS,
    EMPTY,
    ENDED,
    EPOCH,
    EPOCH_WORDS,
    JOINING,
    JOINING_IN,
    L_EPOCH,
    L_FIRST_AT,
    L_LAST_AT,
    L_RUN,
    L_RUN_KIND,
    LINE_WORDS,
    LINES_AT,
    NIL,
    ON_AIR,
    RESETTING,
    RETRANSMITTING,
    S_CHANNEL,
    S_ENDED,
    S_EPOCH,
    S_HOLE,
    S_PENDING,
    S_STATE,
    S_WAITING,
    SNAPSHOT_AWAITED,
    STALE,
    STALE_NS,
    STREAM,
    T_BASE,
    T_USED,
    UNHEARD,
    UP,
    WAITING_FOR_LINE,
)
from simbench.feed.streams import channel_base, stream_base
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words


@kernel
def judge_silence(memory: Words, first_at: int, last_at: int, now: int) -> int:
    """Return the state of a line that brought its first and last packet then (NIL: none)."""
    if first_at == NIL:
        return UNHEARD
    silence = now - last_at
    if silence > memory[DOWN_NS]:
        return DOWN
    return STALE if silence > memory[STALE_NS] else UP


@kernel
def line_state(memory: Words, channel: int, line: int, now: int) -> int:
    """Return the state of a line over all streams of its channel: one that speaks on any of them is up."""
    first_at = NIL
    last_at = NIL
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        own = stream + LINES_AT + line * LINE_WORDS
        if memory[stream + S_CHANNEL] == channel and memory[own + L_FIRST_AT] != NIL:
            first_at = memory[own + L_FIRST_AT]
            last_at = max(last_at, memory[own + L_LAST_AT])
    return judge_silence(memory, first_at, last_at, now)


@kernel
def channel_state(memory: Words, channel: int, now: int) -> int:
    """Return the state of a channel: of its streams' states the one that says most."""
    base = channel_base(memory, channel)
    if memory[base + C_SNAPSHOT] != 0:
        return SNAPSHOT_AWAITED
    state = JOINING_IN
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        if memory[stream + S_CHANNEL] == channel:
            state = max(state, _stream_state(memory, stream, memory[base + C_LINES], now))
    return state


@kernel
def _stream_state(memory: Words, stream: int, lines: int, now: int) -> int:
    if memory[stream + S_STATE] in (EMPTY, JOINING):
        return JOINING_IN
    if memory[stream + S_HOLE] != NIL:
        return WAITING_FOR_LINE if memory[stream + S_HOLE] == memory[stream + S_WAITING] else RETRANSMITTING
    if memory[stream + S_PENDING] != 0:
        return RESETTING
    for line in range(lines):
        if _restarts(memory, stream, stream + LINES_AT + line * LINE_WORDS, now):
            return RESETTING
    return ENDED if memory[stream + S_ENDED] != 0 else ON_AIR


@kernel
def _restarts(memory: Words, stream: int, own: int, now: int) -> bool:
    """Tell whether a line is in a restart: it seems to begin one, or has not followed one yet and is not dead."""
    if memory[own + L_RUN] > 0 and memory[own + L_RUN_KIND] != DOUBT_JUMP:
        return True
    began = memory[memory[EPOCH + T_BASE] + memory[stream + S_EPOCH] * EPOCH_WORDS + E_PREVIOUS] != NIL
    behind = memory[own + L_EPOCH] not in (NIL, memory[stream + S_EPOCH])
    return bool(
        began and behind and judge_silence(memory, memory[own + L_FIRST_AT], memory[own + L_LAST_AT], now) == UP
    )
