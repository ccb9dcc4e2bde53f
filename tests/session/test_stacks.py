"""Cells of two stacks: which there are, what changes between two of them, and what a run of all of them says."""

from __future__ import annotations

from contextlib import nullcontext
from io import StringIO
from math import prod
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from simbench.commands.stacks_json import told
from simbench.commands.stacks_report import layout, times
from simbench.feed.definition import dump
from simbench.measure.histogram import Histogram
from simbench.measure.telemetry import STAGES
from simbench.receive.offline import open_source
from simbench.session.effects import BYPASS, FEED, WAITING, effects, ends
from simbench.session.repeats import Cell, Measured
from simbench.session.stacks import (
    INCREMENTS,
    SNAPSHOTS,
    Once,
    Row,
    all_cells,
    chosen,
    run_cells,
    same_digests,
    same_tops,
    sound,
)
from simbench.session.usage import Spent
from simbench.synth.mbp10 import write_snapshots

if TYPE_CHECKING:
    from pathlib import Path

CELLS = all_cells("1")
HICCUPS = {"count": 0, "longest_ns": 0, "lost_ns": 0, "watched_ns": 0, "share": 0.0}


def once(cell: Cell, ns: int, repeat: int = 0, lost: int = 0, top: str = "1") -> Once:
    """Return a run of one frame, each of whose stages took so long."""
    histograms = {name: Histogram() for name, _ in STAGES}
    for histogram in histograms.values():
        histogram.record(ns)
    found: dict[str, Any] = {
        "sent": 1 + lost, "received": 1, "unmatched": 0, "unstamped": 0, "hiccups": HICCUPS, "drops": {}, "stages": {},
        "speed": {}, "host": {}, "replayer": {"bytes": 9}, "book": {"messages": {"total": 1}},
    }  # fmt: skip
    tops = {("channel", "key"): [[[top, "5", 1]], []]}
    return Once(Measured(cell, repeat, found, histograms), Spent(1, 1, 1, 1, 1), (f"{cell.feed} {top}",), tops)


def rows_of(times: dict[str, int], why: str = "") -> list[Row]:
    """Return a row of every cell: those whose title is named ran in two turns, the second at twice the time."""
    rows = []
    for cell in CELLS:
        ns = times.get(cell.title)
        runs = [] if ns is None else [once(cell, ns), once(cell, 2 * ns, 1)]
        rows.append(Row(cell, runs, why if ns is None else ""))
    return rows


def text(rows: list[Row], width: int = 120) -> str:
    """Return the report as it is printed."""
    out = StringIO()
    Console(width=width, file=out).print(layout(rows))
    return out.getvalue()


def test_every_cell_is_there_once() -> None:
    """Three stacks, two ways to wait, two feeds; the traditional end comes first."""
    assert len({cell.title for cell in CELLS}) == len(CELLS) == 12
    assert CELLS[0].title == "snapshots udp block"
    assert CELLS[-1].title == "increments xdp native spin"


def test_cells_are_chosen_by_the_words_of_their_titles() -> None:
    """All words of one of the texts, in any order."""
    titles = [cell.title for cell in chosen(CELLS, ["block udp", "native spin increments"])]
    assert titles == ["snapshots udp block", "increments udp block", "increments xdp native spin"]
    assert chosen(CELLS, []) == CELLS
    assert chosen(CELLS, ["carrier pigeon"]) == []


def test_an_effect_is_one_change_alone() -> None:
    """Between the twelve cells there are eight of bypass and six each of waiting and feed, and no other."""
    found = effects(rows_of({cell.title: 100 for cell in CELLS}))
    assert [sum(effect.kind == kind for effect in found) for kind in (BYPASS, WAITING, FEED)] == [8, 6, 6]
    for effect in found:
        slow, fast = effect.slow.cell, effect.fast.cell
        changed = [(slow.stack, slow.mode) != (fast.stack, fast.mode), slow.wait != fast.wait, slow.feed != fast.feed]
        assert changed == [effect.kind == kind for kind in (BYPASS, WAITING, FEED)]


def test_an_effect_compares_runs_of_the_same_turn() -> None:
    """A turn in which everything took twice as long does not change it."""
    found = effects(rows_of({"increments udp spin": 6000, "increments xdp generic spin": 2000}))
    assert [effect.kind for effect in found] == [BYPASS]
    assert found[0].ratio("hook_book", 50.0) == pytest.approx({"ratio": 3, "lowest": 3, "highest": 3}, rel=0.01)


