"""A wire's sender end in memory: it takes frames, remembers their serials and when they were sent, and counts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from simbench.kernel.host import monotonic_ns
from simbench.kernel.pure import store_release
from simbench.measure import stamps
from simbench.replay import control as c
from simbench.replay import pacing
from simbench.replay.control import Control
from simbench.replay.holding import choose_turn
from simbench.replay.judging import prepare_judged
from simbench.replay.rows import ROW, new_feed
from simbench.replay.state import AHEAD, ENTRY, RECEIVER, new_state
from simbench.wire.contract import COMMIT_SIGNATURE, PREPARE_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PREPARED, COMMITTED, ROOM, FIRST = 32, 33, 34, 96


@njit(PREPARE_SIGNATURE, cache=True, nogil=True)
def prepare(words: Any, memory: Any, source: Any, offset: int, length: int, serial: int) -> int:
    """Remember serial and first byte of a frame where there is room for it."""
    if words[PREPARED] - words[COMMITTED] >= words[ROOM] or FIRST + 3 * words[PREPARED] + 2 >= len(words):
        return 0
    at = FIRST + 3 * words[PREPARED]
    words[at] = serial
    words[at + 1] = source[offset]
    words[PREPARED] += 1
    return 1


@njit(COMMIT_SIGNATURE, cache=True, nogil=True)
def commit(words: Any, count: int) -> int:
    """Stamp the oldest frames."""
    now = monotonic_ns()
    for k in range(count):
        words[FIRST + 3 * (words[COMMITTED] + k) + 2] = now
    store_release(words, COMMITTED, words[COMMITTED] + count)
    return count


class Bench:
    """A schedule, a fake wire and a control block, and the loop that joins them.

    Args:
        due: schedule time of each frame, ns.
        speed: as a user writes it.
        settings: words of the loop's state by their index.
        lines: of the flows that frames belong to in turn, the number of the line's name from 1; 0 none.
    """

    def __init__(
        self,
        due: Any,
        *,
        speed: str = "1",
        loops: int = 1,
        room: int = 1 << 40,
        most: int = 1 << 17,
        settings: Any = (),
        lines: Any = (),
    ) -> None:
        self.rows = np.zeros(len(due), ROW)
        self.rows["due"] = due
        self.rows["recorded"] = 1_000_000_000_000 + np.asarray(due)
        self.rows["index"] = self.rows["ordinal"] = np.arange(len(due))
        self.rows["source"] = np.arange(len(due)) % 256
        self.rows["length"] = 1
        self.data = np.arange(256, dtype=np.uint8)
        self.feed = new_feed(len(due), loops=loops)
        self.rows["flow"] = np.arange(len(due)) % max(len(lines), 1)
        self.state = new_state(side_rows=1 << 17, lines=lines)
        self.state[RECEIVER] = 0
        for index, value in settings:
            self.state[index] = value
        self.queue = np.zeros(int(self.state[AHEAD]) * ENTRY, np.int64)
        self.control = Control.create()
        self.control.words[c.FRAMES] = len(due)
        self.control.words[c.LOOPS] = loops
        self.control.set_speed(speed)
        self.side = np.zeros((1 << 17) * stamps.ROW, np.int64)
        self.words = np.zeros(FIRST + 3 * most, np.int64)
        self.words[ROOM] = room
        self.memory = np.zeros(1, np.uint8)
        self.status = -1

    def run(self) -> int:
        """Run the loop in this thread until it returns."""
        self.status = pacing.send(
            self.rows, self.data, self.feed, self.state, self.queue, self.control.words, self.side, self.words,
            self.memory, prepare, commit, prepare_judged, choose_turn,
        )  # fmt: skip
        return self.status

    def start(self) -> threading.Thread:
        """Run the loop in a thread of its own."""
        thread = threading.Thread(target=self.run)
        thread.start()
        return thread

    @property
    def log(self) -> NDArray[np.int64]:
        """What was sent: int64[n, 3] of serial, first byte, time."""
        end = FIRST + 3 * int(self.words[COMMITTED])
        return self.words[FIRST:end].reshape(-1, 3)

    @property
    def table(self) -> NDArray[np.int64]:
        """Rows of the side table that are complete."""
        table = self.side.reshape(-1, stamps.ROW)
        return table[table[:, stamps.SERIAL] > 0]


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition holds; fail where it does not for so long."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        pause.wait(0.0005)
