"""To which epoch a packet belongs, and how an epoch begins.

An epoch is a run of one sequence: a session, or a restart within it. Each line has its own, since lines restart one
after the other; the stream moves with the first, and what the others still send of the former one is late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.feed.admit import (
    OTHER,
    SAME,
    compare_digest,
    epoch_base,
    go_live,
    is_remembered,
    line_base,
    refresh,
)
from simbench.feed.gaps import give_up
from simbench.feed.layout import (
    BY_REPLAYER,
    BY_RESET,
    BY_RESTART,
    BY_SEQUENCE,
    BY_SESSION,
    BY_START,
    C_EPOCHS,
    COUNT,
    DISTANCE,
    DOUBT_JUMP,
    DOUBT_RESTART,
    DOUBT_SESSION,
    E_AFTER,
    E_BEGAN,
    E_CAUSE,
    E_CHANNEL,
    E_CLOSED,
    E_FIRST,
    E_LAST,
    E_LOST,
    E_NUMBER,
    E_OPENED,
    E_PREVIOUS,
    E_RESTART,
    E_SENT,
    E_SESSION,
    E_STREAM,
    EMPTY,
    EPOCH,
    JOINING,
    L_EPOCH,
    L_FAST,
    L_NEXT,
    L_RUN,
    L_RUN_NEXT,
    L_SENT,
    LIVE,
    NEVER,
    NIL,
    S_CHANNEL,
    S_ENDED,
    S_EPOCH,
    S_EXPECTED,
    S_HOLE,
    S_ID,
    S_JOINED,
    S_LINES,
    S_LOST,
    S_PENDING,
    S_SENT,
    S_SESSION,
    S_STATE,
    S_SURE,
    S_TOP,
    STALE_NS,
    T_CAPACITY,
    T_USED,
)
from simbench.feed.missing import overlaps_missing
from simbench.feed.streams import channel_base, forget_digests
from simbench.feed.wrap import sequence_one
from simbench.kernel.pure import kernel
from simbench.protocol.contract import SEQUENCE_RESET

if TYPE_CHECKING:
    from simbench.feed.layout import Words

# Where a packet belongs; or one of the doubts of the layout.
HERE: Final = 0  # the stream's epoch
OLD: Final = 1  # one that is over
FRESH: Final = 2  # one that it begins
LOOK_BACK: Final = 64  # former epochs whose session is remembered


@kernel
def place(
    memory: Words,
    stream: int,
    line: int,
    session: int,
    first: int,
    units: int,
    flags: int,
    sent: int,
    digest: int,
    now: int,
) -> int:
    """Say to which epoch a packet belongs: HERE, OLD, FRESH, or one of the doubts."""
    if memory[stream + S_STATE] == EMPTY or memory[stream + S_PENDING] != 0:
        return FRESH
    own = line_base(stream, line)
    if session != memory[stream + S_SESSION]:
        where = _place_session(memory, stream, own, session, first, sent)
        return FRESH if where == DOUBT_SESSION and flags & SEQUENCE_RESET else where
    if flags & SEQUENCE_RESET and not _is_known_reset(memory, stream, own, first, units, sent, digest):
        return FRESH
    if memory[own + L_EPOCH] == memory[stream + S_EPOCH]:
        if _is_older(memory, stream, first, sent, now):
            # Behind all that its epoch had, it may also be that the restart was damage: then its line goes on there.
            former = memory[epoch_base(memory, memory[stream + S_EPOCH]) + E_PREVIOUS]
            return DOUBT_RESTART if first > memory[epoch_base(memory, former) + E_LAST] else OLD
        return _place_current(memory, stream, own, first, units, sent, digest)
    if memory[own + L_EPOCH] == NIL:
        if _is_older(memory, stream, first, sent, now):
            return OLD
        later = sent != 0 and sent > memory[stream + S_SENT]
        if later and first + units <= memory[stream + S_EXPECTED] - memory[DISTANCE]:
            return FRESH
        return DOUBT_JUMP if first - memory[stream + S_TOP] > memory[DISTANCE] else HERE
    return _place_former(memory, stream, own, session, first, units, sent, digest)


@kernel
def _is_known_reset(memory: Words, stream: int, own: int, first: int, units: int, sent: int, digest: int) -> bool:
    """Tell whether a reset has been seen before, on another line or on this."""
    if sent != 0:
        return bool(sent <= memory[stream + S_SENT])
    if compare_digest(memory, stream, first, units, digest) == SAME:
        return True
    start = memory[epoch_base(memory, memory[stream + S_EPOCH]) + E_FIRST]
    behind = memory[own + L_EPOCH] != memory[stream + S_EPOCH]
    return bool(behind and start <= first < memory[stream + S_TOP])


@kernel
def _is_older(memory: Words, stream: int, first: int, sent: int, now: int) -> bool:
    """Tell whether a packet was sent before the stream's epoch, which is a restart within a session.

    That is so when it was sent no later than the last that was delivered before the restart; or earlier than the
    restart's first packet, although its sequence is not below that one's. Nothing comes so late that its line would
    have been stale meanwhile: from then on, times that say so are damage, which must not silence a line for good.
    """
    epoch = epoch_base(memory, memory[stream + S_EPOCH])
    if sent == 0 or memory[epoch + E_RESTART] == 0 or memory[epoch + E_AFTER] == 0:
        return False
    if now - memory[epoch + E_OPENED] > memory[STALE_NS]:
        return False
    return bool(sent <= memory[epoch + E_AFTER] or (sent < memory[epoch + E_SENT] and first >= memory[epoch + E_BEGAN]))


@kernel
def _place_session(memory: Words, stream: int, own: int, session: int, first: int, sent: int) -> int:
    """Place a packet whose session is not the stream's."""
    later = sent != 0 and sent > memory[stream + S_SENT]
    former = former_epoch(memory, stream, session)
    if former == NIL:
        if later:
            return FRESH
        return OLD if sent != 0 and sent < memory[stream + S_SENT] else DOUBT_SESSION
    # A session that comes back, after damage that looked like a new one, goes on behind where it broke off.
    behind = first > memory[epoch_base(memory, former) + E_LAST]
    moved_on = memory[own + L_EPOCH] == memory[stream + S_EPOCH]
    return DOUBT_SESSION if behind and (later or (sent == 0 and moved_on)) else OLD


