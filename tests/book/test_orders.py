"""Books order by order: what each kind of event does to orders, queues and levels."""

from typing import Any

import pytest
from book_events import AB, CD, ORDER, PRICE, Pair, add, events, on

from simbench import event
from simbench.event import ASK, BID

LARGEST = (1 << 63) - 1


@pytest.fixture
def pair() -> Pair:
    """Return an empty book order by order and its reference."""
    return Pair(ORDER)


def queue(pair: Pair, side: int, price: int, key: str = "AB") -> list[tuple[int, int]]:
    """Return (order, quantity) of a level of the engine, after both agreed on everything."""
    pair.agree()
    rows = pair.engine.queue(pair.engine.find(0, key), side, price)
    return [(int(row["order"]), int(row["quantity"])) for row in rows]


def best(pair: Pair, side: int, key: str = "AB") -> list[tuple[int, int, int]]:
    """Return (price, quantity, orders) of the levels of a side, best first."""
    rows = pair.engine.levels(pair.engine.find(0, key), side)
    return [(int(row["price"]), int(row["quantity"]), int(row["orders"])) for row in rows]


def test_orders_queue_in_the_order_in_which_they_come(pair: Pair) -> None:
    """An order without a priority stands behind the others of its price."""
    pair.apply(events(add(1, BID, 100, 5), add(2, BID, 100, 7), add(3, BID, 99, 1)))
    assert queue(pair, BID, 100) == [(1, 5), (2, 7)]
    assert best(pair, BID) == [(100, 12, 2), (99, 1, 1)]


def test_the_orders_of_a_side_are_its_queues_from_the_best_price_on(pair: Pair) -> None:
    """Each with its price and priority; a side without orders has none."""
    pair.apply(events(*(add(n, BID, 100 + n * 7 % 5, n, priority=50 - n) for n in range(1, 12))))
    rows = pair.engine.orders(pair.engine.find(0, "AB"), BID).tolist()
    prices = range(104, 99, -1)
    assert rows == [(p, n, n, 50 - n) for p in prices for n in range(11, 0, -1) if 100 + n * 7 % 5 == p]
    assert [row[1:3] for row in rows if row[0] == 102] == queue(pair, BID, 102)
    assert len(pair.engine.orders(pair.engine.find(0, "AB"), ASK)) == 0


def test_bids_are_best_at_the_highest_price_and_asks_at_the_lowest(pair: Pair) -> None:
    """Both sides list their levels from the touch."""
    pair.apply(events(*(add(n, n % 2, 100 + n * 7 % 11 + n % 2 * 100, 1) for n in range(1, 12))))
    pair.agree()
    assert [price for price, _, _ in best(pair, BID)] == sorted((p for p, _, _ in best(pair, BID)), reverse=True)
    assert [price for price, _, _ in best(pair, ASK)] == sorted(p for p, _, _ in best(pair, ASK))


def test_a_priority_decides_the_place_in_the_queue(pair: Pair) -> None:
    """The lower the priority the further in front; equal ones keep the order in which they came; 0 is the end."""
    pair.apply(
        events(
            add(1, BID, 100, 1, priority=20),
            add(2, BID, 100, 2, priority=10),
            add(3, BID, 100, 3, priority=20),
            add(4, BID, 100, 4),
            add(5, BID, 100, 5, priority=(1 << 64) - 1),
        )
    )
    assert queue(pair, BID, 100) == [(2, 2), (1, 1), (3, 3), (4, 4), (5, 5)]


@pytest.mark.parametrize("kind", [event.EXECUTE, event.EXECUTE_AT, event.REDUCE])
def test_what_is_taken_leaves_the_rest_in_its_place(pair: Pair, kind: int) -> None:
    """A partial execution or reduction takes quantity from order and level and keeps the place."""
    pair.apply(events(add(1, ASK, 100, 5), add(2, ASK, 100, 7), on(kind, 1, quantity=2, price=90)))
    assert queue(pair, ASK, 100) == [(1, 3), (2, 7)]
    assert best(pair, ASK) == [(100, 10, 2)]


@pytest.mark.parametrize("kind", [event.EXECUTE, event.EXECUTE_AT, event.REDUCE, event.DELETE])
def test_the_last_of_an_order_takes_its_level_along(pair: Pair, kind: int) -> None:
    """A level without orders is gone."""
    pair.apply(events(add(1, ASK, 100, 5), add(2, ASK, 101, 7), on(kind, 1, quantity=5)))
    pair.agree()
    assert best(pair, ASK) == [(101, 7, 1)]


def test_more_taken_than_there_is_ends_at_nothing_and_is_counted(pair: Pair) -> None:
    """Over-execution clamps at zero."""
    pair.apply(events(add(1, BID, 100, 5), add(2, BID, 100, 1), on(event.EXECUTE, 1, quantity=6, time=77)))
    assert queue(pair, BID, 100) == [(2, 1)]
    assert pair.engine.anomalies()["over_executed"] == 1
    assert pair.engine.anomaly_times(0) == {"over_executed": (77, 77)}


