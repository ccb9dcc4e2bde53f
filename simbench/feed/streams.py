"""Rows and streams: pools of rows, the table of streams, and whether there is room for one more packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.layout import (
    BUCKET,
    C_LINES,
    CHANNEL,
    CHANNEL_COUNT,
    CHANNEL_WORDS,
    DUE,
    EMPTY,
    EPOCH,
    HOLE,
    INVALID,
    INVALIDS,
    L_EPOCH,
    L_FAST,
    L_FIRST_AT,
    L_MISSING,
    L_NEXT,
    L_RUN_SLOT,
    LINE_WORDS,
    LINES_AT,
    NEED_ROOM,
    NEEDED_BYTES,
    NEVER,
    NIL,
    OUT_FIRST,
    OUT_MORE,
    OUT_SENT,
    OUT_SKIP,
    OUT_UNITS,
    RANGE,
    RECORD,
    RUN,
    S_ANSWER_DUE,
    S_CHANNEL,
    S_DUE,
    S_EPOCH,
    S_EXPECTED,
    S_FAST,
    S_HEAD,
    S_HOLE,
    S_HOLE_TAIL,
    S_ID,
    S_KEY,
    S_LINES,
    S_LOST,
    S_SESSION,
    S_STATE,
    S_TAIL,
    S_WAITING,
    SEQUENCE_LIMIT,
    SLOT_BYTES,
    STREAM,
    STREAM_SIZE,
    STREAM_WORDS,
    T_BASE,
    T_CAPACITY,
    T_FREE,
    T_LIMIT,
    T_USED,
    W_FIRST,
    WINDOW,
    WINDOW_WORDS,
)
from simbench.kernel.pure import kernel, mix

if TYPE_CHECKING:
    from simbench.feed.layout import Headers, Words

CHANNEL_SEED = 0x2545F491  # scatters equal stream keys of different channels
SLOT_LIMIT = 65_536


@kernel
def bucket(channel: int, key: int) -> int:
    """Scatter (channel, stream key) to a number of 0 and above, to be masked."""
    return mix(key, (channel + 1) * CHANNEL_SEED) & 0x7FFFFFFF


@kernel
def stream_words(memory: Words) -> int:
    """Return the words of one stream, its window and its lines included."""
    words: int = memory[STREAM_SIZE]
    return words


@kernel
def stream_base(memory: Words, stream: int) -> int:
    """Return the index of a stream's first word."""
    base: int = memory[STREAM + T_BASE] + stream * stream_words(memory)
    return base


@kernel
def take(memory: Words, table: int, words: int) -> int:
    """Return a free row of a pool, NIL where there is none."""
    row: int = memory[table + T_FREE]
    if row != NIL:
        memory[table + T_FREE] = memory[memory[table + T_BASE] + row * words]
        memory[table + T_USED] += 1
    return row


@kernel
def give(memory: Words, table: int, words: int, row: int) -> None:
    """Put a row of a pool back."""
    memory[memory[table + T_BASE] + row * words] = memory[table + T_FREE]
    memory[table + T_FREE] = row
    memory[table + T_USED] -= 1


@kernel
def rows_for(lines: int, run: int) -> int:
    """Return the rows that one packet on a channel of so many lines can need in a table, with all in doubt settled."""
    return 4 * (lines * run + 2)


@kernel
def short_of(memory: Words, table: int, rows: int) -> bool:
    """Tell whether a table has fewer rows left and may still grow."""
    capacity = memory[table + T_CAPACITY]
    return bool(capacity - memory[table + T_USED] < rows and capacity < memory[table + T_LIMIT])


@kernel
def channel_base(memory: Words, channel: int) -> int:
    """Return the index of a channel's first word."""
    base: int = memory[CHANNEL + T_BASE] + channel * CHANNEL_WORDS
    return base


@kernel
def channel_lines(memory: Words, channel: int) -> int:
    """Return how many lines a channel has."""
    lines: int = memory[channel_base(memory, channel) + C_LINES]
    return lines


@kernel
def has_room(memory: Words, channel: int, length: int) -> bool:
    """Tell whether every table has the rows that one packet of `length` bytes can need."""
    if length > memory[SLOT_BYTES] and memory[SLOT_BYTES] < SLOT_LIMIT:
        memory[NEEDED_BYTES] = length
        return False
    return has_rows(memory, rows_for(channel_lines(memory, channel), memory[RUN]), 2)


