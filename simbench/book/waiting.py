"""Books that missed something wait: their changes are kept, in order, until a snapshot says what came before them.

An instrument whose sequence leaves one out is stale from there on, one that was joined in the middle is unsynchronised,
and the events of both go into a queue instead of into the book; the other instruments of the channel go on. A snapshot
that is at the last missing sequence, or later, becomes the book; what the queue has beyond it follows (`gather`), and
the instrument is current again. An older snapshot is left out and the queue kept: the next loop may do. The queue is
bounded for all instruments together. One that finds no room loses its own queue, with a count, and starts again behind
it: then only a snapshot that is at that place or later will do. A snapshot that goes beyond a current book shows what
was lost behind its last event, and becomes the book too, once the channel itself is beyond the place that it is at.

Books whose events have no such sequences wait by those of their channel (packet_waiting.py), in the same queues.

Where natural refresh is chosen instead, a book that missed something is emptied, its levels unknown, and goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book import layout as at
from simbench.book.instruments import miss, touch
from simbench.book.rungs import empty_ladder
from simbench.kernel.pure import direct, signed, unsigned

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct
def pass_or_wait(memory: Words, channel: int, instrument: int, what: Any, kind: int, flags: int, time: int) -> bool:
    """Decide whether an event goes into the book now; one that has to wait is in the queue afterwards.

    Args:
        memory: the block.
        channel: whose books wait, or refresh naturally.
        instrument: the word where it begins.
        what: the EVENT.
        kind: its kind.
        flags: its flags.
        time: its exchange time.
    """
    if kind == event.SNAPSHOT or flags & event.FROM_SNAPSHOT:
        return _take_snapshot(memory, channel, instrument, what, kind, flags)
    words = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS
    packet = signed(what["sequence"])
    memory[words + at.CHANNEL_REACHED] = max(memory[words + at.CHANNEL_REACHED], packet)
    sequence = signed(what["instrument_sequence"])
    waits = is_waiting(memory, instrument)
    if sequence == 0:
        return kind >= event.DEFINE or not waits
    last = memory[instrument + at.SEQUENCE]
    if not waits:
        if sequence <= last and packet <= memory[instrument + at.CONFIRMED]:
            memory[words + at.CHANNEL_SNAPSHOT_COUNTS + at.COVERED] += 1
            return False
        if last < 0 or sequence <= last + 1:
            memory[instrument + at.CONFIRMED] = packet
            return True
        miss(memory, channel, instrument, sequence, time)
        if memory[words + at.CHANNEL_SNAPSHOTS] == at.REFRESHES:
            _refresh(memory, instrument, sequence)
            return True
        memory[instrument + at.NEEDED] = sequence - 1
    elif memory[instrument + at.NEEDED] == 0:
        if sequence == 1:
            memory[instrument + at.STATE] = at.CURRENT
            memory[instrument + at.CONFIRMED] = packet
            return True
        memory[instrument + at.STALE_SINCE] = time
        memory[instrument + at.NEEDED] = sequence - 1
    wait(memory, channel, instrument, what, sequence)
    return False


@direct
def is_waiting(memory: Words, instrument: int) -> bool:
    """Tell whether a book waits for a snapshot."""
    state = memory[instrument + at.STATE]
    return bool(state in (at.STALE, at.UNSYNCHRONISED))


@direct
def _refresh(memory: Words, instrument: int, sequence: int) -> None:
    """Empty a book that missed something: what comes from now on is true, the rest is not known."""
    if memory[instrument + at.LADDER] >= 0:
        empty_ladder(memory, instrument, at.UNKNOWN)
    memory[instrument + at.STATE] = at.REFRESHED
    memory[instrument + at.SEQUENCE] = sequence - 1
    touch(memory, instrument)


@direct
def _take_snapshot(memory: Words, channel: int, instrument: int, what: Any, kind: int, flags: int) -> bool:
    words = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS
    if kind == event.SNAPSHOT:
        reached, placed = signed(what["instrument_sequence"]), signed(what["other"])
        memory[instrument + at.SNAPSHOT_UNDER_WAY] = _judge(memory, words, instrument, reached, placed)
        if memory[instrument + at.SNAPSHOT_UNDER_WAY] == at.FILL:
            memory[instrument + at.REASON] = at.HALF_FILLED
    filled: bool = memory[instrument + at.SNAPSHOT_UNDER_WAY] == at.FILL
    if flags & event.END:
        if filled:
            memory[words + at.CHANNEL_SNAPSHOT_COUNTS + at.TAKEN] += 1
            memory[instrument + at.NEEDED] = 0
            if memory[instrument + at.REASON] != at.LEFT_OUT:
                memory[instrument + at.STATE] = at.CURRENT
            will_drain(memory, instrument)
        memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.NONE
    return filled


@direct
def _judge(memory: Words, words: int, instrument: int, reached: int, placed: int) -> int:
    """Say what is done with a snapshot that is at an instrument's sequence, and at a packet of the channel."""
    last = memory[instrument + at.SEQUENCE]
    if is_waiting(memory, instrument):
        taken = reached >= memory[instrument + at.NEEDED]
    else:
        taken = reached > last and placed <= memory[words + at.CHANNEL_REACHED]
    if taken:
        memory[instrument + at.RESTORED_FROM] = memory[instrument + at.CONFIRMED]
        memory[instrument + at.CONFIRMED] = placed
        memory[instrument + at.PLACED] = placed
        return at.FILL
    if reached == last and not is_waiting(memory, instrument):
        memory[instrument + at.CONFIRMED] = max(memory[instrument + at.CONFIRMED], placed)
        memory[words + at.CHANNEL_SNAPSHOT_COUNTS + at.CONFIRMING] += 1
        return at.LEAVE
    memory[words + at.CHANNEL_SNAPSHOT_COUNTS + at.OLD] += 1
    return at.LEAVE


