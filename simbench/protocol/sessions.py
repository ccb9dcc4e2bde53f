"""The sessions that a channel has met, by index: a table of their names in the protocol's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

MAX_SESSIONS: Final = 64  # names that a channel remembers; a session more is a malformed header, never a wrong name
SESSION_WORDS: Final = 2 + 2 * MAX_SESSIONS  # how many there are, the last one met, then two words a name


@njit(inline="always")
def intern_session(words: Words, at: int, head: int, tail: int) -> int:
    """Return the index of a session's name in the table at words[at:at + SESSION_WORDS], -1 when it is full.

    Args:
        words: a state that holds the table.
        at: where it starts.
        head: the name's first word, for example its first 8 characters.
        tail: its second; 0 where one is enough.
    """
    known, last = words[at], words[at + 1]
    if known > 0 and words[at + 2 + 2 * last] == head and words[at + 3 + 2 * last] == tail:
        return int(last)
    for index in range(known):
        if words[at + 2 + 2 * index] == head and words[at + 3 + 2 * index] == tail:
            words[at + 1] = index
            return index
    if known == MAX_SESSIONS:
        return -1
    words[at + 2 + 2 * known] = head
    words[at + 3 + 2 * known] = tail
    words[at] = known + 1
    words[at + 1] = known
    return int(known)


def sessions_met(words: Words, at: int) -> list[tuple[int, int]]:
    """Return both words of each name in the table at words[at:], by index."""
    known = int(words[at])
    names = words[at + 2 : at + 2 + 2 * known].reshape(known, 2)
    return [(int(head), int(tail)) for head, tail in names]
