"""What one line alone missed: ranges of its own sequence, exact, shortened by what it brings later itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.feed.layout import (
    E_FIRST,
    EPOCH,
    EPOCH_WORDS,
    JOINING,
    L_EPOCH,
    L_FIRST,
    L_MISSING,
    L_MISSING_UNITS,
    L_NEXT,
    L_REORDERED,
    M_EPOCH,
    M_FIRST,
    M_LAST,
    M_PREVIOUS,
    NIL,
    RANGE,
    RANGE_WORDS,
    T_BASE,
    UNPLACED,
    UNRANGED,
)
from simbench.feed.streams import give, take
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words

WALK: Final = 4096  # ranges looked through for one late arrival: a line that hops to and fro cannot make this slow


@kernel
def add_missing(memory: Words, own: int, epoch: int, first: int, last: int) -> None:
    """Note that a line missed first..last of an epoch (row), clipped to the epoch's start."""
    first = max(first, memory[memory[EPOCH + T_BASE] + epoch * EPOCH_WORDS + E_FIRST])
    if first > last:
        return
    base = memory[RANGE + T_BASE]
    newer, older = NIL, memory[own + L_MISSING]
    while older != NIL:
        row = base + older * RANGE_WORDS
        if memory[row + M_EPOCH] < epoch or (memory[row + M_EPOCH] == epoch and memory[row + M_FIRST] <= first):
            break
        newer, older = older, memory[row + M_PREVIOUS]
    memory[own + L_MISSING_UNITS] += last - first + 1
    if older != NIL:
        row = base + older * RANGE_WORDS
        if memory[row + M_EPOCH] == epoch and memory[row + M_LAST] == first - 1:
            memory[row + M_LAST] = last
            return
    _insert(memory, own, newer, older, epoch, first, last)


@kernel
def _insert(memory: Words, own: int, newer: int, older: int, epoch: int, first: int, last: int) -> None:
    fresh = take(memory, RANGE, RANGE_WORDS)
    if fresh == NIL:
        memory[UNRANGED] += last - first + 1
        return
    base = memory[RANGE + T_BASE]
    row = base + fresh * RANGE_WORDS
    memory[row + M_PREVIOUS] = older
    memory[row + M_FIRST] = first
    memory[row + M_LAST] = last
    memory[row + M_EPOCH] = epoch
    if newer == NIL:
        memory[own + L_MISSING] = fresh
    else:
        memory[base + newer * RANGE_WORDS + M_PREVIOUS] = fresh


@kernel
def overlaps_missing(memory: Words, own: int, epoch: int, first: int, end: int) -> bool:
    """Tell whether a line's packet first..end-1 brings something that this line missed so far."""
    base = memory[RANGE + T_BASE]
    node = memory[own + L_MISSING]
    for _ in range(WALK):
        if node == NIL:
            return False
        row = base + node * RANGE_WORDS
        if memory[row + M_EPOCH] < epoch or (memory[row + M_EPOCH] == epoch and memory[row + M_LAST] < first):
            return False
        if memory[row + M_EPOCH] == epoch and memory[row + M_FIRST] < end:
            return True
        node = memory[row + M_PREVIOUS]
    return False


@kernel
def fill_missing(memory: Words, own: int, epoch: int, first: int, end: int) -> int:
    """Take first..end-1 out of what a line missed; return the units taken out."""
    base = memory[RANGE + T_BASE]
    filled = 0
    newer, node = NIL, memory[own + L_MISSING]
    for _ in range(WALK):
        if node == NIL:
            break
        row = base + node * RANGE_WORDS
        a, b = memory[row + M_FIRST], memory[row + M_LAST]
        older = memory[row + M_PREVIOUS]
        if memory[row + M_EPOCH] < epoch or (memory[row + M_EPOCH] == epoch and b < first):
            break
        if memory[row + M_EPOCH] == epoch and a < end:
            x, y = max(a, first), min(b, end - 1)
            filled += y - x + 1
            if a < x and y < b:
                memory[row + M_FIRST] = y + 1
                _insert(memory, own, node, older, epoch, a, x - 1)
                break
            if a < x:
                memory[row + M_LAST] = x - 1
            elif y < b:
                memory[row + M_FIRST] = y + 1
            else:
                if newer == NIL:
                    memory[own + L_MISSING] = older
                else:
                    memory[base + newer * RANGE_WORDS + M_PREVIOUS] = older
                give(memory, RANGE, RANGE_WORDS, node)
                node = older
                continue
        newer, node = node, older
    else:
        memory[UNPLACED] += 1
    memory[own + L_MISSING_UNITS] -= filled
    return filled


@kernel
def track(memory: Words, own: int, state: int, first: int, end: int) -> None:
    """Follow a line's own sequence in its epoch: note what it skipped, take out what it brings after all.

    Args:
        memory: the sequencer's.
        own: base of the line, whose epoch is set.
        state: of the stream; while it is joining, what lies before the line's first is not missing yet.
        first: sequence of the packet, or the next expected one that a heartbeat names.
        end: behind its last unit; equal to first for a heartbeat.
    """
    epoch: int = memory[own + L_EPOCH]
    expected = memory[own + L_NEXT]
    if first > expected:
        add_missing(memory, own, epoch, expected, first - 1)
    elif first == end:
        return
    elif state == JOINING and first < memory[own + L_FIRST]:
        add_missing(memory, own, epoch, end, memory[own + L_FIRST] - 1)
        memory[own + L_FIRST] = first
        memory[own + L_REORDERED] += 1
    elif first < expected and fill_missing(memory, own, epoch, first, min(end, expected)) > 0:
        memory[own + L_REORDERED] += 1
    memory[own + L_NEXT] = max(expected, end)
