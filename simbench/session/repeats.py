"""Whole runs, repeated: each way to receive in its turn, so that what disturbs the host disturbs all of them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simbench.errors import SimbenchError
from simbench.measure import telemetry
from simbench.measure.histogram import Histogram
from simbench.session.plan import Plan
from simbench.session.replayed import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from simbench.receive.offline import Source

    Around = Callable[[Session], AbstractContextManager[object]]


@dataclass(frozen=True)
class Cell:
    """One way to receive a feed, of several that are compared.

    Attributes:
        stack: "xdp" or "udp"; "" on the ring.
        wait: "spin" or "block".
        mode: of the XDP program.
        speed: a factor, "max" or "flood".
        wire: "ring", "veth" or "tap".
        feed: a name for what is replayed, where cells replay different captures.
    """

    stack: str = "xdp"
    wait: str = "spin"
    mode: str = "generic"
    speed: str = "1"
    wire: str = "veth"
    feed: str = ""

    @property
    def title(self) -> str:
        """What it is called: "xdp generic spin", "udp block"."""
        mode = self.mode if self.stack == "xdp" and self.wire != "ring" else ""
        wire = self.wire if self.wire != "veth" else ""
        return " ".join(word for word in (self.feed, wire, self.stack, mode, self.wait) if word)


@dataclass(frozen=True)
class Measured:
    """One run of a cell.

    Attributes:
        cell: which.
        repeat: from 0.
        found: the result in the shape of `run --json`.
        histograms: of every stage, by its name; ns.
    """

    cell: Cell
    repeat: int
    found: dict[str, Any]
    histograms: dict[str, Histogram]


def run_cell(source: Source, cell: Cell, *, repeat: int = 0, around: Around | None = None, **plan: Any) -> Measured:
    """Replay a capture the way a cell says, to its end.

    Args:
        source: the capture and its feed.
        cell: how it is received.
        repeat: which of several it is.
        around: called with the session that runs, and left when it has ended: a place to watch it from.
        plan: what else the run is to do, as attributes of a Plan.

    Raises:
        SimbenchError: the cell is not to be had here, or a process failed; with the reason.
    """
    what = Plan(wire=cell.wire, stack=cell.stack, wait=cell.wait, mode=cell.mode, speed=cell.speed, **plan)
    with Session(source, what) as session, around(session) if around is not None else nullcontext():
        found = session.finish()
        return Measured(cell, repeat, found, telemetry.histograms(session.telemetry))


def interleaved(
    cells: Mapping[Cell, Source],
    repeats: int,
    *,
    around: Around | None = None,
    refused: Callable[[Cell, str], None] | None = None,
    **plan: Any,
) -> Iterator[Measured]:
    """Run every cell once, then every cell again, each time beginning with another one.

    Args:
        cells: with what each of them replays.
        repeats: of each.
        around: see run_cell.
        refused: called with a cell that is not to be had, and the reason, in one line; it is not tried again. Where
            None, the reason is raised.
        plan: likewise.

    Raises:
        SimbenchError: as run_cell does.
    """
    order = list(cells)
    out: set[Cell] = set()
    for repeat in range(repeats):
        turn = repeat % len(order)
        for cell in order[turn:] + order[:turn]:
            if cell in out:
                continue
            try:
                measured = run_cell(cells[cell], cell, repeat=repeat, around=around, **plan)
            except SimbenchError as error:
                if refused is None:
                    raise
                out.add(cell)
                refused(cell, str(error))
            else:
                yield measured


def merged(runs: Iterable[Measured]) -> dict[str, Histogram]:
    """Return the histograms of several runs of one cell as one of each stage; ns."""
    each = [run.histograms for run in runs]
    return {name: Histogram.merged(histograms[name] for histograms in each) for name in (each[0] if each else ())}
