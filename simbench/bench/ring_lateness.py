"""How late the replayer sends over the shared-memory ring, at the recorded pace and at multiples of it."""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, types

from simbench.bench import replayers
from simbench.bench.bare_loop import percentiles, pin
from simbench.bench.report import Range, Section, Target, microseconds
from simbench.errors import SimbenchError
from simbench.frame import FRAME
from simbench.kernel.host import monotonic_ns
from simbench.kernel.pure import load_acquire
from simbench.measure import stamps
from simbench.measure.telemetry import map_words
from simbench.replay import control as c
from simbench.replay.process import Config
from simbench.session import cores
from simbench.synth.scenario import generate
from simbench.wire.contract import BYTES, FRAMES, POLL_FUNCTION, RELEASE_FUNCTION, WORDS
from simbench.wire.open import open_receiver, open_wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

CHUNK: Final = 16_384  # frames over which the cost of one is told
TITLE: Final = "Lateness over the ring"
METHOD: Final = (
    "The replayer's process sends a generated burst (an ITCH announcement, lines A and B) into the shared-memory ring; "
    "a bare reader at its other end takes frames out and looks at the clock. Lateness is T1 - T0, from when a frame "
    "was due to just before it was handed to the ring, by the replayer's own stamps; T3 - T0, to when the reader had "
    "it, stands beside it. The ring's own cost of a frame is that of runs at flood, one a repeat: of the median "
    f"stretch of {CHUNK:,} frames that came, and of the fastest run, so that a busy host leaves no frame out. What the "
    "schedule asks for at less than that cost is left out, since no sender over this wire can be in time for it: "
    "frames that are due while an ideal sender, which takes just so long for each, would still be at work on those "
    "before. Their share is told, and so is the share of those whose own gap to the frame before is below the cost, "
    "with the tail of all others. Repeats are interleaved; cells are medians over them, times in us."
)
HEADER: Final = (
    "speed",
    "frames",
    "left out",
    "T1 - T0 p50",
    "p90",
    "p99",
    "max",
    "T3 - T0 p50",
    "p99",
    "own gap below the cost",
    "p99 of the others",
    "p99 of all",
    "lost",
    "longest hiccup of the reader",
)
SPEEDS: Final = (1, 10, 100)
BOUND_NS: Final = 1_000
ROUNDING_NS: Final = 0.5
FEW: Final = 1_000  # frames: of fewer no tail is told
STOP: Final = 0  # words that the reader and its caller share
COUNT: Final = 1
LONGEST: Final = 2
QUIET_S: Final = 0.2  # after the replayer has ended: what has not come by then is lost


@dataclass(frozen=True)
class Sent:
    """What became of every frame of a run, by serial: times on CLOCK_MONOTONIC in ns, 0 where there is none.

    Attributes:
        due: T0.
        sent: T1.
        seen: T3, at the reader.
        hiccup_ns: longest time that the reader was away from an empty ring.
    """

    due: Words
    sent: Words
    seen: Words
    hiccup_ns: int = 0


def close(due: Words, cost_ns: float) -> NDArray[np.bool_]:
    """Say which frames are due sooner behind the one before them than the wire takes for a frame."""
    found: NDArray[np.bool_] = np.diff(due, prepend=due[:1] - int(cost_ns) - 1) < cost_ns
    return found


def crowded(due: Words, cost_ns: float) -> NDArray[np.bool_]:
    """Say for which frames an ideal sender, that takes so long for each, is not done with those before them."""
    work = np.arange(len(due)) * cost_ns
    since = due - due[:1]
    found: NDArray[np.bool_] = np.maximum.accumulate(since - work) + work - since > ROUNDING_NS
    return found


def cost_of(run: Sent) -> float:
    """Return ns per frame of what came, of the median stretch: each is longer than the ring, and no hiccup moves it.

    Where too few came for that, because nobody was there to read them, nan: a backlog is read faster than it is sent.
    """
    seen = np.sort(run.seen[run.seen > 0])
    if len(seen) < 2 * CHUNK:
        return math.nan
    return float(np.median(seen[CHUNK:] - seen[:-CHUNK]) / CHUNK)


def lateness(run: Sent, cost_ns: float) -> dict[str, Any]:
    """Reduce a paced run to what its row says.

    Args:
        run: likewise.
        cost_ns: of a frame, on this wire.
    """
    out = run.sent > 0  # the others found no room
    left_out, near = crowded(run.due, cost_ns), close(run.due, cost_ns)
    late, delivered = run.sent - run.due, run.seen - run.due
    return {
        "frames": len(run.due),
        "left_out": float(np.mean(left_out)),
        "late": _percentiles(late[out & ~left_out]),
        "delivered": _percentiles(delivered[(run.seen > 0) & ~left_out]),
        "close": float(np.mean(near)),
        "apart": _percentiles(late[out & ~near]),
        "all": _percentiles(late[out]),
        "lost": int(np.count_nonzero(run.seen == 0)),
        "hiccup_ns": run.hiccup_ns,
    }


def _percentiles(times: Words) -> dict[str, float]:
    """Return what percentiles() does; nan for all where there are too few for the 99th."""
    if len(times) < FEW:
        return dict.fromkeys(("p50", "p90", "p99", "max"), math.nan)
    return {name: float(value) for name, value in percentiles(times).items()}


