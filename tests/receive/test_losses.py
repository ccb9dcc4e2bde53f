"""What a channel has lost is told in front of what comes next, once, and all of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simbench import event
from simbench.event import EVENT
from simbench.receive.flows import COUNTERS, FLOW_WORDS, begin_anew
from simbench.receive.losses import follow

ANEW = event.ANEW


def told(*units: tuple[int, int]) -> tuple[list[tuple[int, int, int]], dict[str, int]]:
    """Return what is said in front of units that are delivered, first to last, and what is counted."""
    words, out = np.zeros(FLOW_WORDS, np.int64), np.zeros(1, EVENT)
    begin_anew(words, 0)
    found = []
    for first, last in units:
        out.view(np.uint8)[:] = 0xAB  # a field that is left unwritten shows
        if follow(words, 0, first, last, 77, out):
            row = out[0]
            assert (row["kind"], row["time"], row["instrument"], row["orders"]) == (event.LOST, 77, 0, -1)
            found.append((int(row["sequence"]), int(row["other"]), int(row["flags"])))
    return found, {name: int(words[slot]) for name, slot in COUNTERS.items()}


def test_what_follows_the_last_says_nothing() -> None:
    """A channel that is joined at its first packet has lost none of it; joined later, all before."""
    assert told((1, 1), (2, 4), (5, 5)) == ([(1, 0, 0)], {"packets": 3, "missing_units": 0, "restarts": 0})
    assert told((7, 7), (8, 8))[0] == [(1, 6, 0)]


def test_a_hole_is_told_from_end_to_end() -> None:
    """And counted."""
    assert told((1, 1), (5, 5), (6, 6), (8, 8)) == (
        [(1, 0, 0), (2, 4, 0), (7, 7, 0)],
        {"packets": 4, "missing_units": 4, "restarts": 0},
    )


def test_a_sequence_below_the_next_begins_anew() -> None:
    """At 1 nothing is known to be missing."""
    assert told((9, 9), (1, 1), (2, 2))[0] == [(1, 8, 0), (1, 0, ANEW)]
    assert told((9, 9), (4, 4))[0] == [(1, 8, 0), (1, 3, ANEW)]


@given(st.lists(st.integers(1, 30), min_size=1, unique=True).map(sorted))
def test_what_comes_and_what_is_told_is_everything(numbers: list[int]) -> None:
    """No sequence is both, and none is neither."""
    lost = [
        one for first, last, _ in told(*((number, number) for number in numbers))[0] for one in range(first, last + 1)
    ]
    assert sorted(lost + numbers) == list(range(1, numbers[-1] + 1))
