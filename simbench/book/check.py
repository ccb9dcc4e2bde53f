"""What must always be true of a block. On in tests and under --paranoid; what it finds is a bug, never bad data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.book import layout
from simbench.book.instruments import instrument_of, place_of, seek_instrument
from simbench.book.layout import (
    BEFORE,
    BEHIND,
    BEST,
    CHANNEL,
    CHANNEL_COUNT,
    CHANNEL_TOUCHED,
    CHANNEL_WORDS,
    CHANNELS,
    COUNT,
    DEPTH,
    EMPTY,
    HIGH,
    ID,
    IMPLIED_DEPTH,
    INSTRUMENT_COUNT,
    INSTRUMENT_MASK,
    INSTRUMENT_SLOTS,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    INT64_MAX,
    KEY,
    KNOWN,
    LADDER,
    LADDER_TOP,
    LADDERS,
    LAST,
    LEVEL,
    LEVEL_COUNT,
    LEVEL_MASK,
    LEVEL_SLOTS,
    LOW,
    NODE_BETTER,
    NODE_CHILD,
    NODE_COUNT,
    NODE_FREE,
    NODE_HEIGHT,
    NODE_KEY,
    NODE_KEYS,
    NODE_ROOM,
    NODE_SIZE,
    NODE_TOP,
    NODE_WORDS,
    NODE_WORSE,
    NODES,
    ORDER_COUNT,
    ORDER_MASK,
    ORDER_SLOTS,
    ORDERS,
    PLACE,
    PLACE_CHANNEL,
    PRICE,
    QUANTITY,
    RECORD_FREE,
    RECORD_ROOM,
    RECORD_TOP,
    ROOT,
    RUNG_ORDERS,
    RUNG_QUANTITY,
    RUNG_STATE,
    RUNG_WORDS,
    SIDE_WORDS,
    SIDES,
    TOUCHED,
)
from simbench.book.levels import address, hash_level, seek_level
from simbench.book.orders import seek_order
from simbench.book.rungs import depth_of, room_of_side, rungs
from simbench.book.table import hash_key, hash_order
from simbench.book.tree import key_of
from simbench.kernel.pure import direct

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

RULES: Final = (
    "everything holds",
    "a pool holds what is in use, what is free, and nothing else",
    "a free record says so",
    "an order's slot is found by its id",
    "as many orders are in the table as are counted",
    "a level's slot is found by its price",
    "as many levels are in the table as are counted",
    "an instrument's slot is found by its key",
    "a node has keys in order, and children of the next height",
    "the keys of a child are within its parent's",
    "the leaves of a side are a list from worst to best",
    "a side counts its levels and knows its best price",
    "a level stands in the tree under its own price",
    "the orders of a level are a ring, all of that level, with quantity",
    "a level has the quantity and the number of its orders",
    "as many orders are in queues as in the table, as many levels in trees, as many nodes in use",
    "what the present event has touched is in its channel's list",
    "a ladder lies within the ladders, and its depth within its room",
    "no level of a ladder is known below an empty one",
)


def check(memory: Words) -> None:
    """Verify every invariant; AssertionError with the rule and the words around the place when one is broken."""
    found = np.zeros(2, np.int64)
    inspect(memory, np.zeros((int(memory[NODE_ROOM]) + 1, 3), np.int64), found)
    if found[0]:
        raise AssertionError(f"broken: {RULES[found[0]]}\n{_insides(memory, int(found[1]))}")


def _insides(memory: Words, at: int) -> str:
    header = {
        name: int(memory[value])
        for name, value in vars(layout).items()
        if name.isupper() and name.endswith(("_COUNT", "_ROOM", "_TOP", "_FREE")) and isinstance(value, int)
    }
    first = max(at - layout.LINE, 0)
    lines = (
        f"{word:>10} {'>' if word <= at < word + layout.LINE else ' '} {memory[word : word + layout.LINE].tolist()}"
        for word in range(first, min(at + 6 * layout.LINE, len(memory)), layout.LINE)
    )
    return "\n".join((f"at word {at}", str(header), *lines))


@direct
def inspect(memory: Words, stack: Words, found: Words) -> None:
    """Write the first broken rule and the word of memory where it is to found; 0 where there is none.

    Args:
        memory: the block.
        stack: int64[nodes + 1, 3], scratch.
        found: int64[2].
    """
    if _pools(memory, found) or _tables(memory, found) or _touched(memory, found):
        return
    levels = 0
    orders = 0
    nodes = 0
    for index in range(memory[INSTRUMENT_COUNT]):
        instrument = memory[INSTRUMENTS] + index * INSTRUMENT_WORDS
        if _ladder(memory, instrument, found):
            return
        for number in range(4):
            side = instrument + SIDES + number * SIDE_WORDS
            nodes += _nodes(memory, side, stack, found)
            if found[0]:
                return
            orders += _levels(memory, instrument, number, found)
            if found[0]:
                return
            levels += memory[side + COUNT]
    if orders != memory[ORDER_COUNT] or levels != memory[LEVEL_COUNT] or nodes != memory[NODE_COUNT]:
        _broken(found, 15, ORDER_COUNT)


@direct
def _broken(found: Words, rule: int, at: int) -> bool:
    found[0] = rule
    found[1] = at
    return True


@direct
def _pools(memory: Words, found: Words) -> bool:
    free = 0
    record = memory[RECORD_FREE]
    while record != 0 and free < memory[RECORD_TOP]:
        if memory[address(memory, record) + PLACE] != -1:
            return _broken(found, 2, address(memory, record))
        free += 1
        record = memory[address(memory, record) + BEHIND]
    used = memory[ORDER_COUNT] + memory[LEVEL_COUNT]
    if 1 + used + free != memory[RECORD_TOP] or memory[RECORD_TOP] > memory[RECORD_ROOM]:
        return _broken(found, 1, RECORD_TOP)
    free = 0
    node = memory[NODE_FREE]
    while node >= 0 and free < memory[NODE_TOP]:
        if memory[memory[NODES] + node * NODE_WORDS + NODE_HEIGHT] != -1:
            return _broken(found, 1, memory[NODES] + node * NODE_WORDS)
        free += 1
        node = memory[memory[NODES] + node * NODE_WORDS + NODE_WORSE]
    if memory[NODE_COUNT] + free != memory[NODE_TOP] or memory[NODE_TOP] > memory[NODE_ROOM]:
        return _broken(found, 1, NODE_TOP)
    return False


@direct
def _tables(memory: Words, found: Words) -> bool:
    count = 0
    for at in range(memory[ORDER_SLOTS], memory[ORDER_SLOTS] + memory[ORDER_MASK] + 1):
        if memory[at] != 0:
            count += 1
            record = address(memory, memory[at] & LOW)
            channel = memory[record + PLACE] >> PLACE_CHANNEL
            h = hash_order(memory, channel, memory[record + ID])
            if h & HIGH != memory[at] & HIGH or seek_order(memory, h, channel, memory[record + ID]) != at:
                return _broken(found, 3, at)
    if count != memory[ORDER_COUNT]:
        return _broken(found, 4, ORDER_COUNT)
    count = 0
    for at in range(memory[LEVEL_SLOTS], memory[LEVEL_SLOTS] + memory[LEVEL_MASK] + 1):
        if memory[at] != 0:
            count += 1
            record = address(memory, memory[at] & LOW)
            place = memory[record + PLACE]
            h = hash_level(memory, instrument_of(memory, place), place & 3, memory[record + PRICE])
            if h & HIGH != memory[at] & HIGH or seek_level(memory, h, place, memory[record + PRICE]) != at:
                return _broken(found, 5, at)
    if count != memory[LEVEL_COUNT]:
        return _broken(found, 6, LEVEL_COUNT)
    count = 0
    for at in range(memory[INSTRUMENT_SLOTS], memory[INSTRUMENT_SLOTS] + memory[INSTRUMENT_MASK] + 1):
        if memory[at] != 0:
            count += 1
            instrument = memory[INSTRUMENTS] + ((memory[at] & LOW) - 1) * INSTRUMENT_WORDS
            channel = memory[instrument + CHANNEL]
            h = hash_key(memory, channel, memory[instrument + KEY])
            if seek_instrument(memory, h, channel, memory[instrument + KEY]) != at:
                return _broken(found, 7, at)
    return count != memory[INSTRUMENT_COUNT] and _broken(found, 7, INSTRUMENT_COUNT)


@direct
def _nodes(memory: Words, side: int, stack: Words, found: Words) -> int:
    """Walk a side's tree; return how many nodes it has. A row of the stack is node, lowest key, bound above."""
    root = memory[side + ROOT]
    if root < 0:
        if memory[side + COUNT] != 0 or memory[side + LAST] >= 0:
            _broken(found, 11, side)
        return 0
    nodes = 0
    depth = 1
    stack[0, 0] = root
    stack[0, 1] = -INT64_MAX - 1
    stack[0, 2] = INT64_MAX
    while depth > 0:
        depth -= 1
        node = stack[depth, 0]
        low = stack[depth, 1]
        high = stack[depth, 2]
        at = memory[NODES] + node * NODE_WORDS
        size = memory[at + NODE_SIZE]
        height = memory[at + NODE_HEIGHT]
        nodes += 1
        if size < 1 or size > NODE_KEYS or height < 0 or (node == root and height > 0 and size == 1):
            _broken(found, 8, at)
            return 0
        for position in range(NODE_KEYS):
            key = memory[at + NODE_KEY + position]
            first = 0 if height == 0 else 1
            if position >= size and key != INT64_MAX:
                _broken(found, 8, at)
                return 0
            if first < position < size and key <= memory[at + NODE_KEY + position - 1]:
                _broken(found, 8, at)
                return 0
            if first <= position < size and (key < low or key > high):
                _broken(found, 9, at)
                return 0
            if height > 0 and position < size:
                child = memory[at + NODE_CHILD + position]
                if memory[memory[NODES] + child * NODE_WORDS + NODE_HEIGHT] != height - 1:
                    _broken(found, 8, at)
                    return 0
                stack[depth, 0] = child
                stack[depth, 1] = low if position == 0 else key
                stack[depth, 2] = high if position == size - 1 else memory[at + NODE_KEY + position + 1] - 1
                depth += 1
    return nodes


