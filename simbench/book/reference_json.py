"""What the reference book says of itself, and its digests, from that alone."""

from __future__ import annotations

import hashlib
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from simbench import event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simbench.book.reference_book import Book, Level

SIDES: Final = ("bids", "asks", "implied_bids", "implied_asks")


def digest_of(books: Iterable[dict[str, Any]], *, with_orders: bool = False) -> str:
    """Return the digest of one channel's books from their JSON, as the documentation of digest.py says.

    Args:
        books: as to_json gives them, with queues if with_orders.
        with_orders: whether queues count too.
    """
    levels, orders = [], []
    for book in sorted(books, key=lambda book: book["key"].encode("ascii", "replace")):
        key = book["key"].encode("ascii", "replace")
        for side, name in enumerate(SIDES):
            for number, row in enumerate(book[name], 1):
                if row is None:
                    levels.append(struct.pack("<24sIiBBbbqq", key, number, 0, side, 0, 0, 0, 0, 0))
                    continue
                (price, price_exponent), (quantity, exponent) = _scientific(row[0]), _scientific(row[1])
                count = -1 if row[2] is None else row[2]
                levels.append(
                    struct.pack("<24sIiBBbbqq", key, number, count, side, 1, price_exponent, exponent, price, quantity)
                )
            for number, (_, queue) in enumerate(book[f"{name[:-1]}_orders"] if with_orders else (), 1):
                for order, left in queue:
                    quantity, exponent = _scientific(left)
                    orders.append(
                        struct.pack("<24sIiBBbbQq", key, number, 0, side, 1, 0, exponent, int(order), quantity)
                    )
    return hashlib.blake2b(b"".join(levels + orders), digest_size=16).hexdigest()


def _scientific(text: str) -> tuple[int, int]:
    """Return a decimal string as mantissa without trailing zeros and exponent."""
    sign, digits, exponent = Decimal(text).as_tuple()
    number = "".join(map(str, digits))
    mantissa = int(number.rstrip("0") or "0")
    assert isinstance(exponent, int)
    return (-mantissa if sign else mantissa), (exponent + len(number) - len(number.rstrip("0")) if mantissa else 0)


def _decimal(mantissa: int, exponent: int) -> str:
    """Return mantissa * 10**exponent as the shortest exact decimal string."""
    number = Decimal((mantissa < 0, tuple(map(int, str(abs(mantissa)))), exponent))
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text if mantissa else "0"


def _key_text(book: Book) -> str:
    if book.channel.text_key:
        return book.key.to_bytes(8, "big").rstrip(b"\0 ").decode("ascii", "replace")
    return str(book.key)


def book_json(book: Book, *, orders: bool, since: bool = False) -> dict[str, Any]:
    """Return a book in the shape of `simbench book --json`; see Books.to_json."""
    key = _key_text(book)
    shown: dict[str, Any] = {
        "channel": book.channel.name,
        "key": key,
        "symbol": book.symbol or (key if book.channel.text_key else None),
        "state": book.state,
    }
    for side, name in enumerate(SIDES):
        shown[name] = [_level_json(book, level) if level else None for level in book.rows(side)]
        if orders:
            levels = list(book.prices[side].values())
            best_first = levels[::-1] if side in {event.BID, event.IMPLIED_BID} else levels
            shown[f"{name[:-1]}_orders"] = [
                [
                    _decimal(level.price, book.price_exponent),
                    [[str(order.id), _decimal(order.quantity, book.quantity_exponent)] for order in level.queue],
                ]
                for level in best_first
                if level.queue
            ]
    if since:
        current = book.state == "current"
        shown["since_ns"] = None if current or not book.since else str(book.since)
        shown["reason"] = book.reason if not current else None if book.began else "empty"
    return shown


def _level_json(book: Book, level: Level) -> list[Any]:
    count = level.orders()
    return [
        _decimal(level.price, book.price_exponent),
        _decimal(level.total(), book.quantity_exponent),
        None if count < 0 else count,
    ]
