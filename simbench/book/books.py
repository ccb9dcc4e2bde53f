"""The books of a receiver, for Python: one block of memory and everything one may ask of it."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.book import block, check, digest, engine, ladder, layout
from simbench.book.emptying import empty_channel
from simbench.book.instruments import find_instrument, judge
from simbench.event import ASK, BID, IMPLIED_ASK, IMPLIED_BID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.book.layout import BookChannel
    from simbench.kernel.pure import Words

LEVEL: Final = np.dtype([("price", "i8"), ("quantity", "i8"), ("orders", "i8"), ("known", "i8")])
ORDER: Final = np.dtype([("order", "u8"), ("quantity", "i8"), ("priority", "u8")])
PRICED: Final = np.dtype([("price", "i8"), *((name, ORDER[name]) for name in ORDER.names or ())])
SIDE_NAMES: Final = {BID: "bids", ASK: "asks", IMPLIED_BID: "implied_bids", IMPLIED_ASK: "implied_asks"}


class Books:
    """All books of some channels.

    Attributes:
        memory: int64[::1], the block that `apply` and the kernels of ladder.py work on; `grow` replaces it.
        channels: what the books of each channel are like, by channel number.
    """

    def __init__(self, memory: Words, channels: Sequence[BookChannel]) -> None:
        """Take a block as it is; `create` makes a new one."""
        self.memory = memory
        self.channels = tuple(channels)

    @classmethod
    def create(
        cls,
        channels: Sequence[BookChannel],
        *,
        instruments: int = 1024,
        orders: int = 1 << 17,
        levels: int = 1 << 15,
        seed: int | None = None,
        limits: block.Limits | None = None,
    ) -> Books:
        """Return empty books.

        Args:
            channels: by channel number.
            instruments: room for so many at first; likewise orders alive at a time and levels by price.
            orders: as said.
            levels: as said.
            seed: of the hash tables; drawn when None. No result depends on it.
            limits: of what they may grow to; the usual ones when None.
        """
        ladders = instruments * max((4 * 2 * (c.depth + c.implied_depth) for c in channels), default=0)
        room = block.Room(instruments, orders, levels, levels // 4, ladders)
        return cls(block.new_memory(channels, room, seed, limits), channels)

    def copy(self) -> Books:
        """Return a checkpoint: books with a memory of their own and the same content."""
        return Books(block.relaid(self.memory), self.channels)

    def grow(self) -> None:
        """Make more room for what is nearly full."""
        self.memory = block.grown(self.memory)

    def apply(self, channel: int, events: NDArray[np.void]) -> None:
        """Apply events, growing as needed.

        Args:
            channel: number of the channel that they are of.
            events: EVENT[n].
        """
        at = engine.apply(self.memory, channel, events, 0, len(events))
        while at < len(events):
            self.grow()
            at = engine.apply(self.memory, channel, events, at, len(events))

    def reset(self, channel: int, time: int) -> None:
        """Forget a channel's books, as if nothing had been seen of them; definitions and counters stay.

        Args:
            channel: its number.
            time: of the restart, ns.
        """
        empty_channel(self.memory, channel, time, -1, layout.UNKNOWN, layout.INT64_MAX)
        judge(self.memory, channel, time)

    @property
    def instruments(self) -> NDArray[np.void]:
        """A view of the instruments in order of first sight: layout.INSTRUMENT[n]."""
        base, count = int(self.memory[layout.INSTRUMENTS]), int(self.memory[layout.INSTRUMENT_COUNT])
        words = self.memory[base : base + count * layout.INSTRUMENT_WORDS]
        view: NDArray[np.void] = words.view(layout.INSTRUMENT)
        return view

    def find(self, channel: int, key: int | str) -> int:
        """Return the index of an instrument, -1 where there is none.

        Args:
            channel: number of the channel.
            key: as the event carries it, or as JSON shows it.
        """
        if isinstance(key, str):
            from simbench.protocol.contract import pack_text

            key = pack_text(key) if self.channels[channel].text_key else int(key)
        signed = key - (1 << 64) if key >> 63 & 1 and key > 0 else key
        word = find_instrument(self.memory, channel, signed)
        return -1 if word < 0 else (word - int(self.memory[layout.INSTRUMENTS])) // layout.INSTRUMENT_WORDS

    def key(self, index: int) -> str:
        """Return the native key of an instrument as JSON shows it."""
        instrument = self.instruments[index]
        channel = self.channels[int(instrument["channel"])]
        return digest.key_text(int(instrument["key"]), text_key=channel.text_key)

    def symbol(self, index: int) -> str | None:
        """Return the symbol of an instrument's definition, or its key where that is text; None where not known."""
        from simbench.protocol.contract import unpack_text

        instrument = self.instruments[index]
        text = "".join(unpack_text(int(word)) for word in instrument["symbol"])
        if not text and self.channels[int(instrument["channel"])].text_key:
            return self.key(index)
        return text or None

    def levels(self, index: int, side: int) -> NDArray[np.void]:
        """Return the levels of a side, best first, down to the last known one: LEVEL[n]."""
        word = self._word(index)
        out = np.zeros((1, ladder.count_levels(self.memory, word, side), 4), np.int64)
        ladder.fill_levels(self.memory, word, side, out.shape[1], out, 0, 0)
        rows: NDArray[np.void] = out.reshape(-1).view(LEVEL)
        return rows

    def queue(self, index: int, side: int, price: int) -> NDArray[np.void]:
        """Return the orders at a price, first in the queue first: ORDER[n]."""
        word = self._word(index)
        out = np.zeros((ladder.count_queue(self.memory, word, side, price), 3), np.int64)
        ladder.fill_queue(self.memory, word, side, price, out)
        rows: NDArray[np.void] = out.reshape(-1).view(ORDER)
        return rows

    def orders(self, index: int, side: int) -> NDArray[np.void]:
        """Return the orders of a side, best price first and first in the queue first: PRICED[n]."""
        word = self._word(index)
        out = np.zeros((ladder.count_orders(self.memory, word, side), 4), np.int64)
        ladder.fill_orders(self.memory, word, side, out)
        rows: NDArray[np.void] = out.reshape(-1).view(PRICED)
        return rows

    def digest(self, channel: int) -> str:
        """Return the digest of a channel's books, by level (digest.py)."""
        return self._digest(channel, with_orders=False)

    def digest_orders(self, channel: int) -> str:
        """Return the digest of a channel's books, by level and order."""
        return self._digest(channel, with_orders=True)

    def anomalies(self, channel: int | None = None) -> dict[str, int]:
        """Return how often each anomaly was seen, in one channel or in all."""
        counts = self._anomalies()[:, :, 0] if channel is None else self._anomalies()[channel : channel + 1, :, 0]
        return dict(zip(layout.ANOMALIES, counts.sum(axis=0).tolist(), strict=True))

    def anomaly_times(self, channel: int) -> dict[str, tuple[int, int]]:
        """Return the exchange times (ns since 1970) of the first and the last of each anomaly that was seen."""
        rows = self._anomalies()[channel].tolist()
        return {name: (first, last) for name, (n, first, last) in zip(layout.ANOMALIES, rows, strict=True) if n}

    def snapshots(self, channel: int) -> dict[str, int]:
        """Return what became of the snapshots of a channel whose books are known from them."""
        first = int(self.memory[layout.CHANNELS]) + channel * layout.CHANNEL_WORDS + layout.CHANNEL_SNAPSHOT_COUNTS
        counts = self.memory[first : first + len(layout.SNAPSHOT_COUNTS)].tolist()
        return dict(zip(layout.SNAPSHOT_COUNTS, counts, strict=True))

    def check(self) -> None:
        """Verify every invariant of the block; AssertionError, with the insides, when one does not hold."""
        check.check(self.memory)

    def to_json(self, *, orders: bool = False, since: bool = False) -> list[dict[str, Any]]:
        """Return every book in the shape of `simbench book --json`, by channel and native key.

        Args:
            orders: whether each book also has its queues, "bid_orders" and so on: [price, [[id, quantity], ...]]
                for every price that has orders, best first.
            since: whether each book also says since when, and why, it is what it is, where it is not simply current.
        """
        unsigned = self.instruments["key"].astype(np.uint64)
        ranks = np.lexsort((unsigned, self.instruments["channel"]))
        books = [self.book(int(index), orders=orders) for index in ranks]
        if since:
            for book, instrument in zip(books, self.instruments[ranks], strict=True):
                current, began = instrument["state"] == layout.CURRENT, int(instrument["since"])
                book["since_ns"] = None if current or not began else str(began)
                nothing = None if instrument["version"] else layout.STANDINGS[layout.NOTHING_YET]
                book["reason"] = nothing if current else layout.REASONS[int(instrument["reason"])]
        return books

    def book(self, index: int, *, orders: bool = False) -> dict[str, Any]:
        """Return one book as `to_json` shows it."""
        instrument = self.instruments[index]
        price, quantity = int(instrument["price_exponent"]), int(instrument["quantity_exponent"])
        book: dict[str, Any] = {
            "channel": self.channels[int(instrument["channel"])].name,
            "key": self.key(index),
            "symbol": self.symbol(index),
            "state": layout.STATES[int(instrument["state"])],
        }
        for side, name in SIDE_NAMES.items():
            rows = self.levels(index, side).tolist()
            book[name] = [
                [decimal(p, price), decimal(q, quantity), None if n < 0 else n] if known == layout.KNOWN else None
                for p, q, n, known in rows
            ]
            if orders:
                book[f"{name[:-1]}_orders"] = [
                    [decimal(at, price), [[str(order), decimal(left, quantity)] for _, order, left, _ in queue]]
                    for at, queue in groupby(self.orders(index, side).tolist(), key=itemgetter(0))
                ]
        return book

    def _digest(self, channel: int, *, with_orders: bool) -> str:
        chosen = np.flatnonzero(self.instruments["channel"] == channel)
        text_key = self.channels[channel].text_key
        keys = [digest.key_text(key, text_key=text_key) for key in self.instruments["key"][chosen].tolist()]
        return digest.digest(self.memory, chosen, keys, with_orders=with_orders)

    def _anomalies(self) -> NDArray[np.int64]:
        base = int(self.memory[layout.CHANNELS])
        words = self.memory[base : base + len(self.channels) * layout.CHANNEL_WORDS]
        kinds = slice(layout.CHANNEL_ANOMALIES, layout.CHANNEL_ANOMALIES + 3 * len(layout.ANOMALIES))
        return words.reshape(-1, layout.CHANNEL_WORDS)[:, kinds].reshape(len(self.channels), -1, 3)

    def _word(self, index: int) -> int:
        count = int(self.memory[layout.INSTRUMENT_COUNT])
        if not 0 <= index < count:
            raise IndexError(f"no instrument {index}: there are {count}")
        return int(self.memory[layout.INSTRUMENTS]) + index * layout.INSTRUMENT_WORDS


def decimal(mantissa: int, exponent: int) -> str:
    """Return mantissa * 10**exponent as the shortest exact decimal string.

    >>> decimal(41200, -3), decimal(5, 2), decimal(-250, -2), decimal(0, -4)
    ('41.2', '500', '-2.5', '0')
    """
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    digits = str(abs(mantissa)).rjust(1 - exponent, "0")
    text = f"{digits[:exponent]}.{digits[exponent:]}".rstrip("0").rstrip(".")
    return f"-{text}" if mantissa < 0 else text
