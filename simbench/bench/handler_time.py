"""The handler's own time: from the application's look at a datagram to its books, CME and ITCH."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.bench.report import Range, Section, Target, microseconds
from simbench.bench.wire_to_application import GAP_NS, spread_evenly
from simbench.receive.offline import open_source
from simbench.session.repeats import Cell, interleaved
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.measure.histogram import Histogram
    from simbench.session.repeats import Measured

TITLE: Final = "The handler's own time"
METHOD: Final = (
    "From the application's look at a frame (T3) until what it brought is in the books (T4): dissect, route, frame, "
    "arbitrate, decode, apply; and the two parts of it, before and after decoding is done. Whole runs over veth, "
    "AF_XDP, spinning, a generated calm market of one line, so that every datagram has something for the books, one "
    "frame every 20 us. Repeats are interleaved; cells are medians over them, in us. Hiccups are those of the "
    "receiving core in these very runs: it was away for longer than 10 us."
)
HEADER: Final = (
    "feed", "p50", "p90", "p99", "p99.9", "to decoded, p50", "to book, p50", "messages a datagram", "frames",
    "hiccups", "longest", "time lost to them",
)  # fmt: skip
FEEDS: Final = {"CME MDP 3.0": "cme.mdp3", "ITCH 5.0": "nasdaq.itch50"}
SHARES: Final = (50, 90, 99, 99.9)
BOUND_US: Final = 1.0


@dataclass
class HandlerTime:
    """Whole runs, one entry a repeat.

    Attributes:
        runs: of each feed by its name.
    """

    runs: dict[str, list[Measured]] = field(default_factory=dict)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        rows = tuple(_row(name, runs) for name, runs in self.runs.items())
        targets = tuple(
            Target(
                f"median, {name} datagram",
                Range.of(run.histograms["app_book"].percentiles(50)[0] / 1e3 for run in runs),
                BOUND_US,
                unit="us",
            )
            for name, runs in self.runs.items()
        )
        repeats = max(map(len, self.runs.values()), default=0)
        return Section(TITLE, METHOD, HEADER, rows, targets, (f"{repeats} repeats",))


def _row(name: str, runs: list[Measured]) -> tuple[str, ...]:
    whole = [_percentiles(run.histograms, "app_book") for run in runs]
    parts = [_percentiles(run.histograms, stage)[0] for stage in ("app_decoded", "decoded_book") for run in runs]
    decoded, book = parts[: len(runs)], parts[len(runs) :]
    found = [run.found for run in runs]
    hiccups = [each["hiccups"] for each in found]
    messages = [each["book"]["messages"]["total"] / each["book"]["capture"]["datagrams"] for each in found]
    return (
        name,
        *(microseconds(float(np.median(each))) for each in zip(*whole, strict=True)),
        microseconds(float(np.median(decoded))),
        microseconds(float(np.median(book))),
        f"{np.median(messages):.2f}",
        f"{found[0]['received']:,}",
        f"{np.median([each['count'] for each in hiccups]):,.0f}",
        microseconds(float(np.median([each["longest_ns"] for each in hiccups]))),
        f"{np.median([each['share'] for each in hiccups]):.2%}",
    )


def _percentiles(histograms: Mapping[str, Histogram], stage: str) -> list[int]:
    return histograms[stage].percentiles(*SHARES)


def handler_time(*, quick: bool = False) -> HandlerTime:
    """Measure: in each repeat a whole run of each feed, at the same rate."""
    count = 20_000 if quick else 100_000
    found = HandlerTime({name: [] for name in FEEDS})
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        cells: dict[Cell, Any] = {}
        for name, protocol in FEEDS.items():
            place = Path(folder, protocol)
            place.mkdir()
            made = generate("calm", place / "calm.pcap", protocol, messages=count, lines=1, snapshots=0)
            (place / "feed.toml").write_text(made.feed, encoding="utf-8")
            spread_evenly(place / "calm.pcap", place / "even.pcap", GAP_NS)
            cells[Cell(feed=name)] = open_source(place / "even.pcap")
        for run in interleaved(cells, 2 if quick else 7):
            found.runs[run.cell.feed].append(run)
    return found
