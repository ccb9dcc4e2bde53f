"""Offline ITCH: from a capture to its final books with queues, beside itch-book on the same messages."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simbench.bench import itch_peer
from simbench.bench.report import Range, Section, Target
from simbench.event import ASK, BID
from simbench.receive.offline import Offline, open_source
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from simbench.bench.itch_peer import Levels

TITLE: Final = "Offline ITCH"
METHOD: Final = (
    "A generated day (8,000 instruments, 1 million live orders once the books have filled, one line) is read from file "
    "to final books with the queue of orders in every level: by simbench from the MoldUDP64 capture, checksums "
    "verified; by itch-book from the same messages as a BinaryFILE, so without packets. One process, files in the page "
    "cache, both warmed, repeats interleaved; counted is processor time from opening the file to the last message."
)
HEADER: Final = ("book", "M messages/s, median (low to high)", "reads", "bytes")
INSTRUMENTS: Final = 8_000
LIVE_ORDERS: Final = 1_000_000
RATE: Final = 100_000.0  # messages a second: about two share a datagram
BOUND: Final = 1.0
LEVELS_BOUND: Final = 1.3  # where nobody needs queues


@dataclass
class OfflineItch:
    """Rates in messages a second, one entry a repeat.

    Attributes:
        messages: in the files.
        datagrams: of the capture.
        capture_bytes: of the capture.
        binary_bytes: of the BinaryFILE.
        ours: rates.
        theirs: likewise; empty where itch-book is not installed.
        peer: its version and how it was fed.
        live_orders: at the end.
        compared: levels that were compared and are equal.
        differences: where the final books differ, in words.
    """

    messages: int
    datagrams: int
    capture_bytes: int
    binary_bytes: int
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    peer: str = ""
    live_orders: int = 0
    compared: int = 0
    differences: list[str] = field(default_factory=list)

    def section(self) -> Section:
        """Return the table, what is demanded of it, and whether the books are equal."""
        rows = [_row("simbench", self.ours, "MoldUDP64 in pcap", self.capture_bytes)]
        notes = [
            (
                f"{self.messages:,} messages in {self.datagrams:,} datagrams, {len(self.ours)} repeats; "
                f"{self.live_orders:,} orders live at the end"
            )
        ]
        targets: tuple[Target, ...] = ()
        if self.theirs:
            rows.append(_row(f"itch-book {self.peer}", self.theirs, "BinaryFILE", self.binary_bytes))
            ratio = Range.of_ratios(self.ours, self.theirs)
            targets = (
                Target("rate, simbench / itch-book, queues of orders built", ratio, BOUND, at_most=False),
                Target("the same, asked of levels and best prices alone", ratio, LEVELS_BOUND, at_most=False),
            )
            notes.append("there is no mode without queues here: what levels and best prices cost is what all cost")
            notes.append(self._verdict())
        else:
            notes.append("itch-book is not installed here: no ratio and no comparison (pip install 'simbench[peers]')")
        return Section(TITLE, METHOD, HEADER, tuple(rows), targets, tuple(notes))

    def _verdict(self) -> str:
        if self.differences:
            more = f" and {len(self.differences) - 3:,} more" if len(self.differences) > 3 else ""
            return f"the final books DIFFER: {'; '.join(self.differences[:3])}{more}"
        return (
            f"the final books are equal: {self.compared:,} levels (price, quantity, orders; the best "
            f"{itch_peer.DEPTH} a side of every instrument, all that itch-book shows) and the number of live orders"
        )


def offline_itch(*, quick: bool = False) -> OfflineItch:
    """Measure: generate the files, warm both up, interleave the repeats, compare the final books."""
    version = itch_peer.installed()
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        capture, binary = Path(folder, "day.pcap"), Path(folder, "day.bin")
        made = generate(
            "calm",
            capture,
            messages=2_000_000 if quick else 20_000_000,
            rate=RATE,
            instruments=INSTRUMENTS,
            live_orders=LIVE_ORDERS,
            lines=1,
            binary=binary,
        )
        Path(folder, "feed.toml").write_text(made.feed, encoding="utf-8")
        found = OfflineItch(made.messages, made.datagrams, capture.stat().st_size, binary.stat().st_size)
        run = build(capture)
        mode = itch_peer.fastest(binary) if version else ""
        found.peer = f"{version}, {mode}"
        for _ in range(3 if quick else 5):
            del run  # its memory is given back before the next one is timed
            start = time.process_time()
            run = build(capture)
            found.ours.append(made.messages / (time.process_time() - start))
            if version:
                start = time.process_time()
                itch_peer.modes()[mode](binary)
                found.theirs.append(made.messages / (time.process_time() - start))
        levels, found.live_orders = our_levels(run)
        if version:
            theirs, stats = itch_peer.final_levels(binary)
            found.compared, found.differences = compare(levels, theirs)
            if stats["live_orders"] != found.live_orders:
                found.differences.append(f"{found.live_orders:,} live orders, theirs {stats['live_orders']:,}")
            if stats["messages"] != made.messages:
                found.differences.append(f"{made.messages:,} messages, theirs {stats['messages']:,}")
    return found


def build(capture: Path) -> Offline:
    """Read a capture to its end, as `simbench book` does."""
    run = Offline(open_source(capture))
    run.advance()
    return run


def our_levels(run: Offline) -> tuple[Levels, int]:
    """Return all levels of every book, by symbol and side, and the number of live orders."""
    books = run.receiver.state.books
    levels: Levels = {}
    for index in range(len(books.instruments)):
        for side, name in ((BID, "bids"), (ASK, "asks")):
            rows = books.levels(index, side)
            each = zip(rows["price"].tolist(), rows["quantity"].tolist(), rows["orders"].tolist(), strict=True)
            levels[books.key(index), name] = list(each)
    return levels, sum(orders for side in levels.values() for _, _, orders in side)


def compare(ours: Levels, theirs: Levels) -> tuple[int, list[str]]:
    """Compare the levels that itch-book shows with ours; return how many were equal, and the differences in words.

    Args:
        ours: all levels.
        theirs: the best itch_peer.DEPTH; a book that never had a level may be missing.
    """
    equal, differences = 0, []
    for (symbol, side), levels in sorted(ours.items()):
        shown = levels[: itch_peer.DEPTH]
        other = theirs.get((symbol, side), [])
        if shown == other:
            equal += len(shown)
            continue
        place = next(i for i in range(len(shown) + 1) if shown[i : i + 1] != other[i : i + 1])
        differences.append(
            f"{symbol} {side} level {place}: {shown[place : place + 1]}, theirs {other[place : place + 1]}"
        )
    unknown = sorted({symbol for symbol, _ in theirs} - {symbol for symbol, _ in ours})
    differences.extend(f"{symbol} is not among our books" for symbol in unknown)
    if not equal and not differences:
        differences.append("there is no level to compare")
    return equal, differences


def _row(name: str, rates: list[float], kind: str, size: int) -> tuple[str, ...]:
    return name, Range.of(rate / 1e6 for rate in rates).text(), kind, f"{size:,}"
