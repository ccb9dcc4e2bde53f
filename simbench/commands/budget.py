"""simbench budget: where the nanoseconds go, stage by stage, for several ways to receive side by side."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from simbench.commands import compilation, show
from simbench.times import duration_ns, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from simbench.measure.budget import Budget
    from simbench.measure.hdr import IntervalLog
    from simbench.session import Plan, Session
    from simbench.session.repeats import Cell, Measured

USUAL: Final = ("udp-block", "xdp-spin")  # the traditional way and the fast one
BAR: Final = 40  # columns of the longest bar
EIGHTHS: Final = " ▏▎▍▌▋▊▉"
FULL: Final = "█"
STAGE_WIDTH: Final = 32  # columns of the stages' names
CELL_WIDTH: Final = 40  # columns of one cell's figures
METHOD: Final = (
    "a frame, share: what a stage adds to the mean, tails and hiccups included: stages add up, percentiles do not",
    "percentiles are at most 0.8 % above the true ones (log-linear histograms, every value counted)",
    "due to book counts from when a frame was due, so that a late sender hides nothing; send to book from its sending",
)


def budget(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    stacks: Sequence[str],
    repeats: int,
    speed: str,
    max_idle: str | None,
    hgrm: Path | None,
    hlog: Path | None,
    json_file: Path | None,
) -> int:
    """Run the capture over each stack in turn, and say where the time went; 1 where frames were lost on the way."""
    from simbench.commands.exports import check_targets, open_log
    from simbench.commands.targets import check_target, write_json
    from simbench.wire.probe import need_veth

    check_target(json_file)
    check_targets(hgrm, hlog)
    need_veth("budget compares stacks over veth")
    idle = 0 if max_idle is None else duration_ns(max_idle)
    compilation.for_replaying()
    from simbench.receive.offline import open_source
    from simbench.session.repeats import interleaved

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    cells = [cell_of(name, speed) for name in dict.fromkeys(stacks or USUAL)]
    runs: dict[Cell, list[Measured]] = {cell: [] for cell in cells}
    total = len(cells) * repeats
    with open_log(hlog) as log:

        def around(session: Session) -> contextlib.AbstractContextManager[None]:
            number = sum(map(len, runs.values())) + 1
            return _beside(session, log, name_of(session.plan), f"run {number} of {total}")

        sources = dict.fromkeys(cells, source)
        for measured in interleaved(sources, repeats, around=around, max_idle_ns=idle):
            runs[measured.cell].append(measured)
        if log is not None:
            for each in runs.values():
                log.note(note(each).replace("\n", ""))
    found = {cell: _divided(each) for cell, each in runs.items()}
    if hgrm is not None:
        _write_percentiles(hgrm, runs)
    if json_file is not None:
        write_json(json_file, told(str(capture), found, runs))
    console = show.console()
    console.print(layout(found, runs, console.width))
    return int(any(_lost(run) for each in runs.values() for run in each))


def cell_of(name: str, speed: str) -> Cell:
    """Return what a name stands for: "udp-block", "xdp-spin", "xdp-native-spin"."""
    from simbench.session.repeats import Cell

    stack, *mode, wait = name.split("-")
    return Cell(stack=stack, wait=wait, mode=mode[0] if mode else "generic", speed=speed)


def name_of(what: Cell | Plan) -> str:
    """Return the name that cell_of takes."""
    return "-".join((what.stack, *(["native"] if what.mode == "native" else []), what.wait))


@contextlib.contextmanager
def _beside(session: Session, log: IntervalLog | None, name: str, which: str) -> Iterator[None]:
    """Show how far a run is, and write its intervals, until it has ended."""
    from simbench.commands import progress
    from simbench.commands.exports import logging

    with logging(session, log, f"{name}."):
        progress.follow(session, title=f"{which}, {name}: ")
        yield


def _divided(runs: Sequence[Measured]) -> Budget:
    from simbench.measure.budget import budget as divide
    from simbench.session.repeats import merged

    return divide(merged(runs))


def _write_percentiles(folder: Path, runs: Mapping[Cell, Sequence[Measured]]) -> None:
    from simbench.commands.exports import write_percentiles
    from simbench.session.repeats import merged

    for cell, each in runs.items():
        write_percentiles(folder, merged(each), note(each).splitlines(), f"{name_of(cell)}.")


def layout(found: Mapping[Cell, Budget], runs: Mapping[Cell, Sequence[Measured]], width: int) -> RenderableType:
    """Lay out the budgets, side by side where there is room, their medians as bars, and what to know of each.

    Args:
        found: of each cell.
        runs: that they were divided from.
        width: columns that there are.
    """
    beside = max(1, (width - STAGE_WIDTH) // CELL_WIDTH)
    cells = list(found)
    parts: list[RenderableType] = []
    for first in range(0, len(cells), beside):
        parts += [table({cell: found[cell] for cell in cells[first : first + beside]}), Text()]
    parts += [bars(found), Text()]
    parts += [Text(note(each)) for each in runs.values()]
    parts += [Text(line) for cell, each in found.items() for line in warnings(cell, each, runs[cell])]
    parts += [Text(line, style="dim") for line in METHOD]
    return Group(*parts)


def table(found: Mapping[Cell, Budget]) -> Table:
    """Lay out the parts of each cell, what they add up to, and what was measured over several of them."""
    from simbench.measure.budget import ROWS, TOTALS, title

    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("\nstage")
    for cell in found:
        for word in (f"{cell.title}\np50", "\np99", "\na frame", "\nshare"):
            grid.add_column(word, justify="right")
    cells = list(found.values())
    for name in ROWS:
        rows = [next((part for part in each.parts if part.name == name), None) for each in cells]
        if any(part is not None and part.histogram.count for part in rows):
            texts: list[str] = []
            for part in rows:
                if part is None or not part.histogram.count:
                    texts += ["-", "-", "-", "-"]
                else:
                    p50, p99 = part.histogram.percentiles(50, 99)
                    texts += [span(p50), span(p99), span(round(part.a_frame)), f"{part.share:.1%}"]
            grid.add_row(title(name), *texts)
    grid.add_section()
    sums: list[str] = []
    for each in cells:
        share = sum(part.share for part in each.parts)
        sums += ["", "", span(round(sum(part.a_frame for part in each.parts))), f"{share:.1%}"]
    grid.add_row("sum", *sums, style="bold")
    for name in TOTALS:
        texts = []
        for each in cells:
            histogram = each.totals[name]
            p50, p99 = histogram.percentiles(50, 99)
            texts += [span(p50), span(p99), span(round(histogram.mean)), ""]
        grid.add_row(f"{title(name)}, measured", *texts)
    return grid


def bars(found: Mapping[Cell, Budget]) -> Table:
    """Draw the medians of all stages on one scale, the cells of a stage below each other."""
    from simbench.measure.budget import ROWS, title

    medians = {
        (part.name, cell): part.histogram.percentiles(50)[0]
        for cell, each in found.items()
        for part in each.parts
        if part.histogram.count
    }
    longest = max(1, *medians.values())
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for word in ("stage", "", "median"):
        grid.add_column(word)
    grid.add_column("", justify="right")
    for name in ROWS:
        label = title(name)
        for cell in found:
            if (name, cell) in medians:
                value = medians[name, cell]
                grid.add_row(label, cell.title, bar(value / longest), span(value))
                label = ""
    return grid


def bar(share: float) -> str:
    """Return a bar of a share of BAR columns; what is not nothing can be seen."""
    eighths = max(1, round(share * BAR * 8)) if share > 0 else 0
    return FULL * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def note(runs: Sequence[Measured]) -> str:
    """Say of the runs of one cell what stands beside their tails: repeats, spread, losses, hiccups."""
    from simbench.commands import progress
    from simbench.measure.hiccups import added

    frames = sum(run.found["sent"] for run in runs)
    lost = sum(map(_lost, runs))
    ranges = []
    for share in (50, 99):
        values = [run.histograms["due_book"].percentiles(share)[0] for run in runs]
        upper = f" to {span(max(values))}" if max(values) > min(values) else ""
        ranges.append(f"p{share} {span(min(values))}{upper}")
    hiccups = added([run.found["hiccups"] for run in runs])
    word = "run" if len(runs) == 1 else "runs"
    said = f"{len(runs)} {word}, {frames:,} frames, {lost:,} lost; due to book {', '.join(ranges)}"
    return f"{runs[0].cell.title}: {said};\n  {progress.hiccups(hiccups)}"


def _lost(run: Measured) -> int:
    """Count the frames that did not arrive, those that the wire had no room for when they were due among them."""
    return int(run.found["sent"] - run.found["received"] + run.found["drops"].get("ring_full", 0))


def warnings(cell: Cell, found: Budget, runs: Sequence[Measured]) -> list[str]:
    """Say what is missing of a cell's stages, a line each."""
    from simbench.doctor.hiccups import NOISY
    from simbench.measure.budget import WIRE_AS_ONE

    lines = []
    if any(run.found["hiccups"]["share"] > NOISY for run in runs):
        lines.append(f"{cell.title}: others had the receiving core for too long; simbench doctor says what to change")
    unmatched = sum(run.found["unmatched"] + run.found["unstamped"] for run in runs)
    if any(part.name == WIRE_AS_ONE for part in found.parts):
        lines.append(f"{cell.title}: the driver hook was not seen, so wire and stack are one stage")
    if unmatched:
        lines.append(f"{cell.title}: {unmatched:,} frames without all stamps; what is known of them is in their stages")
    if found.frames and abs(found.rest_a_frame) >= 1:
        lines.append(f"{cell.title}: {span(round(found.rest_a_frame))} a frame lie in no stage, for want of a stamp")
    return lines


def told(capture: str, found: Mapping[Cell, Budget], runs: Mapping[Cell, Sequence[Measured]]) -> dict[str, Any]:
    """Return everything as JSON has it."""
    keys = ("sent", "received", "drops", "unstamped", "unmatched", "hiccups", "speed", "stages")
    return {
        "schema": 1,
        "host": next(iter(runs.values()))[0].found["host"],
        "capture": capture,
        "error_bound": 1 / 128,
        "cells": [
            {
                "title": cell.title,
                "wire": cell.wire,
                "stack": cell.stack,
                "wait": cell.wait,
                "mode": cell.mode if cell.stack == "xdp" else "",
                **found[cell].to_json(),
                "runs": [{key: run.found[key] for key in keys} for run in each],
            }
            for cell, each in runs.items()
        ],
    }