@kernel
def former_epoch(memory: Words, stream: int, session: int) -> int:
    """Return the row of the newest former epoch of a session, NIL where there is none."""
    epoch: int = memory[epoch_base(memory, memory[stream + S_EPOCH]) + E_PREVIOUS]
    for _ in range(LOOK_BACK):
        if epoch == NIL or memory[epoch_base(memory, epoch) + E_SESSION] == session:
            return epoch
        epoch = memory[epoch_base(memory, epoch) + E_PREVIOUS]
    return NIL


@kernel
def _place_current(memory: Words, stream: int, own: int, first: int, units: int, sent: int, digest: int) -> int:
    """Place a packet of a line that is in the stream's epoch: does it go on, or has the line gone back?"""
    end = first + units
    expected = memory[own + L_NEXT]
    if first >= expected:
        return DOUBT_JUMP if first - memory[stream + S_TOP] > memory[DISTANCE] else HERE
    below = end <= memory[stream + S_EXPECTED] - memory[DISTANCE]
    # A line's own reordered packet was sent before its newest; one of a restart after it.
    if sent != 0 and sent > memory[own + L_SENT] and sent > memory[stream + S_SENT]:
        return FRESH if below else DOUBT_RESTART
    if memory[stream + S_STATE] == JOINING and not below:
        return HERE
    compared = compare_digest(memory, stream, first, units, digest)
    if compared == SAME or end > expected or overlaps_missing(memory, own, memory[own + L_EPOCH], first, end):
        return HERE
    if sent != 0 and not below:
        return HERE
    # What came lately may come again cut differently: only with a packet that is surely none of that a restart begins.
    goes_on = memory[own + L_RUN] > 0 and 0 <= first - memory[own + L_RUN_NEXT] <= memory[COUNT]
    return HERE if compared != OTHER and not goes_on and is_remembered(memory, stream, first, end) else DOUBT_RESTART


@kernel
def _place_former(
    memory: Words, stream: int, own: int, session: int, first: int, units: int, sent: int, digest: int
) -> int:
    """Place a packet of a line that was last seen in an epoch before the stream's: has it moved too?"""
    former = memory[own + L_EPOCH]
    if memory[epoch_base(memory, former) + E_SESSION] != session:
        return HERE
    if compare_digest(memory, stream, first, units, digest) == SAME:
        return HERE
    if sent != 0:
        epoch = epoch_base(memory, memory[stream + S_EPOCH])
        went_back = first < memory[own + L_NEXT] and sent > memory[epoch + E_AFTER]
        return HERE if went_back or sent >= memory[epoch + E_SENT] else OLD
    expected = memory[own + L_NEXT]
    if first < expected and not overlaps_missing(memory, own, former, first, first + units):
        return DOUBT_RESTART
    # Forward of all that the former epoch had, and near to where the stream is now.
    ahead = first > memory[epoch_base(memory, former) + E_LAST] and first - expected > memory[DISTANCE]
    return HERE if ahead and abs(first - memory[stream + S_TOP]) <= memory[DISTANCE] else OLD


