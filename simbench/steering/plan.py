"""Give every channel a queue, so that the busiest queue is as little busier than the others as can be.

The unit is the channel: lines A and B and its recovery groups have to meet in one sequencer. What is weighed are two
loads at once, of the whole capture and of its busiest millisecond: each queue's share of either counts, against the
larger of the mean and the hottest channel, below which no plan can go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Loads = NDArray[np.float64]

ATTEMPTS: Final = 64
KICKS: Final = 200
MOST_KICKED: Final = 5  # units that a kick gives to other queues
GOOD: Final = 1.01  # of the least that is possible: no further attempt is worth its time
LEAST_GAIN: Final = 1e-9


def plan(loads: Loads, queues: int) -> list[int]:
    """Return a queue for each unit.

    Several times, heaviest first or nearly so, each to where the busiest queue grows least; then the best moves and
    swaps out of the busiest queue as long as one helps. The best of these plans is kicked: a few units are given to
    other queues, and what moves and swaps make of that is kept where it is no worse. The same loads give the same plan.

    Args:
        loads: float64[n, 2]: of the whole capture, and of its busiest millisecond.
        queues: how many there are, at least one.
    """
    relative = loads / floor(loads, queues)
    weights = relative.max(axis=1, initial=0)
    random = np.random.default_rng(0)
    best, height = np.zeros(len(loads), np.int64), np.inf
    for attempt in range(ATTEMPTS):
        order = np.argsort(-weights * random.uniform(1 - 0.5 * (attempt > 0), 1, len(weights)), kind="stable")
        chosen, sums = _place(relative, order, queues)
        while _improve(relative, chosen, sums):
            pass
        if sums.max(initial=0) < height - LEAST_GAIN:
            best, height = chosen, sums.max(initial=0)
        if height <= GOOD:
            break
    if height > GOOD and queues > 1:
        best = _kick(relative, best, queues, random)
    return [int(queue) for queue in best]


def floor(loads: Loads, queues: int) -> Loads:
    """Return what the busiest queue carries at least, float64[2]: the larger of the mean and the hottest unit."""
    least: Loads = np.maximum(loads.sum(axis=0) / queues, loads.max(axis=0, initial=0))
    return np.maximum(least, 1e-9)


def _place(relative: Loads, order: NDArray[np.int64], queues: int) -> tuple[NDArray[np.int64], Loads]:
    chosen, sums = np.zeros(len(relative), np.int64), np.zeros((queues, 2))
    for unit in order:
        after = sums + relative[unit]
        queue = int(np.lexsort((after.sum(axis=1), after.max(axis=1)))[0])
        chosen[unit] = queue
        sums[queue] += relative[unit]
    return chosen, sums


def _kick(relative: Loads, chosen: NDArray[np.int64], queues: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the best plan that is met on a walk from one, on which no step is up."""
    height = np.inf
    for _ in range(KICKS):
        tried, sums = chosen.copy(), np.zeros((queues, 2))
        if height < np.inf:
            kicked = random.integers(len(chosen), size=random.integers(1, MOST_KICKED, endpoint=True))
            tried[kicked] = random.integers(queues, size=len(kicked))
        np.add.at(sums, tried, relative)
        while _improve(relative, tried, sums):
            pass
        if sums.max() <= height + LEAST_GAIN:
            chosen, height = tried, min(height, float(sums.max()))
        if height <= GOOD:
            break
    return chosen


def _improve(relative: Loads, chosen: NDArray[np.int64], sums: Loads) -> bool:
    """Make the best move or swap out of the busiest queue, where one lowers it; tell whether there was one."""
    worst = int(sums.max(axis=1).argmax())
    here, there = np.flatnonzero(chosen == worst), np.flatnonzero(chosen != worst)
    others = np.array([queue for queue in range(len(sums)) if queue != worst], np.int64)
    # What comes back for a unit: a unit of another queue, or, in the last rows, nothing from each of the others.
    back = np.concatenate((relative[there], np.zeros((len(others), 2))))
    target = np.concatenate((chosen[there], others))
    change = relative[here][:, None, :] - back[None, :, :]
    after = np.maximum((sums[worst] - change).max(axis=2), (sums[target] + change).max(axis=2))
    if not after.size or after.min() >= sums[worst].max() - LEAST_GAIN:
        return False
    one, other = np.unravel_index(int(after.argmin()), after.shape)
    unit, queue = here[one], int(target[other])
    chosen[unit] = queue
    if other < len(there):
        chosen[there[other]] = worst
    sums[worst] -= change[one, other]
    sums[queue] += change[one, other]
    return True
