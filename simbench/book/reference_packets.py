"""How the reference keeps books that wait by the packets of their channel: what packet_waiting.py says, told again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simbench import event
from simbench.book.reference_waiting import Waiting, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simbench.book.reference_book import Book
    from simbench.book.reference_waiting import Count, Fields


@dataclass
class PacketWaiting(Waiting):
    """What waits in one channel."""

    def passes(self, book: Book, what: Fields, count: Count, touch: Callable[[Book], None]) -> bool:
        """Tell whether an event goes into the book now; one that has to wait is in the queue afterwards."""
        del touch
        if what["kind"] >= event.DEFINE:
            return True
        if what["kind"] in {event.SNAPSHOT, event.SNAPSHOT_PART} or what["flags"] & event.FROM_SNAPSHOT:
            return self._snapshot(book, what, count)
        if waits(book):
            book.since = book.since or what["time"]
            self._wait(book, what, what["sequence"], count)
            return False
        if what["sequence"] <= book.placed:
            count("covered", 1)
            return False
        return True

    def _snapshot(self, book: Book, what: Fields, count: Count) -> bool:
        if what["kind"] == event.SNAPSHOT:
            book.doing = "leave"
            if not waits(book):
                count("confirming", 1)
            else:
                abandon(book, count)
                if what["other"] < book.needed:
                    count("old", 1)
                else:
                    book.doing, book.reason, book.parts, book.placed = "fill", "unfinished", 1, what["other"]
        elif what["kind"] == event.SNAPSHOT_PART:
            follows = book.parts and what["orders"] == book.parts + 1 and what["other"] == book.placed
            book.doing = "fill" if follows else "leave"
            book.parts += int(follows)
        fills = book.doing == "fill"
        if what["flags"] & event.END:
            book.doing = "nothing"
            if fills:
                count("taken", 1)
                book.parts, book.state, book.needed = 0, "current", 0
                if book not in self.filled:
                    self.filled.append(book)
        return fills

    def next_waiting(self, count: Count) -> Fields | None:
        """Return the next event that goes into a filled book; None where nothing more can."""
        del count
        while self.filled:
            book = self.filled[-1]
            while book.queue and not waits(book):
                self.room += 1
                following = book.queue.pop(0)
                if following["sequence"] > book.placed:
                    return following
            self.filled.pop()
        return None

    def lose(self, books: Iterable[Book], what: Fields, count: Count, *, known: bool) -> bool:
        """Note that packets of the channel never came; tell whether a book of which nothing has come is known.

        Args:
            books: of the channel.
            what: the LOST event's fields.
            count: takes what is to be counted.
            known: whether it was before.
        """
        last = what["other"]
        missing = last >= what["sequence"]
        anew = bool(what["flags"] & event.ANEW)
        if anew:
            self.lost = 0
        if missing:
            self.lost = max(self.lost, last)
        for book in books:
            joined = book.state == "unsynchronised" and not missing and not anew
            if anew or joined:
                abandon(book, count)
                self.forget(book)
                book.placed = book.needed = 0
            if joined:
                book.state = "current"
            if missing and (waits(book) or book.placed < last):
                if book.placed < last:
                    abandon(book, count)
                self.forget(book)
                book.needed = max(book.needed, last)
                if not waits(book):
                    book.make_stale("instrument_gap", what["time"])
        return not missing and (known or not anew)


def abandon(book: Book, count: Count) -> None:
    """Leave out what is still to come of a snapshot that fills a book."""
    if book.parts:
        count("unfinished", 1)
        book.parts, book.doing = 0, "leave"
