"""The books that a reader looks at: slots leased in telemetry, read under their seqlocks, and the directory of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.book.layout import EMPTY, KNOWN
from simbench.measure import telemetry as t
from simbench.measure.snapshot import BookView, InstrumentRow, LevelView, OrderView, QueueView, TradeView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.measure.names import Names

    Words = NDArray[np.int64]
    Level = tuple[str, int]

TRADES: Final = 50  # of an instrument, since it has been looked at
LISTED: Final = 200  # instruments, the most active ones
SIDES: Final = ("bid", "ask")
ATTEMPTS: Final = 8  # at a book that is being written


class Books:
    """Looks at books and at the directory of instruments.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called.
    """

    def __init__(self, words: Words, names: Names) -> None:
        self._words = words
        self._names = names
        self._slots: dict[int, int] = {}  # by instrument
        self._trades: dict[int, list[TradeView]] = {}
        self._called: dict[tuple[int, ...], tuple[str, str, str]] = {}  # by the words that the names are made from
        self._rows: tuple[InstrumentRow, ...] = ()
        self._states: dict[str, int] = {}
        self._beside: dict[int, BookView] = {}  # as they were at the last look
        self._counted = 0  # instruments at the last look

    def look(
        self, chosen: int | None, others: Sequence[int], now: int, level: Level | None = None, *, due: bool
    ) -> tuple[BookView | None, tuple[BookView, ...]]:
        """Return the chosen book and the others; one that is not there yet is None, or left out.

        The others are those of the last look, unless one is new.

        Args:
            chosen: dense index of an instrument; None no book.
            others: likewise, of those beside it.
            now: CLOCK_MONOTONIC.
            level: side and price of the chosen book's level whose queue is wanted.
            due: whether it is time for another look at the others.
        """
        wanted = dict.fromkeys(index for index in (chosen, *others) if index is not None)
        self._lease(list(wanted), now)
        self._ask_for_queue(chosen, level)
        book = None if chosen is None else self._book(chosen)
        if due or any(index not in self._beside for index in others):
            found = {index: self._book(index) for index in others}
            self._beside = {index: other for index, other in found.items() if other is not None}
        return book, tuple(self._beside[index] for index in others if index in self._beside)

    def directory(self, *, due: bool) -> tuple[tuple[InstrumentRow, ...], dict[str, int]]:
        """Return the most active instruments, at most LISTED, and how many are in each state that any is in.

        They are those of the last look, unless there are new instruments.

        Args:
            due: whether it is time for another look.
        """
        rows = self._directory()
        if due or len(rows) != self._counted:
            order = np.argsort(-rows[:, t.INSTRUMENT_UPDATES], kind="stable")[:LISTED]
            listed = zip(order.tolist(), rows[order].tolist(), strict=True)
            self._rows = tuple(self._instrument(*each) for each in listed)
            counts = np.bincount(rows[:, t.INSTRUMENT_STATE], minlength=len(self._names.states)).tolist()
            named = zip(self._names.states, counts, strict=False)
            self._states = {name: count for name, count in named if count}
            self._counted = len(rows)
        return self._rows, self._states

    def close(self) -> None:
        """Give the slots back."""
        self._lease([], 0)

    def _directory(self) -> Words:
        count = min(int(self._words[t.INSTRUMENTS]), t.INSTRUMENT_ROWS)
        rows = self._words[t.INSTRUMENT_BASE : t.INSTRUMENT_BASE + count * t.INSTRUMENT_WORDS]
        return rows.reshape(count, t.INSTRUMENT_WORDS)

    def _instrument(self, index: int, row: list[int]) -> InstrumentRow:
        head = tuple(row[: t.INSTRUMENT_PRICE_EXPONENT])
        called = self._called.get(head)
        if called is None:
            channel = row[t.INSTRUMENT_CHANNEL]
            key = self._names.key(channel, row[t.INSTRUMENT_KEY])
            symbol = symbol_of(row[t.INSTRUMENT_SYMBOL : t.INSTRUMENT_SYMBOL + 3])
            called = self._called[head] = (self._names.channel(channel), key, symbol)
        return InstrumentRow(index, *called, row[t.INSTRUMENT_UPDATES])

    def _lease(self, wanted: list[int], now: int) -> None:
        """Have a slot for each of these, as far as there are any, and for no other."""
        words = self._words
        idle = [self._slots.pop(index) for index in list(self._slots) if index not in wanted]
        for index in wanted:
            slot = self._slots.get(index)
            if slot is None:
                slot = idle.pop() if idle else self._free(now)
            if slot is None:
                continue
            self._slots[index] = slot
            base = t.SLOT_BASE + slot * t.SLOT_WORDS
            words[base + t.SLOT_LEASED] = now
            words[base + t.SLOT_WANTED] = index + 1
        for slot in idle:
            words[t.SLOT_BASE + slot * t.SLOT_WORDS + t.SLOT_LEASED] = 0
        self._trades = {index: trades for index, trades in self._trades.items() if index in wanted}

    def _ask_for_queue(self, chosen: int | None, level: Level | None) -> None:
        slot = None if chosen is None else self._slots.get(chosen)
        if slot is not None:
            base = t.SLOT_BASE + slot * t.SLOT_WORDS
            side, price = (0, 0) if level is None else (SIDES.index(level[0]) + 1, level[1])
            self._words[base + t.QUEUE_AT] = price
            self._words[base + t.QUEUE_WANTED] = side

    def _free(self, now: int) -> int | None:
        """Return a slot that nobody has looked at lately."""
        for slot in range(t.SLOTS):
            if now - int(self._words[t.SLOT_BASE + slot * t.SLOT_WORDS + t.SLOT_LEASED]) > t.LEASE_NS:
                return slot
        return None

    def _book(self, index: int) -> BookView | None:
        slot = self._slots.get(index)
        if slot is None or index >= int(self._words[t.INSTRUMENTS]):
            return None
        shown = self._read(slot)
        if shown is None or int(shown[t.SLOT_SHOWN]) != index + 1:
            return None
        row = self._words[t.INSTRUMENT_BASE + index * t.INSTRUMENT_WORDS :][: t.INSTRUMENT_WORDS].tolist()
        who = self._instrument(index, row)
        state = self._names.state(int(shown[t.SLOT_STATE]))
        current = state in {"current", "empty"}
        sides = shown[t.SLOT_LADDER : t.SLOT_QUEUE].reshape(4, t.SLOT_DEPTH, 4)
        return BookView(
            index=index,
            channel=who.channel,
            key=who.key,
            symbol=who.symbol,
            price_exponent=row[t.INSTRUMENT_PRICE_EXPONENT],
            quantity_exponent=row[t.INSTRUMENT_QUANTITY_EXPONENT],
            state=state,
            since_ns=0 if current else int(shown[t.SLOT_SINCE]),
            reason="" if current else self._names.reasons[int(shown[t.SLOT_REASON])],
            bids=_levels(sides[0]),
            asks=_levels(sides[1]),
            implied_bids=_levels(sides[2]),
            implied_asks=_levels(sides[3]),
            trades=self._traded(index, shown),
            updates=who.updates,
            queue=_queue(shown),
        )

    def _traded(self, index: int, shown: Words) -> tuple[TradeView, ...]:
        trades = self._trades.setdefault(index, [])
        at = int(shown[t.SLOT_TRADE_TIME])
        if at and (not trades or trades[0].recorded_ns != at):
            trades.insert(0, TradeView(int(shown[t.SLOT_TRADE_PRICE]), int(shown[t.SLOT_TRADE_QUANTITY]), "", at))
            del trades[TRADES:]
        return tuple(trades)

    def _read(self, slot: int) -> Words | None:
        base = t.SLOT_BASE + slot * t.SLOT_WORDS
        for _ in range(ATTEMPTS):
            before = int(self._words[base + t.SLOT_LOCK])
            copy = self._words[base : base + t.SLOT_WORDS].copy()
            if before % 2 == 0 and before == int(self._words[base + t.SLOT_LOCK]):
                return copy
        return None


def symbol_of(words: Sequence[int] | Words) -> str:
    """Return the symbol that three words hold, 8 characters each."""
    raw = b"".join((int(word) & (1 << 64) - 1).to_bytes(8, "big") for word in words)
    return raw.rstrip(b"\0 ").decode("ascii", "replace")


def _queue(slot: Words) -> QueueView | None:
    side, price, orders, listed = slot[t.QUEUE_SHOWN : t.QUEUE_LISTED + 1].tolist()
    if not 0 < side <= len(SIDES) or [side, price] != slot[t.QUEUE_WANTED : t.QUEUE_AT + 1].tolist():
        return None
    rows = slot[t.QUEUE_BASE : t.QUEUE_BASE + listed * t.QUEUE_ROW].reshape(listed, t.QUEUE_ROW)
    first = tuple(OrderView(order & (1 << 64) - 1, quantity, priority) for order, quantity, priority in rows.tolist())
    return QueueView(SIDES[side - 1], price, orders, first)


def _levels(side: Words) -> tuple[LevelView, ...]:
    levels = []
    for price, quantity, orders, known in side.tolist():
        if known == EMPTY:
            break
        levels.append(LevelView(price, quantity, orders, known == KNOWN))
    return tuple(levels)
