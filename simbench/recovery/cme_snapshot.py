"""CME market recovery: all books of a channel as the packets of one loop of its snapshot feed.

A channel has two such feeds, one by level (templates 52, and 38 at 1e-7 for what came in schema versions up to 8) and
one order by order (53 and 44). The receiver's books decide which it is: those of `cme.mdp3` are levels, those of
`cme.mdp3.orders` are orders. The packets of a loop are numbered from 1. A packet holds as many messages as fit: "more
than one instrument can be updated in a packet". A book of more orders than a packet has room for comes in chunks; a
message by level cannot be cut and, when it alone is longer than the limit, goes alone.

A snapshot is complete: what it does not carry is empty. So what is said has to be known, and these limits follow:

- Levels that were never sent to the receiver are left out, with the numbers of the others as they are. Between known
  levels they are unknown again to whoever reads it; behind the last known one they seem empty.
- An instrument whose rptSeq was never seen, or whose book has missed something, is left out of the loop. Orders have no
  rptSeq: where a packet of the channel is lost, no book by order is known any more, and there is no loop of them.
- So is a book that the message cannot hold: a quantity beyond 32 bits, a level number beyond 126, 256 levels.
- Statistics, limits and dates are null, for a book does not keep them. The trading status is there once it was sent.
- TransactTime, which should be that of the instrument's last event, is the sent time of the last packet delivered.

Source: CME Group Client Systems Wiki, "MDP 3.0 - MBP and MBOFD Market Recovery"; schema versions 8 and 9.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from simbench.book.layout import CURRENT, KNOWN, NO_PRICE
from simbench.event import ASK, BID
from simbench.feed.layout import LOST, OUTCOMES
from simbench.protocol.cme_layout import shipped
from simbench.protocol.contract import COUNTS, SENT, SEQUENCE
from simbench.protocol.sbe_rows import RowTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from simbench.book.books import Books
    from simbench.receive.receiver import Receiver

    Records = NDArray[Any]

LOOPED: Final = frozenset({"cme.mdp3", "cme.mdp3.orders"})  # protocols whose loops these are
LIMIT: Final = 1_400  # bytes of UDP payload, so that no tunnel on the way fragments it
PACKET_HEAD: Final = struct.Struct("<IQ")  # sequence, sent time
SIZE: Final = struct.Struct("<H")  # of a message, its own two bytes included
ENTRY_TYPES: Final = np.array([b"0", b"1", b"E", b"F"])  # by side
NEW, OLD = 9, 8  # schema versions
LEVEL_TEMPLATES: Final = {NEW: 52, OLD: 38}
ORDER_TEMPLATES: Final = {NEW: 53, OLD: 44}
SCALE: Final = 100  # from the 1e-9 of books and of the new version to the 1e-7 of the old one
LARGEST_QUANTITY: Final = 2**31 - 2  # above it is null
LARGEST_LEVEL: Final = 126  # likewise


class Packet(NamedTuple):
    """A packet of a snapshot feed.

    Attributes:
        sent_ns: its sent time, which its head says too.
        payload: the datagram's.
    """

    sent_ns: int
    payload: bytes


def snapshot_packets(
    receiver: Receiver, channel: int, sent_ns: int, *, over_ns: int = 0, limit: int = LIMIT
) -> list[Packet]:
    """Return the packets of one loop over the books of a channel as they are now; none where no book is known.

    Args:
        receiver: that has applied all it has decoded, as it has whenever its `take` returns.
        channel: number of a channel of `cme.mdp3` or `cme.mdp3.orders`.
        sent_ns: sent time of the first packet, ns since 1970.
        over_ns: time that the loop takes: its packets are sent at equal distances.
        limit: bytes of payload at most.
    """
    state, books = receiver.channel_state(channel), receiver.state.books
    by_order = receiver.protocol(channel).book == "order"
    entries_of = _orders if by_order else _levels
    instruments = books.instruments
    served = [
        (instruments[index], *said)
        for index, version in _served(receiver, channel)
        if (said := entries_of(books, index, version)) is not None
    ]
    loop = {
        "LastMsgSeqNumProcessed": int(state[SEQUENCE]),
        "TotNumReports": len(served),
        "TransactTime": int(state[SENT]),
    }
    room = limit - PACKET_HEAD.size
    messages = (
        message
        for instrument, template, entries in served
        for message in (
            _chunks(template, instrument, entries, loop, room - SIZE.size)
            if by_order
            else [_full_refresh(template, instrument, entries, loop)]
        )
    )
    bodies = _packed(messages, room)
    times = [sent_ns + over_ns * place // len(bodies) for place in range(len(bodies))]
    return [
        Packet(time, PACKET_HEAD.pack(number, time) + body)
        for number, (time, body) in enumerate(zip(times, bodies, strict=True), start=1)
    ]


def _served(receiver: Receiver, channel: int) -> list[tuple[int, int]]:
    """Return the instruments of which something can be said, by index, and the schema version that each came in."""
    rows = receiver.state.books.instruments
    known = (rows["channel"] == channel) & (rows["state"] == CURRENT)
    if receiver.protocol(channel).book == "order":
        known &= not any(gap["outcome"] == OUTCOMES[LOST] for gap in receiver.state.sequencer.gaps(channel))
    else:
        known &= rows["sequence"] >= 0
    chosen = np.flatnonzero(known)
    defined = rows["other"][chosen]
    versions = np.where(defined > 0, defined, _version(receiver.channel_state(channel)))
    return list(zip(chosen.tolist(), versions.tolist(), strict=True))


def _version(state: NDArray[np.int64]) -> int:
    """Return the schema version of a channel without definitions: 9 where a message came that was new in it."""
    new = (number for number, template in shipped().templates.items() if template.since >= NEW)
    return NEW if any(state[COUNTS + number] for number in new) else OLD


@cache
def _template(number: int, version: int) -> RowTemplate:
    return RowTemplate(shipped(), number, version)


def _priced(templates: dict[int, int], version: int, prices: Records) -> tuple[RowTemplate, Records]:
    """Return the template of a version, and prices as its mantissas; the new one where the old has too few digits."""
    absent = prices == NO_PRICE
    if version >= NEW or (prices[~absent] % SCALE).any():
        return _template(templates[NEW], NEW), prices
    return _template(templates[OLD], OLD), np.where(absent, NO_PRICE, prices // SCALE)


def _levels(books: Books, index: int, version: int) -> tuple[RowTemplate, Records] | None:
    """Return the known levels of a book as entries of a template, None where it cannot hold them."""
    sides = [books.levels(index, side) for side in range(len(ENTRY_TYPES))]
    sizes = [len(rows) for rows in sides]
    found = np.concatenate(sides)
    known = found["known"] == KNOWN
    found = found[known]
    numbers = np.concatenate([np.arange(1, size + 1) for size in sizes])[known]
    template, prices = _priced(LEVEL_TEMPLATES, version, found["price"])
    if len(found) > template.most or numbers.max(initial=0) > LARGEST_LEVEL or _too_large(found):
        return None
    entries = template.rows(len(found))
    entries["MDEntryPx"] = prices
    entries["MDEntrySize"] = found["quantity"]
    counted = found["orders"] >= 0
    entries["NumberOfOrders"][counted] = found["orders"][counted]
    entries["MDPriceLevel"] = numbers
    entries["MDEntryType"] = np.repeat(ENTRY_TYPES, sizes)[known]
    return template, entries


def _orders(books: Books, index: int, version: int) -> tuple[RowTemplate, Records] | None:
    """Return the orders of a book as entries of a template, None where it cannot hold them."""
    sides = [books.orders(index, side) for side in (BID, ASK)]
    found = np.concatenate(sides)
    template, prices = _priced(ORDER_TEMPLATES, version, found["price"])
    if _too_large(found):
        return None
    entries = template.rows(len(found))
    entries["OrderID"] = found["order"]
    given = found["priority"] > 0
    entries["MDOrderPriority"][given] = found["priority"][given]
    entries["MDEntryPx"] = prices
    entries["MDDisplayQty"] = found["quantity"]
    entries["MDEntryType"] = np.repeat(ENTRY_TYPES[: len(sides)], [len(rows) for rows in sides])
    return template, entries


def _too_large(rows: Records) -> bool:
    return bool(rows["quantity"].max(initial=0) > LARGEST_QUANTITY)


def _full_refresh(template: RowTemplate, instrument: Any, entries: Records, loop: dict[str, int]) -> bytes:
    """Return the message of a book by level."""
    status = int(instrument["status"])
    fields = {
        **loop,
        "SecurityID": int(instrument["key"]),
        "RptSeq": int(instrument["sequence"]),
        "MDSecurityTradingStatus": status if status > 0 else None,
    }
    return template.message(fields, entries)


def _chunks(
    template: RowTemplate, instrument: Any, entries: Records, loop: dict[str, int], room: int
) -> Iterator[bytes]:
    """Yield the messages of a book order by order; one without orders is one chunk."""
    most = max(min((room - template.head) // template.size, template.most), 1)
    count = max(-(-len(entries) // most), 1)
    for chunk in range(count):
        fields = {
            **loop,
            "SecurityID": int(instrument["key"]),
            "NoChunks": count,
            "CurrentChunk": chunk + 1,
        }
        yield template.message(fields, entries[chunk * most : (chunk + 1) * most])


def _packed(messages: Iterable[bytes], room: int) -> list[bytes]:
    """Return messages, each with its size in front, in as few packets as their order allows."""
    bodies: list[bytes] = []
    for message in messages:
        framed = SIZE.pack(len(message) + SIZE.size) + message
        if bodies and len(bodies[-1]) + len(framed) <= room:
            bodies[-1] += framed
        else:
            bodies.append(framed)
    return bodies
