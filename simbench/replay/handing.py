"""Frames from the rings into the wire: copied ahead, sent or dropped when due, and what is written down of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.kernel.pure import kernel, load_acquire, prefetch, store_release
from simbench.measure import stamps
from simbench.measure.histogram import record
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay.commands import time_of
from simbench.replay.holding import OFFSET, RECORDED, SLOT, head_of, release
from simbench.replay.rows import CAPACITY, END, LOADED, TAKEN
from simbench.wire.contract import NO_ROOM, RING_FULL, TOO_LONG

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Rows = NDArray[Any]


PASSED_OVER: Final = 2  # of prepare_next: the row was withheld
SOON: Final = 16  # frames ahead that a row of the side table is asked for


@kernel
def entry_of(state: Words, serial: int) -> int:
    """Return where the queue's entry of a serial begins."""
    return (serial & (int(state[w.AHEAD]) - 1)) * w.ENTRY


@kernel
def due_together(state: Words, queue: Words, waiting: int, until: int, ppm: int) -> int:
    """Return how many of the prepared frames are one batch: the oldest, and those behind it that are due until then."""
    most = min(waiting, state[w.BATCH])
    count = 1
    while count < most and time_of(state, queue[entry_of(state, state[w.OLDEST] + count) + w.OFFSET], ppm) <= until:
        count += 1
    return int(count)


@kernel
def advance(rows: Rows, feed: Words, state: Words) -> None:
    """Move on from the next row to the one after it, into the next loop where it is a first one."""
    row = rows[state[w.SLOT]]
    if state[w.FRESH]:
        state[w.FRESH] = 0
        state[w.BASE] = state[w.REACHED] - row["due"]
    elif row["index"] == 0:
        state[w.BASE] = state[w.REACHED] + state[w.LOOP_GAP]
        state[w.EPOCH] += 1
        state[w.LAP] += 1
        state[w.LAP_ERA] = state[w.EPOCH]
    state[w.REACHED] = state[w.BASE] + row["due"]
    state[w.POSITION] += 1
    state[w.SLOT] += 1
    if state[w.SLOT] == feed[CAPACITY]:
        state[w.SLOT] = 0


@kernel
def note(row: Any, state: Words, queue: Words, side: Words, recorded: int, number: int) -> None:
    """Give a row that is due when REACHED says a serial, a place in the queue and a row of the side table."""
    serial = state[w.SERIAL]
    entry = entry_of(state, serial)
    queue[entry + w.OFFSET] = state[w.REACHED]
    queue[entry + w.RECORDED] = recorded
    queue[entry + w.NUMBER] = number
    queue[entry + w.ERA] = state[w.EPOCH]
    queue[entry + w.LENGTH] = row["length"]
    mask = state[w.SIDE_ROWS] - 1
    prefetch(side, (serial + SOON & mask) * stamps.ROW)  # the receiver has read it since
    at = (serial & mask) * stamps.ROW
    store_release(side, at + stamps.SERIAL, 0)
    side[at + stamps.ORDINAL] = row["ordinal"]
    side[at + stamps.RECORDED] = recorded
    side[at + stamps.EPOCH] = state[w.EPOCH]
    side[at + stamps.OFFSET] = state[w.REACHED]
    state[w.SERIAL] = serial + 1


@kernel
def enter(rows: Rows, feed: Words, state: Words, queue: Words, side: Words) -> None:
    """Note the next row of the ring, and move on."""
    row = rows[state[w.SLOT]]
    advance(rows, feed, state)
    note(row, state, queue, side, row["recorded"], row["index"])
    store_release(feed, TAKEN, state[w.POSITION])


@kernel
def enter_held(rows: Rows, feed: Words, state: Words, queue: Words, side: Words) -> None:
    """Note the held row whose turn it is, and take it out of its queue."""
    at = head_of(state)
    row = rows[state[at + SLOT]]
    state[w.REACHED] = max(state[w.REACHED], state[at + OFFSET])
    number = rows[state[w.SLOT] - 1 if state[w.SLOT] > 0 else feed[CAPACITY] - 1]["index"]  # of the latest row
    note(row, state, queue, side, state[at + RECORDED], number)
    release(feed, state)


