"""Fault scripts over wires: the same faults on each and at any speed, and every hole is reported as it was foreseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from runs import under_way
from small_feeds import ITCH, MDP3, digests, ladders, levels, rebuilt

from simbench.commands.run import outcome
from simbench.errors import SimbenchError
from simbench.faults.ranges import Ranges, minus
from simbench.receive.offline import open_source
from simbench.session import Plan, Session, run_quietly

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.wire.probe import Capabilities

REPARABLE = """
seed = 3
[[fault]]
kind = "drop"
probability = 0.05
[[fault]]
kind = "dark"
line = "A"
from = "+0.2s"
to = "+0.25s"
[[fault]]
kind = "duplicate"
line = "B"
probability = 0.03
[[fault]]
kind = "reorder"
line = "A"
from = "+0.1s"
probability = 0.05
by = 3
[[fault]]
kind = "delay"
line = "B"
from = "+0.1s"
probability = 0.05
delay = "20ms"
[[fault]]
kind = "corrupt"
probability = 0.02
"""
SCRIPT = f"""{REPARABLE}
[[fault]]
kind = "corrupt"
line = "B"
probability = 0.02
fix_checksum = true
"""
# 10 % of each line by itself, and five bursts of 20 on both, the first datagram and one inside an event among them.
BURSTS = (5615, 6500, 7777, 9000, 10400)
LOSSES = """
seed = 11
[[fault]]
kind = "drop"
line = "A"
probability = 0.1
[[fault]]
kind = "drop"
line = "B"
probability = 0.1
""" + "".join(f'[[fault]]\nkind = "drop"\nsequence = [{first}, {first + 19}]\n' for first in BURSTS)
RING: dict[str, Any] = {"wire": "ring", "speed": "max"}


def told(found: dict[str, Any]) -> Any:
    """Return what a run says of its faults that has to be equal on every wire: all but how it was noticed."""
    faults = found["faults"]
    assert faults["judged"], faults["why"]
    assert faults["failures"] == []
    assert len(faults["applied"]) > 100
    assert faults["gaps"]["expected"] > 10
    return faults["applied"], faults["gaps"], faults["counts"]


@pytest.fixture(scope="module")
def over_ring(itch: Path, mdp3: Path) -> dict[Path, dict[str, Any]]:
    """Return what runs over the ring at max say."""
    return {path: run_quietly(open_source(path), faults=SCRIPT, **RING) for path in (itch, mdp3)}


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
@pytest.mark.parametrize("speed", ["max", "10"])
def test_the_same_faults_on_every_wire_at_any_speed(
    wire: dict[str, str],
    speed: str,
    protocol: str,
    itch: Path,
    mdp3: Path,
    over_ring: dict[Path, dict[str, Any]],
) -> None:
    """What is done, what is noticed of it and what the books come to do not depend on how the frames travel."""
    path = itch if protocol == ITCH else mdp3
    found = run_quietly(open_source(path), faults=SCRIPT, speed=speed, **wire)

    faults, gaps, counts = told(over_ring[path])
    if wire["stack"] == "udp":  # where the kernel drops what has a wrong checksum
        counts = {**counts, "checksum": {**counts["checksum"], "noticed": 0}}
    assert told(found) == (faults, gaps, counts)
    assert digests(found["book"]) == digests(over_ring[path]["book"])
    assert digests(found["book"]) != digests(rebuilt(path)), "something was lost for good"
    assert outcome(found) == 0, "every gap was caused"


@pytest.mark.wire
@pytest.mark.parametrize(
    ("protocol", "recover", "speed", "outcome"),
    [
        (ITCH, "retransmit", "max", "retransmission"),
        (ITCH, "retransmit", "10", "retransmission"),
        (MDP3, "snapshot", "max", "snapshot"),
        (MDP3, "snapshot", "1", "snapshot"),
    ],
)
def test_recovery_behind_udp_sockets_leaves_the_books_of_the_capture(
    protocol: str, recover: str, speed: str, outcome: str, itch: Path, mdp3: Path, capabilities: Capabilities
) -> None:
    """Sockets keep no order among each other; the receiver restores it, so that holes are where the lines have them."""
    if capabilities.veth:
        pytest.skip(capabilities.veth)
    path = itch if protocol == ITCH else mdp3
    plan: dict[str, Any] = {"wire": "veth", "stack": "udp", "cycle_ns": 200_000_000}
    found = run_quietly(open_source(path), faults=REPARABLE, recover=recover, speed=speed, **plan)

    ends = [gap["outcome"] for gap in found["book"]["channels"][0]["gaps"]]
    assert ends.count(outcome) > 10
    assert set(ends) <= {outcome, "other line", "reorder"}
    clean = rebuilt(path)
    assert levels(clean) > 50
    assert digests(found["book"]) == digests(clean)
    assert found["faults"]["judged"], found["faults"]["why"]
    assert found["faults"]["failures"] == []


def test_every_hole_of_the_real_capture_is_what_the_log_says(cme: Path) -> None:
    """A hole on one line is filled by the other; one on both is a gap record, no more and no fewer than foreseen."""
    found = run_quietly(open_source(cme), faults=LOSSES, **RING)

    faults, (channel,) = found["faults"], found["book"]["channels"]
    told(found)
    dropped = {name: {entry["first"] for entry in faults["applied"] if entry["line"] == name} for name in ("A", "B")}
    assert all(len(units) > 550 for units in dropped.values())
    both = dropped["A"] & dropped["B"]
    assert set(range(5615, 5635)) <= both, "the first datagram is lost on both lines"
    begun = max(unit for unit in range(5615, 5700) if unit in both and set(range(5615, unit + 1)) <= both) + 1
    reported = Ranges([(gap["first"], gap["last"]) for gap in channel["gaps"]])
    assert {gap["outcome"] for gap in channel["gaps"]} == {"lost"}
    # Nothing is before the first that comes: what is lost there nobody can know of.
    lost = {unit for unit in both if unit >= begun}
    assert minus([(unit, unit) for unit in sorted(lost)], reported) == []
    assert sum(last - first + 1 for first, last in reported.pairs.tolist()) == len(lost)
    assert len(reported) >= 40
    assert {entry["class"] for entry in faults["applied"] if entry["first"] < begun} == {"undetectable"}
    for line in channel["lines"]:
        missed = {unit for first, last in line["missing"] for unit in range(first, last + 1)}
        assert missed == {unit for unit in dropped[line["name"]] if unit >= begun}
        assert len(missed - both) > 400, "holes on one line alone, which the other has filled"
    assert faults["gaps"] == {
        "expected": len(reported), "of_the_capture": 0, "of_damage": 0, "noticed": len(reported)
    }  # fmt: skip


def test_snapshots_make_the_real_capture_whole(cme: Path) -> None:
    """Every gap of these losses ends by a snapshot, and each ladder is the clean run's, level by level."""
    clean = rebuilt(cme)
    found = run_quietly(open_source(cme), faults=LOSSES, recover="snapshot", cycle_ns=50_000_000, **RING)

    gaps = found["book"]["channels"][0]["gaps"]
    assert len(gaps) >= 40
    assert {gap["outcome"] for gap in gaps} == {"snapshot"}
    assert found["faults"]["failures"] == []
    assert levels(clean) > 500
    assert {book["state"] for book in found["book"]["books"]} == {"current"}
    assert ladders(found["book"]) == ladders(clean)


