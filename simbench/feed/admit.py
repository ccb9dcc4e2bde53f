"""One packet of the stream's epoch: who saw it first, which holes it opens and fills, whether it goes on at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.gaps import behind_lost, fill, give_up, note_late, open_hole
from simbench.feed.holes import end_wait, hole_row
from simbench.feed.lags import note_lag
from simbench.feed.layout import (
    BEFORE_START,
    BY_COUNT,
    BY_DISTANCE,
    CONFLICT,
    COUNT,
    DELIVER,
    DISTANCE,
    DOUBT_RESTART,
    E_FIRST,
    E_LAST,
    EPOCH,
    EPOCH_WORDS,
    HEARTBEAT,
    HELD,
    JOINING,
    K_FIRST,
    L_BEFORE,
    L_CONFLICTS,
    L_DUPLICATES,
    L_EPOCH,
    L_FAST,
    L_FIRST,
    L_HEARTBEATS,
    L_LATE,
    L_NEXT,
    L_RUN,
    L_RUN_AT,
    L_RUN_KIND,
    L_SENT,
    L_WON,
    LATE,
    LINE_WORDS,
    LINES_AT,
    LIVE,
    NEVER,
    NIL,
    O_DETECTED,
    O_FIRST,
    OUT_MORE,
    S_EPOCH,
    S_EXPECTED,
    S_FAST,
    S_HEAD,
    S_HELD,
    S_HOLE,
    S_HOLE_TAIL,
    S_HOLES,
    S_JOINED,
    S_LINES,
    S_LOST,
    S_PENDING,
    S_RUNS,
    S_STATE,
    S_SURE,
    S_TOP,
    S_WAITING,
    SEEN,
    STREAM_WORDS,
    T_BASE,
    W_AT,
    W_DIGEST,
    W_FIRST,
    W_UNITS,
    WAIT_NS,
    WINDOW,
    WINDOW_WORDS,
)
from simbench.feed.missing import add_missing, track
from simbench.feed.requests import asks, next_deadline
from simbench.feed.slab import slot_row
from simbench.feed.streams import set_due
from simbench.feed.wrap import sequence_one
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words

UNKNOWN = 0
SAME = 1
OTHER = 2


@kernel
def line_base(stream: int, line: int) -> int:
    """Return the index of a line's first word."""
    return stream + LINES_AT + line * LINE_WORDS


@kernel
def epoch_base(memory: Words, epoch: int) -> int:
    """Return the index of an epoch's first word."""
    base: int = memory[EPOCH + T_BASE] + epoch * EPOCH_WORDS
    return base


@kernel
def compare_digest(memory: Words, stream: int, first: int, units: int, digest: int) -> int:
    """Compare with the packet of the same first sequence and as many units, if the window still has it."""
    row = stream + STREAM_WORDS + (first & (WINDOW - 1)) * WINDOW_WORDS
    if memory[row + W_FIRST] != first or memory[row + W_UNITS] != units:
        return UNKNOWN
    return SAME if memory[row + W_DIGEST] == digest else OTHER


@kernel
def is_remembered(memory: Words, stream: int, first: int, end: int) -> bool:
    """Tell whether the window's packets hold all of first..end-1 between them, cut differently."""
    reached = first
    if end - first > WINDOW:
        return False
    for start in range(max(0, first - WINDOW), end):
        row = stream + STREAM_WORDS + (start & (WINDOW - 1)) * WINDOW_WORDS
        if memory[row + W_FIRST] == start <= reached:
            reached = max(reached, start + memory[row + W_UNITS])
    return reached >= end


@kernel
def remember(memory: Words, stream: int, first: int, units: int, digest: int, at: int) -> None:
    """Keep what the next packet of the same first sequence is compared with; `at` is `now`, NIL of an answer."""
    row = stream + STREAM_WORDS + (first & (WINDOW - 1)) * WINDOW_WORDS
    memory[row + W_FIRST] = first
    memory[row + W_UNITS] = units
    memory[row + W_DIGEST] = digest
    memory[row + W_AT] = at


