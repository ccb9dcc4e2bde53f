"""A market as a child would keep it: dictionaries of orders and levels, and a note of everything that cannot be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from simbench.protocol.itch50_layout import read_message

if TYPE_CHECKING:
    from simbench.synth.packing import Messages


class Market:
    """Follows messages and counts what is wrong with them."""

    def __init__(self) -> None:
        self.orders: dict[int, list[Any]] = {}
        self.levels: dict[tuple[str, str], Counter[int]] = {}
        self.wrong: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.most = 0
        self._reference = 0

    def follow(self, block: Messages, midnight: int) -> None:
        """Take a block of messages in."""
        starts, due = block.starts.tolist(), block.due.tolist()
        for index, time in enumerate(due):
            raw = block.data[starts[index] : starts[index + 1]].tobytes()
            fields: dict[str, Any] = read_message(raw[2:])
            self.wrong["length"] += int.from_bytes(raw[:2], "big") != len(raw) - 2
            self.wrong["time"] += midnight + fields["timestamp"] != time
            self.types[fields["type"]] += 1
            self.message(fields)
            self.most = max(self.most, len(self.orders))

    def message(self, fields: dict[str, Any]) -> None:
        """Take one message in."""
        key = fields["type"]
        if key not in "AFECXDU":
            return
        if key in "AF":
            self.add(fields["reference"], [fields["stock"], fields["side"], fields["price"], fields["shares"]])
            return
        order = self.orders.get(fields["reference"])
        if order is None:
            self.wrong["unknown order"] += 1
            return
        if key in "DU":
            del self.orders[fields["reference"]]
            self.change(order, -order[3])
            if key == "U":
                self.add(fields["new_reference"], [*order[:2], fields["price"], fields["shares"]])
            return
        book = self.levels[order[0], order[1]]
        if key != "X" and order[2] != (max(book) if order[1] == "B" else min(book)):
            self.wrong["not at the touch"] += 1
        self.change(order, -fields["shares"])
        order[3] -= fields["shares"]
        self.wrong["shares"] += order[3] < 0 or fields["shares"] == 0 or (key == "X" and order[3] == 0)
        if order[3] == 0:
            del self.orders[fields["reference"]]

    def add(self, reference: int, order: list[Any]) -> None:
        """Add an order; ids only grow, and no side crosses the other."""
        self.wrong["id"] += reference <= self._reference
        self._reference = reference
        self.orders[reference] = order
        self.change(order, order[3])
        bids, asks = (self.levels.get((order[0], side)) for side in "BS")
        if bids and asks and max(bids) >= min(asks):
            self.wrong["crossed"] += 1

    def change(self, order: list[Any], shares: int) -> None:
        """Add to a level or take away from it."""
        level = self.levels.setdefault((order[0], order[1]), Counter())
        level[order[2]] += shares
        if level[order[2]] == 0:
            del level[order[2]]
