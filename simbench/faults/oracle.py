"""What a receiver that hears all lines must lose of a schedule: told from the schedule alone.

One stream at a time, one packet after the other. An era is a run of one sequence: a session, or a restart in it. It
begins with the first line that moves, at once where the protocol says so, else when three packets of a line agree; what
other lines still send of the former one is late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.faults.units import (
    COUNT,
    DISTANCE,
    DOUBTED,
    E_BEGAN,
    E_NEW,
    E_ORDER,
    E_SESSION,
    E_START,
    E_TOP,
    EMPTY,
    ERA,
    ERA_WORDS,
    FLOOR,
    HELD,
    JOINED,
    JOINING,
    L_AT,
    L_ERA,
    L_FIRST,
    L_NEXT,
    L_PACKETS,
    L_RUN,
    LINE_WORDS,
    LINES,
    LIVE,
    LOW,
    MAP,
    MOST_RUN,
    NOTHING,
    NOW,
    PACKET,
    R_FIRST,
    RECENT,
    RECENT_WORDS,
    RUN,
    SENT,
    START,
    STATE,
    TOP,
    WAIT_NS,
    arrive,
    give_all_up,
    give_up,
    limit,
    settle,
)
from simbench.kernel.pure import kernel
from simbench.protocol.contract import SEQUENCE_RESET, UNSEQUENCED

if TYPE_CHECKING:
    from simbench.faults.units import Bytes, Records, Words

# What a packet of a later era is taken for.
BEGINS: Final = 1  # its first
DOUBTFUL: Final = 0  # one that alone says too little
USUAL: Final = 2  # one of the era at hand: it was not sent later than what has come
STALE: Final = 3  # one of an era that is over


@kernel
def _begin(words: Words, eras: Words, recent: Words, era: int, start: int, state: int) -> None:
    if words[STATE] != EMPTY:
        former = words[ERA] * ERA_WORDS
        eras[former + E_TOP] = words[TOP]
        eras[former + E_START] = words[START]
        eras[era * ERA_WORDS + E_ORDER] = eras[former + E_ORDER] + 1
    words[STATE] = state
    words[ERA] = era
    words[LOW] = words[TOP] = words[START] = words[FLOOR] = start
    words[JOINED] = words[NOW]
    words[HELD] = 0
    eras[era * ERA_WORDS + E_BEGAN] = 1
    for place in range(0, RECENT * RECENT_WORDS, RECENT_WORDS):
        recent[place + R_FIRST] = -1


@kernel
def _switch(
    words: Words, have: Bytes, since: Words, marks: Bytes, recent: Words, eras: Words, lines: Words, lost: Words,
    late: Words, era: int, first: int, reset: int, scratch: Any,
) -> None:  # fmt: skip
    """Begin an era that follows another, with what lines have sent of it so far."""
    give_all_up(words, have, since, marks, lost)
    near = 1 <= first <= 1 + words[DISTANCE]
    start = 1 if near and reset == 0 else first
    same = eras[era * ERA_WORDS + E_SESSION] == eras[words[ERA] * ERA_WORDS + E_SESSION]
    if near and same and reset == 0 and first >= words[START]:
        start = words[START]  # nobody knows of units before those with which the session once began
    _begin(words, eras, recent, era, start, LIVE if near or reset else JOINING)
    for line in range(words[LINES]):
        own = line * LINE_WORDS
        if lines[own + L_RUN] > 0 and lines[own + L_ERA] == era:
            for k in range(lines[own + L_RUN]):
                scratch["first"] = lines[own + L_PACKETS + PACKET * k]
                scratch["units"] = lines[own + L_PACKETS + PACKET * k + 1]
                scratch["digest"] = 0
                scratch["ordinal"] = -1
                arrive(words, have, since, marks, recent, lost, late, scratch)
                recent[(scratch["first"] & (RECENT - 1)) * RECENT_WORDS + R_FIRST] = -1
        lines[own + L_RUN] = 0
    limit(words, have, since, marks, lost)


@kernel
def _expire(
    words: Words, have: Bytes, since: Words, marks: Bytes, recent: Words, eras: Words, lines: Words, lost: Words,
    late: Words, scratch: Any,
) -> None:  # fmt: skip
    """Let time pass."""
    now = words[NOW]
    if words[STATE] == JOINING and now >= words[JOINED] + words[WAIT_NS]:
        words[STATE] = LIVE
        settle(words, have, marks)
    while words[STATE] == LIVE and words[LOW] < words[TOP] and now >= since[words[LOW] & (MAP - 1)] + words[WAIT_NS]:
        give_up(words, have, since, marks, lost)
    for line in range(words[LINES]):
        own = line * LINE_WORDS
        era = lines[own + L_ERA]
        if lines[own + L_RUN] > 0 and eras[era * ERA_WORDS + E_NEW] and now >= lines[own + L_AT] + words[WAIT_NS]:
            first = lines[own + L_FIRST]
            _switch(words, have, since, marks, recent, eras, lines, lost, late, era, first, 0, scratch)


@kernel
def _is_copy(lines: Words, own: int, seen: Any) -> bool:
    """Tell whether a packet has come already among those that its line has sent of an era that has not begun."""
    for at in range(own + L_PACKETS, own + L_PACKETS + PACKET * lines[own + L_RUN], PACKET):
        if lines[at] == seen["first"] and lines[at + 1] == seen["units"] and lines[at + 2] == seen["digest"]:
            return bool(lines[own + L_ERA] == seen["era"])
    return False


@kernel
def _taken_for(words: Words, eras: Words, lines: Words, seen: Any) -> int:
    """Tell what a packet of a later era is taken for."""
    era = seen["era"]
    first, end, sent = seen["first"], seen["first"] + seen["units"], seen["sent"]
    later = sent != 0 and sent > words[SENT]
    another = eras[era * ERA_WORDS + E_SESSION] != eras[words[ERA] * ERA_WORDS + E_SESSION]
    if sent == 0 and seen["flags"] & SEQUENCE_RESET:
        return BEGINS
    if later and (another or seen["flags"] & SEQUENCE_RESET or end <= words[LOW] - words[DISTANCE]):
        return BEGINS
    own = seen["line"] * LINE_WORDS
    if sent != 0 and not later and (not another or sent < words[SENT]):
        lines[own + L_RUN] = 0
        return STALE if another else USUAL
    if seen["units"] > 0 and _is_copy(lines, own, seen):
        return DOUBTFUL
    if not (lines[own + L_RUN] > 0 and lines[own + L_ERA] == era and 0 <= first - lines[own + L_NEXT] <= words[COUNT]):
        lines[own + L_RUN] = 0
        lines[own + L_ERA] = era
        lines[own + L_AT] = words[NOW]
        lines[own + L_FIRST] = first
    run = lines[own + L_RUN]
    lines[own + L_NEXT] = end
    if run + 1 >= words[RUN] or run == MOST_RUN:
        return BEGINS
    lines[own + L_PACKETS + PACKET * run] = first
    lines[own + L_PACKETS + PACKET * run + 1] = seen["units"]
    lines[own + L_PACKETS + PACKET * run + 2] = seen["digest"]
    lines[own + L_RUN] = run + 1
    return DOUBTFUL


@kernel
def watch(
    words: Words, have: Bytes, since: Words, marks: Bytes, recent: Words, eras: Words, lines: Words,
    packets: Records, lost: Words, late: Words, scratch: Records,
) -> None:  # fmt: skip
    """Take the next packets of a stream in the order in which they come.

    Args:
        words: int64[WORDS], of the stream.
        have: uint8[MAP], what has come of the units from LOW - MAP to TOP.
        since: int64[MAP], when each was revealed.
        marks: uint8[MAP], packets that wait, by their first unit.
        recent: int64[RECENT * RECENT_WORDS].
        eras: int64[n * ERA_WORDS].
        lines: int64[MOST_LINES * LINE_WORDS].
        packets: SEEN[m]; verdict and rival are filled.
        lost: int64[k * RANGE], with room for the open holes and one a packet.
        late: int64[l * RANGE], likewise.
        scratch: SEEN[1].
    """
    for index in range(len(packets)):
        seen = packets[index]
        if seen["flags"] & UNSEQUENCED:
            continue
        words[NOW] = max(words[NOW], seen["when"])
        _expire(words, have, since, marks, recent, eras, lines, lost, late, scratch[0])
        era = seen["era"]
        if words[STATE] == EMPTY:
            _begin(words, eras, recent, era, seen["first"], JOINING)
        elif era < words[ERA]:
            continue
        elif era > words[ERA]:
            taken = _taken_for(words, eras, lines, seen)
            if taken in (DOUBTFUL, STALE):
                seen["verdict"] = DOUBTED if taken == DOUBTFUL else NOTHING
                continue
            if taken == BEGINS:
                own = seen["line"] * LINE_WORDS
                first = lines[own + L_FIRST] if lines[own + L_RUN] > 0 and lines[own + L_ERA] == era else seen["first"]
                reset = 1 if seen["flags"] & SEQUENCE_RESET else 0
                _switch(words, have, since, marks, recent, eras, lines, lost, late, era, first, reset, scratch[0])
        lines[seen["line"] * LINE_WORDS + L_RUN] = 0
        seen["verdict"] = arrive(words, have, since, marks, recent, lost, late, seen)
        words[SENT] = max(words[SENT], seen["sent"])
        if words[START] == 1:  # nothing is before it
            words[STATE] = LIVE
        limit(words, have, since, marks, lost)


@kernel
def finish(
    words: Words, have: Bytes, since: Words, marks: Bytes, recent: Words, eras: Words, lines: Words, lost: Words,
    late: Words, scratch: Records,
) -> None:  # fmt: skip
    """End the data: what is open is lost; a new session that was in doubt is believed."""
    if words[STATE] == EMPTY:
        return
    for line in range(words[LINES]):
        own = line * LINE_WORDS
        era = lines[own + L_ERA]
        if lines[own + L_RUN] > 0 and era > words[ERA] and eras[era * ERA_WORDS + E_NEW]:
            first = lines[own + L_FIRST]
            _switch(words, have, since, marks, recent, eras, lines, lost, late, era, first, 0, scratch[0])
    give_all_up(words, have, since, marks, lost)
    own = words[ERA] * ERA_WORDS
    eras[own + E_START] = words[START]
    eras[own + E_TOP] = words[TOP]
