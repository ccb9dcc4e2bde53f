"""Blocks of books: made, copied and laid out anew when they have to grow."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simbench.book.layout import (
    AWAITED,
    AWAITED_BY_PACKET,
    CHANNEL_COUNT,
    CHANNEL_DEPTH,
    CHANNEL_IMPLIED_DEPTH,
    CHANNEL_KIND,
    CHANNEL_PRICE_EXPONENT,
    CHANNEL_QUANTITY_EXPONENT,
    CHANNEL_SNAPSHOTS,
    CHANNEL_TEXT_KEY,
    CHANNEL_WORDS,
    CHANNELS,
    DEPTH_LIMIT,
    DRAINING,
    HEADER_WORDS,
    INSTRUMENT_COUNT,
    INSTRUMENT_MASK,
    INSTRUMENT_ROOM,
    INSTRUMENT_SLOTS,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    KINDS,
    LADDER_LIMIT,
    LADDER_ROOM,
    LADDER_TOP,
    LADDERS,
    LAYOUT_VERSION,
    LEVEL_COUNT,
    LEVEL_MASK,
    LEVEL_ROOM,
    LEVEL_SLOTS,
    LINE,
    MOST_INSTRUMENTS,
    MOST_LADDERS,
    MOST_LEVELS,
    MOST_ORDERS,
    NODE_COUNT,
    NODE_FREE,
    NODE_ROOM,
    NODE_TOP,
    NODE_WORDS,
    NODES,
    ORDER_COUNT,
    ORDER_MASK,
    ORDER_ROOM,
    ORDER_SLOTS,
    PATH_DEPTH,
    RECORD_FREE,
    RECORD_ROOM,
    RECORD_TOP,
    RECORD_WORDS,
    RECORDS,
    SECRET_1,
    SECRET_2,
    SEED,
    TOUCH_ROOM,
    TOUCH_TOP,
    TOUCH_WORDS,
    TOUCHES,
    UNTOLD_FILLED,
    UNTOLD_MISSED,
    VERSION_WORD,
    WAIT_FREE,
    WAIT_ROOM,
    WAIT_ROWS,
    WAIT_TOP,
    WAIT_WORDS,
    WAITING,
)
from simbench.book.table import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.book.layout import BookChannel
    from simbench.kernel.pure import Words


@dataclass(frozen=True)
class Limits:
    """How much a block may grow to have room for, whatever comes: all of it takes about 14 GiB.

    Attributes:
        instruments: of all channels; 512 bytes each.
        orders: alive at a time; 80 bytes each.
        levels: by price; 80 bytes each, and 320 where each stands alone in its tree.
        ladders: words of 8 bytes; four for a level by number.
    """

    instruments: int = 1 << 21
    orders: int = 1 << 26
    levels: int = 1 << 24
    ladders: int = 1 << 27


@dataclass(frozen=True)
class Room:
    """How much a block has room for.

    Attributes:
        instruments: of all channels.
        orders: alive at a time.
        levels: by price.
        nodes: of the price trees.
        ladders: words.
        waiting: events of books that wait for a snapshot; never grows.
    """

    instruments: int
    orders: int
    levels: int
    nodes: int
    ladders: int
    waiting: int = 0


def aligned(words: int) -> Words:
    """Return zeroed int64[words] that starts on a cache line."""
    array = np.zeros(words + LINE, np.int64)
    skip = -array.ctypes.data % (8 * LINE) // 8
    return array[skip : skip + words]


def new_memory(
    channels: Sequence[BookChannel], room: Room, seed: int | None = None, limits: Limits | None = None
) -> Words:
    """Return a block without instruments.

    Args:
        channels: their index is the channel number of `apply`.
        room: how much to make room for.
        seed: of the hash tables; drawn when None.
        limits: of what it may grow to; the usual ones when None.
    """
    limits = limits or Limits()
    by_level = any(channel.kind == "level" for channel in channels)
    if any(channel.snapshots in {AWAITED, AWAITED_BY_PACKET} for channel in channels):
        room = replace(room, waiting=WAIT_ROWS)
    memory = _lay(len(channels), _at_least(room, limits, by_level=by_level))
    memory[MOST_INSTRUMENTS] = limits.instruments
    memory[MOST_ORDERS] = limits.orders
    memory[MOST_LEVELS] = limits.levels
    memory[MOST_LADDERS] = limits.ladders
    memory[SEED] = _signed(secrets.randbits(64) if seed is None else seed)
    memory[SECRET_1] = _signed(secrets.randbits(64) | 1 if seed is None else seed * 6364136223846793005 | 1)
    memory[SECRET_2] = _signed(secrets.randbits(64) | 1 if seed is None else seed * 3202034522624059733 | 1)
    for number, channel in enumerate(channels):
        words = memory[memory[CHANNELS] + number * CHANNEL_WORDS :]
        words[CHANNEL_KIND] = KINDS.index(channel.kind)
        words[CHANNEL_PRICE_EXPONENT] = channel.price_exponent
        words[CHANNEL_QUANTITY_EXPONENT] = channel.quantity_exponent
        words[CHANNEL_TEXT_KEY] = channel.text_key
        words[CHANNEL_DEPTH] = min(channel.depth, DEPTH_LIMIT)
        words[CHANNEL_IMPLIED_DEPTH] = min(channel.implied_depth, DEPTH_LIMIT)
        words[CHANNEL_SNAPSHOTS] = channel.snapshots
    return memory


def grown(memory: Words) -> Words:
    """Return a larger block with the same content: every section that is three quarters full is twice as large.

    None becomes larger than its limit.
    """
    room = Room(
        instruments=min(_larger(memory, INSTRUMENT_ROOM, INSTRUMENT_COUNT), int(memory[MOST_INSTRUMENTS])),
        orders=min(_larger(memory, ORDER_ROOM, ORDER_COUNT), int(memory[MOST_ORDERS])),
        levels=min(_larger(memory, LEVEL_ROOM, LEVEL_COUNT), int(memory[MOST_LEVELS])),
        nodes=_larger(memory, NODE_ROOM, NODE_COUNT, PATH_DEPTH),
        ladders=min(_larger(memory, LADDER_ROOM, LADDER_TOP, LADDER_LIMIT), int(memory[MOST_LADDERS])),
        waiting=int(memory[WAIT_ROOM]),
    )
    return relaid(memory, room)


def relaid(memory: Words, room: Room | None = None) -> Words:
    """Return a copy of the block that touches only what is in use; with other room when that is given."""
    channels = int(memory[CHANNEL_COUNT])
    new = _lay(channels, room or room_of(memory))
    new[SEED : MOST_LADDERS + 1] = memory[SEED : MOST_LADDERS + 1]
    for word in (UNTOLD_MISSED, UNTOLD_FILLED, INSTRUMENT_COUNT, RECORD_TOP, RECORD_FREE, ORDER_COUNT, LEVEL_COUNT):
        new[word] = memory[word]
    for word in (NODE_TOP, NODE_FREE, NODE_COUNT, LADDER_TOP, WAIT_TOP, WAIT_FREE, DRAINING, TOUCH_TOP):
        new[word] = memory[word]
    for base, words in (
        (CHANNELS, channels * CHANNEL_WORDS),
        (INSTRUMENTS, int(memory[INSTRUMENT_COUNT]) * INSTRUMENT_WORDS),
        (RECORDS, int(memory[RECORD_TOP]) * RECORD_WORDS),
        (NODES, int(memory[NODE_TOP]) * NODE_WORDS),
        (LADDERS, int(memory[LADDER_TOP])),
        (TOUCHES, int(memory[TOUCH_TOP]) * TOUCH_WORDS),
        (WAITING, int(memory[WAIT_TOP]) * WAIT_WORDS),
    ):
        new[new[base] : new[base] + words] = memory[memory[base] : memory[base] + words]
    for base, mask in ((INSTRUMENT_SLOTS, INSTRUMENT_MASK), (ORDER_SLOTS, ORDER_MASK), (LEVEL_SLOTS, LEVEL_MASK)):
        slots = memory[memory[base] : memory[base] + memory[mask] + 1]
        if memory[mask] == new[mask]:
            new[new[base] : new[base] + new[mask] + 1] = slots
        else:
            fill(slots, new[new[base] : new[base] + new[mask] + 1])
    return new


def room_of(memory: Words) -> Room:
    """Return how much the block has room for."""
    words = (INSTRUMENT_ROOM, ORDER_ROOM, LEVEL_ROOM, NODE_ROOM, LADDER_ROOM, WAIT_ROOM)
    return Room(*(int(memory[word]) for word in words))


def _lay(channels: int, room: Room) -> Words:
    records = 1 + room.orders + room.levels
    header = np.zeros(HEADER_WORDS, np.int64)
    header[VERSION_WORD] = LAYOUT_VERSION
    header[CHANNEL_COUNT] = channels
    header[INSTRUMENT_ROOM] = room.instruments
    header[RECORD_ROOM] = records
    header[RECORD_TOP] = 1
    header[ORDER_ROOM] = room.orders
    header[LEVEL_ROOM] = room.levels
    header[NODE_ROOM] = room.nodes
    header[LADDER_ROOM] = room.ladders
    header[NODE_FREE] = -1
    header[WAIT_ROOM] = room.waiting
    header[WAIT_TOP] = min(1, room.waiting)
    header[INSTRUMENT_MASK] = _slots(room.instruments) - 1
    header[ORDER_MASK] = _slots(room.orders) - 1
    header[LEVEL_MASK] = _slots(room.levels) - 1
    end = HEADER_WORDS
    for base, words in (
        (CHANNELS, channels * CHANNEL_WORDS),
        (INSTRUMENTS, room.instruments * INSTRUMENT_WORDS),
        (RECORDS, records * RECORD_WORDS),
        (NODES, room.nodes * NODE_WORDS),
        (LADDERS, room.ladders),
        (TOUCHES, TOUCH_ROOM * TOUCH_WORDS),
        (WAITING, room.waiting * WAIT_WORDS),
        (INSTRUMENT_SLOTS, int(header[INSTRUMENT_MASK]) + 1),
        (ORDER_SLOTS, int(header[ORDER_MASK]) + 1),
        (LEVEL_SLOTS, int(header[LEVEL_MASK]) + 1),
    ):
        header[base] = end
        end += -(-words // LINE) * LINE
    memory = aligned(end + LINE)  # a look ahead may read a little beyond the last table
    memory[:HEADER_WORDS] = header
    return memory


def _at_least(room: Room, limits: Limits, *, by_level: bool) -> Room:
    """Return room for any one event, as far as there may be, and for ladders only where there are any."""
    return Room(
        instruments=min(max(room.instruments, LINE), limits.instruments),
        orders=min(max(room.orders, LINE), limits.orders),
        levels=min(max(room.levels, LINE), limits.levels),
        nodes=max(room.nodes, 2 * PATH_DEPTH),
        ladders=min(max(room.ladders, 2 * LADDER_LIMIT), limits.ladders) if by_level else 0,
        waiting=room.waiting,
    )


def _slots(keys: int) -> int:
    """Return the size of a table for so many keys: a power of two that they fill by half at most."""
    return max(LINE, 1 << (2 * keys - 1).bit_length())


def _larger(memory: Words, room: int, used: int, needed: int = 1) -> int:
    have, free = int(memory[room]), int(memory[room] - memory[used])
    return 2 * have if 4 * free < have or free < needed else have


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
