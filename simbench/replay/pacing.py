"""The sender's loop: every frame at its deadline, commands within a millisecond, nothing left to do but the send.

Deadlines are absolute, see commands.py. Frames are copied into the wire ahead of their deadline; all that are due go
out as one batch. The loop is a function of rows, state and commands: whatever it needs from outside is a status, and it
goes on where it stood when it is called again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
from numba import types

from simbench.kernel.host import monotonic_ns, pause, sleep_until
from simbench.kernel.pure import kernel, kernel_as, load_acquire, prefetch, store_release
from simbench.measure import stamps
from simbench.replay import control as c
from simbench.replay import state as w
from simbench.replay.commands import anchor, obey, offset_at, time_of
from simbench.replay.gating import SHUT
from simbench.replay.handing import (
    PASSED_OVER,
    arm,
    drop,
    due_together,
    entry_of,
    fire,
    hand_over,
    next_offset,
    prepare_next,
    readable,
)
from simbench.replay.holding import CHOOSE_FUNCTION, RECORDED, head_of
from simbench.replay.judging import JUDGED_FUNCTION, leave_behind
from simbench.replay.rows import END, FAILED, LOADED, ROW
from simbench.wire.contract import COMMIT_FUNCTION, NO_ROOM, PREPARE_FUNCTION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Rows = NDArray[Any]

LEAD_NS: Final = 200_000  # from an anchor to the first frame: time to prepare what follows it
HORIZON_NS: Final = 500_000  # frames due within this are prepared: they are still in the cache when they are sent
GUARD_NS: Final = 2_000  # closer to a deadline than this nothing is prepared: a cold copy takes up to 1 us
CATCH_UP: Final = 32  # frames copied at once when behind; as many as a kernel takes from AF_XDP in one call
SLICE_NS: Final = 1_000_000  # longest sleep: commands wait no longer
STARVED_SLICE_NS: Final = 20_000
WARM_NS: Final = 1_200  # before a deadline: time for a call that warms the way into the kernel
MARGIN_LOW: Final = 60_000  # a virtual core wakes 50 us late at the median, 70 at p99; measured in the run
MARGIN_HIGH: Final = 250_000
PUBLISH_NS: Final = 10_000
LOOK_NS: Final = 500_000
STALL_NS: Final = 300_000_000  # no credit for so long from a receiver that is alive: the frames are lost
ALIVE_NS: Final = 50_000_000

ROWS: Final = numba.from_dtype(ROW)[::1]
DATA: Final = types.uint8[::1]
WORDS: Final = types.int64[::1]


@kernel
def _look(state: Words, control: Words, now: int, starved: int) -> None:
    """Write the slow words: heartbeat, schedule time, active time."""
    passed = now - state[w.LOOKED]
    state[w.LOOKED] = now
    if not state[w.HALTED] and control[c.STARTED]:
        control[c.ACTIVE_NS] += passed
    if starved:
        control[c.STARVED_NS] += passed
    control[c.SCHEDULE_NS] = max(offset_at(state, now, control[c.SPEED]), state[w.PASSED])
    control[c.REPLAYED_NS] = state[w.PASSED] - state[w.COUNTED_FROM]
    store_release(control, c.REPLAYER_BEAT, now)


@kernel
def _tell_time(state: Words, control: Words, now: int, following: int) -> None:
    """Publish the replay time between two frames: never later than the one that has not been sent."""
    state[w.PUBLISHED] = now
    if state[w.CLOCK] != w.UNBOUND:
        reached = state[w.CLOCK] + max(offset_at(state, now, control[c.SPEED]) - state[w.PASSED], 0)
        store_release(control, c.REPLAY_NS, max(min(reached, following), state[w.CLOCK]))


@kernel
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


@kernel
def _credit(state: Words, control: Words, now: int) -> int:
    """Return how many frames may be sent; write off those that a living receiver does not give back.

    What counts is time in which both sides were at work: one that was kept from its core has had no time.
    """
    if not state[w.RECEIVER]:
        return int(state[w.WINDOW])
    away = now - state[w.CREDITED_AT] > ALIVE_NS or now - control[c.RECEIVER_BEAT] > ALIVE_NS
    away |= control[c.GATE_STANDS] == SHUT  # what it holds is not lost
    state[w.CREDITED_AT] = now
    consumed = load_acquire(control, c.CONSUMED)
    flight = control[c.SENT] - control[c.GIVEN_UP] - consumed
    if consumed != state[w.LAST_CONSUMED] or flight <= 0 or away:
        state[w.LAST_CONSUMED] = consumed
        state[w.MOVED_AT] = now
    elif now - state[w.MOVED_AT] > STALL_NS:
        control[c.GIVEN_UP] += flight
        flight = 0
    return int(state[w.WINDOW] - flight)


@kernel
def _await_receiver(state: Words, feed: Words, control: Words) -> int:
    """Wait for the receiver's READY; return as _obey does."""
    status = w.FINISHED
    now = monotonic_ns()
    while status == w.FINISHED and state[w.RECEIVER] and load_acquire(control, c.RECEIVER_READY) == 0:
        control[c.PHASE] = c.WAITING
        status = obey(state, feed, control, now)
        sleep_until(now + SLICE_NS)
        now = monotonic_ns()
        store_release(control, c.REPLAYER_BEAT, now)
    control[c.PHASE] = c.PAUSED if state[w.HALTED] else c.RUNNING
    return status


