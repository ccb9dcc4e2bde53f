"""Packets in doubt: a restart, a session or a jump that one packet alone may only seem to announce.

They wait in the slab until the next packets of their line agree, and then count as if they had come in order; or
until the line goes on as before, and then they were damage. Nothing that arrived is lost by the waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.admit import admit, judge_past, line_base, refresh, refresh_line, reveal
from simbench.feed.epochs import abandon, begin, former_epoch, has_epoch
from simbench.feed.layout import (
    COUNT,
    DELIVER,
    DISTANCE,
    DOUBT_JUMP,
    DOUBT_RESTART,
    DOUBT_SESSION,
    E_FIRST,
    EPOCH,
    EPOCH_WORDS,
    HELD,
    K_ARRIVED,
    K_DIGEST,
    K_FIRST,
    K_NEXT,
    K_RECORD,
    K_SENT,
    K_SESSION,
    K_UNITS,
    L_BEFORE,
    L_IMPLAUSIBLE,
    L_LATE,
    L_RUN,
    L_RUN_AT,
    L_RUN_BEGAN,
    L_RUN_EPOCH,
    L_RUN_FIRST,
    L_RUN_KIND,
    L_RUN_NEXT,
    L_RUN_SENT,
    L_RUN_SESSION,
    L_RUN_SLOT,
    NEVER,
    NIL,
    OUT_RECORD,
    RUN,
    S_EPOCH,
    S_HEAD,
    S_HOLE,
    S_LINES,
    S_RUNS,
    S_SESSION,
    S_TOP,
    T_BASE,
)
from simbench.feed.slab import discard, hold, slot_row, store
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Bytes, Headers, Words


@kernel
def agrees(memory: Words, own: int, kind: int, session: int, first: int, sent: int) -> bool:
    """Tell whether a packet goes on where the ones in doubt of its line stopped."""
    return bool(
        memory[own + L_RUN] > 0
        and memory[own + L_RUN_KIND] == kind
        and memory[own + L_RUN_SESSION] == session
        and 0 <= first - memory[own + L_RUN_NEXT] <= memory[COUNT]
        and (sent == 0 or sent >= memory[own + L_RUN_SENT])
    )


@kernel
def completes(memory: Words, own: int, kind: int, session: int, first: int, sent: int) -> bool:
    """Tell whether with this packet enough agree."""
    run = memory[own + L_RUN] if agrees(memory, own, kind, session, first, sent) else 0
    return bool(run + 1 >= memory[RUN])


@kernel
def is_in_doubt(memory: Words, own: int, session: int, first: int, units: int, digest: int) -> bool:
    """Tell whether a packet is a copy of one of those in doubt of its line: it says nothing that was not said."""
    slot = memory[own + L_RUN_SLOT]
    while slot != NIL:
        row = slot_row(memory, slot)
        alike = memory[row + K_FIRST] == first and memory[row + K_UNITS] == units
        if alike and memory[row + K_DIGEST] == digest and memory[row + K_SESSION] == session:
            return True
        slot = memory[row + K_NEXT]
    return False


@kernel
def wait_in_doubt(
    memory: Words,
    slab: Bytes,
    stream: int,
    line: int,
    header: Headers,
    data: Bytes,
    digest: int,
    now: int,
    kind: int,
) -> None:
    """Keep a packet until its line says more; what was in doubt before and does not agree with it is resolved."""
    own = line_base(stream, line)
    first, units = header[0]["first"], header[0]["units"]
    session, sent = header[0]["session"], header[0]["sent"]
    if not agrees(memory, own, kind, session, first, sent):
        resolve(memory, stream, line, now)
    if memory[own + L_RUN] == 0:
        memory[stream + S_RUNS] += 1
        memory[own + L_RUN_KIND] = kind
        memory[own + L_RUN_SESSION] = session
        memory[own + L_RUN_FIRST] = first
        memory[own + L_RUN_BEGAN] = sent
        memory[own + L_RUN_EPOCH] = memory[stream + S_EPOCH]
        memory[own + L_RUN_AT] = now
        memory[own + L_RUN_SLOT] = NIL
    memory[own + L_RUN] += 1
    memory[own + L_RUN_NEXT] = first + units
    memory[own + L_RUN_SENT] = sent
    if units == 0:
        return
    slot = store(memory, slab, line, header, data, digest, now)
    if slot == NIL:
        memory[own + L_IMPLAUSIBLE] += 1
        return
    if memory[own + L_RUN_SLOT] == NIL:
        memory[own + L_RUN_SLOT] = slot
        return
    tail = memory[own + L_RUN_SLOT]
    while memory[slot_row(memory, tail) + K_NEXT] != NIL:
        tail = memory[slot_row(memory, tail) + K_NEXT]
    memory[slot_row(memory, tail) + K_NEXT] = slot


@kernel
def resolve(memory: Words, stream: int, line: int, now: int) -> None:
    """End a line's doubts: accept what the stream has come round to, drop the rest."""
    own = line_base(stream, line)
    if memory[own + L_RUN] == 0:
        return
    moved = memory[own + L_RUN_EPOCH] != memory[stream + S_EPOCH]
    if memory[own + L_RUN_KIND] == DOUBT_JUMP:
        right = not moved and memory[own + L_RUN_FIRST] - memory[stream + S_TOP] <= memory[DISTANCE]
    else:
        right = moved
    if right and memory[own + L_RUN_SESSION] == memory[stream + S_SESSION]:
        settle(memory, stream, line, now)
    else:
        _drop(memory, stream, own)