@direct
def _levels(memory: Words, instrument: int, number: int, found: Words) -> int:
    """Walk a side's levels from the best; return how many orders it has."""
    side = instrument + SIDES + number * SIDE_WORDS
    place = place_of(memory, instrument, number)
    levels = 0
    orders = 0
    better = -1
    last_key = 0
    leaf = memory[side + LAST]
    while leaf >= 0:
        at = memory[NODES] + leaf * NODE_WORDS
        if memory[at + NODE_BETTER] != better or memory[at + NODE_HEIGHT] != 0:
            _broken(found, 10, at)
            return 0
        for position in range(memory[at + NODE_SIZE] - 1, -1, -1):
            key = memory[at + NODE_KEY + position]
            level = memory[at + NODE_CHILD + position]
            record = address(memory, level)
            if levels == 0 and memory[side + BEST] != memory[record + PRICE]:
                _broken(found, 11, side)
                return 0
            if levels > 0 and key >= last_key:
                _broken(found, 10, at)
                return 0
            same = memory[record + PLACE] == place and memory[record + LEVEL] == level
            if not same or key_of(number, memory[record + PRICE]) != key or memory[record + ID] != 0:
                _broken(found, 12, record)
                return 0
            levels += 1
            last_key = key
            orders += _queue(memory, level, found)
            if found[0]:
                return 0
        better = leaf
        leaf = memory[at + NODE_WORSE]
    if levels != memory[side + COUNT]:
        _broken(found, 11, side)
    return orders


