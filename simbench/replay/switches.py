"""Faults switched on and off while a replay goes on: what becomes of a frame is judged when it would be prepared.

So nothing comes between a deadline and the send, and while nothing is switched on there is one word to look at. What
is drawn for a frame depends on its ordinal, the epoch and the kind of fault alone: the same replay with the same
switches at the same frames does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.capture.seal import UDP, fits, udp_at
from simbench.kernel.pure import HASH_PRIME, kernel, mix, multiply, shift_right, store_release
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay import switchboard as b
from simbench.replay.holding import let_go

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

BOARD: Final = c.SWITCHBOARD
ACTIVE: Final = BOARD + b.ACTIVE
MILLION: Final = 1_000_000
FOREVER: Final = 1 << 62

# Verdicts.
SENT: Final = 0
WITHHELD: Final = 1
DAMAGED: Final = 2
DELAYED: Final = 3


@kernel
def _window(number: int) -> int:
    """Return where a window begins in the control block; they are numbered from 1 here."""
    return BOARD + b.WINDOWS + (number - 1) % b.WINDOW_ROWS * b.WINDOW


@kernel
def _close(state: Words, control: Words, place: int) -> None:
    """Switch off what is on at this place of ACTIVE."""
    number = control[place]
    if number == 0:
        return
    control[place] = 0
    state[w.SWITCHED] -= 1
    at = _window(number)
    if control[at + b.KIND] == b.DELAY:
        let_go(state, control[at + b.LINE])
    control[at + b.UNTIL] = control[at + b.SINCE] if control[at + b.WAITS] else state[w.JUDGED]


@kernel
def _open(state: Words, control: Words, kind: int, line: int, value: int, ends: int) -> None:
    """Switch a fault of a line on."""
    number = control[BOARD + b.OPENED] + 1
    old = _window(number)
    if number > b.WINDOW_ROWS and control[old + b.UNTIL] == 0:  # still on: its row is needed
        _close(state, control, ACTIVE + control[old + b.KIND] * b.LINES + control[old + b.LINE])
    control[old + b.KIND] = kind
    control[old + b.LINE] = line
    control[old + b.VALUE] = value
    control[old + b.SINCE] = control[c.REPLAY_NS]
    control[old + b.UNTIL] = 0
    control[old + b.FRAMES] = 0
    control[old + b.ENDS] = ends
    control[old + b.WAITS] = 1
    control[ACTIVE + kind * b.LINES + line] = number
    store_release(control, BOARD + b.OPENED, number)
    state[w.SWITCHED] += 1
    state[w.SWITCH_WAITS] = 1


@kernel
def _find_end(state: Words, control: Words) -> None:
    """Note when the next of what is on goes off by itself."""
    state[w.SWITCH_ENDS] = FOREVER
    for place in range(ACTIVE, ACTIVE + len(b.KINDS) * b.LINES):
        if control[place]:
            state[w.SWITCH_ENDS] = min(state[w.SWITCH_ENDS], control[_window(control[place]) + b.ENDS])


@kernel
def set_switch(state: Words, control: Words, command: int, argument: int, for_ns: int) -> None:
    """Obey a command that switches faults on or off.

    Args:
        state: int64[n].
        control: int64[WORDS], the control block.
        command: ALL_OFF, or FIRST_COMMAND and the kind.
        argument: a value, 0 off, and the lines; see switchboard.argument_of.
        for_ns: schedule time after which it goes off by itself; 0: it stays.
    """
    kind = command - b.FIRST_COMMAND
    if command == b.ALL_OFF:
        for place in range(ACTIVE, ACTIVE + len(b.KINDS) * b.LINES):
            _close(state, control, place)
    elif 0 <= kind < len(b.KINDS):
        value = argument & (1 << b.LINE_SHIFT) - 1
        for line in range(b.LINES):
            if argument >> (b.LINE_SHIFT + line) & 1:
                _close(state, control, ACTIVE + kind * b.LINES + line)
                if value > 0:
                    ends = state[w.REACHED] + for_ns if for_ns > 0 else FOREVER
                    _open(state, control, kind, line, value, ends)
    _find_end(state, control)


@kernel
def _begin_and_end(row: Any, offset: int, state: Words, control: Words) -> None:
    """Switch off what is over by this schedule time, and note in what was just switched on that it begins here."""
    state[w.SWITCH_WAITS] = 0
    for place in range(ACTIVE, ACTIVE + len(b.KINDS) * b.LINES):
        if control[place]:
            at = _window(control[place])
            if offset >= control[at + b.ENDS]:
                _close(state, control, place)
            elif control[at + b.WAITS]:
                control[at + b.SINCE] = row["recorded"]
                control[at + b.WAITS] = 0
    _find_end(state, control)


@kernel
def _drawn(row: Any, state: Words, kind: int) -> int:
    """Return 64 bits for a frame and a kind of fault."""
    return mix(multiply(row["ordinal"] + 1, HASH_PRIME) + state[w.EPOCH], kind)


@kernel
def _drawn_below(bits: int, ppm: int) -> bool:
    return bool((shift_right(bits, 24) * MILLION) >> 40 < ppm)


@kernel
def count_blamed(state: Words, control: Words) -> None:
    """Count a frame for the window that is to blame for what became of it."""
    control[_window(state[w.BLAMED]) + b.FRAMES] += 1


@kernel
def is_damaged(row: Any, line: int, state: Words, control: Words) -> int:
    """Return DAMAGED or SENT, as judge() does."""
    damaging = control[ACTIVE + b.CORRUPT * b.LINES + line]
    if damaging and _drawn_below(_drawn(row, state, b.CORRUPT), control[_window(damaging) + b.VALUE]):
        state[w.BLAMED] = damaging
        return DAMAGED
    return SENT


@kernel
def judge(row: Any, offset: int, state: Words, control: Words) -> int:
    """Return what becomes of the next row; what it is withheld or damaged by stands in state[BLAMED] then.

    Args:
        row: ROW.
        offset: its schedule time.
        state: int64[n].
        control: int64[WORDS].
    """
    if state[w.SWITCH_WAITS] or offset >= state[w.SWITCH_ENDS]:
        _begin_and_end(row, offset, state, control)
    state[w.JUDGED] = row["recorded"]
    flow = row["flow"]
    if not 0 <= flow < state[w.FLOWS] or state[w.LINE_OF + flow] == 0:
        return SENT
    line = state[w.LINE_OF + flow] - 1
    place = ACTIVE + line
    dark = control[place + b.DARK * b.LINES]
    if dark:
        state[w.BLAMED] = dark
        return WITHHELD
    lossy = control[place + b.LOSE * b.LINES]
    if lossy and _drawn_below(_drawn(row, state, b.LOSE), control[_window(lossy) + b.VALUE]):
        state[w.BLAMED] = lossy
        return WITHHELD
    delaying = control[place + b.DELAY * b.LINES]
    if delaying or state[w.HOLD_TAIL + line] > state[w.HOLD_HEAD + line]:  # behind what is held of its line already
        state[w.BLAMED] = delaying
        return DELAYED
    return is_damaged(row, line, state, control)


@kernel
def delay_ns(state: Words, control: Words) -> int:
    """Return by how much the row is delayed that was judged last; it is counted where a window is to blame."""
    if state[w.BLAMED] == 0:
        return 0
    count_blamed(state, control)
    return int(control[_window(state[w.BLAMED]) + b.VALUE])


@kernel
def bit_to_turn(row: Any, state: Words, data: Bytes) -> int:
    """Return which bit of the data is turned over to damage a row's UDP payload; -1 where none is found.

    One bit turned over is never made up for in a checksum.
    """
    at = row["source"]
    length = int(row["length"])
    if not fits(data, at, length):
        return -1
    first = udp_at(data, at) + UDP
    room = (at + length - first) * 8
    if room <= 0:
        return -1
    return int(first * 8 + shift_right(_drawn(row, state, b.CORRUPT + len(b.KINDS)), 8) % room)


@kernel
def turn(data: Bytes, bit: int) -> None:
    """Turn a bit over."""
    data[bit // 8] ^= np.uint8(128 >> bit % 8)
