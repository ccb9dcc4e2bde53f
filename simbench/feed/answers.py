"""What a retransmission server sends: packets that fill the holes they were asked for, and change nothing else.

An answer has no line: it opens no hole, moves no epoch and says nothing of a line's state. It is of use only where a
hole of the stream's own epoch has been asked for; so what was sent again before a restart cannot fill a hole after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.admit import OTHER, compare_digest, epoch_base, is_ready, limit, refresh, remember
from simbench.feed.epochs import former_epoch
from simbench.feed.gaps import fill, note_late, open_units
from simbench.feed.layout import (
    C_ANSWERS,
    C_CONFLICTS,
    C_CROWDED,
    C_LATE,
    C_REPAIRED,
    C_REPEATED,
    C_UNASKED,
    CONFLICT,
    DELIVER,
    DISTANCE,
    DRAIN,
    E_AFTER,
    E_LOST,
    E_PREVIOUS,
    EMPTY,
    HELD,
    INVALID,
    INVALIDS,
    K_RECORD,
    LATE,
    NIL,
    OUT_RECORD,
    OUT_SKIP,
    OUT_STREAM,
    REFUSED,
    RETRANSMITTED,
    S_DUE,
    S_EPOCH,
    S_EXPECTED,
    S_ID,
    S_LOST,
    S_PENDING,
    S_SESSION,
    S_STATE,
    S_SURE,
    S_TOP,
    SEEN,
    UNASKED,
)
from simbench.feed.passage import expire
from simbench.feed.slab import hold, slot_row, store
from simbench.feed.streams import channel_base, examine, find
from simbench.kernel.pure import kernel
from simbench.protocol.contract import UNSEQUENCED

if TYPE_CHECKING:
    from simbench.feed.layout import Bytes, Headers, Words


@kernel
def offer_retransmitted(
    memory: Words, slab: Bytes, channel: int, header: Headers, data: Bytes, digest: int, now: int
) -> int:
    """Judge one packet that came for a request; return a verdict, NEED_ROOM or DRAIN, as offer() does.

    DELIVER, HELD: it fills something that was asked for. What it leaves open of that is wanted again. SEEN, CONFLICT:
    a line or another answer was first. LATE: it was given up, or its epoch is over. UNASKED: nobody asked.

    Args:
        memory: int64[n], the sequencer's.
        slab: uint8[m], the sequencer's.
        channel: number of the channel.
        header: HEADER[1], as the protocol's frame() filled it.
        data: uint8[k], the buffer that holds the datagram.
        digest: hash of the messages.
        now: ns, of the clock that all times here are of.
    """
    first, units, sent = header[0]["first"], header[0]["units"], header[0]["sent"]
    end = first + units
    refusal = examine(memory, channel, header)
    if refusal != 0:
        return refusal
    counts = channel_base(memory, channel)
    stream = find(memory, channel, header[0]["stream"])
    if stream == NIL or memory[stream + S_STATE] == EMPTY or header[0]["flags"] & UNSEQUENCED:
        memory[counts + C_ANSWERS] += 1
        memory[counts + C_UNASKED] += 1
        return UNASKED
    memory[OUT_STREAM] = memory[stream + S_ID]
    if now >= memory[stream + S_DUE]:
        expire(memory, stream, now)
    if is_ready(memory, stream):
        return DRAIN
    memory[counts + C_ANSWERS] += 1
    if _is_old(memory, stream, header[0]["session"], sent):
        former = former_epoch(memory, stream, header[0]["session"])
        if former != NIL:
            note_late(memory, memory[epoch_base(memory, former) + E_LOST], first, end)
        memory[counts + C_LATE] += 1
        return LATE
    if open_units(memory, stream, first, end, 1) == 0:
        return _judge_useless(memory, stream, counts, first, units, digest)
    if end - memory[stream + S_TOP] > memory[DISTANCE]:
        memory[INVALIDS] += 1
        return INVALID
    verdict = DELIVER
    slot = NIL
    if first > memory[stream + S_EXPECTED]:
        slot = store(memory, slab, RETRANSMITTED, header, data, digest, now)
        if slot == NIL:
            memory[counts + C_CROWDED] += 1
            return REFUSED
        verdict = HELD
    memory[counts + C_REPAIRED] += fill(memory, stream, first, end, RETRANSMITTED, now)
    memory[stream + S_TOP] = max(memory[stream + S_TOP], end)
    remember(memory, stream, first, units, digest, NIL)
    if verdict == HELD:
        memory[slot_row(memory, slot) + K_RECORD] = memory[OUT_RECORD]
        memory[OUT_RECORD] = NIL
        hold(memory, stream, slot)
    else:
        memory[OUT_SKIP] = memory[stream + S_EXPECTED] - first
        memory[stream + S_EXPECTED] = end
    limit(memory, stream, now)
    refresh(memory, stream)
    return verdict


@kernel
def _is_old(memory: Words, stream: int, session: int, sent: int) -> bool:
    """Tell whether an answer is of an epoch that is over."""
    if session != memory[stream + S_SESSION] or memory[stream + S_PENDING] != 0:
        return True
    epoch = epoch_base(memory, memory[stream + S_EPOCH])
    return bool(memory[epoch + E_PREVIOUS] != NIL and 0 < sent <= memory[epoch + E_AFTER])


@kernel
def _judge_useless(memory: Words, stream: int, counts: int, first: int, units: int, digest: int) -> int:
    """Say what an answer is that fills nothing, and count it."""
    end = first + units
    if first <= memory[stream + S_SURE] and note_late(memory, memory[stream + S_LOST], first, end) > 0:
        memory[counts + C_LATE] += 1
        return LATE
    if units == 0 or end > memory[stream + S_TOP] or open_units(memory, stream, first, end, 0) > 0:
        memory[counts + C_UNASKED] += 1
        return UNASKED
    if compare_digest(memory, stream, first, units, digest) == OTHER:
        memory[counts + C_CONFLICTS] += 1
        return CONFLICT
    memory[counts + C_REPEATED] += 1
    return SEEN