@direct
def _queue(memory: Words, level: int, found: Words) -> int:
    """Walk the ring of a level; return how many orders it has."""
    head = address(memory, level)
    count = 0
    quantity = 0
    before = level
    order = memory[head + BEHIND]
    while order != level and count <= memory[ORDER_COUNT]:
        at = address(memory, order)
        same = memory[at + LEVEL] == level and memory[at + BEFORE] == before
        if not same or memory[at + PLACE] != memory[head + PLACE] or memory[at + PRICE] != memory[head + PRICE]:
            _broken(found, 13, at)
            return 0
        if memory[at + QUANTITY] <= 0:
            _broken(found, 13, at)
            return 0
        count += 1
        quantity += memory[at + QUANTITY]
        before = order
        order = memory[at + BEHIND]
    if memory[head + BEFORE] != before or memory[head + QUANTITY] <= 0:
        _broken(found, 13, head)
    elif count > 0 and (memory[head + ORDERS] != count or memory[head + QUANTITY] != quantity):
        _broken(found, 14, head)
    return count


@direct
def _touched(memory: Words, found: Words) -> bool:
    listed = 0
    for channel in range(memory[CHANNEL_COUNT]):
        at = memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_TOUCHED]
        while at > 1 and listed <= memory[INSTRUMENT_COUNT]:
            instrument = memory[INSTRUMENTS] + (at - 2) * INSTRUMENT_WORDS
            if memory[instrument + CHANNEL] != channel:
                return _broken(found, 16, instrument)
            listed += 1
            at = memory[instrument + TOUCHED]
    touched = 0
    for index in range(memory[INSTRUMENT_COUNT]):
        touched += 1 if memory[memory[INSTRUMENTS] + index * INSTRUMENT_WORDS + TOUCHED] != 0 else 0
    return touched != listed and _broken(found, 16, memory[CHANNELS])


@direct
def _ladder(memory: Words, instrument: int, found: Words) -> bool:
    if memory[instrument + LADDER] < 0:
        return False
    end = rungs(memory, instrument, 3) + room_of_side(memory, instrument, 3) * RUNG_WORDS
    if end > memory[LADDERS] + memory[LADDER_TOP]:
        return _broken(found, 17, instrument + LADDER)
    for side in range(4):
        depth = depth_of(memory, instrument, side)
        if depth > room_of_side(memory, instrument, side):
            return _broken(found, 17, instrument + (DEPTH if side < 2 else IMPLIED_DEPTH))
        empty = False
        for level in range(depth):
            rung = rungs(memory, instrument, side) + level * RUNG_WORDS
            state = memory[rung + RUNG_STATE]
            if empty and state != EMPTY:
                return _broken(found, 18, rung)
            empty = state == EMPTY
            if state == KNOWN and (memory[rung + RUNG_QUANTITY] < 0 or memory[rung + RUNG_ORDERS] < -1):
                return _broken(found, 18, rung)
    return False
