"""Whether a long replay keeps to its clock: by how much time passes slower or faster than recorded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench.report import Range, Section, Target, microseconds
from simbench.receive.offline import open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Drift"
METHOD: Final = (
    "A generated ITCH feed of more than half a minute (calm, lines A and B), at a rate that veth carries with ease, is "
    "replayed by whole runs at its recorded timing. Drift is by how much the frames' times at the application run away "
    "from the recorded ones, in parts per million: the weighted median of the slopes between frames half a run apart, "
    "which neither a stall nor a burst bends. Both ends keep the same clock, so this is the replayer's error and not a "
    "crystal's. Achieved is recorded time over clock time, first frame to last. Beside it stands what a replayer "
    "would score that spreads the frames evenly. Cells are medians over repeats, drift with the lowest and highest."
)
HEADER: Final = (
    "replayer",
    "drift ppm",
    "speed achieved",
    "lateness p50 us",
    "p99",
    "lost",
    "away for more than 10 us",
    "longest hiccup us",
)
OURS: Final = "simbench, whole run, at the application"
EVENLY: Final = "null: constant rate (computed)"
SECONDS: Final = 32.0
RATE: Final = 1_500.0
LEAST_S: Final = 30.0
BOUND_PPM: Final = 1.0


@dataclass
class Drift:
    """Results of whole runs, one a repeat.

    Attributes:
        frames: of the capture.
        seconds: that it lasts.
        runs: likewise, in the shape of `run --json`.
    """

    frames: int
    seconds: float
    runs: list[Mapping[str, Any]] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        drifts = [abs(run["timing"]["drift_ppm"]) for run in self.runs]
        targets = [Target("drift, either way", Range.of(drifts), BOUND_PPM, unit="ppm", digits=3, by="worst")]
        notes = [f"{self.frames:,} frames in {self.seconds:.1f} s, {len(self.runs)} repeats"]
        if self.seconds < LEAST_S:
            notes.append(f"shorter than {LEAST_S:.0f} s: a trial")
        even = [run["timing"]["null"]["constant_rate"] for run in self.runs]
        away = [run["hiccups"] for run in self.runs]
        hiccups = (
            f"{np.median([one['share'] for one in away]):.2%}",
            microseconds(max(one["longest_ns"] for one in away)),
        )
        lost = f"{int(np.median([self.frames - run['received'] for run in self.runs])):,}"
        achieved = f"{np.median([run['timing']['achieved']['achieved'] for run in self.runs]):.7f}"
        rows = (
            (OURS, *_cells([run["timing"] for run in self.runs], achieved), lost, *hiccups),
            (EVENLY, *_cells(even, "-"), "-", "-", "-"),
        )
        return Section(TITLE, METHOD, HEADER, rows, tuple(targets), tuple(notes))


def _cells(scores: list[Mapping[str, Any]], achieved: str) -> tuple[str, ...]:
    late = (microseconds(float(np.median([one["lateness"][share] for one in scores]))) for share in ("p50", "p99"))
    return (Range.of(one["drift_ppm"] for one in scores).text(3), achieved, *late)


def drift(*, quick: bool = False) -> Drift:
    """Measure: generate the feed, then replay it in each repeat."""
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "calm.pcap")
        made = generate("calm", capture, seconds=3 if quick else SECONDS, rate=RATE)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(capture)
        found = Drift(made.frames, (made.last_ns - made.first_ns) / 1e9)
        for _ in range(2 if quick else 5):
            found.runs.append(run_quietly(source, wire="veth", speed="1"))
    return found
