"""The switchboard, a part of the control block: which faults are switched on, and what each did while it was.

The replayer is its only writer; whoever wants a fault on or off sends it a command. A window is the time from when a
fault of one line is switched on until it is off again, or another value of it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

KINDS: Final = ("dark", "lose", "corrupt", "delay")
DARK: Final = 0
LOSE: Final = 1  # parts per million of the datagrams, drawn
CORRUPT: Final = 2  # likewise: one bit of the payload turned over, under the checksum of before
DELAY: Final = 3  # ns
LINES: Final = 8  # that can be told apart, by their names
FIRST_COMMAND: Final = 64  # of the control block's commands: that of DARK, the other kinds follow
ALL_OFF: Final = 80  # command
LINE_SHIFT: Final = 48  # of a command's argument: the value below, a bit for each line above

# Words.
OPENED: Final = 0  # windows so far
EARLY: Final = 1  # delayed frames that were sent before their time, since there was no room to hold more
ACTIVE: Final = 8  # by kind and line: number of the window that is open, from 1; 0 none
WINDOWS: Final = ACTIVE + 32  # the latest, by number
WINDOW_ROWS: Final = 128
WINDOW: Final = 8
SWITCH_WORDS: Final = WINDOWS + WINDOW_ROWS * WINDOW

# Words of a window.
KIND: Final = 0
LINE: Final = 1
VALUE: Final = 2
SINCE: Final = 3  # recorded ns: stamp of the first frame that was judged with it on
UNTIL: Final = 4  # of the last; 0 while it is on
FRAMES: Final = 5  # hit
ENDS: Final = 6  # schedule time at which it goes off by itself
WAITS: Final = 7  # 1: no frame has been judged with it on


@dataclass(frozen=True, slots=True)
class Switched:
    """A fault of one line, from when it was switched on until it was off.

    Attributes:
        number: of the window, from 0.
        kind: of KINDS.
        line: number of the line's name.
        value: parts per million of the datagrams for "lose" and "corrupt", ns for "delay", 1 for "dark".
        since_ns: recorded stamp of the first frame that it could hit, ns since 1970.
        until_ns: of the last; 0 while it is on.
        frames: that it hit.
    """

    number: int
    kind: str
    line: int
    value: int
    since_ns: int
    until_ns: int
    frames: int


def switched(board: Words) -> list[Switched]:
    """Return the latest windows of a switchboard, at most WINDOW_ROWS, in the order in which they were opened."""
    opened = int(board[OPENED])
    found = []
    for number in range(max(0, opened - WINDOW_ROWS), opened):
        at = WINDOWS + number % WINDOW_ROWS * WINDOW
        kind, line, value, since, until, frames = (int(word) for word in board[at : at + FRAMES + 1])
        found.append(Switched(number, KINDS[kind], line, value, since, until, frames))
    return found


def told(fault: str, value: int) -> str:
    """Return a fault as a user reads it.

    >>> told("lose", 15_000), told("delay", 250_000), told("dark", 1)
    ('lose 1.5 %', 'delay 250 us', 'dark')
    """
    if fault == KINDS[DARK]:
        return fault
    if fault == KINDS[DELAY]:
        return f"{fault} {_duration(value)}"
    return f"{fault} {value / 10_000:g} %"


def _duration(ns: int) -> str:
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns} ns"


def argument_of(lines: Sequence[int], value: int) -> int:
    """Return the argument of a command that sets a fault of these lines to a value; 0 switches it off."""
    return sum(1 << line for line in set(lines)) << LINE_SHIFT | value
