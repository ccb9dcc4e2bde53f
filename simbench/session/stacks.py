"""The tale of two stacks, in cells: how frames come (stack), how one waits for them (wait), what they say (feed).

Each feed is a capture: the recorded one with its increments, and the same market in full snapshots (synth/mbp10.py).
Every cell runs as often as every other, in turns; what is compared is compared within one turn.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from simbench.measure.hiccups import added
from simbench.session.repeats import Cell, Measured, interleaved, merged
from simbench.session.usage import Spent, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from simbench.measure.histogram import Histogram
    from simbench.receive.offline import Source
    from simbench.session.replayed import Session

INCREMENTS, SNAPSHOTS = "increments", "snapshots"
FEEDS: Final = (INCREMENTS, SNAPSHOTS)
STACKS: Final = (("udp", "generic"), ("xdp", "generic"), ("xdp", "native"))
WAITS: Final = ("block", "spin")
TOP: Final = 10  # levels a side that both feeds have
STAGES: Final = ("hook_app", "hook_book", "due_app", "due_book")  # what a cell is judged by
SHARES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


@dataclass(frozen=True)
class Once:
    """One run of a cell, without its books.

    Attributes:
        measured: its result and histograms; the books are taken out of the result.
        spent: processor time.
        digests: of the channels' books.
        tops: the best levels of the books that are known, by channel and key.
    """

    measured: Measured
    spent: Spent
    digests: tuple[str, ...]
    tops: Mapping[tuple[str, str], Any]

    @property
    def lost(self) -> int:
        """Frames that were sent and never came."""
        return int(self.measured.found["sent"] - self.measured.found["received"])


@dataclass
class Row:
    """A cell and what was found of it.

    Attributes:
        cell: which.
        runs: of it, in the order of their turns.
        why: it is not to be had, in one line; "" where it is.
    """

    cell: Cell
    runs: list[Once] = field(default_factory=list)
    why: str = ""

    def stage(self, name: str) -> Histogram:
        """Return a stage over all runs, ns."""
        return merged(run.measured for run in self.runs)[name]

    def by_run(self, stage: str, share: float) -> list[int]:
        """Return a percentile of a stage in each run, ns."""
        return [run.measured.histograms[stage].percentiles(share)[0] for run in self.runs]

    def spread(self, stage: str, share: float) -> float:
        """Return how far the runs lie apart in a percentile, as a share of the median run; 0 with one run."""
        values = self.by_run(stage, share)
        return (max(values) - min(values)) / max(1.0, median(values))

    @property
    def spent(self) -> Spent:
        """Processor time of all runs together."""
        return sum((run.spent for run in self.runs), Spent())

    def costs(self) -> dict[str, int]:
        """Return the processor time of all runs, ns: of both processes, of each, and of both cores."""
        spent = self.spent
        return {
            "both": spent.sender_ns + spent.receiver_ns,
            "sender": spent.sender_ns,
            "receiver": spent.receiver_ns,
            "cores": spent.cores_ns,
        }

    @property
    def away(self) -> tuple[int, float] | None:
        """Longest time that others had the spinning core, ns, and their share; None of a receiver that sleeps."""
        if not self.runs:
            return None
        found = added([run.measured.found["hiccups"] for run in self.runs])
        return (found["longest_ns"], found["share"]) if found["watched_ns"] else None

    @property
    def digests(self) -> set[tuple[str, ...]]:
        """Digests of the books at the end of each run, those that differ."""
        return {run.digests for run in self.runs}


def all_cells(speed: str) -> list[Cell]:
    """Return every cell, the traditional end first and the optimised ones last."""
    return [
        Cell(stack=stack, wait=wait, mode=mode, speed=speed, feed=feed)
        for feed in reversed(FEEDS)
        for stack, mode in STACKS
        for wait in WAITS
    ]


def chosen(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """Return the cells in whose title all words of one of the texts are; all cells where there are no texts."""
    wanted = [set(text.split()) for text in only]
    return [cell for cell in cells if not wanted or any(words <= set(cell.title.split()) for words in wanted)]


def run_cells(
    cells: Sequence[Cell],
    sources: Mapping[str, Source],
    repeats: int,
    around: Callable[[Session], AbstractContextManager[object]],
    **plan: Any,
) -> list[Row]:
    """Run the cells in turns; a row of each, in their order.

    Args:
        cells: to run.
        sources: the capture of each feed.
        repeats: of each cell.
        around: entered beside each run.
        plan: what else each run is to do, as attributes of a Plan.
    """
    rows = {cell: Row(cell) for cell in cells}
    used: list[Usage] = []

    @contextlib.contextmanager
    def watched(session: Session) -> Iterator[None]:
        with Usage(session) as usage:
            used.append(usage)
            with around(session):
                yield

    def refused(cell: Cell, why: str) -> None:
        rows[cell].why = why

    taken = {cell: sources[cell.feed] for cell in cells}
    for measured in interleaved(taken, repeats, around=watched, refused=refused, **plan):
        rows[measured.cell].runs.append(_once(measured, used[-1].spent))
    return list(rows.values())


def _once(measured: Measured, spent: Spent) -> Once:
    book = measured.found["book"]
    tops = {
        (each["channel"], each["key"]): [each[side][:TOP] for side in ("bids", "asks")]
        for each in book.pop("books")
        if each["state"] == "current" and (each["bids"] or each["asks"])
    }
    return Once(measured, spent, tuple(channel["digest"] for channel in book["channels"]), tops)


def same_tops(rows: Sequence[Row]) -> bool | None:
    """Tell whether all runs of both feeds ended with the same best levels; None where only one feed ran."""
    ran = [row for row in rows if row.runs]
    if {row.cell.feed for row in ran} != set(FEEDS):
        return None
    first = ran[0].runs[0].tops
    return bool(first) and all(run.tops == first for row in ran for run in row.runs)


def same_digests(rows: Sequence[Row], feed: str) -> bool | None:
    """Tell whether all runs of a feed ended with the same books; None where none ran."""
    found = {digests for row in rows if row.cell.feed == feed for digests in row.digests}
    return len(found) == 1 if found else None


def sound(rows: Sequence[Row]) -> bool:
    """Tell whether anything ran and nothing that ran failed, no frame was lost, the books are what they should be."""
    runs = [run for row in rows for run in row.runs]
    failed = any(row.runs and row.why for row in rows)
    equal = [same_tops(rows), *(same_digests(rows, feed) for feed in FEEDS)]
    return bool(runs) and not failed and not any(run.lost for run in runs) and False not in equal
