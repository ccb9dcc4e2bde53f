"""Events for the tests of books, and the engine and the reference book side by side."""

from dataclasses import replace
from typing import Any

import numpy as np

from simbench import event
from simbench.book.books import Books
from simbench.book.layout import AWAITED, AWAITED_BY_PACKET, DRAINING, REFRESHES, REQUIRED, WAIT_ROOM, BookChannel
from simbench.book.reference import ReferenceBooks
from simbench.book.waiting import gather

ORDER = BookChannel("orders", -4, 0, text_key=True, kind="order")
PRICE = BookChannel("prices", -2, -3, kind="price")
LEVEL = BookChannel("levels", -7, 0, kind="level", depth=4, implied_depth=2)
PRICE_BY_SNAPSHOT = replace(PRICE, snapshots=REQUIRED)
LEVEL_BY_SNAPSHOT = replace(LEVEL, snapshots=REQUIRED)
LEVEL_WAITING = replace(LEVEL, snapshots=AWAITED)
LEVEL_REFRESHED = replace(LEVEL, snapshots=REFRESHES)
ORDER_WAITING = replace(ORDER, snapshots=AWAITED_BY_PACKET)
LONGEST = 1000  # turns in which whatever waits for a snapshot is in the books
AB = int.from_bytes(b"AB".ljust(8, b"\0"), "big")
SYMBOL = 0x5359_4D42_4F4C_2031
LARGEST = (1 << 63) - 1
CD = int.from_bytes(b"CD".ljust(8, b"\0"), "big")


def events(*rows: dict[str, Any]) -> np.ndarray:
    """Return EVENT records; fields that a row leaves out are 0, orders -1, and every event ends its exchange event."""
    array = np.zeros(len(rows), event.EVENT)
    array["orders"] = -1
    array["flags"] = event.END
    for record, row in zip(array, rows, strict=True):
        for name, value in row.items():
            record[name] = value
    return array


def add(order: int, side: int, price: int, quantity: int, instrument: int = AB, **more: Any) -> dict[str, Any]:
    """Return a new order."""
    return {
        "kind": event.ADD,
        "order": order,
        "side": side,
        "price": price,
        "quantity": quantity,
        "instrument": instrument,
        **more,
    }


def on(kind: int, order: int, **more: Any) -> dict[str, Any]:
    """Return an event of an order that is in the book."""
    return {"kind": kind, "order": order, **more}


def level(kind: int, number: int, price: int, quantity: int = 1, side: int = event.BID, **more: Any) -> dict[str, Any]:
    """Return an event of a level by number, of instrument 7."""
    return {
        "kind": kind,
        "level": number,
        "price": price,
        "quantity": quantity,
        "side": side,
        "instrument": 7,
        **more,
    }


def drain(books: Books, channel: int = 0) -> None:
    """Let what has waited go into the books that a snapshot has filled, as a receiver does behind every snapshot."""
    for _ in range(LONGEST):
        if books.memory[DRAINING] == 0:
            return
        waited = np.zeros(16, event.EVENT)
        count = max(gather(books.memory, waited, len(waited)), 0)
        books.apply(channel, waited[:count])
    raise AssertionError("what waits goes round and round")


class Pair:
    """The engine and the reference book, fed alike.

    Args:
        channels: of both.
        room: instruments, orders and levels that the engine has room for at first.
    """

    def __init__(self, *channels: BookChannel, room: int = 8) -> None:
        self.engine = Books.create(channels, instruments=room, orders=room, levels=room)
        self.reference = ReferenceBooks(channels, waiting=int(self.engine.memory[WAIT_ROOM]) - 1)

    def apply(self, array: np.ndarray, channel: int = 0) -> None:
        """Apply events to both and check the engine's invariants."""
        self.engine.apply(channel, array)
        drain(self.engine, channel)
        self.engine.check()
        self.reference.apply_all(channel, array)

    def agree(self) -> None:
        """Assert that both say the same of everything."""
        assert self.reference.to_json(orders=True, since=True) == self.engine.to_json(orders=True, since=True)
        assert self.reference.anomalies() == self.engine.anomalies()
        for (channel, key), book in self.reference.books.items():
            index = self.engine.find(channel, key)
            for side in range(4):
                best_first = sorted(book.prices[side], reverse=side in {event.BID, event.IMPLIED_BID})
                queued = [order.priority for price in best_first for order in book.prices[side][price].queue]
                assert queued == self.engine.orders(index, side)["priority"].tolist()
        for number in range(len(self.engine.channels)):
            assert self.reference.digest(number) == self.engine.digest(number)
            assert self.reference.digest_orders(number) == self.engine.digest_orders(number)
            assert self.reference.snapshots(number) == self.engine.snapshots(number)
