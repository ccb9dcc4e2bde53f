"""The sender's loop: every frame at its deadline, commands within a millisecond, nothing left to do but the send.

Deadlines are absolute: the anchor's clock time and the schedule time since the anchor, over the speed. A pause, a change
of speed, a jump set a new anchor where the schedule's clock stands, so nothing jumps and no error accumulates. Frames
are copied into the wire ahead of their deadline; all that are due go out as one batch. The loop is a function of rows,
state and commands: whatever it needs from outside is a status, and it goes on where it stood when it is called again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
from numba import njit, types

from simbench.kernel.host import monotonic_ns, pause, sleep_until
from simbench.kernel.pure import load_acquire, prefetch, store_release
from simbench.measure import stamps
from simbench.measure.histogram import record
from simbench.replay import control as c
from simbench.replay.rows import CAPACITY, END, FAILED, FEED_WORDS, LOADED, NEVER, RESIDENT, ROW, TAKEN
from simbench.wire.contract import COMMIT_FUNCTION, NO_ROOM, PREPARE_FUNCTION, RING_FULL, TOO_LONG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Rows = NDArray[Any]

# What it is told.
BATCH: Final = 0  # most frames a commit when paced
AHEAD: Final = 1  # most frames prepared and not sent; slots of the queue
WINDOW: Final = 2  # credits at speed max: most frames sent and not consumed
SIDE_ROWS: Final = 3  # rows of the side table, a power of two
SERIALS: Final = 4  # 1: the serial goes into the source MAC
RECEIVER: Final = 5  # 1: wait for the receiver's READY, and take its credits
LOOP_GAP: Final = 6  # ns of schedule time between the last frame of a loop and the first of the next
SLEEP: Final = 7  # 0: spin only
PRIME_UNTIL: Final = 8  # recorded ns: what is earlier goes out as fast as the receiver takes it, unpaced
# Where it stands.
POSITION: Final = 16  # the next row to prepare
SLOT: Final = 17  # its slot in the ring
SERIAL: Final = 18  # of the next frame to prepare
OLDEST: Final = 19  # serial of the oldest frame that is prepared and not sent
FRESH: Final = 20  # 1: the next row to prepare is the first after a start or a jump
BASE: Final = 21  # schedule time of the loop's row with due 0
REACHED: Final = 22  # schedule time of the last row prepared
EPOCH: Final = 23  # of the next row to prepare
PASSED: Final = 24  # schedule time of the last frame sent
CLOCK: Final = 25  # recorded time of this epoch's frames sent so far
COUNTED_FROM: Final = 26  # schedule time from which achieved speed is counted: the end of priming
# The schedule's clock.
ANCHOR_AT: Final = 32  # CLOCK_MONOTONIC
ANCHOR: Final = 33  # schedule time then
PIECE: Final = 34  # anchors so far
HALTED: Final = 35  # 1: paused, the schedule's clock stands at ANCHOR
STEPS: Final = 36  # frames to send although paused
UNPACED: Final = 37  # 1: credits or flood, by speed or to prime; the next paced frame sets an anchor
# Housekeeping.
LOOKED: Final = 40  # when the slow words were last written
PUBLISHED: Final = 41  # when the replay time was
PENDING: Final = 42  # when a ticket was first seen without its command
LAST_CONSUMED: Final = 43  # credits when they last moved
MOVED_AT: Final = 44  # and when that was
# What it asks when it returns.
SEEK_TO: Final = 48  # recorded ns
SEEK_PRIMED: Final = 49
STATE_WORDS: Final = 64

# Queue of prepared frames, int64[AHEAD, ENTRY] by serial.
ENTRY: Final = 8
OFFSET: Final = 0  # schedule time
RECORDED: Final = 1
NUMBER: Final = 2  # index in the schedule
ERA: Final = 3  # epoch
LENGTH: Final = 4

# Statuses.
FINISHED: Final = 0
STOPPED: Final = 1  # reason in control[REASON]
SEEK: Final = 2

LEAD_NS: Final = 200_000  # from an anchor to the first frame: time to prepare what follows it
HORIZON_NS: Final = 500_000  # frames due within this are prepared: they are still in the cache when they are sent
GUARD_NS: Final = 2_000  # closer to a deadline than this nothing is prepared: a cold copy takes up to 1 us
SLICE_NS: Final = 1_000_000  # longest sleep: commands wait no longer
MARGIN_LOW: Final = 60_000  # a virtual core wakes 50 us late at the median, 70 at p99; measured in the run
MARGIN_HIGH: Final = 250_000
PUBLISH_NS: Final = 10_000
LOOK_NS: Final = 500_000
STALL_NS: Final = 300_000_000  # no credit for so long from a receiver that is alive: the frames are lost
ALIVE_NS: Final = 50_000_000
TICKET_NS: Final = 1_000_000_000  # a writer that died between ticket and command holds the queue no longer
UNBOUND: Final = -(1 << 62)

ROWS: Final = numba.from_dtype(ROW)[::1]
DATA: Final = types.uint8[::1]
WORDS: Final = types.int64[::1]


def new_state(*, batch: int = 64, ahead: int = 256, window: int = 1024, side_rows: int = 1 << 16) -> Words:
    """Return the state of a loop that has not started; other settings are words of it.

    Args:
        batch: most frames a commit when paced.
        ahead: most frames prepared and not sent; the wire must have room for so many.
        window: most frames in flight at speed max.
        side_rows: rows of the side table, a power of two.
    """
    state = np.zeros(STATE_WORDS, np.int64)
    state[[BATCH, AHEAD, WINDOW, SIDE_ROWS]] = batch, ahead, window, side_rows
    state[[SERIALS, RECEIVER, SLEEP, FRESH]] = 1
    state[LOOP_GAP] = 10_000_000
    state[[PRIME_UNTIL, CLOCK]] = UNBOUND
    return state


def new_feed(capacity: int, *, loops: int = 1, resident: bool = True) -> Words:
    """Return the words between loader and sender.

    Args:
        capacity: rows of the ring.
        loops: of a resident schedule; 0 endless.
        resident: whether the ring holds the whole schedule.
    """
    feed = np.zeros(FEED_WORDS, np.int64)
    feed[[CAPACITY, RESIDENT, END]] = capacity, resident, NEVER
    if resident:
        feed[LOADED] = NEVER
        feed[END] = capacity * loops if loops else NEVER
    return feed


@njit(cache=True, nogil=True)
def _time_of(state: Words, offset: int, ppm: int) -> int:
    """Return the clock time of a schedule time."""
    since = offset - state[ANCHOR]
    if ppm == c.PPM:
        return int(state[ANCHOR_AT] + since)
    return int(state[ANCHOR_AT] + np.int64(since * (c.PPM / ppm)))


@njit(cache=True, nogil=True)
def _offset_at(state: Words, now: int, ppm: int) -> int:
    """Return the schedule time of a clock time."""
    if state[HALTED] or state[UNPACED]:
        return int(state[ANCHOR])
    since = now - state[ANCHOR_AT]
    if ppm == c.PPM:
        return int(state[ANCHOR] + since)
    return int(state[ANCHOR] + np.int64(since * (ppm / c.PPM)))


@njit(cache=True, nogil=True)
def _anchor(state: Words, at: int, offset: int) -> None:
    state[ANCHOR_AT] = at
    state[ANCHOR] = offset
    state[PIECE] += 1


@njit(cache=True, nogil=True)
def _set_speed(state: Words, control: Words, ppm: int, now: int) -> None:
    before = control[c.SPEED]
    if before > 0 and not state[HALTED]:
        _anchor(state, now, _offset_at(state, now, before))
    if ppm <= 0:
        state[ANCHOR] = state[PASSED]
        state[UNPACED] = 1
    control[c.SPEED] = ppm


@njit(cache=True, nogil=True)
def _halt(state: Words, control: Words, now: int) -> None:
    if not state[HALTED]:
        if control[c.SPEED] > 0:
            _anchor(state, now, _offset_at(state, now, control[c.SPEED]))
        state[HALTED] = 1
        control[c.PHASE] = c.PAUSED


@njit(cache=True, nogil=True)
def _go_on(state: Words, control: Words, now: int) -> None:
    if state[HALTED]:
        _anchor(state, now, state[ANCHOR])
        state[HALTED] = 0
        state[STEPS] = 0
        control[c.PHASE] = c.RUNNING


@njit(cache=True, nogil=True)
def _neighbour(ppm: int, up: int) -> int:
    """Return the next higher or lower of the usual speeds; max and flood stay what they are."""
    best = ppm
    if ppm <= 0:
        return ppm
    for speed in c.SPEEDS:
        if up and speed > ppm:
            return speed
        if not up and speed < ppm:
            best = speed
    return best


@njit(cache=True, nogil=True)
def _obey(state: Words, feed: Words, control: Words, now: int) -> int:
    """Take the next command if there is one; return STOPPED or SEEK where the loop has to leave, else FINISHED."""
    head = control[c.HEAD]
    slot = c.QUEUE + head % c.SLOTS * c.SLOT
    if load_acquire(control, slot) != head + 1:
        if load_acquire(control, c.TAIL) == head:
            state[PENDING] = 0
        elif state[PENDING] == 0:
            state[PENDING] = now
        elif now - state[PENDING] > TICKET_NS:
            state[PENDING] = 0
            store_release(control, c.HEAD, head + 1)
        return FINISHED
    state[PENDING] = 0
    kind = control[slot + 1]
    argument = control[slot + 2]
    status = FINISHED
    if kind == c.PAUSE or (kind == c.TOGGLE and not state[HALTED]):
        _halt(state, control, now)
    elif kind in (c.RESUME, c.TOGGLE):
        _go_on(state, control, now)
    elif kind == c.STEP:
        _halt(state, control, now)
        state[STEPS] += max(argument, 0)
    elif kind == c.SPEED_TO:
        _set_speed(state, control, argument, now)
    elif kind == c.FASTER:
        _set_speed(state, control, _neighbour(control[c.SPEED], 1), now)
    elif kind == c.SLOWER:
        _set_speed(state, control, _neighbour(control[c.SPEED], 0), now)
    elif kind == c.STOP:
        control[c.REASON] = argument
        status = STOPPED
    elif kind in (c.JUMP, c.JUMP_PRIMED):
        state[SEEK_TO] = argument
        state[SEEK_PRIMED] = kind == c.JUMP_PRIMED
        status = SEEK
    elif kind == c.LOOPS_TO:
        control[c.LOOPS] = max(argument, 0)
        if feed[RESIDENT]:
            # The lap under way is finished: a loop is never cut short.
            done = (state[POSITION] + feed[CAPACITY] - 1) // feed[CAPACITY]
            feed[END] = max(argument, done) * feed[CAPACITY] if argument > 0 else NEVER
    store_release(control, c.HEAD, head + 1)
    return status


@njit(cache=True, nogil=True)
def _advance(rows: Rows, feed: Words, state: Words) -> None:
    """Move on from the next row to the one after it, into the next loop where it is a first one."""
    row = rows[state[SLOT]]
    if state[FRESH]:
        state[FRESH] = 0
        state[BASE] = state[REACHED] - row["due"]
    elif row["index"] == 0:
        state[BASE] = state[REACHED] + state[LOOP_GAP]
        state[EPOCH] += 1
    state[REACHED] = state[BASE] + row["due"]
    state[POSITION] += 1
    state[SLOT] += 1
    if state[SLOT] == feed[CAPACITY]:
        state[SLOT] = 0


@njit(cache=True, nogil=True)
def _enter(rows: Rows, feed: Words, state: Words, queue: Words, side: Words) -> None:
    """Give the next row a serial, a place in the queue and a row of the side table, and move on."""
    row = rows[state[SLOT]]
    _advance(rows, feed, state)
    serial = state[SERIAL]
    entry = serial % state[AHEAD] * ENTRY
    queue[entry + OFFSET] = state[REACHED]
    queue[entry + RECORDED] = row["recorded"]
    queue[entry + NUMBER] = row["index"]
    queue[entry + ERA] = state[EPOCH]
    queue[entry + LENGTH] = row["length"]
    at = (serial & (state[SIDE_ROWS] - 1)) * stamps.ROW
    store_release(side, at + stamps.SERIAL, 0)
    side[at + stamps.ORDINAL] = row["ordinal"]
    side[at + stamps.RECORDED] = row["recorded"]
    side[at + stamps.EPOCH] = state[EPOCH]
    side[at + stamps.OFFSET] = state[REACHED]
    state[SERIAL] = serial + 1
    store_release(feed, TAKEN, state[POSITION])


@njit(cache=True, nogil=True)
def _next_offset(rows: Rows, state: Words) -> int:
    """Return the schedule time of the next row to prepare."""
    row = rows[state[SLOT]]
    if state[FRESH]:
        return int(state[REACHED])
    if row["index"] == 0:
        return int(state[REACHED] + state[LOOP_GAP])
    return int(state[BASE] + row["due"])


@njit(cache=True, nogil=True)
def _readable(feed: Words, state: Words) -> bool:
    """Whether there is a row to prepare and a slot in the queue for it."""
    position = state[POSITION]
    return bool(
        state[SERIAL] - state[OLDEST] < state[AHEAD] and position < feed[END] and position < load_acquire(feed, LOADED)
    )


@njit(cache=True, nogil=True)
def _prepare(
    rows: Rows,
    data: Bytes,
    feed: Words,
    state: Words,
    queue: Words,
    side: Words,
    words: Words,
    memory: Bytes,
    prepare: Any,
) -> int:
    """Copy the next row's frame into the wire; return 1, or NO_ROOM. A frame that never fits is passed over."""
    row = rows[state[SLOT]]
    serial = state[SERIAL] if state[SERIALS] else -1
    result = prepare(words, memory, data, row["source"], row["length"], serial)
    if result == NO_ROOM:
        return NO_ROOM
    if result == TOO_LONG:
        _advance(rows, feed, state)
        store_release(feed, TAKEN, state[POSITION])
        return 1
    _enter(rows, feed, state, queue, side)
    return 1


