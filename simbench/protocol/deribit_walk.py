"""Steps over the groups and strings of a message by their lengths, whatever is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.kernel.pure import kernel, load_le16, load_u8
from simbench.protocol.contract import BAD_LENGTH, TRUNCATED
from simbench.protocol.deribit_layout import GROUP_SIZE, WALK, WALK_DEPTH, WALK_WORDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

# A frame of the walk, for the groups of one block.
GROUPS: Final = 0  # still to come behind the one at hand
ENTRIES: Final = 1  # of the group at hand, still to come
BLOCK: Final = 2  # length of each
NESTED: Final = 3  # groups in each
STRINGS: Final = 4  # strings in each
DUE: Final = 5  # 1: those of the entry at hand are next


@kernel
def step_over_strings(data: Bytes, at: int, end: int, count: int) -> int:
    """Return where so many strings end that start at data[at], or a malformation."""
    for _ in range(count):
        if at >= end:
            return TRUNCATED
        at += 1 + load_u8(data, at)
    return at if at <= end else TRUNCATED


@kernel
def step_over_groups(data: Bytes, at: int, end: int, count: int, state: Words) -> int:
    """Return where so many groups end that start at data[at], and all that is in them, or a malformation."""
    if at > end:
        return TRUNCATED
    depth = 0
    here = WALK
    state[here + GROUPS] = count
    state[here + ENTRIES] = state[here + DUE] = 0
    while True:
        here = WALK + depth * WALK_WORDS
        if state[here + DUE] != 0:
            state[here + DUE] = 0
            at = step_over_strings(data, at, end, state[here + STRINGS])
        elif state[here + ENTRIES] > 0:
            state[here + ENTRIES] -= 1
            state[here + DUE] = 1
            at += state[here + BLOCK]
            if state[here + NESTED] > 0:
                depth += 1
                if depth == WALK_DEPTH:
                    return BAD_LENGTH
                state[here + WALK_WORDS + GROUPS] = state[here + NESTED]
                state[here + WALK_WORDS + ENTRIES] = state[here + WALK_WORDS + DUE] = 0
        elif state[here + GROUPS] > 0:
            state[here + GROUPS] -= 1
            if at + GROUP_SIZE > end:
                return TRUNCATED
            block, number = load_le16(data, at), load_le16(data, at + 2)
            state[here + BLOCK] = block
            state[here + NESTED] = load_le16(data, at + 4)
            state[here + STRINGS] = load_le16(data, at + 6)
            at += GROUP_SIZE
            flat = state[here + NESTED] == 0 and state[here + STRINGS] == 0
            at += block * number if flat else 0
            state[here + ENTRIES] = 0 if flat else number
        elif depth == 0:
            return at
        else:
            depth -= 1
        if at < 0:
            return at
        if at > end:
            return TRUNCATED
