"""What books are reduced to: 128 bits that are equal when, and only when, the books are.

The digest of a channel is BLAKE2b with a digest of 16 bytes, in hexadecimal, over one record of 52 bytes for every
level of every book, without separators. It can be computed from what `simbench book --json` prints:

    bytes   field
    24      key of the book, ASCII, as in JSON, padded with zero bytes
    4       number of the level, 1 is the best, unsigned little-endian
    4       orders in the level, signed little-endian; -1 where JSON has null
    1       side: 0 bids, 1 asks, 2 implied_bids, 3 implied_asks
    1       1; 0 for an unknown level (null in JSON), and then all of orders, price and quantity are 0
    1       exponent of the price, signed: the price is mantissa * 10**exponent, the mantissa without trailing zeros
    1       exponent of the quantity, likewise; zero has mantissa 0 and exponent 0
    8       mantissa of the price, signed little-endian
    8       mantissa of the quantity, signed little-endian

Records are sorted by the 24 bytes of the key, then by side, then by level. A book without levels has no record: to
define an instrument changes nothing, and neither does an instrument whose orders are all gone.

`digest_orders` goes on after the last of these records with one of 52 bytes for every order, sorted by key, side,
level and place in the queue:

    24      key of the book
    4       number of the level
    4       0
    1       side
    1       1
    1       0
    1       exponent of the quantity
    8       order id, unsigned little-endian
    8       mantissa of the quantity
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.book import gather
from simbench.protocol.contract import unpack_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from simbench.kernel.pure import Words

RECORD: Final = np.dtype(
    [
        ("key", "S24"),
        ("level", "<u4"),
        ("orders", "<i4"),
        ("side", "u1"),
        ("known", "u1"),
        ("price_exponent", "i1"),
        ("quantity_exponent", "i1"),
        ("price", "<i8"),  # of an order: its id
        ("quantity", "<i8"),
    ]
)
CHUNK: Final = 1 << 16  # records at a time, or one book


def key_text(key: int, *, text_key: bool) -> str:
    """Return a native key as JSON shows it: its characters, or an unsigned number."""
    return unpack_text(key) if text_key else str(key & (1 << 64) - 1)


def digest(memory: Words, chosen: Words, keys: list[str], *, with_orders: bool = False) -> str:
    """Return the digest of some instruments' books.

    Args:
        memory: the block.
        chosen: int64[n], indices of the instruments.
        keys: what JSON calls each of them.
        with_orders: whether order ids, quantities and queues count too.
    """
    names = np.array([key.encode("ascii", "replace") for key in keys], "S24")
    order = np.argsort(names, kind="stable")
    names, chosen = names[order], np.ascontiguousarray(chosen[order])
    sizes = np.zeros((len(chosen), 2), np.int64)
    gather.sizes(memory, chosen, sizes)
    state = hashlib.blake2b(digest_size=16)
    scratch = np.zeros((1, int(sizes[:, 0].max(initial=1)), 4), np.int64)

    def levels(first: int, last: int, out: NDArray[np.int64]) -> None:
        gather.gather_levels(memory, chosen, first, last, scratch, out)

    def orders(first: int, last: int, out: NDArray[np.int64]) -> None:
        gather.gather_orders(memory, chosen, first, last, out)

    for rows in _chunks(sizes[:, 0], levels, 9):
        state.update(_level_records(rows, names).data)
    if with_orders:
        for rows in _chunks(sizes[:, 1], orders, 6):
            state.update(_order_records(rows, names).data)
    return state.hexdigest()


def _chunks(
    counts: NDArray[np.int64], gather: Callable[[int, int, NDArray[np.int64]], None], columns: int
) -> Iterator[NDArray[np.int64]]:
    """Gather what instruments have, as many at a time as fit a chunk."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + CHUNK, "right")))
        rows = np.zeros((int(ends[last - 1]) - done, columns), np.int64)
        gather(first, last, rows)
        yield rows
        first = last


def _level_records(rows: NDArray[np.int64], names: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    records = np.zeros(len(rows), RECORD)
    records["key"] = names[rows[:, 0]]
    fields = ("side", "level", "known", "orders", "price", "price_exponent", "quantity", "quantity_exponent")
    for column, field in enumerate(fields, 1):
        records[field] = rows[:, column]
    return records.view(np.uint8)


def _order_records(rows: NDArray[np.int64], names: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    records = np.zeros(len(rows), RECORD)
    records["key"] = names[rows[:, 0]]
    records["known"] = 1
    for column, field in enumerate(("side", "level", "price", "quantity", "quantity_exponent"), 1):
        records[field] = rows[:, column]
    return records.view(np.uint8)
