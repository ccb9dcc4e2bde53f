"""The planner: every channel on one queue, and the busiest queue close to the least that it can carry."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.steering.plan import floor, plan


def heights(loads: np.ndarray, chosen: list[int], queues: int) -> np.ndarray:
    """Return what the busiest queue carries over the least, float64[2]."""
    sums = np.zeros((queues, 2))
    np.add.at(sums, chosen, loads)
    found: np.ndarray = sums.max(axis=0) / floor(loads, queues)
    return found


def venue(random: np.random.Generator, channels: int) -> np.ndarray:
    """Return loads of channels as uneven as those of a venue, with bursts of their own."""
    total = random.pareto(1.2, channels) + 0.1
    return np.stack([total * 1e6, np.ceil(total * random.uniform(0.3, 3.0, channels) * 20)], axis=1)


@pytest.mark.parametrize("queues", [2, 3, 4, 8])
def test_feeds_of_many_channels_are_even(queues: int) -> None:
    """Within a tenth of the least, for the mean and for the busiest millisecond."""
    random = np.random.default_rng(queues)
    for _ in range(20):
        loads = venue(random, 10 * queues)

        chosen = plan(loads, queues)

        assert set(chosen) <= set(range(queues))
        assert (heights(loads, chosen, queues) <= 1.1).all()


def test_few_channels_are_as_even_as_they_can_be() -> None:
    """Against every plan that there is for nine channels on two queues."""
    random = np.random.default_rng(1)
    for _ in range(20):
        loads = venue(random, 9)
        best = min(heights(loads, [bits >> unit & 1 for unit in range(9)], 2).max() for bits in range(1 << 9))

        assert heights(loads, plan(loads, 2), 2).max() <= 1.02 * best


def test_few_channels_on_several_queues_are_as_even_as_they_can_be() -> None:
    """Against every plan that there is for seven channels on three queues, however the two loads conflict."""
    random = np.random.default_rng(2)
    every = np.array(list(product(range(3), repeat=7)))
    for _ in range(20):
        loads = venue(random, 7)
        relative = loads / floor(loads, 3)
        sums = np.stack([(every == queue) @ relative for queue in range(3)])

        best = sums.max(axis=(0, 2)).min()

        assert heights(loads, plan(loads, 3), 3).max() <= 1.001 * best


def test_a_plan_that_no_move_or_swap_betters_is_left_for_a_better_one() -> None:
    """Twelve channels whose best plan by moves and swaps alone is 1.185 of the least; 1.135 can be had."""
    random = np.random.default_rng(12)
    loads = [venue(random, 12) for _ in range(56)][-1]

    assert heights(loads, plan(loads, 4), 4).max() < 1.14


def test_one_channel_stays_whole() -> None:
    """More queues than channels: nothing is gained, and nothing torn apart."""
    assert len(set(plan(np.array([[7.0, 1.0]]), 4))) == 1
    assert plan(np.zeros((0, 2)), 4) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_no_single_move_is_better(rows: list[tuple[int, int]], queues: int) -> None:
    """What was planned cannot be improved by giving one channel of the busiest queue to another queue."""
    loads = np.array(rows, np.float64)
    relative = loads / floor(loads, queues)
    chosen = plan(loads, queues)

    sums = np.zeros((queues, 2))
    np.add.at(sums, chosen, relative)
    worst = int(sums.max(axis=1).argmax())
    for unit in np.flatnonzero(np.array(chosen) == worst):
        for queue in set(range(queues)) - {worst}:
            after = sums.copy()
            after[worst] -= relative[unit]
            after[queue] += relative[unit]
            assert max(after[worst].max(), after[queue].max()) >= sums[worst].max() - 1e-6
