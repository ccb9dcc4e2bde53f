"""Which instruments a gap touched: a bounded log of what shows it, for whoever tells of the gaps.

An instrument with a sequence of its own shows at its next event that something is missing, and between which packets.
Where a gap was filled after all, the messages that filled it name their instruments, or orders that the book has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.book.instruments import instrument_of
from simbench.book.layout import (
    CHANNEL_RESET_AT,
    CHANNEL_WORDS,
    CHANNELS,
    CONFIRMED,
    KEY,
    LOW,
    PLACE,
    TOUCH_ROOM,
    TOUCH_TOP,
    TOUCH_WORDS,
    TOUCHES,
    UNTOLD_FILLED,
    UNTOLD_MISSED,
)
from simbench.book.levels import address
from simbench.book.orders import seek_order
from simbench.book.table import hash_order
from simbench.kernel.pure import direct, signed

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

RECENT = 64  # rows in which a look expects to find what one packet has named already


@direct
def note_missed(memory: Words, channel: int, instrument: int, packet: int) -> None:
    """Note that an instrument misses something between its last event and the one in a packet of the channel."""
    reset = memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_RESET_AT]
    after = max(memory[instrument + CONFIRMED], reset)
    if not _write(memory, channel, memory[instrument + KEY], after, packet):
        memory[UNTOLD_MISSED] += 1


@direct
def note_filled(memory: Words, channel: int, events: Any, first: int, last: int, record: int) -> None:
    """Note the instruments of events[first:last], which filled what a gap record tells of.

    The events are not applied yet: an order that they end is still there. One that they begin names its instrument, or
    the order that it replaces.
    """
    for at in range(first, last):
        key = signed(events[at]["instrument"])
        if key == 0:
            order = signed(events[at]["order"])
            slot = memory[seek_order(memory, hash_order(memory, channel, order), channel, order)] if order != 0 else 0
            if slot == 0:
                continue
            key = memory[instrument_of(memory, memory[address(memory, slot & LOW) + PLACE]) + KEY]
        if not _is_noted(memory, ~channel, key, record) and not _write(memory, ~channel, key, record, record):
            memory[UNTOLD_FILLED] += 1


@direct
def _is_noted(memory: Words, channel: int, key: int, record: int) -> bool:
    for row in range(memory[TOUCH_TOP] - 1, max(memory[TOUCH_TOP] - RECENT, 0) - 1, -1):
        word = memory[TOUCHES] + row * TOUCH_WORDS
        if memory[word] == channel and memory[word + 1] == key and memory[word + 2] == record:
            return True
    return False


@direct
def _write(memory: Words, channel: int, key: int, first: int, last: int) -> bool:
    row = memory[TOUCH_TOP]
    if row == TOUCH_ROOM:
        return False
    memory[TOUCH_TOP] = row + 1
    word = memory[TOUCHES] + row * TOUCH_WORDS
    memory[word] = channel
    memory[word + 1] = key
    memory[word + 2] = first
    memory[word + 3] = last
    return True