def test_steps_between_the_ends_multiply_to_the_whole() -> None:
    """Feed, waiting, bypass, each on top of the one before; the better mode is the optimised end."""
    times = {
        "snapshots udp block": 24_000,
        "increments udp block": 12_000,
        "increments udp spin": 3_000,
        "increments xdp generic spin": 1_000,
        "increments xdp native spin": 2_000,
    }
    found = ends(rows_of(times))
    assert found is not None
    assert found.optimised.cell.title == "increments xdp generic spin"
    assert [step.kind for step in found.steps] == [FEED, WAITING, BYPASS]
    ratios = [step.ratio("hook_book", 50.0)["ratio"] for step in found.steps]
    assert ratios == pytest.approx([2, 4, 3], rel=0.01)
    assert prod(ratios) == pytest.approx(24, rel=0.02)
    assert ends(rows_of({title: ns for title, ns in times.items() if title != "increments udp spin"})) is None


def test_what_differs_is_said() -> None:
    """Lost frames, other books, other best levels: each alone makes a comparison unsound."""
    increments, snapshots = CELLS[-1], CELLS[0]
    good = [Row(increments, [once(increments, 1)]), Row(snapshots, [once(snapshots, 1)])]
    assert (sound(good), same_tops(good), same_digests(good, INCREMENTS)) == (True, True, True)
    assert not sound([*good, Row(CELLS[1], [once(CELLS[1], 1, lost=1)])])
    other = [*good, Row(CELLS[1], [once(CELLS[1], 1, top="2")])]
    assert (sound(other), same_tops(other), same_digests(other, SNAPSHOTS)) == (False, False, False)
    assert not sound([Row(cell, [], "no rights") for cell in CELLS])
    assert sound([*good, Row(CELLS[1], [], "no rights")])
    assert not sound([*good, Row(CELLS[1], [once(CELLS[1], 1)], "the receiver was killed by SIGKILL")])
    assert same_tops(good[:1]) is None


def test_a_cell_that_is_not_to_be_had_is_said_in_its_row() -> None:
    """In every table and once with its reason; the rest is there."""
    rows = rows_of(
        {cell.title: 1_234_567 for cell in CELLS if cell.mode != "native"}, why="no native mode on this host"
    )
    out = text(rows)
    assert out.count("not available") == 4 * 4
    assert out.count("is not to be had here: no native mode on this host") == 4
    found = told("x.pcap", rows)
    assert [cell["available"] for cell in found["cells"]] == [cell.mode != "native" for cell in CELLS]
    assert found["ends"]["optimised"] == "increments xdp generic spin"


def test_ratios_are_short() -> None:
    """Two or three digits, whichever side of 1."""
    assert [times(ratio) for ratio in (0.0, 0.000123, 0.0999, 0.1, 1.0, 9.876, 99.5, 123_456.7)] == [
        "0", "1/8,130", "1/10", "0.1", "1", "9.88", "99.5", "123,457",
    ]  # fmt: skip


@pytest.mark.parametrize("ns", [0, 999, 1_234_567])
@pytest.mark.parametrize("spread", [1, 4_321])
def test_the_report_fits_120_columns(ns: int, spread: int) -> None:
    """Whatever the figures, and however far apart the cells: no line is folded or cut."""
    rows = rows_of({cell.title: ns * spread ** (number % 2) for number, cell in enumerate(CELLS)})
    out = text(rows, 400)
    assert max(map(len, out.splitlines())) <= 120


def test_cells_run_in_turns_and_end_with_the_same_market(itch: Path, tmp_path: Path) -> None:
    """On the ring, both feeds and both ways to wait: every frame, equal books, and the ten best levels of both."""
    source = open_source(itch)
    done = write_snapshots(source, tmp_path / "snapshots.pcap")
    (tmp_path / "feed.toml").write_text(dump(done.feed), encoding="utf-8")
    sources = {INCREMENTS: source, SNAPSHOTS: open_source(tmp_path / "snapshots.pcap")}
    ring = [
        Cell(stack="", wire="ring", wait=wait, speed="max", feed=feed) for feed in sources for wait in ("spin", "block")
    ]
    wrong = Cell(stack="udp", wire="ring", speed="max", feed=INCREMENTS)
    rows = run_cells([*ring, wrong], sources, 2, lambda _session: nullcontext())
    assert [(len(row.runs), row.why[:8]) for row in rows] == [(2, "")] * 4 + [(0, "the ring")]
    assert sound(rows)
    assert same_tops(rows)
    assert all(row.runs[0].measured.found["received"] > 1000 for row in rows[:4])