@njit(cache=True, nogil=True)
def _complete(
    state: Words, queue: Words, control: Words, side: Words, count: int, now: int, paced: int, sent: int
) -> None:
    """Complete the side table's rows of the oldest frames, which go out or are dropped now."""
    ppm = control[c.SPEED]
    serial = state[OLDEST]
    size = 0
    for k in range(count):
        entry = (serial + k) % state[AHEAD] * ENTRY
        at = ((serial + k) & (state[SIDE_ROWS] - 1)) * stamps.ROW
        due = _time_of(state, queue[entry + OFFSET], ppm) if paced else now
        side[at + stamps.DUE] = due
        side[at + stamps.SENT] = sent
        side[at + stamps.PIECE] = state[PIECE] if paced else 0
        store_release(side, at + stamps.SERIAL, serial + k + 1)
        if paced and sent:
            record(control, c.LATENESS, now - due)
        size += queue[entry + LENGTH]
    if sent:
        control[c.BYTES] += size


@njit(cache=True, nogil=True)
def _pass(state: Words, queue: Words, control: Words, count: int) -> None:
    """Make the replay's position that of the last of the oldest frames, which have gone out or were dropped."""
    entry = (state[OLDEST] + count - 1) % state[AHEAD] * ENTRY
    state[OLDEST] += count
    state[PASSED] = queue[entry + OFFSET]
    state[CLOCK] = max(state[CLOCK], queue[entry + RECORDED])
    control[c.CURSOR] = queue[entry + NUMBER] + 1
    store_release(control, c.REPLAY_NS, state[CLOCK])