@kernel
def admit(
    memory: Words, stream: int, line: int, first: int, units: int, sent: int, digest: int, came: int, now: int
) -> int:
    """Take a packet that belongs to the stream's epoch, and came at `came`, into account.

    DELIVER: it continues the sequence, and the caller moves it on; HELD: the caller puts it into the held list;
    otherwise the verdict is final.
    """
    own = line_base(stream, line)
    end = first + units
    joining: bool = memory[stream + S_STATE] == JOINING
    if memory[own + L_EPOCH] != memory[stream + S_EPOCH]:
        _enter(memory, stream, own, first)
    epoch = epoch_base(memory, memory[stream + S_EPOCH])
    if joining and units > 0:
        memory[epoch + E_FIRST] = min(memory[epoch + E_FIRST], first)
    goes_on = units > 0 and first >= memory[own + L_NEXT]
    track(memory, own, memory[stream + S_STATE], first, end)
    memory[own + L_SENT] = max(memory[own + L_SENT], sent)
    if units == 0:
        memory[own + L_HEARTBEATS] += 1
        reveal(memory, stream, line, first, now)
        return HEARTBEAT
    fresh = 0
    if first < memory[stream + S_EXPECTED] and joining:
        fresh = _start_earlier(memory, stream, line, first, end, now)
    elif end <= memory[epoch + E_FIRST]:
        memory[own + L_BEFORE] += 1
        return BEFORE_START
    # A copy of what has come fills nothing: where it is missing all the same, that could not be decoded.
    if memory[stream + S_HOLE] != NIL and compare_digest(memory, stream, first, units, digest) != SAME:
        fresh += fill(memory, stream, first, end, line, now)
    top = memory[stream + S_TOP]
    if end > top:
        reveal(memory, stream, line, first, now)
        fresh += end - max(first, top)
        memory[stream + S_TOP] = end
    if fresh == 0:
        verdict: int = judge_past(memory, stream, own, first, units, digest)
        if verdict == SEEN and goes_on:
            note_lag(memory, stream, line, first, units, came)
    else:
        memory[own + L_WON] += 1
        remember(memory, stream, first, units, digest, came)
        verdict = HELD if joining or first > memory[stream + S_EXPECTED] else DELIVER
    if joining and memory[epoch + E_FIRST] == sequence_one(memory, stream, first):
        go_live(memory, stream)
    return verdict


@kernel
def judge_past(memory: Words, stream: int, own: int, first: int, units: int, digest: int) -> int:
    """Say what a packet is that brings nothing new: late, a conflict or a duplicate; count it for its line."""
    if first <= memory[stream + S_SURE] and note_late(memory, memory[stream + S_LOST], first, first + units) > 0:
        memory[own + L_LATE] += 1
        return LATE
    if compare_digest(memory, stream, first, units, digest) == OTHER:
        memory[own + L_CONFLICTS] += 1
        return CONFLICT
    memory[own + L_DUPLICATES] += 1
    return SEEN


@kernel
def reveal(memory: Words, stream: int, line: int, following: int, now: int) -> None:
    """Learn from a line that `following` is the next sequence or the one that came: what lies before it exists."""
    top = memory[stream + S_TOP]
    if following > top:
        open_hole(memory, stream, memory[stream + S_HOLE_TAIL], top, following - 1, now, line)
        memory[stream + S_TOP] = following


@kernel
def go_live(memory: Words, stream: int) -> None:
    """Settle the epoch's start: nothing older is delivered any more, and who began later missed what was before."""
    epoch: int = memory[stream + S_EPOCH]
    start = memory[epoch_base(memory, epoch) + E_FIRST]
    memory[stream + S_STATE] = LIVE
    memory[stream + S_SURE] = start - 1
    for line in range(memory[stream + S_LINES]):
        own = line_base(stream, line)
        if memory[own + L_EPOCH] == epoch and memory[own + L_FIRST] > start:
            add_missing(memory, own, epoch, start, memory[own + L_FIRST] - 1)


@kernel
def limit(memory: Words, stream: int, now: int) -> None:
    """Give up by distance and by count what is not asked for."""
    if memory[stream + S_STATE] == JOINING:
        if memory[stream + S_HELD] > memory[COUNT]:
            go_live(memory, stream)
        return
    if asks(memory, stream):
        return
    while (
        memory[stream + S_HOLE] != NIL
        and memory[stream + S_TOP] - _first_hole(memory, stream, O_FIRST) > memory[DISTANCE]
    ):
        give_up(memory, stream, BY_DISTANCE, now)
    if max(memory[stream + S_HELD], memory[stream + S_HOLES]) > memory[COUNT] and memory[stream + S_HOLE] != NIL:
        give_up(memory, stream, BY_COUNT, now)


