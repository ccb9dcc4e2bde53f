"""Sweeps: which rates are tried, where the knee is, and where frames were lost."""

from __future__ import annotations

from typing import Any

import pytest

from simbench.errors import SimbenchError
from simbench.measure.histogram import Histogram
from simbench.session.repeats import Cell, Measured
from simbench.stress.sweep import STAGES, Step, knee, lost, measure, parse, sweep

BOUND = 1_000_000


def run(asked: float, *, late_ns: int = 1000, achieved: float = 1.0, wire: str = "veth", **drops: int) -> Measured:
    """Return a run in which every frame took so long, 10 a second were recorded, and so many were dropped."""
    named = sum(count for name, count in drops.items() if name != "ring_full")
    found: dict[str, Any] = {
        "wire": wire,
        "sent": 1000,
        "received": 1000 - named,
        "drops": drops,
        "speed": {"achieved": achieved * asked},
        "bursts": None,
        "hiccups": {"longest_ns": 7},
        "replayer": {"replayed_ns": 100 * 10**9, "active_ns": 10**9},
        "book": {"channels": [{"name": "x", "gaps": []}]},
    }
    histograms = {name: Histogram() for name in (*STAGES, "due_book")}
    for _ in range(100):
        histograms["due_book"].record(late_ns)
        histograms["app_book"].record(500)
        histograms["send_app"].record(late_ns - 500)
    return Measured(Cell(), 0, found, histograms)


def breaking(limit: float, *, lossy: bool) -> Any:
    """Return runs that are borne up to a multiple, and then lose frames, or come late."""

    def carry_out(asked: float) -> list[Measured]:
        if asked <= limit:
            return [run(asked), run(asked)]
        return [run(asked), run(asked, rx_ring_full=3) if lossy else run(asked, late_ns=10 * BOUND)]

    return carry_out


@pytest.mark.parametrize("lossy", [True, False])
def test_the_knee_is_found_between_the_steps(*, lossy: bool) -> None:
    """One repeat that is not borne is enough; then the steps between are halved."""
    steps = list(sweep(breaking(11.0, lossy=lossy), parse("1..64"), bound_ns=BOUND, refine=6))

    assert [step.asked for step in steps[:5]] == [1, 2, 4, 8, 16]
    assert len(steps) == 11
    found = knee(steps, BOUND)
    assert found is not None
    assert 10.8 < found.asked <= 11.0
    assert found.offered == pytest.approx(10 * found.asked)


def test_nothing_is_refined_where_all_or_nothing_is_borne() -> None:
    """There is no knee then, or it is below the first step."""
    all_borne = list(sweep(breaking(99, lossy=True), (1.0, 2.0), bound_ns=BOUND, refine=4))
    none_borne = list(sweep(breaking(0.5, lossy=True), (1.0, 2.0), bound_ns=BOUND, refine=4))

    assert [step.asked for step in all_borne] == [1.0, 2.0]
    assert knee(all_borne, BOUND) == all_borne[-1]
    assert [step.asked for step in none_borne] == [1.0]
    assert knee(none_borne, BOUND) is None


def test_a_rate_that_was_not_offered_is_not_borne() -> None:
    """Nothing lost and nothing late, but the replayer fell behind."""
    step = measure(4.0, [run(4.0), run(4.0, achieved=0.9)])
    assert step.achieved == pytest.approx(3.6)
    assert not step.borne(BOUND)


def test_lost_frames_are_at_their_place() -> None:
    """Each counter of a wire has one; what nobody counted was lost between sending and receiving."""
    found = run(1, ring_full=5, device_full=4, rx_ring_full=3, socket_overflow=2).found
    assert lost([found, found]) == {"replayer": 10, "wire": 8, "ring": 6, "socket": 4}
    assert lost([{**found, "received": found["received"] - 7}])["wire"] == 11
    assert lost([run(1, wire="ring", ring_full=5).found]) == {"ring": 5}, "its only buffer is between the two"
    assert lost([run(1).found]) == {}


def test_the_stage_that_is_late_and_the_handlers_work_are_told() -> None:
    """99.5 us of 100 were on the way; 100 times 500 ns of a second were work."""
    step: Step = measure(1.0, [run(1.0, late_ns=100_000)])
    assert step.slowest == "send_app"
    assert step.busy == pytest.approx(5e-5)


@pytest.mark.parametrize("text", ["", "x", "0", "1,-2", "8..2", "0..4", "1..inf", "1..2..3", "nan"])
def test_what_is_no_sweep_is_one_line(text: str) -> None:
    """Steps are finite, above 0 and not too many."""
    with pytest.raises(SimbenchError, match="no sweep"):
        parse(text)


def test_sweeps_as_users_write_them() -> None:
    """Listed in any order, or doubled up to the end."""
    assert parse("10,1,2") == (1.0, 2.0, 10.0)
    assert parse("0.5..3") == (0.5, 1.0, 2.0, 3.0)
    assert parse("4..4") == (4.0,)