@dataclass
class RingLateness:
    """What each run came to.

    Attributes:
        frames: of the capture.
        seconds: that it lasts.
        costs: of a frame at flood in ns, one a repeat; nan where that could not be told.
        runs: by speed, one a repeat.
    """

    frames: int
    seconds: float
    costs: list[float] = field(default_factory=list)
    runs: dict[int, list[Sent]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table and what is demanded of it.

        Raises:
            SimbenchError: in no repeat the cost of a frame could be told.
        """
        costs = [cost for cost in self.costs if cost > 0]
        if not costs:
            raise SimbenchError("most frames were lost at flood, so nobody knows what one costs: the host is too busy")
        found = {speed: [lateness(run, min(costs)) for run in runs] for speed, runs in self.runs.items()}
        targets = tuple(
            Target(
                f"p99 of T1 - T0 at x{speed}",
                Range.of(one["late"]["p99"] / 1e3 for one in each),
                BOUND_NS / 1e3,
                unit="us",
            )
            for speed, each in found.items()
        )
        notes = (
            f"the ring's own cost of a frame: {Range.of(costs).text(0)} ns; left out is what the least asks for",
            f"{self.frames:,} frames in {self.seconds:.1f} s, {len(self.costs)} repeats",
        )
        rows = tuple(_row(speed, each) for speed, each in found.items())
        return Section(TITLE, METHOD, HEADER, rows, targets, notes)


def _row(speed: int, each: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    def median(kind: str, share: str) -> str:
        return microseconds(float(np.median([one[kind][share] for one in each])))

    return (
        f"x{speed}",
        f"{each[0]['frames']:,}",
        f"{np.median([one['left_out'] for one in each]):.1%}",
        *(median("late", share) for share in ("p50", "p90", "p99", "max")),
        *(median("delivered", share) for share in ("p50", "p99")),
        f"{np.median([one['close'] for one in each]):.1%}",
        median("apart", "p99"),
        median("all", "p99"),
        f"{int(np.median([one['lost'] for one in each])):,}",
        microseconds(float(np.median([one["hiccup_ns"] for one in each]))),
    )


def ring_lateness(*, quick: bool = False) -> RingLateness:
    """Measure: generate the burst, then in each repeat a run at flood and one at each speed."""
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "announcement.pcap")
        made = generate("announcement", capture, seconds=3 if quick else 12, rate=4_000)
        found = RingLateness(made.frames, (made.last_ns - made.first_ns) / 1e9)
        for _ in range(2 if quick else 5):
            found.costs.append(cost_of(replay(capture, made.frames, "flood")))
            for speed in SPEEDS:
                found.runs.setdefault(speed, []).append(replay(capture, made.frames, str(speed)))
    return found


def replay(capture: Path, frames: int, speed: str) -> Sent:
    """Let a replayer's process send a capture into a ring that a bare reader empties.

    Args:
        capture: of which every frame is sent.
        frames: that it holds.
        speed: as a user writes it.

    Raises:
        SimbenchError: the replayer failed; with its reason.
    """
    words = np.zeros(8, np.int64)
    seen = np.full(frames, 0, np.int64)  # every page of it touched, here and not under way
    control = c.Control.create()
    side_fd = os.memfd_create("simbench-side", os.MFD_CLOEXEC)
    try:
        os.ftruncate(side_fd, (1 << frames.bit_length()) * stamps.ROW * 8)  # a row for every frame: all are read
        control.words[c.SPEED] = c.parse_speed(speed)
        with open_wire("ring") as wire, open_receiver(wire.receiver) as end:

            def take() -> None:
                pin(1)
                _receive(end.poll, end.release, end.words, end.memory, np.zeros(256, FRAME), seen, words)

            reader = threading.Thread(target=take)
            reader.start()
            try:
                # The reader is at work already, so the replayer waits for nobody.
                config = Config(
                    str(capture),
                    wire.sender,
                    control_fd=control.fd,
                    side_fd=side_fd,
                    cpu=cores()[0],
                    receiver=False,
                )
                replayers.run(config, (control.fd, side_fd))
                _await(words, int(control.words[c.SENT]))
            finally:
                words[STOP] = 1
                reader.join()
        rows = map_words(side_fd).reshape(-1, stamps.ROW)[:frames]
        due, sent = rows[:, stamps.DUE].copy(), rows[:, stamps.SENT].copy()
        return Sent(due, sent, seen, int(words[LONGEST]))
    finally:
        os.close(side_fd)
        os.close(control.fd)


def _await(words: Words, sent: int) -> None:
    """Wait until the reader has all frames, or no more come."""
    before = -1
    while words[COUNT] < sent and before != words[COUNT]:
        before = int(words[COUNT])
        time.sleep(QUIET_S)


@njit(types.void(POLL_FUNCTION, RELEASE_FUNCTION, WORDS, BYTES, FRAMES, WORDS, WORDS), cache=True, nogil=True)
def _receive(poll: Any, release: Any, words: Words, memory: Bytes, frames: Frames, seen: Words, shared: Words) -> None:
    """Take frames out and note when, by serial, until it is told to stop."""
    looked = 0
    while load_acquire(shared, STOP) == 0:
        n = poll(words, memory, frames)
        now = monotonic_ns()
        if n == 0:
            if looked > 0:
                shared[LONGEST] = max(shared[LONGEST], now - looked)
            looked = now
            continue
        looked = 0
        for i in range(n):
            serial = frames[i]["ordinal"]
            if 0 <= serial < len(seen):
                seen[serial] = now
        release(words, frames, n)
        shared[COUNT] += n
