"""Holes and their records: a hole opens when something beyond it is known, and always ends as a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    BEHIND,
    BY_DAMAGE,
    BY_OVERFLOW,
    E_NUMBER,
    EPOCH,
    EPOCH_WORDS,
    FILLED,
    G_CAUSE,
    G_CHANNEL,
    G_CLOSED,
    G_DETECTED,
    G_EPOCH,
    G_FILLED,
    G_FIRST,
    G_LAST,
    G_LATE,
    G_LINES,
    G_OUTCOME,
    G_PREVIOUS,
    G_REVEALED,
    G_STREAM,
    HOLE,
    HOLE_WORDS,
    L_EPOCH,
    L_FIRST_AT,
    L_LAST_AT,
    L_NEXT,
    LINE_WORDS,
    LINES_AT,
    LOST,
    LOST_UNITS,
    NIL,
    O_DETECTED,
    O_FIRST,
    O_LAST,
    O_LINE,
    O_NEXT,
    OTHER_LINE,
    PASSED,
    RECORD,
    RECORD_WORDS,
    REORDER,
    S_CHANNEL,
    S_EPOCH,
    S_HOLE,
    S_HOLE_TAIL,
    S_HOLES,
    S_ID,
    S_LINES,
    S_LOST,
    S_SURE,
    SILENT,
    SILENT_NS,
    T_BASE,
    T_CAPACITY,
    T_USED,
    UNLOGGED,
    UNLOGGED_UNITS,
    UNSEEN,
)
from simbench.feed.streams import give, take
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words

WALK = 4096  # records looked through for one late packet


@kernel
def open_hole(memory: Words, stream: int, after: int, first: int, last: int, detected: int, line: int) -> int:
    """Open first..last behind the hole `after` (NIL: before all); return its row, NIL where it was lost at once."""
    hole = take(memory, HOLE, HOLE_WORDS)
    if hole == NIL:
        record(memory, stream, first, last, detected, detected, LOST, BY_OVERFLOW, line, NIL)
        return NIL
    base = memory[HOLE + T_BASE]
    row = base + hole * HOLE_WORDS
    following = memory[stream + S_HOLE] if after == NIL else memory[base + after * HOLE_WORDS + O_NEXT]
    memory[row + O_NEXT] = following
    memory[row + O_FIRST] = first
    memory[row + O_LAST] = last
    memory[row + O_DETECTED] = detected
    memory[row + O_LINE] = line
    if after == NIL:
        memory[stream + S_HOLE] = hole
    else:
        memory[base + after * HOLE_WORDS + O_NEXT] = hole
    if following == NIL:
        memory[stream + S_HOLE_TAIL] = hole
    memory[stream + S_HOLES] += 1
    return hole


@kernel
def _close(memory: Words, stream: int, before: int, hole: int) -> None:
    base = memory[HOLE + T_BASE]
    following = memory[base + hole * HOLE_WORDS + O_NEXT]
    if before == NIL:
        memory[stream + S_HOLE] = following
    else:
        memory[base + before * HOLE_WORDS + O_NEXT] = following
    if following == NIL:
        memory[stream + S_HOLE_TAIL] = before
    memory[stream + S_HOLES] -= 1
    give(memory, HOLE, HOLE_WORDS, hole)


@kernel
def open_units(memory: Words, stream: int, first: int, end: int) -> int:
    """Return how many of first..end-1 lie in open holes."""
    base = memory[HOLE + T_BASE]
    units = 0
    hole = memory[stream + S_HOLE]
    while hole != NIL:
        row = base + hole * HOLE_WORDS
        if memory[row + O_FIRST] >= end:
            break
        units += max(0, min(memory[row + O_LAST] + 1, end) - max(memory[row + O_FIRST], first))
        hole = memory[row + O_NEXT]
    return units


@kernel
def fill(memory: Words, stream: int, first: int, end: int, line: int, now: int) -> int:
    """Take first..end-1, which `line` brought, out of the open holes; return the units that were filled."""
    base = memory[HOLE + T_BASE]
    filled = 0
    before, hole = NIL, memory[stream + S_HOLE]
    while hole != NIL:
        row = base + hole * HOLE_WORDS
        a, b = memory[row + O_FIRST], memory[row + O_LAST]
        if a >= end:
            break
        following = memory[row + O_NEXT]
        x, y = max(a, first), min(b, end - 1)
        if x > y:
            before, hole = hole, following
            continue
        filled += y - x + 1
        detected, revealed = memory[row + O_DETECTED], memory[row + O_LINE]
        outcome = REORDER if line == revealed else OTHER_LINE
        record(memory, stream, x, y, detected, now, outcome, FILLED, revealed, line)
        if a < x and y < b:
            memory[row + O_LAST] = x - 1
            open_hole(memory, stream, hole, y + 1, b, detected, revealed)
            break
        if a < x:
            memory[row + O_LAST] = x - 1
            before = hole
        elif y < b:
            memory[row + O_FIRST] = y + 1
            before = hole
        else:
            _close(memory, stream, before, hole)
        hole = following
    return filled


@kernel
def give_up(memory: Words, stream: int, cause: int, now: int) -> None:
    """End the first open hole as lost."""
    hole = memory[stream + S_HOLE]
    row = memory[HOLE + T_BASE] + hole * HOLE_WORDS
    first, last = memory[row + O_FIRST], memory[row + O_LAST]
    detected, line = memory[row + O_DETECTED], memory[row + O_LINE]
    _close(memory, stream, NIL, hole)
    record(memory, stream, first, last, detected, now, LOST, cause, line, NIL)


@kernel
def record(
    memory: Words,
    stream: int,
    first: int,
    last: int,
    detected: int,
    closed: int,
    outcome: int,
    cause: int,
    revealed: int,
    filled: int,
) -> None:
    """Write a gap record; one that continues the last of its kind lengthens it."""
    if outcome == LOST:
        memory[LOST_UNITS] += last - first + 1
        if cause != BY_DAMAGE:
            memory[stream + S_SURE] = max(memory[stream + S_SURE], last)
    used = memory[RECORD + T_USED]
    row = memory[RECORD + T_BASE] + used * RECORD_WORDS
    number = memory[memory[EPOCH + T_BASE] + memory[stream + S_EPOCH] * EPOCH_WORDS + E_NUMBER]
    if outcome != LOST and used > 0:
        newest = row - RECORD_WORDS
        if (
            memory[newest + G_STREAM] == memory[stream + S_ID]
            and memory[newest + G_EPOCH] == number
            and memory[newest + G_LAST] == first - 1
            and memory[newest + G_DETECTED] == detected
            and memory[newest + G_OUTCOME] == outcome
            and memory[newest + G_FILLED] == filled
        ):
            memory[newest + G_LAST] = last
            memory[newest + G_CLOSED] = closed
            return
    if used >= memory[RECORD + T_CAPACITY]:
        memory[UNLOGGED] += 1
        memory[UNLOGGED_UNITS] += last - first + 1
        return
    memory[RECORD + T_USED] = used + 1
    memory[row + G_CHANNEL] = memory[stream + S_CHANNEL]
    memory[row + G_STREAM] = memory[stream + S_ID]
    memory[row + G_EPOCH] = number
    memory[row + G_FIRST] = first
    memory[row + G_LAST] = last
    memory[row + G_DETECTED] = detected
    memory[row + G_CLOSED] = closed
    memory[row + G_OUTCOME] = outcome
    memory[row + G_CAUSE] = cause
    memory[row + G_REVEALED] = revealed
    memory[row + G_FILLED] = filled
    memory[row + G_LATE] = 0
    memory[row + G_LINES] = _stands(memory, stream, last, closed)
    memory[row + G_PREVIOUS] = NIL
    if outcome == LOST and cause != BY_DAMAGE:
        memory[row + G_PREVIOUS] = memory[stream + S_LOST]
        memory[stream + S_LOST] = used


@kernel
def _stands(memory: Words, stream: int, last: int, now: int) -> int:
    stands = 0
    for line in range(memory[stream + S_LINES]):
        own = stream + LINES_AT + line * LINE_WORDS
        if memory[own + L_FIRST_AT] == NIL:
            stand = UNSEEN
        elif memory[own + L_EPOCH] == memory[stream + S_EPOCH] and memory[own + L_NEXT] > last:
            stand = PASSED
        elif now - memory[own + L_LAST_AT] > memory[SILENT_NS]:
            stand = SILENT
        else:
            stand = BEHIND
        stands |= stand << (2 * line)
    return stands


@kernel
def note_late(memory: Words, stream: int, first: int, end: int) -> int:
    """Add first..end-1 to the lost records it belongs to; return how many units were of such."""
    base = memory[RECORD + T_BASE]
    late = 0
    node = memory[stream + S_LOST]
    for _ in range(WALK):
        if node == NIL or memory[base + node * RECORD_WORDS + G_LAST] < first:
            break
        row = base + node * RECORD_WORDS
        units = min(memory[row + G_LAST] + 1, end) - max(memory[row + G_FIRST], first)
        if units > 0:
            memory[row + G_LATE] += units
            late += units
        node = memory[row + G_PREVIOUS]
    return late
