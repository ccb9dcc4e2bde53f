"""Which units of a stream have come, which are missing since when, and which are given up: a map, unit by unit.

No lists of holes, no slab, nothing of the sequencer's but its rules: a hole is given up when so much recorded time has
passed since it was revealed, when so many packets wait above it, or when the sequence has run so far ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

SEEN: Final = np.dtype(
    [
        ("when", "i8"),  # recorded time at which it comes, ns since 1970
        ("ordinal", "i8"),
        ("line", "i8"),
        ("era", "i8"),  # in the order in which eras first appear in the stream
        ("first", "i8"),
        ("units", "i8"),
        ("flags", "i8"),
        ("sent", "i8"),
        ("digest", "i8"),
        ("verdict", "i8"),  # filled: one of those below
        ("rival", "i8"),  # filled: ordinal of the packet with which it conflicts; NONE
    ],
    align=True,
)

# Verdicts.
NOTHING: Final = 0  # a heartbeat, or of an era that is over, or from before the start
FRESH: Final = 1  # brings something new, and is taken at once
AGAIN: Final = 2  # has come already
CONFLICT: Final = 3  # has come already with other bytes
TOO_LATE: Final = 4  # was given up
DOUBTED: Final = 5  # of an era that may never begin
WAITS: Final = 6  # brings something new, and is taken when what is before it has come

# Words of a stream.
STATE: Final = 0
NOW: Final = 1
LOW: Final = 2  # everything below has come or is given up
TOP: Final = 3  # above all that is known of
START: Final = 4  # of the era
FLOOR: Final = 5  # below it the map says nothing
ERA: Final = 6
JOINED: Final = 7  # when the first packet came
HELD: Final = 8  # packets above a hole
SENT: Final = 9  # latest sent time
LOSSES: Final = 10  # rows of `lost` filled
LATES: Final = 11  # rows of `late` filled
# What it is told.
LINES: Final = 16
WAIT_NS: Final = 17
COUNT: Final = 18
DISTANCE: Final = 19
RUN: Final = 20
WORDS: Final = 24

EMPTY: Final = 0
JOINING: Final = 1
LIVE: Final = 2

# A line: what it has sent of an era that has not begun.
L_RUN: Final = 0  # packets
L_ERA: Final = 1
L_NEXT: Final = 2
L_AT: Final = 3
L_FIRST: Final = 4  # sequence of the first of them
L_PACKETS: Final = 5  # then (first, units, digest) of each
PACKET: Final = 3
MOST_RUN: Final = 16
LINE_WORDS: Final = L_PACKETS + PACKET * MOST_RUN
MOST_LINES: Final = 16

# Eras.
E_START: Final = 0
E_TOP: Final = 1
E_BEGAN: Final = 2  # 1 when it has
E_NEW: Final = 3  # 1 where its session is not one of an earlier era
E_SESSION: Final = 4
E_ORDER: Final = 5  # how many began before it
ERA_WORDS: Final = 6

# A range that was lost, or came too late: era, first, last.
RANGE: Final = 3

MAP: Final = 1 << 17  # units: twice as far as a sequence may run ahead
MISSING: Final = 0
HERE: Final = 1
GONE: Final = 2
AFTERWARDS: Final = 3  # came after it was given up

RECENT: Final = 512  # units back to which two copies are surely compared
R_FIRST: Final = 0
R_UNITS: Final = 1
R_DIGEST: Final = 2
R_ORDINAL: Final = 3
RECENT_WORDS: Final = 4


@kernel
def _lose(words: Words, lost: Words, first: int, last: int) -> None:
    row = words[LOSSES] * RANGE
    if words[LOSSES] > 0 and lost[row - RANGE] == words[ERA] and lost[row - 1] == first - 1:
        lost[row - 1] = last
        return
    lost[row], lost[row + 1], lost[row + 2] = words[ERA], first, last
    words[LOSSES] += 1


@kernel
def settle(words: Words, have: Bytes, marks: Bytes) -> None:
    """Go on to the first unit that is missing; what waited for those before it waits no more."""
    if words[STATE] != LIVE:
        return
    low = words[LOW]
    while low < words[TOP]:
        place = low & (MAP - 1)
        words[HELD] -= marks[place]
        marks[place] = 0
        if have[place] == MISSING:
            break
        low += 1
    words[LOW] = low


@kernel
def give_up(words: Words, have: Bytes, since: Words, marks: Bytes, lost: Words) -> None:
    """Give up the first hole."""
    first = words[LOW]
    at = since[first & (MAP - 1)]
    low = first
    while low < words[TOP] and have[low & (MAP - 1)] == MISSING and since[low & (MAP - 1)] == at:
        have[low & (MAP - 1)] = GONE
        low += 1
    words[LOW] = low
    _lose(words, lost, first, low - 1)
    settle(words, have, marks)


@kernel
def give_all_up(words: Words, have: Bytes, since: Words, marks: Bytes, lost: Words) -> None:
    """Give up every hole there is."""
    words[STATE] = LIVE
    settle(words, have, marks)
    while words[LOW] < words[TOP]:
        give_up(words, have, since, marks, lost)


@kernel
def _extend(words: Words, have: Bytes, since: Words, marks: Bytes, to: int, state: int) -> None:
    """Know of all units below `to`."""
    for unit in range(words[TOP], to):
        place = unit & (MAP - 1)
        have[place] = state
        since[place] = words[NOW]
        marks[place] = 0
    words[TOP] = max(words[TOP], to)


@kernel
def _reveal(words: Words, have: Bytes, since: Words, marks: Bytes, lost: Words, following: int) -> None:
    """Know that all units below `following` exist; too far ahead, everything before it is given up."""
    if following - words[LOW] > words[DISTANCE]:
        words[STATE] = LIVE
        settle(words, have, marks)
        while words[LOW] < words[TOP] and following - words[LOW] > words[DISTANCE]:
            give_up(words, have, since, marks, lost)
    if following - words[LOW] > words[DISTANCE]:
        _lose(words, lost, words[TOP], following - 1)
        words[LOW] = words[TOP] = words[FLOOR] = following
    else:
        _extend(words, have, since, marks, following, MISSING)


@kernel
def arrive(
    words: Words, have: Bytes, since: Words, marks: Bytes, recent: Words, lost: Words, late: Words, seen: Any
) -> int:
    """Take a packet of the era; return its verdict."""
    first = seen["first"]
    units = seen["units"]
    end = first + units
    if units == 0:
        _reveal(words, have, since, marks, lost, first)
        return NOTHING
    fresh = 0
    if words[STATE] == JOINING and words[LOW] - words[DISTANCE] < first < words[LOW]:
        for unit in range(first, words[LOW]):
            place = unit & (MAP - 1)
            have[place] = HERE if unit < end else MISSING
            since[place] = words[NOW]
            marks[place] = 0
        fresh = min(end, words[LOW]) - first
        words[LOW] = words[START] = words[FLOOR] = first
    elif end <= words[START]:
        return NOTHING
    _reveal(words, have, since, marks, lost, first)
    _extend(words, have, since, marks, end, MISSING)
    for unit in range(max(first, words[LOW]), end):
        place = unit & (MAP - 1)
        if have[place] == MISSING:
            have[place] = HERE
            fresh += 1
    gone = 0
    for unit in range(max(first, words[FLOOR], words[TOP] - MAP), min(end, words[LOW])):
        place = unit & (MAP - 1)
        if have[place] == GONE:
            have[place] = AFTERWARDS
            row = words[LATES] * RANGE
            if gone == 0:
                late[row], late[row + 1] = words[ERA], unit
            late[row + 2] = unit
            gone += 1
    words[LATES] += 1 if gone > 0 else 0
    own = (first & (RECENT - 1)) * RECENT_WORDS
    if fresh > 0:
        waits = first > words[LOW] or words[STATE] == JOINING
        if waits:
            marks[first & (MAP - 1)] += 1
            words[HELD] += 1
        recent[own + R_FIRST] = first
        recent[own + R_UNITS] = units
        recent[own + R_DIGEST] = seen["digest"]
        recent[own + R_ORDINAL] = seen["ordinal"]
        return WAITS if waits else FRESH
    if gone > 0:
        return TOO_LATE
    compared = recent[own + R_FIRST] == first and recent[own + R_UNITS] == units and words[TOP] - first <= RECENT
    if compared and recent[own + R_DIGEST] != seen["digest"]:
        seen["rival"] = recent[own + R_ORDINAL]
        return CONFLICT
    return AGAIN


@kernel
def limit(words: Words, have: Bytes, since: Words, marks: Bytes, lost: Words) -> None:
    """Give up by distance and by count; what one packet may cause."""
    settle(words, have, marks)
    if words[STATE] == JOINING:
        if words[HELD] > words[COUNT]:
            words[STATE] = LIVE
            settle(words, have, marks)
        return
    while words[LOW] < words[TOP] and words[TOP] - words[LOW] > words[DISTANCE]:
        give_up(words, have, since, marks, lost)
    if words[HELD] > words[COUNT] and words[LOW] < words[TOP]:
        give_up(words, have, since, marks, lost)
