"""What is drawn: by a recipe that anybody can follow, the same one by one and all at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simbench.faults.draw import draw, draws, happens

WORDS = st.integers(0, (1 << 63) - 1)


@given(
    seed=WORDS,
    fault=st.integers(1, 1000),
    ordinals=st.lists(st.integers(0, (1 << 62) - 1), max_size=9),
    salt=st.integers(0, 99),
)
def test_all_at_once_is_one_by_one(seed: int, fault: int, ordinals: list[int], salt: int) -> None:
    """The arrays of numpy and the integers of Python agree on every bit."""
    many = draws(seed, fault, np.array(ordinals, np.int64), salt)
    assert many.tolist() == [draw(seed, fault, ordinal, salt) for ordinal in ordinals]


def test_every_argument_matters() -> None:
    """Seed, fault, ordinal and salt each change what is drawn."""
    drawn = {
        draw(seed, fault, ordinal, salt) for seed in (0, 1) for fault in (1, 2) for ordinal in (0, 1) for salt in (0, 1)
    }
    assert len(drawn) == 16


def test_chance_is_even() -> None:
    """Of 100,000 draws as many happen as should, within five standard deviations, at every eighth of the scale."""
    bits = draws(7, 3, np.arange(100_000), 0)
    for eighths in range(1, 8):
        share = eighths / 8
        deviation = (100_000 * share * (1 - share)) ** 0.5
        assert abs(int(np.count_nonzero(happens(bits, share))) - 100_000 * share) < 5 * deviation
    assert happens(bits, 1.0).all()
