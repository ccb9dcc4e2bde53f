"""The arbitration: one packet in, a verdict out.

Pure functions of (memory, slab) and their arguments. `now` is whatever clock the caller runs by, as a rule replay
time, and must not go back. The way of one packet:

    verdict = offer(...)
    NEED_ROOM  nothing has changed: Sequencer.grow(), offer again
    DRAIN      not taken yet: release() until NIL, offer again
    DELIVER    decode it after its first memory[OUT_SKIP] units
    any        while memory[OUT_MORE]: release() and decode what memory[OUT_START]... say, out of the slab

Deadlines count in offer() and in tick() alike, so that decisions do not depend on how often tick() is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.admit import (
    admit,
    epoch_base,
    go_live,
    is_ready,
    limit,
    line_base,
    refresh,
    refresh_line,
)
from simbench.feed.doubts import begin_in_doubt, completes, is_in_doubt, resolve, settle, wait_in_doubt
from simbench.feed.epochs import (
    FRESH,
    OLD,
    abandon,
    has_epoch,
    place,
)
from simbench.feed.gaps import give_up, note_late, open_units
from simbench.feed.lags import count_lag
from simbench.feed.layout import (
    BY_OVERFLOW,
    C_RECENT,
    CHANNEL,
    CHANNEL_WORDS,
    CONFLICT,
    DELIVER,
    DOUBT,
    DOUBT_JUMP,
    DRAIN,
    E_LOST,
    E_SESSION,
    EMPTY,
    HEARTBEAT,
    HELD,
    JOINING,
    L_CONFLICTS,
    L_DATAGRAMS,
    L_DUPLICATES,
    L_EPOCH,
    L_FAST,
    L_FIRST_AT,
    L_HEARTBEATS,
    L_LAST_AT,
    L_LATE,
    L_NEXT,
    L_RUN,
    L_RUN_BEGAN,
    L_RUN_FIRST,
    L_SENT,
    L_UNSEQUENCED,
    L_WON,
    LATE,
    LINE_WORDS,
    LINES_AT,
    LIVE,
    NEED_ROOM,
    NIL,
    OUT_FIRST,
    OUT_MORE,
    OUT_RECORD,
    OUT_SENT,
    OUT_SKIP,
    OUT_STREAM,
    OUT_UNITS,
    REFUSALS,
    REFUSED,
    S_DUE,
    S_ENDED,
    S_EPOCH,
    S_EXPECTED,
    S_FAST,
    S_HOLE,
    S_ID,
    S_KEY,
    S_SENT,
    S_SESSION,
    S_STATE,
    S_SURE,
    S_TOP,
    SEEN,
    SEQUENCE_LIMIT,
    SLOT,
    STREAM,
    STREAM_WORDS,
    T_BASE,
    T_CAPACITY,
    T_FREE,
    T_LIMIT,
    W_AT,
    W_DIGEST,
    W_FIRST,
    W_UNITS,
    WINDOW,
    WINDOW_WORDS,
)
from simbench.feed.missing import track
from simbench.feed.passage import expire
from simbench.feed.slab import hold, store
from simbench.feed.streams import create, examine, find
from simbench.kernel.pure import direct
from simbench.protocol.contract import END_OF_SESSION, UNSEQUENCED

if TYPE_CHECKING:
    from simbench.feed.layout import Bytes, Headers, Words


@direct
def offer(
    memory: Words, slab: Bytes, channel: int, line: int, header: Headers, data: Bytes, digest: int, now: int
) -> int:
    """Judge one packet of a line; return a verdict, NEED_ROOM or DRAIN.

    Args:
        memory: int64[n], the sequencer's.
        slab: uint8[m], the sequencer's.
        channel: number of the channel.
        line: number of the line in the channel.
        header: HEADER[1], as the protocol's frame() filled it; start and end delimit the messages in data.
        data: uint8[k], the buffer that holds the datagram; only read where a packet is held.
        digest: hash of the messages, hash_bytes(data, header.start, header.end).
        now: ns, of the clock that all times here are of.
    """
    stream = memory[memory[CHANNEL + T_BASE] + channel * CHANNEL_WORDS + C_RECENT]
    first = header[0]["first"]
    units = header[0]["units"]
    if stream != 0 and header[0]["flags"] == 0 and 0 < units <= SEQUENCE_LIMIT:
        own = stream + LINES_AT + line * LINE_WORDS
        if (
            memory[own + L_FAST] == first
            and memory[stream + S_KEY] == header[0]["stream"]
            and memory[stream + S_SESSION] == header[0]["session"]
        ):
            end = first + units
            window = stream + STREAM_WORDS + (first & (WINDOW - 1)) * WINDOW_WORDS
            if memory[stream + S_FAST] == first:
                memory[own + L_FAST] = end
                memory[own + L_NEXT] = end
                memory[own + L_DATAGRAMS] += 1
                memory[own + L_WON] += 1
                memory[own + L_LAST_AT] = now
                memory[own + L_SENT] = header[0]["sent"]
                memory[stream + S_FAST] = end
                memory[stream + S_EXPECTED] = end
                memory[stream + S_TOP] = end
                memory[stream + S_SENT] = header[0]["sent"]
                memory[window + W_FIRST] = first
                memory[window + W_UNITS] = units
                memory[window + W_DIGEST] = digest
                memory[window + W_AT] = now
                memory[OUT_STREAM] = memory[stream + S_ID]
                memory[OUT_SKIP] = 0
                memory[OUT_MORE] = 0
                memory[OUT_FIRST] = first
                memory[OUT_UNITS] = units
                memory[OUT_SENT] = header[0]["sent"]
                return DELIVER
            settled = end <= memory[stream + S_EXPECTED] and first > memory[stream + S_SURE]
            if settled and now < memory[stream + S_DUE]:
                memory[own + L_FAST] = end
                memory[own + L_NEXT] = end
                memory[own + L_DATAGRAMS] += 1
                memory[own + L_LAST_AT] = now
                memory[own + L_SENT] = header[0]["sent"]
                memory[OUT_STREAM] = memory[stream + S_ID]
                memory[OUT_MORE] = 0
                if memory[window + W_FIRST] == first and memory[window + W_UNITS] == units:
                    if memory[window + W_DIGEST] != digest:
                        memory[own + L_CONFLICTS] += 1
                        return CONFLICT
                    count_lag(memory, channel, line, now, memory[window + W_AT])
                memory[own + L_DUPLICATES] += 1
                return SEEN
    return _consider(memory, slab, channel, line, header, data, digest, now)


@direct
def _consider(
    memory: Words, slab: Bytes, channel: int, line: int, header: Headers, data: Bytes, digest: int, now: int
) -> int:
    """Judge a packet that is not simply the next or a duplicate in order."""
    first, units, flags = header[0]["first"], header[0]["units"], header[0]["flags"]
    session, sent = header[0]["session"], header[0]["sent"]
    refusal = examine(memory, channel, header)
    if refusal != 0:
        return refusal
    stream = find(memory, channel, header[0]["stream"])
    if stream == NIL:
        stream = create(memory, channel, header[0]["stream"])
        if stream == NIL:
            if memory[STREAM + T_CAPACITY] < memory[STREAM + T_LIMIT]:
                return NEED_ROOM
            memory[REFUSALS] += 1
            return REFUSED
    memory[memory[CHANNEL + T_BASE] + channel * CHANNEL_WORDS + C_RECENT] = stream
    memory[OUT_STREAM] = memory[stream + S_ID]
    own = line_base(stream, line)
    if flags & UNSEQUENCED:
        _heard(memory, own, now)
        memory[own + L_UNSEQUENCED] += 1
        memory[OUT_MORE] = 1 if is_ready(memory, stream) else 0
        return DELIVER
    if now >= memory[stream + S_DUE]:
        expire(memory, stream, now)
    if is_ready(memory, stream):
        return DRAIN
    where = place(memory, stream, line, session, first, units, flags, sent, digest, now)
    if where >= DOUBT and is_in_doubt(memory, own, session, first, units, digest):
        _heard(memory, own, now)
        memory[own + L_DUPLICATES] += 1
        return SEEN
    if where >= DOUBT and not completes(memory, own, where, session, first, sent):
        _heard(memory, own, now)
        wait_in_doubt(memory, slab, stream, line, header, data, digest, now, where)
        refresh_line(memory, stream, own)
        refresh(memory, stream)
        return HELD if units > 0 else HEARTBEAT
    if where == OLD:
        return _be_late(memory, stream, line, session, first, units, now)
    joins = where == DOUBT_JUMP or (
        where == DOUBT and session == memory[stream + S_SESSION] and (memory[own + L_EPOCH] != memory[stream + S_EPOCH])
    )
    if where == FRESH or (where >= DOUBT and not joins):
        if memory[stream + S_STATE] != EMPTY:
            abandon(memory, stream, now)
            if is_ready(memory, stream):
                return DRAIN
        if not has_epoch(memory):
            memory[REFUSALS] += 1
            return REFUSED
        if where != FRESH and memory[own + L_RUN] > 0:
            first_in_doubt, began = memory[own + L_RUN_FIRST], memory[own + L_RUN_BEGAN]
            begin_in_doubt(memory, stream, session, first_in_doubt, flags, began, now)
        else:
            begin_in_doubt(memory, stream, session, first, flags, sent, now)
    elif joins:
        settle(memory, stream, line, now)
    else:
        resolve(memory, stream, line, now)
    if not _make_room(memory, stream, first, units, now):
        return DRAIN
    return _take(memory, slab, stream, line, header, data, digest, now)


@direct
def _heard(memory: Words, own: int, now: int) -> None:
    memory[own + L_DATAGRAMS] += 1
    memory[own + L_LAST_AT] = now
    if memory[own + L_FIRST_AT] == NIL:
        memory[own + L_FIRST_AT] = now


@direct
def _take(
    memory: Words, slab: Bytes, stream: int, line: int, header: Headers, data: Bytes, digest: int, now: int
) -> int:
    """Take a packet of the stream's epoch in: deliver it, hold it, or say why not."""
    own = line_base(stream, line)
    first, units, sent = header[0]["first"], header[0]["units"], header[0]["sent"]
    _heard(memory, own, now)
    memory[OUT_RECORD] = NIL
    verdict = admit(memory, stream, line, first, units, sent, digest, now, now)
    if verdict == HELD:
        slot = store(memory, slab, line, header, data, digest, now)
        if slot != NIL:
            hold(memory, stream, slot)
        else:
            # Nothing of this stream waits (_make_room has seen to it): only a hole is before the packet.
            while memory[stream + S_HOLE] != NIL:
                give_up(memory, stream, BY_OVERFLOW, now)
            refresh(memory, stream)
            verdict = DELIVER
    if verdict == DELIVER:
        memory[OUT_SKIP] = memory[stream + S_EXPECTED] - first
        memory[stream + S_EXPECTED] = first + units
        memory[stream + S_SENT] = sent
    else:
        memory[OUT_RECORD] = NIL
    if header[0]["flags"] & END_OF_SESSION:
        memory[stream + S_ENDED] = 1
    limit(memory, stream, now)
    refresh(memory, stream)
    refresh_line(memory, stream, own)
    return verdict


