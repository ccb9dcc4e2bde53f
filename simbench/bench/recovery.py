"""Recovery: a feed over veth with thousands of holes on both lines, all of them asked for; how long each was open."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench.report import Range, Section, Target
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.capture.writer import PcapWriter
from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE: Final = "Recovery by retransmission"
METHOD: Final = (
    "Generated ITCH over veth at recorded speed, AF_XDP, spinning: line A is dark for seconds, and line B loses 5 % of "
    "its datagrams meanwhile, the same in every repeat. The replayer's process serves the whole capture. Time to "
    "recover is replay time from noticing a hole to its end, 10 ms of which are the wait for the other line; the round "
    "trip is clock time from the request to its answer. Books are compared with those of the whole capture. In ms."
)
HEADER: Final = ("over all repeats", "p50", "p90", "p99", "max")
RATE: Final = 5_000.0  # messages a second
SHARE: Final = 0.05
LEAD_NS: Final = 2_000_000_000  # before line A goes dark


@dataclass
class Recovery:
    """What was found, one entry a repeat.

    Attributes:
        whole: digest of the books without loss.
        runs: of `run --json`.
    """

    whole: str
    runs: list[Mapping[str, Any]] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(self._row(name) for name in ("time_to_recover", "round_trip"))
        channels = [run["book"]["channels"][0] for run in self.runs]
        closed = [sum(gap["outcome"] == "retransmission" for gap in channel["gaps"]) for channel in channels]
        targets = (
            Target("gaps closed by retransmission", Range.of(closed), 1_000, at_most=False, digits=0),
            Target(
                "share of all gaps",
                Range.of(count / max(1, len(channel["gaps"])) for count, channel in zip(closed, channels, strict=True)),
                1.0,
                at_most=False,
            ),
            Target(
                "books equal to those without loss",
                Range.of(float(channel["digest"] == self.whole) for channel in channels),
                1.0,
                at_most=False,
            ),
        )
        asked = ", ".join(f"{run['recovery']['requests']:,}" for run in self.runs)
        dropped = ", ".join(f"{sum(run['drops'].values()):,}" for run in self.runs)
        notes = f"{len(self.runs)} repeats; requests: {asked}; frames that the wire itself dropped: {dropped}"
        return Section(TITLE, METHOD, HEADER, rows, targets, (notes,))

    def _row(self, name: str) -> tuple[str, ...]:
        told = [run["recovery"][name] for run in self.runs]
        medians = (float(np.median([one[share] for one in told])) for share in ("p50", "p90", "p99", "max"))
        return name.replace("_", " "), *(f"{median / 1e6:,.3f}" for median in medians)


def recovery(*, quick: bool = False) -> Recovery:
    """Measure: the same losses again and again."""
    dark_ns = (6 if quick else 20) * 1_000_000_000
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        whole, lossy = Path(folder, "whole.pcap"), Path(folder, "lossy.pcap")
        made = generate("calm", whole, seconds=(dark_ns + 2 * LEAD_NS) / 1e9, rate=RATE)
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        source = open_source(whole)
        offline = Offline(source)
        offline.advance()
        lose(whole, lossy, dark_ns)
        found = Recovery(offline.receiver.state.books.digest(0))
        holed = open_source(lossy)
        for _ in range(2 if quick else 3):
            found.runs.append(run_quietly(holed, wire="veth", recover="retransmit", exchange=whole))
    return found


def lose(capture: Path, output: Path, dark_ns: int) -> None:
    """Copy a capture without line A for some time, and without a share of line B meanwhile.

    Args:
        capture: of two lines, that of the lower port is A.
        output: to be written.
        dark_ns: how long A is dark.
    """
    dissector, chance = Dissector(), random.Random(1)  # noqa: S311 - the same losses in every repeat
    first = 0
    with PcapWriter(output) as writer:
        for block in open_capture(capture).blocks():
            dissector.dissect(block)
            frames = block.frames
            first = first or int(frames["stamp"][0])
            ports = dissector.flows["port"][frames["flow"]]
            since = frames["stamp"] - first - LEAD_NS
            lucky = np.array([chance.random() >= SHARE for _ in frames])
            kept = frames[(since < 0) | (since >= dark_ns) | ((ports != dissector.flows["port"].min()) & lucky)]
            writer.write(kept["stamp"].copy(), block.data, kept["offset"].copy(), kept["captured"].copy())
