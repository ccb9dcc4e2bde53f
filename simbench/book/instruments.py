"""Instruments: found by channel and native key, defined or seen first, and what is known of them beside their book.

An instrument is named by the word of memory where it begins; its place is what orders and levels carry of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book.layout import (
    AFTER_GAP,
    AWAITED,
    AWAITED_BY_PACKET,
    BEFORE_LAST,
    BEST,
    BY_LEVEL,
    CHANNEL,
    CHANNEL_ANOMALIES,
    CHANNEL_DEPTH,
    CHANNEL_IMPLIED_DEPTH,
    CHANNEL_KIND,
    CHANNEL_LOST,
    CHANNEL_PRICE_EXPONENT,
    CHANNEL_QUANTITY_EXPONENT,
    CHANNEL_REACHED,
    CHANNEL_SNAPSHOTS,
    CHANNEL_TOUCHED,
    CHANNEL_WAS_RESET,
    CHANNEL_WORDS,
    CHANNELS,
    COUNT,
    CROSSED,
    CURRENT,
    DEFINED,
    DEPTH,
    DEPTH_LIMIT,
    DISPLAY_FACTOR,
    HOLES,
    IMPLIED_DEPTH,
    INSTRUMENT_BACKWARD,
    INSTRUMENT_COUNT,
    INSTRUMENT_GAP,
    INSTRUMENT_MASK,
    INSTRUMENT_ROOM,
    INSTRUMENT_SLOTS,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    INT64_MAX,
    IS_CROSSED,
    KEY,
    KNOWN,
    LADDER,
    LADDER_ROOM_EXPLICIT,
    LADDERS,
    LAST,
    LAST_PRICE,
    LAST_QUANTITY,
    LAST_TIME,
    LEFT_OUT,
    LOW,
    NEEDED,
    NO_ROOM,
    OTHER,
    PLACE_CHANNEL,
    PLACE_INSTRUMENT,
    PRICE_EXPONENT,
    QUANTITY_EXPONENT,
    REASON,
    REQUIRED,
    ROOT,
    RUNG_PRICE,
    RUNG_STATE,
    RUNG_WORDS,
    SEQUENCE,
    SIDE_WORDS,
    SIDES,
    STALE,
    STALE_SINCE,
    STATE,
    SYMBOL,
    TOUCHED,
    TRADED_VOLUME,
    TRADES,
    UNSYNCHRONISED,
    VERSION,
)
from simbench.book.table import hash_key, home, occupy
from simbench.kernel.pure import direct, direct_inlined

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct
def count_anomaly(memory: Words, channel: int, kind: int, count: int, time: int) -> None:
    """Count an anomaly of the channel with its time."""
    at = memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_ANOMALIES + 3 * kind
    if memory[at] == 0:
        memory[at + 1] = time
    memory[at] += count
    memory[at + 2] = time


@direct
def make_stale(memory: Words, instrument: int, reason: int, time: int) -> None:
    """Say that a book is not what it should be, why, and since when; one that is stale already goes on being so."""
    if memory[instrument + STATE] != STALE:
        memory[instrument + STATE] = STALE
        memory[instrument + STALE_SINCE] = time
        memory[instrument + REASON] = reason


@direct
def leave_out(memory: Words, instrument: int, time: int) -> None:
    """Count an event for which there is no room: the book of its instrument lacks it from now on."""
    count_anomaly(memory, memory[instrument + CHANNEL], NO_ROOM, 1, time)
    make_stale(memory, instrument, LEFT_OUT, time)
    memory[instrument + REASON] = LEFT_OUT
    words = memory[CHANNELS] + memory[instrument + CHANNEL] * CHANNEL_WORDS
    if memory[words + CHANNEL_SNAPSHOTS] == AWAITED_BY_PACKET:
        memory[instrument + NEEDED] = max(memory[instrument + NEEDED], memory[words + CHANNEL_REACHED])


@direct_inlined
def seek_instrument(memory: Words, h: int, channel: int, key: int) -> int:
    """Return the slot of an instrument, or the free one where it would go."""
    base = memory[INSTRUMENT_SLOTS]
    mask = memory[INSTRUMENT_MASK]
    at = home(h, mask)
    while True:
        slot = memory[base + at]
        if slot == 0:
            return int(base + at)
        if (slot ^ h) >> 32 == 0:
            instrument = memory[INSTRUMENTS] + ((slot & LOW) - 1) * INSTRUMENT_WORDS
            if memory[instrument + KEY] == key and memory[instrument + CHANNEL] == channel:
                return int(base + at)
        at = (at + 1) & mask


@direct
def find_instrument(memory: Words, channel: int, key: int) -> int:
    """Return the word where an instrument begins, -1 where there is none."""
    slot = memory[seek_instrument(memory, hash_key(memory, channel, key), channel, key)]
    return -1 if slot == 0 else memory[INSTRUMENTS] + ((slot & LOW) - 1) * INSTRUMENT_WORDS


@direct
def find_or_new(memory: Words, channel: int, key: int) -> int:
    """Return the word where an instrument begins, new where it was never seen; -1 where there may be no more."""
    h = hash_key(memory, channel, key)
    at = seek_instrument(memory, h, channel, key)
    if memory[at] != 0:
        return int(memory[INSTRUMENTS] + ((memory[at] & LOW) - 1) * INSTRUMENT_WORDS)
    index = memory[INSTRUMENT_COUNT]
    if index >= memory[INSTRUMENT_ROOM]:
        return -1
    memory[INSTRUMENT_COUNT] = index + 1
    occupy(memory, at, h, index + 1)
    instrument = memory[INSTRUMENTS] + index * INSTRUMENT_WORDS
    defaults = memory[CHANNELS] + channel * CHANNEL_WORDS
    memory[instrument + KEY] = key
    memory[instrument + CHANNEL] = channel
    memory[instrument + SEQUENCE] = memory[defaults + CHANNEL_WAS_RESET] - 1
    memory[instrument + PRICE_EXPONENT] = memory[defaults + CHANNEL_PRICE_EXPONENT]
    memory[instrument + QUANTITY_EXPONENT] = memory[defaults + CHANNEL_QUANTITY_EXPONENT]
    memory[instrument + DEPTH] = memory[defaults + CHANNEL_DEPTH]
    memory[instrument + IMPLIED_DEPTH] = memory[defaults + CHANNEL_IMPLIED_DEPTH]
    memory[instrument + LADDER] = -1
    memory[instrument + BEFORE_LAST] = -1
    snapshots = memory[defaults + CHANNEL_SNAPSHOTS]
    unknown = snapshots in (REQUIRED, AWAITED, AWAITED_BY_PACKET) and memory[defaults + CHANNEL_WAS_RESET] == 0
    memory[instrument + STATE] = UNSYNCHRONISED if unknown else CURRENT
    memory[instrument + NEEDED] = memory[defaults + CHANNEL_LOST]
    for side in range(4):
        memory[instrument + SIDES + side * SIDE_WORDS + ROOT] = -1
        memory[instrument + SIDES + side * SIDE_WORDS + LAST] = -1
    return int(instrument)


@direct_inlined
def instrument_of(memory: Words, place: int) -> int:
    """Return the word where the instrument of a place begins."""
    return int(memory[INSTRUMENTS] + ((place >> 2) & PLACE_INSTRUMENT) * INSTRUMENT_WORDS)


@direct_inlined
def place_of(memory: Words, instrument: int, side: int) -> int:
    """Return what an order of this instrument and side carries."""
    index = (instrument - memory[INSTRUMENTS]) // INSTRUMENT_WORDS
    return int(memory[instrument + CHANNEL] << PLACE_CHANNEL | index << 2 | side)


@direct
def define(
    memory: Words, instrument: int, symbol: int, middle: int, end: int, factor: int, said: int, depth: int, other: int
) -> None:
    """Take over a definition; the fields of `said` stand in protocol/contract.py under DEFINE."""
    memory[instrument + SYMBOL] = symbol
    memory[instrument + SYMBOL + 1] = middle
    memory[instrument + SYMBOL + 2] = end
    memory[instrument + DISPLAY_FACTOR] = factor
    memory[instrument + DEFINED] += 1
    memory[instrument + OTHER] = other
    if said >> 16 & 1:
        memory[instrument + PRICE_EXPONENT] = (said & 255 ^ 128) - 128
        memory[instrument + QUANTITY_EXPONENT] = (said >> 8 & 255 ^ 128) - 128
    if depth > 0:
        memory[instrument + DEPTH] = min(depth, DEPTH_LIMIT)
    if said >> 24 & 255:
        memory[instrument + IMPLIED_DEPTH] = said >> 24 & 255


@direct
def miss(memory: Words, channel: int, instrument: int, sequence: int, time: int) -> None:
    """Note that a sequence leaves some of its instrument's out: the book is stale in front of it."""
    missing = sequence - memory[instrument + SEQUENCE] - 1
    count_anomaly(memory, channel, INSTRUMENT_GAP, missing, time)
    memory[instrument + HOLES] += missing
    make_stale(memory, instrument, AFTER_GAP, time)


