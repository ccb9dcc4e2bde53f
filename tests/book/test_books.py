"""What one may do with a block of books: grow, copy, look, reduce to a digest; and what may not slow it down."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from book_events import AB, CD, LEVEL, ORDER, PRICE, Pair, add, events, level, on

from simbench import event
from simbench.book import engine, layout
from simbench.book.books import Books, decimal
from simbench.book.ladder import ladder
from simbench.book.layout import BookChannel
from simbench.book.reference import ReferenceBooks
from simbench.book.table import home
from simbench.event import ASK, BID


def flow(count: int, instruments: int, seed: int = 1) -> np.ndarray:
    """Return a random order flow that fills books."""
    rng = np.random.default_rng(seed)
    array = np.zeros(count, event.EVENT)
    array["kind"] = rng.choice([event.ADD] * 5 + [event.EXECUTE, event.REDUCE, event.DELETE, event.REPLACE], count)
    array["order"] = rng.integers(1, count // 2, count)
    array["other"] = rng.integers(1, count // 2, count)
    array["order"][array["kind"] == event.ADD] = np.arange(np.count_nonzero(array["kind"] == event.ADD)) + 1
    array["instrument"] = rng.integers(1, instruments + 1, count).astype(np.uint64) << np.uint64(40)
    array["side"] = rng.integers(0, 2, count)
    array["price"] = 10_000 + rng.integers(0, 60, count) + 60 * array["side"]
    array["quantity"] = rng.integers(1, 200, count)
    array["flags"] = event.END
    return array


def test_growth_in_the_middle_changes_nothing() -> None:
    """Books that begin with room for next to nothing end like those that had it all."""
    array = flow(30_000, 40)
    small = Books.create([ORDER], instruments=1, orders=1, levels=1)
    large = Books.create([ORDER], instruments=64, orders=1 << 15, levels=1 << 14)
    assert engine.apply(large.memory, 0, array, 0, len(array)) == len(array)
    reached = engine.apply(small.memory, 0, array, 0, len(array))
    assert 0 < reached < len(array)
    before = small.memory.copy()
    assert engine.apply(small.memory, 0, array, reached, len(array)) == reached
    assert np.array_equal(before[layout.HEADER_WORDS :], small.memory[layout.HEADER_WORDS :])
    small.grow()
    small.apply(0, array[reached:])
    small.check()
    assert large.digest_orders(0) == small.digest_orders(0)
    assert sum(len(large.levels(index, BID)) for index in range(40)) > 1000


def test_ladders_grow_too() -> None:
    """More instruments by number, and deeper, than there was room for."""
    books = Books.create([LEVEL], instruments=1)
    deep = {"kind": event.DEFINE, "level": 255, "quantity": 255 << 24, "orders": 0}
    rows = [
        {**row, "instrument": 1000 + n}
        for n in range(40)
        for row in (level(event.LEVEL_NEW, 1, n), deep, level(event.LEVEL_CHANGE, 250, n))
    ]
    books.apply(0, events(*rows))
    books.check()
    assert [len(books.levels(index, BID)) for index in range(40)] == [250] * 40


def test_a_copy_is_a_checkpoint() -> None:
    """What happens to the one afterwards does not happen to the other, and both can go on."""
    array = flow(6000, 5)
    books = Books.create([ORDER])
    books.apply(0, array[:3000])
    checkpoint, at = books.copy(), books.digest_orders(0)
    raw = Books(books.memory.copy(), books.channels)
    books.apply(0, array[3000:])
    assert at == checkpoint.digest_orders(0) == raw.digest_orders(0)
    for again in (checkpoint, raw):
        again.apply(0, array[3000:])
        again.check()
        assert books.digest_orders(0) == again.digest_orders(0) != at


def test_ids_that_collide_by_choice_do_not_collide() -> None:
    """With the seed unknown no choice of ids, multiples of the table's size say, makes long probes."""
    for step in (1, 8, 1 << 16, 1 << 32, 1 << 48):
        books = Books.create([ORDER], orders=1 << 15)
        array = np.zeros(16_000, event.EVENT)
        array["kind"], array["instrument"], array["quantity"] = event.ADD, AB, 1
        array["order"] = (np.arange(len(array), dtype=np.uint64) + np.uint64(1)) * np.uint64(step)
        books.apply(0, array)
        books.check()
        assert longest_probe(books) < len(array) // 50  # ids by chance: up to 90 in 300 trials; colliding ones: all