@direct
def _be_late(memory: Words, stream: int, line: int, session: int, first: int, units: int, now: int) -> int:
    """Count a packet of an epoch that is over; it still tells what its line missed of that."""
    own = line_base(stream, line)
    _heard(memory, own, now)
    resolve(memory, stream, line, now)
    epoch = memory[own + L_EPOCH]
    if epoch != NIL and epoch != memory[stream + S_EPOCH] and memory[epoch_base(memory, epoch) + E_SESSION] == session:
        track(memory, own, LIVE, first, first + units)
        note_late(memory, memory[epoch_base(memory, epoch) + E_LOST], first, first + units)
    refresh(memory, stream)
    if units == 0:
        memory[own + L_HEARTBEATS] += 1
        return HEARTBEAT
    memory[own + L_LATE] += 1
    return LATE


@direct
def _make_room(memory: Words, stream: int, first: int, units: int, now: int) -> bool:
    """See to a slot for a packet that may have to be held; False where the stream has to be drained first.

    A full slab ends the holes that this stream's packets wait for. If none waits, the packet needs no slot.
    """
    if units == 0 or memory[SLOT + T_FREE] != NIL:
        return True
    if memory[stream + S_STATE] == JOINING:
        go_live(memory, stream)
        refresh(memory, stream)
    end = first + units
    while not is_ready(memory, stream):
        fresh = max(0, end - max(first, memory[stream + S_TOP])) + open_units(memory, stream, first, end, 0)
        if fresh == 0 or first <= memory[stream + S_EXPECTED] or memory[stream + S_HOLE] == NIL:
            return True
        give_up(memory, stream, BY_OVERFLOW, now)
        refresh(memory, stream)
    return False