@kernel
def examine(memory: Words, channel: int, header: Headers) -> int:
    """Write down what a packet's header says; return 0, or why the packet goes no further: INVALID, NEED_ROOM."""
    first, units = header[0]["first"], header[0]["units"]
    memory[OUT_SKIP] = 0
    memory[OUT_MORE] = 0
    memory[OUT_FIRST] = first
    memory[OUT_UNITS] = units
    memory[OUT_SENT] = header[0]["sent"]
    if not (0 <= first <= SEQUENCE_LIMIT and 0 <= units <= SEQUENCE_LIMIT):
        memory[INVALIDS] += 1
        return INVALID
    return 0 if has_room(memory, channel, header[0]["end"] - header[0]["start"]) else NEED_ROOM


@kernel
def has_room_for_all(memory: Words) -> bool:
    """Tell whether every table has the rows that settling all streams at once can need."""
    most = 1
    for channel in range(memory[CHANNEL_COUNT]):
        most = max(most, channel_lines(memory, channel))
    streams: int = memory[STREAM + T_USED]
    return has_rows(memory, rows_for(most, memory[RUN]) * streams, streams)


@kernel
def has_rows(memory: Words, rows: int, epochs: int) -> bool:
    """Tell whether holes, ranges and records have so many rows left, or cannot grow; every open hole has its own."""
    return not (
        short_of(memory, HOLE, rows)
        or short_of(memory, RANGE, rows)
        or short_of(memory, RECORD, rows + memory[HOLE + T_USED])
        or short_of(memory, EPOCH, epochs)
    )


@kernel
def find(memory: Words, channel: int, key: int) -> int:
    """Return the base of a stream, NIL where it is not known."""
    mask = memory[BUCKET + T_CAPACITY] - 1
    buckets = memory[BUCKET + T_BASE]
    i = bucket(channel, key) & mask
    while memory[buckets + i] != 0:
        base: int = stream_base(memory, memory[buckets + i] - 1)
        if memory[base + S_KEY] == key and memory[base + S_CHANNEL] == channel:
            return base
        i = (i + 1) & mask
    return NIL


@kernel
def create(memory: Words, channel: int, key: int) -> int:
    """Add a stream that is not known; return its base, NIL where the table is full."""
    number: int = memory[STREAM + T_USED]
    if number >= memory[STREAM + T_CAPACITY]:
        return NIL
    memory[STREAM + T_USED] = number + 1
    base = stream_base(memory, number)
    for word in range(base, base + stream_words(memory)):
        memory[word] = 0
    lines = channel_lines(memory, channel)
    memory[base + S_ID] = number
    memory[base + S_KEY] = key
    memory[base + S_CHANNEL] = channel
    memory[base + S_LINES] = lines
    memory[base + S_STATE] = EMPTY
    memory[base + S_SESSION] = NIL
    memory[base + S_EPOCH] = NIL
    memory[base + S_EXPECTED] = NIL
    memory[base + S_FAST] = NIL
    memory[base + S_HEAD] = NIL
    memory[base + S_TAIL] = NIL
    memory[base + S_HOLE] = NIL
    memory[base + S_HOLE_TAIL] = NIL
    memory[base + S_WAITING] = NIL
    memory[base + S_ANSWER_DUE] = NEVER
    memory[base + S_LOST] = NIL
    memory[base + S_DUE] = NEVER
    forget_digests(memory, base)
    for line in range(lines):
        own = base + LINES_AT + line * LINE_WORDS
        memory[own + L_FAST] = NIL
        memory[own + L_NEXT] = NIL
        memory[own + L_EPOCH] = NIL
        memory[own + L_FIRST_AT] = NIL
        memory[own + L_MISSING] = NIL
        memory[own + L_RUN_SLOT] = NIL
    mask = memory[BUCKET + T_CAPACITY] - 1
    buckets = memory[BUCKET + T_BASE]
    i = bucket(channel, key) & mask
    while memory[buckets + i] != 0:
        i = (i + 1) & mask
    memory[buckets + i] = number + 1
    return base


@kernel
def forget_digests(memory: Words, stream: int) -> None:
    """Empty the window of recent packets."""
    for i in range(WINDOW):
        memory[stream + STREAM_WORDS + i * WINDOW_WORDS + W_FIRST] = NIL


@kernel
def set_due(memory: Words, stream: int, due: int) -> None:
    """Note a stream's next deadline."""
    memory[stream + S_DUE] = due
    memory[DUE] = min(memory[DUE], due)