@direct
def will_drain(memory: Words, instrument: int) -> None:
    """Put a book that a snapshot has filled on the list of those whose queues go into them now."""
    if memory[instrument + at.NEXT_DRAINED] == 0:
        memory[instrument + at.NEXT_DRAINED] = 1 + memory[at.DRAINING]
        memory[at.DRAINING] = 1 + (instrument - memory[at.INSTRUMENTS]) // at.INSTRUMENT_WORDS


@direct
def wait(memory: Words, channel: int, instrument: int, what: Any, place: int) -> None:
    """Put an event behind those of its instrument that wait already; without room, what is needed is at its place."""
    row = memory[at.WAIT_FREE]
    if row != 0:
        memory[at.WAIT_FREE] = memory[memory[at.WAITING] + row * at.WAIT_WORDS]
    elif memory[at.WAIT_TOP] < memory[at.WAIT_ROOM]:
        row = memory[at.WAIT_TOP]
        memory[at.WAIT_TOP] = row + 1
    else:
        _forget(memory, channel, instrument)
        memory[instrument + at.NEEDED] = place
        return
    word = memory[at.WAITING] + row * at.WAIT_WORDS
    memory[word] = 0
    memory[word + 1] = signed(what["kind"])
    memory[word + 2] = signed(what["side"])
    memory[word + 3] = signed(what["flags"])
    memory[word + 4] = signed(what["level"])
    memory[word + 5] = signed(what["orders"])
    memory[word + at.WAIT_SEQUENCE] = signed(what["instrument_sequence"])
    memory[word + 7] = signed(what["instrument"])
    memory[word + 8] = signed(what["order"])
    memory[word + 9] = signed(what["other"])
    memory[word + 10] = signed(what["priority"])
    memory[word + 11] = signed(what["price"])
    memory[word + 12] = signed(what["quantity"])
    memory[word + at.WAIT_TIME] = signed(what["time"])
    memory[word + at.WAIT_PACKET] = signed(what["sequence"])
    if memory[instrument + at.WAIT_FIRST] == 0:
        memory[instrument + at.WAIT_FIRST] = row
    else:
        memory[memory[at.WAITING] + memory[instrument + at.WAIT_LAST] * at.WAIT_WORDS] = row
    memory[instrument + at.WAIT_LAST] = row


