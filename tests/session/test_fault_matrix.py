"""docs/fault-matrix.md says what every kind of fault comes to with every recovery of a protocol, and it is true now."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fault_matrix import OWN, SCRIPTS, SIGNS, cells, changed, script, scripts, table
from iex_feeds import deep_messages, sends, write
from iex_samples import DEEP, NOON
from ring_bench import ANSWER_NS, CYCLE_NS, Carried, carried
from small_feeds import ITCH, MDP3, digests, make

from simbench.receive.offline import open_source
from simbench.recovery.conduct import Conduct
from simbench.session import run_quietly

if TYPE_CHECKING:
    from fault_matrix import Cell

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
REWRITE = "SIMBENCH_REWRITE"  # environment variable: write the page instead of comparing with it
STRETCH = 50  # of the times of a feed made by hand: half a millisecond from message to message
RECOVERIES = {
    ITCH: ("none", "retransmit"),
    MDP3: ("none", "snapshot", "natural"),
    f"{MDP3}.orders": ("none", "snapshot"),
    DEEP.name: ("none",),
}
UNASKED = {"corrupt, unseen"}  # damage under a right checksum: the packet has come, and no gap may tell


@pytest.fixture(scope="module")
def captures(itch: Path, mdp3: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a small capture of each protocol."""
    folder = tmp_path_factory.mktemp("matrix")
    orders = make(folder / "orders", MDP3)
    feed = orders.parent / "feed.toml"
    feed.write_text(feed.read_text(encoding="utf-8").replace(f'"{MDP3}"', f'"{MDP3}.orders"'), encoding="utf-8")
    segments = [one for line in (0, 1) for one in sends(deep_messages(1800), line, (3, 1, 4), DEEP.name)]
    spread = [one._replace(stamp=NOON + (one.stamp - NOON) * STRETCH) for one in segments]
    return dict(zip(RECOVERIES, (itch, mdp3, orders, write(folder / "iex", spread, DEEP.name)), strict=True))


@pytest.mark.parametrize("protocol", RECOVERIES)
def test_the_page_is_what_faults_come_to(protocol: str, captures: dict[str, Path]) -> None:
    """Every fault happened; where the books differ something was said; and the table of the page is this one."""
    found = list(cells(open_source(captures[protocol]), RECOVERIES[protocol]))

    check(found)
    unmade = {cell.equal for cell in found if cell.recover == "none"}
    assert unmade == {True, False}, "without recovery some faults do harm and some do not"
    section(protocol, table(found))


def test_the_page_is_what_faults_come_to_where_snapshots_are_recorded(real_captures: Path) -> None:
    """The same of a capture that brings its own snapshots: they fill books again that were right before."""
    found = list(cells(open_source(real_captures / "deribit-sbe" / "capture.pcapng"), (OWN,)))

    check(found)
    assert any(cell.refilled for cell in found)
    section("deribit.sbe", table(found))


def check(found: list[Cell]) -> None:
    """Demand what has to be true of every cell, whatever its figures are."""
    assert len({cell.kind for cell in found}) >= 8
    for cell in found:
        assert cell.injected > 0, cell
        assert cell.equal or SIGNS & set(cell.noticed), cell
        assert cell.equal or not made_whole(cell), cell
        assert cell.kind != "truncate, one line" or (cell.equal and "gaps" not in cell.noticed), cell


def made_whole(cell: Cell) -> bool:
    """Tell whether a recovery brings back exactly what was lost of a cell."""
    return cell.recover in {"retransmit", "snapshot", OWN} and cell.kind not in UNASKED


def test_the_page_says_what_each_fault_does() -> None:
    """Its scripts are those that are run."""
    section("The faults", scripts())


def section(title: str, expected: str) -> None:
    """Compare the table of a section of the page; write it where that is asked for."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}$[^#]*?((?:^\|.*\n)+)", page, re.MULTILINE)
    assert found is not None, f"{PAGE.name} has no section {title}"
    if os.environ.get(REWRITE):
        PAGE.write_text(page[: found.start(1)] + expected + "\n" + page[found.end(1) :], encoding="utf-8")
    else:
        assert expected.splitlines() == found[1].splitlines(), f"{REWRITE}=1 writes {PAGE.name} anew"


@pytest.mark.parametrize(("protocol", "recover"), [(ITCH, "retransmit"), (MDP3, "snapshot")])
def test_a_run_with_processes_comes_to_the_same(protocol: str, recover: str, itch: Path, mdp3: Path) -> None:
    """What the table is made of has no clock and no processes; the same gaps, outcomes and books come of a run."""
    source = open_source(itch if protocol == ITCH else mdp3)
    plan: dict[str, Any] = {"cycle_ns": CYCLE_NS, "conduct": Conduct(delay_ns=ANSWER_NS), "wire": "ring"}
    faults = script("drop", source)
    quick = carried(source, faults, recover).book
    found = run_quietly(source, faults=faults, recover=recover, speed="max", **plan)

    assert found["faults"]["failures"] == []
    assert ends(found["book"]) == ends(quick) != []
    assert digests(found["book"]) == digests(quick)


def ends(book: dict[str, Any]) -> list[tuple[int, int, str]]:
    """Return the gaps of a channel and how they ended."""
    return [(gap["first"], gap["last"], gap["outcome"]) for gap in book["channels"][0]["gaps"]]


def test_what_was_injected_is_counted_by_the_bytes_on_the_wire() -> None:
    """One missing, one changed, one moved and one more are one each; what is as it was is none."""
    before = {"A": [(1, b"one"), (2, b"two"), (2, b"two"), (3, b"three")]}
    altered: dict[int, list[list[tuple[int, bytes]]]] = {
        0: [[(1, b"one"), (2, b"two"), (2, b"two"), (3, b"three")]],
        1: [
            [(1, b"one"), (2, b"two"), (3, b"three")],
            [(1, b"one"), (2, b"two"), (2, b"two"), (3, b"thrEe")],
            [(1, b"one"), (2, b"two"), (4, b"two"), (3, b"three")],
            [(1, b"one"), (2, b"two"), (2, b"two"), (2, b"two"), (3, b"three")],
        ],
        4: [[]],
    }
    for count, cases in altered.items():
        assert [changed(before, Carried({"A": case})) for case in cases] == [count] * len(cases)
    assert len(SCRIPTS) == 14