@njit(cache=True, nogil=True)
def _begin_era(state: Words, queue: Words, control: Words, now: int) -> None:
    """Publish the epoch of the oldest frame before it is sent, where it is a new one."""
    if control[c.STARTED] == 0:
        control[c.STARTED] = now
        state[LOOKED] = now
    entry = state[OLDEST] % state[AHEAD] * ENTRY
    era = queue[entry + ERA]
    if era != control[c.EPOCH]:
        if queue[entry + NUMBER] == 0 and control[c.CURSOR] == control[c.FRAMES]:
            control[c.LOOP] += 1
        state[CLOCK] = UNBOUND
        store_release(control, c.EPOCH, era)


@njit(cache=True, nogil=True)
def _hand_over(
    state: Words, queue: Words, control: Words, side: Words, words: Words, commit: Any, count: int, now: int, paced: int
) -> None:
    """Send the oldest frames, of which all are prepared; a batch stays within one epoch."""
    era = queue[state[OLDEST] % state[AHEAD] * ENTRY + ERA]
    for k in range(1, count):
        if queue[(state[OLDEST] + k) % state[AHEAD] * ENTRY + ERA] != era:
            count = k
            break
    _begin_era(state, queue, control, now)
    _complete(state, queue, control, side, count, now, paced, now)
    store_release(control, c.SENT, control[c.SENT] + commit(words, count))
    control[c.BATCHES] += 1
    control[c.LARGEST] = max(control[c.LARGEST], count)
    _pass(state, queue, control, count)


