"""The open holes of a stream: a list by sequence, in which those that wait are behind those that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    ASKED,
    ASKING,
    HOLE,
    HOLE_WORDS,
    HOLES_OPENED,
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
    O_STATE,
    O_TRIES,
    S_HOLE,
    S_HOLE_TAIL,
    S_HOLES,
    S_WAITING,
    T_BASE,
    WAITING,
    WANTED,
    WANTING,
)
from simbench.feed.streams import give, take
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words


@kernel
def hole_row(memory: Words, hole: int) -> int:
    """Return the index of a hole's first word."""
    row: int = memory[HOLE + T_BASE] + hole * HOLE_WORDS
    return row


@kernel
def insert(memory: Words, stream: int, after: int, first: int, last: int, detected: int, line: int) -> int:
    """List first..last, which waits from now on, behind the hole `after` (NIL: before all); NIL without a free row."""
    hole = _link(memory, stream, after)
    if hole == NIL:
        return NIL
    memory[HOLES_OPENED] += 1
    row = hole_row(memory, hole)
    memory[row + O_FIRST] = first
    memory[row + O_LAST] = last
    memory[row + O_DETECTED] = detected
    memory[row + O_LINE] = line
    memory[row + O_STATE] = WAITING
    memory[row + O_TRIES] = 0
    memory[row + O_REQUESTS] = 0
    memory[row + O_BEFORE] = NIL
    memory[row + O_BEHIND] = NIL
    memory[row + O_DAMAGED] = 0
    if after == NIL or memory[stream + S_WAITING] == NIL:
        memory[stream + S_WAITING] = hole
    return hole


@kernel
def insert_damaged(memory: Words, stream: int, first: int, last: int, detected: int, line: int) -> int:
    """List first..last, of which `line` brought what could not be decoded, before all; NIL without a free row.

    It waits like any other hole, unless the one behind it has been asked for: then it is asked for at once.
    """
    following, waiting = memory[stream + S_HOLE], memory[stream + S_WAITING]
    hole = insert(memory, stream, NIL, first, last, detected, line)
    if hole == NIL:
        return NIL
    row = hole_row(memory, hole)
    memory[row + O_DAMAGED] = 1
    if following != waiting:
        change(memory, row, WANTING)
        memory[stream + S_WAITING] = waiting
    return hole


@kernel
def split(memory: Words, stream: int, hole: int, first: int, last: int) -> int:
    """Take first..last out of the middle of a hole; return what is behind it, NIL where no row was free for that."""
    rest = _link(memory, stream, hole)
    row = hole_row(memory, hole)
    if rest != NIL:
        other = hole_row(memory, rest)
        for word in range(O_FIRST, HOLE_WORDS):
            memory[other + word] = memory[row + word]
        memory[other + O_FIRST] = last + 1
        _count(memory, memory[row + O_STATE], 1)
    memory[row + O_LAST] = first - 1
    return rest


@kernel
def close(memory: Words, stream: int, before: int, hole: int) -> None:
    """Take a hole, which follows the hole `before` (NIL: none), out of the list."""
    row = hole_row(memory, hole)
    following = memory[row + O_NEXT]
    if before == NIL:
        memory[stream + S_HOLE] = following
    else:
        memory[hole_row(memory, before) + O_NEXT] = following
    if following == NIL:
        memory[stream + S_HOLE_TAIL] = before
    if memory[stream + S_WAITING] == hole:
        memory[stream + S_WAITING] = following
    memory[stream + S_HOLES] -= 1
    _count(memory, memory[row + O_STATE], -1)
    give(memory, HOLE, HOLE_WORDS, hole)


@kernel
def change(memory: Words, row: int, state: int) -> None:
    """Move a hole (row) from its state to another."""
    _count(memory, memory[row + O_STATE], -1)
    _count(memory, state, 1)
    memory[row + O_STATE] = state


@kernel
def end_wait(memory: Words, stream: int) -> None:
    """Have the first hole that waits asked for."""
    row = hole_row(memory, memory[stream + S_WAITING])
    change(memory, row, WANTING)
    memory[stream + S_WAITING] = memory[row + O_NEXT]


@kernel
def _count(memory: Words, state: int, by: int) -> None:
    if state == WANTING:
        memory[WANTED] += by
    elif state == ASKING:
        memory[ASKED] += by


@kernel
def _link(memory: Words, stream: int, after: int) -> int:
    hole = take(memory, HOLE, HOLE_WORDS)
    if hole == NIL:
        return NIL
    row = hole_row(memory, hole)
    following = memory[stream + S_HOLE] if after == NIL else memory[hole_row(memory, after) + O_NEXT]
    memory[row + O_NEXT] = following
    if after == NIL:
        memory[stream + S_HOLE] = hole
    else:
        memory[hole_row(memory, after) + O_NEXT] = hole
    if following == NIL:
        memory[stream + S_HOLE_TAIL] = hole
    memory[stream + S_HOLES] += 1
    return hole
