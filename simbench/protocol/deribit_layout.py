"""Deribit's multicast SBE as a table: the kernels' offsets, the reader of the tests and guessing come from here.

Everything is little-endian. Frame, SBE heads, book and snapshot are as the exchange describes them. The other messages
were found in recorded frames (2023, template versions 2 and 3), each field by what it had to be equal to: a trade's
price by the levels that the next book message removes, its side by theirs; a ticker's figures by the last trade, by the
price index and by the best levels of the books; what an instrument's definition says by its name, and by the prices and
amounts that are multiples of its tick and of its least amount. Template 1010 is 1000 without its ninth byte, in 194 of
194 pairs. What nothing told is not named here.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simbench.protocol.contract import COUNTS

Fields = tuple[tuple[str, int, str], ...]

FRAME: Final[Fields] = (("length", 0, "u16"), ("channel", 2, "u16"), ("sequence", 4, "u32"))
HEAD: Final[Fields] = (
    ("blockLength", 0, "u16"),
    ("templateId", 2, "u16"),
    ("schemaId", 4, "u16"),
    ("version", 6, "u16"),
    ("numGroups", 8, "u16"),
    ("numVarData", 10, "u16"),
)
GROUP: Final[Fields] = (
    ("blockLength", 0, "u16"),
    ("numInGroup", 2, "u16"),
    ("numGroups", 4, "u16"),
    ("numVarData", 6, "u16"),
)
FRAME_SIZE: Final = 8
HEAD_SIZE: Final = 12
GROUP_SIZE: Final = 8
SCHEMA: Final = 1

INSTRUMENT: Final = 1000
BOOK: Final = 1001
TRADES: Final = 1002
TICKER: Final = 1003
SNAPSHOT: Final = 1004
SNAPSHOT_START: Final = 1005
SNAPSHOT_END: Final = 1006
PRICE_INDEX: Final = 1008
INSTRUMENT_2: Final = 1010


def _instrument(shorter: int) -> Fields:
    """Return the fields of an instrument, most of which lie so many bytes before their place in template 1000."""
    return (
        ("instrument", 0, "u32"),
        ("base_currency", 12 - shorter, "text8"),
        ("expires", 60 - shorter, "u64"),  # ms since 1970, as all times
        ("strike", 68 - shorter, "f64"),  # NaN for what is no option
        ("contract_size", 76 - shorter, "f64"),
        ("minimum_amount", 84 - shorter, "f64"),
        ("tick_size", 92 - shorter, "f64"),
    )


# Every message: name, size of its root block, its fields; size and fields of an entry of its group where it has one
# that is read. Behind the groups of the instruments comes the name, one byte of length before it.
TABLE: Final[dict[int, tuple[str, int, Fields, int, Fields]]] = {
    BOOK: (
        "book",
        29,
        (
            ("instrument", 0, "u32"),
            ("time", 4, "u64"),
            ("previous_change", 12, "u64"),
            ("change", 20, "u64"),
            ("is_last", 28, "u8"),  # message of this change
        ),
        18,
        (("side", 0, "u8"), ("change", 1, "u8"), ("price", 2, "f64"), ("amount", 10, "f64")),
    ),
    TICKER: (
        "ticker",
        133,
        (
            ("instrument", 0, "u32"),
            ("time", 5, "u64"),
            ("last_price", 37, "f64"),
            ("index_price", 45, "f64"),
            ("best_bid_price", 61, "f64"),
            ("best_bid_amount", 69, "f64"),
            ("best_ask_price", 77, "f64"),
            ("best_ask_amount", 85, "f64"),
        ),
        0,
        (),
    ),
    TRADES: (
        "trades",
        4,
        (("instrument", 0, "u32"),),
        83,
        (
            ("direction", 0, "u8"),
            ("price", 1, "f64"),
            ("amount", 9, "f64"),
            ("time", 17, "u64"),
            ("index_price", 33, "f64"),
            ("sequence", 41, "u64"),  # of the instrument's trades
            ("trade", 49, "u64"),
        ),
    ),
    SNAPSHOT: (
        "snapshot",
        22,
        (
            ("instrument", 0, "u32"),
            ("time", 4, "u64"),
            ("change", 12, "u64"),
            ("is_complete", 20, "u8"),
            ("is_last", 21, "u8"),
        ),
        17,
        (("side", 0, "u8"), ("price", 1, "f64"), ("amount", 9, "f64")),
    ),
    INSTRUMENT: ("instrument", 140, _instrument(0), 0, ()),
    INSTRUMENT_2: ("instrument (2)", 139, _instrument(1), 0, ()),
    SNAPSHOT_START: ("snapshot start", 4, (("delay", 0, "u32"),), 0, ()),
    SNAPSHOT_END: ("snapshot end", 0, (), 0, ()),
    PRICE_INDEX: ("price index", 32, (("name", 0, "text16"), ("price", 16, "f64"), ("time", 24, "u64")), 0, ()),
}
ASK_SIDE, BID_SIDE = 0, 1  # of a level
DELETE: Final = 2  # change of a level; 0 new, 1 changed
BUY, SELL = 0, 1  # direction of a trade: what the aggressor did

# By template id - INSTRUMENT: the counter in the state (0: not known), the least sizes of root block and entry.
KNOWN: Final = 16
COUNTER, ROOT, ENTRY = 0, 1, 2
ROW: Final = 4


def _rows() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rows = np.zeros(KNOWN * ROW, np.int64)
    for index, (template, (_, root, _, entry, _)) in enumerate(TABLE.items()):
        at = (template - INSTRUMENT) * ROW
        rows[at : at + ROW] = COUNTS + index, root, entry, 0
    return rows


ROWS: Final = _rows()


def offset(template: int, name: str) -> int:
    """Return the offset of a field in its root block."""
    return {field: at for field, at, _ in TABLE[template][2]}[name]


def entry_offset(template: int, name: str) -> int:
    """Return the offset of a field in an entry."""
    return {field: at for field, at, _ in TABLE[template][4]}[name]


# The words of a state behind the counters by message type.
FLOWS: Final = COUNTS + len(TABLE)  # where each snapshot flow stands, by its number modulo FLOW_ROWS
FLOW_ROWS: Final = 16
OPEN: Final = 0  # instrument + 1 whose snapshot goes on in the next message; 0 none
OPEN_CHANGE: Final = 1  # the change that it is at
TORN: Final = 2  # 1: something is missing, so that the next snapshot may be the rest of one
FLOW_WORDS: Final = 3
WALK: Final = FLOWS + FLOW_ROWS * FLOW_WORDS  # scratch of the walk over groups, a frame for each depth
WALK_DEPTH: Final = 4
WALK_WORDS: Final = 6
SCALES: Final = WALK + WALK_DEPTH * WALK_WORDS  # instruments defined, then a table: id + 1 and digits of each
SCALE_SLOTS: Final = 4096  # far more instruments than a channel has
SCALE_WORDS: Final = 2
STATE_SIZE: Final = SCALES + 1 + SCALE_SLOTS * SCALE_WORDS

LAYOUTS: Final = {
    "frame": FRAME,
    "message": HEAD,
    "group": GROUP,
    **{f"{template}": fields for template, (_, _, fields, _, _) in TABLE.items()},
    **{f"{template} entry": fields for template, (_, _, _, _, fields) in TABLE.items() if fields},
}
