"""The cursor on the ladder and the queue of orders at its level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import TICK, FixedSource, book, moment
from simbench_tui.level import next_level

from simbench.measure.snapshot import LevelView, OrderView, QueueView

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench_tui import BenchApp

BEST_BID, BEST_ASK = ("bid", 4102 * TICK), ("ask", 4104 * TICK)


class Queued(FixedSource):
    """Has a queue for the level that it is asked for."""

    orders = 40

    def snapshot(self, instrument_index: int | None, others: Any = (), level: Any = None) -> Any:
        """The moment with that queue."""
        found = super().snapshot(instrument_index, others, level)
        if level is None:
            return found
        first = tuple(OrderView(7_000_000 + k, 3 + k, 0) for k in range(min(self.orders, 32)))
        queue = QueueView(level[0], level[1], self.orders, first)
        return replace(found, book=replace(found.book, queue=queue))


async def shown(app: BenchApp, *keys: str, size: tuple[int, int] = (120, 40)) -> str:
    """The book's screen after these keys."""
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        app.sample()
        await pilot.press(*keys)
        app.sample()
        await pilot.pause()
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.screen.size))


@pytest.mark.parametrize(
    ("keys", "level"),
    [
        (["down"], BEST_BID),
        (["up"], BEST_ASK),
        (["down", "down"], ("bid", 4101 * TICK)),
        (["down", "up"], BEST_ASK),
        (["up", "up"], ("ask", 4105 * TICK)),
        (["down", "escape"], None),
        (["down", "n"], None),
    ],
)
async def test_arrow_keys_choose_a_level(
    make_app: Callable[..., BenchApp], keys: list[str], level: tuple[str, int] | None
) -> None:
    """The source is asked for its queue; another instrument has no level chosen."""
    source = FixedSource(moment())
    await shown(make_app(source=source), *keys)
    assert source.levels[-1] == level


async def test_the_queue_names_its_orders(make_app: Callable[..., BenchApp]) -> None:
    """With the size ahead of each, and how many more there are; the ladder marks it, behind an implied one."""
    text = await shown(make_app(source=Queued(moment())), "down")
    assert "queue  bid 1025.5" in text
    assert "40 orders · 8 more" in text
    row = next(line for line in text.splitlines() if "7000002" in line)
    assert row.split()[-4:] == ["3", "7000002", "5", "7"]
    assert any("B2 ▸" in line for line in text.splitlines())


@pytest.mark.parametrize(("orders", "words"), [(-1, "no single orders in this feed"), (0, "no order at this price")])
async def test_a_level_without_orders_says_why(make_app: Callable[..., BenchApp], orders: int, words: str) -> None:
    """A feed that names none, and a price that has none any more."""
    source = Queued(moment())
    source.orders = orders
    assert words in await shown(make_app(source=source), "down")


async def test_in_a_small_terminal_the_queue_takes_the_place_of_the_spread(make_app: Callable[..., BenchApp]) -> None:
    """While a level is chosen."""
    assert "7000000" in await shown(make_app(source=Queued(moment())), "down", size=(80, 24))
    assert "queue" not in await shown(make_app(source=Queued(moment())), "down", "escape", size=(80, 24))


@given(
    st.lists(st.integers(1, 20), unique=True), st.lists(st.integers(21, 40), unique=True), st.integers(1, 40),
    st.sampled_from(["bid", "ask"]), st.sampled_from([-1, 1]),
)  # fmt: skip
def test_the_cursor_moves_to_a_neighbour(bids: list[int], asks: list[int], price: int, side: str, by: int) -> None:
    """Whatever happened to the level it stood on: down to a lower price, up to a higher, else it stays."""
    view = replace(
        book(),
        bids=tuple(LevelView(each, 1, 1) for each in sorted(bids, reverse=True)),
        asks=tuple(LevelView(each, 1, 1) for each in sorted(asks)),
    )
    prices = [(each, "ask") for each in asks] + [(each, "bid") for each in bids]
    found = next_level(view, (side, price), by)
    if not prices:
        assert found is None
        return
    if (side == "bid") != (price <= 20):
        return  # a level of the other side's prices: only sides that do not cross are looked at here
    beyond = [each for each in prices if (each[0] < price if by > 0 else each[0] > price)]
    nearest = (max if by > 0 else min)(beyond) if beyond else (min if by > 0 else max)(prices)
    assert found == (nearest[1], nearest[0])
