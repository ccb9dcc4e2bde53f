"""Holes and their records: a hole opens when something beyond it is known, and always ends as a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.holes import change, close, hole_row, insert, split
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
    G_JOINED,
    G_LAST,
    G_LATE,
    G_LINES,
    G_MESSAGES,
    G_OUTCOME,
    G_PREVIOUS,
    G_REQUESTS,
    G_REVEALED,
    G_STATES,
    G_STREAM,
    L_EPOCH,
    L_FIRST_AT,
    L_LAST_AT,
    L_NEXT,
    LINE_WORDS,
    LINES_AT,
    LOST,
    LOST_UNITS,
    NIL,
    O_BEFORE,
    O_BEHIND,
    O_DAMAGED,
    O_DETECTED,
    O_FIRST,
    O_LAST,
    O_LINE,
    O_NEXT,
    O_REQUESTS,
    O_TRIES,
    OTHER_LINE,
    OUT_RECORD,
    PASSED,
    RECORD,
    RECORD_WORDS,
    REORDER,
    RETRANSMISSION,
    RETRANSMITTED,
    S_CHANNEL,
    S_EPOCH,
    S_HOLE,
    S_HOLE_TAIL,
    S_ID,
    S_LINES,
    S_LOST,
    S_SURE,
    SILENT,
    T_BASE,
    T_CAPACITY,
    T_USED,
    UNHEARD,
    UNLOGGED,
    UNLOGGED_UNITS,
    UNSEEN,
    UP,
    WANTING,
)
from simbench.feed.status import judge_silence
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words

WALK = 4096  # records looked through for one late packet


@kernel
def open_hole(memory: Words, stream: int, after: int, first: int, last: int, detected: int, line: int) -> None:
    """Open first..last behind the hole `after` (NIL: before all); without a row for it, it is lost at once."""
    if insert(memory, stream, after, first, last, detected, line) == NIL:
        record(memory, stream, first, last, detected, detected, LOST, BY_OVERFLOW, line)


@kernel
def open_units(memory: Words, stream: int, first: int, end: int, asked: int) -> int:
    """Return how many of first..end-1 lie in open holes that have been asked for so many times at least."""
    units = 0
    hole = memory[stream + S_HOLE]
    if hole == NIL or memory[hole_row(memory, memory[stream + S_HOLE_TAIL]) + O_LAST] < first:
        return 0
    while hole != NIL:
        row = hole_row(memory, hole)
        if memory[row + O_FIRST] >= end:
            break
        if memory[row + O_REQUESTS] >= asked:
            units += max(0, min(memory[row + O_LAST] + 1, end) - max(memory[row + O_FIRST], first))
        hole = memory[row + O_NEXT]
    return units


@kernel
def fill(memory: Words, stream: int, first: int, end: int, line: int, now: int) -> int:
    """Take first..end-1, which `line` brought, out of the open holes; return the units that were filled.

    What an answer leaves of a hole that was asked for is wanted again, with all attempts before it.
    """
    filled = 0
    before, hole = NIL, memory[stream + S_HOLE]
    if hole == NIL or memory[hole_row(memory, memory[stream + S_HOLE_TAIL]) + O_LAST] < first:
        return 0
    while hole != NIL:
        row = hole_row(memory, hole)
        a, b = memory[row + O_FIRST], memory[row + O_LAST]
        if a >= end:
            break
        following = memory[row + O_NEXT]
        x, y = max(a, first), min(b, end - 1)
        if x > y:
            before, hole = hole, following
            continue
        filled += y - x + 1
        if line == RETRANSMITTED and memory[row + O_REQUESTS] > 0:
            change(memory, row, WANTING)
            memory[row + O_TRIES] = 0
        written = _record_filled(memory, stream, row, x, y, line, now)
        if a < x and y < b:
            rest = split(memory, stream, hole, x, y)
            memory[row + O_BEHIND] = written
            if rest == NIL:
                _record_lost(memory, stream, row, y + 1, b, BY_OVERFLOW, now)
            else:
                memory[hole_row(memory, rest) + O_BEFORE] = written
            break
        if a < x:
            memory[row + O_LAST] = x - 1
            memory[row + O_BEHIND] = written
            before = hole
        elif y < b:
            memory[row + O_FIRST] = y + 1
            memory[row + O_BEFORE] = written
            before = hole
        else:
            close(memory, stream, before, hole)
        hole = following
    return filled


@kernel
def give_up(memory: Words, stream: int, cause: int, now: int) -> None:
    """End the first open hole as lost."""
    hole = memory[stream + S_HOLE]
    row = hole_row(memory, hole)
    first, last = memory[row + O_FIRST], memory[row + O_LAST]
    close(memory, stream, NIL, hole)
    _record_lost(memory, stream, row, first, last, cause, now)


@kernel
def _record_lost(memory: Words, stream: int, row: int, first: int, last: int, cause: int, now: int) -> None:
    """Record first..last of a hole (row) as lost; what came and could not be decoded is lost for that."""
    if memory[row + O_DAMAGED] != 0:
        cause = BY_DAMAGE
    written = record(memory, stream, first, last, memory[row + O_DETECTED], now, LOST, cause, memory[row + O_LINE])
    if written != NIL:
        memory[_record_row(memory, written) + G_REQUESTS] = memory[row + O_REQUESTS]


@kernel
def _record_filled(memory: Words, stream: int, row: int, first: int, last: int, line: int, now: int) -> int:
    """Record first..last of a hole (row) as filled; return the record's number, NIL where there is no room for it.

    What continues what was filled in the same way beside it lengthens that record; what closes the space between two
    makes them one: so a hole has one record, however many packets filled it, in whatever order.
    """
    revealed = memory[row + O_LINE]
    outcome = REORDER if line == revealed else OTHER_LINE
    if line == RETRANSMITTED:
        outcome = RETRANSMISSION
    before, behind = NIL, NIL
    if first == memory[row + O_FIRST]:
        before = _beside(memory, memory[row + O_BEFORE], outcome, line)
    if last == memory[row + O_LAST]:
        behind = _beside(memory, memory[row + O_BEHIND], outcome, line)
    written = before
    if NIL not in (before, behind):
        _join(memory, before, behind)
    elif before != NIL:
        memory[_record_row(memory, before) + G_LAST] = last
    elif behind != NIL:
        written = behind
        memory[_record_row(memory, behind) + G_FIRST] = first
    else:
        written = record(memory, stream, first, last, memory[row + O_DETECTED], now, outcome, FILLED, revealed)
    if written != NIL:
        base = _record_row(memory, written)
        memory[base + G_CLOSED] = now
        memory[base + G_FILLED] = line
        memory[base + G_REQUESTS] = max(memory[base + G_REQUESTS], memory[row + O_REQUESTS])
        _note_lines(memory, stream, base, memory[base + G_LAST], now)
    memory[OUT_RECORD] = written
    return written


@kernel
def _beside(memory: Words, number: int, outcome: int, line: int) -> int:
    """Return the record that tells of what was filled beside a hole, NIL where that was filled in another way."""
    found = _telling(memory, number)
    if found == NIL:
        return NIL
    row = _record_row(memory, found)
    return found if memory[row + G_OUTCOME] == outcome and memory[row + G_FILLED] == line else NIL


@kernel
def _telling(memory: Words, number: int) -> int:
    """Return the record that tells of what a record was written for: itself, or the one that it was joined to."""
    if number == NIL:
        return NIL
    found = number
    joined = memory[_record_row(memory, found) + G_JOINED]
    while joined != NIL:
        further = memory[_record_row(memory, joined) + G_JOINED]
        if further != NIL:  # so that the way is shorter the next time
            memory[_record_row(memory, found) + G_JOINED] = further
        found, joined = joined, further
    return found


@kernel
def _join(memory: Words, number: int, other: int) -> None:
    """Let a record tell of all up to the end of another, which tells nothing any more."""
    row, joined = _record_row(memory, number), _record_row(memory, other)
    memory[row + G_LAST] = memory[joined + G_LAST]
    memory[row + G_REQUESTS] = max(memory[row + G_REQUESTS], memory[joined + G_REQUESTS])
    if memory[joined + G_MESSAGES] != NIL:
        memory[row + G_MESSAGES] = max(0, memory[row + G_MESSAGES]) + memory[joined + G_MESSAGES]
    memory[joined + G_JOINED] = number


@kernel
def _record_row(memory: Words, number: int) -> int:
    row: int = memory[RECORD + T_BASE] + number * RECORD_WORDS
    return row


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
) -> int:
    """Write a gap record; return its number, NIL where there is no room for it."""
    if outcome == LOST:
        memory[LOST_UNITS] += last - first + 1
        memory[stream + S_SURE] = max(memory[stream + S_SURE], last)
    used: int = memory[RECORD + T_USED]
    if used >= memory[RECORD + T_CAPACITY]:
        memory[UNLOGGED] += 1
        memory[UNLOGGED_UNITS] += last - first + 1
        return NIL
    memory[RECORD + T_USED] = used + 1
    row = _record_row(memory, used)
    memory[row + G_CHANNEL] = memory[stream + S_CHANNEL]
    memory[row + G_STREAM] = memory[stream + S_ID]
    memory[row + G_EPOCH] = memory[memory[EPOCH + T_BASE] + memory[stream + S_EPOCH] * EPOCH_WORDS + E_NUMBER]
    memory[row + G_FIRST] = first
    memory[row + G_LAST] = last
    memory[row + G_DETECTED] = detected
    memory[row + G_CLOSED] = closed
    memory[row + G_OUTCOME] = outcome
    memory[row + G_CAUSE] = cause
    memory[row + G_REVEALED] = revealed
    memory[row + G_FILLED] = NIL
    memory[row + G_REQUESTS] = 0
    memory[row + G_MESSAGES] = NIL
    memory[row + G_JOINED] = NIL
    memory[row + G_LATE] = 0
    _note_lines(memory, stream, row, last, closed)
    memory[row + G_PREVIOUS] = NIL
    if outcome == LOST:
        _list_lost(memory, stream, used)
    return used


@kernel
def _list_lost(memory: Words, stream: int, number: int) -> None:
    """Put a lost record into its stream's list, by sequence: what turns out to be damaged may be before others."""
    row = _record_row(memory, number)
    above, below = NIL, memory[stream + S_LOST]
    while below != NIL and memory[_record_row(memory, below) + G_FIRST] > memory[row + G_LAST]:
        above, below = below, memory[_record_row(memory, below) + G_PREVIOUS]
    memory[row + G_PREVIOUS] = below
    if above == NIL:
        memory[stream + S_LOST] = number
    else:
        memory[_record_row(memory, above) + G_PREVIOUS] = number


