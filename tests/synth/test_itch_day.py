"""The ITCH day that never was: valid to the last message, complete, and the same for the same seed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from itch_market import Market as Naive

from simbench.errors import SimbenchError
from simbench.protocol.itch50_layout import TABLE
from simbench.synth.itch import MAX_INSTRUMENTS, Market, day, symbol
from simbench.synth.timeline import make_timeline

MIDNIGHT = 1_750_219_200_000_000_000


def follow(scenario: str, market: Market, messages: int) -> Naive:
    """Return the naive market after a day."""
    timeline = make_timeline(scenario, messages=messages)
    naive = Naive()
    for block in day(market, timeline, timeline.start_ns(MIDNIGHT), MIDNIGHT):
        naive.follow(block, MIDNIGHT)
    return naive


def digest(market: Market, messages: int = 20_000) -> str:
    """Return a hash of a day's bytes and times."""
    timeline = make_timeline("open", messages=messages)
    found = hashlib.blake2b()
    for block in day(market, timeline, timeline.start_ns(MIDNIGHT), MIDNIGHT):
        found.update(block.data[: block.starts[-1]])
        found.update(block.due)
    return found.hexdigest()


@pytest.mark.parametrize(
    ("scenario", "market", "messages"),
    [
        ("calm", Market(8, 600, seed=1), 30_000),
        ("open", Market(100, 5_000, seed=2), 30_000),
        ("announcement", Market(3, 200, seed=3), 30_000),
        ("announcement", Market(1, 10, seed=4), 5_000),
    ],
)
def test_everything_a_day_says_is_true(scenario: str, market: Market, messages: int) -> None:
    """No unknown order, no id twice, nothing executed that is not there or not at the touch, no crossed book."""
    naive = follow(scenario, market, messages)
    assert {what: count for what, count in naive.wrong.items() if count} == {}
    assert messages == naive.types.total()


def test_every_type_occurs() -> None:
    """A day of 5,000 messages has all types of the specification."""
    assert set(TABLE) == set(follow("calm", Market(5, 300), 5_000).types)


def test_the_books_hold_as_many_orders_as_asked() -> None:
    """Live orders climb to the target and never pass it."""
    naive = follow("calm", Market(10, 2_000), 30_000)
    assert naive.most == 2_000
    assert len(naive.orders) > 1_800


def test_the_mix_is_a_markets() -> None:
    """Adds and deletes dominate, replaces and executions follow, attributed adds are few."""
    types = follow("calm", Market(10, 500), 40_000).types
    assert types["A"] > types["D"] > types["U"] > types["E"] > types["X"] > types["F"] > types["C"] > 0


def test_a_shock_trades_more_and_one_way() -> None:
    """In the announcement's burst executions are a larger part than in a calm market."""
    calm = follow("calm", Market(10, 500), 30_000).types
    shock = follow("announcement", Market(10, 500), 30_000).types
    assert shock["E"] / shock.total() > 1.5 * calm["E"] / calm.total()


def test_the_seed_decides_every_byte() -> None:
    """Same seed, same bytes and times; another seed or market, others."""
    assert digest(Market(10, 100, seed=7)) == digest(Market(10, 100, seed=7))
    others = {digest(Market(10, 100, seed=8)), digest(Market(11, 100, seed=7)), digest(Market(10, 101, seed=7))}
    assert len({digest(Market(10, 100, seed=7)), *others}) == 4


def test_stocks_have_names_of_their_own() -> None:
    """A to Z, then two letters, and so on; none twice, none longer than a stock may be."""
    names = [symbol(index) for index in range(MAX_INSTRUMENTS)]
    assert [names[index] for index in (0, 25, 26, 27)] == ["A", "Z", "AA", "AB"]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 8


@pytest.mark.parametrize(("instruments", "live"), [(0, 1), (MAX_INSTRUMENTS + 1, 1), (1, 0), (1, 1 << 40)])
def test_a_market_of_impossible_size_is_refused(instruments: int, live: int) -> None:
    """Memory is bounded by what is asked, so what is asked is bounded."""
    with pytest.raises(SimbenchError, match="must be 1 to"):
        Market(instruments, live)


def test_too_few_messages_for_the_opening_are_refused() -> None:
    """A day of ten messages cannot even name a hundred stocks."""
    with pytest.raises(SimbenchError, match="ask for more"):
        follow("calm", Market(100, 10), 10)
