"""The layout of the one block of memory that holds all books of a receiver.

memory is int64[::1]: a header of named words, then sections whose bases stand in the header. Nothing points outside
and nothing points by address: links are indices into a section, so a copy of the array is a checkpoint.

    header        the words named below
    channels      CHANNEL_WORDS each: what every instrument of the channel starts with, counters of anomalies
    instruments   INSTRUMENT_WORDS each, in order of first sight; found by (channel, native key)
    records       orders and price levels, one cache line each, in one pool: a level is the sentinel of the ring of
                  its orders, so that an order leaves its queue without a branch. Record 0 is nobody.
    nodes         of the trees that sort the prices of a side (tree.py)
    ladders       the levels of books by number (ladder.py), a block for each instrument that has any
    touches       which instruments missed something, or were named by what filled a gap (touched.py)
    waiting       events of stale books, in queues (waiting.py), where a channel's books wait for snapshots
    slots         three open-addressing tables (table.py): instruments, orders, levels

A pool hands out freed places first, then fresh ones from its top; what was never handed out is zero and, the array
being mapped lazily, costs no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

LAYOUT_VERSION: Final = 3
LINE: Final = 8  # words of a cache line: sections start on one

# The header.
VERSION_WORD: Final = 0
SEED: Final = 1  # of the hash tables; secret, so that nobody can choose ids or prices that collide
SECRET_1: Final = 2  # odd multipliers that join the parts of a key
SECRET_2: Final = 3
MOST_INSTRUMENTS: Final = 4  # that the block grows to have room for
MOST_ORDERS: Final = 5
MOST_LEVELS: Final = 6
MOST_LADDERS: Final = 7  # words
CHANNELS: Final = 8  # base
CHANNEL_COUNT: Final = 9
INSTRUMENTS: Final = 10  # base, room, how many
INSTRUMENT_ROOM: Final = 11
INSTRUMENT_COUNT: Final = 12
RECORDS: Final = 13  # base, room, first never used, head of the freed ones
RECORD_ROOM: Final = 14
RECORD_TOP: Final = 15
RECORD_FREE: Final = 16
ORDER_ROOM: Final = 17
ORDER_COUNT: Final = 18
LEVEL_ROOM: Final = 19
LEVEL_COUNT: Final = 20
NODES: Final = 21  # base, room, first never used, head of the freed ones, how many in use
NODE_ROOM: Final = 22
NODE_TOP: Final = 23
NODE_FREE: Final = 24
NODE_COUNT: Final = 25
LADDERS: Final = 26  # base, room and top in words
LADDER_ROOM: Final = 27
LADDER_TOP: Final = 28
INSTRUMENT_SLOTS: Final = 29  # base and mask of each table
INSTRUMENT_MASK: Final = 30
ORDER_SLOTS: Final = 31
ORDER_MASK: Final = 32
LEVEL_SLOTS: Final = 33
LEVEL_MASK: Final = 34
WAITING: Final = 35  # base, room, first never used, head of the freed ones; row 0 is nobody
WAIT_ROOM: Final = 36
WAIT_TOP: Final = 37
WAIT_FREE: Final = 38
DRAINING: Final = 39  # index + 1 of the next instrument whose queue goes into its book; 0 none
PATH: Final = 40  # scratch of a descent in a tree: node and position by height
PATH_DEPTH: Final = 24  # 8**24 insertions would be needed for a higher tree
RESTORED: Final = 88  # index of the instrument that gather() has just finished
TOUCHES: Final = 89  # base, and rows written
TOUCH_TOP: Final = 90
UNTOLD_MISSED: Final = 91  # rows for which there was no room
UNTOLD_FILLED: Final = 92
AHEAD: Final = 96  # scratch of the looks at the next events (ahead.py), by their place in the batch
AHEAD_MASK: Final = 63
AHEAD_PLACE: Final = 0  # slot, then record, of the order, or of the level of a new one; slot of where it moves to
AHEAD_HASH: Final = 1
AHEAD_INSTRUMENT: Final = 2  # slot, then word, of the instrument that the event names, or of any
AHEAD_LEVEL: Final = 3  # hash of that; then word of the level that the order is in
AHEAD_ORDER: Final = 4  # hash of the order
AHEAD_WORDS: Final = 8
HEADER_WORDS: Final = 608

# A channel.
CHANNEL_KIND: Final = 0
CHANNEL_PRICE_EXPONENT: Final = 1
CHANNEL_QUANTITY_EXPONENT: Final = 2
CHANNEL_TEXT_KEY: Final = 3
CHANNEL_DEPTH: Final = 4
CHANNEL_IMPLIED_DEPTH: Final = 5
CHANNEL_TOUCHED: Final = 6  # instruments that the present exchange event has changed: index + 2 of the first, 0 none
CHANNEL_WAS_RESET: Final = 7  # since then books that were never seen are known to be empty
CHANNEL_ANOMALIES: Final = 8  # three words a kind: count, time of the first, time of the last
CHANNEL_RESET_TIME: Final = 63  # when all its books were last emptied
CHANNEL_SNAPSHOTS: Final = 64  # what snapshots are to its books, of the five below
CHANNEL_SNAPSHOT_COUNTS: Final = 65  # in the order of SNAPSHOT_COUNTS
CHANNEL_REACHED: Final = 72  # highest sequence of the channel that an event had, where books wait
CHANNEL_LOST: Final = 73  # highest sequence of the channel that is lost, where books wait by packet; 0 none
CHANNEL_RESET_AT: Final = 74  # sequence of the channel at which a message emptied all its books
CHANNEL_WORDS: Final = 80

# A row of the log of touches: channel, instrument, and the sequences of the channel between which it missed something;
# or ~channel, instrument, and the number of the gap record that an event of it filled, twice.
TOUCH_WORDS: Final = 4
TOUCH_ROOM: Final = 1 << 14  # rows, 512 KiB

UNUSED: Final = 0  # what a book misses makes it stale, and nothing is done about it
REQUIRED: Final = 1  # a book is known from a snapshot on (snapshots.py)
AWAITED: Final = 2  # a book that missed something waits for one (waiting.py)
REFRESHES: Final = 3  # or is emptied and goes on
AWAITED_BY_PACKET: Final = 4  # what the channel lost may be any book's, and all wait for one (packet_waiting.py)

WAIT_WORDS: Final = 16  # of a waiting event: the next one of its instrument, then the fields of EVENT
WAIT_SEQUENCE: Final = 6  # its instrument's
WAIT_TIME: Final = 13
WAIT_PACKET: Final = 14  # the channel's
WAIT_ROWS: Final = 1 << 16  # 8 MiB: what 100 instruments send in some seconds

BY_ORDER: Final = 0
BY_PRICE: Final = 1
BY_LEVEL: Final = 2
KINDS: Final = ("order", "price", "level")

ANOMALIES: Final = (
    "unknown_order",  # an execution, change or end of an order that is not in the book
    "duplicate_order",  # a new order under the id of a living one, which it replaces
    "over_executed",  # more taken from an order than it had; it ends at nothing
    "price_mismatch",  # a level by number that is changed or deleted under another price than it has
    "unknown_level",  # a level that the book knows to be empty is changed or deleted
    "crossed",  # at the end of an exchange event the bid was above the ask, and was not before
    "bad_quantity",  # not above zero where an order or an execution needs it, below zero elsewhere
    "bad_side",  # none of the four
    "bad_level",  # a level number below 1 or beyond the depth
    "overflow",  # a level's quantity beyond 64 bits; the order is left out
    "unknown_instrument",  # no native key where one is needed
    "instrument_gap",  # instrument sequences that are missing
    "instrument_backward",  # an instrument sequence below the last
    "foreign_event",  # an event of another kind of book than the channel's, or of no kind
    "broken_chain",  # a change that does not follow the last one of its instrument
    "snapshot_differs",  # a snapshot that a current book should have been equal to
    "no_room",  # an event that needs more instruments, orders or levels than the books may have; it is left out
)
UNKNOWN_ORDER: Final = 0
DUPLICATE_ORDER: Final = 1
OVER_EXECUTED: Final = 2
PRICE_MISMATCH: Final = 3
UNKNOWN_LEVEL: Final = 4
CROSSED: Final = 5
BAD_QUANTITY: Final = 6
BAD_SIDE: Final = 7
BAD_LEVEL: Final = 8
OVERFLOW: Final = 9
UNKNOWN_INSTRUMENT: Final = 10
INSTRUMENT_GAP: Final = 11
INSTRUMENT_BACKWARD: Final = 12
FOREIGN_EVENT: Final = 13
BROKEN_CHAIN: Final = 14
SNAPSHOT_DIFFERS: Final = 15
NO_ROOM: Final = 16

# What became of snapshots, where books are known from them; those that differ are an anomaly.
SNAPSHOT_COUNTS: Final = (
    "taken",  # filled a book
    "equal",  # had every level of a current book, and no other
    "old",  # left out: the book had gone beyond it
    "unfinished",  # its end never came, or a change of the book came in between
    "covered",  # events of changes that were left out: the book had them already
    "confirming",  # were at the place of a current book, and left it as it is
    "overflowed",  # queues of waiting events that were given up for want of room
)
TAKEN: Final = 0
EQUAL: Final = 1
OLD: Final = 2
UNFINISHED: Final = 3
COVERED: Final = 4
CONFIRMING: Final = 5
OVERFLOWED: Final = 6

# What is done with the snapshot under way.
NONE: Final = 0
FILL: Final = 1  # it becomes the book
COMPARE: Final = 2  # it has to be equal to the book
LEAVE: Final = 3  # nothing

# An instrument, as words and as the dtype of Books.instruments. The first cache line is what every change touches.
INSTRUMENT: Final = np.dtype(
    [
        ("key", "i8"),  # native, as the event carries it: uint64 in two's complement
        ("channel", "i8"),
        ("version", "i8"),  # moves with every change of the book
        ("events", "i8"),
        ("touched", "i8"),  # changed in the present exchange event: index + 2 of the next such, 1 last; 0 unchanged
        ("sequence", "i8"),  # last instrument sequence or change id; -1 before the first
        ("crossed", "i8"),  # at the end of the last exchange event
        ("state", "i8"),  # of STATES
        ("sides", "i8", (4, 4)),  # root and last node (-1 none), levels, best price; by event.BID and so on
        ("symbol", "i8", (3,)),  # 24 characters, each 8 packed big-endian
        ("price_exponent", "i8"),
        ("quantity_exponent", "i8"),
        ("depth", "i8"),  # levels a side of a book by number; 0 unlimited
        ("implied_depth", "i8"),
        ("display_factor", "i8"),  # 1e-9; 0 not said
        ("ladder", "i8"),  # word offset in the ladders; -1 none
        ("ladder_room", "i8"),  # levels a side for which the ladder has room
        ("ladder_implied_room", "i8"),
        ("holes", "i8"),  # instrument sequences missed
        ("defined", "i8"),  # definitions seen
        ("other", "i8"),  # what else the protocol keeps of the instrument: `orders` of its definition; 0 before
        ("status", "i8"),  # last trading status, the protocol's own code
        ("snapshot", "i8"),  # what is done with the one that is under way (snapshots.py)
        ("trades", "i8"),  # from here on one cache line, which every execution touches
        ("last_price", "i8"),  # of the last trade or printable execution
        ("last_quantity", "i8"),
        ("last_time", "i8"),
        ("volume", "i8"),  # traded, as far as the feed tells
        ("before", "i8"),  # id before the last, while the change between them goes on; -1 when it is whole
        ("changed", "i8"),  # exchange time of the last change or snapshot
        ("left", "i8"),  # of a comparison: levels that the snapshot has not had yet
        ("mark", "i8"),  # of a comparison: zero when the levels of book and snapshot were the same
        ("confirmed", "i8"),  # of a book that may wait: the channel's sequence up to which it is known to be right
        ("needed", "i8"),  # while it waits: instrument sequence, or the channel's, that a snapshot has to be at
        ("first", "i8"),  # row of the first event that waits; 0 none
        ("last", "i8"),
        ("next", "i8"),  # while its queue goes into its book: 1 + DRAINING of the one after it; else 0
        ("since", "i8"),  # exchange time at which it became stale, or was refreshed
        ("from", "i8"),  # what `confirmed` was before the last snapshot
        ("placed", "i8"),  # sequence of the channel that this snapshot was taken at
        ("reason", "i8"),  # why it is not current, of REASONS
        ("part", "i8"),  # of the snapshot that fills it: the next one; 0 none
        ("spare", "i8", (5,)),
    ]
)
INSTRUMENT_WORDS: Final = 64
KEY: Final = 0
CHANNEL: Final = 1
VERSION: Final = 2
EVENTS: Final = 3
TOUCHED: Final = 4
SEQUENCE: Final = 5
IS_CROSSED: Final = 6
STATE: Final = 7
SIDES: Final = 8
SYMBOL: Final = 24
PRICE_EXPONENT: Final = 27
QUANTITY_EXPONENT: Final = 28
DEPTH: Final = 29
IMPLIED_DEPTH: Final = 30
DISPLAY_FACTOR: Final = 31
LADDER: Final = 32
LADDER_ROOM_EXPLICIT: Final = 33
LADDER_ROOM_IMPLIED: Final = 34
HOLES: Final = 35
DEFINED: Final = 36
OTHER: Final = 37
STATUS_CODE: Final = 38
SNAPSHOT_UNDER_WAY: Final = 39
TRADES: Final = 40
LAST_PRICE: Final = 41
LAST_QUANTITY: Final = 42
LAST_TIME: Final = 43
TRADED_VOLUME: Final = 44
BEFORE_LAST: Final = 45
CHANGED: Final = 46
LEFT: Final = 47
MARK: Final = 48
CONFIRMED: Final = 49
NEEDED: Final = 50
WAIT_FIRST: Final = 51
WAIT_LAST: Final = 52
NEXT_DRAINED: Final = 53
STALE_SINCE: Final = 54
RESTORED_FROM: Final = 55
PLACED: Final = 56
REASON: Final = 57
NEXT_PART: Final = 58

# Words of a side within the instrument.
SIDE_WORDS: Final = 4
ROOT: Final = 0
LAST: Final = 1
COUNT: Final = 2
BEST: Final = 3

# Stale: changes are missing and no snapshot has come since. Unsynchronised: none has come at all, where books need one.
STATES: Final = ("current", "stale", "unsynchronised", "naturally refreshed")
CURRENT: Final = 0
STALE: Final = 1
UNSYNCHRONISED: Final = 2
REFRESHED: Final = 3
NOTHING_YET: Final = 4  # what a current book of which nothing has come is called where states are counted
STANDINGS: Final = (*STATES, "empty")

# Why a book is what it is, where it is not current.
REASONS: Final = (
    "no_snapshot",  # none has come yet
    "instrument_gap",  # as the anomalies
    "broken_chain",
    "snapshot_differs",
    "no_room",
    "unfinished",  # a snapshot began to fill it, and its end has not come
    "rescaled",  # a definition said that its integers mean something else from then on
    "restart",  # a new epoch, in which nothing is known yet
)
WITHOUT_SNAPSHOT: Final = 0
AFTER_GAP: Final = 1
AFTER_BREAK: Final = 2
AFTER_DIFFERENCE: Final = 3
LEFT_OUT: Final = 4
HALF_FILLED: Final = 5
RESCALED: Final = 6
RESTARTED: Final = 7

# A record. Words 1 to 6 mean alike in an order and in its level, so that prefetching need not know which it has.
RECORD_WORDS: Final = 8
ID: Final = 0  # order id; 0 in a level
PLACE: Final = 1  # channel << 40 | instrument << 2 | side; -1 in a freed record
PRICE: Final = 2
QUANTITY: Final = 3
LEVEL: Final = 4  # record of the level; a level's own
BEFORE: Final = 5  # record of the order before in the queue, the level before the first; of a level the last order
BEHIND: Final = 6  # likewise behind; of a level the first order
PRIORITY: Final = 7  # of an order
ORDERS: Final = 7  # of a level: how many; -1 where the protocol does not say
PLACE_CHANNEL: Final = 40
PLACE_INSTRUMENT: Final = (1 << 38) - 1  # of place >> 2

# A node of a tree.
NODE_KEYS: Final = 16
NODE_SIZE: Final = 0  # keys in use
NODE_WORSE: Final = 1  # neighbours of a leaf; the next free one of a freed node
NODE_BETTER: Final = 2
NODE_HEIGHT: Final = 3  # 0 leaf; -1 free
NODE_KEY: Final = 8  # ascending, the best last; INT64_MAX where unused
NODE_CHILD: Final = 24  # records of levels in a leaf, nodes above
NODE_WORDS: Final = 40

# A level of a ladder.
RUNG_WORDS: Final = 4
RUNG_PRICE: Final = 0
RUNG_QUANTITY: Final = 1
RUNG_ORDERS: Final = 2
RUNG_STATE: Final = 3
UNKNOWN: Final = 0  # never sent
KNOWN: Final = 1
EMPTY: Final = 2  # known to hold nothing
DEPTH_LIMIT: Final = 255  # levels a side, also of a depth that says unlimited
LADDER_LIMIT: Final = 4 * DEPTH_LIMIT * RUNG_WORDS

INT64_MAX: Final = (1 << 63) - 1
NO_PRICE: Final = INT64_MAX  # a price that the protocol leaves out
LOW: Final = (1 << 32) - 1  # of a slot: the index; above it bits of the hash
HIGH: Final = ~LOW


@dataclass(frozen=True)
class BookChannel:
    """What the books of a channel are like.

    Attributes:
        name: of the channel.
        price_exponent: of prices where no definition says otherwise, 10**exponent.
        quantity_exponent: likewise.
        text_key: whether native keys are characters (ITCH symbols) or numbers.
        kind: "order" (order by order), "price" (levels by price) or "level" (levels by number).
        depth: levels a side in books by number where no definition says otherwise; 0 unlimited.
        implied_depth: likewise on the implied sides.
        snapshots: what they are to its books: UNUSED, REQUIRED, AWAITED, REFRESHES or AWAITED_BY_PACKET; order by
            order it is UNUSED or the last of these.
    """

    name: str
    price_exponent: int
    quantity_exponent: int = 0
    text_key: bool = False
    kind: str = "order"
    depth: int = 0
    implied_depth: int = 0
    snapshots: int = UNUSED
