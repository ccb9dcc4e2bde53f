"""Replay timing on veth at recorded timing, beside replayers without a clock and tcpreplay."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench import replayers
from simbench.bench.report import Range, Section, Target, microseconds
from simbench.bench.spinner import spin
from simbench.bench.stamping import Recorded, judge
from simbench.receive.offline import open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Replay timing"
METHOD: Final = (
    "A generated burst (an ITCH announcement, lines A and B) is replayed over veth at its recorded timing. Lateness is "
    "the distance of a frame from its schedule beyond the median one; gap error counts between neighbours whose "
    "recorded gap is 5 us or more. A whole run is judged by its own proof of timing, at the application, with what "
    "two replayers that do not know the time would score on the same schedule computed beside it. Replayers are judged "
    "by one AF_XDP receiver that stamps at the driver hook and knows only the capture. The bare spinner copies each "
    "frame ahead, spins to its deadline and sends it by itself, as a C program would. Repeats are interleaved; cells "
    "are medians over them, times in us."
)
HEADER: Final = (
    "replayer",
    "lateness p50",
    "p90",
    "p99",
    "within 1 us",
    "gap error p50",
    "p90",
    "p99",
    "drift ppm",
    "lost",
)
RUN: Final = "simbench, whole run, at the application"
NULLS: Final = {"back_to_back": "null: back to back (computed)", "constant_rate": "null: constant rate (computed)"}
OURS: Final = "simbench's replayer, at the hook"
SPINNER: Final = "bare spinner, at the hook"
FASTER: Final = 10  # times the recorded speed: the kernel's cost of a packet bounds everyone
OURS_FASTER: Final = f"{OURS}, x{FASTER}"
SPINNER_FASTER: Final = f"{SPINNER}, x{FASTER}"


@dataclass
class ReplayTiming:
    """Scores of each contestant.

    Attributes:
        scores: by contestant, one entry a repeat, as measure.timing scores.
        peer: name of tcpreplay's row; None where it is not installed.
        frames: of the capture.
        seconds: its length.
    """

    peer: str | None
    frames: int
    seconds: float
    scores: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, entry: Mapping[str, Any]) -> None:
        """Take a contestant's scores of one repeat."""
        self.scores.setdefault(name, []).append(entry)

    def gap_errors(self, name: str) -> list[float]:
        """Return a contestant's median gap error in ns, one a repeat."""
        return [entry["gap_error"]["p50"] for entry in self.scores[name]]

    def _lateness(self, name: str) -> list[float]:
        return [entry["lateness"]["p50"] for entry in self.scores[name]]

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        recorded, faster = (
            Range.of_ratios(self._lateness(ours), self._lateness(bare))
            for ours, bare in ((OURS, SPINNER), (OURS_FASTER, SPINNER_FASTER))
        )
        targets: tuple[Target, ...] = (
            Target(f"median lateness, {OURS} / {SPINNER}", recorded, 1.0, by="best"),
            Target(f"median lateness, x{FASTER}, batches / one send a frame", faster, 0.9),
        )
        notes = [f"{self.frames:,} frames in {self.seconds:.1f} s, {len(self.scores[RUN])} repeats"]
        if self.peer is None:
            notes.append("tcpreplay is not installed here: no ratio (apt-get install tcpreplay)")
        else:
            theirs = self.gap_errors(self.peer)
            targets += tuple(
                Target(f"median gap error, {name} / {self.peer}", Range.of_ratios(self.gap_errors(name), theirs), 0.1)
                for name in (OURS, RUN)
            )
        rows = tuple(_row(name, entries) for name, entries in self.scores.items())
        return Section(TITLE, METHOD, HEADER, rows, targets, tuple(notes))


def replay_timing(*, quick: bool = False) -> ReplayTiming:
    """Measure: generate the burst, then in each repeat a whole run, our replayer alone, the spinner, and tcpreplay."""
    version = replayers.tcpreplay_version()
    peer = None if version is None else f"tcpreplay {version}, at the hook"
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "announcement.pcap")
        made = generate("announcement", capture, seconds=3 if quick else 12, rate=4_000)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(capture)
        recorded = Recorded.read(capture)
        found = ReplayTiming(peer, made.frames, (made.last_ns - made.first_ns) / 1e9)
        for _ in range(2 if quick else 5):
            timing = run_quietly(source, wire="veth", stack="xdp", speed="1")["timing"]
            found.add(RUN, {**timing, "lost": made.frames - timing["frames"]})
            for key, name in NULLS.items():
                found.add(name, timing["null"][key])
            found.add(OURS, judge(recorded, partial(replayers.simbench, capture=capture)))
            found.add(SPINNER, judge(recorded, partial(spin, capture=capture)))
            ours = partial(replayers.simbench, capture=capture, speed=str(FASTER))
            found.add(OURS_FASTER, judge(recorded, ours, speed=FASTER))
            bare = partial(spin, capture=capture, speed=FASTER)
            found.add(SPINNER_FASTER, judge(recorded, bare, speed=FASTER))
            if peer is not None:
                found.add(peer, judge(recorded, partial(replayers.tcpreplay, capture=capture)))
    return found


def _row(name: str, entries: list[Mapping[str, Any]]) -> tuple[str, ...]:
    def median(kind: str, share: str) -> str:
        return microseconds(float(np.median([entry[kind][share] for entry in entries])))

    drifts = [entry["drift_ppm"] for entry in entries if entry["drift_ppm"] is not None]
    lost = [entry["lost"] for entry in entries if "lost" in entry]
    return (
        name,
        *(median("lateness", share) for share in ("p50", "p90", "p99")),
        f"{np.median([entry['within_1us'] for entry in entries]):.1%}",
        *(median("gap_error", share) for share in ("p50", "p90", "p99")),
        f"{np.median(drifts):,.1f}" if drifts else "-",
        f"{int(np.median(lost)):,}" if lost else "-",
    )