@kernel
def abandon(memory: Words, stream: int, now: int) -> None:
    """End a stream's epoch: what is still open is lost, what is held can go on."""
    if memory[stream + S_STATE] == JOINING:
        go_live(memory, stream)
    while memory[stream + S_HOLE] != NIL:
        give_up(memory, stream, BY_RESTART, now)
    refresh(memory, stream)


@kernel
def has_epoch(memory: Words) -> bool:
    """Tell whether one more epoch can begin."""
    return bool(memory[EPOCH + T_USED] < memory[EPOCH + T_CAPACITY])


@kernel
def begin(memory: Words, stream: int, session: int, first: int, flags: int, sent: int, now: int) -> None:
    """Begin an epoch with a packet that starts at `first`; the former one is drained.

    A first epoch starts with the oldest packet that any line brings while it joins: as long as a hole is waited for,
    since whoever joins cannot know that the first to come is the oldest, unless it is 1. A later one starts at 1, where
    the session's former one started, or where it broke off, if its first packet is near above: then what is missing
    in between is a hole. Otherwise it joins, too.
    """
    former: int = memory[stream + S_EPOCH]
    cause = BY_START
    start = NIL
    restart = 0
    if former != NIL:
        row = epoch_base(memory, former)
        memory[row + E_LAST] = memory[stream + S_TOP] - 1
        memory[row + E_CLOSED] = now
        memory[row + E_LOST] = memory[stream + S_LOST]
        restart, start = _origin(memory, stream, former, session, first)
        cause = BY_SEQUENCE if session == memory[row + E_SESSION] else BY_SESSION
        if memory[stream + S_PENDING] != 0:
            cause, start = BY_REPLAYER, NIL
        elif flags & SEQUENCE_RESET:
            cause, start = BY_RESET, first
    joining = start == NIL and first != sequence_one(memory, stream, first)
    start = first if start == NIL else start
    epoch = memory[EPOCH + T_USED]
    memory[EPOCH + T_USED] = epoch + 1
    channel = channel_base(memory, memory[stream + S_CHANNEL])
    row = epoch_base(memory, epoch)
    memory[row + E_CHANNEL] = memory[stream + S_CHANNEL]
    memory[row + E_STREAM] = memory[stream + S_ID]
    memory[row + E_NUMBER] = memory[channel + C_EPOCHS]
    memory[channel + C_EPOCHS] += 1
    memory[row + E_SESSION] = session
    memory[row + E_RESTART] = restart
    memory[row + E_FIRST] = start
    memory[row + E_LAST] = start - 1
    memory[row + E_OPENED] = now
    memory[row + E_CLOSED] = NIL
    memory[row + E_CAUSE] = cause
    memory[row + E_SENT] = sent
    memory[row + E_BEGAN] = first
    memory[row + E_AFTER] = memory[stream + S_SENT] if cause != BY_REPLAYER and memory[stream + S_SENT] < sent else 0
    memory[row + E_PREVIOUS] = former
    memory[stream + S_EPOCH] = epoch
    memory[stream + S_SESSION] = session
    memory[stream + S_STATE] = JOINING if joining else LIVE
    memory[stream + S_EXPECTED] = start
    memory[stream + S_TOP] = start
    memory[stream + S_SURE] = NEVER if joining else start - 1
    memory[stream + S_SENT] = sent
    memory[stream + S_LOST] = NIL
    memory[stream + S_JOINED] = now
    memory[stream + S_ENDED] = 0
    memory[stream + S_PENDING] = 0
    forget_digests(memory, stream)
    for line in range(memory[stream + S_LINES]):
        memory[line_base(stream, line) + L_FAST] = NIL


@kernel
def _origin(memory: Words, stream: int, former: int, session: int, first: int) -> tuple[int, int]:
    """Return the restart number, and where the epoch that begins with `first` must have started: NIL for unknown."""
    distance = memory[DISTANCE]
    one = sequence_one(memory, stream, first)
    start = one if one <= first <= one + distance else NIL
    restart = 0
    epoch = former
    for _ in range(LOOK_BACK):
        if epoch == NIL:
            break
        row = epoch_base(memory, epoch)
        if memory[row + E_SESSION] == session:
            restart = memory[row + E_RESTART] + 1
            began, broke_off = memory[row + E_FIRST], memory[row + E_LAST] + 1
            if 0 <= first - began <= distance:
                start = max(start, began)
            if epoch != former and 0 <= first - broke_off <= distance:
                start = max(start, broke_off)
            break
        epoch = memory[row + E_PREVIOUS]
    return restart, start