def test_a_replacement_inherits_side_and_instrument_and_goes_to_the_end(pair: Pair) -> None:
    """Only the book knows what the old order was."""
    pair.apply(
        events(
            add(1, ASK, 100, 5, CD),
            add(2, ASK, 101, 6, CD),
            on(event.REPLACE, 1, other=3, price=101, quantity=9, side=BID, instrument=AB),
        )
    )
    assert queue(pair, ASK, 101, "CD") == [(2, 6), (3, 9)]
    assert pair.engine.find(0, "AB") == -1


def test_a_replacement_may_keep_the_id(pair: Pair) -> None:
    """Replacing an order by itself is no duplicate."""
    pair.apply(events(add(1, BID, 100, 5), on(event.REPLACE, 1, other=1, price=99, quantity=4)))
    assert queue(pair, BID, 99) == [(1, 4)]
    assert pair.engine.anomalies()["duplicate_order"] == 0


@pytest.mark.parametrize(
    ("price", "flags", "expected"),
    [
        (100, event.KEEP_PRIORITY, [(1, 3), (2, 7)]),
        (100, 0, [(2, 7), (1, 3)]),
        (101, event.KEEP_PRIORITY, [(2, 7)]),
    ],
)
def test_a_modified_order_loses_its_place_unless_it_keeps_priority(
    pair: Pair, price: int, flags: int, expected: list[tuple[int, int]]
) -> None:
    """The place is kept only at the same price and only with the flag."""
    pair.apply(events(add(1, BID, 100, 5), add(2, BID, 100, 7)))
    pair.apply(events(on(event.MODIFY, 1, price=price, quantity=3, flags=flags | event.END)))
    assert queue(pair, BID, 100) == expected


def test_a_modification_to_nothing_ends_the_order(pair: Pair) -> None:
    """Quantity 0 now is no order now."""
    pair.apply(events(add(1, BID, 100, 5), on(event.MODIFY, 1, price=100, quantity=0)))
    pair.agree()
    assert best(pair, BID) == []


def test_an_unknown_order_that_is_modified_is_counted_and_added_when_it_is_told_whole(pair: Pair) -> None:
    """What joined mid-stream is worth keeping once instrument, side, price and quantity are known."""
    pair.apply(
        events(on(event.MODIFY, 1, price=100, quantity=5), on(event.MODIFY, 2, price=100, quantity=6, instrument=AB))
    )
    assert queue(pair, BID, 100) == [(2, 6)]
    assert pair.engine.anomalies()["unknown_order"] == 2


@pytest.mark.parametrize(
    ("row", "anomaly"),
    [
        (on(event.EXECUTE, 9, quantity=1), "unknown_order"),
        (on(event.DELETE, 9), "unknown_order"),
        (on(event.REPLACE, 9, other=10, quantity=1), "unknown_order"),
        (add(9, BID, 1, 0), "bad_quantity"),
        (add(9, BID, 1, -1), "bad_quantity"),
        (on(event.EXECUTE, 1, quantity=0), "bad_quantity"),
        (on(event.REDUCE, 1, quantity=-5), "bad_quantity"),
        (add(9, 4, 1, 1), "bad_side"),
        (add(9, BID, 1, 1, 0), "unknown_instrument"),
        (add(9, BID, 100, LARGEST), "overflow"),
        ({"kind": event.LEVEL, "instrument": AB, "quantity": 1}, "foreign_event"),
        ({"kind": event.LEVEL_NEW, "instrument": AB, "level": 1}, "foreign_event"),
        ({"kind": 0}, "foreign_event"),
        ({"kind": 255}, "foreign_event"),
    ],
)
def test_what_makes_no_sense_is_counted_and_changes_nothing(pair: Pair, row: dict[str, Any], anomaly: str) -> None:
    """No event is refused by an exception, and the book is as before."""
    pair.apply(events(add(1, BID, 100, 5)))
    before = pair.engine.digest_orders(0)
    pair.apply(events(row))
    pair.agree()
    assert {name: n for name, n in pair.engine.anomalies().items() if n} == {anomaly: 1}
    assert pair.engine.digest_orders(0) == before


def test_a_new_order_under_a_living_id_replaces_it(pair: Pair) -> None:
    """The exchange's newest word is believed, also where the old order was another instrument's."""
    pair.apply(events(add(1, BID, 100, 5), add(1, ASK, 50, 6, CD)))
    assert queue(pair, ASK, 50, "CD") == [(1, 6)]
    assert best(pair, BID, "AB") == []
    assert pair.engine.anomalies()["duplicate_order"] == 1


def test_a_crossed_book_is_counted_when_the_exchange_event_is_over(pair: Pair) -> None:
    """Crossed in between is nobody's business, locked is legal, and staying crossed is one anomaly."""
    pair.apply(events(add(1, BID, 100, 5), add(2, ASK, 99, 1, flags=0), on(event.DELETE, 2)))
    assert pair.engine.anomalies()["crossed"] == 0
    pair.apply(events(add(3, ASK, 100, 1)))
    assert pair.engine.anomalies()["crossed"] == 0
    pair.apply(events(add(4, ASK, 99, 1), add(5, ASK, 98, 1)))
    assert pair.engine.anomalies()["crossed"] == 1
    pair.apply(events(on(event.DELETE, 1), add(6, BID, 98, 1), add(7, BID, 99, 1)))
    pair.agree()
    assert pair.engine.anomalies()["crossed"] == 2