@direct
def _forget(memory: Words, channel: int, instrument: int) -> None:
    """Give up what waits for an instrument: there is no room."""
    counts = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS + at.CHANNEL_SNAPSHOT_COUNTS
    memory[counts + at.OVERFLOWED] += 1
    forget(memory, instrument)


@direct
def forget(memory: Words, instrument: int) -> None:
    """Empty the queue of an instrument."""
    row = memory[instrument + at.WAIT_FIRST]
    while row != 0:
        row = _free(memory, row)
    memory[instrument + at.WAIT_FIRST] = 0
    memory[instrument + at.WAIT_LAST] = 0


@direct
def _free(memory: Words, row: int) -> int:
    """Give a row back; return the one behind it."""
    word = memory[at.WAITING] + row * at.WAIT_WORDS
    following: int = memory[word]
    memory[word] = memory[at.WAIT_FREE]
    memory[at.WAIT_FREE] = row
    return following


@direct
def gather(memory: Words, events: Any, room: int) -> int:
    """Take what waits for the next instrument that has its snapshot into events[:room]; return how many that are.

    A hole in what waits ends it, where sequences of the instrument tell: what is behind goes on waiting, for another
    snapshot. So does all of it where the book has missed something since. -1 where nothing more of it can be taken: the
    instrument is out of the list then, and memory[RESTORED] names it by its index; -1 where it waits on.
    """
    index = memory[at.DRAINING] - 1
    instrument = memory[at.INSTRUMENTS] + index * at.INSTRUMENT_WORDS
    words = memory[at.CHANNELS] + memory[instrument + at.CHANNEL] * at.CHANNEL_WORDS
    by_packet = memory[words + at.CHANNEL_SNAPSHOTS] == at.AWAITED_BY_PACKET
    place = at.WAIT_PACKET if by_packet else at.WAIT_SEQUENCE
    reached = memory[instrument + at.PLACED] if by_packet else memory[instrument + at.SEQUENCE]
    count = 0
    waits = is_waiting(memory, instrument)
    row = memory[instrument + at.WAIT_FIRST]
    while row != 0 and count < room and not waits:
        word = memory[at.WAITING] + row * at.WAIT_WORDS
        if not by_packet and memory[word + place] > reached + 1:
            break
        if memory[word + place] > reached:
            reached += 0 if by_packet else 1
            out = events[count]
            out["kind"] = memory[word + 1]
            out["side"] = memory[word + 2]
            out["flags"] = memory[word + 3]
            out["level"] = memory[word + 4]
            out["orders"] = memory[word + 5]
            out["instrument_sequence"] = memory[word + at.WAIT_SEQUENCE]
            out["instrument"] = unsigned(memory[word + 7])
            out["order"] = unsigned(memory[word + 8])
            out["other"] = unsigned(memory[word + 9])
            out["priority"] = unsigned(memory[word + 10])
            out["price"] = memory[word + 11]
            out["quantity"] = memory[word + 12]
            out["time"] = memory[word + at.WAIT_TIME]
            out["sequence"] = unsigned(memory[word + at.WAIT_PACKET])
            count += 1
        row = _free(memory, row)
    memory[instrument + at.WAIT_FIRST] = row
    if row == 0:
        memory[instrument + at.WAIT_LAST] = 0
    if count > 0:
        return count
    memory[at.DRAINING] = memory[instrument + at.NEXT_DRAINED] - 1
    memory[instrument + at.NEXT_DRAINED] = 0
    memory[at.RESTORED] = -1 if waits else index
    if row != 0 and not waits:
        word = memory[at.WAITING] + row * at.WAIT_WORDS
        sequence = memory[word + at.WAIT_SEQUENCE]
        miss(memory, memory[instrument + at.CHANNEL], instrument, sequence, memory[word + at.WAIT_TIME])
        memory[instrument + at.NEEDED] = sequence - 1
        memory[at.RESTORED] = -1
    return -1


@direct
def channel_drained(memory: Words) -> int:
    """Return the channel of the instrument whose queue goes into its book."""
    instrument = memory[at.INSTRUMENTS] + (memory[at.DRAINING] - 1) * at.INSTRUMENT_WORDS
    return int(memory[instrument + at.CHANNEL])
