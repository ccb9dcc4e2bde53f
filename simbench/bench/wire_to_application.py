"""From the wire to the application: AF_XDP over veth, spinning, beside a loop that does nothing else."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench import bare_loop
from simbench.bench.report import Range, Section, Target, microseconds
from simbench.capture.reader import open_capture
from simbench.capture.writer import PcapWriter
from simbench.receive.offline import open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Wire to application"
METHOD: Final = (
    "Time from just before the send (T1) to the application's look at the frame (T3), veth, AF_XDP in generic mode at "
    "both ends, spinning: a whole run with its books, beside bench/bare_loop.py, which moves and stamps frames "
    "and does nothing else. Both send one frame every 20 us. Repeats are interleaved; cells are medians over them, in "
    "us."
)
HEADER: Final = ("receiver", "p50", "p90", "p99", "p99.9", "frames", "lost")
GAP_NS: Final = 20_000
RUN: Final = "simbench, whole run"
BARE: Final = "bare AF_XDP loop"
BOUND: Final = 1.1


@dataclass
class WireToApplication:
    """Percentiles of T1 to T3 in ns, one entry a repeat.

    Attributes:
        ours: of whole runs: {"n", "p50", "p90", "p99", "p999"}.
        bare: of the bare loop, likewise.
        frames: sent a repeat.
    """

    frames: int
    ours: list[Mapping[str, int]] = field(default_factory=list)
    bare: list[Mapping[str, int]] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        ratio = Range.of_ratios([run["p50"] for run in self.ours], [run["p50"] for run in self.bare])
        rows = tuple(self._row(name, runs) for name, runs in ((RUN, self.ours), (BARE, self.bare)))
        target = Target(f"median, {RUN} / {BARE}", ratio, BOUND)
        return Section(TITLE, METHOD, HEADER, rows, (target,), (f"{len(self.ours)} repeats",))

    def _row(self, name: str, runs: list[Mapping[str, int]]) -> tuple[str, ...]:
        times = (
            microseconds(float(np.median([run[share] for run in runs]))) for share in ("p50", "p90", "p99", "p999")
        )
        lost = int(np.median([self.frames - run["n"] for run in runs]))
        return name, *times, f"{self.frames:,}", f"{lost:,}"


def wire_to_application(*, quick: bool = False) -> WireToApplication:
    """Measure: in each repeat the bare loop and a whole run, at the same rate and with as many frames."""
    count = 20_000 if quick else 100_000
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "even.pcap")
        made = generate("calm", Path(folder, "calm.pcap"), messages=count, lines=1)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        found = WireToApplication(spread_evenly(Path(folder, "calm.pcap"), capture, GAP_NS))
        source = open_source(capture)
        for _ in range(2 if quick else 7):
            bare = bare_loop.measure(found.frames, GAP_NS, "generic")
            found.bare.append({"n": bare["n"], **bare["send_app"]})
            found.ours.append(_run(source))
    return found


def spread_evenly(capture: Path, output: Path, gap_ns: int) -> int:
    """Copy a capture with its frames an even gap apart; return how many there are.

    Args:
        capture: to be read.
        output: to be written.
        gap_ns: between neighbours.
    """
    count = first = 0
    with PcapWriter(output) as writer:
        for block in open_capture(capture).blocks():
            frames = block.frames
            first = first or int(frames["stamp"][0])
            stamps = first + gap_ns * np.arange(count, count + len(frames), dtype=np.int64)
            writer.write(stamps, block.data, frames["offset"], frames["captured"])
            count += len(frames)
    return count


def _run(source: Any) -> Mapping[str, int]:
    stage: Mapping[str, int] = run_quietly(source, wire="veth", stack="xdp", speed="1")["stages"]["send_app"]
    return stage
