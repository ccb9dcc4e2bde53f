"""How the reference keeps books that wait for a snapshot, or refresh naturally: what waiting.py says, told again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simbench import event
from simbench.book.layout import REFRESHES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simbench.book.reference_book import Book

    Count = Callable[[str, int], None]
    Fields = dict[str, int]


@dataclass
class Waiting:
    """What waits in one channel.

    Attributes:
        room: events that may wait, of all instruments together.
        reached: highest sequence of the channel that an event had.
        lost: highest one that never came, where books wait by that; 0 none.
        filled: books that a snapshot has filled, and whose queues go into them now; the last one first.
    """

    room: int
    reached: int = 0
    lost: int = 0
    filled: list[Book] = field(default_factory=list)

    def passes(self, book: Book, what: Fields, count: Count, touch: Callable[[Book], None]) -> bool:
        """Tell whether an event goes into the book now; one that has to wait is in the queue afterwards.

        Args:
            book: of a channel whose books wait, or refresh naturally.
            what: the event's fields.
            count: takes what is to be counted.
            touch: takes a book that is emptied.
        """
        kind, packet, sequence = what["kind"], what["sequence"], what["instrument_sequence"]
        if kind == event.SNAPSHOT or what["flags"] & event.FROM_SNAPSHOT:
            return self._snapshot(book, what, count)
        self.reached = max(self.reached, packet)
        if sequence == 0:
            return kind >= event.DEFINE or not waits(book)
        if not waits(book):
            if sequence <= book.sequence and packet <= book.confirmed:
                count("covered", 1)
                return False
            if book.sequence < 0 or sequence <= book.sequence + 1:
                book.confirmed = packet
                return True
            miss(book, sequence, what["time"], count)
            if book.channel.snapshots == REFRESHES:
                book.state, book.sequence = "naturally refreshed", sequence - 1
                book.ladders = [[None] * book.depth(side) for side in range(4)]
                touch(book)
                return True
            book.needed = sequence - 1
        elif book.needed == 0:
            if sequence == 1:
                book.state, book.confirmed = "current", packet
                return True
            book.since, book.needed = what["time"], sequence - 1
        self._wait(book, what, sequence, count)
        return False

    def _wait(self, book: Book, what: Fields, place: int, count: Count) -> None:
        if self.room:
            self.room -= 1
            book.queue.append(what)
        else:
            count("overflowed", 1)
            self.forget(book)
            book.needed = place

    def forget(self, book: Book) -> None:
        """Empty a book's queue."""
        self.room += len(book.queue)
        book.queue.clear()

    def _snapshot(self, book: Book, what: Fields, count: Count) -> bool:
        if what["kind"] == event.SNAPSHOT:
            book.doing = "leave"
            if self._helps(book, what):
                book.doing, book.reason, book.confirmed = "fill", "unfinished", what["other"]
            elif what["instrument_sequence"] == book.sequence and not waits(book):
                book.confirmed = max(book.confirmed, what["other"])
                count("confirming", 1)
            else:
                count("old", 1)
        fills = book.doing == "fill"
        if what["flags"] & event.END:
            book.doing = "nothing"
            if fills:
                count("taken", 1)
                book.state, book.needed = "current", 0
                if book not in self.filled:
                    self.filled.append(book)
        return fills

    def _helps(self, book: Book, what: Fields) -> bool:
        at = what["instrument_sequence"]
        return at >= book.needed if waits(book) else at > book.sequence and what["other"] <= self.reached

    def next_waiting(self, count: Count) -> Fields | None:
        """Return the next event that goes into a filled book; None where nothing more can."""
        while self.filled:
            book = self.filled[-1]
            if waits(book):
                self.filled.pop()
                continue
            while book.queue and book.queue[0]["instrument_sequence"] <= book.sequence:
                book.queue.pop(0)
                self.room += 1
            if book.queue and book.queue[0]["instrument_sequence"] == book.sequence + 1:
                self.room += 1
                return book.queue.pop(0)
            self.filled.pop()
            if book.queue:
                sequence = book.queue[0]["instrument_sequence"]
                miss(book, sequence, book.queue[0]["time"], count)
                book.needed = sequence - 1
        return None

    def lose(self, books: Iterable[Book], what: Fields, count: Count, *, known: bool) -> bool:
        """Note that packets of the channel never came, where books wait by that."""
        raise NotImplementedError


def miss(book: Book, sequence: int, time: int, count: Count) -> None:
    """Note that a sequence leaves some of its instrument's out."""
    count("instrument_gap", sequence - book.sequence - 1)
    book.make_stale("instrument_gap", time)


def waits(book: Book) -> bool:
    """Tell whether a book waits for a snapshot."""
    return book.state in {"stale", "unsynchronised"}
