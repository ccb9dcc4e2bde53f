"""A receiver that is too slow must be seen to be: the same long feed into a plain receiver and into a slowed one."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench.report import Range, Section, Target, microseconds
from simbench.receive.offline import Offline, open_source
from simbench.session.repeats import Cell, run_cell
from simbench.stress.sweep import Step, measure
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.receive.offline import Source

ENTRIES: Final = 8_192
SLOW_NS: Final = 2_000
TITLE: Final = "A slow receiver"
METHOD: Final = (
    f"A generated ITCH feed, a message a datagram, lines A and B, is replayed at its recorded timing over a ring of "
    f"{ENTRIES:,} entries, which holds a few milliseconds of it: no buffer hides a receiver that is too slow. It is "
    f"received as it is, and by a receiver that is busy for {SLOW_NS:,} ns more on every frame (run --slow-handler "
    f"{SLOW_NS}). Open loop: a frame that finds the ring full when it is due is lost. Repeats are interleaved; times "
    "are from when a frame was due to the books, medians over repeats; losses are the most of any repeat."
)
HEADER: Final = (
    "receiver",
    "datagrams lost, at most",
    "of all",
    "where",
    "gaps noticed",
    "p50 us",
    "p99",
    "busy",
    "longest hiccup us",
    "books",
)
PLAIN: Final = "as it is"
SLOWED: Final = f"{SLOW_NS:,} ns busier a frame"
RECEIVERS: Final = {PLAIN: 0, SLOWED: SLOW_NS}
MESSAGES: Final = 10_050_000  # a few share a datagram: 20 million datagrams on two lines
SECONDS: Final = 25.0
LEAST: Final = 20_000_000
REPEATS: Final = 3  # of half a minute each, and twice; what they show is a loss and not a ratio


@dataclass(frozen=True)
class Heard:
    """What one receiver made of the feed.

    Attributes:
        step: what was lost where, and what the rest took.
        gaps: lost ones that it noticed.
        equal: whether its books are those of the capture offline.
    """

    step: Step
    gaps: int
    equal: bool

    @property
    def lost(self) -> int:
        """Frames lost, at all places."""
        return sum(self.step.lost.values())


@dataclass
class SlowReceiver:
    """What became of the feed at each receiver, one entry a repeat.

    Attributes:
        frames: datagrams of the capture.
        seconds: that it lasts.
        size: bytes of the file.
        made_s: seconds that it took to generate.
        heard: by receiver.
    """

    frames: int
    seconds: float
    size: int
    made_s: float
    heard: dict[str, list[Heard]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        plain, slowed = self.heard[PLAIN], self.heard[SLOWED]
        unseen = [abs(self.frames - each.step.received - each.lost) for each in (*plain, *slowed)]
        targets = (
            Target("datagrams lost, as it is", Range.of(each.lost for each in plain), 0, by="worst", digits=0),
            Target(
                "share lost at the ring, slowed, in %",
                Range.of(100 * each.step.lost.get("ring", 0) / self.frames for each in slowed),
                1,
                at_most=False,
                by="worst",
            ),
            Target("datagrams neither received nor counted as lost", Range.of(unseen), 0, by="worst", digits=0),
            Target("runs without loss whose books differ", Range.of([self._wrong()]), 0, digits=0),
        )
        notes = [
            f"{self.frames:,} datagrams in {self.seconds:.1f} s, {len(plain)} repeats",
            f"{self.size / 1e9:.2f} GB, generated in {self.made_s:.0f} s",
        ]
        if self.frames < LEAST:
            notes.append(f"fewer than {LEAST:,} datagrams: a trial")
        return Section(TITLE, METHOD, HEADER, tuple(self._row(name) for name in self.heard), targets, tuple(notes))

    def _wrong(self) -> int:
        return sum(not each.equal for runs in self.heard.values() for each in runs if not each.lost)

    def _row(self, name: str) -> tuple[str, ...]:
        runs = self.heard[name]
        worst = max(runs, key=lambda run: run.lost)
        times = (microseconds(float(np.median([run.step.latency[share] for run in runs]))) for share in ("p50", "p99"))
        return (
            name,
            f"{worst.lost:,}",
            f"{worst.lost / self.frames:.1%}",
            ", ".join(worst.step.lost) or "-",
            f"{int(np.median([run.gaps for run in runs])):,}",
            *times,
            f"{max(run.step.busy for run in runs):.0%}",
            microseconds(max(run.step.hiccups for run in runs)),
            "equal" if all(run.equal for run in runs) else "differ",
        )


def slow_receiver(*, quick: bool = False) -> SlowReceiver:
    """Measure: generate the feed, build it offline, then in each repeat either receiver."""
    share = 20 if quick else 1
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "capture.pcap")
        start = time.perf_counter()
        made = generate("calm", capture, messages=MESSAGES // share, seconds=SECONDS / share, window_ns=0)
        made_s = time.perf_counter() - start
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(capture)
        truth = _truth(source)
        seconds = (made.last_ns - made.first_ns) / 1e9
        found = SlowReceiver(made.frames, seconds, capture.stat().st_size, made_s)
        for repeat in range(2 if quick else REPEATS):
            for name, slow_ns in RECEIVERS.items():
                found.heard.setdefault(name, []).append(_hear(source, slow_ns, repeat, truth))
    return found


def _hear(source: Source, slow_ns: int, repeat: int, truth: list[Any]) -> Heard:
    """Run the feed once into a receiver."""
    run = run_cell(source, Cell(wire="ring", stack=""), repeat=repeat, entries=ENTRIES, slow_ns=slow_ns)
    channels = run.found["book"]["channels"]
    gaps = sum(gap["outcome"] == "lost" for channel in channels for gap in channel["gaps"])
    return Heard(measure(1.0, [run]), gaps, _books(run.found["book"]) == truth)


def _truth(source: Source) -> list[Any]:
    run = Offline(source)
    while run.advance():
        pass
    return _books(run.result())


def _books(result: Mapping[str, Any]) -> list[Any]:
    """Return what has to be equal: digests of levels and queues of every channel, and the messages by type."""
    return [[(each["digest"], each["digest_orders"]) for each in result["channels"]], result["messages"]["by_type"]]
