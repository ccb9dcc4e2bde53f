"""The figures of pacing: lateness over the ring, what the schedule asks too much of, and drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.bench import ring_lateness
from simbench.bench.drift import OURS, Drift
from simbench.bench.ring_lateness import SPEEDS, RingLateness, Sent, close, cost_of, crowded, lateness, replay
from simbench.errors import SimbenchError
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from pathlib import Path

DUE = np.array([0, 1_000, 1_050, 1_100, 1_150, 1_300, 5_000], np.int64)

MANY = np.cumsum(np.tile([5_000, 100], 2_000))  # every second frame closer than 400 ns to the one before it


def test_frames_closer_than_the_cost_are_left_out() -> None:
    """At 100 ns a frame; the sixth is far enough from the fifth, but the wire is still at work on that one."""
    assert np.flatnonzero(close(DUE, 100.0)).tolist() == [2, 3, 4]
    assert np.flatnonzero(crowded(DUE, 100.0)).tolist() == [2, 3, 4, 5]
    assert not crowded(DUE, 50.0).any()


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200), st.integers(0, 300))
def test_an_ideal_sender_is_late_for_these_and_no_others(gaps: list[int], cost: int) -> None:
    """Frame by frame: it begins when the frame is due and the one before is done. Whoever follows too close waits."""
    due = np.cumsum(gaps)
    free, waits = int(due[0]), []
    for each in due.tolist():
        waits.append(free > each)
        free = max(free, each) + cost

    assert crowded(due, float(cost)).tolist() == waits
    assert not (close(due, float(cost)) & ~crowded(due, float(cost)))[1:].any()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell tails of a handful of frames."""
    monkeypatch.setattr(ring_lateness, "FEW", 1)


def test_a_late_frame_counts_where_the_wire_was_idle(few: None) -> None:
    """One that was late behind others that were too close counts only in the tail of all frames."""
    sent = DUE + np.array([10, 10, 10, 10, 10, 700, 20])
    found = lateness(Sent(DUE, sent, sent + 100, 12_000), 100.0)

    assert (found["late"]["max"], found["apart"]["max"], found["all"]["max"]) == (20, 700, 700)
    assert found["delivered"]["max"] == 120
    assert (found["left_out"], found["close"]) == (4 / 7, 3 / 7)
    assert (found["frames"], found["lost"], found["hiccup_ns"]) == (7, 0, 12_000)


def test_lost_frames_are_counted_and_not_timed(few: None) -> None:
    """Neither one that found no room, nor one that never came."""
    sent = np.where(DUE == 5_000, 0, DUE + 10)
    seen = np.where((DUE == 5_000) | (DUE == 0), 0, DUE + 90)
    found = lateness(Sent(DUE, sent, seen), 1.0)

    assert found["lost"] == 2
    assert found["late"]["max"] == 10
    assert found["delivered"]["max"] == 90


def test_a_run_of_which_nothing_counts_has_no_percentiles() -> None:
    """It is shown as such, and misses its target; so does one of which hardly anything does."""
    nothing = np.zeros(len(MANY), np.int64)
    for run in (Sent(MANY, nothing, nothing), Sent(MANY[:900], MANY[:900], MANY[:900])):
        section = RingLateness(7, 1.0, [50.0], {100: [run]}).section()

        assert section.rows[0][3:9] == ("nan",) * 6
        assert not section.targets[0].met


def test_a_busy_host_does_not_leave_frames_out() -> None:
    """What a frame costs is told by the fastest run; where none could tell, the figure is not taken."""
    run = Sent(MANY, MANY + 20, MANY + 100)
    section = RingLateness(7, 1.0, [float("nan"), 9e9, 400.0], {1: [run] * 3}).section()

    assert section.rows[0][2] == "50.0%"
    with pytest.raises(SimbenchError, match="too busy"):
        RingLateness(7, 1.0, [float("nan")], {1: [run]}).section()


def test_a_stall_does_not_move_the_cost_of_a_frame() -> None:
    """Stretches longer than the ring, the median of them."""
    seen = 1 + np.arange(100_000) * 50
    seen[70_000:] += 3_000_000

    assert cost_of(Sent(seen, seen, seen)) == pytest.approx(50.0)
    assert np.isnan(cost_of(Sent(seen[:5_000], seen[:5_000], seen[:5_000]))), "no more than a backlog"


def test_each_speed_has_its_target() -> None:
    """Of p99 where the ring was idle; the cost and its spread are told."""
    runs = [Sent(MANY, MANY + ns, MANY + 2 * ns) for ns in (900, 1_100, 800)]
    section = RingLateness(4_000, 1.0, [450.0, 500.0, 400.0], {1: runs, 10: runs[1:2]}).section()

    assert [target.met for target in section.targets] == [True, False]
    assert section.rows[0][:6] == ("x1", "4,000", "50.0%", "0.90", "0.90", "0.90")
    assert len(section.rows[0]) == len(section.header)
    assert section.notes[0].startswith("the ring's own cost of a frame: 450 (400 to 500) ns")


@pytest.mark.parametrize("speed", [str(SPEEDS[-1]), "flood"])
def test_every_frame_has_its_stamps(speed: str, tmp_path: Path) -> None:
    """T0 where the schedule puts it, T1 not before it, T3 not before that; what did not come is 0."""
    made = generate("calm", tmp_path / "calm.pcap", seconds=2, rate=2_000)
    run = replay(tmp_path / "calm.pcap", made.frames, speed)
    came = run.seen > 0

    assert len(run.due) == made.frames
    assert came.any()
    assert (run.sent[came] > 0).all()
    assert (run.sent[came] >= run.due[came]).all()
    assert (run.seen[came] >= run.sent[came]).all()
    if speed != "flood":
        span = int(run.due[-1] - run.due[0])
        assert span == pytest.approx((made.last_ns - made.first_ns) / SPEEDS[-1], rel=1e-6)


def run_of(drift: float, *, received: int = 10) -> dict[str, Any]:
    """Return what the figure reads of a run."""
    score = {"drift_ppm": drift, "lateness": {"p50": 120, "p99": 14_500}}
    null = {"constant_rate": {"drift_ppm": -40.0, "lateness": {"p50": 9_000_000, "p99": 90_000_000}}}
    return {
        "timing": {**score, "null": null, "achieved": {"asked": 1.0, "achieved": 0.9999999}},
        "hiccups": {"share": 0.01, "longest_ns": 50_000},
        "received": received,
    }


def test_drift_either_way_counts() -> None:
    """The worst repeat decides, and a short capture is a trial."""
    section = Drift(10, 32.0, [run_of(0.5), run_of(-1.5), run_of(0.2, received=8)]).section()

    assert not section.targets[0].met
    assert section.rows[0][:3] == (OURS, "0.200 (-1.500 to 0.500)", "0.9999999")
    assert section.rows[0][5:] == ("0", "1.00%", "50.00")
    assert section.rows[1][1] == "-40.000 (-40.000 to -40.000)"
    assert len(section.rows[1]) == len(section.header)
    assert Drift(10, 32.0, [run_of(0.5), run_of(-0.9)]).section().targets[0].met
    assert "a trial" in Drift(10, 3.0, [run_of(0.5)]).section().notes[-1]
