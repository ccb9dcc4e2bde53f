"""Kernels that read a book out of a block: the ladder to publish, levels and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book.layout import (
    BEHIND,
    BY_LEVEL,
    CHANNEL,
    CHANNEL_KIND,
    CHANNEL_WORDS,
    CHANNELS,
    COUNT,
    CURRENT,
    EMPTY,
    ID,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    KNOWN,
    LAST,
    NODE_CHILD,
    NODE_SIZE,
    NODE_WORDS,
    NODE_WORSE,
    NODES,
    NOTHING_YET,
    ORDERS,
    PRICE,
    PRIORITY,
    QUANTITY,
    RUNG_ORDERS,
    RUNG_PRICE,
    RUNG_QUANTITY,
    RUNG_STATE,
    RUNG_WORDS,
    SIDE_WORDS,
    SIDES,
    STATE,
    VERSION,
)
from simbench.book.levels import address, find_level
from simbench.book.rungs import known_range, rungs
from simbench.kernel.pure import direct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.kernel.pure import Words


@direct
def standing(memory: Words, instrument: int) -> int:
    """Return what a book is called, of STANDINGS; `instrument` is the word where it begins."""
    nothing = memory[instrument + STATE] == CURRENT and memory[instrument + VERSION] == 0
    return NOTHING_YET if nothing else int(memory[instrument + STATE])


@direct
def ladder(memory: Words, instrument: int, depth: int, out: NDArray[np.int64]) -> int:
    """Write the best levels of all four sides and return the version of the book.

    Args:
        memory: the block.
        instrument: its index.
        depth: levels a side.
        out: int64[4, depth, 4]: side, level from the best, (price, quantity, orders or -1, state); state is 1 for a
            known level, 0 for one that was never sent, 2 where the book has no level.
    """
    at = memory[INSTRUMENTS] + instrument * INSTRUMENT_WORDS
    for side in range(4):
        count = fill_levels(memory, at, side, depth, out, side, 0)
        for level in range(count, depth):
            out[side, level, 0] = 0
            out[side, level, 1] = 0
            out[side, level, 2] = 0
            out[side, level, 3] = EMPTY
    return int(memory[at + VERSION])


@direct
def count_levels(memory: Words, instrument: int, side: int) -> int:
    """Count the levels of a side down to the last known one; `instrument` is the word where it begins."""
    if _by_level(memory, instrument):
        return known_range(memory, instrument, side)
    return int(memory[instrument + SIDES + side * SIDE_WORDS + COUNT])


@direct
def fill_levels(
    memory: Words, instrument: int, side: int, limit: int, out: NDArray[np.int64], plane: int, start: int
) -> int:
    """Write the best levels of a side, at most limit, to out[plane, start:] as `ladder` does; return how many."""
    count = 0
    if _by_level(memory, instrument):
        known = min(known_range(memory, instrument, side), limit)
        while count < known:
            rung = rungs(memory, instrument, side) + count * RUNG_WORDS
            out[plane, start + count, 0] = memory[rung + RUNG_PRICE]
            out[plane, start + count, 1] = memory[rung + RUNG_QUANTITY]
            out[plane, start + count, 2] = memory[rung + RUNG_ORDERS]
            out[plane, start + count, 3] = memory[rung + RUNG_STATE]
            count += 1
        return count
    leaf = memory[instrument + SIDES + side * SIDE_WORDS + LAST]
    while leaf >= 0 and count < limit:
        at = memory[NODES] + leaf * NODE_WORDS
        position = memory[at + NODE_SIZE] - 1
        while position >= 0 and count < limit:
            level = address(memory, memory[at + NODE_CHILD + position])
            out[plane, start + count, 0] = memory[level + PRICE]
            out[plane, start + count, 1] = memory[level + QUANTITY]
            out[plane, start + count, 2] = memory[level + ORDERS]
            out[plane, start + count, 3] = KNOWN
            count += 1
            position -= 1
        leaf = memory[at + NODE_WORSE]
    return count


@direct
def count_queue(memory: Words, instrument: int, side: int, price: int) -> int:
    """Count the orders at a price; `instrument` is the word where it begins."""
    record = find_level(memory, instrument, side, price)
    level = address(memory, record)
    return 0 if record == 0 or memory[level + BEHIND] == record else memory[level + ORDERS]


@direct
def fill_queue(memory: Words, instrument: int, side: int, price: int, out: NDArray[np.int64]) -> None:
    """Write the orders at a price, first in the queue first, to out: int64[n, 3] (order, quantity, priority)."""
    record = find_level(memory, instrument, side, price)
    at = address(memory, record)
    for row in range(len(out)):
        at = address(memory, memory[at + BEHIND])
        out[row, 0] = memory[at + ID]
        out[row, 1] = memory[at + QUANTITY]
        out[row, 2] = memory[at + PRIORITY]


@direct
def count_orders(memory: Words, instrument: int, side: int) -> int:
    """Count the orders of a side; `instrument` is the word where it begins."""
    count = 0
    leaf = memory[instrument + SIDES + side * SIDE_WORDS + LAST]
    while leaf >= 0:
        at = memory[NODES] + leaf * NODE_WORDS
        for position in range(memory[at + NODE_SIZE]):
            record = memory[at + NODE_CHILD + position]
            level = address(memory, record)
            if memory[level + BEHIND] != record:
                count += memory[level + ORDERS]
        leaf = memory[at + NODE_WORSE]
    return int(count)


@direct
def fill_orders(memory: Words, instrument: int, side: int, out: NDArray[np.int64]) -> None:
    """Write the orders of a side, best price first and in queue order, to out: int64[n, 4] (price and as fill_queue).

    Also where the channel's books are by number, whose orders are beside their levels.
    """
    row = 0
    leaf = memory[instrument + SIDES + side * SIDE_WORDS + LAST]
    while leaf >= 0:
        at = memory[NODES] + leaf * NODE_WORDS
        for position in range(memory[at + NODE_SIZE] - 1, -1, -1):
            record = memory[at + NODE_CHILD + position]
            price = memory[address(memory, record) + PRICE]
            order = memory[address(memory, record) + BEHIND]
            while order != record:
                word = address(memory, order)
                out[row, 0] = price
                out[row, 1] = memory[word + ID]
                out[row, 2] = memory[word + QUANTITY]
                out[row, 3] = memory[word + PRIORITY]
                row += 1
                order = memory[word + BEHIND]
        leaf = memory[at + NODE_WORSE]


@direct
def _by_level(memory: Words, instrument: int) -> bool:
    channel = memory[CHANNELS] + memory[instrument + CHANNEL] * CHANNEL_WORDS
    return bool(memory[channel + CHANNEL_KIND] == BY_LEVEL)
