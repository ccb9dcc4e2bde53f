"""Rows held back for a line that is delayed: a queue a line, whose heads are merged with the rows to come.

Nothing is copied: what is held is where the row lies in the ring, and the loader may not write over it before it was
sent. So a ring that is full of held rows would keep the other line's from coming; then the oldest goes before its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
from numba import types

from simbench.kernel.pure import kernel, kernel_as, load_acquire, store_release
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay.rows import CROWDED, END, LOADED, ROW, TAKEN
from simbench.replay.switchboard import EARLY, LINES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Rows = NDArray[Any]

_WORDS: Final = types.int64[::1]
CHOOSE_SIGNATURE: Final = types.void(numba.from_dtype(ROW)[::1], _WORDS, _WORDS, _WORDS)
CHOOSE_FUNCTION: Final = types.FunctionType(CHOOSE_SIGNATURE)

# Words of a held row.
SLOT: Final = 0  # in the ring
POSITION: Final = 1
OFFSET: Final = 2  # schedule time at which it is sent
RECORDED: Final = 3  # its stamp and the delay


@kernel
def held_at(state: Words, line: int, number: int) -> int:
    """Return where in the state a held row of a line is."""
    return int(state[w.HOLDS] + (line * w.HOLD_ROWS + number % w.HOLD_ROWS) * w.HOLD)


@kernel
def head_of(state: Words) -> int:
    """Return where in the state the held row is whose turn it is."""
    line = state[w.TURN] - 1
    return held_at(state, line, state[w.HOLD_HEAD + line])


@kernel
def is_full(state: Words, line: int) -> bool:
    """Whether no more rows of a line can be held."""
    return bool(state[w.HOLD_TAIL + line] - state[w.HOLD_HEAD + line] >= w.HOLD_ROWS)


@kernel
def hold(state: Words, line: int, slot: int, position: int, offset: int, recorded: int) -> None:
    """Hold a row of a line until a schedule time, in the order of the line."""
    tail = state[w.HOLD_TAIL + line]
    if tail > state[w.HOLD_HEAD + line]:  # with a smaller delay than the one before: not before that
        last = held_at(state, line, tail - 1)
        offset = max(offset, state[last + OFFSET])
        recorded = max(recorded, state[last + RECORDED])
    at = held_at(state, line, tail)
    state[at + SLOT] = slot
    state[at + POSITION] = position
    state[at + OFFSET] = offset
    state[at + RECORDED] = recorded
    state[w.HOLD_TAIL + line] = tail + 1
    if state[w.HELD] == 0:
        state[w.SWITCHED] += 1
    state[w.HELD] += 1


@kernel
def let_go(state: Words, line: int) -> None:
    """Make all that is held of a line due by now."""
    for number in range(state[w.HOLD_HEAD + line], state[w.HOLD_TAIL + line]):
        at = held_at(state, line, number)
        state[at + OFFSET] = min(state[at + OFFSET], state[w.REACHED])
        state[at + RECORDED] = min(state[at + RECORDED], state[w.JUDGED])


@kernel
def hurry(state: Words, control: Words, line: int) -> None:
    """Make the oldest that is held of a line due by now, since there is no room for it; it is counted."""
    state[w.TURN] = line + 1
    at = head_of(state)
    if state[at + OFFSET] > state[w.REACHED]:
        state[at + OFFSET] = state[w.REACHED]
        state[at + RECORDED] = min(state[at + RECORDED], state[w.JUDGED])
        control[c.SWITCHBOARD + EARLY] += 1


@kernel
def release(feed: Words, state: Words) -> None:
    """Take the row whose turn it is out of its queue."""
    line = state[w.TURN] - 1
    state[w.HOLD_HEAD + line] += 1
    state[w.HELD] -= 1
    state[w.TURN] = 0
    if state[w.HELD] == 0:
        state[w.SWITCHED] -= 1
    tell_taken(feed, state)


@kernel
def tell_taken(feed: Words, state: Words) -> None:
    """Tell the loader which rows it may write over: those before the next one, and before all that are held."""
    taken = state[w.POSITION]
    if state[w.HELD]:
        for line in range(LINES):
            if state[w.HOLD_TAIL + line] > state[w.HOLD_HEAD + line]:
                taken = min(taken, state[held_at(state, line, state[w.HOLD_HEAD + line]) + POSITION])
    store_release(feed, TAKEN, taken)


@kernel
def _least(state: Words, word: int) -> int:
    """Return the line whose oldest held row has the least of a word; something is held."""
    best = -1
    least = 0
    for line in range(LINES):
        if state[w.HOLD_TAIL + line] > state[w.HOLD_HEAD + line]:
            value = state[held_at(state, line, state[w.HOLD_HEAD + line]) + word]
            if best < 0 or value < least:
                best = line
                least = value
    return best


@kernel_as(CHOOSE_SIGNATURE)
def choose_turn(rows: Rows, feed: Words, state: Words, control: Words) -> None:
    """Find out whether a held row goes next, or the ring's next row.

    What is held goes before a lap begins, and where the ring has no row.
    """
    state[w.TURN] = 0
    if state[w.HELD] == 0:
        return
    first = _least(state, OFFSET)
    offset = state[held_at(state, first, state[w.HOLD_HEAD + first]) + OFFSET]
    row = rows[state[w.SLOT]]
    if state[w.POSITION] >= feed[END]:
        state[w.TURN] = first + 1
    elif state[w.POSITION] >= load_acquire(feed, LOADED):
        state[w.TURN] = first + 1
        if load_acquire(feed, CROWDED):
            hurry(state, control, _least(state, POSITION))
    elif row["index"] == 0 or offset <= state[w.BASE] + row["due"]:
        state[w.TURN] = first + 1


@kernel
def forget(state: Words) -> None:
    """Let go of all that is held without sending it: the replay goes on elsewhere."""
    for line in range(LINES):
        state[w.HOLD_HEAD + line] = state[w.HOLD_TAIL + line]
    state[w.SWITCHED] -= state[w.HELD] > 0
    state[w.HELD] = 0
    state[w.TURN] = 0