@direct
def follow(memory: Words, channel: int, instrument: int, sequence: int, time: int) -> bool:
    """Take note of an instrument sequence; tell whether it leaves some out, which makes the book stale."""
    last = memory[instrument + SEQUENCE]
    missed = 0 <= last < sequence - 1
    if last >= 0:
        if sequence > last + 1:
            miss(memory, channel, instrument, sequence, time)
        elif sequence < last:
            count_anomaly(memory, channel, INSTRUMENT_BACKWARD, 1, time)
            return False
    memory[instrument + SEQUENCE] = sequence
    return bool(missed)


@direct
def record_trade(memory: Words, instrument: int, price: int, quantity: int, time: int) -> None:
    """Keep the last trade and add to the volume, which stays at the largest integer when it would go beyond."""
    memory[instrument + TRADES] += 1
    memory[instrument + LAST_PRICE] = price
    memory[instrument + LAST_QUANTITY] = quantity
    memory[instrument + LAST_TIME] = time
    if quantity > 0:
        volume = memory[instrument + TRADED_VOLUME]
        memory[instrument + TRADED_VOLUME] = volume + min(quantity, INT64_MAX - volume)


@direct_inlined
def touch(memory: Words, instrument: int) -> None:
    """Mark the book as changed, to be judged at the end of the exchange event."""
    memory[instrument + VERSION] += 1
    if memory[instrument + TOUCHED] == 0:
        head = memory[CHANNELS] + memory[instrument + CHANNEL] * CHANNEL_WORDS + CHANNEL_TOUCHED
        memory[instrument + TOUCHED] = max(memory[head], 1)
        memory[head] = (instrument - memory[INSTRUMENTS]) // INSTRUMENT_WORDS + 2


