"""Arrivals: the same for the same seed, as many as asked, at the rates that a scenario promises."""

from __future__ import annotations

import numpy as np
import pytest

from simbench.errors import SimbenchError
from simbench.synth.timeline import SCENARIOS, make_timeline


def times(scenario: str, seed: int = 1, **asked: float) -> np.ndarray:
    """Return all arrivals of a run, seconds."""
    timeline = make_timeline(scenario, **asked)  # type: ignore[arg-type]
    return np.concatenate(list(timeline.arrivals(seed))) / 1e9


@pytest.mark.parametrize("scenario", SCENARIOS)
class TestAnyScenario:
    """What holds for all of them."""

    def test_the_seed_decides(self, scenario: str) -> None:
        """The same seed gives the same times, another one others."""
        assert np.array_equal(times(scenario, seed=3, messages=5_000), times(scenario, seed=3, messages=5_000))
        assert not np.array_equal(times(scenario, seed=3, messages=5_000), times(scenario, seed=4, messages=5_000))

    def test_exactly_as_many_messages_as_asked_in_order(self, scenario: str) -> None:
        """The count is exact, the times sorted and not before the start."""
        found = times(scenario, messages=12_345)
        assert len(found) == 12_345
        assert found[0] >= 0
        assert (np.diff(found) >= 0).all()

    def test_a_run_ends_with_its_time(self, scenario: str) -> None:
        """With seconds alone all arrivals are inside them, and about as many as the rate says."""
        found = times(scenario, seconds=5, rate=3_000)
        assert found[-1] < 5
        assert len(found) == pytest.approx(15_000 * SCENARIOS[scenario].mean, rel=0.1)

    def test_messages_and_seconds_give_the_rate(self, scenario: str) -> None:
        """So many messages take about so long."""
        assert times(scenario, messages=40_000, seconds=3)[-1] == pytest.approx(3, rel=0.15)

    def test_the_mean_is_the_shapes(self, scenario: str) -> None:
        """The mean that the scenario states is that of its shape."""
        points = (np.arange(100_000) + 0.5) / 100_000
        shape = SCENARIOS[scenario].shape(points)
        assert SCENARIOS[scenario].mean == pytest.approx(float(shape.mean()), rel=1e-3)
        assert SCENARIOS[scenario].peak == pytest.approx(float(shape.max()), rel=1e-2)


def test_the_announcement_is_a_hundred_times_the_calm() -> None:
    """The rate right after the news, against the rate before it, is about 100."""
    found = times("announcement", seconds=40, rate=1_000)
    calm = np.count_nonzero(found < 16) / 16
    burst = np.count_nonzero((found >= 16) & (found < 16.2)) / 0.2
    assert burst / calm == pytest.approx(95, rel=0.15)


def test_the_announcement_decays() -> None:
    """Five time constants after the news the rate is near the calm one again."""
    found = times("announcement", seconds=40, rate=1_000)
    assert np.count_nonzero(found >= 30) / 10 == pytest.approx(1_000, rel=0.3)


def test_the_announcement_has_microbursts() -> None:
    """Some window of 100 us holds several times what the peak rate puts there; a calm market shows none such."""
    found = times("announcement", seconds=20, rate=2_000)
    windows = np.bincount((found[(found >= 8) & (found < 9)] * 1e4).astype(np.int64) - 80_000)
    assert windows.max() > 5 * 100 * 2_000 * 1e-4
    calm = np.bincount((found[found < 8] * 1e4).astype(np.int64))
    assert calm.max() < 20


def test_the_open_decays_from_its_bell() -> None:
    """A quiet minute before, the peak at the bell, and a long decay."""
    found = times("open", seconds=20, rate=1_000)
    rates = np.bincount(found.astype(np.int64)) / 1_000
    assert rates[0] == pytest.approx(0.25, rel=0.3)
    assert rates[1] == rates.max() > 15
    assert rates[19] < rates[10] < rates[5] < rates[2]


def test_a_calm_market_clusters_at_a_millisecond() -> None:
    """Counts in windows of 5 ms vary far more than those of a Poisson process of the same rate."""
    counts = np.bincount((times("calm", seconds=20, rate=2_000) * 200).astype(np.int64))
    assert counts.var() / counts.mean() > 2


@pytest.mark.parametrize(
    ("scenario", "asked"),
    [("crash", {}), ("calm", {"seconds": 0}), ("calm", {"messages": -1}), ("calm", {"rate": float("nan")})],
)
def test_what_makes_no_sense_is_refused(scenario: str, asked: dict[str, float]) -> None:
    """One line says what to write instead."""
    with pytest.raises(SimbenchError):
        make_timeline(scenario, **asked)  # type: ignore[arg-type]
