"""All books of a channel emptied at once: the exchange says so, or an epoch ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book import orders
from simbench.book.layout import (
    AWAITED,
    AWAITED_BY_PACKET,
    BEFORE_LAST,
    CHANNEL,
    CHANNEL_LOST,
    CHANNEL_REACHED,
    CHANNEL_RESET_TIME,
    CHANNEL_SNAPSHOTS,
    CHANNEL_WAS_RESET,
    CHANNEL_WORDS,
    CHANNELS,
    CONFIRMED,
    INSTRUMENT_COUNT,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    LADDER,
    NEEDED,
    NEXT_PART,
    NONE,
    PLACED,
    REASON,
    REQUIRED,
    RESTARTED,
    SNAPSHOT_UNDER_WAY,
    STALE_SINCE,
    STATE,
    UNSYNCHRONISED,
)
from simbench.book.rungs import empty_ladder
from simbench.book.waiting import forget
from simbench.kernel.pure import direct

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct
def empty_channel(memory: Words, channel: int, time: int, sequence: int, state: int, packet: int) -> None:
    """Empty all books of a channel; what is known of its instruments stays.

    Args:
        memory: the block.
        channel: its number.
        time: when.
        sequence: the last one of every instrument then: 0 where they begin again at 1, -1 where that is not known.
        state: of levels by number then, EMPTY or UNKNOWN.
        packet: the channel's sequence then: a book that took a snapshot of that place or later is beyond it.
    """
    words = memory[CHANNELS] + channel * CHANNEL_WORDS
    memory[words + CHANNEL_WAS_RESET] = 1 + sequence
    memory[words + CHANNEL_RESET_TIME] = time
    memory[words + CHANNEL_REACHED] = 0
    memory[words + CHANNEL_LOST] = 0
    for index in range(memory[INSTRUMENT_COUNT]):
        instrument = memory[INSTRUMENTS] + index * INSTRUMENT_WORDS
        if memory[instrument + CHANNEL] == channel and memory[instrument + PLACED] < packet:
            orders.empty_book(memory, channel, instrument, sequence)
            memory[instrument + SNAPSHOT_UNDER_WAY] = NONE
            memory[instrument + BEFORE_LAST] = -1
            memory[instrument + CONFIRMED] = 0
            memory[instrument + NEEDED] = 0
            memory[instrument + PLACED] = 0
            memory[instrument + NEXT_PART] = 0
            forget(memory, instrument)
            if memory[words + CHANNEL_SNAPSHOTS] in (REQUIRED, AWAITED, AWAITED_BY_PACKET) and sequence < 0:
                memory[instrument + STATE] = UNSYNCHRONISED
                memory[instrument + STALE_SINCE] = time
                memory[instrument + REASON] = RESTARTED
            if memory[instrument + LADDER] >= 0:
                empty_ladder(memory, instrument, state)
