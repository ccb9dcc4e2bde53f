"""A CME market as a child would keep it: lists of levels and dictionaries of orders, and a note of what cannot be."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simbench.protocol.cme_layout import shipped
from simbench.protocol.sbe_codec import decode_generic

SIDES = {"0": 0, "1": 1, "E": 2, "F": 3}


class Market:
    """Follows packets and counts what is wrong with them."""

    def __init__(self) -> None:
        self.levels: dict[tuple[int, int], list[list[int]]] = {}
        self.orders: dict[int, dict[int, list[int]]] = {}  # by instrument: order -> side, price, quantity, priority
        self.reports: Counter[int] = Counter()
        self.wrong: Counter[str] = Counter()
        self.templates: Counter[int] = Counter()
        self.actions: Counter[int] = Counter()
        self.messages = 0
        self.sequence = 0
        self.resets = 0
        self._time = 0
        self._touched: set[int] = set()

    def follow(self, payload: bytes) -> None:
        """Take a packet in."""
        sequence, sent = int.from_bytes(payload[:4], "little"), int.from_bytes(payload[4:12], "little")
        self.wrong["sequence"] += sequence != self.sequence + 1
        self.sequence = sequence
        at = 12
        while at < len(payload):
            size = int.from_bytes(payload[at : at + 2], "little")
            fields = decode_generic(shipped(), payload[at + 2 : at + size])
            self.message(fields, sent)
            at += size
        self.wrong["size"] += at != len(payload)

    def message(self, fields: dict[str, Any], sent: int) -> None:
        """Take one message in; judge the books where an event ends."""
        number = fields["header"]["templateId"]
        self.templates[number] += 1
        if number == 12:
            return
        self.messages += 1
        time = fields.get("TransactTime") or fields.get("LastUpdateTime")
        if time is not None:
            self.wrong["time"] += not self._time <= time <= sent
            self._time = time
        if number == 4:
            self.reset()
        for entry in fields.get("NoMDEntries", []):
            if entry.get("RptSeq") is not None:
                self.reports[entry["SecurityID"]] += 1
                self.wrong["report"] += entry["RptSeq"] != self.reports[entry["SecurityID"]]
        if number in (32, 46):
            self.book(fields, 100 if number == 32 else 1)
        elif number in (43, 47):
            for entry in fields["NoMDEntries"]:
                price = entry["MDEntryPx"] * (100 if number == 43 else 1)
                self.order(entry, entry["MDUpdateAction"], entry["SecurityID"], SIDES[entry["MDEntryType"]], price)
        elif number in (42, 48):
            self.trade(fields, 100 if number == 42 else 1)
        if (fields.get("MatchEventIndicator") or 0) & 0x80:
            for instrument in self._touched:
                self.judge(instrument)
            self._touched.clear()

    def reset(self) -> None:
        """Empty everything."""
        self.levels.clear()
        self.orders.clear()
        self.reports.clear()
        self.resets += 1

    def book(self, fields: dict[str, Any], scale: int) -> None:
        """Take a book refresh in: levels, then the orders that go with the first of them."""
        entries = fields["NoMDEntries"]
        for entry in entries:
            self.level(entry, scale)
        for order in fields["NoOrderIDEntries"]:
            entry = entries[order["ReferenceID"] - 1]
            side, price = SIDES[entry["MDEntryType"]], entry["MDEntryPx"] * scale
            many = entry["MDUpdateAction"] in (3, 4)
            self.order(order, order["OrderUpdateAction"], entry["SecurityID"], side, None if many else price)

    def level(self, entry: dict[str, Any], scale: int) -> None:
        """Take a level in, by its number."""
        instrument = entry["SecurityID"]
        self._touched.add(instrument)
        if entry["MDEntryType"] == "J":
            for side in range(4):
                self.levels.pop((instrument, side), None)
            self.orders.pop(instrument, None)
            return
        side, action, number = SIDES[entry["MDEntryType"]], entry["MDUpdateAction"], entry["MDPriceLevel"]
        self.actions[action] += 1
        book = self.levels.setdefault((instrument, side), [])
        row = [entry["MDEntryPx"] * scale, entry["MDEntrySize"], entry["NumberOfOrders"] or 0]
        depth = 10 if side < 2 else 2
        if action == 0:
            self.wrong["new"] += not 1 <= number <= min(len(book) + 1, depth)
            book.insert(number - 1, row)
            del book[depth:]
            return
        if not 1 <= number <= len(book):
            self.wrong["no such level"] += 1
            return
        self.wrong["price"] += book[number - 1][0] != row[0]
        if action in (1, 5):
            book[number - 1] = row
        elif action == 2:
            del book[number - 1]
        elif action == 3:
            book.clear()
        elif action == 4:
            del book[:number]

    def order(self, row: dict[str, Any], action: int, instrument: int, side: int, price: int | None) -> None:
        """Take an order in; without a price it goes with a whole range of levels."""
        self._touched.add(instrument)
        book = self.orders.setdefault(instrument, {})
        number = row["OrderID"]
        self.wrong["new order"] += (number in book) == (action == 0)
        if action == 2:
            gone = book.pop(number, None)
            self.wrong["order of another level"] += gone is None or (price is not None and gone[:2] != [side, price])
            return
        book[number] = [side, price or 0, row["MDDisplayQty"], row["MDOrderPriority"]]

    def trade(self, fields: dict[str, Any], scale: int) -> None:
        """Check that a trade is with the first order of the best level."""
        entry = fields["NoMDEntries"][0]
        orders = self.orders[entry["SecurityID"]]
        resting = fields["NoOrderIDEntries"][1]
        side = 2 - entry["AggressorSide"]
        best = (max if side == 0 else min)(row[1] for row in orders.values() if row[0] == side)
        first = min((row[3], number) for number, row in orders.items() if row[:2] == [side, best])[1]
        self.wrong["not the best price"] += entry["MDEntryPx"] * scale != best
        self.wrong["not the first order"] += resting["OrderID"] != first
        self.wrong["more than there is"] += resting["LastQty"] > orders[resting["OrderID"]][2]

    def judge(self, instrument: int) -> None:
        """Check a book at the end of an event: the levels shown are the best ten that the orders make."""
        sides: list[list[list[int]]] = []
        for side in range(2):
            made: dict[int, list[int]] = {}
            for which, price, quantity, _ in self.orders.get(instrument, {}).values():
                if which == side:
                    level = made.setdefault(price, [price, 0, 0])
                    level[1] += quantity
                    level[2] += 1
            sides.append(sorted(made.values(), reverse=side == 0)[:10])
            self.wrong["not the orders' levels"] += sides[side] != self.levels.get((instrument, side), [])
        if sides[0] and sides[1]:
            self.wrong["crossed"] += sides[0][0][0] >= sides[1][0][0]
        bids, asks = (self.levels.get((instrument, side), []) for side in (2, 3))
        self.wrong["implied out of order"] += bids != sorted(bids, reverse=True) or asks != sorted(asks)
        self.wrong["implied crossed"] += bool(bids and asks and bids[0][0] >= asks[0][0])
