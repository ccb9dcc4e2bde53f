"""Packets that wait: copied into fixed slots, so that the wire's frame goes back at once, and listed by sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    IN_ORDINAL,
    K_ARRIVED,
    K_DIGEST,
    K_FIRST,
    K_FLAGS,
    K_LENGTH,
    K_LINE,
    K_NEXT,
    K_ORDINAL,
    K_PREVIOUS,
    K_RECORD,
    K_SENT,
    K_SESSION,
    K_UNITS,
    NIL,
    OUT_RECORD,
    S_HEAD,
    S_HELD,
    S_TAIL,
    SLOT,
    SLOT_BYTES,
    SLOT_WORDS,
    T_BASE,
)
from simbench.feed.streams import give, take
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Bytes, Headers, Words


@kernel
def slot_row(memory: Words, slot: int) -> int:
    """Return the index of a slot's first word."""
    row: int = memory[SLOT + T_BASE] + slot * SLOT_WORDS
    return row


@kernel
def store(memory: Words, slab: Bytes, line: int, header: Headers, data: Bytes, digest: int, now: int) -> int:
    """Copy a packet into a slot; return the slot, NIL where all are taken."""
    slot = take(memory, SLOT, SLOT_WORDS)
    if slot == NIL:
        return NIL
    start, length = header[0]["start"], header[0]["end"] - header[0]["start"]
    length = max(0, min(length, memory[SLOT_BYTES]))
    row = slot_row(memory, slot)
    memory[row + K_NEXT] = NIL
    memory[row + K_PREVIOUS] = NIL
    memory[row + K_FIRST] = header[0]["first"]
    memory[row + K_UNITS] = header[0]["units"]
    memory[row + K_LENGTH] = length
    memory[row + K_SENT] = header[0]["sent"]
    memory[row + K_LINE] = line
    memory[row + K_ORDINAL] = memory[IN_ORDINAL]
    memory[row + K_SESSION] = header[0]["session"]
    memory[row + K_FLAGS] = header[0]["flags"]
    memory[row + K_ARRIVED] = now
    memory[row + K_DIGEST] = digest
    memory[row + K_RECORD] = memory[OUT_RECORD]
    offset = slot * memory[SLOT_BYTES]
    for i in range(length):
        slab[offset + i] = data[start + i]
    return slot


@kernel
def discard(memory: Words, slot: int) -> None:
    """Give a slot back that is in no list."""
    give(memory, SLOT, SLOT_WORDS, slot)


@kernel
def hold(memory: Words, stream: int, slot: int) -> None:
    """Put a slot into its stream's list, behind those of its sequence."""
    first = memory[slot_row(memory, slot) + K_FIRST]
    after = memory[stream + S_TAIL]
    while after != NIL and memory[slot_row(memory, after) + K_FIRST] > first:
        after = memory[slot_row(memory, after) + K_PREVIOUS]
    before = memory[stream + S_HEAD] if after == NIL else memory[slot_row(memory, after) + K_NEXT]
    row = slot_row(memory, slot)
    memory[row + K_PREVIOUS] = after
    memory[row + K_NEXT] = before
    if after == NIL:
        memory[stream + S_HEAD] = slot
    else:
        memory[slot_row(memory, after) + K_NEXT] = slot
    if before == NIL:
        memory[stream + S_TAIL] = slot
    else:
        memory[slot_row(memory, before) + K_PREVIOUS] = slot
    memory[stream + S_HELD] += 1


@kernel
def pop(memory: Words, stream: int) -> int:
    """Take the first held packet out of its list and give its slot back; the bytes stay until the next store."""
    slot: int = memory[stream + S_HEAD]
    following = memory[slot_row(memory, slot) + K_NEXT]
    memory[stream + S_HEAD] = following
    if following == NIL:
        memory[stream + S_TAIL] = NIL
    else:
        memory[slot_row(memory, following) + K_PREVIOUS] = NIL
    memory[stream + S_HELD] -= 1
    discard(memory, slot)
    return slot
