"""IEX's messages as a table: TOPS, DEEP and DEEP+ share most of them, and no letter means two things.

Source: TOPS specification 1.66, DEEP 1.08 and DEEP+ 1.02, chapters "Administrative", "Trading" and "Auction message
formats". Integers are little-endian, prices are signed 1e-4 dollars, times nanoseconds since 1970, text is padded with
spaces. A message may grow at its end, and types may be added, without notice.
"""

from __future__ import annotations

from typing import Final

STAMP: Final = ("timestamp", 2, "i64")
SYMBOL: Final = ("symbol", 10, "text8")
_TRADE: Final = (
    ("sale_condition", 1, "u8"),
    STAMP,
    SYMBOL,
    ("size", 18, "u32"),
    ("price", 22, "i64"),
    ("trade", 30, "i64"),
)
# Of DEEP: bit 0 of the flags ends an event. A size of 0 removes the level.
_LEVEL: Final = (("flags", 1, "u8"), STAMP, SYMBOL, ("size", 18, "u32"), ("price", 22, "i64"))
_ORDER: Final = (("order", 18, "i64"), ("size", 26, "u32"), ("price", 30, "i64"))

# Every message: name, then its fields behind the type as (name, offset, type). Types: u8, u32, i64, and textN for N
# characters.
TABLE: Final = {
    "S": ("system event", (("event", 1, "text1"), STAMP)),
    "D": (
        "security directory",
        (
            ("flags", 1, "u8"),
            STAMP,
            SYMBOL,
            ("round_lot", 18, "u32"),
            ("previous_close", 22, "i64"),
            ("luld_tier", 30, "u8"),
        ),
    ),
    "H": ("trading status", (("status", 1, "text1"), STAMP, SYMBOL, ("reason", 18, "text4"))),
    "I": ("retail liquidity indicator", (("indicator", 1, "text1"), STAMP, SYMBOL)),
    "O": ("operational halt status", (("status", 1, "text1"), STAMP, SYMBOL)),
    "P": ("short sale price test status", (("status", 1, "u8"), STAMP, SYMBOL, ("detail", 18, "text1"))),
    "E": ("security event", (("event", 1, "text1"), STAMP, SYMBOL)),
    "Q": (
        "quote update",
        (
            ("flags", 1, "u8"),
            STAMP,
            SYMBOL,
            ("bid_size", 18, "u32"),
            ("bid_price", 22, "i64"),
            ("ask_price", 30, "i64"),
            ("ask_size", 38, "u32"),
        ),
    ),
    "8": ("price level update, buy side", _LEVEL),
    "5": ("price level update, sell side", _LEVEL),
    "a": ("add order", (("side", 1, "text1"), STAMP, SYMBOL, *_ORDER)),
    "M": ("order modify", (("flags", 1, "u8"), STAMP, SYMBOL, *_ORDER)),
    "R": ("order delete", (("reserved", 1, "u8"), STAMP, SYMBOL, ("order", 18, "i64"))),
    "L": ("order executed", (("sale_condition", 1, "u8"), STAMP, SYMBOL, *_ORDER, ("trade", 38, "i64"))),
    "C": ("clear book", (("reserved", 1, "u8"), STAMP, SYMBOL)),
    "T": ("trade report", _TRADE),
    "B": ("trade break", _TRADE),
    "X": ("official price", (("price_type", 1, "text1"), STAMP, SYMBOL, ("price", 18, "i64"))),
    "A": (
        "auction information",
        (
            ("auction_type", 1, "text1"),
            STAMP,
            SYMBOL,
            ("paired_shares", 18, "u32"),
            ("reference_price", 22, "i64"),
            ("indicative_price", 30, "i64"),
            ("imbalance_shares", 38, "u32"),
            ("imbalance_side", 42, "text1"),
            ("extension", 43, "u8"),
            ("scheduled_time", 44, "u32"),  # seconds since 1970
            ("book_price", 48, "i64"),
            ("collar_reference_price", 56, "i64"),
            ("lower_collar", 64, "i64"),
            ("upper_collar", 72, "i64"),
        ),
    ),
}
LAYOUTS: Final = {key: (("type", 0, "text1"), *fields) for key, (_name, fields) in TABLE.items()}
TOPS_TYPES: Final = "SDHIOPQTBXA"
DEEP_TYPES: Final = "SDHIOPE85TBXA"
DEEP_PLUS_TYPES: Final = "SDHIOPEaMRLCTB"


def field_size(kind: str) -> int:
    """Return the bytes of a field's type: "u32" has 4, "text8" has 8."""
    return int(kind[4:]) if kind.startswith("text") else int(kind[1:]) // 8


def field(key: str, name: str) -> tuple[int, str]:
    """Return where a field stands in a message, bytes from its type, and the field's type."""
    return next((at, kind) for found, at, kind in LAYOUTS[key] if found == name)


SIZES: Final = {key: max(at + field_size(kind) for _name, at, kind in fields) for key, fields in LAYOUTS.items()}
