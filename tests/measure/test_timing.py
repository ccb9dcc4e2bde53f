"""The proof of timing says what a run was worth, and is not taken in by a replayer that ignores the clock."""

from __future__ import annotations

import numpy as np
import pytest

from simbench.measure import timing
from simbench.measure.timing import Trace, prove

RECORDED = 1_478_961_025_968_272_358
START = 5_000_000_000_000


def bursts(frames: int = 20_000, seed: int = 7) -> np.ndarray:
    """Return schedule offsets of bursts, 31,000 frames a second in the mean."""
    rng = np.random.default_rng(seed)
    gaps = np.where(rng.random(frames) < 0.6, rng.exponential(1_500, frames), rng.exponential(78_000, frames))
    return np.cumsum(gaps.astype(np.int64))


def wire(frames: int, seed: int = 8) -> np.ndarray:
    """Return what a good wire adds: a constant and a little noise."""
    return 1_500 + np.random.default_rng(seed).integers(0, 200, frames)


def test_a_constant_delay_is_no_error() -> None:
    """A wire that adds the same to every frame leaves lateness, gap error and drift at zero."""
    offsets = bursts()
    proof = prove(START + offsets, START + offsets + 40_000, RECORDED + offsets)
    assert proof["lateness"]["max"] == 0
    assert proof["gap_error"]["max"] == 0
    assert abs(proof["drift_ppm"]) < 1e-6
    assert proof["achieved"]["achieved"] == pytest.approx(1.0)
    assert proof["within_1us"] == 1.0


def test_a_replayer_that_ignores_time_scores_no_gap() -> None:
    """Back to back sending is within 1 us of short gaps, and none of the gaps that count is right."""
    offsets = bursts()
    seen = START + np.arange(len(offsets)) * 1_500
    proof = prove(START + offsets, seen, RECORDED + offsets)
    null = proof["null"]["back_to_back"]
    assert proof["gap_error"]["p50"] > timing.GAP_NS
    assert proof["within_1us"] < 0.01
    assert proof["achieved"]["achieved"] > 10
    assert null["gap_error"] == proof["gap_error"]
    assert proof["above_null"] <= 0


def test_null_replayers_are_far_behind_a_good_one() -> None:
    """On the schedule of a good run both null replayers score worse by orders of magnitude."""
    offsets = bursts()
    proof = prove(START + offsets, START + offsets + wire(len(offsets)), RECORDED + offsets)
    for null in proof["null"].values():
        assert null["gap_error"]["p50"] > 50 * proof["gap_error"]["p50"]
        assert null["lateness"]["p50"] > 1000 * proof["lateness"]["p50"]
    assert proof["above_null"] > 0.9


def test_a_slow_replay_has_drift() -> None:
    """A replay that takes 7 % longer drifts by 70,000 ppm, whatever due times it claims to have met."""
    offsets = bursts()
    seen = START + np.round(offsets * 1.07).astype(np.int64) + wire(len(offsets))
    honest = prove(START + offsets, seen, RECORDED + offsets)
    dishonest = prove(seen, seen, RECORDED + offsets)
    assert honest["drift_ppm"] == pytest.approx(70_000, rel=1e-3)
    assert dishonest["drift_ppm"] == pytest.approx(70_000, rel=1e-3)
    assert dishonest["achieved"]["achieved"] == pytest.approx(1 / 1.07, rel=1e-3)
    assert dishonest["gap_error"]["p50"] > 1_000


def test_stalls_do_not_bend_the_drift() -> None:
    """Hundreds of frames late by milliseconds are late frames, not drift."""
    offsets = bursts()
    seen = START + offsets + wire(len(offsets))
    stalled = seen.copy()
    for at in (1_000, 9_000, 18_500):
        stalled[at : at + 150] = np.maximum(stalled[at : at + 150], stalled[at + 150])
    proof = prove(START + offsets, stalled, RECORDED + offsets)
    assert abs(proof["drift_ppm"]) < 1
    assert 300 < proof["late_frames"] <= 450


def test_asked_speed_scales_what_is_expected() -> None:
    """At speed 2 half the recorded gap is right, and the recorded gap itself is wrong."""
    offsets = bursts()
    due = START + offsets // 2
    right = prove(due, due + 1_000, RECORDED + offsets, speed=2.0)
    wrong = prove(due, START + offsets, RECORDED + offsets, speed=2.0)
    assert right["gap_error"]["max"] <= 1
    assert right["achieved"]["achieved"] == pytest.approx(2.0, rel=1e-6)
    assert wrong["drift_ppm"] == pytest.approx(1_000_000, rel=1e-3)


