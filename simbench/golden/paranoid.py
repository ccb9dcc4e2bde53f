"""The engine beside the reference book: every event goes to both, and they have to agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.book.reference import ReferenceBooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.receive.offline import Source
    from simbench.receive.receiver import Receiver


class Paranoid:
    """Feeds the reference book with what the engine is about to apply, and compares them.

    Args:
        source: whose channels they are.
    """

    def __init__(self, source: Source) -> None:
        from simbench.receive.receiver import book_channels

        self.reference = ReferenceBooks(book_channels(source.feed))
        self.events = 0

    def apply(self, channel: int, events: NDArray[Any]) -> None:
        """Apply EVENT records to the reference book."""
        for event in events:
            self.reference.apply(channel, event)
        self.events += len(events)

    def differences(self, receiver: Receiver) -> list[str]:
        """Check every invariant of the engine; return a line for each instrument whose books differ."""
        books = receiver.state.books
        books.check()
        ours, theirs = books.to_json(), self.reference.to_json()
        found = [
            f"{one['channel']} {one['key']}: engine and reference book differ"
            for one, other in zip(ours, theirs, strict=False)
            if one != other
        ]
        if len(ours) != len(theirs):
            found.append(f"the engine has {len(ours)} books, the reference book {len(theirs)}")
        for number, channel in enumerate(receiver.feed.channels):
            if books.digest_orders(number) != self.reference.digest_orders(number):
                found.append(f"{channel.name}: the digests of the orders differ")
        return found