def longest_probe(books: Books) -> int:
    """Return the largest distance of an order's slot from its home."""
    base, mask = int(books.memory[layout.ORDER_SLOTS]), int(books.memory[layout.ORDER_MASK])
    slots = books.memory[base : base + mask + 1]
    used = np.flatnonzero(slots)
    homes = (slots[used].view(np.uint64) >> np.uint64(32)).astype(np.int64) & mask
    assert home(int(slots[used[0]]), mask) == homes[0]
    return int(((used - homes) & mask).max())


@pytest.mark.parametrize("order", ["up", "down", "shuffled"])
def test_a_hundred_thousand_prices_make_a_low_tree(order: str) -> None:
    """The work of a change goes with the tree's height, and the height with the logarithm of the prices."""
    prices = np.arange(100_000) * 7
    prices = {"up": prices, "down": prices[::-1], "shuffled": np.random.default_rng(3).permutation(prices)}[order]
    books = Books.create([PRICE])
    array = np.zeros(len(prices), event.EVENT)
    array["kind"], array["instrument"], array["price"], array["quantity"] = event.LEVEL, 1, prices, 1
    books.apply(0, array)
    books.check()
    side = books.instruments["sides"][0, BID]
    root = int(books.memory[layout.NODES] + side[layout.ROOT] * layout.NODE_WORDS)
    assert int(books.memory[root + layout.NODE_HEIGHT]) <= 6
    assert (int(books.levels(0, BID)[0]["price"]), int(side[layout.COUNT])) == (699_993, 100_000)
    array["quantity"] = 0
    books.apply(0, array)
    books.check()
    assert books.memory[layout.NODE_COUNT] == 0


def test_the_ladder_for_publishing_shows_what_is_known() -> None:
    """int64[4, depth, 4]: known levels, unknown ones, and none at all; the version moves with every change."""
    books = Books.create([LEVEL])
    books.apply(0, events(level(event.LEVEL_NEW, 2, 30, 5, orders=3)))
    out = np.full((4, 3, 4), 99, np.int64)
    version = ladder(books.memory, 0, 3, out)
    assert out[BID].tolist() == [[0, 0, 0, 0], [30, 5, 3, 1], [0, 0, 0, 2]]
    assert out[ASK].tolist() == [[0, 0, 0, 2]] * 3
    books.apply(0, events({"kind": event.NOTE, "instrument": 7}))
    assert version == ladder(books.memory, 0, 3, out)
    books.apply(0, events(level(event.LEVEL_NEW, 1, 40)))
    assert version < ladder(books.memory, 0, 1, out)
    assert out[BID, 0].tolist() == [40, 1, -1, 1]


def test_the_digest_says_whether_books_are_equal() -> None:
    """One quantity, one number of orders or one price more or less is another digest; a queue is not, by level."""
    base = [add(1, BID, 100, 5), add(2, BID, 100, 7), add(3, ASK, 101, 1, CD)]
    others = [
        [base[0], add(2, BID, 100, 8), base[2]],
        [base[0], add(2, BID, 100, 6), add(4, BID, 100, 1), base[2]],
        [base[0], add(2, BID, 99, 7), base[2]],
        [base[0], base[1], add(3, ASK, 101, 1)],
        base[:2],
    ]
    first, orders = digests(base)
    assert first not in {digests(rows)[0] for rows in others}
    swapped = digests([base[1], base[0], base[2]])
    assert (first, True) == (swapped[0], orders != swapped[1])


