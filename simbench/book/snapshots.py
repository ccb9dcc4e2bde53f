"""Books that are known from a snapshot on: what may change them, what a snapshot does to them, when they are current.

Everything here is about one instrument at a time and about its own sequence: change ids that name the one before them
(CHAINED), or instrument sequences that count up. A snapshot says what it is at. A book that is not current takes the
first one that is not older than what it has seen; from then on only changes that follow it count. A current book by
price is not touched by a snapshot at its own place: they have to be equal.

What is older is left out: a snapshot below the book's sequence, a change that the book has already. Where such a one
has a later exchange time than the book, the ids have begun anew, and it is not old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book.instruments import count_anomaly, make_stale
from simbench.book.layout import (
    AFTER_BREAK,
    AFTER_DIFFERENCE,
    AFTER_GAP,
    BEFORE_LAST,
    BROKEN_CHAIN,
    BY_PRICE,
    CHANGED,
    CHANNEL_KIND,
    CHANNEL_SNAPSHOT_COUNTS,
    CHANNEL_WORDS,
    CHANNELS,
    COMPARE,
    CONFIRMED,
    COUNT,
    COVERED,
    CURRENT,
    EQUAL,
    FILL,
    HALF_FILLED,
    HOLES,
    INSTRUMENT_GAP,
    KEY,
    LAST,
    LEAVE,
    LEFT,
    LEFT_OUT,
    MARK,
    NODE_CHILD,
    NODE_SIZE,
    NODE_WORDS,
    NODE_WORSE,
    NODES,
    NONE,
    OLD,
    ORDERS,
    PRICE,
    QUANTITY,
    REASON,
    SECRET_2,
    SEED,
    SEQUENCE,
    SIDE_WORDS,
    SIDES,
    SNAPSHOT_DIFFERS,
    SNAPSHOT_UNDER_WAY,
    STALE_SINCE,
    STATE,
    TAKEN,
    UNFINISHED,
    UNSYNCHRONISED,
)
from simbench.book.levels import address
from simbench.book.table import hash_price
from simbench.book.touched import note_missed
from simbench.kernel.pure import direct, mix, multiply, signed

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct
def admit(memory: Words, channel: int, instrument: int, what: Any, kind: int, flags: int, time: int) -> bool:
    """Decide whether an event may change the book of its instrument, and note what it means for its state.

    Args:
        memory: the block.
        channel: whose books are known from snapshots.
        instrument: the word where it begins.
        what: the EVENT. Of those that leave books as they are it does not matter what is returned.
        kind: its kind.
        flags: its flags.
        time: its exchange time.
    """
    chained = flags & event.CHAINED != 0
    sequence = signed(what["order"]) if chained else signed(what["instrument_sequence"])
    if kind == event.SNAPSHOT:
        _begin(memory, channel, instrument, sequence if chained or sequence != 0 else -1, time)
    if kind == event.SNAPSHOT or flags & event.FROM_SNAPSHOT:
        if memory[instrument + SNAPSHOT_UNDER_WAY] == COMPARE and kind == event.LEVEL:
            level = _mark(
                memory, channel, instrument, signed(what["side"]), signed(what["price"]), signed(what["quantity"]),
                signed(what["orders"]),
            )  # fmt: skip
            memory[instrument + MARK] ^= level
            memory[instrument + LEFT] -= 1
        filled = memory[instrument + SNAPSHOT_UNDER_WAY] == FILL
        if flags & event.END:
            _end(memory, channel, instrument, time)
        return bool(filled)
    if not chained and sequence == 0:
        return True
    before = signed(what["other"]) if chained else sequence - 1
    hole = BROKEN_CHAIN if chained else INSTRUMENT_GAP
    if not _follow(memory, channel, instrument, before, sequence, hole, signed(what["sequence"]), time):
        _count(memory, channel, COVERED)
        return False
    memory[instrument + BEFORE_LAST] = before if chained and flags & event.END == 0 else -1
    leave(memory, channel, instrument)
    return True


@direct
def leave(memory: Words, channel: int, instrument: int) -> None:
    """Leave out what is still to come of a snapshot that is under way: the book is not what it was at its beginning."""
    if memory[instrument + SNAPSHOT_UNDER_WAY] in (FILL, COMPARE):
        _count(memory, channel, UNFINISHED)
        memory[instrument + SNAPSHOT_UNDER_WAY] = LEAVE


@direct
def _begin(memory: Words, channel: int, instrument: int, sequence: int, time: int) -> None:
    leave(memory, channel, instrument)
    last = memory[instrument + SEQUENCE]
    state = memory[instrument + STATE]
    placed = sequence >= 0 and last >= 0
    by_price = memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_KIND] == BY_PRICE
    if placed and sequence < last and time <= memory[instrument + CHANGED]:
        _count(memory, channel, OLD)
        memory[instrument + SNAPSHOT_UNDER_WAY] = LEAVE
    elif placed and sequence == last and state == CURRENT and by_price and memory[instrument + BEFORE_LAST] < 0:
        memory[instrument + SNAPSHOT_UNDER_WAY] = COMPARE
        _mark_book(memory, channel, instrument)
    else:
        memory[instrument + SNAPSHOT_UNDER_WAY] = FILL
        if state == CURRENT:
            memory[instrument + STALE_SINCE] = time
        memory[instrument + STATE] = UNSYNCHRONISED
        memory[instrument + REASON] = HALF_FILLED
        memory[instrument + BEFORE_LAST] = -1
        memory[instrument + CHANGED] = time
        if sequence >= 0:
            memory[instrument + SEQUENCE] = sequence


@direct
def _end(memory: Words, channel: int, instrument: int, time: int) -> None:
    doing = memory[instrument + SNAPSHOT_UNDER_WAY]
    if doing == FILL:
        _count(memory, channel, TAKEN)
        if memory[instrument + REASON] != LEFT_OUT:
            memory[instrument + STATE] = CURRENT
    elif doing == COMPARE and memory[instrument + MARK] == 0 and memory[instrument + LEFT] == 0:
        _count(memory, channel, EQUAL)
    elif doing == COMPARE:
        count_anomaly(memory, channel, SNAPSHOT_DIFFERS, 1, time)
        make_stale(memory, instrument, AFTER_DIFFERENCE, time)
    memory[instrument + SNAPSHOT_UNDER_WAY] = NONE


@direct
def _follow(
    memory: Words, channel: int, instrument: int, before: int, sequence: int, hole: int, packet: int, time: int
) -> bool:
    """Take the book from one change to the next; return whether it does not have it already. A hole is an anomaly."""
    last = memory[instrument + SEQUENCE]
    if 0 <= before == memory[instrument + BEFORE_LAST] and sequence == last:
        memory[instrument + CONFIRMED] = packet
        return True
    if 0 <= sequence <= last and time <= memory[instrument + CHANGED]:
        return False
    if last >= 0 and before != last:
        missing = 1 if hole == BROKEN_CHAIN else max(sequence - last - 1, 1)
        count_anomaly(memory, channel, hole, missing, time)
        memory[instrument + HOLES] += missing
        note_missed(memory, channel, instrument, packet)
        if memory[instrument + STATE] == CURRENT:
            make_stale(memory, instrument, AFTER_BREAK if hole == BROKEN_CHAIN else AFTER_GAP, time)
    memory[instrument + SEQUENCE] = sequence
    memory[instrument + CHANGED] = time
    memory[instrument + CONFIRMED] = packet
    return True


@direct
def _count(memory: Words, channel: int, which: int) -> None:
    memory[memory[CHANNELS] + channel * CHANNEL_WORDS + CHANNEL_SNAPSHOT_COUNTS + which] += 1


@direct
def _mark(memory: Words, channel: int, instrument: int, side: int, price: int, quantity: int, orders: int) -> int:
    """Reduce a level to 64 bits: those of equal levels are equal, and of other ones nobody can choose them so."""
    h = hash_price(memory, channel, memory[instrument + KEY], side, price)
    return mix(h ^ multiply(quantity, memory[SECRET_2]) ^ max(orders, -1), memory[SEED])


@direct
def _mark_book(memory: Words, channel: int, instrument: int) -> None:
    """Reduce all levels of a book by price to how many there are and the marks of all, whatever their order."""
    levels = 0
    mark = 0
    for number in range(4):
        side = instrument + SIDES + number * SIDE_WORDS
        levels += memory[side + COUNT]
        leaf = memory[side + LAST]
        while leaf >= 0:
            node = memory[NODES] + leaf * NODE_WORDS
            for position in range(memory[node + NODE_SIZE]):
                level = address(memory, memory[node + NODE_CHILD + position])
                mark ^= _mark(
                    memory, channel, instrument, number, memory[level + PRICE], memory[level + QUANTITY],
                    memory[level + ORDERS],
                )  # fmt: skip
            leaf = memory[node + NODE_WORSE]
    memory[instrument + LEFT] = levels
    memory[instrument + MARK] = mark
