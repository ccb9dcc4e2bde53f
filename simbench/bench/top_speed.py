"""Top speed: frames a second into a receiving AF_XDP socket on veth beside tcpreplay, and through the ring."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.bench import replayers, ring_rate
from simbench.bench.report import Range, Section, Target
from simbench.bench.stamping import arrivals
from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.receive.offline import Source
    from simbench.wire.open import Wire

TITLE: Final = "Top speed"
METHOD: Final = (
    "veth: a generated capture is sent as fast as it goes into one receiving AF_XDP socket, which counts; the rate is "
    "that of what arrived, first frame to last. Ring: frames of 100 bytes, copied in by one core, group and sequence "
    "of each read by the other; it can be no faster than cache lines go from one core to the other, which is measured "
    "just before. Ring with books: a whole run at speed max, beside the same frames offline. Repeats are "
    "interleaved."
)
HEADER: Final = ("what", "M frames/s, median (low to high)", "lost")
VETH: Final = "veth, simbench's replayer, flood"
RING: Final = "ring, bare"
BOOKS: Final = "ring, books built, max"
OFFLINE: Final = "offline, books built"


@dataclass
class TopSpeed:
    """Rates in frames a second, and losses, one entry a repeat.

    Attributes:
        peer: name of tcpreplay's row; None where it is not installed.
        frames: of the capture that goes over veth.
        rates: by contestant.
        lost: likewise; frames.
        trips: what a cache line takes to the other core and back, ns.
    """

    peer: str | None
    frames: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    lost: dict[str, list[int]] = field(default_factory=dict)
    trips: list[float] = field(default_factory=list)

    def add(self, name: str, rate: float, lost: int = 0) -> None:
        """Take a contestant's rate of one repeat."""
        self.rates.setdefault(name, []).append(rate)
        self.lost.setdefault(name, []).append(lost)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(
            (name, Range.of(rate / 1e6 for rate in rates).text(), f"{int(np.median(self.lost[name])):,}")
            for name, rates in self.rates.items()
        )
        targets = [
            Target("ring, bare", Range.of(self.rates[RING]), 20e6, at_most=False, unit="frames/s", digits=0),
            Target(f"{BOOKS} / {OFFLINE}", Range.of_ratios(self.rates[BOOKS], self.rates[OFFLINE]), 0.8, at_most=False),
        ]
        notes = [
            f"{self.frames:,} frames over veth, {len(self.rates[RING])} repeats",
            f"a cache line to the other core and back: {Range.of(self.trips).text(0)} ns",
        ]
        if self.peer is not None:
            ratio = Range.of_ratios(self.rates[VETH], self.rates[self.peer])
            targets.append(Target(f"{VETH} / {self.peer}", ratio, 1.2, at_most=False))
        else:
            notes.append("tcpreplay is not installed here: no ratio (apt-get install tcpreplay)")
        return Section(TITLE, METHOD, HEADER, rows, tuple(targets), tuple(notes))


def top_speed(*, quick: bool = False) -> TopSpeed:
    """Measure: generate the capture, then in each repeat every contestant once."""
    version = replayers.tcpreplay_version()
    peer = None if version is None else f"veth, tcpreplay {version}, --topspeed"
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "open.pcap")
        made = generate("open", capture, messages=200_000 if quick else 1_000_000, rate=50_000)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(capture)
        found = TopSpeed(peer, made.frames)
        for _ in range(2 if quick else 5):
            found.add(VETH, *_over_veth(made.frames, partial(replayers.simbench, capture=capture, speed="flood")))
            if peer is not None:
                fast = partial(replayers.tcpreplay, capture=capture, options=("--topspeed",))
                found.add(peer, *_over_veth(made.frames, fast))
            found.trips.append(ring_rate.round_trip())
            found.add(RING, ring_rate.measure(4_000_000 if quick else 20_000_000)["frames_per_s"])
            found.add(BOOKS, _through_the_ring(source))
            found.add(OFFLINE, _offline(source, made.frames))
    return found


def _over_veth(frames: int, replay: Callable[[Wire], None]) -> tuple[float, int]:
    hook, _ = arrivals(frames, replay)
    return len(hook) / float(hook[-1] - hook[0]) * 1e9, max(0, frames - len(hook))


def _through_the_ring(source: Source) -> float:
    found = run_quietly(source, wire="ring", speed="max")
    return float(found["received"] / found["replayer"]["active_ns"] * 1e9)


def _offline(source: Source, frames: int) -> float:
    run = Offline(source)
    start = time.perf_counter()
    run.advance()
    return frames / (time.perf_counter() - start)