@njit(cache=True, nogil=True)
def _drop(
    rows: Rows, feed: Words, state: Words, queue: Words, control: Words, side: Words, words: Words, now: int, paced: int
) -> None:
    """Pass over the next row, for which the wire had no room when it was due."""
    _enter(rows, feed, state, queue, side)
    _begin_era(state, queue, control, now)
    _complete(state, queue, control, side, 1, now, paced, 0)
    words[RING_FULL] += 1
    control[c.DROPPED] += 1
    _pass(state, queue, control, 1)


@njit(cache=True, nogil=True)
def _look(state: Words, control: Words, now: int, starved: int) -> None:
    """Write the slow words: heartbeat, schedule time, active time."""
    passed = now - state[LOOKED]
    state[LOOKED] = now
    if not state[HALTED] and control[c.STARTED]:
        control[c.ACTIVE_NS] += passed
    if starved:
        control[c.STARVED_NS] += passed
    control[c.SCHEDULE_NS] = max(_offset_at(state, now, control[c.SPEED]), state[PASSED])
    control[c.REPLAYED_NS] = state[PASSED] - state[COUNTED_FROM]
    store_release(control, c.REPLAYER_BEAT, now)


@njit(cache=True, nogil=True)
def _tell_time(state: Words, control: Words, now: int, following: int) -> None:
    """Publish the replay time between two frames: never later than the one that has not been sent."""
    state[PUBLISHED] = now
    if state[CLOCK] != UNBOUND:
        reached = state[CLOCK] + max(_offset_at(state, now, control[c.SPEED]) - state[PASSED], 0)
        store_release(control, c.REPLAY_NS, max(min(reached, following), state[CLOCK]))