@kernel
def _limit_waits(memory: Words, stream: int) -> None:
    """End waits for another line by distance and by count; what is ready to go on does not count as held."""
    while (
        memory[stream + S_WAITING] != NIL
        and memory[stream + S_TOP] - memory[hole_row(memory, memory[stream + S_WAITING]) + O_FIRST] > memory[DISTANCE]
    ):
        end_wait(memory, stream)
    first_waits = memory[stream + S_HOLE] == memory[stream + S_WAITING]
    if first_waits and memory[stream + S_HELD] > memory[COUNT] and not is_ready(memory, stream):
        end_wait(memory, stream)


@kernel
def is_ready(memory: Words, stream: int) -> bool:
    """Tell whether the first held packet can go on."""
    head = memory[stream + S_HEAD]
    return bool(
        head != NIL
        and memory[stream + S_STATE] == LIVE
        and memory[slot_row(memory, head) + K_FIRST] <= memory[stream + S_EXPECTED]
    )


@kernel
def refresh(memory: Words, stream: int) -> None:
    """Step over what has been given up, and bring the words up to date that the fast path and tick() look at."""
    live = memory[stream + S_STATE] == LIVE
    if live:
        bound = memory[stream + S_TOP]
        if memory[stream + S_HOLE] != NIL:
            bound = min(bound, _first_hole(memory, stream, O_FIRST))
        if memory[stream + S_HEAD] != NIL:
            bound = min(bound, memory[slot_row(memory, memory[stream + S_HEAD]) + K_FIRST])
        expected = max(memory[stream + S_EXPECTED], bound)
        memory[stream + S_EXPECTED] = behind_lost(memory, stream, expected)
    plain = (
        live and memory[stream + S_HEAD] == NIL and memory[stream + S_HOLE] == NIL and memory[stream + S_PENDING] == 0
    )
    memory[stream + S_FAST] = memory[stream + S_EXPECTED] if plain else NIL
    memory[OUT_MORE] = 1 if is_ready(memory, stream) else 0
    due = NEVER
    if memory[stream + S_STATE] == JOINING:
        due = memory[stream + S_JOINED] + memory[WAIT_NS]
    elif memory[stream + S_HOLE] != NIL and asks(memory, stream):
        _limit_waits(memory, stream)
        due = next_deadline(memory, stream)
    elif memory[stream + S_HOLE] != NIL:
        due = _first_hole(memory, stream, O_DETECTED) + memory[WAIT_NS]
    if memory[stream + S_RUNS] > 0:
        for line in range(memory[stream + S_LINES]):
            own = line_base(stream, line)
            if memory[own + L_RUN] > 0 and memory[own + L_RUN_KIND] != DOUBT_RESTART:
                due = min(due, memory[own + L_RUN_AT] + memory[WAIT_NS])
    set_due(memory, stream, due)


@kernel
def refresh_line(memory: Words, stream: int, own: int) -> None:
    """Bring the word up to date by which the fast path knows a line that goes on in order."""
    plain = memory[own + L_EPOCH] == memory[stream + S_EPOCH] and memory[own + L_RUN] == 0
    memory[own + L_FAST] = memory[own + L_NEXT] if plain and memory[stream + S_PENDING] == 0 else NIL


@kernel
def _first_hole(memory: Words, stream: int, word: int) -> int:
    value: int = memory[hole_row(memory, memory[stream + S_HOLE]) + word]
    return value


@kernel
def _enter(memory: Words, stream: int, own: int, first: int) -> None:
    """Move a line into the stream's epoch; what it did not bring of its former one, it missed."""
    former: int = memory[own + L_EPOCH]
    epoch = memory[stream + S_EPOCH]
    if former != NIL:
        last = memory[epoch_base(memory, former) + E_LAST]
        if memory[own + L_NEXT] <= last:
            add_missing(memory, own, former, memory[own + L_NEXT], last)
    start = first if memory[stream + S_STATE] == JOINING else memory[epoch_base(memory, epoch) + E_FIRST]
    memory[own + L_EPOCH] = epoch
    memory[own + L_FIRST] = min(first, start)
    memory[own + L_NEXT] = min(first, start)
    memory[own + L_SENT] = 0


@kernel
def _start_earlier(memory: Words, stream: int, line: int, first: int, end: int, now: int) -> int:
    """Expect the new start of an epoch that has not delivered anything yet; return the units that this adds."""
    start: int = memory[stream + S_EXPECTED]
    memory[stream + S_EXPECTED] = first
    if end < start:
        open_hole(memory, stream, NIL, end, start - 1, now, line)
    return min(end, start) - first