@kernel
def behind_lost(memory: Words, stream: int, sequence: int) -> int:
    """Return the first sequence from here on that is not given up: a packet that waits may begin in what is."""
    while sequence <= memory[stream + S_SURE]:
        node = memory[stream + S_LOST]
        while node != NIL and memory[_record_row(memory, node) + G_FIRST] > sequence:
            node = memory[_record_row(memory, node) + G_PREVIOUS]
        if node == NIL or memory[_record_row(memory, node) + G_LAST] < sequence:
            break
        sequence = memory[_record_row(memory, node) + G_LAST] + 1
    return sequence


@kernel
def note_messages(memory: Words, messages: int) -> None:
    """Tell the record of the gap that the packet just delivered has filled how many messages were in it."""
    row = _record_row(memory, _telling(memory, memory[OUT_RECORD]))
    memory[row + G_MESSAGES] = max(0, memory[row + G_MESSAGES]) + messages
    memory[OUT_RECORD] = NIL


@kernel
def filled_record(memory: Words) -> int:
    """Return the number of the record that tells, among those of gaps, what the packet just delivered has filled; NIL.

    What another line brought before it was asked for is no gap.
    """
    number = memory[OUT_RECORD]
    if number == NIL:
        return NIL
    row = _record_row(memory, number)
    return number if memory[row + G_OUTCOME] == RETRANSMISSION or memory[row + G_REQUESTS] > 0 else NIL


@kernel
def _note_lines(memory: Words, stream: int, row: int, last: int, now: int) -> None:
    """Write into a record (row) how each line stands to what it tells of, and in which state it is."""
    stands = 0
    states = 0
    for line in range(memory[stream + S_LINES]):
        own = stream + LINES_AT + line * LINE_WORDS
        state = judge_silence(memory, memory[own + L_FIRST_AT], memory[own + L_LAST_AT], now)
        if state == UNHEARD:
            stand = UNSEEN
        elif memory[own + L_EPOCH] == memory[stream + S_EPOCH] and memory[own + L_NEXT] > last:
            stand = PASSED
        else:
            stand = BEHIND if state == UP else SILENT
        stands |= stand << (2 * line)
        states |= state << (2 * line)
    memory[row + G_LINES] = stands
    memory[row + G_STATES] = states


@kernel
def note_late(memory: Words, newest: int, first: int, end: int) -> int:
    """Add first..end-1 to the lost records of an epoch it belongs to; return how many units were of such.

    Args:
        memory: the sequencer's.
        newest: the epoch's last lost record, NIL where there is none.
        first: sequence of the packet.
        end: behind its last unit.
    """
    base = memory[RECORD + T_BASE]
    late = 0
    node = newest
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
