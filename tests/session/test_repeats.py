"""Cells are run in turns, and their runs are added up without losing a value."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.session.repeats import Cell, interleaved, merged, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.session import Session

SPINNING = Cell(stack="", wire="ring", speed="max")
BLOCKING = Cell(stack="", wire="ring", speed="max", wait="block")


def test_each_repeat_begins_with_another_cell(itch: Path) -> None:
    """No cell always comes first, and every run of one is there."""
    source = open_source(itch)

    runs = list(interleaved({SPINNING: source, BLOCKING: source}, 2))

    assert [(run.cell.wait, run.repeat) for run in runs] == [("spin", 0), ("block", 0), ("block", 1), ("spin", 1)]
    assert {run.found["wait"] for run in runs if run.cell == BLOCKING} == {"block"}


def test_who_watches_sees_every_run_from_its_start_to_its_end(itch: Path) -> None:
    """While the session is open."""
    seen: list[str] = []

    @contextlib.contextmanager
    def around(session: Session) -> Iterator[None]:
        seen.append("running" if session.running() else "ended")
        yield
        seen.append("running" if session.running() else "ended")

    for _ in interleaved({SPINNING: open_source(itch)}, 2, around=around):
        pass

    assert seen == ["running", "ended"] * 2


def test_histograms_are_those_of_the_result(itch: Path) -> None:
    """What a run hands over beside its result is what the result's percentiles were taken from."""
    source = open_source(itch)
    runs = [run_cell(source, SPINNING) for _ in range(2)]

    assert all(run.histograms[name].summary() == stage for run in runs for name, stage in run.found["stages"].items())
    whole = merged(runs)["app_book"]
    assert whole.count == sum(run.found["received"] for run in runs)
    assert whole.highest == max(run.found["stages"]["app_book"]["max"] for run in runs)


def test_cell_that_cannot_be_had_is_one_line(itch: Path) -> None:
    """A stack on a wire that has none is said as everywhere."""
    with pytest.raises(SimbenchError, match="the ring has no stack"):
        run_cell(open_source(itch), Cell(stack="udp", wire="ring"))


def test_titles_say_what_matters() -> None:
    """A mode is the XDP program's alone, and the usual wire goes without saying."""
    assert [cell.title for cell in (Cell(), Cell(stack="udp", wait="block"), SPINNING)] == [
        "xdp generic spin",
        "udp block",
        "ring spin",
    ]
