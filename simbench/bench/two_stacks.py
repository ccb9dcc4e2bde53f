"""The traditional stack against the optimised one, and every cell between, as `simbench stacks` measures them."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simbench.bench.report import Range, Section, Target, microseconds
from simbench.feed.definition import dump
from simbench.receive.offline import open_source
from simbench.session.effects import CLAIM_NS, ends
from simbench.session.stacks import (
    FEEDS,
    INCREMENTS,
    SNAPSHOTS,
    all_cells,
    run_cells,
    same_digests,
    same_tops,
)
from simbench.synth.mbp10 import write_snapshots
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.session.stacks import Row

TITLE: Final = "Two stacks"
METHOD: Final = (
    "The capture of captures/itch-open is replayed over veth at its recorded timing, in every cell of stack (UDP "
    "sockets; AF_XDP, its program behind and inside the driver), waiting (blocking, spinning) and feed (increments; "
    "the same market in full snapshots of ten levels a side). Each run is a whole run; repeats are interleaved. Times "
    "are from the driver hook, in us, of all runs of a cell; spread is the highest run's median less the lowest, over "
    "the median run's. Processor time is that of both processes while frames were sent, so a receiver that spins is "
    "charged for its waiting. Away is the share of the time that others had the receiving core while it spun; a "
    "receiver that sleeps cannot watch. `simbench stacks` has more of each."
)
HEADER: Final = (
    "cell",
    "to application p50",
    "p99",
    "to book p50",
    "p99",
    "p99.9",
    "spread",
    "processor us a frame",
    "lost",
    "away",
    "books",
)
SHARES: Final = {"hook_app": (50.0, 99.0), "hook_book": (50.0, 99.0, 99.9)}


@dataclass(frozen=True)
class TwoStacks:
    """What every cell did.

    Attributes:
        rows: the cells, as session.stacks runs them.
        repeats: of each.
    """

    rows: Sequence[Row]
    repeats: int

    def section(self) -> Section:
        """Return the table, and what is demanded of it: that all cells of a feed build the same books."""
        ran = [row for row in self.rows if row.runs]
        equal = [same_digests(ran, feed) for feed in FEEDS] + [same_tops(ran)]
        targets = (Target("feeds, or both, whose books are not equal", Range.of([equal.count(False)]), 0, digits=0),)
        refused = [f"{row.cell.title}: {row.why}" for row in self.rows if row.why]
        notes = (*_between(ran), f"{self.repeats} repeats of {len(ran)} cells", *refused)
        return Section(TITLE, METHOD, HEADER, tuple(_cells(row) for row in ran), targets, notes)


def _cells(row: Row) -> tuple[str, ...]:
    spent = row.spent
    each = [row.stage(stage).percentiles(*shares) for stage, shares in SHARES.items()]
    return (
        row.cell.title,
        *(microseconds(value) for values in each for value in values),
        f"{row.spread('hook_book', 50.0):.0%}",
        microseconds(row.costs()["both"] / spent.frames) if spent.frames else "-",
        f"{sum(run.lost for run in row.runs):,}",
        "-" if row.away is None else f"{row.away[1]:.2%}",
        "equal" if len(row.digests) == 1 else f"{len(row.digests)} kinds",
    )


def _between(ran: Sequence[Row]) -> list[str]:
    """Say what lies between the two ends: both of them, and one step after the other."""
    found = ends(ran)
    if found is None:
        return []
    here = [row.stage("hook_book").percentiles(50.0)[0] for row in (found.traditional, found.optimised)]
    both = zip((found.traditional, found.optimised), here, strict=True)
    median = ", ".join(f"{row.cell.title} {microseconds(value)} us" for row, value in both)
    claimed = " and ".join(f"{value / 1e3:g} us" for value in CLAIM_NS)
    lines = [f"the two ends, hook to book p50: {median}; published comparisons claim {claimed}"]
    for step in found.steps:
        ratios = Range.of(step.ratios("hook_book", 50.0)).text()
        lines.append(f"{step.kind} ({step.slow.cell.title} / {step.fast.cell.title}), hook to book p50: {ratios}")
    return lines


def two_stacks(*, quick: bool = False) -> TwoStacks:
    """Measure: generate the capture, make its snapshots, then every cell in turns."""
    repeats = 2 if quick else 5
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        paths = {feed: Path(folder, feed, "capture.pcap") for feed in FEEDS}
        for path in paths.values():
            path.parent.mkdir()
        made = generate("open", paths[INCREMENTS], seed=930, messages=3_600, instruments=8, rate=300)
        paths[INCREMENTS].with_name("feed.toml").write_text(made.feed, encoding="utf-8")
        done = write_snapshots(open_source(paths[INCREMENTS]), paths[SNAPSHOTS])
        paths[SNAPSHOTS].with_name("feed.toml").write_text(dump(done.feed), encoding="utf-8")
        sources = {feed: open_source(path) for feed, path in paths.items()}
        rows = run_cells(all_cells("1"), sources, repeats, _alone)
    return TwoStacks(rows, repeats)


def _alone(_session: Any) -> contextlib.AbstractContextManager[None]:
    """Show nothing beside a run."""
    return contextlib.nullcontext()
