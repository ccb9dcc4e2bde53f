"""The receiver's gate as its users see it: what is asked of it and how it stands, a word of the control block each.

A request is one word, so that it is written and seen as a whole: how, how many or of what, and a number that differs
from that of the request before. Anybody who drives the replay may write it; the receiver looks at it at every poll.
"""

from __future__ import annotations

from typing import Final

# What is asked for.
OPEN: Final = 0
MESSAGES: Final = 1  # let so many messages through that have something for the books, then shut
FRAMES: Final = 2  # likewise frames, or what is left of the one at hand
GAP: Final = 3  # shut where the next hole in a sequence opens, or one is given up, before anything behind it
CHANGE: Final = 4  # shut behind the next message that does something to the instrument of this index
WAYS: Final = ("open", "messages", "frames", "gap", "change")

# How it stands.
NONE: Final = 0  # there is no gate: several queues, or no receiver of ours
IS_OPEN: Final = 1
ARMED: Final = 2
SHUT: Final = 3
STANDS: Final = ("none", "open", "armed", "shut")

_WAY_BITS: Final = 4
_COUNT_BITS: Final = 32
MOST: Final = (1 << _COUNT_BITS) - 1  # that a request can name
_NUMBERS: Final = 1 << 24


def request(before: int, way: int, count: int = 0) -> int:
    """Return the word of a request.

    Args:
        before: the word of the request before.
        way: of those above.
        count: of messages or frames, or index of the instrument; at most MOST.

    >>> way_of(request(0, CHANGE, 7)), count_of(request(0, CHANGE, 7))
    (4, 7)
    """
    number = ((before >> (_WAY_BITS + _COUNT_BITS)) + 1) % _NUMBERS
    return (number << _COUNT_BITS | min(max(count, 0), MOST)) << _WAY_BITS | way


def way_of(word: int) -> int:
    """Return what is asked for; what is not known is OPEN."""
    way = word & (1 << _WAY_BITS) - 1
    return way if way < len(WAYS) else OPEN


def count_of(word: int) -> int:
    """Return how many, or the index of what."""
    return word >> _WAY_BITS & MOST
