"""The gate, as the receive loop sees it: what it lets through, and whether that was what it waited for.

While it is armed the pipeline stops before events are applied (LOOK), lets one message through and stops behind it
(STOPPED), so that books, sequences and gaps are as after that message wherever it shuts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.book import layout as b
from simbench.event import MESSAGE_END
from simbench.feed.layout import HOLES_OPENED, LOST_UNITS, NIL
from simbench.kernel.pure import kernel, signed
from simbench.receive import pipeline
from simbench.replay import gating

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Records = NDArray[Any]

# Words of the receive loop.
WATCH: Final = 4  # what it waits for, of gating.WAYS; 0 while it is open
LEFT: Final = 5  # messages or frames that it lets through before it shuts
BASE: Final = 6  # of what it compares: what was counted when it was armed
INSTRUMENT: Final = 7  # index of the one that it waits for
SEEN: Final = 12  # the request that was taken last
SHUT_CHANNEL: Final = 13  # whose message was let through last; -1 none since it was armed
SHUT_SEQUENCE: Final = 22  # its sequence, as the sequencer counts

# Statuses beyond the loop's.
GATED: Final = 20  # there is another request, or the gate is armed and no frame is there
SHUT: Final = 21  # what it waited for has come


@kernel
def gaps(sequencer: Words) -> int:
    """Return what moves when a hole opens, or one is given up."""
    return int(sequencer[HOLES_OPENED] + sequencer[LOST_UNITS])


@kernel
def changes(book: Words, index: int) -> int:
    """Return what moves when something happens to an instrument; -1 before there is one of that index."""
    if index >= book[b.INSTRUMENT_COUNT]:
        return -1
    at = book[b.INSTRUMENTS] + index * b.INSTRUMENT_WORDS
    return int(book[at + b.EVENTS] + book[at + b.VERSION])


@kernel
def met(live: Words, sequencer: Words, book: Words) -> int:
    """Tell whether what it waits for has come."""
    if live[WATCH] == gating.GAP:
        return int(gaps(sequencer) != live[BASE])
    if live[WATCH] == gating.CHANGE:
        return int(changes(book, live[INSTRUMENT]) != live[BASE])
    return int(live[LEFT] <= 0)


@kernel
def judge(live: Words, words: Words, events: Records, sequencer: Words, book: Words, status: int) -> int:
    """Take a status of the pipeline under an armed gate; return SHUT, DONE where the pipeline goes on, or what it is.

    Args:
        live: of the loop.
        words: of the pipeline.
        events: EVENT[n], its buffer.
        sequencer: its block.
        book: the books' block.
        status: that the pipeline returned.
    """
    if status == pipeline.LOOK:
        if live[WATCH] == gating.GAP and met(live, sequencer, book):
            return SHUT
        if words[pipeline.FILLING] == NIL:  # else what is lost is told first; the message comes next
            last = words[pipeline.FIRST]
            while last + 1 < words[pipeline.LAST] and events[last]["flags"] & MESSAGE_END == 0:
                last += 1
            words[pipeline.LAST] = last + 1
            words[pipeline.STOPPING] = 1
        return pipeline.DONE
    if status == pipeline.STOPPED:
        live[SHUT_CHANNEL] = words[pipeline.CHANNEL]
        live[SHUT_SEQUENCE] = signed(events[words[pipeline.FIRST] - 1]["sequence"])
        live[LEFT] -= live[WATCH] == gating.MESSAGES
        return SHUT if met(live, sequencer, book) else pipeline.DONE
    return status


@kernel
def judge_turn(live: Words, sequencer: Words, book: Words) -> int:
    """Take note that a frame is done; tell whether the gate shuts behind it."""
    live[LEFT] -= live[WATCH] == gating.FRAMES
    return met(live, sequencer, book)