@direct_inlined
def judge(memory: Words, channel: int, time: int) -> None:
    """Judge the books that the exchange event has changed, now that it is over: is a bid above the ask?"""
    words = memory[CHANNELS] + channel * CHANNEL_WORDS
    at = memory[words + CHANNEL_TOUCHED]
    by_level = memory[words + CHANNEL_KIND] == BY_LEVEL
    while at > 1:
        instrument = memory[INSTRUMENTS] + (at - 2) * INSTRUMENT_WORDS
        crossed = _ladder_crossed(memory, instrument) if by_level else _tree_crossed(memory, instrument)
        if crossed > memory[instrument + IS_CROSSED]:
            count_anomaly(memory, channel, CROSSED, 1, time)
        memory[instrument + IS_CROSSED] = crossed
        at = memory[instrument + TOUCHED]
        memory[instrument + TOUCHED] = 0
    memory[words + CHANNEL_TOUCHED] = 0


@direct_inlined
def _tree_crossed(memory: Words, instrument: int) -> int:
    bid = instrument + SIDES
    ask = bid + SIDE_WORDS
    both = memory[bid + COUNT] > 0 and memory[ask + COUNT] > 0
    return 1 if both and memory[bid + BEST] > memory[ask + BEST] else 0


@direct
def _ladder_crossed(memory: Words, instrument: int) -> int:
    if memory[instrument + LADDER] < 0:
        return 0
    bid = memory[LADDERS] + memory[instrument + LADDER]
    ask = bid + memory[instrument + LADDER_ROOM_EXPLICIT] * RUNG_WORDS
    both = memory[bid + RUNG_STATE] == KNOWN and memory[ask + RUNG_STATE] == KNOWN
    return 1 if both and memory[bid + RUNG_PRICE] > memory[ask + RUNG_PRICE] else 0
