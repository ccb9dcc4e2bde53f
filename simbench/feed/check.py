"""Every invariant of the sequencer's state, asserted: for tests and --paranoid, never in the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed import layout as at
from simbench.feed.holes import hole_row
from simbench.feed.streams import find, stream_base

if TYPE_CHECKING:
    from simbench.feed.layout import Words

WIDTHS = {at.SLOT: at.SLOT_WORDS, at.HOLE: at.HOLE_WORDS, at.RANGE: at.RANGE_WORDS}


def check(memory: Words) -> None:
    """Assert that lists, pools, counters and sequences of a sequencer agree with each other.

    Args:
        memory: int64[n], the sequencer's.
    """
    used = dict.fromkeys(WIDTHS, 0)
    states = dict.fromkeys((at.WAITING, at.WANTING, at.ASKING, at.SPENT), 0)
    for number in range(int(memory[at.STREAM + at.T_USED])):
        stream = int(stream_base(memory, number))
        assert find(memory, int(memory[stream + at.S_CHANNEL]), int(memory[stream + at.S_KEY])) == stream
        if memory[stream + at.S_STATE] == at.EMPTY:
            continue
        used[at.HOLE] += _check_holes(memory, stream, states)
        used[at.SLOT] += _check_held(memory, stream)
        _check_sequence(memory, stream)
        for line in range(int(memory[stream + at.S_LINES])):
            own = stream + at.LINES_AT + line * at.LINE_WORDS
            used[at.RANGE] += _check_line(memory, stream, own)
            used[at.SLOT] += len(_chain(memory, at.SLOT, int(memory[own + at.L_RUN_SLOT])))
    assert states[at.WANTING] == memory[at.WANTED]
    assert states[at.ASKING] == memory[at.ASKED]
    for table, count in used.items():
        free = len(_chain(memory, table, int(memory[table + at.T_FREE])))
        assert count == memory[table + at.T_USED], (table, count, memory[table + at.T_USED])
        assert count + free == memory[table + at.T_CAPACITY], (table, count, free)


def _chain(memory: Words, table: int, row: int) -> list[int]:
    """Return the bases of a list's rows, whose first word links them."""
    found = []
    while row != at.NIL:
        found.append(int(memory[table + at.T_BASE]) + row * WIDTHS[table])
        row = int(memory[found[-1]])
        assert len(found) <= memory[table + at.T_CAPACITY], "a list runs in a circle"
    return found


def _check_holes(memory: Words, stream: int, states: dict[int, int]) -> int:
    holes = _chain(memory, at.HOLE, int(memory[stream + at.S_HOLE]))
    assert len(holes) == memory[stream + at.S_HOLES]
    behind = int(memory[stream + at.S_EXPECTED])
    for row in holes:
        first, last = int(memory[row + at.O_FIRST]), int(memory[row + at.O_LAST])
        assert behind <= first <= last < memory[stream + at.S_TOP], (behind, first, last)
        behind = last + 1
    found = [int(memory[row + at.O_STATE]) for row in holes]
    waiting = found.index(at.WAITING) if at.WAITING in found else len(found)
    assert set(found[waiting:]) <= {at.WAITING}, found
    first = int(memory[stream + at.S_WAITING])
    assert (hole_row(memory, first) if first != at.NIL else at.NIL) == (*holes, at.NIL)[waiting]
    for row, state in zip(holes, found, strict=True):
        states[state] += 1
        assert state != at.ASKING or memory[row + at.O_DEADLINE] >= memory[stream + at.S_ANSWER_DUE]
    if holes:
        tail = int(memory[at.HOLE + at.T_BASE]) + int(memory[stream + at.S_HOLE_TAIL]) * at.HOLE_WORDS
        assert tail == holes[-1]
    else:
        assert memory[stream + at.S_HOLE_TAIL] == at.NIL
    return len(holes)


def _check_held(memory: Words, stream: int) -> int:
    held = _chain(memory, at.SLOT, int(memory[stream + at.S_HEAD]))
    assert len(held) == memory[stream + at.S_HELD]
    firsts = [int(memory[row + at.K_FIRST]) for row in held]
    assert firsts == sorted(firsts), firsts
    before = at.NIL
    for row in held:
        assert memory[row + at.K_PREVIOUS] == before
        before = (row - int(memory[at.SLOT + at.T_BASE])) // at.SLOT_WORDS
        assert memory[row + at.K_FIRST] + memory[row + at.K_UNITS] <= memory[stream + at.S_TOP]
    assert memory[stream + at.S_TAIL] == before
    return len(held)


def _check_sequence(memory: Words, stream: int) -> None:
    expected, top = int(memory[stream + at.S_EXPECTED]), int(memory[stream + at.S_TOP])
    assert expected <= top, (expected, top)
    plain = memory[stream + at.S_HOLE] == at.NIL and memory[stream + at.S_HEAD] == at.NIL
    if memory[stream + at.S_STATE] == at.LIVE:
        assert expected == top or not plain, (expected, top)
        assert memory[stream + at.S_FAST] in (at.NIL, expected)
        if not plain:
            assert memory[stream + at.S_FAST] == at.NIL
    else:
        assert memory[stream + at.S_FAST] == at.NIL


def _check_line(memory: Words, stream: int, own: int) -> int:
    ranges = _chain(memory, at.RANGE, int(memory[own + at.L_MISSING]))
    units = 0
    above = (at.NEVER, at.NEVER)
    for row in ranges:
        epoch, first, last = (int(memory[row + word]) for word in (at.M_EPOCH, at.M_FIRST, at.M_LAST))
        assert first <= last
        assert (epoch, last) < above, (epoch, first, last, above)
        above = (epoch, first)
        units += last - first + 1
    if memory[at.UNRANGED] == 0:
        assert units == memory[own + at.L_MISSING_UNITS]
    if memory[own + at.L_FAST] != at.NIL:
        assert memory[own + at.L_FAST] == memory[own + at.L_NEXT]
        assert memory[own + at.L_EPOCH] == memory[stream + at.S_EPOCH]
    assert (memory[own + at.L_RUN] > 0) or (memory[own + at.L_RUN_SLOT] == at.NIL)
    return len(ranges)
