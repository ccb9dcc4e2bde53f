"""What the terminal does to the receiver: whole runs with it and without, in turns, on the same capture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.bench.pseudo_terminal import PseudoTerminal
from simbench.bench.report import Section, Target, interval, microseconds
from simbench.errors import SimbenchError
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "The terminal attached"
METHOD: Final = (
    "Whole runs of an ITCH announcement over veth at its recorded timing, AF_XDP, spinning, in pairs: one in a "
    "terminal of 120 by 40 that draws, one headless; which goes first alternates. The ratio is that of p99, pair by "
    "pair: its median, in brackets the 95 % interval of the median over pairs (bootstrap). Where there are two cores, "
    "the terminal shares the sender's, and so does what reads its screen; what that does to the sender is "
    "the other row."
)
HEADER: Final = ("stage, p99 in us", "with the terminal", "headless", "ratio (95 % interval)")
STAGES: Final = {"hook_book": "hook to book (T2 to T4)", "due_send": "due to send (T0 to T1)"}
PATIENCE_S: Final = 60.0
BOUND: Final = 1.15


@dataclass
class TerminalEffect:
    """p99 in ns by stage, one entry a pair.

    Attributes:
        seconds: of the capture.
        watched: with the terminal.
        headless: without.
    """

    seconds: float
    watched: list[Mapping[str, float]] = field(default_factory=list)
    headless: list[Mapping[str, float]] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows, ranges = [], {}
        for name, title in STAGES.items():
            pairs = [(one[name], other[name]) for one, other in zip(self.watched, self.headless, strict=True)]
            ranges[name] = interval([one / other for one, other in pairs])
            medians = (microseconds(float(np.median(values))) for values in zip(*pairs, strict=True))
            rows.append((title, *medians, ranges[name].text()))
        found = ranges["hook_book"]
        notes = [f"{len(self.watched)} pairs of {self.seconds:.0f} s"]
        if found.high > BOUND >= found.low:
            notes.append(f"the interval reaches beyond {BOUND}: inconclusive, not met")
        target = Target("upper end of the interval, T2 to T4", found, BOUND, by="worst")
        return Section(TITLE, METHOD, HEADER, tuple(rows), (target,), tuple(notes))


def terminal_effect(*, quick: bool = False) -> TerminalEffect:
    """Measure: generate the capture, then the pairs."""
    seconds = 2 if quick else 4
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "announcement.pcap")
        made = generate("announcement", capture, seconds=seconds, rate=4_000)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        found = TerminalEffect((made.last_ns - made.first_ns) / 1e9)
        for pair in range(2 if quick else 20):
            for watched in (pair % 2 == 0, pair % 2 != 0):
                result = _run(capture, Path(folder, "run.json"), watched=watched)
                (found.watched if watched else found.headless).append(result)
    return found


def _run(capture: Path, target: Path, *, watched: bool) -> Mapping[str, float]:
    command = [sys.executable, "-m", "simbench", "run", str(capture), "--wire", "veth", "--json", str(target)]
    target.unlink(missing_ok=True)
    if watched:
        _in_a_terminal(command)
    else:
        subprocess.run([*command, "--headless"], check=False, capture_output=True)
    if not target.exists():
        raise SimbenchError(f"a run {'with' if watched else 'without'} the terminal left no result")
    stages = json.loads(target.read_text())["stages"]
    return {name: float(stages[name]["p99"]) for name in STAGES}


def _in_a_terminal(command: list[str]) -> None:
    """Run a command in a terminal of its own, read what it draws, and quit it when it says that the feed has ended."""
    deadline = time.monotonic() + PATIENCE_S
    with PseudoTerminal(command, {min(os.sched_getaffinity(0))}) as terminal:
        while terminal.look(0.1) and time.monotonic() < deadline:
            if b"ended" in terminal.seen:
                terminal.look(0.5)
                terminal.press(b"q")
                terminal.look(2.0)
