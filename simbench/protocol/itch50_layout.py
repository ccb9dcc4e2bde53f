"""TotalView-ITCH 5.0 as a table: the kernels' offsets, the generator and the generic reader come from here.

Source: NQTVITCHSpecification 5.0, sections 1.1 to 1.7. Integers are big-endian, prices of 4 bytes are 1e-4 dollars,
of 8 bytes 1e-8; times are nanoseconds since midnight in New York.
"""

from __future__ import annotations

from typing import Final

# Every message: name, then its fields behind the head as (name, offset, type). Types: u16, u32, u48, u64, and textN for
# N characters. The kernels' offsets, the generator and the generic reader of the tests come from here.
HEAD: Final = (("type", 0, "text1"), ("locate", 1, "u16"), ("tracking", 3, "u16"), ("timestamp", 5, "u48"))
_ADD: Final = (
    ("reference", 11, "u64"),
    ("side", 19, "text1"),
    ("shares", 20, "u32"),
    ("stock", 24, "text8"),
    ("price", 32, "u32"),
)
_EXECUTED: Final = (("reference", 11, "u64"), ("shares", 19, "u32"), ("match", 23, "u64"))
TABLE: Final = {
    "A": ("add order", _ADD),
    "D": ("order delete", (("reference", 11, "u64"),)),
    "U": (
        "order replace",
        (("reference", 11, "u64"), ("new_reference", 19, "u64"), ("shares", 27, "u32"), ("price", 31, "u32")),
    ),
    "E": ("order executed", _EXECUTED),
    "X": ("order cancel", (("reference", 11, "u64"), ("shares", 19, "u32"))),
    "F": ("add order with attribution", (*_ADD, ("attribution", 36, "text4"))),
    "C": ("order executed with price", (*_EXECUTED, ("printable", 31, "text1"), ("price", 32, "u32"))),
    "P": ("trade (non-cross)", (*_ADD, ("match", 36, "u64"))),
    "Q": (
        "cross trade",
        (
            ("shares", 11, "u64"),
            ("stock", 19, "text8"),
            ("price", 27, "u32"),
            ("match", 31, "u64"),
            ("cross_type", 39, "text1"),
        ),
    ),
    "B": ("broken trade", (("match", 11, "u64"),)),
    "I": (
        "net order imbalance",
        (
            ("paired_shares", 11, "u64"),
            ("imbalance_shares", 19, "u64"),
            ("direction", 27, "text1"),
            ("stock", 28, "text8"),
            ("far_price", 36, "u32"),
            ("near_price", 40, "u32"),
            ("reference_price", 44, "u32"),
            ("cross_type", 48, "text1"),
            ("variation", 49, "text1"),
        ),
    ),
    "R": (
        "stock directory",
        (
            ("stock", 11, "text8"),
            ("market_category", 19, "text1"),
            ("financial_status", 20, "text1"),
            ("round_lot", 21, "u32"),
            ("round_lots_only", 25, "text1"),
            ("classification", 26, "text1"),
            ("subtype", 27, "text2"),
            ("authenticity", 29, "text1"),
            ("short_sale_threshold", 30, "text1"),
            ("ipo_flag", 31, "text1"),
            ("luld_tier", 32, "text1"),
            ("etp_flag", 33, "text1"),
            ("etp_leverage", 34, "u32"),
            ("inverse", 38, "text1"),
        ),
    ),
    "S": ("system event", (("event", 11, "text1"),)),
    "H": (
        "stock trading action",
        (("stock", 11, "text8"), ("state", 19, "text1"), ("reserved", 20, "text1"), ("reason", 21, "text4")),
    ),
    "Y": ("short sale restriction", (("stock", 11, "text8"), ("action", 19, "text1"))),
    "L": (
        "market participant position",
        (
            ("participant", 11, "text4"),
            ("stock", 15, "text8"),
            ("primary", 23, "text1"),
            ("mode", 24, "text1"),
            ("state", 25, "text1"),
        ),
    ),
    "V": ("market-wide circuit breaker levels", (("level1", 11, "u64"), ("level2", 19, "u64"), ("level3", 27, "u64"))),
    "W": ("market-wide circuit breaker status", (("breached", 11, "text1"),)),
    "K": (
        "IPO quotation",
        (("stock", 11, "text8"), ("release_time", 19, "u32"), ("qualifier", 23, "text1"), ("price", 24, "u32")),
    ),
    "J": (
        "auction collar",
        (
            ("stock", 11, "text8"),
            ("reference_price", 19, "u32"),
            ("upper_price", 23, "u32"),
            ("lower_price", 27, "u32"),
            ("extension", 31, "u32"),
        ),
    ),
    "h": ("operational halt", (("stock", 11, "text8"), ("market", 19, "text1"), ("action", 20, "text1"))),
    "N": ("retail interest", (("stock", 11, "text8"), ("interest", 19, "text1"))),
    "O": (
        "direct listing with capital raise",
        (
            ("stock", 11, "text8"),
            ("eligible", 19, "text1"),
            ("minimum_price", 20, "u32"),
            ("maximum_price", 24, "u32"),
            ("near_price", 28, "u32"),
            ("near_time", 32, "u64"),
            ("lower_collar", 40, "u32"),
            ("upper_collar", 44, "u32"),
        ),
    ),
}
LAYOUTS: Final = {key: (*HEAD, *fields) for key, (_name, fields) in TABLE.items()}


def field_size(kind: str) -> int:
    """Return the bytes of a field's type: "u48" has 6, "text8" has 8."""
    return int(kind[4:]) if kind.startswith("text") else int(kind[1:]) // 8


def offset(key: str, field: str) -> int:
    """Return where a field stands in a message, bytes from its type."""
    return next(at for name, at, _kind in LAYOUTS[key] if name == field)


SIZES: Final = {key: max(at + field_size(kind) for _name, at, kind in fields) for key, fields in LAYOUTS.items()}


def read_message(message: bytes) -> dict[str, int | str]:
    """Return every field of a message by name, slowly and generally; text without its trailing spaces.

    Args:
        message: one message of a known type, at least as long as its layout.
    """
    fields: dict[str, int | str] = {}
    for name, at, kind in LAYOUTS[chr(message[0])]:
        raw = message[at : at + field_size(kind)]
        fields[name] = raw.decode("ascii").rstrip() if kind.startswith("text") else int.from_bytes(raw, "big")
    return fields


def write_message(key: str, **values: int | str) -> bytes:
    """Return a message of a type with the fields given; the others are 0 or spaces.

    Args:
        key: the type's letter.
        values: by field name.
    """
    values["type"] = key
    message = bytearray()
    for name, _at, kind in LAYOUTS[key]:
        size = field_size(kind)
        value = values.pop(name, "" if kind.startswith("text") else 0)
        message += value.encode("ascii").ljust(size) if isinstance(value, str) else value.to_bytes(size, "big")
    if values:
        raise KeyError(f"{key} has no {', '.join(values)}")
    return bytes(message)
