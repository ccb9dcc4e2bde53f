"""The engine against the reference book on whatever events there are: few ids, prices and instruments, all kinds."""

from typing import Any

import numpy as np
from book_events import LEVEL, LEVEL_BY_SNAPSHOT, ORDER, PRICE, PRICE_BY_SNAPSHOT, Pair, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbench import event
from simbench.book.layout import NODE_COUNT

LARGEST = (1 << 63) - 1
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SYMBOL = 0x5359_4D42_4F4C_2031
DEFINITION = st.sampled_from([0, 1 << 16 | 0xFE | 0x01 << 8, 3 << 24, 9 << 24 | 1 << 16])


def row(kinds: list[int], keys: list[int]) -> st.SearchStrategy[dict[str, Any]]:
    """Return events of some kinds whose fields collide often and are extreme sometimes."""
    ids = st.integers(0, 9)
    fields = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(kinds),
            "order": ids,
            "other": ids,
            "instrument": st.sampled_from(keys),
            "side": st.sampled_from([0, 1, 0, 1, 0, 1, 2, 3, 9]),
            "price": st.one_of(st.integers(-3, 3), st.sampled_from([LARGEST, -LARGEST - 1])),
            "quantity": st.one_of(st.integers(-1, 5), st.sampled_from([LARGEST, LARGEST - 3])),
            "priority": st.sampled_from([0, 0, 1, 2, (1 << 64) - 1]),
            "level": st.integers(-1, 6),
            "orders": st.integers(-2, 3),
            "flags": st.integers(0, 15),
            "instrument_sequence": st.sampled_from([0, 0, 1, 2, 3, 4]),
        }
    )
    return fields.flatmap(lambda fields: _defined(fields) if fields["kind"] == event.DEFINE else st.just(fields))


def _defined(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return DEFINITION.map(lambda said: {**fields, "quantity": said, "order": SYMBOL, "other": 0, "priority": 0})


ORDERS = [event.ADD] * 8 + [*range(event.ADD, event.MODIFY + 1)] * 2
WHOLE = [event.CLEAR, event.RESET, event.SNAPSHOT, event.DEFINE, event.TRADE, event.STATUS, event.NOTE, 0, 99]
NUMBERED = [event.LEVEL_NEW] * 4 + [*range(event.LEVEL_NEW, event.LEVEL_OVERLAY + 1)] * 2
TEXT = [0, 1 << 56, 65 << 56, 65 << 56 | 66 << 48]
NUMBERS = [0, 1, 2, (1 << 64) - 1]


@FEW
@given(st.lists(row([*ORDERS, *WHOLE, event.LEVEL], TEXT), max_size=60))
def test_order_by_order_as_the_reference(rows: list[dict[str, Any]]) -> None:
    """After every event all invariants hold; books, queues, digests and anomalies are those of the reference."""
    compare(Pair(ORDER), rows)


@FEW
@given(st.lists(row([event.LEVEL] * 12 + [*WHOLE, event.ADD], NUMBERS), max_size=60))
def test_by_price_as_the_reference(rows: list[dict[str, Any]]) -> None:
    """Likewise where levels go by price."""
    compare(Pair(PRICE), rows)


@FEW
@given(st.lists(row([*NUMBERED, *NUMBERED, *WHOLE, event.ADD, event.DELETE], NUMBERS), max_size=60))
def test_by_number_as_the_reference(rows: list[dict[str, Any]]) -> None:
    """Likewise where levels go by number, with or without the orders beside them."""
    compare(Pair(LEVEL), rows)


SYNCED = [event.SNAPSHOT] * 6 + [event.CLEAR, event.RESET, event.DEFINE, event.TRADE, event.NOTE, 0]


def changes(kinds: list[int]) -> st.SearchStrategy[dict[str, Any]]:
    """Return events of two instruments with few ids, places, prices and times, in snapshots and outside."""
    fields = st.fixed_dictionaries(
        {
            "kind": st.sampled_from([*kinds, *SYNCED]),
            "instrument": st.sampled_from([1, 1, 1, 2]),
            "flags": st.sampled_from([0, event.END]).flatmap(
                lambda end: st.sampled_from([0, event.CHAINED, event.FROM_SNAPSHOT, 31]).map(lambda more: end | more)
            ),
            "order": st.integers(0, 4),
            "other": st.integers(0, 4),
            "instrument_sequence": st.integers(0, 4),
            "side": st.sampled_from([0, 0, 1, 9]),
            "price": st.integers(1, 2),
            "quantity": st.integers(-1, 2),
            "orders": st.sampled_from([-1, -1, -1, 1]),
            "level": st.integers(1, 3),
            "time": st.integers(0, 3),
        }
    )
    return fields.flatmap(lambda fields: _defined(fields) if fields["kind"] == event.DEFINE else st.just(fields))


@FEW
@given(st.lists(changes([event.LEVEL] * 12), max_size=80))
def test_by_price_and_snapshot_as_the_reference(rows: list[dict[str, Any]]) -> None:
    """Likewise where books by price are known from snapshots: what is taken, compared, left out, and the states."""
    compare(Pair(PRICE_BY_SNAPSHOT), rows)


@FEW
@given(st.lists(changes([*NUMBERED, event.LEVEL_OVERLAY]), max_size=80))
def test_by_number_and_snapshot_as_the_reference(rows: list[dict[str, Any]]) -> None:
    """Likewise by number."""
    compare(Pair(LEVEL_BY_SNAPSHOT), rows)


def compare(pair: Pair, rows: list[dict[str, Any]]) -> None:
    """Apply events one at a time to the reference and in one batch to another engine as well: all three agree."""
    for one in rows:
        pair.apply(events(one))
    pair.agree()
    batch = Pair(*pair.engine.channels)
    batch.engine.apply(0, events(*rows))
    assert pair.engine.digest_orders(0) == batch.engine.digest_orders(0)
    assert pair.engine.anomalies() == batch.engine.anomalies()


@settings(FEW, max_examples=6)
@given(st.lists(st.tuples(st.integers(0, 299), st.booleans()), max_size=300), st.integers(0, 1 << 32))
def test_levels_come_and_go_in_any_order(moves: list[tuple[int, bool]], seed: int) -> None:
    """Trees of several levels split, lose nodes and shrink without breaking an invariant."""
    rng = np.random.default_rng(seed)
    pair = Pair(PRICE)
    filled = [(int(price), 1) for price in rng.permutation(300)]
    emptied = [(int(price), 0) for price in rng.permutation(300)]
    quantities = [*filled, *((price, int(there)) for price, there in moves), *emptied]
    rows = [{"kind": event.LEVEL, "instrument": 1, "price": p, "quantity": q} for p, q in quantities]
    for start in range(0, len(rows), 100):
        pair.apply(events(*rows[start : start + 100]))
        pair.agree()
    assert pair.engine.to_json()[0]["bids"] == []
    assert pair.engine.memory[NODE_COUNT] == 0
