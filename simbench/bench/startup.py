"""Start-up: what a user waits for before anything happens, warm and for the first time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simbench.bench.report import Range, Section, Target
from simbench.errors import SimbenchError
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE: Final = "Start-up"
METHOD: Final = (
    "Wall clock and processor time of whole processes. Warm: the kernels are compiled and the files in the page "
    "cache. Cold: `simbench book` with an empty kernel cache, as on a fresh machine. The capture is the recorded CME "
    "one where SIMBENCH_CAPTURES has it, else a small generated one."
)
HEADER: Final = ("command", "wall s, median (low to high)", "processor s", "repeats")
REAL: Final = Path("cme-mdp3-340", "capture.pcap")
HELP, WARM, COLD = "simbench --help", "simbench book, warm", "simbench book, cold"
BOUNDS: Final = {HELP: 0.3, WARM: 2.0, COLD: 60.0}


@dataclass(frozen=True)
class Startup:
    """Seconds of wall clock and of processor time, one pair a repeat, by command.

    Attributes:
        taken: as said.
        capture: name of the one that was read.
    """

    taken: dict[str, list[tuple[float, float]]]
    capture: str

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        walls = {name: Range.of(wall for wall, _ in runs) for name, runs in self.taken.items()}
        rows = tuple(
            (name, walls[name].text(), f"{Range.of(cpu for _, cpu in runs).median:,.2f}", str(len(runs)))
            for name, runs in self.taken.items()
        )
        targets = tuple(Target(name, walls[name], BOUNDS[name], unit="s") for name in self.taken)
        return Section(TITLE, METHOD, HEADER, rows, targets, (f"capture: {self.capture}",))


def startup(*, quick: bool = False) -> Startup:
    """Measure each command in processes of its own."""
    repeats = 3 if quick else 10
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture, name = _capture(Path(folder))
        book = ["book", "--json", str(capture)]
        _run(book)
        taken = {
            HELP: [_run(["--help"]) for _ in range(repeats)],
            WARM: [_run(book) for _ in range(repeats)],
            COLD: [_cold(book, Path(folder, f"kernels-{number}")) for number in range(1 if quick else 3)],
        }
    return Startup(taken, name)


def _capture(folder: Path) -> tuple[Path, str]:
    real = Path(os.environ.get("SIMBENCH_CAPTURES", "/nowhere"), REAL)
    if real.is_file():
        return real, "CME MDP3, recorded"
    capture = folder / "calm.pcap"
    made = generate("calm", capture, "cme.mdp3", messages=10_000)
    (folder / "feed.toml").write_text(made.feed, encoding="utf-8")
    return capture, f"{made.frames:,} frames of MDP3, generated"


def _cold(arguments: Sequence[str], cache: Path) -> tuple[float, float]:
    return _run(arguments, {"SIMBENCH_CACHE": str(cache)})


def _run(arguments: Sequence[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Run the command line to its end; return seconds of wall clock and of processor time."""
    before = os.times()
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "simbench", *arguments],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - start
    after = os.times()
    if done.returncode not in {0, 1}:  # 1: the capture has gaps
        raise SimbenchError(done.stderr.strip() or f"simbench ended with {done.returncode}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, spent
