"""The figures of pacing: lateness over the ring, what the schedule asks too much of, and drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.bench.drift import OURS, Drift
from simbench.bench.ring_lateness import SPEEDS, RingLateness, Sent, close, cost_of, crowded, lateness, replay
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from pathlib import Path

DUE = np.array([0, 1_000, 1_050, 1_100, 1_150, 1_300, 5_000], np.int64)


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


def test_a_late_frame_counts_where_the_wire_was_idle() -> None:
    """One that was late behind others that were too close counts only in the tail of all frames."""
    sent = DUE + np.array([10, 10, 10, 10, 10, 700, 20])
    found = lateness(Sent(DUE, sent, sent + 100, 12_000), 100.0)

    assert (found["late"]["max"], found["apart"]["max"], found["all"]["max"]) == (20, 700, 700)
    assert found["delivered"]["max"] == 120
    assert (found["left_out"], found["close"]) == (4 / 7, 3 / 7)
    assert (found["frames"], found["lost"], found["hiccup_ns"]) == (7, 0, 12_000)


def test_lost_frames_are_counted_and_not_timed() -> None:
    """Neither one that found no room, nor one that never came."""
    sent = np.where(DUE == 5_000, 0, DUE + 10)
    seen = np.where((DUE == 5_000) | (DUE == 0), 0, DUE + 90)
    found = lateness(Sent(DUE, sent, seen), 1.0)

    assert found["lost"] == 2
    assert found["late"]["max"] == 10
    assert found["delivered"]["max"] == 90


def test_a_run_of_which_nothing_counts_has_no_percentiles() -> None:
    """It is shown as such, and misses its target."""
    nothing = np.zeros(len(DUE), np.int64)
    section = RingLateness(7, 1.0, [50.0], {100: [lateness(Sent(DUE, nothing, nothing), 50.0)]}).section()

    assert section.rows[0][3:9] == ("nan",) * 6
    assert not section.targets[0].met


def test_a_stall_does_not_move_the_cost_of_a_frame() -> None:
    """Stretches longer than the ring, the median of them."""
    seen = 1 + np.arange(100_000) * 50
    seen[70_000:] += 3_000_000

    assert cost_of(Sent(seen, seen, seen)) == pytest.approx(50.0)
    assert cost_of(Sent(seen[:1], seen[:1], seen[:1])) == 0.0


def test_each_speed_has_its_target() -> None:
    """Of p99 where the ring was idle; the cost and its spread are told."""
    late = [{**lateness(Sent(DUE, DUE + ns, DUE + 2 * ns), 100.0)} for ns in (900, 1_100, 800)]
    section = RingLateness(7, 1.0, [50.0, 60.0, 55.0], {1: late, 10: late[1:2]}).section()

    assert [target.met for target in section.targets] == [True, False]
    assert section.rows[0][:6] == ("x1", "7", "57.1%", "0.90", "0.90", "0.90")
    assert len(section.rows[0]) == len(section.header)
    assert section.notes[0] == "the ring's own cost of a frame: 55 (50 to 60) ns"


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
