"""What the terminal itself costs: processor time of its updates, screen by screen, during an announcement."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.bench.pseudo_terminal import PseudoTerminal
from simbench.bench.report import Range, Section, Target
from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.session.plan import Plan, cores
from simbench.session.registry import noted
from simbench.session.replayed import Session
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from simbench_tui import BenchApp

    Seconds = NDArray[np.float64]

TITLE: Final = "What the terminal costs"
METHOD: Final = (
    "An ITCH announcement over the ring at its recorded timing, again and again, shown at 120 by 40 ten times a "
    "second. The share of a core is that of the whole process of simbench attach in a terminal, all its threads, on "
    "the sender's core where there are two; whoever draws what it writes is another process. An update is a snapshot, "
    "what it changes in the panes, and their painting as strips of text: processor time of a thread that does nothing "
    "else. Screens in turns, repeats interleaved; cells are medians over repeats."
)
HEADER: Final = ("screen", "share of a core", "an update, p50 in ms", "p99 in ms")
SCREENS: Final = {"overview": "1", "book": "2", "feed": "3", "latency": "4", "wire": "5"}
SIZE: Final = (120, 40)
INTERVAL_S: Final = 0.1
SETTLE_S: Final = 2.0  # after a key, and of the terminal's first screen
SHARE_BOUND: Final = 6.0  # per cent
UPDATE_BOUND_MS: Final = 25.0


@dataclass
class TerminalCost:
    """What was measured of each screen, one entry a repeat.

    Attributes:
        shares: of a core, of the whole process.
        updates: processor time of updates, seconds.
    """

    shares: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SCREENS})
    updates: dict[str, list[Seconds]] = field(default_factory=lambda: {name: [] for name in SCREENS})

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows, targets = [], []
        for name, repeats in self.updates.items():
            share = Range.of(100 * each for each in self.shares[name])
            half, tail = (Range.of(1e3 * float(np.percentile(each, at)) for each in repeats) for at in (50, 99))
            rows.append((name, f"{share.median:.1f} %", f"{half.median:.1f}", f"{tail.median:.1f}"))
            if name in {"overview", "book"}:
                targets.append(Target(f"{name}, share of a core", share, SHARE_BOUND, unit="%"))
                targets.append(Target(f"{name}, an update, p99", tail, UPDATE_BOUND_MS, unit="ms"))
        count = min(len(each) for repeats in self.updates.values() for each in repeats)
        notes = (f"{len(self.updates['book'])} repeats of {count} updates of each screen",)
        return Section(TITLE, METHOD, HEADER, tuple(rows), tuple(targets), notes)


def terminal_cost(*, quick: bool = False) -> TerminalCost:
    """Measure: one run, its screens in turns."""
    found = TerminalCost()
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "announcement.pcap")
        made = generate("announcement", capture, seconds=4, rate=4_000)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        with Session(open_source(capture), Plan(wire="ring", loops=0)) as session:
            while not session.snapshot().counters["events"]:
                time.sleep(INTERVAL_S)
            usable, core = os.sched_getaffinity(0), cores()[0]
            if core is not None:
                os.sched_setaffinity(0, {core})
            try:
                _attached(session, found, repeats=1 if quick else 5, seconds=1.0 if quick else 8.0)
                asyncio.run(_watch(session, found, repeats=1 if quick else 5, updates=20 if quick else 100))
            finally:
                os.sched_setaffinity(0, usable)
            session.stop()
    return found


def _attached(session: Session, found: TerminalCost, *, repeats: int, seconds: float) -> None:
    command = [sys.executable, "-m", "simbench", "attach", str(os.getpid())]
    with noted(session), PseudoTerminal(command, os.sched_getaffinity(0)) as terminal:
        while b"messages/s" not in terminal.seen and terminal.look(SETTLE_S):
            pass
        for _ in range(repeats):
            for name, key in SCREENS.items():
                terminal.press(key.encode())
                terminal.look(SETTLE_S)
                before, start = terminal.busy_ns(), time.monotonic_ns()
                if not terminal.look(seconds):
                    raise SimbenchError("the terminal that was to be measured has ended")
                found.shares[name].append((terminal.busy_ns() - before) / (time.monotonic_ns() - start))


async def _watch(session: Session, found: TerminalCost, *, repeats: int, updates: int) -> None:
    from simbench_tui import BenchApp

    app = BenchApp(session, None, live=False, ascii_only=False)
    async with app.run_test(size=SIZE) as pilot:
        for key in SCREENS.values():
            await pilot.press(key)
            await _update(app)
        gc.collect()
        gc.freeze()  # as the terminal does when it opens
        for _ in range(repeats):
            for name, key in SCREENS.items():
                await pilot.press(key)
                await _update(app)
                found.updates[name].append(np.array([await _update(app) for _ in range(updates)]))


async def _update(app: BenchApp) -> float:
    """Show one moment, let what follows from it happen until the next one is due; return the processor time, s."""
    due = time.monotonic() + INTERVAL_S
    before = time.thread_time()
    app.sample()
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    return time.thread_time() - before
