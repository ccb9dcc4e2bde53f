"""The event, the second currency: what a protocol says happened, in terms that every book understands."""

from __future__ import annotations

from typing import Final

import numpy as np

EVENT: Final = np.dtype(
    [
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "u2"),
        ("level", "i2"),  # by number, 1 is best; 0 where the protocol has no level numbers
        ("orders", "i4"),  # orders in the level; -1 where the protocol does not say
        ("instrument_sequence", "u4"),  # per instrument (CME rptSeq); 0 none
        (
            "instrument",
            "u8",
        ),  # native key: a 64-bit id, or up to 8 characters packed big-endian; 0 where only the order tells
        ("order", "u8"),  # or change id, where CHAINED
        ("other", "u8"),  # new order id, match id, or previous change id
        ("priority", "u8"),
        ("price", "i8"),  # at the instrument's price exponent
        ("quantity", "i8"),  # at the instrument's quantity exponent
        ("time", "i8"),  # exchange time, ns since 1970; 0 none
        ("sequence", "u8"),  # of the packet or message, in the protocol's unit
    ],
    align=True,
)

# Sides. A book has four; the implied ones only where a protocol sends them.
BID: Final = 0
ASK: Final = 1
IMPLIED_BID: Final = 2
IMPLIED_ASK: Final = 3

# Kinds: order by order.
ADD: Final = 1  # order, side, price, quantity, instrument, priority (0: at the end of the queue)
EXECUTE: Final = 2  # order, quantity taken away; other: match id
EXECUTE_AT: Final = 3  # as EXECUTE, at a price of its own (which does not touch the level's)
REDUCE: Final = 4  # order, quantity taken away
DELETE: Final = 5  # order
REPLACE: Final = 6  # order (old), other (new), price, quantity; side and instrument are the old order's
MODIFY: Final = 7  # order, price, quantity as they are now; loses its place unless KEEP_PRIORITY

# Kinds: levels by price.
LEVEL: Final = 10  # side, price, quantity, orders as they are now; quantity 0 removes

# Kinds: levels by number (event.level, 1 is best).
LEVEL_NEW: Final = 11  # shifts that level and what is below it down; what falls beyond the depth is gone
LEVEL_CHANGE: Final = 12
LEVEL_DELETE: Final = 13  # shifts what is below it up
LEVEL_DELETE_THROUGH: Final = 14  # empties the side (CME DeleteThru)
LEVEL_DELETE_FROM: Final = 15  # removes the best levels down to the given one (CME DeleteFrom)
LEVEL_OVERLAY: Final = 16  # replaces the level, price included

# Kinds: whole books.
CLEAR: Final = 20  # one instrument: its book is empty
RESET: Final = 21  # the channel: all its books are empty, instrument sequences start again
# One instrument: empty, every level known, to be filled by what follows; says what it is at, in instrument_sequence or
# in order (CHAINED). Where books are known from snapshots, what follows is FROM_SNAPSHOT up to END and may be compared.
SNAPSHOT: Final = 22
# One instrument: what follows is FROM_SNAPSHOT and belongs to what a SNAPSHOT with the same `other` began.
# orders: which part of it this is, above 1.
SNAPSHOT_PART: Final = 23
# The channel: its sequences from `sequence` to `other` never came; other below sequence where none is known to be
# missing. What a receiver says itself, for books whose instruments have no sequences of their own.
LOST: Final = 24

# Kinds that leave every book as it is.
DEFINE: Final = 30  # see define() in protocol/contract.py for the fields
TRADE: Final = 40  # price, quantity, side of the aggressor where known (255 not), other: match id
STATUS: Final = 41  # quantity: the protocol's own code
STATISTIC: Final = 42
VOLUME: Final = 43
NOTE: Final = 44  # any other message that names an instrument

NO_SIDE: Final = 255
NO_PRICE: Final = 2**63 - 1  # a level or statistic that the exchange sends without a price

# Flags.
END: Final = 1 << 0  # the last of one exchange event: books are consistent after it
FROM_SNAPSHOT: Final = 1 << 1
KEEP_PRIORITY: Final = 1 << 2
NOT_PRINTABLE: Final = 1 << 3  # an execution that volume statistics leave out
CHAINED: Final = 1 << 4  # order: id of the change, which all events of it share; other: id of the one before it
ANEW: Final = 1 << 5  # of LOST: the channel's sequences begin anew, and those so far name nothing any more
MESSAGE_END: Final = 1 << 6  # the last of its message; flagged by the receiver, while somebody goes on by messages
