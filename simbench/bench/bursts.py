"""The announcement's bursts a hundredfold: over the ring, over veth past the kernel's sockets, and through them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench.report import Range, Section, Target, microseconds
from simbench.receive.offline import open_source
from simbench.session.repeats import Cell, run_cell
from simbench.stress.find import Burst, windows
from simbench.stress.sweep import Step, measure
from simbench.synth.mbp10 import write_snapshots
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from simbench.receive.offline import Source

TITLE: Final = "Bursts, a hundredfold"
METHOD: Final = (
    "The busiest 2 ms windows of a generated ITCH announcement pass 100 times as fast, the rest at its recorded pace; "
    "open loop, rings of 8,192 entries, times from when a frame was due. "
    "The last row is the traditional end: UDP sockets, blocking, the same "
    "market in full snapshots of ten levels a side. Books are compared with those of the capture offline. Repeats are "
    "interleaved; times are medians over them, losses the worst."
)
HEADER: Final = (
    "stack and feed",
    "asked",
    "sent",
    "received",
    "p50 us",
    "p99",
    "max",
    "lost",
    "first lost at",
    "books",
)
BURST: Final = Burst(window_ns=2_000_000, factor=100.0)
CELLS: Final = {
    "ring, increments": Cell(wire="ring", stack=""),
    "veth, AF_XDP spinning, increments": Cell(),
    "veth, UDP blocking, full snapshots": Cell(stack="udp", wait="block", feed="snapshots"),
}
RING: Final = "ring, increments"
ENTRIES: Final = 8192  # frames that a receiver can fall behind: more would hide a slow one


@dataclass
class Bursts:
    """What became of each cell.

    Attributes:
        frames: of the capture with increments.
        compressed: frames in the windows.
        windows: how many there are.
        steps: by cell, one a repeat.
        equal: by cell, whether the books were those of the capture, one a repeat.
    """

    frames: int
    windows: int
    compressed: int = 0
    steps: dict[str, list[Step]] = field(default_factory=dict)
    equal: dict[str, list[bool]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(self._row(name) for name in self.steps)
        lost = [float(sum(step.lost.values())) for step in self.steps[RING]]
        targets = (
            Target("ring: frames lost", Range.of(lost), 0, by="worst", digits=0),
            Target("ring: runs whose books differ", Range.of([self.equal[RING].count(False)]), 0, digits=0),
        )
        note = f"{self.frames:,} frames, {self.compressed:,} of them in {self.windows:,} windows"
        notes = (f"{note}; {len(self.steps[RING])} repeats",)
        return Section(TITLE, METHOD, HEADER, rows, targets, notes)

    def _row(self, name: str) -> tuple[str, ...]:
        steps = self.steps[name]
        worst = max(steps, key=lambda step: sum(step.lost.values()))
        paces = [[float(step.bursts[what]) for step in steps if step.bursts] for what in ("due", "sent", "received")]
        times = [float(np.median([step.latency[share] for step in steps])) for share in ("p50", "p99", "max")]
        return (
            name,
            *(f"x{np.median(pace):,.1f}" for pace in paces),
            *(microseconds(value) for value in times),
            f"{sum(worst.lost.values()):,}",
            next(iter(worst.lost), "-"),
            "equal" if all(self.equal[name]) else "differ",
        )


def bursts(*, quick: bool = False) -> Bursts:
    """Measure: generate the announcement, make its snapshots, then every cell in turns."""
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture, snapshots = Path(folder, "a", "capture.pcap"), Path(folder, "b", "capture.pcap")
        for path in (capture, snapshots):
            path.parent.mkdir()
        made = generate("announcement", capture, seconds=3 if quick else 12, rate=4_000)
        Path(folder, "a", "feed.toml").write_text(made.feed, encoding="utf-8")
        write_snapshots(open_source(capture), snapshots)
        sources = {"": open_source(capture), "snapshots": open_source(snapshots)}
        found_windows = windows(sources[""].capture, BURST)
        truth = {feed: _digests(source) for feed, source in sources.items()}
        found = Bursts(made.frames, len(found_windows))
        for repeat in range(2 if quick else 5):
            for name, cell in CELLS.items():
                run = run_cell(sources[cell.feed], cell, repeat=repeat, windows=found_windows, entries=ENTRIES)
                step = measure(1.0, [run])
                found.steps.setdefault(name, []).append(step)
                digests = [channel["digest"] for channel in run.found["book"]["channels"]]
                found.equal.setdefault(name, []).append(digests == truth[cell.feed])
                if name == RING and step.bursts:
                    found.compressed = int(step.bursts["frames"])
        return found


def _digests(source: Source) -> list[Any]:
    from simbench.receive.offline import Offline

    run = Offline(source)
    while run.advance():
        pass
    return [channel["digest"] for channel in run.result()["channels"]]
