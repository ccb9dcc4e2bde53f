"""The words of the sender's loop: what it is told, where it stands, what it asks for; and its queue of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

# What it is told.
BATCH: Final = 0  # most frames a commit when paced
AHEAD: Final = 1  # most frames prepared and not sent, a power of two; slots of the queue
WINDOW: Final = 2  # credits at speed max: most frames sent and not consumed
SIDE_ROWS: Final = 3  # rows of the side table, a power of two
SERIALS: Final = 4  # 1: the serial goes into the source MAC
RECEIVER: Final = 5  # 1: wait for the receiver's READY, and take its credits
LOOP_GAP: Final = 6  # ns of schedule time between the last frame of a loop and the first of the next
AWAKE: Final = 7  # ns before a deadline within which it spins and does not sleep
PRIME_UNTIL: Final = 8  # recorded ns: what is earlier goes out as fast as the receiver takes it, unpaced
# Where it stands.
POSITION: Final = 16  # the next row to prepare
SLOT: Final = 17  # its slot in the ring
SERIAL: Final = 18  # of the next frame to prepare
OLDEST: Final = 19  # serial of the oldest frame that is prepared and not sent
FRESH: Final = 20  # 1: the next row to prepare is the first after a start or a jump
BASE: Final = 21  # schedule time of the loop's row with due 0
REACHED: Final = 22  # schedule time of the last row prepared
EPOCH: Final = 23  # of the next row to prepare
PASSED: Final = 24  # schedule time of the last frame sent
CLOCK: Final = 25  # recorded time of this epoch's frames sent so far
COUNTED_FROM: Final = 26  # schedule time from which achieved speed is counted: the end of priming
SWITCHED: Final = 27  # faults that are switched on; every row is judged while there are any
LEFT_AT: Final = 28  # position behind the last row that was withheld
LEFT_NUMBER: Final = 29  # its index in the schedule
LEFT_RECORDED: Final = 30  # its recorded time
# The schedule's clock.
ANCHOR_AT: Final = 32  # CLOCK_MONOTONIC
ANCHOR: Final = 33  # schedule time then
PIECE: Final = 34  # anchors so far
HALTED: Final = 35  # 1: paused, the schedule's clock stands at ANCHOR
STEPS: Final = 36  # frames to send although paused
UNPACED: Final = 37  # 1: credits or flood, by speed or to prime; the next paced frame sets an anchor
LAP: Final = 38  # laps of the schedule begun after the first
LAP_ERA: Final = 39  # epoch of the latest
# Housekeeping.
LOOKED: Final = 40  # when the slow words were last written
PUBLISHED: Final = 41  # when the replay time was
PENDING: Final = 42  # when a ticket was first seen without its command
LAST_CONSUMED: Final = 43  # credits when they last moved
MOVED_AT: Final = 44  # and when that was, or since when both sides have been at work
CREDITED_AT: Final = 45  # when they were last looked at
# What it asks when it returns.
SEEK_TO: Final = 48  # recorded ns
SEEK_PRIMED: Final = 49
# Faults that are switched on, see switches.py.
SWITCH_ENDS: Final = 50  # schedule time at which the next goes off by itself
SWITCH_WAITS: Final = 51  # 1: no row has been judged since one was switched on
JUDGED: Final = 52  # recorded time of the last row judged
BLAMED: Final = 53  # number of the window that is to blame for what became of it
FLOWS: Final = 54  # flows whose line is known
CUT: Final = 55  # 1: schedule time and recorded time part within a piece
HELD: Final = 56  # rows that are held back, see holding.py
TURN: Final = 57  # 1 and the line of the held row that goes next; 0: the ring's next row
HOLDS: Final = 58  # where the queues of held rows begin
HOLD_HEAD: Final = 64  # by line: held rows that have left the queue
HOLD_TAIL: Final = 72  # by line: that have come into it
STATE_WORDS: Final = 80
HOLD_ROWS: Final = 1 << 14  # of a line that can be held
HOLD: Final = 4  # words of a held row
LINE_OF: Final = STATE_WORDS  # by flow: number of its line's name, from 1; 0 none

# Queue of prepared frames, int64[AHEAD, ENTRY] by serial.
ENTRY: Final = 8
OFFSET: Final = 0  # schedule time
RECORDED: Final = 1
NUMBER: Final = 2  # index in the schedule
ERA: Final = 3  # epoch
LENGTH: Final = 4

# Statuses.
FINISHED: Final = 0
STOPPED: Final = 1  # reason in control[REASON]
SEEK: Final = 2

UNBOUND: Final = -(1 << 62)


def new_state(
    *, batch: int = 64, ahead: int = 256, window: int = 1024, side_rows: int = 1 << 16, lines: Sequence[int] = ()
) -> Words:
    """Return the state of a loop that has not started; other settings are words of it.

    Args:
        batch: most frames a commit when paced.
        ahead: most frames prepared and not sent, a power of two; the wire must have room for so many.
        window: most frames in flight at speed max.
        side_rows: rows of the side table, a power of two.
        lines: by flow, the number of its line's name, from 1; 0 none.
    """
    flows, names = len(lines), max(lines, default=0)
    state = np.zeros(STATE_WORDS + flows + names * HOLD_ROWS * HOLD, np.int64)  # pages untouched until rows are held
    state[LINE_OF : LINE_OF + flows] = lines
    state[FLOWS] = flows
    state[HOLDS] = LINE_OF + flows
    state[[LEFT_AT, LAP_ERA]] = -1
    state[[BATCH, AHEAD, WINDOW, SIDE_ROWS]] = batch, ahead, window, side_rows
    state[[SERIALS, RECEIVER, FRESH]] = 1
    state[LOOP_GAP] = 10_000_000
    state[[PRIME_UNTIL, CLOCK]] = UNBOUND
    return state