@njit(cache=True, nogil=True)
def _nap(control: Words, until: int) -> None:
    """Sleep towards a deadline, at most a slice; learn from how late the core woke."""
    target = min(until - control[c.MARGIN_NS], monotonic_ns() + SLICE_NS)
    sleep_until(target)
    late = monotonic_ns() - target
    # Up by an eighth, down by a 256th: settles where one wakeup in 33 is later, and forgets a stall of the host.
    margin = control[c.MARGIN_NS]
    margin += margin // 8 if late > margin else -(margin // 256)
    control[c.MARGIN_NS] = min(max(margin, MARGIN_LOW), MARGIN_HIGH)
    control[c.SLEEPS] += 1


@njit(cache=True, nogil=True)
def _credit(state: Words, control: Words, now: int) -> int:
    """Return how many frames may be sent; write off those that a living receiver does not give back."""
    if not state[RECEIVER]:
        return int(state[WINDOW])
    consumed = load_acquire(control, c.CONSUMED)
    flight = control[c.SENT] - control[c.GIVEN_UP] - consumed
    if consumed != state[LAST_CONSUMED] or flight <= 0:
        state[LAST_CONSUMED] = consumed
        state[MOVED_AT] = now
    elif now - state[MOVED_AT] > STALL_NS and now - control[c.RECEIVER_BEAT] < ALIVE_NS:
        control[c.GIVEN_UP] += flight
        flight = 0
    return int(state[WINDOW] - flight)


