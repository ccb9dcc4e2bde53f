"""What goes next while faults are switched on: judged, and then sent, damaged, withheld or held back.

A function of its own, which the loop has as a pointer: compiled into the loop it would take registers from what is hot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
from numba import types

from simbench.kernel.pure import kernel, kernel_as, store_release
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay.handing import PASSED_OVER, advance, enter, enter_epoch, enter_held, next_offset
from simbench.replay.holding import SLOT, choose_turn, head_of, hold, hurry, is_full, release, tell_taken
from simbench.replay.rows import ROW
from simbench.replay.switches import (
    DAMAGED,
    DELAYED,
    WITHHELD,
    bit_to_turn,
    count_blamed,
    delay_ns,
    is_damaged,
    judge,
    turn,
)
from simbench.wire.contract import NO_ROOM, PREPARE_FUNCTION, TOO_LONG

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Rows = NDArray[Any]

_ROWS: Final = numba.from_dtype(ROW)[::1]
_DATA: Final = types.uint8[::1]
_WORDS: Final = types.int64[::1]
JUDGED_SIGNATURE: Final = types.int64(
    _ROWS, _DATA, _WORDS, _WORDS, _WORDS, _WORDS, _WORDS, _WORDS, _DATA, PREPARE_FUNCTION
)
JUDGED_FUNCTION: Final = types.FunctionType(JUDGED_SIGNATURE)


@kernel
def leave_behind(state: Words, control: Words) -> None:
    """Make the replay's position that of the last row, which was withheld; nothing before it is still to be sent."""
    if state[w.EPOCH] != control[c.EPOCH]:
        enter_epoch(state, control, state[w.EPOCH])
    state[w.PASSED] = state[w.REACHED]
    state[w.CLOCK] = max(state[w.CLOCK], state[w.LEFT_RECORDED])
    control[c.CURSOR] = state[w.LEFT_NUMBER] + 1
    store_release(control, c.REPLAY_NS, state[w.CLOCK])


@kernel
def _withhold(rows: Rows, feed: Words, state: Words, control: Words) -> None:
    """Pass over the next row; it takes no serial, and no row of the side table."""
    row = rows[state[w.SLOT]]
    state[w.LEFT_NUMBER] = row["index"]
    state[w.LEFT_RECORDED] = row["recorded"]
    advance(rows, feed, state)
    state[w.LEFT_AT] = state[w.POSITION]
    state[w.PIECE] += state[w.CUT]  # the recorded gap across it does not tell the scheduled one
    tell_taken(feed, state)
    count_blamed(state, control)
    if state[w.OLDEST] == state[w.SERIAL]:
        leave_behind(state, control)


@kernel
def _hold_back(rows: Rows, feed: Words, state: Words, control: Words) -> None:
    """Hold the next row back, and move on."""
    slot, position = state[w.SLOT], state[w.POSITION]
    row = rows[slot]
    by = delay_ns(state, control)
    advance(rows, feed, state)
    hold(state, state[w.LINE_OF + row["flow"]] - 1, slot, position, state[w.REACHED] + by, row["recorded"] + by)
    state[w.PIECE] += state[w.CUT]
    tell_taken(feed, state)


@kernel
def _judge_next(rows: Rows, feed: Words, state: Words, control: Words) -> int:
    """Return the verdict on what goes next, SENT or DAMAGED, or else obey it and return that."""
    if state[w.TURN]:
        row = rows[state[head_of(state) + SLOT]]
        return int(is_damaged(row, state[w.TURN] - 1, state, control))
    row = rows[state[w.SLOT]]
    verdict = judge(row, next_offset(rows, state), state, control)
    if verdict == WITHHELD:
        _withhold(rows, feed, state, control)
    elif verdict == DELAYED:
        line = state[w.LINE_OF + row["flow"]] - 1
        if is_full(state, line):
            hurry(state, control, line)
            return int(is_damaged(rows[state[head_of(state) + SLOT]], line, state, control))
        _hold_back(rows, feed, state, control)
    return int(verdict)


@kernel_as(JUDGED_SIGNATURE)
def prepare_judged(
    rows: Rows,
    data: Bytes,
    feed: Words,
    state: Words,
    queue: Words,
    control: Words,
    side: Words,
    words: Words,
    memory: Bytes,
    prepare: Any,
) -> int:
    """Do as handing.prepare_next does, with what goes next judged before."""
    bit = -1
    slot = state[w.SLOT]
    verdict = _judge_next(rows, feed, state, control)
    if verdict in (WITHHELD, DELAYED):
        choose_turn(rows, feed, state, control)
        return PASSED_OVER
    if state[w.TURN]:
        slot = state[head_of(state) + SLOT]
    if verdict == DAMAGED:
        bit = bit_to_turn(rows[slot], state, data)
    row = rows[slot]
    if bit >= 0:
        turn(data, bit)
    serial = state[w.SERIAL] if state[w.SERIALS] else -1
    result = prepare(words, memory, data, row["source"], int(row["length"]), serial)
    if bit >= 0:
        turn(data, bit)  # the next loop sends it whole
        if result == 1:
            count_blamed(state, control)
    if result == NO_ROOM:
        return NO_ROOM
    if result == TOO_LONG and not state[w.TURN]:
        advance(rows, feed, state)
        tell_taken(feed, state)
    elif result == TOO_LONG:
        release(feed, state)
    elif state[w.TURN]:
        enter_held(rows, feed, state, queue, side)
    else:
        enter(rows, feed, state, queue, side)
        tell_taken(feed, state)
    choose_turn(rows, feed, state, control)
    return 1
