"""The control block: what a replayer publishes of itself, what a receiver gives back, and the queue of commands.

int64 words in a memfd that replayer, receiver, terminal and tests map. Each group of words has one writer and cache
lines of its own. Commands may come from any number of writers in any process: a ticket from an atomic counter names
the slot, and the replayer takes them in that order.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from simbench.errors import SimbenchError
from simbench.kernel.pure import fetch_add, load_acquire, store_release
from simbench.measure.histogram import SIZE, Histogram
from simbench.measure.snapshot import Phase
from simbench.replay import gating, switchboard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

LAYOUT: Final = 2

# Said once, before the first frame.
VERSION: Final = 0  # LAYOUT
FRAMES: Final = 1  # of one loop
FIRST_NS: Final = 2  # recorded stamp of the first frame, ns since 1970
LAST_NS: Final = 3  # of the last
LOOPS: Final = 4  # asked for; 0 endless
# The replayer's, moving with every batch.
REPLAY_NS: Final = 8  # recorded time now; never later than a frame that has not been sent
CURSOR: Final = 9  # frames sent or dropped in this loop
SENT: Final = 10  # handed to the wire since the start, all loops
EPOCH: Final = 11  # moves with a loop or a jump, before its first frame
PHASE: Final = 12  # of the phases below
SPEED: Final = 13  # parts per million of the recorded speed; MAX or FLOOD
LOOP: Final = 14  # laps completed
REPLAYER_BEAT: Final = 15  # CLOCK_MONOTONIC, at least every 2 ms while the loop runs
# The replayer's, slow.
REPLAYER_PID: Final = 16
STARTED: Final = 17  # CLOCK_MONOTONIC of the first send
SCHEDULE_NS: Final = 18  # schedule time passed
ACTIVE_NS: Final = 19  # clock time passed, pauses left out
DROPPED: Final = 20  # frames that found no room on the wire when they were due
GIVEN_UP: Final = 21  # credits written off: frames that the receiver never gave back
STARVED_NS: Final = 22  # time in which the loader was behind
REASON: Final = 23  # why it stopped, of the reasons below
BYTES: Final = 24  # handed to the wire
BATCHES: Final = 25
LARGEST: Final = 26  # frames in a batch
SLEEPS: Final = 27
MARGIN_NS: Final = 28  # how long before a deadline it stops sleeping, from the wakeups measured
REPLAYED_NS: Final = 29  # recorded time at speed 1 that the schedule gives to the frames sent
SENDING_NS: Final = 30  # latest recorded time of any frame that has been sent or is being, in all epochs
# The receiver's.
CONSUMED: Final = 32  # frames that its threads have done with, each adding its own: credits at speed max
RECEIVER_READY: Final = 33  # 1: frames may come
RECEIVER_DONE: Final = 34  # 1: everything sent has been dealt with
RECEIVER_BEAT: Final = 35  # CLOCK_MONOTONIC
RECEIVER_PID: Final = 36
GATE_STANDS: Final = 37  # how the receiver's gate stands, of gating.STANDS
# Anybody's, for the receiver, in the line that it has at hand: what is asked of its gate, see gating.py.
GATE: Final = 38
# Commands.
TAIL: Final = 40  # tickets given out
HEAD: Final = 48  # commands taken
QUEUE: Final = 64  # slots of ticket + 1, kind, argument, for how long
SLOTS: Final = 64
SLOT: Final = 4
# Lateness T1 - T0 of every paced frame.
LATENESS: Final = 320
# Faults switched on and off, see switchboard.py.
SWITCHBOARD: Final = LATENESS + SIZE
WORDS: Final = SWITCHBOARD + switchboard.SWITCH_WORDS

# Phases.
STARTING: Final = 0
WAITING: Final = 1  # for RECEIVER_READY
RUNNING: Final = 2
PAUSED: Final = 3
ENDED: Final = 4
FAILED: Final = 5
_PHASES: Final = (Phase.STARTING, Phase.STARTING, Phase.RUNNING, Phase.PAUSED, Phase.ENDED, Phase.FAILED)

# Commands. Numbers above 63 switch faults on and off, see switchboard.py.
PAUSE: Final = 1
RESUME: Final = 2
TOGGLE: Final = 3
STEP: Final = 4  # frames; the replay is paused afterwards
SPEED_TO: Final = 5  # parts per million, MAX or FLOOD
FASTER: Final = 6
SLOWER: Final = 7
STOP: Final = 8  # reason
JUMP: Final = 9  # recorded ns: go on there, in a new epoch
JUMP_PRIMED: Final = 10  # likewise, but what comes before is sent first, as fast as the receiver takes it
LOOPS_TO: Final = 11  # loops in all; 0 endless

# Reasons.
AT_END: Final = 0
ASKED: Final = 1
SIGNAL: Final = 2
PARENT_GONE: Final = 3
RECEIVER_GONE: Final = 4
LOADER_FAILED: Final = 5
REASONS: Final = (
    "end of the capture",
    "stopped",
    "interrupted",
    "the process that started it is gone",
    "the receiver is gone",
    "the capture could not be read on",
)

MAX: Final = 0
FLOOD: Final = -1
PPM: Final = 1_000_000
SPEEDS: Final = tuple(
    int(PPM * factor) for factor in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)


@njit(cache=True, nogil=True)
def push(words: Words, kind: int, argument: int, for_ns: int) -> int:
    """Put a command into the queue; return the count of commands taken once it is, or 0 where the queue is full.

    Args:
        words: int64[WORDS], the control block.
        kind: of the commands above.
        argument: as its kind says.
        for_ns: schedule time that it holds for, where its kind has such; 0: until it is taken back.
    """
    # Room is kept for writers that are between this look and their ticket.
    if load_acquire(words, TAIL) - load_acquire(words, HEAD) >= SLOTS - 16:
        return 0
    ticket = fetch_add(words, TAIL, 1)
    slot = QUEUE + ticket % SLOTS * SLOT
    words[slot + 1] = kind
    words[slot + 2] = argument
    words[slot + 3] = for_ns
    store_release(words, slot, ticket + 1)
    return ticket + 1


def parse_speed(text: str) -> int:
    """Return the word for "2", "0.5x", "max" or "flood".

    >>> parse_speed("2"), parse_speed("max")
    (2000000, 0)
    """
    if text in ("max", "flood"):
        return MAX if text == "max" else FLOOD
    try:
        ppm = round(float(text.removesuffix("x").removeprefix("x")) * PPM)
    except (ValueError, OverflowError):
        ppm = 0
    if not 0 < ppm <= 1_000_000 * PPM:
        raise SimbenchError(f"speed {text!r} is not a factor such as 1, 0.5 or 10, nor max or flood")
    return ppm


def speed_name(ppm: int) -> str:
    """Return a speed word as a user writes it.

    >>> speed_name(1_500_000)
    '1.5'
    """
    return {MAX: "max", FLOOD: "flood"}.get(ppm) or f"{ppm / PPM:g}"


class Control:
    """One end of the control block: reads what is published, sends commands.

    Args:
        fd: of the memfd; kept open as long as this object is used, never closed by it.
    """

    def __init__(self, fd: int) -> None:
        if os.fstat(fd).st_size < WORDS * 8:
            raise SimbenchError("this file descriptor holds no control block of this version of simbench")
        self.fd = fd
        self.words: Words = np.frombuffer(mmap.mmap(fd, WORDS * 8), np.int64)

    @classmethod
    def create(cls) -> Control:
        """Make a new block: a memfd, gone with the last process that has it open."""
        fd = os.memfd_create("simbench-control", os.MFD_CLOEXEC)
        os.ftruncate(fd, WORDS * 8)
        control = cls(fd)
        control.words[SPEED] = PPM
        control.words[LOOPS] = 1
        control.words[VERSION] = LAYOUT
        return control

    @classmethod
    def attach(cls, fd: int) -> Control:
        """Map a block that another process made, by an inherited or received descriptor."""
        control = cls(fd)
        if control.words[VERSION] != LAYOUT:
            raise SimbenchError(f"control block of layout {control.words[VERSION]}, this simbench speaks {LAYOUT}")
        return control

    def pause(self) -> int:
        """Freeze the schedule's clock."""
        return self.send(PAUSE)

    def resume(self) -> int:
        """Let the schedule's clock go on where it stood."""
        return self.send(RESUME)

    def toggle(self) -> int:
        """Pause or resume."""
        return self.send(TOGGLE)

    def step(self, n: int = 1) -> int:
        """Send the next n datagrams now; the replay is paused afterwards."""
        return self.send(STEP, n)

    def set_speed(self, speed: float | str) -> int:
        """Change the speed from here on: a factor of the recorded speed, "max" or "flood"."""
        return self.send(SPEED_TO, parse_speed(str(speed)))

    def faster(self) -> int:
        """Go to the next higher speed of SPEEDS."""
        return self.send(FASTER)

    def slower(self) -> int:
        """Go to the next lower speed of SPEEDS."""
        return self.send(SLOWER)

    def stop(self, reason: int = ASKED) -> int:
        """End the replay."""
        return self.send(STOP, reason)

    def jump(self, recorded_ns: int, *, primed: bool = False) -> int:
        """Go on at the first frame of this recorded time or later, in a new epoch.

        Args:
            recorded_ns: ns since 1970.
            primed: send everything before it first, as fast as the receiver takes it.
        """
        return self.send(JUMP_PRIMED if primed else JUMP, recorded_ns)

    def loop(self, times: int) -> int:
        """Set how often the capture is replayed in all; 0 is endless."""
        return self.send(LOOPS_TO, times)

    def gate(self, way: int, count: int = 0) -> int:
        """Ask something of the receiver's gate, see gating.py; return 0 where it has none.

        It pauses the replay when it shuts. Nothing goes on by this: resume() does.

        Args:
            way: of gating.WAYS.
            count: of messages or frames, or index of the instrument.
        """
        if self.gate_stands == gating.NONE:
            return 0
        self.words[GATE] = gating.request(int(self.words[GATE]), way, count)
        return 1

    @property
    def gate_stands(self) -> int:
        """How the receiver's gate stands, of gating.STANDS."""
        return int(self.words[GATE_STANDS])

    def switch(self, fault: str, lines: Sequence[int], value: int = 1, *, for_ns: int = 0) -> int:
        """Switch a fault of some lines on, or off.

        Args:
            fault: of switchboard.KINDS.
            lines: numbers of their names.
            value: parts per million of the datagrams, or ns, as the kind says; 0: off.
            for_ns: schedule time after which it goes off by itself; 0: it stays.
        """
        kind = switchboard.FIRST_COMMAND + switchboard.KINDS.index(fault)
        return self.send(kind, switchboard.argument_of(lines, value), for_ns)

    def all_off(self) -> int:
        """Switch every fault off."""
        return self.send(switchboard.ALL_OFF)

    def switched(self) -> list[switchboard.Switched]:
        """Return the faults that are switched on, and those that were."""
        return switchboard.switched(self.words[SWITCHBOARD:])

    def send(self, kind: int, argument: int = 0, for_ns: int = 0) -> int:
        """Queue a command; return the value that `handled` reaches when it has been taken, 0 if the queue is full."""
        return int(push(self.words, kind, argument, for_ns))

    @property
    def handled(self) -> int:
        """Commands taken so far."""
        return int(self.words[HEAD])

    @property
    def phase(self) -> Phase:
        """What the replayer is doing."""
        return _PHASES[int(self.words[PHASE])]

    @property
    def reason(self) -> str:
        """Why it ended, in words; empty before."""
        return REASONS[int(self.words[REASON])] if self.finished else ""

    @property
    def finished(self) -> bool:
        """Whether the last frame has been sent, or will never be."""
        return int(self.words[PHASE]) >= ENDED

    @property
    def replay_ns(self) -> int:
        """Recorded time now, ns since 1970: the clock of sequencers and recovery."""
        return int(self.words[REPLAY_NS])

    @property
    def cursor(self) -> int:
        """Frames sent or dropped in this loop."""
        return int(self.words[CURSOR])

    @property
    def sent(self) -> int:
        """Frames handed to the wire since the start."""
        return int(self.words[SENT])

    @property
    def dropped(self) -> int:
        """Frames that found no room on the wire when they were due."""
        return int(self.words[DROPPED])

    @property
    def epoch(self) -> int:
        """Moves with a loop or a jump."""
        return int(self.words[EPOCH])

    @property
    def loops_done(self) -> int:
        """Laps completed."""
        return int(self.words[LOOP])

    @property
    def speed(self) -> float:
        """Asked speed as a factor; 0.0 for max and flood."""
        return max(0, int(self.words[SPEED])) / PPM

    @property
    def speed_text(self) -> str:
        """Asked speed as a user writes it."""
        return speed_name(int(self.words[SPEED]))

    @property
    def achieved(self) -> float:
        """Schedule time of the frames sent over the clock time it took, pauses left out; 0.0 before the start."""
        active = int(self.words[ACTIVE_NS])
        return float(self.words[REPLAYED_NS]) / active if active else 0.0

    @property
    def lateness(self) -> Histogram:
        """Lateness T1 - T0 of every paced frame, a view that goes on moving."""
        return Histogram(self.words[LATENESS : LATENESS + SIZE])
