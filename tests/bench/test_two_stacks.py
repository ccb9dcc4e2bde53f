"""The figure of two stacks: a row for every cell that ran, what lies between the two ends, and equal books."""

from __future__ import annotations

from typing import Any

from simbench.bench.two_stacks import TwoStacks
from simbench.measure.histogram import Histogram
from simbench.measure.telemetry import STAGES
from simbench.session.repeats import Cell, Measured
from simbench.session.stacks import Once, Row, all_cells
from simbench.session.usage import Spent

QUIET = {"count": 0, "longest_ns": 0, "lost_ns": 0, "watched_ns": 0, "share": 0.0}
SPUN = {"count": 2, "longest_ns": 40_000, "lost_ns": 50_000, "watched_ns": 5_000_000, "share": 0.01}


def once(cell: Cell, ns: int, repeat: int, *, lost: int = 0, digest: str = "d", top: str = "1") -> Once:
    """Return a run of one frame, each of whose stages took so long."""
    histograms = {name: Histogram() for name, _ in STAGES}
    for histogram in histograms.values():
        histogram.record(ns)
    hiccups = SPUN if cell.wait == "spin" else QUIET
    found: dict[str, Any] = {"sent": 1 + lost, "received": 1, "hiccups": hiccups}
    tops = {("channel", "key"): [[[top, "5", 1]], []]}
    return Once(
        Measured(cell, repeat, found, histograms), Spent(2, 1, 3_000, 1_000, 1), (f"{cell.feed} {digest}",), tops
    )


def rows(**changed: Any) -> list[Row]:
    """Return a row of every cell, two runs each; `changed` is of the last one's second run."""
    found = []
    for number, cell in enumerate(all_cells("1")):
        ns = 100 * (12 - number)
        found.append(Row(cell, [once(cell, ns, 0), once(cell, 2 * ns, 1)]))
    last = found[-1]
    last.runs[1] = once(last.cell, 100, 1, **changed)
    return found


def test_every_cell_has_a_row() -> None:
    """Percentiles, processor time, losses, and who had the core of a receiver that spun."""
    section = TwoStacks(rows(lost=3), 2).section()

    assert section.rows[0] == (
        "snapshots udp block", "1.21", "2.40", "1.21", "2.40", "2.40", "67%", "2.00", "0", "-", "equal"
    )  # fmt: skip
    assert section.rows[-1][0] == "increments xdp native spin"
    assert section.rows[-1][8:] == ("3", "1.00%", "equal")
    assert {len(row) for row in section.rows} == {len(section.header)}
    assert section.targets[0].met


def test_the_ends_and_the_steps_between_them_are_told() -> None:
    """With what others claim beside them, each step by turns."""
    notes = TwoStacks(rows(), 2).section().notes

    assert notes[0].startswith("the two ends, hook to book p50: snapshots udp block 1.21 us, increments xdp native")
    assert notes[0].endswith("published comparisons claim 20 us and 1.1 us")
    assert notes[1] == "feed (snapshots udp block / increments udp block), hook to book p50: 2.00 (2.00 to 2.00)"
    assert [note.split()[0] for note in notes[1:4]] == ["feed", "waiting", "bypass"]
    assert notes[4] == "2 repeats of 12 cells"


def test_books_that_differ_are_missed() -> None:
    """In one run of one cell: within its feed, or at the levels that both feeds have."""
    other = TwoStacks(rows(digest="other"), 2).section()

    assert not other.targets[0].met
    assert other.rows[-1][-1] == "2 kinds"
    assert not TwoStacks(rows(top="2"), 2).section().targets[0].met


def test_a_cell_that_is_not_to_be_had_is_told() -> None:
    """And where an end is missing, nothing is said of the way between them."""
    found = rows()
    found[0] = Row(found[0].cell, [], "no such thing here")
    section = TwoStacks(found, 2).section()

    assert len(section.rows) == 11
    assert section.notes == ("2 repeats of 11 cells", "snapshots udp block: no such thing here")