def test_pieces_are_scored_apart() -> None:
    """A pause between two frames is neither a gap error nor drift, since it starts a new piece."""
    offsets = bursts()
    pause = np.where(np.arange(len(offsets)) < 8_000, 0, 3_000_000_000)
    piece = np.where(pause == 0, 1, 2)
    due = START + offsets + pause
    paused = prove(due, due + 1_000, RECORDED + offsets, piece=piece)
    unknown = prove(due, due + 1_000, RECORDED + offsets)
    assert paused["gap_error"]["max"] == 0
    assert abs(paused["drift_ppm"]) < 1e-6
    assert paused["achieved"]["achieved"] == pytest.approx(1.0)
    assert unknown["gap_error"]["max"] == 3_000_000_000


def test_stamps_alone_show_where_the_schedule_was_cut() -> None:
    """Without numbers of pieces a pause is found where due and recorded gaps part; a slow clock is no such cut."""
    offsets = bursts()
    pause = np.where(np.arange(len(offsets)) < 8_000, 0, 3_000_000_000)
    due = START + offsets + pause
    none = np.zeros_like(due)
    paused = timing.proof(np.stack([RECORDED + offsets, due, due + 100, due + 1_000], axis=1))
    slow_due = START + np.round(offsets * 1.07).astype(np.int64)
    slow = timing.proof(np.stack([RECORDED + offsets, slow_due, slow_due + 100, none], axis=1))
    assert (paused["cuts"], paused["gap_error"]["max"]) == (1, 0)
    assert paused["achieved"]["achieved"] == pytest.approx(1.0)
    assert slow["cuts"] == 0
    assert slow["drift_ppm"] == pytest.approx(70_000, rel=1e-3)


def test_capped_idle_time_is_expected() -> None:
    """With idle time capped a gap of the cap's length is right where the recorded one was longer."""
    offsets = np.array([0, 10_000, 60_000_010_000, 60_000_020_000])
    capped = np.array([0, 10_000, 1_000_010_000, 1_000_020_000])
    proof = prove(START + capped, START + capped + 500, RECORDED + offsets, max_idle_ns=1_000_000_000)
    assert proof["gap_error"]["max"] == 0
    assert proof["achieved"]["achieved"] == pytest.approx(1.0)


def test_the_cost_of_a_frame_comes_from_frames_that_waited() -> None:
    """Frames that were due before the last one came show what a frame costs; sparse ones do not."""
    due = START + np.repeat(np.arange(100) * 1_000_000, 50)
    seen = due + np.tile(np.arange(50) * 1_400, 100)
    polled_in_pairs = START + ((seen - START) // 2_800 + 1) * 2_800
    assert timing.frame_cost(due, seen) == 1_400
    assert timing.frame_cost(due, polled_in_pairs) == pytest.approx(1_400, rel=0.1)


def test_a_trace_is_bounded_and_keeps_neighbours() -> None:
    """A trace over its limit keeps whole runs of neighbours spread over the run, and the same scores."""
    offsets = bursts(200_000)
    due, seen = START + offsets, START + offsets + wire(len(offsets))
    trace = Trace(limit=8 * Trace.RUN)
    for at in range(0, len(due), 777):
        end = at + 777
        trace.add(due[at:end], seen[at:end], RECORDED + offsets[at:end])
    rows = trace.rows()
    assert trace.frames == len(due)
    assert len(rows) <= 9 * Trace.RUN
    assert rows[-1, 4] == len(due) - 1
    assert rows[0, 4] == 0
    whole = prove(due, seen, RECORDED + offsets)
    part = trace.prove()
    assert part["lateness"]["p50"] == pytest.approx(whole["lateness"]["p50"], abs=3)
    assert part["gap_error"]["p99"] == pytest.approx(whole["gap_error"]["p99"], abs=10)
    assert abs(part["drift_ppm"]) < 5


def test_nothing_paced_is_no_proof() -> None:
    """At speed max there is no schedule to keep: no frames are scored, and the table can still be printed."""
    offsets = bursts(100)
    proof = prove(START + offsets, START + offsets, RECORDED + offsets, speed=0.0)
    assert proof["frames"] == 0
    assert proof["drift_ppm"] is None
    assert "speed asked 0" in timing.table(proof)


def test_the_table_names_the_null_replayers() -> None:
    """The text table has a line for the run and one for each null replayer."""
    offsets = bursts(1_000)
    text = timing.table(prove(START + offsets, START + offsets + 10, RECORDED + offsets))
    assert [line.split("  ")[0] for line in text.splitlines()[1:4]] == ["this run", "back to back", "constant rate"]
