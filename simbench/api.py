"""simbench from Python: open a capture, build its books, look at them as numpy arrays.

>>> import simbench
>>> found = simbench.book("captures/itch-open/capture.pcap")
>>> bids = found.books.levels(found.find("AAAA"), simbench.BID)
>>> bids["price"], bids["quantity"], bids["orders"]  # doctest: +SKIP
>>> simbench.open("captures/itch-open/capture.pcap").feed.channels[0].protocol
'nasdaq.itch50'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbench.errors import SimbenchError
from simbench.receive.offline import Offline, Source, open_source

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from simbench.book.books import Books


@dataclass(frozen=True)
class Outcome:
    """What a capture came out as.

    Attributes:
        result: the whole of it, in the shape of `simbench book --json`.
        books: the final books: `instruments` (structured array), `levels(index, side)`, `queue(index, side, price)`,
            `digest(channel)`.
    """

    result: dict[str, Any]
    books: Books

    @property
    def instruments(self) -> NDArray[Any]:
        """Every instrument: a structured array, see book.layout.INSTRUMENT."""
        return self.books.instruments

    def find(self, key: str | int, channel: int = 0) -> int:
        """Return the index of an instrument by its native key.

        Raises:
            SimbenchError: there is none.
        """
        index = self.books.find(channel, key)
        if index < 0:
            raise SimbenchError(f"there is no instrument {key!r} on channel {channel}")
        return index


def open(  # noqa: A001 - simbench.open, as gzip.open
    path: str | PathLike[str],
    *,
    feed: str | PathLike[str] | None = None,
    protocol: str | None = None,
    schema: str | PathLike[str] | None = None,
    checksum: str = "auto",
) -> Source:
    """Open a capture and find its feed.

    Args:
        path: pcap or pcapng, plain or compressed.
        feed: a feed.toml; the one beside the capture, or what looking finds, where None.
        protocol: of every channel, instead of guessing.
        schema: an SBE schema of one's own.
        checksum: "auto", "verify" or "ignore".

    Raises:
        SimbenchError: one line that says what is wrong and what to do.
    """
    return open_source(
        Path(path),
        feed=None if feed is None else Path(feed),
        protocol=protocol,
        schema=None if schema is None else Path(schema),
        checksum=checksum,
    )


def book(path: str | PathLike[str], *, line: str | None = None, until_ns: int | None = None, **options: Any) -> Outcome:
    """Build a capture's books offline.

    Args:
        path: of the capture.
        line: the one line of every channel to listen to; all where None.
        until_ns: recorded time to stop at, ns since 1970.
        options: of `open`.
    """
    run = Offline(open(path, **options), only_line=line)
    if until_ns is not None:
        run.until(until_ns)
    run.advance()
    return Outcome(run.result(), run.receiver.state.books)