@kernel
def next_offset(rows: Rows, state: Words) -> int:
    """Return the schedule time of the next row to prepare."""
    if state[w.TURN]:
        return int(max(state[head_of(state) + OFFSET], state[w.REACHED]))
    row = rows[state[w.SLOT]]
    if state[w.FRESH]:
        return int(state[w.REACHED])
    if row["index"] == 0:
        return int(state[w.REACHED] + state[w.LOOP_GAP])
    return int(state[w.BASE] + row["due"])


@kernel
def readable(feed: Words, state: Words) -> bool:
    """Whether there is a row to prepare and a slot in the queue for it."""
    position = state[w.POSITION]
    return bool(
        state[w.SERIAL] - state[w.OLDEST] < state[w.AHEAD]
        and (state[w.TURN] or (position < feed[END] and position < load_acquire(feed, LOADED)))
    )


@kernel
def enter_epoch(state: Words, control: Words, era: int) -> None:
    """Publish that frames of another epoch follow."""
    if era == state[w.LAP_ERA]:
        control[c.LOOP] = state[w.LAP]
    state[w.CLOCK] = w.UNBOUND
    store_release(control, c.EPOCH, era)


@kernel
def prepare_next(
    rows: Rows,
    data: Bytes,
    feed: Words,
    state: Words,
    queue: Words,
    control: Words,
    side: Words,
    words: Words,
    memory: Bytes,
    prepare: Any,
    judged: Any,
) -> int:
    """Copy the next row's frame into the wire; return 1, NO_ROOM, or PASSED_OVER where a fault that is on withholds it.

    A frame that never fits is passed over.
    """
    if state[w.SWITCHED]:
        return int(judged(rows, data, feed, state, queue, control, side, words, memory, prepare))
    row = rows[state[w.SLOT]]
    serial = state[w.SERIAL] if state[w.SERIALS] else -1
    result = prepare(words, memory, data, row["source"], int(row["length"]), serial)
    if result == NO_ROOM:
        return NO_ROOM
    if result == TOO_LONG:
        advance(rows, feed, state)
        store_release(feed, TAKEN, state[w.POSITION])
        return 1
    enter(rows, feed, state, queue, side)
    return 1


@kernel
def _mark_due(state: Words, queue: Words, control: Words, side: Words, count: int, now: int, paced: int) -> None:
    """Complete the side table's rows of the oldest frames but for when they were sent."""
    ppm = control[c.SPEED]
    serial = state[w.OLDEST]
    for k in range(count):
        at = ((serial + k) & (state[w.SIDE_ROWS] - 1)) * stamps.ROW
        side[at + stamps.DUE] = time_of(state, queue[entry_of(state, serial + k) + w.OFFSET], ppm) if paced else now
        side[at + stamps.PIECE] = state[w.PIECE] if paced else 0


@kernel
def _mark_sent(state: Words, side: Words, count: int, sent: int) -> None:
    """Say of the oldest frames when they were sent, 0 for dropped, and make their rows valid."""
    serial = state[w.OLDEST]
    for k in range(count):
        at = ((serial + k) & (state[w.SIDE_ROWS] - 1)) * stamps.ROW
        side[at + stamps.SENT] = sent
        store_release(side, at + stamps.SERIAL, serial + k + 1)


@kernel
def _sum(control: Words, count: int, size: int) -> None:
    """Count a batch and its bytes."""
    control[c.BYTES] += size
    control[c.BATCHES] += 1
    control[c.LARGEST] = max(control[c.LARGEST], count)


@kernel
def _count(state: Words, queue: Words, control: Words, side: Words, count: int, sent: int) -> None:
    """Count the oldest frames, which were sent."""
    serial = state[w.OLDEST]
    size = 0
    for k in range(count):
        at = ((serial + k) & (state[w.SIDE_ROWS] - 1)) * stamps.ROW
        record(control, c.LATENESS, sent - side[at + stamps.DUE])
        size += queue[entry_of(state, serial + k) + w.LENGTH]
    _sum(control, count, size)


@kernel
def _pass(state: Words, queue: Words, control: Words, count: int) -> None:
    """Make the replay's position that of the last of the oldest frames, which have gone out or were dropped."""
    entry = entry_of(state, state[w.OLDEST] + count - 1)
    state[w.OLDEST] += count
    state[w.PASSED] = queue[entry + w.OFFSET]
    state[w.CLOCK] = max(state[w.CLOCK], queue[entry + w.RECORDED])
    control[c.CURSOR] = queue[entry + w.NUMBER] + 1
    store_release(control, c.REPLAY_NS, state[w.CLOCK])


