"""Levels by price: found by hash, kept in order by the side's tree, and the records that they and orders live in.

A level or order is named by its record's index; `address` gives the word of memory where the record begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book import tree
from simbench.book.instruments import count_anomaly, instrument_of, leave_out, place_of, touch
from simbench.book.layout import (
    BAD_QUANTITY,
    BAD_SIDE,
    BEFORE,
    BEHIND,
    CHANNEL,
    CURRENT,
    ID,
    KEY,
    LEVEL,
    LEVEL_COUNT,
    LEVEL_MASK,
    LEVEL_ROOM,
    LEVEL_SLOTS,
    LOW,
    ORDERS,
    PLACE,
    PRICE,
    QUANTITY,
    RECORD_FREE,
    RECORD_TOP,
    RECORD_WORDS,
    RECORDS,
    SIDE_WORDS,
    SIDES,
    STATE,
    UNKNOWN_LEVEL,
)
from simbench.book.table import hash_price, home, occupy, vacate
from simbench.kernel.pure import direct, direct_inlined

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct_inlined
def address(memory: Words, record: int) -> int:
    """Return the word where a record begins."""
    return int(memory[RECORDS] + record * RECORD_WORDS)


@direct_inlined
def new_record(memory: Words) -> int:
    """Take a record from the pool, the one freed last if there is any; the caller has seen that there is room."""
    record = memory[RECORD_FREE]
    if record > 0:
        memory[RECORD_FREE] = memory[address(memory, record) + BEHIND]
    else:
        record = memory[RECORD_TOP]
        memory[RECORD_TOP] = record + 1
    return int(record)


@direct_inlined
def free_record(memory: Words, record: int) -> None:
    """Give a record back."""
    at = address(memory, record)
    memory[at + PLACE] = -1
    memory[at + BEHIND] = memory[RECORD_FREE]
    memory[RECORD_FREE] = record


@direct_inlined
def seek_level(memory: Words, h: int, place: int, price: int) -> int:
    """Return the slot of the level at a place and price, or the free one where it would go."""
    base = memory[LEVEL_SLOTS]
    mask = memory[LEVEL_MASK]
    at = home(h, mask)
    while True:
        slot = memory[base + at]
        if slot == 0:
            return int(base + at)
        if (slot ^ h) >> 32 == 0:
            level = address(memory, slot & LOW)
            if memory[level + PRICE] == price and memory[level + PLACE] == place:
                return int(base + at)
        at = (at + 1) & mask


@direct_inlined
def hash_level(memory: Words, instrument: int, side: int, price: int) -> int:
    """Hash a price of one side of an instrument."""
    return hash_price(memory, memory[instrument + CHANNEL], memory[instrument + KEY], side, price)


@direct
def find_level(memory: Words, instrument: int, side: int, price: int) -> int:
    """Return the record of a level, 0 where there is none."""
    h = hash_level(memory, instrument, side, price)
    return int(memory[seek_level(memory, h, place_of(memory, instrument, side), price)] & LOW)


@direct
def new_level(memory: Words, at: int, h: int, instrument: int, place: int, price: int) -> int:
    """Put an empty level into the free slot that a search has found, and into its side's tree."""
    record = new_record(memory)
    memory[LEVEL_COUNT] += 1
    occupy(memory, at, h, record)
    level = address(memory, record)
    memory[level + ID] = 0
    memory[level + PLACE] = place
    memory[level + PRICE] = price
    memory[level + QUANTITY] = 0
    memory[level + LEVEL] = record
    memory[level + BEFORE] = record
    memory[level + BEHIND] = record
    memory[level + ORDERS] = 0
    number = place & 3
    side = instrument + SIDES + number * SIDE_WORDS
    tree.insert(memory, side, tree.key_of(number, price), record)
    tree.refresh_best(memory, side, number)
    return record


@direct
def remove_level(memory: Words, record: int) -> None:
    """Take a level that has no orders out of table, tree and pool."""
    level = address(memory, record)
    place = memory[level + PLACE]
    price = memory[level + PRICE]
    instrument = instrument_of(memory, place)
    number = place & 3
    at = seek_level(memory, hash_level(memory, instrument, number, price), place, price)
    vacate(memory, memory[LEVEL_SLOTS], memory[LEVEL_MASK], at)
    side = instrument + SIDES + number * SIDE_WORDS
    tree.remove(memory, side, tree.key_of(number, price))
    tree.refresh_best(memory, side, number)
    free_record(memory, record)
    memory[LEVEL_COUNT] -= 1


@direct
def set_level(
    memory: Words, channel: int, instrument: int, side: int, price: int, quantity: int, orders: int, time: int
) -> None:
    """Make a level what the event says it is; quantity 0 removes it. Only a current book knows that it has none."""
    if side > 3:
        count_anomaly(memory, channel, BAD_SIDE, 1, time)
        return
    if quantity < 0:
        count_anomaly(memory, channel, BAD_QUANTITY, 1, time)
    h = hash_level(memory, instrument, side, price)
    place = place_of(memory, instrument, side)
    at = seek_level(memory, h, place, price)
    record = memory[at] & LOW
    if quantity <= 0:
        if record == 0:
            if memory[instrument + STATE] == CURRENT:
                count_anomaly(memory, channel, UNKNOWN_LEVEL, 1, time)
            return
        remove_level(memory, record)
    else:
        if record == 0:
            if memory[LEVEL_COUNT] >= memory[LEVEL_ROOM]:
                leave_out(memory, instrument, time)
                return
            record = new_level(memory, at, h, instrument, place, price)
        level = address(memory, record)
        memory[level + QUANTITY] = quantity
        memory[level + ORDERS] = max(orders, -1)
    touch(memory, instrument)
