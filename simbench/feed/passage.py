"""What happens to a stream without a packet: time passes, held packets go on, an epoch or the data ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.admit import (
    go_live,
    is_ready,
    limit,
    line_base,
    refresh,
    refresh_line,
)
from simbench.feed.doubts import resolve, ripen
from simbench.feed.epochs import (
    abandon,
)
from simbench.feed.gaps import fill, give_up, record
from simbench.feed.holes import hole_row, insert_damaged
from simbench.feed.layout import (
    BY_DAMAGE,
    BY_END,
    BY_TIME,
    DUE,
    EMPTY,
    JOINING,
    K_ARRIVED,
    K_FIRST,
    K_FLAGS,
    K_LENGTH,
    K_LINE,
    K_NEXT,
    K_ORDINAL,
    K_RECORD,
    K_SENT,
    K_SESSION,
    K_UNITS,
    L_EPOCH,
    L_NEXT,
    LIVE,
    LOST,
    NEED_ROOM,
    NEVER,
    NIL,
    O_DETECTED,
    OUT_ARRIVED,
    OUT_CHANNEL,
    OUT_END,
    OUT_FIRST,
    OUT_FLAGS,
    OUT_LINE,
    OUT_ORDINAL,
    OUT_RECORD,
    OUT_SENT,
    OUT_SESSION,
    OUT_SKIP,
    OUT_START,
    OUT_STREAM,
    OUT_UNITS,
    RETRANSMITTED,
    S_CHANNEL,
    S_DUE,
    S_EPOCH,
    S_EXPECTED,
    S_HEAD,
    S_HOLE,
    S_JOINED,
    S_LINES,
    S_PENDING,
    S_SENT,
    S_STATE,
    S_TOP,
    SLOT,
    SLOT_BYTES,
    STREAM,
    T_USED,
    WAIT_NS,
)
from simbench.feed.missing import add_missing, fill_missing
from simbench.feed.requests import asks, end_waits
from simbench.feed.slab import pop, slot_row
from simbench.feed.streams import has_room, has_room_for_all, stream_base
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words


@kernel
def expire(memory: Words, stream: int, now: int) -> None:
    """Let the time that has passed take effect on a stream; records close at the deadline, whenever this is called."""
    wait = memory[WAIT_NS]
    if memory[stream + S_STATE] == JOINING and now >= memory[stream + S_JOINED] + wait:
        go_live(memory, stream)
    if memory[stream + S_STATE] == LIVE and memory[stream + S_HOLE] != NIL:
        if asks(memory, stream):
            end_waits(memory, stream, now)
        else:
            _give_up_by_time(memory, stream, now)
    ripen(memory, stream, now, now - wait)
    limit(memory, stream, now)
    refresh(memory, stream)


@kernel
def _give_up_by_time(memory: Words, stream: int, now: int) -> None:
    while memory[stream + S_HOLE] != NIL:
        deadline = memory[hole_row(memory, memory[stream + S_HOLE]) + O_DETECTED] + memory[WAIT_NS]
        if now < deadline:
            break
        give_up(memory, stream, BY_TIME, deadline)


@kernel
def tick(memory: Words, now: int) -> int:
    """Let time pass: return how many streams have something to release, or NEED_ROOM."""
    if now < memory[DUE]:
        return 0
    return _pass_time(memory, now)


@kernel
def _pass_time(memory: Words, now: int) -> int:
    if not has_room_for_all(memory):
        return NEED_ROOM
    ready = 0
    memory[DUE] = NEVER
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        if now >= memory[stream + S_DUE]:
            expire(memory, stream, now)
        else:
            memory[DUE] = min(memory[DUE], memory[stream + S_DUE])
        ready += 1 if is_ready(memory, stream) else 0
    return ready


@kernel
def due_stream(memory: Words) -> int:
    """Return a stream that has something to release, NIL where none has."""
    if memory[SLOT + T_USED] == 0:
        return NIL
    for number in range(memory[STREAM + T_USED]):
        if is_ready(memory, stream_base(memory, number)):
            return number
    return NIL


@kernel
def channel_of(memory: Words, number: int) -> int:
    """Return the channel of a stream."""
    channel: int = memory[stream_base(memory, number) + S_CHANNEL]
    return channel


@kernel
def release(memory: Words, number: int) -> int:
    """Hand out the next held packet of a stream that can go on; return its slot, or NIL.

    Its messages are slab[memory[OUT_START]:memory[OUT_END]], to be decoded after memory[OUT_SKIP] units; they stay
    there until the next offer. memory[OUT_FIRST] and the words behind it say what else the header said.
    """
    stream = stream_base(memory, number)
    while is_ready(memory, stream):
        slot = pop(memory, stream)
        row = slot_row(memory, slot)
        first, units = memory[row + K_FIRST], memory[row + K_UNITS]
        expected = memory[stream + S_EXPECTED]
        if first + units <= expected:
            refresh(memory, stream)
            continue
        memory[stream + S_EXPECTED] = first + units
        if memory[row + K_LINE] != RETRANSMITTED:  # a server may say when it sent it again
            memory[stream + S_SENT] = memory[row + K_SENT]
        memory[OUT_STREAM] = number
        memory[OUT_SKIP] = expected - first
        memory[OUT_START] = slot * memory[SLOT_BYTES]
        memory[OUT_END] = slot * memory[SLOT_BYTES] + memory[row + K_LENGTH]
        memory[OUT_FIRST] = first
        memory[OUT_UNITS] = units
        memory[OUT_SENT] = memory[row + K_SENT]
        memory[OUT_LINE] = memory[row + K_LINE]
        memory[OUT_CHANNEL] = memory[stream + S_CHANNEL]
        memory[OUT_ORDINAL] = memory[row + K_ORDINAL]
        memory[OUT_ARRIVED] = memory[row + K_ARRIVED]
        memory[OUT_SESSION] = memory[row + K_SESSION]
        memory[OUT_FLAGS] = memory[row + K_FLAGS]
        memory[OUT_RECORD] = memory[row + K_RECORD]
        refresh(memory, stream)
        return slot
    refresh(memory, stream)
    for line in range(memory[stream + S_LINES]):
        refresh_line(memory, stream, line_base(stream, line))
    return NIL


@kernel
def malformed(memory: Words, number: int, first: int, last: int, line: int, now: int) -> int:
    """Open a hole for units that were just delivered and could not be decoded; 0 or NEED_ROOM.

    Another packet may fill it, and it is asked for like any other. What a server sent again is lost at once.

    Args:
        memory: int64[n], the sequencer's.
        number: of the stream.
        first: unit that could not be decoded.
        last: of the packet.
        line: that brought it; RETRANSMITTED.
        now: ns.
    """
    stream = stream_base(memory, number)
    if not has_room(memory, memory[stream + S_CHANNEL], 0):
        return NEED_ROOM
    if first > last:
        return 0
    if line == RETRANSMITTED:
        record(memory, stream, first, last, now, now, LOST, BY_DAMAGE, NIL)
        return 0
    own = line_base(stream, line)
    if memory[own + L_EPOCH] == memory[stream + S_EPOCH]:
        fill_missing(memory, own, memory[own + L_EPOCH], first, last + 1)
        add_missing(memory, own, memory[own + L_EPOCH], first, last)
    if insert_damaged(memory, stream, first, last, now, line) == NIL:
        record(memory, stream, first, last, now, now, LOST, BY_DAMAGE, line)
        return 0
    memory[stream + S_EXPECTED] = first
    _fill_from_held(memory, stream, last, now)
    refresh(memory, stream)
    return 0


@kernel
def _fill_from_held(memory: Words, stream: int, last: int, now: int) -> None:
    """Take what held packets have of the units up to `last` out of the open holes; lines cut packets differently."""
    slot = memory[stream + S_HEAD]
    while slot != NIL and memory[slot_row(memory, slot) + K_FIRST] <= last:
        row = slot_row(memory, slot)
        memory[OUT_RECORD] = memory[row + K_RECORD]
        fill(
            memory,
            stream,
            memory[row + K_FIRST],
            memory[row + K_FIRST] + memory[row + K_UNITS],
            memory[row + K_LINE],
            now,
        )
        memory[row + K_RECORD] = memory[OUT_RECORD]
        slot = memory[row + K_NEXT]
    memory[OUT_RECORD] = NIL


@kernel
def new_epoch(memory: Words, channel: int, now: int) -> int:
    """Make the next packet of each of a channel's streams begin an epoch: the replayer has looped or jumped.

    What is open ends as lost; return how many streams have something to release, or NEED_ROOM.
    """
    if not has_room_for_all(memory):
        return NEED_ROOM
    ready = 0
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        if memory[stream + S_CHANNEL] != channel or memory[stream + S_STATE] == EMPTY:
            continue
        for line in range(memory[stream + S_LINES]):
            resolve(memory, stream, line, now)
        abandon(memory, stream, now)
        memory[stream + S_PENDING] = 1
        refresh(memory, stream)
        for line in range(memory[stream + S_LINES]):
            refresh_line(memory, stream, line_base(stream, line))
        ready += 1 if is_ready(memory, stream) else 0
    return ready


@kernel
def finish(memory: Words, now: int) -> int:
    """End the data: what is open is lost, what a line did not bring it missed, what is held can go on.

    Return how many streams have something to release, or NEED_ROOM; release and call again until it is 0.
    """
    if not has_room_for_all(memory):
        return NEED_ROOM
    ready = 0
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        if memory[stream + S_STATE] == EMPTY:
            continue
        ripen(memory, stream, now, NEVER)
        if memory[stream + S_STATE] == JOINING:
            go_live(memory, stream)
        while memory[stream + S_HOLE] != NIL:
            give_up(memory, stream, BY_END, now)
        refresh(memory, stream)
        if is_ready(memory, stream):
            ready += 1
        else:
            _end_lines(memory, stream)
    return ready


@kernel
def _end_lines(memory: Words, stream: int) -> None:
    epoch, top = memory[stream + S_EPOCH], memory[stream + S_TOP]
    for line in range(memory[stream + S_LINES]):
        own = line_base(stream, line)
        if memory[own + L_EPOCH] == epoch and memory[own + L_NEXT] < top:
            add_missing(memory, own, epoch, memory[own + L_NEXT], top - 1)
            memory[own + L_NEXT] = top
        refresh_line(memory, stream, own)
