"""A replayer at work: a loaded capture, the sender end of a wire, and the loop between them in a thread of its own."""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.measure import stamps
from simbench.measure.histogram import SIZE, Histogram
from simbench.replay import control as c
from simbench.replay import state as p
from simbench.replay.holding import choose_turn, forget
from simbench.replay.judging import prepare_judged
from simbench.replay.pacing import send
from simbench.replay.rows import END, NEVER, TAKEN
from simbench.replay.schedule import UNBOUND
from simbench.replay.switchboard import EARLY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.replay.control import Control
    from simbench.replay.loader import Loader
    from simbench.wire.contract import SenderEnd

    Words = NDArray[np.int64]

MOST_SIDE_ROWS: Final = 1 << 17  # more frames than any wire holds, in no more bytes than a cache
AWAKE_NS: Final = 10_000_000  # a core that halted has cold caches: its next frame is 0.95 us late, else 0.03
PR_SET_TIMERSLACK: Final = 29  # prctl(2): of the calling thread; 50 us is what a thread has otherwise


@dataclass(frozen=True)
class Settings:
    """How the loop works.

    Attributes:
        receiver: wait for the receiver's READY in the control block, and take its credits at speed max.
        window: most frames in flight at speed max.
        ahead: most frames prepared and not sent, a power of two; at most half of the wire's.
        batch: most frames sent by one call when paced.
        serials: whether the source MAC carries the serial.
        awake_ns: nearer to a deadline than this it spins; 0: it sleeps whenever it can wake in time.
        loop_gap_ns: schedule time between the last frame of a loop and the first of the next.
        paused: start paused.
        cpu: core to run on; any where None.
    """

    receiver: bool = True
    window: int = 1024
    ahead: int = 256
    batch: int = 64
    serials: bool = True
    awake_ns: int = AWAKE_NS
    loop_gap_ns: int = 10_000_000
    paused: bool = False
    cpu: int | None = None


def side_rows(frames: int) -> int:
    """Return how many rows a side table for so many frames has: a power of two from 1,024 to MOST_SIDE_ROWS.

    >>> side_rows(5000)
    8192
    """
    return min(max(1024, 1 << max(frames - 1, 0).bit_length()), MOST_SIDE_ROWS)


