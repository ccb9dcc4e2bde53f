"""The schedule's clock, and the commands that stop it, start it and change its speed.

A pause, a change of speed, a jump set a new anchor where the clock stands: clock time and schedule time of one moment.
From there schedule time is clock time at the speed, so nothing jumps and no error accumulates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.kernel.pure import kernel, load_acquire, store_release
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay.rows import CAPACITY, END, NEVER, RESIDENT
from simbench.replay.switchboard import FIRST_COMMAND
from simbench.replay.switches import set_switch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

TICKET_NS: Final = 1_000_000_000  # a writer that died between ticket and command holds the queue no longer


@kernel
def time_of(state: Words, offset: int, ppm: int) -> int:
    """Return the clock time of a schedule time."""
    since = offset - state[w.ANCHOR]
    if ppm == c.PPM:
        return int(state[w.ANCHOR_AT] + since)
    return int(state[w.ANCHOR_AT] + np.int64(since * (c.PPM / ppm)))


@kernel
def offset_at(state: Words, now: int, ppm: int) -> int:
    """Return the schedule time of a clock time."""
    if state[w.HALTED] or state[w.UNPACED]:
        return int(state[w.ANCHOR])
    since = now - state[w.ANCHOR_AT]
    if ppm == c.PPM:
        return int(state[w.ANCHOR] + since)
    return int(state[w.ANCHOR] + np.int64(since * (ppm / c.PPM)))


@kernel
def anchor(state: Words, at: int, offset: int) -> None:
    """Set the clock: at this clock time it is this schedule time, and a new piece begins."""
    state[w.ANCHOR_AT] = at
    state[w.ANCHOR] = offset
    state[w.PIECE] += 1


@kernel
def _set_speed(state: Words, control: Words, ppm: int, now: int) -> None:
    before = control[c.SPEED]
    if before > 0 and not state[w.HALTED]:
        anchor(state, now, offset_at(state, now, before))
    if ppm <= 0:
        state[w.ANCHOR] = state[w.PASSED]
        state[w.UNPACED] = 1
    control[c.SPEED] = ppm


@kernel
def _halt(state: Words, control: Words, now: int) -> None:
    if not state[w.HALTED]:
        if control[c.SPEED] > 0:
            anchor(state, now, offset_at(state, now, control[c.SPEED]))
        state[w.HALTED] = 1
        control[c.PHASE] = c.PAUSED


@kernel
def _go_on(state: Words, control: Words, now: int) -> None:
    if state[w.HALTED]:
        anchor(state, now, state[w.ANCHOR])
        state[w.HALTED] = 0
        state[w.STEPS] = 0
        control[c.PHASE] = c.RUNNING


@kernel
def _neighbour(ppm: int, up: int) -> int:
    """Return the next higher or lower of the usual speeds; max and flood stay what they are."""
    best = ppm
    if ppm <= 0:
        return ppm
    for speed in c.SPEEDS:
        if up and speed > ppm:
            return speed
        if not up and speed < ppm:
            best = speed
    return best


@kernel
def obey(state: Words, feed: Words, control: Words, now: int) -> int:
    """Take the next command if there is one; return STOPPED or SEEK where the loop has to leave, else FINISHED."""
    head = control[c.HEAD]
    slot = c.QUEUE + head % c.SLOTS * c.SLOT
    if load_acquire(control, slot) != head + 1:
        if load_acquire(control, c.TAIL) == head:
            state[w.PENDING] = 0
        elif state[w.PENDING] == 0:
            state[w.PENDING] = now
        elif now - state[w.PENDING] > TICKET_NS:
            state[w.PENDING] = 0
            store_release(control, c.HEAD, head + 1)
        return w.FINISHED
    state[w.PENDING] = 0
    kind = control[slot + 1]
    argument = control[slot + 2]
    status = w.FINISHED
    if kind == c.PAUSE or (kind == c.TOGGLE and not state[w.HALTED]):
        _halt(state, control, now)
    elif kind in (c.RESUME, c.TOGGLE):
        _go_on(state, control, now)
    elif kind == c.STEP:
        _halt(state, control, now)
        state[w.STEPS] += max(argument, 0)
    elif kind == c.SPEED_TO:
        _set_speed(state, control, argument, now)
    elif kind == c.FASTER:
        _set_speed(state, control, _neighbour(control[c.SPEED], 1), now)
    elif kind == c.SLOWER:
        _set_speed(state, control, _neighbour(control[c.SPEED], 0), now)
    elif kind == c.STOP:
        control[c.REASON] = argument
        status = w.STOPPED
    elif kind in (c.JUMP, c.JUMP_PRIMED):
        state[w.SEEK_TO] = argument
        state[w.SEEK_PRIMED] = kind == c.JUMP_PRIMED
        status = w.SEEK
    elif kind == c.LOOPS_TO:
        control[c.LOOPS] = max(argument, 0)
        if feed[RESIDENT]:
            # The lap under way is finished: a loop is never cut short.
            done = (state[w.POSITION] + feed[CAPACITY] - 1) // feed[CAPACITY]
            feed[END] = max(argument, done) * feed[CAPACITY] if argument > 0 else NEVER
    elif kind >= FIRST_COMMAND:
        set_switch(state, control, kind, argument, control[slot + 3])
    store_release(control, c.HEAD, head + 1)
    return status