def test_a_hole_inside_an_event_is_among_them(cme: Path) -> None:
    """Some burst begins between the packets of one event: the packet before it does not end one."""
    from simbench.event import END
    from simbench.receive.offline import Offline

    ended: dict[int, bool] = {}

    def look(_channel: int, events: Any) -> None:
        for event in events:
            ended[int(event["sequence"])] = bool(event["flags"] & END)

    run = Offline(open_source(cme), on_events=look)
    while run.advance():
        pass
    faults = run_quietly(open_source(cme), faults=LOSSES, **RING)["faults"]
    lost = {entry["first"] for entry in faults["applied"] if entry["noticed"] == "gap"}
    inside = [unit for unit in lost if unit - 1 not in lost and ended.get(unit - 1) is False]
    assert len(lost) > 80
    assert inside != []


def test_loops_windows_and_single_lines_have_their_own_expectations(mdp3: Path) -> None:
    """Twice the gaps in two loops, fewer in a window, more for a receiver of one line; all of them as foreseen."""
    source = open_source(mdp3)
    whole, twice, window, single = (
        run_quietly(source, faults=SCRIPT, **RING, **more)
        for more in (
            {},
            {"loops": 2},
            {"from_ns": source.first_ns + 300_000_000, "cold": True, "to_ns": source.first_ns + 700_000_000},
            {"only_line": "B"},
        )
    )
    counts = [told(found)[1]["expected"] for found in (whole, twice, single)]
    assert counts[1] == 2 * counts[0]
    assert counts[2] > 3 * counts[0]
    assert window["faults"]["failures"] == []
    assert 0 < window["faults"]["gaps"]["expected"] < counts[0]


def test_a_run_that_is_stopped_says_so_and_blames_nobody(slow: Path) -> None:
    """Half a replay cannot be held against its script."""
    plan = Plan(wire="ring", speed="1", faults='[[fault]]\nkind = "drop"\nsequence = [1, 20000]\nline = "A"')
    with Session(open_source(slow), plan) as session:
        under_way(session)
        session.stop()
        found = session.finish()
    assert not found["faults"]["judged"]
    assert found["faults"]["why"].startswith("the replay did not reach its end: ")
    assert found["faults"]["failures"] == []
    assert len(found["faults"]["applied"]) > 100


def test_wrong_scripts_are_refused_before_anything_starts(itch: Path) -> None:
    """One line, from Python as well."""
    with pytest.raises(SimbenchError, match="there is no line 'C'"):
        run_quietly(open_source(itch), faults='[[fault]]\nkind = "drop"\nline = "C"', **RING)
    with pytest.raises(SimbenchError, match="choose one of them"):
        run_quietly(open_source(itch), faults='[[fault]]\nkind = "drop"', as_recorded=True, **RING)


def test_checksums_that_a_capture_ignores_are_verified_under_faults(mdp3: Path) -> None:
    """Rebuilt frames have right ones, so a wrong one is the script's, whatever the capture's are worth."""
    source = open_source(mdp3, checksum="ignore")
    assert not source.verify
    found = run_quietly(source, faults='[[fault]]\nkind = "corrupt"\nevery = 9', **RING)
    assert found["faults"]["failures"] == []
    assert found["book"]["capture"]["checksum_lost"] == found["faults"]["counts"]["checksum"]["expected"] > 100


def test_no_script_no_section(itch: Path) -> None:
    """A run without faults says nothing of them."""
    found = run_quietly(open_source(itch), **RING)
    assert "faults" not in found
    assert "faults" not in found["replayer"]
    assert json.dumps(found)
