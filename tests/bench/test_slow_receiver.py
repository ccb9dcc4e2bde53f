"""The figure of a slow receiver: what is demanded of a plain one and of a slowed one."""

from __future__ import annotations

from typing import Any

import pytest

from simbench.bench.slow_receiver import LEAST, PLAIN, SLOWED, Heard, SlowReceiver, slow_receiver
from simbench.stress.sweep import Step


def heard(received: int, lost: dict[str, int], *, equal: bool = True) -> Heard:
    """Return what a receiver made of LEAST frames."""
    step: dict[str, Any] = {
        "asked": 1.0, "offered": 1.0, "achieved": 1.0, "sent": LEAST, "received": received, "lost": lost,
        "latency": {"p50": 2_000, "p99": 9_000}, "bursts": None, "slowest": "", "busy": 0.5, "hiccups": 12_000,
        "missing": None,
    }  # fmt: skip
    return Heard(Step(**step), sum(lost.values()) // 100, equal)


def figure(plain: list[Heard], slowed: list[Heard]) -> SlowReceiver:
    """Return the figure of these runs."""
    return SlowReceiver(LEAST, 25.0, 2_000_000_000, 12.0, {PLAIN: plain, SLOWED: slowed})


WHOLE = heard(LEAST, {})
HALF = heard(LEAST // 2, {"ring": LEAST // 2}, equal=False)


def test_a_plain_receiver_loses_nothing_and_a_slowed_one_does() -> None:
    """Then all targets are met, and both rows say what was lost, where, and beside which hiccups."""
    section = figure([WHOLE] * 2, [HALF] * 2).section()

    assert [target.met for target in section.targets] == [True] * 4
    assert section.rows[0] == (PLAIN, "0", "0.0%", "-", "0", "2.00", "9.00", "50%", "12.00", "equal")
    assert section.rows[1][:5] == (SLOWED, f"{LEAST // 2:,}", "50.0%", "ring", "100,000")
    assert section.rows[1][-1] == "differ"
    assert section.notes == (f"{LEAST:,} datagrams in 25.0 s, 2 repeats", "2.00 GB, generated in 12 s")


@pytest.mark.parametrize(
    ("plain", "slowed", "missed"),
    [
        (heard(LEAST - 1, {"ring": 1}, equal=False), HALF, 0),
        (WHOLE, WHOLE, 1),
        (WHOLE, heard(LEAST // 2, {"replayer": LEAST // 2}), 1),
        (heard(LEAST - 1, {}), HALF, 2),
        (heard(LEAST, {}, equal=False), HALF, 3),
    ],
)
def test_each_target_can_be_missed(plain: Heard, slowed: Heard, missed: int) -> None:
    """A frame lost by the plain one, none lost at the ring by the other, one unaccounted for, other books."""
    section = figure([WHOLE, plain], [HALF, slowed]).section()

    assert [not target.met for target in section.targets].index(True) == missed


def test_few_datagrams_are_a_trial() -> None:
    """The notes say so."""
    assert "a trial" in SlowReceiver(10, 1.0, 1, 1.0, {PLAIN: [WHOLE], SLOWED: [HALF]}).section().notes[-1]


@pytest.mark.slow
def test_the_figure_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small feed at a thousandth of the length: both receivers are run, and every frame is accounted for."""
    monkeypatch.setattr("simbench.bench.slow_receiver.MESSAGES", 200_000)
    monkeypatch.setattr("simbench.bench.slow_receiver.SECONDS", 4.0)
    found = slow_receiver(quick=True)

    assert [len(runs) for runs in found.heard.values()] == [2, 2]
    assert found.frames > 15_000
    assert found.section().targets[2].met