def digests(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the digest of books by level and by order."""
    books = Books.create([ORDER])
    books.apply(0, events(*rows))
    return books.digest(0), books.digest_orders(0)


def test_the_digest_does_not_depend_on_how_the_books_came_to_be() -> None:
    """Definitions, empty books, the order of instruments and the exponent that a price is written in are no matter."""
    plain = digests([add(1, BID, 100, 5), add(2, BID, 70, 5, CD)])
    assert plain == digests(
        [add(2, BID, 70, 5, CD), add(3, ASK, 9, 9, 1 << 56), add(1, BID, 100, 5), on(event.DELETE, 3)]
    )
    said = {"kind": event.DEFINE, "instrument": AB, "quantity": (-5 & 0xFF) | (-1 & 0xFF) << 8 | 1 << 16}
    assert plain == digests([said, add(1, BID, 1000, 50), add(2, BID, 70, 5, CD)])


def test_a_stranger_computes_the_digest_from_json() -> None:
    """From what is printed alone, by the documentation: strings, a sort, struct and BLAKE2b."""
    books = Books.create([ORDER, LEVEL])
    books.apply(0, flow(5000, 30))
    books.apply(1, events(level(event.LEVEL_NEW, 2, -30, 500), level(event.LEVEL_NEW, 1, 7, side=ASK, orders=8)))
    printed = json.loads(json.dumps(books.to_json()))
    for number, channel in enumerate(books.channels):
        assert stranger([book for book in printed if book["channel"] == channel.name]) == books.digest(number)
    assert sum(len(book["bids"]) for book in printed) > 100


def stranger(books: list[dict[str, Any]]) -> str:
    """Compute a digest as the documentation of digest.py says."""
    whole = b""
    for book in sorted(books, key=lambda book: book["key"].encode()):
        for side, name in enumerate(("bids", "asks", "implied_bids", "implied_asks")):
            for number, row in enumerate(book[name], 1):
                price, quantity = (scientific(text) for text in row[:2]) if row else ((0, 0), (0, 0))
                orders = 0 if row is None else -1 if row[2] is None else row[2]
                whole += struct.pack("<24sIi", book["key"].encode(), number, orders)
                whole += struct.pack("<BBbb", side, row is not None, price[1], quantity[1])
                whole += struct.pack("<qq", price[0], quantity[0])
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def scientific(text: str) -> tuple[int, int]:
    """Return mantissa and exponent of a decimal string."""
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    mantissa = int("".join(map(str, digits)))
    return (-mantissa if sign else mantissa), exponent if mantissa else 0


@pytest.mark.parametrize(
    ("expected", "mantissa", "exponent"),
    [
        ("0", 0, -4),
        ("41.2", 41_200, -3),
        ("500", 5, 2),
        ("-0.05", -5, -2),
        ("-2.5", -250, -2),
        ("100", 100, 0),
        ("9223372036854775807", (1 << 63) - 1, 0),
        ("0.000000001", 1, -9),
    ],
)
def test_decimals_are_exact_and_short(expected: str, mantissa: int, exponent: int) -> None:
    """No float and no zero too many."""
    assert expected == decimal(mantissa, exponent)


def test_books_are_listed_by_channel_and_native_key() -> None:
    """Numbers in the order of numbers, whatever the order of first sight."""
    numbers = BookChannel("n", 0, kind="price")
    books = Books.create([ORDER, numbers])
    books.apply(1, events(*({"kind": event.NOTE, "instrument": key} for key in (10, 9, (1 << 64) - 1))))
    books.apply(0, events(add(1, BID, 1, 1, CD), add(2, BID, 1, 1, AB)))
    assert [book["key"] for book in books.to_json()] == ["AB", "CD", "9", "10", "18446744073709551615"]
    assert [book["symbol"] for book in books.to_json()] == ["AB", "CD", None, None, None]
    assert [books.find(1, "18446744073709551615") + 1, books.find(1, 9) + 1] == [3, 2]


def test_check_finds_what_is_broken_and_shows_the_insides() -> None:
    """A planted fault in a level, a queue, a tree and a table is found each time."""
    books = Books.create([ORDER])
    books.apply(0, flow(400, 2))
    books.check()
    memory = books.memory
    used = np.flatnonzero(memory[memory[layout.ORDER_SLOTS] :][: memory[layout.ORDER_MASK] + 1])
    slot = int(memory[layout.ORDER_SLOTS] + used[0])
    order = int(memory[layout.RECORDS] + (memory[slot] & layout.LOW) * layout.RECORD_WORDS)
    root = int(memory[layout.NODES] + books.instruments["sides"][0, BID, layout.ROOT] * layout.NODE_WORDS)
    for word, rule in (
        (slot, "slot is found"),
        (order + layout.QUANTITY, "has the quantity"),
        (order + layout.BEFORE, "are a ring"),
        (root + layout.NODE_KEY + 1, "keys"),
        (layout.ORDER_COUNT, "pool"),
    ):
        whole = memory[word]
        memory[word] ^= 1 << 3
        with pytest.raises(AssertionError, match=rule):
            books.check()
        memory[word] = whole
    books.check()


def test_orders_beside_levels_by_number_are_found_in_every_place_of_a_batch() -> None:
    """What was looked up ahead of an event belongs to that event, also where the looks differ from kind to kind."""
    pair = Pair(LEVEL)
    levels = flow(300, 5)
    levels["kind"] = np.random.default_rng(3).integers(event.LEVEL_NEW, event.LEVEL_OVERLAY + 1, 300)
    mixed = np.concatenate([flow(300, 4), levels])[np.random.default_rng(6).permutation(600)]
    pair.apply(mixed)
    pair.agree()


SMALL = """
import numpy as np
from book_events import Pair, LEVEL, ORDER, PRICE
from test_books import flow
from simbench import event
pair = Pair(ORDER, PRICE, LEVEL)
pair.apply(flow(60, 3))
rng = np.random.default_rng(2)
for channel, kinds in ((1, [event.LEVEL]), (2, range(event.LEVEL_NEW, event.LEVEL_OVERLAY + 1))):
    array = flow(60, 2)
    array["kind"] = rng.choice(list(kinds), 60)
    array["level"] = rng.integers(0, 6, 60)
    pair.apply(array, channel)
pair.agree()
assert sum(len(book["bids"]) for book in pair.engine.to_json()) > 10
print(pair.engine.digest(0), pair.engine.digest(1), pair.engine.digest(2))
"""


@pytest.mark.parametrize(
    "build", [{}, {"NUMBA_DISABLE_JIT": "1"}, pytest.param({"NUMBA_BOUNDSCHECK": "1"}, marks=pytest.mark.slow)]
)
def test_plain_checked_and_compiled_are_one(build: dict[str, str]) -> None:
    """The same source runs under a debugger, with every index checked, and at full speed."""
    here = Path(__file__).parent
    environment = {**os.environ, **build, "PYTHONPATH": str(here), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", SMALL], env=environment, capture_output=True, text=True, check=False, cwd=here.parents[1]
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [reference_digests()[number] for number in range(3)]


def reference_digests() -> list[str]:
    """Return the digests of the small case by the reference book alone."""
    reference = ReferenceBooks([ORDER, PRICE, LEVEL])
    reference.apply_all(0, flow(60, 3))
    rng = np.random.default_rng(2)
    for channel, kinds in ((1, [event.LEVEL]), (2, range(event.LEVEL_NEW, event.LEVEL_OVERLAY + 1))):
        array = flow(60, 2)
        array["kind"] = rng.choice(list(kinds), 60)
        array["level"] = rng.integers(0, 6, 60)
        reference.apply_all(channel, array)
    return [reference.digest(number) for number in range(3)]
