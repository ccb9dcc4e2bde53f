"""simbench budget and the exports of runs, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from nobody import COMMAND

from simbench.commands.budget import BAR, bar, bars, cell_of, layout, name_of, note, warnings
from simbench.measure.budget import budget
from simbench.measure.histogram import LIMIT, Histogram
from simbench.measure.telemetry import STAGES
from simbench.session.repeats import Cell, Measured
from simbench.wire.probe import probe

if TYPE_CHECKING:
    from pathlib import Path


def simbench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "simbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"COLUMNS": "140"},
    )


def intervals(path: Path) -> dict[str, int]:
    """Return how many values each tag of an HdrHistogram log has, as HdrHistogram's own reader finds them."""
    reader = HistogramLogReader(str(path), HdrHistogram(1, LIMIT, 2))
    found: dict[str, int] = {}
    while (interval := reader.get_next_interval_histogram()) is not None:
        found[interval.get_tag()] = found.get(interval.get_tag(), 0) + interval.get_total_count()
    reader.close()
    return found


def run_of(cell: Cell, **stages: int) -> Measured:
    """Return a run of one frame."""
    histograms = {name: Histogram() for name, _ in STAGES}
    for name, ns in stages.items():
        histograms[name].record(ns)
    hiccups = {"count": 0, "longest_ns": 0, "lost_ns": 0, "watched_ns": 0, "share": 0.0}
    found = {"sent": 1, "received": 1, "drops": {}, "unmatched": 0, "unstamped": 0, "hiccups": hiccups}
    return Measured(cell, 0, found, histograms)


def test_budget_of_both_stacks(itch: Path, tmp_path: Path) -> None:
    """Every frame in every repeat of both, stages that add up to the whole, and files that hold as many values."""
    if missing := probe().veth:
        pytest.skip(missing)
    done = simbench(
        "budget", itch, "--repeat", 2, "--speed", "20", "--max-idle", "1ms",
        "--json", tmp_path / "budget.json", "--hgrm", tmp_path / "tables", "--hlog", tmp_path / "runs.hlog",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "budget.json").read_text(encoding="utf-8"))
    assert [cell["title"] for cell in found["cells"]] == ["udp block", "xdp generic spin"]
    tags = intervals(tmp_path / "runs.hlog")
    for cell, name in zip(found["cells"], ("udp-block", "xdp-spin"), strict=True):
        sent = sum(run["sent"] for run in cell["runs"])
        assert (len(cell["runs"]), sent) == (2, cell["frames"])
        assert sum(stage["share"] for stage in cell["stages"].values()) == pytest.approx(1)
        a_frame = sum(stage["a_frame"] for stage in cell["stages"].values())
        assert a_frame == pytest.approx(cell["totals"]["due_book"]["mean"])
        assert tags[f"{name}.due_book"] == tags[f"{name}.send_book"] == sent
        assert f"Total count    = {sent:12d}]" in (tmp_path / "tables" / f"{name}.due_book.hgrm").read_text("utf-8")
    assert "decoded to book" in done.stdout
    assert "hiccups are not watched" in done.stdout
    assert "the receiving core was away" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_run_exports_what_its_result_counts(itch: Path, tmp_path: Path) -> None:
    """A table and intervals of every stage there is, on any wire."""
    done = simbench(
        "run", itch, "--headless", "--wire", "ring", "--max-idle", "1ms", "--json", tmp_path / "run.json",
        "--hgrm", tmp_path / "tables", "--hlog", tmp_path / "run.hlog",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    stages = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["stages"]
    counted = {name: stage["n"] for name, stage in stages.items() if stage["n"]}
    assert intervals(tmp_path / "run.hlog") == counted
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == set(counted)


@pytest.mark.parametrize("option", ["--hgrm", "--hlog"])
def test_target_that_cannot_be_written_is_refused_before_the_run(option: str, itch: Path, tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").touch()
    for command in (["run", "--headless", "--wire", "ring"], ["budget"]):
        done = simbench(command[0], itch, *command[1:], option, tmp_path / "file" / "in")

        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "cannot write" in done.stderr


def test_without_rights_budget_is_one_line(open_folder: Path, nobody: dict[str, Any]) -> None:
    """It says what is missing, and does not offer a wire that has no stacks."""
    done = subprocess.run(
        [*COMMAND, "budget", open_folder / "any.pcap"], capture_output=True, text=True, check=False, **nobody
    )

    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (2, 1, "")
    assert "--wire ring" not in done.stderr


def test_names_of_stacks() -> None:
    """A stack, an XDP mode where it is not the usual one, and how it waits."""
    for name in ("udp-block", "udp-spin", "xdp-block", "xdp-spin", "xdp-native-block", "xdp-native-spin"):
        assert name_of(cell_of(name, "1")) == name
    assert cell_of("udp-block", "1") == Cell(stack="udp", wait="block")
    assert cell_of("xdp-native-spin", "max") == Cell(mode="native", speed="max")


def test_bars_share_one_scale() -> None:
    """The longest is as long as any may be, and what is not nothing can be seen."""
    assert [len(bar(share)) for share in (0, 1e-9, 0.5, 1)] == [0, 1, BAR // 2, BAR]
    found = {
        cell: budget(run_of(cell, due_send=ns, app_done=1, due_book=ns + 1).histograms)
        for cell, ns in ((Cell(stack="udp"), 1000), (Cell(), 500))
    }
    assert [bar(1), bar(0.5)] == [str(text) for text in bars(found).columns[2]._cells[:2]]


def test_budgets_stand_below_each_other_where_it_is_narrow() -> None:
    """A table each, and the bars together."""
    runs = {cell: [run_of(cell, due_send=5, app_done=1, due_book=6)] for cell in (Cell(stack="udp"), Cell())}
    found = {cell: budget(each[0].histograms) for cell, each in runs.items()}

    assert len(layout(found, runs, 120).renderables) == len(layout(found, runs, 80).renderables) - 2


def test_what_stands_beside_the_tails() -> None:
    """Runs, losses of either end, the spread over repeats, hiccups of all runs together."""
    runs = [run_of(Cell(), app_done=1, due_book=ns) for ns in (100, 200)]
    runs[0].found["drops"] = {"ring_full": 2}
    runs[1].found["received"] = 0
    for run, lost in zip(runs, (0, 30_000), strict=True):
        run.found["hiccups"] |= {"count": lost // 30_000, "longest_ns": lost, "lost_ns": lost, "watched_ns": 1_000_000}

    said = note(runs)

    assert said.startswith(
        "xdp generic spin: 2 runs, 2 frames, 3 lost; due to book p50 100 ns to 200 ns, p99 100 ns to"
    )
    assert "away 1 times for more than 10 us, 1.50% of the time watched, at most 30 us" in said
    assert "p50 100 ns, p99 100 ns;" in note(runs[:1])


def test_what_is_missing_of_a_cell_is_said() -> None:
    """No hook, frames without stamps, a core that others had."""
    cell = Cell(stack="udp")
    run = run_of(cell, due_send=5, send_app=10, app_done=1, due_book=99)
    run.found["unmatched"] = 3
    run.found["hiccups"]["share"] = 0.5

    said = "\n".join(warnings(cell, budget(run.histograms), [run]))

    assert "driver hook was not seen" in said
    assert "3 frames without all stamps" in said
    assert "83 ns a frame lie in no stage" in said
    assert "simbench doctor" in said
