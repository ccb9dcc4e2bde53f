"""How the reference keeps books that are known from a snapshot on: what snapshots.py says, told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.book.reference_book import Book


def admit(book: Book, what: dict[str, int], count: Callable[[str, int], None]) -> bool:
    """Tell whether an event may change the book, and note what it means for its state.

    Args:
        book: of a channel whose books are known from snapshots.
        what: the event's fields.
        count: takes what is to be counted.
    """
    chained = bool(what["flags"] & event.CHAINED)
    place = what["order"] if chained else what["instrument_sequence"] or -1
    if what["kind"] == event.SNAPSHOT:
        _begin(book, place, what["time"], count)
    if what["kind"] == event.SNAPSHOT or what["flags"] & event.FROM_SNAPSHOT:
        if what["kind"] == event.LEVEL:
            book.seen[what["side"], what["price"], what["quantity"], max(what["orders"], -1)] += 1
        fills = book.doing == "fill"
        if what["flags"] & event.END:
            _end(book, what["time"], count)
        return fills
    if place < 0:
        return True
    before = what["other"] if chained else place - 1
    if book.whole or (before, place) != (book.before, book.sequence):
        if place <= book.sequence and what["time"] <= book.changed:
            count("covered", 1)
            return False
        if before != book.sequence >= 0:
            name = "broken_chain" if chained else "instrument_gap"
            count(name, 1 if chained else max(place - book.sequence - 1, 1))
            if book.state == "current":
                book.make_stale(name, what["time"])
        book.sequence, book.changed = place, what["time"]
    book.before, book.whole = before, not chained or bool(what["flags"] & event.END)
    leave(book, count)
    return True


def leave(book: Book, count: Callable[[str, int], None]) -> None:
    """Leave out what is still to come of a snapshot."""
    if book.doing in {"fill", "compare"}:
        count("unfinished", 1)
        book.doing = "leave"


def _begin(book: Book, place: int, time: int, count: Callable[[str, int], None]) -> None:
    leave(book, count)
    book.seen.clear()
    if 0 <= place < book.sequence and time <= book.changed:
        count("old", 1)
        book.doing = "leave"
    elif 0 <= place == book.sequence and book.state == "current" and book.channel.kind == "price" and book.whole:
        book.doing = "compare"
    else:
        book.since = time if book.state == "current" else book.since
        book.doing, book.state, book.reason = "fill", "unsynchronised", "unfinished"
        book.whole, book.changed = True, time
        book.sequence = place if place >= 0 else book.sequence


def _end(book: Book, time: int, count: Callable[[str, int], None]) -> None:
    if book.doing == "fill":
        count("taken", 1)
        book.state = "current"
    elif book.doing == "compare" and book.seen == book.contents():
        count("equal", 1)
    elif book.doing == "compare":
        count("snapshot_differs", 1)
        book.make_stale("snapshot_differs", time)
    book.doing = "nothing"