SEND_SIGNATURE: Final = types.int64(
    ROWS, DATA, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, DATA, PREPARE_FUNCTION, COMMIT_FUNCTION,
    JUDGED_FUNCTION, CHOOSE_FUNCTION,
)  # fmt: skip


@kernel_as(SEND_SIGNATURE)
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
    judged: Any,
    choose: Any,
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
        judged: of judging.
        choose: of holding.
    """
    status = _await_receiver(state, feed, control)
    now = monotonic_ns()
    state[w.LOOKED] = now
    state[w.MOVED_AT] = now
    control[c.MARGIN_NS] = max(control[c.MARGIN_NS], MARGIN_LOW)
    if state[w.FRESH]:
        state[w.UNPACED] = 1
        state[w.ANCHOR] = state[w.REACHED]
    full = 0  # 1: the last attempt to prepare ahead found no room

    while status == w.FINISHED:
        status = obey(state, feed, control, now)
        if status != w.FINISHED:
            break
        ppm = control[c.SPEED]
        waiting = state[w.SERIAL] - state[w.OLDEST]
        starved = waiting == 0 and state[w.POSITION] < feed[END] and state[w.POSITION] >= load_acquire(feed, LOADED)
        if now - state[w.LOOKED] > LOOK_NS:
            _look(state, control, now, starved and not state[w.HALTED])
        if state[w.HELD]:
            choose(rows, feed, state, control)  # the loader may have come on
        if waiting == 0 and not state[w.TURN] and (starved or state[w.POSITION] >= feed[END]):
            if not starved:
                if state[w.LEFT_AT] == state[w.POSITION]:
                    leave_behind(state, control)
                break
            if feed[FAILED]:
                control[c.REASON] = c.LOADER_FAILED
                status = w.STOPPED
            sleep_until(now + STARVED_SLICE_NS)  # the loader may need this core
            now = monotonic_ns()
            continue

        # The oldest frame that has not been sent: prepared, or the next row.
        if waiting > 0:
            entry = entry_of(state, state[w.OLDEST])
            recorded = queue[entry + w.RECORDED]
            offset = queue[entry + w.OFFSET]
        else:
            recorded = state[head_of(state) + RECORDED] if state[w.TURN] else rows[state[w.SLOT]]["recorded"]
            offset = next_offset(rows, state)
        primes = ppm > 0 and recorded < state[w.PRIME_UNTIL]

        if state[w.HALTED]:
            if state[w.STEPS] == 0:
                sleep_until(now + SLICE_NS)
            elif waiting > 0:
                hand_over(state, queue, control, side, words, commit, 1, monotonic_ns(), 0)
                state[w.ANCHOR] = state[w.PASSED]
                state[w.STEPS] -= 1
                if ppm > 0:
                    state[w.UNPACED] = 0
            elif (
                prepare_next(rows, data, feed, state, queue, control, side, words, memory, prepare, judged)
                == PASSED_OVER
            ):  # that was the step
                state[w.ANCHOR] = state[w.PASSED]
                state[w.STEPS] -= 1
                if ppm > 0:
                    state[w.UNPACED] = 0
        elif ppm <= 0 or primes:
            state[w.UNPACED] = 1
            limit = state[w.AHEAD] if ppm == c.FLOOD else min(_credit(state, control, now), state[w.AHEAD])
            full = 0
            while not full and waiting < limit and readable(feed, state):
                if primes and not state[w.TURN] and rows[state[w.SLOT]]["recorded"] >= state[w.PRIME_UNTIL]:
                    break
                done = prepare_next(rows, data, feed, state, queue, control, side, words, memory, prepare, judged)
                full = done == NO_ROOM
                waiting = state[w.SERIAL] - state[w.OLDEST]
                if done == PASSED_OVER:  # commands first: it may be so with all that follow
                    break
            if min(waiting, limit) > 0:
                hand_over(state, queue, control, side, words, commit, min(waiting, limit), monotonic_ns(), 0)
                state[w.ANCHOR] = state[w.PASSED]
            elif full and ppm == c.FLOOD:
                drop(rows, feed, state, queue, control, side, words, now, 0)
            else:
                pause()
        elif state[w.UNPACED]:
            # What was sent without pacing is consumed first, so that the paced part starts clean.
            if _credit(state, control, now) >= state[w.WINDOW]:
                state[w.UNPACED] = 0
                anchor(state, now + LEAD_NS, offset)
                if state[w.PRIME_UNTIL] != w.UNBOUND:
                    state[w.PRIME_UNTIL] = w.UNBOUND
                    state[w.COUNTED_FROM] = offset
                    control[c.ACTIVE_NS] = 0
                    state[w.LOOKED] = state[w.ANCHOR_AT]
            else:
                pause()
        else:
            due = time_of(state, offset, ppm)
            ahead = due - now
            if 0 < ahead <= GUARD_NS:
                if ahead > WARM_NS:
                    commit(words, 0)
                if waiting > 0:
                    count = due_together(state, queue, waiting, due, ppm)
                    count = arm(state, queue, control, side, count, due)
                while now < due:  # nothing else is looked at: a turn of the whole loop would be 50 ns late
                    now = monotonic_ns()
                if waiting > 0:
                    fire(state, queue, control, side, words, commit, count, now)
                    now = monotonic_ns()
                    continue
                ahead = 0
            if ahead <= 0:
                full = 0
                if waiting == 0:
                    # Behind: what is due meanwhile goes along, since a batch is the cheapest way to catch up.
                    reached = offset_at(state, now, ppm)
                    while not full and waiting < CATCH_UP and readable(feed, state):
                        if next_offset(rows, state) > reached:
                            break
                        full = (
                            prepare_next(rows, data, feed, state, queue, control, side, words, memory, prepare, judged)
                            == NO_ROOM
                        )
                        waiting = state[w.SERIAL] - state[w.OLDEST]
                    count = min(waiting, state[w.BATCH])
                else:
                    count = due_together(state, queue, waiting, now, ppm)
                if count == 0 and full:
                    drop(rows, feed, state, queue, control, side, words, now, 1)
                elif count > 0:
                    hand_over(state, queue, control, side, words, commit, count, now, 1)
            elif (
                not full and readable(feed, state) and time_of(state, next_offset(rows, state), ppm) < now + HORIZON_NS
            ):
                full = (
                    prepare_next(rows, data, feed, state, queue, control, side, words, memory, prepare, judged)
                    == NO_ROOM
                )
            else:
                if now - state[w.PUBLISHED] > PUBLISH_NS:
                    _tell_time(state, control, now, recorded)
                rest = control[c.MARGIN_NS] + GUARD_NS
                if load_acquire(feed, LOADED) >= feed[END]:  # else the loader may need this core
                    rest = max(rest, state[w.AWAKE])
                if ahead > rest:
                    _nap(control, due)
                    full = 0
                else:
                    prefetch(side, (state[w.OLDEST] & (state[w.SIDE_ROWS] - 1)) * stamps.ROW)
                    pause()
        now = monotonic_ns()
    while status == w.SEEK and state[w.OLDEST] < state[w.SERIAL]:
        # A wire cannot take back what is prepared: a jump takes effect behind what is due within the horizon.
        hand_over(state, queue, control, side, words, commit, state[w.SERIAL] - state[w.OLDEST], now, 0)
    _look(state, control, now, 0)
    return status