class Replayer:
    """Sends what a loader has loaded over a wire, as the commands in the control block say.

    Args:
        loader: of the capture.
        end: where frames go in; closed by the caller.
        control: the control block.
        side: int64[rows * stamps.ROW], rows a power of two.
        settings: how the loop works.
    """

    def __init__(self, loader: Loader, end: SenderEnd, control: Control, side: Words, settings: Settings) -> None:
        self.loader = loader
        self.end = end
        self.control = control
        self.side = side
        self.settings = settings
        rows = len(side) // stamps.ROW
        self.state = p.new_state(
            batch=settings.batch, ahead=settings.ahead, window=settings.window, side_rows=rows, lines=loader.line_of
        )
        self.state[[p.RECEIVER, p.SERIALS]] = settings.receiver, settings.serials
        self.state[[p.AWAKE, p.HALTED]] = settings.awake_ns, settings.paused
        self.state[p.LOOP_GAP] = settings.loop_gap_ns
        self.state[p.CUT] = loader.options.max_idle_ns > 0 or bool(loader.options.windows)
        self.state[p.PRIME_UNTIL] = loader.options.prime_until
        self._queue = np.zeros(settings.ahead * p.ENTRY, np.int64)
        self._plan = loader.plan
        # A page that is touched for the first time costs a microsecond: touched here, not under way.
        side[: min(rows, self._plan.frames * max(1, int(control.words[c.LOOPS]))) * stamps.ROW] = 0
        words = control.words
        words[c.FRAMES] = self._plan.frames
        words[c.FIRST_NS] = self._plan.first_ns
        words[c.LAST_NS] = self._plan.last_ns
        words[c.REPLAY_NS] = self._plan.first_ns
        words[c.REPLAYER_PID] = os.getpid()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        """Start the thread; the first frame goes out when the receiver is ready."""
        self.loader.start(self.control.words)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return whether it has come. A failure of the thread is raised here."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self.loader.stop()
        if self.failure is not None:
            raise self.failure
        return True

    def _run(self) -> None:
        try:
            if self.settings.cpu is not None:
                os.sched_setaffinity(0, {self.settings.cpu})
            ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
            status = self._send()
            while status == p.SEEK:
                self._seek()
                status = self._send()
            reason = int(self.control.words[c.REASON])
            failed = status == p.STOPPED and reason in (c.RECEIVER_GONE, c.LOADER_FAILED)
            self.control.words[c.PHASE] = c.FAILED if failed else c.ENDED
            if reason == c.LOADER_FAILED and status == p.STOPPED:
                self.failure = self.loader.error
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that joins
            self.failure = error
            self.control.words[c.PHASE] = c.FAILED

    def _send(self) -> int:
        loader, end = self.loader, self.end
        return int(
            send(
                loader.rows,
                loader.data,
                loader.feed,
                self.state,
                self._queue,
                self.control.words,
                self.side,
                end.words,
                end.memory,
                end.prepare,
                end.commit,
                prepare_judged,
                choose_turn,
            )
        )

    def _seek(self) -> None:
        """Go on elsewhere in the schedule, in a new epoch."""
        state, loader = self.state, self.loader
        forget(state)
        target, primed = int(state[p.SEEK_TO]), bool(state[p.SEEK_PRIMED])
        capacity = len(loader.rows)
        if loader.resident:
            index = 0 if primed else loader.find(target)
            lap = max(0, int(state[p.POSITION]) - 1) // capacity
            state[p.POSITION] = lap * capacity + index
            state[p.SLOT] = index
            loader.feed[TAKEN] = state[p.POSITION]
            if loader.feed[END] != NEVER:
                loader.feed[END] = max(int(loader.feed[END]), (lap + 1) * capacity)
        else:
            position = int(state[p.POSITION])
            loader.start(
                self.control.words,
                position=position,
                from_ns=UNBOUND if primed else target,
                loop=int(self.control.words[c.LOOP]),
            )
            state[p.SLOT] = position % capacity
        state[p.PRIME_UNTIL] = target if primed else UNBOUND
        state[p.EPOCH] += 1
        state[p.FRESH] = 1
        state[p.REACHED] = state[p.PASSED]

    def result(self) -> dict[str, Any]:
        """Return what was done, for a report: JSON types only."""
        words, plan = self.control.words, self._plan
        drops = {name: count for name, count in self.end.counters().items() if count}
        lateness = Histogram(words[c.LATENESS : c.LATENESS + SIZE]).summary()
        return {
            "phase": self.control.phase.value,
            "reason": self.control.reason,
            "frames": plan.frames,
            "sent": int(words[c.SENT]),
            "bytes": int(words[c.BYTES]),
            "moved": plan.moved,
            "backward_stamps": plan.backward,
            "left_out": plan.left_out,
            "kept_wrong": plan.kept_wrong,
            "unseen": plan.unseen,
            "sources": [list(source) for source in plan.sources],
            "problem": plan.problem,
            "drops": drops,
            "given_up": int(words[c.GIVEN_UP]),
            "starved_ns": int(words[c.STARVED_NS]),
            "sent_early": int(words[c.SWITCHBOARD + EARLY]),
            "loops": int(words[c.LOOP]) + (self.control.cursor == plan.frames),
            "epoch": self.control.epoch,
            "first_ns": str(plan.first_ns),
            "last_ns": str(plan.last_ns),
            "resident": self.loader.resident,
            "wire": self.end.description,
            "replayed_ns": int(words[c.REPLAYED_NS]),
            "active_ns": int(words[c.ACTIVE_NS]),
            "speed": {"asked": self.control.speed_text, "achieved": self.control.achieved},
            "lateness": lateness,
            "batches": int(words[c.BATCHES]),
            "largest_batch": int(words[c.LARGEST]),
            "sleeps": int(words[c.SLEEPS]),
            "margin_ns": int(words[c.MARGIN_NS]),
            **({"faults": self.loader.foreseen} if self.loader.foreseen else {}),
        }
