"""Loads CME MDP 3.0 fields and groups as a channel's state says where they are; see cme_layout for the words.

A field is the top of the 64-bit word that ends with it, so one load, a shift and a mask do for every integer type. The
word starts at most 8 bytes before the block, where the message's own header is. Whoever calls has checked that the
block lies inside the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import types

from simbench import event
from simbench.kernel.pure import direct_as, load_le64, load_u8, shift_right, unsigned
from simbench.protocol.cme_layout import (
    BLOCK_END,
    BLOCK_SHIFT,
    CONSTANT,
    END,
    ENTRIES,
    GROUP_COUNT,
    GROUP_SINCE,
    GROUP_WORDS,
    GROUPS,
    HEAD,
    LARGEST,
    LEAST_ENTRY,
    LEAST_ORDER,
    LEAST_ROOT,
    LIMIT,
    MASK,
    MULTIPLIER,
    NULL,
    NUMBER_END,
    NUMBER_SHIFT,
    ORDERS,
    SHIFT,
    SINCE,
)
from simbench.protocol.contract import BAD_LENGTH, DATA, EVENTS, INEXACT, SEQUENCE, TRUNCATED, WORDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Record = np.void

# One signature each: otherwise numba compiles a function anew for every constant that it is called with.
_WORD: Final = types.int64
GET: Final = types.int64(DATA, _WORD, WORDS, _WORD)
GET_OR: Final = types.int64(DATA, _WORD, WORDS, _WORD, _WORD)
SCALED: Final = types.int64(_WORD, WORDS, _WORD)
TAKE: Final = types.int64(DATA, _WORD, _WORD, _WORD, WORDS, _WORD)
TAKE_OR: Final = types.int64(DATA, _WORD, _WORD, _WORD, WORDS, _WORD, _WORD)
TEXT: Final = types.int64(DATA, _WORD, _WORD, WORDS, _WORD, _WORD)
HEAD_FIELD: Final = types.int64(DATA, _WORD, WORDS, _WORD)
CHECK: Final = types.int64(DATA, _WORD, _WORD, _WORD, _WORD, WORDS, _WORD)
FIND: Final = types.UniTuple(_WORD, 3)(  # type: ignore[no-untyped-call]
    DATA, _WORD, _WORD, _WORD, WORDS, _WORD, _WORD
)
FILL: Final = types.void(EVENTS.dtype, _WORD, _WORD, _WORD, _WORD, WORDS)
MESSAGE: Final = types.int64(
    DATA, _WORD, _WORD, _WORD, _WORD, _WORD, WORDS, EVENTS, _WORD
)  # a kind of message's decoder


@direct_as(GET)
def get(data: Bytes, at: int, state: Words, slot: int) -> int:
    """Load the field of a slot from a block that is known to have it; an unsigned index is not tested for its sign."""
    word = load_le64(data, at + state[unsigned(slot + END)] - 8) >> state[unsigned(slot + SHIFT)]
    return int(word & state[unsigned(slot + MASK)] | state[unsigned(slot + CONSTANT)])


@direct_as(GET_OR)
def get_or(data: Bytes, at: int, state: Words, slot: int, default: int) -> int:
    """Load the field of a slot as `get` does; the default where it is null."""
    value = get(data, at, state, slot)
    return default if value == state[unsigned(slot + NULL)] else value


@direct_as(SCALED)
def _scaled(value: int, state: Words, slot: int) -> int:
    if value == state[unsigned(slot + NULL)]:
        return event.NO_PRICE
    limit = state[unsigned(slot + LIMIT)]
    if value > limit or value < -limit:
        state[INEXACT] += 1
        return LARGEST if value > 0 else -LARGEST
    return int(value * state[unsigned(slot + MULTIPLIER)])


@direct_as(GET)
def get_price(data: Bytes, at: int, state: Words, slot: int) -> int:
    """Load a decimal at 1e-9; NO_PRICE where it is null. One that does not fit is cut to the largest and counted."""
    return _scaled(get(data, at, state, slot), state, slot)


@direct_as(TAKE)
def take(data: Bytes, at: int, length: int, version: int, state: Words, slot: int) -> int:
    """Load the field of a slot from the block data[at:at + length]; its null where this message does not have it."""
    if state[unsigned(slot + END)] > length or version < state[unsigned(slot + SINCE)]:
        return int(state[unsigned(slot + NULL)])
    return get(data, at, state, slot)


@direct_as(TAKE_OR)
def take_or(data: Bytes, at: int, length: int, version: int, state: Words, slot: int, default: int) -> int:
    """Load the field of a slot as `take` does; the default where it is null."""
    value = take(data, at, length, version, state, slot)
    return default if value == state[unsigned(slot + NULL)] else value


@direct_as(TAKE)
def take_price(data: Bytes, at: int, length: int, version: int, state: Words, slot: int) -> int:
    """Load a decimal as `get_price` does, where the message has it."""
    return _scaled(take(data, at, length, version, state, slot), state, slot)


@direct_as(TEXT)
def take_text(data: Bytes, at: int, length: int, state: Words, slot: int, first: int) -> int:
    """Load up to 8 characters of a text from its character `first` on, packed big-endian and padded with zeros."""
    end = state[slot + END]
    start = at + end - state[slot + SHIFT]
    packed = 0
    ended = end > length
    for index in range(first + 8):
        ended = ended or start + index >= at + end or load_u8(data, start + index) == 0
        if index >= first:
            packed = packed << 8 | (0 if ended else load_u8(data, start + index))
    return packed


@direct_as(HEAD_FIELD)
def _block_length(data: Bytes, at: int, state: Words, group: int) -> int:
    return shift_right(load_le64(data, at + state[group + BLOCK_END] - 8), state[group + BLOCK_SHIFT])


@direct_as(HEAD_FIELD)
def _number(data: Bytes, at: int, state: Words, group: int) -> int:
    return shift_right(load_le64(data, at + state[group + NUMBER_END] - 8), state[group + NUMBER_SHIFT])


@direct_as(CHECK)
def check_blocks(data: Bytes, body: int, behind: int, block: int, version: int, state: Words, row: int) -> int:
    """Check that the root block and every group that the schema knows lie inside a message; 0 or why not."""
    at = body + block
    if at > behind:
        return TRUNCATED
    if block < state[row + LEAST_ROOT]:
        return BAD_LENGTH
    for index in range(state[row + GROUP_COUNT]):
        group = row + GROUPS + index * GROUP_WORDS
        if at == behind or version < state[group + GROUP_SINCE]:
            continue
        if at + state[group + HEAD] > behind:
            return TRUNCATED
        length = _block_length(data, at, state, group)
        number = _number(data, at, state, group)
        at += state[group + HEAD] + length * number
        if at > behind:
            return TRUNCATED
        if number > 0 and (
            (index == state[row + ENTRIES] and length < state[row + LEAST_ENTRY])
            or (index == state[row + ORDERS] and length < state[row + LEAST_ORDER])
        ):
            return BAD_LENGTH
    return 0


@direct_as(FIND)
def find_group(
    data: Bytes, at: int, behind: int, version: int, state: Words, row: int, wanted: int
) -> tuple[int, int, int]:
    """Find a group of a checked message: where its first block starts, the length of one, how many there are."""
    if wanted >= state[row + GROUP_COUNT]:
        return at, 0, 0
    length, number = 0, 0
    for index in range(wanted + 1):
        at += length * number
        length, number = 0, 0
        group = row + GROUPS + index * GROUP_WORDS
        if at < behind and version >= state[group + GROUP_SINCE]:
            length = _block_length(data, at, state, group)
            number = _number(data, at, state, group)
            at += state[group + HEAD]
    return at, length, number


@direct_as(FILL)
def fill(out: Record, kind: int, instrument: int, report: int, time: int, state: Words) -> None:
    """Start an event: what all of them have, and of the rest that nothing is said."""
    out["kind"] = kind
    out["side"] = event.NO_SIDE
    out["flags"] = 0
    out["level"] = 0
    out["orders"] = -1
    out["instrument_sequence"] = report & 0xFFFF_FFFF
    out["instrument"] = unsigned(instrument)
    out["order"] = 0
    out["other"] = 0
    out["priority"] = 0
    out["price"] = event.NO_PRICE
    out["quantity"] = 0
    out["time"] = time
    out["sequence"] = unsigned(state[SEQUENCE])
