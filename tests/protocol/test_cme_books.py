"""From CME packets to books: the recorded channel against its independent books, a generated one against a child's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cme_reference import payloads

from simbench.book.books import Books
from simbench.book.layout import BookChannel
from simbench.event import EVENT
from simbench.protocol.cme_mdp3 import PROTOCOL, PROTOCOL_ORDERS
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SEQUENCE, Options, new_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simbench.protocol.contract import Protocol

LINE_A = 14340
NO_NUMBER = 2**31 - 1


def books_of(protocol: Protocol, packets: Iterable[bytes]) -> Books:
    """Build the books of a channel, and check every invariant."""
    channel = BookChannel(
        name="x",
        price_exponent=protocol.price_exponent,
        kind=protocol.book,
        depth=protocol.depth,
        implied_depth=protocol.implied_depth,
    )
    books = Books.create([channel])
    state, header, events = new_state(protocol, Options()), np.zeros(1, HEADER), np.zeros(EVENT_BUFFER, EVENT)
    for packet in packets:
        data = np.frombuffer(packet, np.uint8).copy()
        assert protocol.frame(data, 0, len(data), state, header) == 0
        state[SEQUENCE] = header[0]["first"]
        count = protocol.decode(data, int(header[0]["start"]), int(header[0]["end"]), 0, state, events)
        assert count >= 0
        books.apply(0, events[:count])
    books.check()
    return books


def sides_of(books: Books, key: int) -> list[list[list[int] | None]]:
    """Return the four sides of a book: price, quantity and orders of each level, None where it is not known."""
    index = books.find(0, key)
    return [
        [[int(row[name]) for name in ("price", "quantity", "orders")] if row["known"] else None for row in rows]
        for rows in (books.levels(index, side) for side in range(4))
    ]


def test_the_books_of_a_recorded_channel_are_the_independent_ones(real_captures: Path) -> None:
    """All levels of all instruments are equal, levels never sent are unknown, and nothing is out of order."""
    folder = real_captures / "cme-mdp3-340"
    wanted = json.loads((folder / "independent.json").read_text())["books"]
    line = sorted(payloads(folder / "capture.pcap", LINE_A), key=lambda payload: int.from_bytes(payload[:4], "little"))
    books = books_of(PROTOCOL, line)
    levels = 0
    for key, sides in wanted.items():
        for entry_type, found in zip("01EF", sides_of(books, int(key)), strict=True):
            rows = sides.get(entry_type, [])
            expected = [row and [row[0] * 100, row[1], -1 if row[2] == NO_NUMBER else row[2]] for row in rows]
            while expected and expected[-1] is None:
                expected.pop()
            assert expected == found
            levels += len(found)
    assert levels == 1303
    assert set(books.anomalies().values()) == {0}


@pytest.mark.parametrize("scenario", ["calm", "open", "announcement"])
def test_a_generated_channel_builds_the_books_it_was_made_from(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By level and order by order: levels, queues in order, and no anomaly; one changed quantity changes the digest."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "synth"))
    from mdp3_market import Market
    from test_mdp3_channel import payloads as generated
    from test_mdp3_channel import request

    packets = [payload for _, payload in generated(request(scenario, 8_000))]
    market = Market()
    for payload in packets:
        market.follow(payload)
    by_level, by_order = books_of(PROTOCOL, packets), books_of(PROTOCOL_ORDERS, packets)
    for (key, side), rows in market.levels.items():
        assert [[row[0], row[1], row[2] or -1] for row in rows] == sides_of(by_level, key)[side]
    queues = 0
    for key, orders in market.orders.items():
        index = by_order.find(0, key)
        for side, price in {(row[0], row[1]) for row in orders.values()}:
            queue = sorted((row[3], number, row[2]) for number, row in orders.items() if row[:2] == [side, price])
            found = by_order.queue(index, side, price)
            assert [row[1:] for row in queue] == [(int(row["order"]), int(row["quantity"])) for row in found]
            queues += 1
    assert queues > 100
    assert set(by_level.anomalies().values()) == set(by_order.anomalies().values()) == {0}
    last = next(index for index in reversed(range(len(packets))) if packets[index][16] in (32, 46))
    changed = bytearray(packets[last])
    changed[12 + 10 + 11 + 3 + 8] ^= 1
    assert by_level.digest(0) != books_of(PROTOCOL, [*packets[:last], bytes(changed), *packets[last + 1 :]]).digest(0)
    for name in ("mdp3_market", "test_mdp3_channel"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("scenario", ["calm", "open"])
def test_generated_snapshots_make_the_books_that_the_lines_make(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded into empty books, a loop gives levels, or orders and queues, of the packet that it names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "synth"))
    from test_mdp3_channel import everything, loops, number_of, request

    found = everything(request(scenario))
    lines = [payload for _, payload in found[None]]
    for feed, protocol in enumerate((PROTOCOL, PROTOCOL_ORDERS)):
        whole = loops(found[feed])[:-1]
        for loop in (whole[0], whole[-1]):
            recovered, built = books_of(protocol, loop), books_of(protocol, lines[: number_of(loop[0])])
            keys = built.instruments["key"].tolist()
            assert sorted(recovered.instruments["key"].tolist()) == sorted(keys)
            assert any(len(built.levels(index, 0)) > 1 for index in range(len(keys)))
            for key in keys:
                ours, theirs = recovered.find(0, key), built.find(0, key)
                assert sides_of(recovered, key) == sides_of(built, key)
                assert all((recovered.orders(ours, s) == built.orders(theirs, s)).all() for s in range(2))
                if feed == 0:
                    assert built.instruments["sequence"][theirs] == recovered.instruments["sequence"][ours]
                    assert built.instruments["status"][theirs] == recovered.instruments["status"][ours]
            assert (built.digest(0), built.digest_orders(0)) == (recovered.digest(0), recovered.digest_orders(0))
            assert set(recovered.anomalies().values()) == {0}
            changed = bytearray(loop[-1])
            changed[12 + 10 + (59, 28)[feed] + 3 + (8, 24)[feed]] ^= 1
            assert built.digest(0) != books_of(protocol, [*loop[:-1], bytes(changed)]).digest(0)
    for name in ("mdp3_market", "test_mdp3_channel"):
        sys.modules.pop(name, None)