@njit(cache=True, nogil=True)
def _await_receiver(state: Words, feed: Words, control: Words) -> int:
    """Wait for the receiver's READY; return as _obey does."""
    status = FINISHED
    now = monotonic_ns()
    while status == FINISHED and state[RECEIVER] and load_acquire(control, c.RECEIVER_READY) == 0:
        control[c.PHASE] = c.WAITING
        status = _obey(state, feed, control, now)
        sleep_until(now + SLICE_NS)
        now = monotonic_ns()
        store_release(control, c.REPLAYER_BEAT, now)
    control[c.PHASE] = c.PAUSED if state[HALTED] else c.RUNNING
    return status


SEND_SIGNATURE: Final = types.int64(
    ROWS, DATA, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, DATA, PREPARE_FUNCTION, COMMIT_FUNCTION
)


@njit(SEND_SIGNATURE, cache=True, nogil=True)
def send(
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
    commit: Any,
) -> int:
    """Send until the end, a stop or a jump; return FINISHED, STOPPED or SEEK.

    Args:
        rows: ROW[capacity], the ring of rows.
        data: uint8[n], the ring of bytes that they point into.
        feed: int64[FEED_WORDS] between loader and sender.
        state: int64[STATE_WORDS] of new_state().
        queue: int64[AHEAD * ENTRY].
        control: int64[WORDS], the control block.
        side: int64[SIDE_ROWS * stamps.ROW].
        words: the sender end's.
        memory: the sender end's frames.
        prepare: of wire.contract.
        commit: of wire.contract.
    """
    status = _await_receiver(state, feed, control)
    now = monotonic_ns()
    state[LOOKED] = now
    state[MOVED_AT] = now
    control[c.MARGIN_NS] = max(control[c.MARGIN_NS], MARGIN_LOW)
    if state[FRESH]:
        state[UNPACED] = 1
        state[ANCHOR] = state[REACHED]
    full = 0  # 1: the last attempt to prepare ahead found no room

    while status == FINISHED:
        status = _obey(state, feed, control, now)
        if status != FINISHED:
            break
        ppm = control[c.SPEED]
        waiting = state[SERIAL] - state[OLDEST]
        starved = waiting == 0 and state[POSITION] < feed[END] and state[POSITION] >= load_acquire(feed, LOADED)
        if now - state[LOOKED] > LOOK_NS:
            _look(state, control, now, starved and not state[HALTED])
        if waiting == 0 and (starved or state[POSITION] >= feed[END]):
            if not starved:
                break
            if feed[FAILED]:
                control[c.REASON] = c.LOADER_FAILED
                status = STOPPED
            pause()
            now = monotonic_ns()
            continue

        # The oldest frame that has not been sent: prepared, or the next row.
        if waiting > 0:
            entry = state[OLDEST] % state[AHEAD] * ENTRY
            recorded = queue[entry + RECORDED]
            offset = queue[entry + OFFSET]
        else:
            recorded = rows[state[SLOT]]["recorded"]
            offset = _next_offset(rows, state)
        primes = ppm > 0 and recorded < state[PRIME_UNTIL]

        if state[HALTED]:
            if state[STEPS] == 0:
                if state[SLEEP]:
                    sleep_until(now + SLICE_NS)
            elif waiting > 0:
                _hand_over(state, queue, control, side, words, commit, 1, monotonic_ns(), 0)
                state[ANCHOR] = state[PASSED]
                state[STEPS] -= 1
                if ppm > 0:
                    state[UNPACED] = 0
            else:
                _prepare(rows, data, feed, state, queue, side, words, memory, prepare)
        elif ppm <= 0 or primes:
            state[UNPACED] = 1
            limit = state[AHEAD] if ppm == c.FLOOD else min(_credit(state, control, now), state[AHEAD])
            full = 0
            while not full and waiting < limit and _readable(feed, state):
                if primes and rows[state[SLOT]]["recorded"] >= state[PRIME_UNTIL]:
                    break
                full = _prepare(rows, data, feed, state, queue, side, words, memory, prepare) == NO_ROOM
                waiting = state[SERIAL] - state[OLDEST]
            if min(waiting, limit) > 0:
                _hand_over(state, queue, control, side, words, commit, min(waiting, limit), monotonic_ns(), 0)
                state[ANCHOR] = state[PASSED]
            elif full and ppm == c.FLOOD:
                _drop(rows, feed, state, queue, control, side, words, now, 0)
            else:
                pause()
        elif state[UNPACED]:
            # What was sent without pacing is consumed first, so that the paced part starts clean.
            if _credit(state, control, now) >= state[WINDOW]:
                state[UNPACED] = 0
                _anchor(state, now + LEAD_NS, offset)
                if state[PRIME_UNTIL] != UNBOUND:
                    state[PRIME_UNTIL] = UNBOUND
                    state[COUNTED_FROM] = offset
                    control[c.ACTIVE_NS] = 0
            else:
                pause()
        else:
            due = _time_of(state, offset, ppm)
            ahead = due - now
            if ahead <= 0:
                full = 0
                if waiting == 0:
                    full = _prepare(rows, data, feed, state, queue, side, words, memory, prepare) == NO_ROOM
                    waiting = state[SERIAL] - state[OLDEST]
                if full:
                    _drop(rows, feed, state, queue, control, side, words, now, 1)
                elif waiting > 0:
                    count = 1
                    while count < min(waiting, state[BATCH]):
                        entry = (state[OLDEST] + count) % state[AHEAD] * ENTRY
                        if _time_of(state, queue[entry + OFFSET], ppm) > now:
                            break
                        count += 1
                    _hand_over(state, queue, control, side, words, commit, count, now, 1)
            elif (
                ahead > GUARD_NS
                and not full
                and _readable(feed, state)
                and _time_of(state, _next_offset(rows, state), ppm) < now + HORIZON_NS
            ):
                full = _prepare(rows, data, feed, state, queue, side, words, memory, prepare) == NO_ROOM
            elif ahead > GUARD_NS:
                if now - state[PUBLISHED] > PUBLISH_NS:
                    _tell_time(state, control, now, recorded)
                if state[SLEEP] and ahead > control[c.MARGIN_NS] + GUARD_NS:
                    _nap(control, due)
                    full = 0
                else:
                    prefetch(side, (state[OLDEST] & (state[SIDE_ROWS] - 1)) * stamps.ROW)
                    pause()
        now = monotonic_ns()
    while status == SEEK and state[OLDEST] < state[SERIAL]:
        # A wire cannot take back what is prepared: a jump takes effect behind what is due within the horizon.
        _hand_over(state, queue, control, side, words, commit, state[SERIAL] - state[OLDEST], now, 0)
    _look(state, control, now, 0)
    return status