def test_implied_orders_cross_nothing(pair: Pair) -> None:
    """Only the explicit sides are judged."""
    pair.apply(events(add(1, event.IMPLIED_BID, 100, 5), add(2, event.IMPLIED_ASK, 90, 5), add(3, ASK, 95, 1)))
    pair.agree()
    assert pair.engine.anomalies()["crossed"] == 0


def test_executions_make_the_last_trade_and_the_volume(pair: Pair) -> None:
    """At the order's price or their own; what is not printable does not count."""
    pair.apply(
        events(
            add(1, BID, 100, 50),
            on(event.EXECUTE, 1, quantity=2, time=5),
            on(event.EXECUTE_AT, 1, quantity=3, price=99, time=6),
            on(event.EXECUTE_AT, 1, quantity=4, price=98, time=7, flags=event.END | event.NOT_PRINTABLE),
            {"kind": event.TRADE, "instrument": AB, "price": 97, "quantity": LARGEST, "time": 8},
        )
    )
    instrument = pair.engine.instruments[0]
    assert (instrument["volume"], instrument["trades"]) == (LARGEST, 3)
    assert (instrument["last_price"], instrument["last_quantity"], instrument["last_time"]) == (97, LARGEST, 8)


def test_a_clear_empties_one_instrument_and_a_reset_all_of_the_channel() -> None:
    """Definitions stay, other channels do too, and the ids are free again."""
    pair = Pair(ORDER, ORDER)
    rows = [add(1, BID, 100, 5), add(2, ASK, 101, 5), add(3, BID, 100, 5, CD)]
    pair.apply(events(*rows))
    pair.apply(events(*rows), 1)
    pair.apply(events({"kind": event.CLEAR, "instrument": AB}))
    pair.agree()
    assert [len(best(pair, BID)), len(best(pair, ASK)), len(best(pair, BID, "CD"))] == [0, 0, 1]
    pair.apply(events({"kind": event.RESET}))
    pair.agree()
    assert best(pair, BID, "CD") == []
    assert len(pair.engine.levels(pair.engine.find(1, "CD"), BID)) == 1
    pair.apply(events(*rows))
    assert pair.engine.anomalies()["duplicate_order"] == 0


def test_instrument_sequences_make_holes_and_snapshots_mend_them(pair: Pair) -> None:
    """A hole makes the book stale until a snapshot; a reset begins again at 1."""
    pair.apply(events(add(1, BID, 100, 5, instrument_sequence=7), add(2, BID, 100, 5, instrument_sequence=10)))
    pair.agree()
    assert tuple(pair.engine.instruments[0][["state", "holes", "sequence"]]) == (1, 2, 10)
    pair.apply(events({"kind": event.SNAPSHOT, "instrument": AB, "instrument_sequence": 20}))
    pair.agree()
    assert tuple(pair.engine.instruments[0][["state", "holes", "sequence"]]) == (0, 2, 20)
    pair.apply(events({"kind": event.RESET}, add(1, BID, 100, 5, instrument_sequence=2)))
    pair.agree()
    assert tuple(pair.engine.instruments[0][["state", "holes", "sequence"]]) == (1, 3, 2)


def test_the_same_id_in_two_channels_is_two_orders() -> None:
    """Ids belong to their channel."""
    pair = Pair(ORDER, ORDER)
    pair.apply(events(add(1, BID, 100, 5)))
    pair.apply(events(add(1, BID, 99, 6)), 1)
    pair.apply(events(on(event.DELETE, 1)))
    pair.agree()
    assert [len(pair.engine.levels(index, BID)) for index in range(2)] == [0, 1]


def test_levels_by_price_are_set_and_removed() -> None:
    """Quantity 0 removes; a negative one too, and is counted; orders may be unknown."""
    pair = Pair(PRICE)
    row = {"kind": event.LEVEL, "instrument": 5, "side": ASK}
    pair.apply(
        events(
            {**row, "price": 101, "quantity": 5, "orders": 2},
            {**row, "price": 100, "quantity": 6},
            {**row, "price": 101, "quantity": 7},
            {**row, "price": 102, "quantity": 7},
            {**row, "price": 102, "quantity": -7},
            {**row, "price": 103, "quantity": 0},
            add(1, BID, 100, 5, 5),
        )
    )
    pair.agree()
    rows = pair.engine.levels(pair.engine.find(0, 5), ASK)
    assert rows.tolist() == [(100, 6, -1, 1), (101, 7, -1, 1)]
    counted = {name: n for name, n in pair.engine.anomalies().items() if n}
    assert counted == {"bad_quantity": 1, "unknown_level": 1, "foreign_event": 1}
