"""Offline CME MDP3: book entries a second from file to final books, by how many entries a packet has."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench import event
from simbench.bench.report import Range, Section, Target
from simbench.receive.offline import Offline, open_source
from simbench.receive.pipeline import DELIVERED
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE: Final = "Offline CME MDP3"
METHOD: Final = (
    "Generated MDP 3.0 channels on lines A and B (64 instruments, snapshots left out) are read from file to final "
    "books, checksums verified, both lines arbitrated; processor time of one process. An entry is one of a book "
    "refresh (templates 32 and 46) that changes levels; trades, volumes and statistics take their time and do not "
    "count. Entries a packet follow from how long a packet stays open for messages. Recorded on CME's channel 340 "
    "(2016-11-12, 5,000 packets a line): 1 at the median, 2.9 on average, 6.5 in the busiest 10 ms, 17 in the busiest "
    "millisecond; there a message has 1.4 entries on average, here 0.8."
)
HEADER: Final = ("capture", "entries a packet", "M entries/s, median (low to high)", "ns a packet, both copies")
WINDOWS: Final = {
    "one message a packet": 0,
    "as recorded, on average": 25_000,
    "as in the busiest 10 ms": 70_000,
    "as in the busiest ms": 270_000,
}  # ns
BURST: Final = "as in the busiest 10 ms"
MESSAGES: Final = 1_000_000
RATE: Final = 100_000.0
BOUND: Final = 10.0  # M entries a second in a burst


@dataclass
class Flow:
    """One capture.

    Attributes:
        entries: of book refreshes, once each.
        packets: delivered.
        seconds: of processor time, one entry a repeat.
    """

    entries: int = 0
    packets: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class OfflineCme:
    """Flows by their names, as in WINDOWS."""

    flows: dict[str, Flow]

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(
            (
                name,
                f"{flow.entries / flow.packets:.1f}",
                Range.of(_rates(flow)).text(),
                f"{Range.of(flow.seconds).median / flow.packets * 1e9:,.0f}",
            )
            for name, flow in self.flows.items()
        )
        burst = Range.of(_rates(self.flows[BURST]))
        target = Target("entries in a burst", burst, BOUND, at_most=False, unit="M/s", digits=1)
        return Section(TITLE, METHOD, HEADER, rows, (target,))


def offline_cme(*, quick: bool = False) -> OfflineCme:
    """Measure: generate, warm up, repeat."""
    flows = {}
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        for name, window in WINDOWS.items():
            capture = Path(folder, "day.pcap")
            made = generate(
                "calm",
                capture,
                "cme.mdp3",
                messages=MESSAGES // (10 if quick else 1),
                rate=RATE,
                window_ns=window,
                snapshots=0.0,
            )
            Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
            flows[name] = measure(capture, 1 + (3 if quick else 5))
    return OfflineCme(flows)


def measure(capture: Path, repeats: int) -> Flow:
    """Build the books of a capture so often, the first time to warm up; return what that took.

    Args:
        capture: of one CME channel, with a feed.toml beside it.
        repeats: at least 2.
    """
    flow = Flow()
    source = open_source(capture)

    def count(_channel: int, events: NDArray[Any]) -> None:
        kinds = events["kind"]
        flow.entries += int(np.count_nonzero((kinds >= event.LEVEL_NEW) & (kinds <= event.LEVEL_OVERLAY)))

    Offline(source, on_events=count).advance()
    for turn in range(repeats):
        run = Offline(source)
        start = time.process_time()
        run.advance()
        taken = time.process_time() - start
        if turn > 0:  # the first one warms up
            flow.seconds.append(taken)
        flow.packets = run.receiver.counter(DELIVERED)
    return flow


def _rates(flow: Flow) -> list[float]:
    return [flow.entries / each / 1e6 for each in flow.seconds]