@kernel
def settle(memory: Words, stream: int, line: int, now: int) -> None:
    """Take a line's packets in doubt into the stream's epoch."""
    own = line_base(stream, line)
    slot = memory[own + L_RUN_SLOT]
    following = memory[own + L_RUN_NEXT]
    _forget(memory, stream, own)
    while slot != NIL:
        row = slot_row(memory, slot)
        behind = memory[row + K_NEXT]
        memory[OUT_RECORD] = NIL
        verdict = admit(
            memory,
            stream,
            line,
            memory[row + K_FIRST],
            memory[row + K_UNITS],
            memory[row + K_SENT],
            memory[row + K_DIGEST],
            memory[row + K_ARRIVED],
            now,
        )
        memory[row + K_RECORD] = memory[OUT_RECORD]
        if verdict in (DELIVER, HELD):
            hold(memory, stream, slot)
        else:
            discard(memory, slot)
        slot = behind
    reveal(memory, stream, line, following, now)


@kernel
def _drop(memory: Words, stream: int, own: int) -> None:
    moved = memory[own + L_RUN_EPOCH] != memory[stream + S_EPOCH]
    kind = memory[own + L_RUN_KIND]
    slot = memory[own + L_RUN_SLOT]
    _forget(memory, stream, own)
    start = memory[memory[EPOCH + T_BASE] + memory[stream + S_EPOCH] * EPOCH_WORDS + E_FIRST]
    while slot != NIL:
        row = slot_row(memory, slot)
        behind = memory[row + K_NEXT]
        first, units, digest = memory[row + K_FIRST], memory[row + K_UNITS], memory[row + K_DIGEST]
        discard(memory, slot)
        slot = behind
        if kind != DOUBT_RESTART:
            memory[own + L_IMPLAUSIBLE] += 1
        elif moved or first >= memory[stream + S_TOP]:  # of the epoch before, whichever that is now
            memory[own + L_LATE] += 1
        elif first + units <= start:
            memory[own + L_BEFORE] += 1
        else:
            judge_past(memory, stream, own, first, units, digest)


@kernel
def _forget(memory: Words, stream: int, own: int) -> None:
    memory[own + L_RUN] = 0
    memory[own + L_RUN_SLOT] = NIL
    memory[stream + S_RUNS] -= 1


@kernel
def begin_in_doubt(memory: Words, stream: int, session: int, first: int, flags: int, sent: int, now: int) -> None:
    """Begin an epoch, and take in what any line has waiting for it."""
    begin(memory, stream, session, first, flags, sent, now)
    for line in range(memory[stream + S_LINES]):
        resolve(memory, stream, line, now)
        refresh_line(memory, stream, line_base(stream, line))


@kernel
def ripen(memory: Words, stream: int, now: int, since: int) -> None:
    """Believe a jump or a new session that its line has not contradicted `since` then; at the end (NEVER) all of them.

    A restart, or a session that comes back, is not believed so: an old packet on a quiet line would pass for it.
    """
    if memory[stream + S_RUNS] == 0:
        return
    for line in range(memory[stream + S_LINES]):
        own = line_base(stream, line)
        kind, session = memory[own + L_RUN_KIND], memory[own + L_RUN_SESSION]
        if memory[own + L_RUN] == 0 or memory[own + L_RUN_AT] > since:
            continue
        if kind == DOUBT_JUMP:
            settle(memory, stream, line, now)
        elif kind == DOUBT_SESSION and has_epoch(memory) and former_epoch(memory, stream, session) == NIL:
            if memory[stream + S_HOLE] != NIL or memory[stream + S_HEAD] != NIL:
                abandon(memory, stream, now)
                return
            begin_in_doubt(memory, stream, session, memory[own + L_RUN_FIRST], 0, memory[own + L_RUN_BEGAN], now)
        elif since == NEVER:
            resolve(memory, stream, line, now)
        refresh_line(memory, stream, own)
    refresh(memory, stream)
