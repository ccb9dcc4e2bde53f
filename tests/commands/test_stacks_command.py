"""simbench stacks from the command line, over real veth pairs where there may be any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from nobody import COMMAND

from simbench.wire.probe import probe

if TYPE_CHECKING:
    from pathlib import Path


def simbench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "simbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"COLUMNS": "120"} | environment,
    )


@pytest.mark.wire
@pytest.mark.slow
def test_the_two_ends_and_a_step_between(itch: Path, tmp_path: Path) -> None:
    """Every frame of every run, equal books, processor time, both feeds; nothing is left of the made capture."""
    if missing := probe().veth:
        pytest.skip(missing)
    (tmp_path / "scratch").mkdir()
    done = simbench(
        "stacks", itch, "--repeat", 2, "--speed", "4", "--max-idle", "5ms", "--json", tmp_path / "stacks.json",
        "--only", "udp block", "--only", "increments spin", TMPDIR=str(tmp_path / "scratch"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 120
    found: dict[str, Any] = json.loads((tmp_path / "stacks.json").read_text(encoding="utf-8"))
    titles = [cell["title"] for cell in found["cells"]]
    assert titles == [
        "snapshots udp block",
        "increments udp block",
        "increments udp spin",
        "increments xdp generic spin",
        "increments xdp native spin",
    ]
    assert found["equal"] == {"increments": True, "snapshots": True, "tops": True}
    for cell in found["cells"]:
        assert (cell["available"], cell["lost"], len(cell["runs"]), len(cell["digests"])) == (True, 0, 2, 1)
        sent = sum(run["sent"] for run in cell["runs"])
        assert cell["stages"]["due_book"]["n"] == cell["stages"]["due_app"]["n"] == sent > 0
        assert cell["stages"]["hook_app"]["n"] + sum(run["unmatched"] for run in cell["runs"]) >= sent
        assert 0 < cell["cpu"]["frames"] <= sent
        assert cell["cpu"]["both_ns"] == cell["cpu"]["sender_ns"] + cell["cpu"]["receiver_ns"] > 0
    assert {effect["effect"] for effect in found["effects"]} == {"bypass", "waiting", "feed"}
    assert [step["effect"] for step in found["ends"]["steps"]] == ["feed", "waiting", "bypass"]
    assert "published comparisons: 20 us against 1.1 us" in done.stdout
    assert not list((tmp_path / "scratch").iterdir())


def test_no_cell_is_one_line(itch: Path) -> None:
    """A word that is in no title: the titles are said."""
    if missing := probe().veth:
        pytest.skip(missing)
    done = simbench("stacks", itch, "--only", "dpdk")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("simbench: --only 'dpdk' leaves no cell; there are: ")


def test_without_rights_stacks_is_one_line(open_folder: Path, nobody: dict[str, Any]) -> None:
    """It says what is missing, and does not offer a wire that has no stacks."""
    done = subprocess.run(
        [*COMMAND, "stacks", open_folder / "any.pcap"], capture_output=True, text=True, check=False, **nobody
    )

    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (2, 1, "")
    assert "stacks compares stacks over veth" in done.stderr
    assert "--wire ring" not in done.stderr
