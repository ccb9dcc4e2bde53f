"""Books order by order wait by the packets of their channel: nothing else says what they missed.

An order that changes has no sequence of its instrument's. So a packet that never came may have been about any book of
its channel: from there on all are stale, their events wait in the queues of waiting.py, and a snapshot becomes the book
when it was taken at the last packet that is lost or later. What waits from packets beyond that follows it. A channel
that is joined at its first packet is known from the start; joined later, all in front of that is lost.

A snapshot of many orders comes in parts. They fill the book one after the other, and it is current behind the last one.
A part that is not the next of the snapshot under way is left out, so one that was lost leaves the book as it is, stale,
until a loop brings all of them.

A book that took a snapshot from ahead of its channel leaves out what the channel still brings up to there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench import event
from simbench.book import layout as at
from simbench.book.instruments import count_anomaly, find_or_new, make_stale
from simbench.book.waiting import forget, is_waiting, wait, will_drain
from simbench.kernel.pure import direct, signed

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

FIRST_PART: Final = 1


@direct
def pass_order(memory: Words, channel: int, what: Any, kind: int, flags: int, time: int) -> bool:
    """Decide whether an event of an order goes into the book that it names now; of one that names none it does.

    Args:
        memory: the block.
        channel: whose books wait by packet.
        what: the EVENT.
        kind: its kind.
        flags: its flags.
        time: its exchange time.
    """
    key = signed(what["instrument"])
    if key == 0:
        return True
    instrument = find_or_new(memory, channel, key)
    if instrument < 0:
        count_anomaly(memory, channel, at.NO_ROOM, 1, time)
        return False
    return pass_or_wait_by_packet(memory, channel, instrument, what, kind, flags, time)


@direct
def pass_or_wait_by_packet(
    memory: Words, channel: int, instrument: int, what: Any, kind: int, flags: int, time: int
) -> bool:
    """Decide whether an event goes into the book now; one that has to wait is in the queue afterwards.

    Args:
        memory: the block.
        channel: whose books wait by packet.
        instrument: the word where it begins.
        what: the EVENT.
        kind: its kind.
        flags: its flags.
        time: its exchange time.
    """
    if kind >= event.DEFINE:
        return True
    if kind in (event.SNAPSHOT, event.SNAPSHOT_PART) or flags & event.FROM_SNAPSHOT:
        return _take_part(memory, channel, instrument, what, kind, flags)
    words = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS
    packet = signed(what["sequence"])
    memory[words + at.CHANNEL_REACHED] = max(memory[words + at.CHANNEL_REACHED], packet)
    if is_waiting(memory, instrument):
        if memory[instrument + at.STALE_SINCE] == 0:
            memory[instrument + at.STALE_SINCE] = time
        wait(memory, channel, instrument, what, packet)
        return False
    if packet <= memory[instrument + at.PLACED]:
        memory[words + at.CHANNEL_SNAPSHOT_COUNTS + at.COVERED] += 1
        return False
    return True


@direct
def _take_part(memory: Words, channel: int, instrument: int, what: Any, kind: int, flags: int) -> bool:
    counts = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS + at.CHANNEL_SNAPSHOT_COUNTS
    placed = signed(what["other"])
    if kind == event.SNAPSHOT:
        _begin(memory, counts, instrument, placed)
    elif kind == event.SNAPSHOT_PART:
        follows = memory[instrument + at.NEXT_PART] == signed(what["orders"]) > FIRST_PART
        if follows and memory[instrument + at.PLACED] == placed:
            memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.FILL
            memory[instrument + at.NEXT_PART] += 1
        else:
            memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.LEAVE
    filled: bool = memory[instrument + at.SNAPSHOT_UNDER_WAY] == at.FILL
    if flags & event.END:
        if filled:
            _end(memory, counts, instrument)
        memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.NONE
    return filled


@direct
def _begin(memory: Words, counts: int, instrument: int, placed: int) -> None:
    """Say what is done with a snapshot that was taken at a packet of the channel."""
    memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.LEAVE
    if not is_waiting(memory, instrument):
        memory[counts + at.CONFIRMING] += 1
        return
    _leave_unfinished(memory, counts, instrument)
    if placed < memory[instrument + at.NEEDED]:
        memory[counts + at.OLD] += 1
        return
    memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.FILL
    memory[instrument + at.NEXT_PART] = FIRST_PART + 1
    memory[instrument + at.PLACED] = placed
    memory[instrument + at.REASON] = at.HALF_FILLED


@direct
def _leave_unfinished(memory: Words, counts: int, instrument: int) -> None:
    """Leave out what is still to come of a snapshot that fills a book."""
    if memory[instrument + at.NEXT_PART] != 0:
        memory[counts + at.UNFINISHED] += 1
        memory[instrument + at.NEXT_PART] = 0
        memory[instrument + at.SNAPSHOT_UNDER_WAY] = at.LEAVE


@direct
def _end(memory: Words, counts: int, instrument: int) -> None:
    """Let a book that a snapshot has filled be current, and what waits for it follow."""
    memory[counts + at.TAKEN] += 1
    memory[instrument + at.NEXT_PART] = 0
    memory[instrument + at.RESTORED_FROM] = memory[instrument + at.CONFIRMED]
    memory[instrument + at.CONFIRMED] = memory[instrument + at.PLACED]
    if memory[instrument + at.REASON] != at.LEFT_OUT:
        memory[instrument + at.STATE] = at.CURRENT
        memory[instrument + at.NEEDED] = 0
    will_drain(memory, instrument)


@direct
def lose(memory: Words, channel: int, first: int, last: int, anew: int, time: int) -> None:
    """Note that packets of a channel never came: whatever book may have missed something waits.

    Args:
        memory: the block.
        channel: whose books wait by packet.
        first: of the packets.
        last: of them; below the first where none is missing.
        anew: not 0 where the channel's sequences begin anew.
        time: exchange time at which it is known.
    """
    words = memory[at.CHANNELS] + channel * at.CHANNEL_WORDS
    counts = words + at.CHANNEL_SNAPSHOT_COUNTS
    joined = last < first and anew == 0  # at the first packet there is
    if joined:
        memory[words + at.CHANNEL_WAS_RESET] = 1
    elif last >= first:
        memory[words + at.CHANNEL_WAS_RESET] = 0
    if anew != 0:
        memory[words + at.CHANNEL_REACHED] = 0
        memory[words + at.CHANNEL_LOST] = 0
    if last >= first:
        memory[words + at.CHANNEL_LOST] = max(memory[words + at.CHANNEL_LOST], last)
    for index in range(memory[at.INSTRUMENT_COUNT]):
        instrument = memory[at.INSTRUMENTS] + index * at.INSTRUMENT_WORDS
        if memory[instrument + at.CHANNEL] != channel:
            continue
        if anew != 0:
            _begin_anew(memory, counts, instrument)
        if last >= first:
            _lose(memory, counts, instrument, first, last, time)
        elif joined and memory[instrument + at.STATE] == at.UNSYNCHRONISED:
            _begin_anew(memory, counts, instrument)
            memory[instrument + at.STATE] = at.CURRENT


@direct
def _begin_anew(memory: Words, counts: int, instrument: int) -> None:
    """Forget where a book stands among the channel's packets: what waits is older than any snapshot to come."""
    _leave_unfinished(memory, counts, instrument)
    memory[instrument + at.PLACED] = 0
    memory[instrument + at.CONFIRMED] = 0
    memory[instrument + at.NEEDED] = 0
    forget(memory, instrument)


@direct
def _lose(memory: Words, counts: int, instrument: int, first: int, last: int, time: int) -> None:
    """Make a book wait for a snapshot from beyond lost packets, unless it has one, or is being filled by one."""
    if memory[instrument + at.PLACED] < last:
        _leave_unfinished(memory, counts, instrument)
    elif not is_waiting(memory, instrument):
        return
    forget(memory, instrument)
    memory[instrument + at.NEEDED] = max(memory[instrument + at.NEEDED], last)
    if not is_waiting(memory, instrument):
        memory[instrument + at.CONFIRMED] = max(memory[instrument + at.CONFIRMED], first - 1)
        make_stale(memory, instrument, at.AFTER_GAP, time)
