"""Offline at scale: what a message and an order cost where ten thousand books hold five million live orders."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simbench.bench.report import Range, Section
from simbench.book import layout
from simbench.receive.offline import Offline, open_source
from simbench.receive.pipeline import NEVER
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

TITLE: Final = "Offline at scale"
METHOD: Final = (
    "Generated ITCH days (one line, about two messages a datagram, every message of another instrument) are read from "
    "file to books with the queue of orders in every level, checksums verified. Counted is the processor time of the "
    "last quarter of the capture, once the books have filled. Bytes: all that is in use of the books' block, hash "
    "tables included, over the live orders."
)
HEADER: Final = ("instruments", "live orders", "ns a message, median (low to high)", "bytes an order")
CELLS: Final = ((500, 100_000, 2_000_000), (10_000, 5_000_000, 20_000_000))  # instruments, live orders, messages
RATE: Final = 100_000.0
REPEATS: Final = 3


@dataclass
class Filled:
    """One day.

    Attributes:
        instruments: with a book.
        orders: alive at the end.
        order_bytes: of the books' block, each.
        message_ns: each of the last quarter, one entry a repeat.
    """

    instruments: int
    orders: int = 0
    order_bytes: float = 0.0
    message_ns: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Scale:
    """Days, as in CELLS."""

    days: tuple[Filled, ...]

    def section(self) -> Section:
        """Return the table."""
        rows = tuple(
            (f"{day.instruments:,}", f"{day.orders:,}", Range.of(day.message_ns).text(0), f"{day.order_bytes:.0f}")
            for day in self.days
        )
        return Section(TITLE, METHOD, HEADER, rows)


def offline_scale(*, quick: bool = False) -> Scale:
    """Measure each day; a twentieth of everything where it is to be quick."""
    part = 20 if quick else 1
    return Scale(tuple(_day(count // part, live // part, messages // part) for count, live, messages in CELLS))


def used_bytes(memory: Words) -> int:
    """Return how much of a books' block is in use: its length without what was never handed out."""
    spare = (
        (layout.INSTRUMENT_ROOM, layout.INSTRUMENT_COUNT, layout.INSTRUMENT_WORDS),
        (layout.RECORD_ROOM, layout.RECORD_TOP, layout.RECORD_WORDS),
        (layout.NODE_ROOM, layout.NODE_TOP, layout.NODE_WORDS),
    )
    return 8 * (len(memory) - sum(int(memory[room] - memory[top]) * words for room, top, words in spare))


def _day(instruments: int, live_orders: int, messages: int) -> Filled:
    found = Filled(instruments)
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture = Path(folder, "day.pcap")
        made = generate(
            "calm",
            capture,
            messages=messages,
            rate=RATE,
            instruments=instruments,
            live_orders=live_orders,
            lines=1,
        )
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        for _ in range(REPEATS):
            run = Offline(open_source(capture))
            run.until(made.first_ns + (made.last_ns - made.first_ns) * 3 // 4)
            run.advance()
            before = run.receiver.messages()["total"]
            run.until(NEVER)
            start = time.process_time()
            run.advance()
            taken = time.process_time() - start
            found.message_ns.append(taken / (run.receiver.messages()["total"] - before) * 1e9)
            memory = run.receiver.state.books.memory
            found.orders = int(memory[layout.ORDER_COUNT])
            found.order_bytes = used_bytes(memory) / max(found.orders, 1)
            del run, memory  # given back before the next one
    return found