@kernel
def _announce(state: Words, queue: Words, control: Words, count: int, now: int) -> None:
    """Publish, before the oldest frames are sent, what epoch they are of and how far the exchange has come by them."""
    if control[c.STARTED] == 0:
        control[c.STARTED] = now
        paced = not state[w.UNPACED] and not state[w.HALTED]
        state[w.LOOKED] = min(now, state[w.ANCHOR_AT]) if paced else now  # a late first frame is no faster replay
    entry = entry_of(state, state[w.OLDEST])
    era = queue[entry + w.ERA]
    if era != control[c.EPOCH]:
        if era < state[w.LAP_ERA] and queue[entry + w.NUMBER] == 0:
            control[c.LOOP] += 1  # a short lap, prepared with the next
        enter_epoch(state, control, era)
    newest = queue[entry_of(state, state[w.OLDEST] + count - 1) + w.RECORDED]
    store_release(control, c.SENDING_NS, max(control[c.SENDING_NS], newest))


@kernel
def arm(state: Words, queue: Words, control: Words, side: Words, count: int, due: int) -> int:
    """Write down the oldest frames, of which all are prepared, as far as it can be done before they are sent.

    A batch stays within one epoch.

    Returns:
        How many of them are one batch.
    """
    era = queue[entry_of(state, state[w.OLDEST]) + w.ERA]
    for k in range(1, count):
        if queue[entry_of(state, state[w.OLDEST] + k) + w.ERA] != era:
            count = k
            break
    _announce(state, queue, control, count, due)
    _mark_due(state, queue, control, side, count, due, 1)
    return count


@kernel
def fire(
    state: Words, queue: Words, control: Words, side: Words, words: Words, commit: Any, count: int, now: int
) -> None:
    """Send the frames that are written down: between a deadline and the wire is nothing but T1."""
    _mark_sent(state, side, count, now)
    taken = commit(words, count)
    store_release(control, c.SENT, control[c.SENT] + taken)
    _count(state, queue, control, side, count, now)
    _pass(state, queue, control, count)


@kernel
def hand_over(
    state: Words, queue: Words, control: Words, side: Words, words: Words, commit: Any, count: int, now: int, paced: int
) -> None:
    """Send the oldest frames, of which all are prepared, or as many of them as are of one epoch.

    What `arm` and `fire` do around a deadline is done here in one go over the frames: there is none to be kept.
    """
    ppm = control[c.SPEED]
    oldest = state[w.OLDEST]
    mask = state[w.SIDE_ROWS] - 1
    era = queue[entry_of(state, oldest) + w.ERA]
    piece = state[w.PIECE] if paced else 0
    size = 0
    sent = 0
    while sent < count:
        entry = entry_of(state, oldest + sent)
        if queue[entry + w.ERA] != era:
            break
        due = now
        if paced:
            due = time_of(state, queue[entry + w.OFFSET], ppm)
            record(control, c.LATENESS, now - due)
        size += queue[entry + w.LENGTH]
        at = ((oldest + sent) & mask) * stamps.ROW
        side[at + stamps.DUE] = due
        side[at + stamps.PIECE] = piece
        side[at + stamps.SENT] = now
        store_release(side, at + stamps.SERIAL, oldest + sent + 1)
        sent += 1
    _announce(state, queue, control, sent, now)
    taken = commit(words, sent)
    store_release(control, c.SENT, control[c.SENT] + taken)
    _sum(control, sent, size)
    _pass(state, queue, control, sent)


@kernel
def drop(
    rows: Rows, feed: Words, state: Words, queue: Words, control: Words, side: Words, words: Words, now: int, paced: int
) -> None:
    """Pass over what goes next, for which the wire had no room when it was due."""
    if state[w.TURN]:
        enter_held(rows, feed, state, queue, side)
    else:
        enter(rows, feed, state, queue, side)
    _announce(state, queue, control, 1, now)
    _mark_due(state, queue, control, side, 1, now, paced)
    _mark_sent(state, side, 1, 0)
    words[RING_FULL] += 1
    control[c.DROPPED] += 1
    _pass(state, queue, control, 1)
