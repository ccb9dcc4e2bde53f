"""The receive loop: frames off a wire, stamps T0 to T4, the pipeline, what is published.

It runs without the interpreter's lock in a thread of its own and returns only when somebody else has to act: to stop,
to make room, to route a flow. What it was doing then stands in its words, and the next call goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
from numba import types

from simbench.capture.contract import DISSECT_FUNCTION
from simbench.feed.sequencer import outstanding
from simbench.frame import BROUGHT, FLOW, PAYLOAD_ONLY
from simbench.kernel.host import monotonic_ns, pause, wait_readable
from simbench.kernel.pure import fetch_add, kernel, kernel_as, load_acquire, prefetch, store_release
from simbench.measure import stamps
from simbench.measure import telemetry as t
from simbench.measure.histogram import record
from simbench.receive import gate, pipeline
from simbench.receive.pipeline import DONE
from simbench.receive.publish import publish
from simbench.receive.worst import keep
from simbench.replay import control as c
from simbench.replay import gating
from simbench.wire.contract import BYTES, FRAMES, POLL_FUNCTION, RELEASE_FUNCTION, WAIT_FUNCTION, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]

# Words of the loop.
STOP: Final = 0  # by anybody: 1 ends the loop within a millisecond
BLOCK: Final = 1  # 1: wait in the kernel when nothing is there; 0: spin
SIDE_ROWS: Final = 2  # of the side table; 0 none
DRIVEN: Final = 3  # 1: a replayer's control block says what time it is
N: Final = 8  # frames of the batch at hand
I: Final = 9  # the one that is next  # noqa: E741 - as in the formulas
BUSY: Final = 10  # so many from it on are in the pipeline: the turn
TIMED: Final = 11  # clock when it last asked what time it is in the replay
TAKEN: Final = 14  # T3, of the batch
RECORDED: Final = 15  # of the frame that was looked up last
STAMPED: Final = 16  # 1: it has a row in the side table
RECEIVED: Final = 17  # frames so far
EPOCH: Final = 18  # of the replay
LOOKED: Final = 19  # clock when it last looked at the wire and found nothing
PUBLISHED: Final = 20
QUIET: Final = 21  # clock of the last frame
POLLS: Final = 24
FOUND: Final = 25
UNSTAMPED: Final = 26
HICCUPS: Final = 27
LONGEST: Final = 28
AWAY: Final = 29
WATCHED: Final = 30
FIRST_FRAME: Final = 31
TRACED: Final = 32  # rows of the trace filled
NEXT_EPOCH: Final = 33  # of the frame that was looked up last
WALL: Final = 35  # of a feed that nobody drives: ns since 1970 where the monotonic clock stood at 0
SOCKETS: Final = 36  # on which answers to requests come; 0 none
POLLFDS: Final = 37  # address of a struct pollfd for each
ASKED_AT: Final = 38  # clock when they were last looked at
HOLD: Final = 39  # 1: what is not paced has to wait for an answer
MOST: Final = 23  # frames that may go through the pipeline together
PENDING: Final = 34  # 1: it stopped in what no frame brought, and that comes first
NO_TIME: Final = 40  # a struct timespec of nothing, two words
STALE: Final = 42  # frames of an epoch that is over: of another queue than those of the present one
SLOWED: Final = 43  # ns that every frame costs more, on purpose
HELD: Final = 44  # frames whose stages were left out, since the gate held them, or looked at them one by one
ASIDE: Final = 45  # 1: they are left out
OPENED: Final = 46  # clock when the gate was opened: what was sent before may have waited for that
FLOOR: Final = 47  # what a frame must exceed, ns, to be one of those that took longest
LOOKED_BEFORE: Final = 48  # LOOKED when the frames at hand were taken; 0 unknown
NOTES: Final = 56  # a row for each frame of the turn; from 4 on, and at 12, 13 and 22, there are words of the gate

# What is noted of a frame while it is in the pipeline.
HOOK: Final = 0  # T2
KNOWN: Final = 1  # 1: the rest of its row was in the side table
RECORDED_AT: Final = 2
DUE: Final = 3  # T0
SENT: Final = 4  # T1
PACED: Final = 5  # not 0: it was sent at its deadline, not to prime or by a step
NOTE: Final = 6  # words a row
TURN: Final = 8  # most frames that go through the pipeline together, of those that waited; T4 is then that of the last
TURN_EVENTS: Final = 128  # gathered in a turn before they are applied: prefetching hides the memory behind them
LIVE: Final = NOTES + TURN * NOTE

# Statuses beyond the pipeline's.
ENDED: Final = 16
NEW_EPOCH: Final = 17  # the replayer looped or jumped: live[NEXT_EPOCH] is the new one
ANSWERED: Final = 18  # an answer to a request can be taken; no frame is at work
AWAIT: Final = 19  # frames come as fast as they are taken: the next one only when requests are answered, or in vain

HICCUP_NS: Final = 10_000
PUBLISH_NS: Final = 10_000_000
TICK_NS: Final = 100_000  # of replay time without a frame before the sequencer is told what time it is
TIMING_NS: Final = 10_000  # between looks at the words that say so: the replayer writes them at every send
SLICE_NS: Final = 1_000_000
ANSWER_NS: Final = 5_000  # between looks for an answer, a system call each
ASKING_SLICE_NS: Final = 50_000  # longest sleep while one is awaited
SILENT_NS: Final = 50_000_000  # so long after the last frame nothing is under way any more

TRACE: Final = 4  # words a row: recorded, T0, T1, T3
DUE_SEND: Final = t.stage("due_send")
SEND_HOOK: Final = t.stage("send_hook")
HOOK_APP: Final = t.stage("hook_app")
APP_DECODED: Final = t.stage("app_decoded")
DECODED_BOOK: Final = t.stage("decoded_book")
APP_DONE: Final = t.stage("app_done")
APP_BOOK: Final = t.stage("app_book")
HOOK_BOOK: Final = t.stage("hook_book")
SEND_APP: Final = t.stage("send_app")
SEND_BOOK: Final = t.stage("send_book")
DUE_APP: Final = t.stage("due_app")
DUE_BOOK: Final = t.stage("due_book")
COUNTERS: Final = tuple(
    t.counter(name)
    for name in (
        "frames",
        "polls",
        "polls_found",
        "unstamped",
        "hiccups",
        "hiccup_longest_ns",
        "hiccup_total_ns",
        "watched_ns",
        "held_frames",
    )
)

SIGNATURE: Final = types.int64(
    WORDS,
    POLL_FUNCTION,
    RELEASE_FUNCTION,
    WAIT_FUNCTION,
    WORDS,
    BYTES,
    FRAMES,
    numba.from_dtype(FLOW)[::1],
    WORDS,
    WORDS,
    types.int64,
    *pipeline.SIGNATURE.args[3:],
    WORDS,
    WORDS,
    WORDS,
    types.int64[:, ::1],
    types.int64[:, :, ::1],
    DISSECT_FUNCTION,
    pipeline.FUNCTION,
)


@kernel
def rest(live: Words, now: int) -> None:
    """Look for hiccups: a spinning core that was away between two looks at an empty wire."""
    if live[LOOKED] != 0 and live[BLOCK] == 0:
        away = now - live[LOOKED]
        live[WATCHED] += away
        if away > HICCUP_NS:
            live[HICCUPS] += 1
            live[AWAY] += away
            live[LONGEST] = max(live[LONGEST], away)
    live[LOOKED] = now


@kernel
def hold_up(ns: int) -> None:
    """Be busy for so long."""
    over = monotonic_ns() + ns
    while monotonic_ns() < over:
        pass


@kernel
def ask_for_row(live: Words, serial: int, side: Words) -> None:
    """Ask for the side table's row of a frame: it is in the replayer's cache still."""
    if live[SIDE_ROWS] != 0:
        prefetch(side, (serial & (live[SIDE_ROWS] - 1)) * stamps.ROW)


@kernel
def look_up(live: Words, serial: int, side: Words, note: Words) -> None:
    """Note what the replayer said of a frame; a row that is another frame's by now is none."""
    live[STAMPED] = note[KNOWN] = 0
    if serial < 0 or live[SIDE_ROWS] == 0:
        return
    row = (serial & (live[SIDE_ROWS] - 1)) * stamps.ROW
    if load_acquire(side, row + stamps.SERIAL) != serial + 1:
        return
    live[RECORDED] = note[RECORDED_AT] = side[row + stamps.RECORDED]
    note[DUE] = side[row + stamps.DUE]
    note[SENT] = side[row + stamps.SENT]
    live[NEXT_EPOCH] = side[row + stamps.EPOCH]
    note[PACED] = side[row + stamps.PIECE]
    live[STAMPED] = note[KNOWN] = load_acquire(side, row + stamps.SERIAL) == serial + 1


@kernel
def begin_turn(live: Words, frames: Records, words: Words, side: Words) -> int:
    """Note the next frames and give them their time in the capture; return how many, 0 before one of another epoch.

    Where requests may be answered between two frames, or the gate is armed, a turn is one frame.
    """
    first = live[I]
    last = min(live[N], first + live[MOST])
    for i in range(last, min(live[N], last + TURN)):
        ask_for_row(live, frames[i]["ordinal"], side)
    for i in range(first, last):
        at = NOTES + (i - first) * NOTE
        note = live[at : at + NOTE]
        look_up(live, frames[i]["ordinal"], side, note)
        note[HOOK] = frames[i]["stamp"]
        frames[i]["flags"] &= ~BROUGHT
        if live[STAMPED] != 0:
            if live[NEXT_EPOCH] != live[EPOCH]:
                return int(i - first)
            frames[i]["stamp"] = live[RECORDED]
        elif live[DRIVEN] == 0:
            frames[i]["stamp"] = live[WALL] + live[TAKEN]
        else:
            frames[i]["stamp"] = words[pipeline.NOW]
    return int(last - first)


@kernel
def keep_worst(live: Words, memory: Bytes, frame: Any, routes: Words, telemetry: Words, note: Words, done: int) -> None:
    """Keep a frame among those that took longest, and whether the core was away before it was taken."""
    away = live[TAKEN] - live[LOOKED_BEFORE]
    if live[LOOKED_BEFORE] == 0 or live[BLOCK] != 0 or away <= HICCUP_NS:
        away = 0
    flow = frame["flow"]
    known = note[KNOWN] != 0
    live[FLOOR] = keep(
        telemetry,
        memory,
        frame["payload"],
        frame["payload_length"],
        routes[flow] if flow >= 0 else pipeline.NOT_FEED,
        note[RECORDED_AT] if known else frame["stamp"],
        note[HOOK],
        note[SENT] if known else 0,
        live[TAKEN],
        done,
        away,
    )


@kernel
def measure(
    live: Words,
    memory: Bytes,
    frames: Records,
    routes: Words,
    words: Words,
    telemetry: Words,
    trace: NDArray[np.int64],
    done: int,
) -> None:
    """Count the stages of the frames that the receiver is done with (T4 = done)."""
    taken = live[TAKEN]
    applying = words[pipeline.APPLYING]
    if words[pipeline.MARK] != 0:
        applying += done - words[pipeline.MARK]
    for i in range(live[BUSY]):
        at = NOTES + i * NOTE
        note = live[at : at + NOTE]
        if frames[live[I] + i]["flags"] & BROUGHT != 0:
            record(telemetry, APP_DECODED, done - taken - applying)
            record(telemetry, DECODED_BOOK, applying)
        else:
            record(telemetry, APP_DONE, done - taken)
        record(telemetry, APP_BOOK, done - taken)
        since = note[SENT] if note[KNOWN] != 0 else done
        if note[HOOK] != 0:
            since = note[HOOK]
            record(telemetry, HOOK_APP, taken - note[HOOK])
            record(telemetry, HOOK_BOOK, done - note[HOOK])
        if done - since > live[FLOOR]:
            keep_worst(live, memory, frames[live[I] + i], routes, telemetry, note, done)
        if note[KNOWN] == 0:
            live[UNSTAMPED] += live[DRIVEN]
            continue
        due, sent = note[DUE], note[SENT]
        record(telemetry, DUE_SEND, sent - due)
        if note[HOOK] != 0:
            record(telemetry, SEND_HOOK, note[HOOK] - sent)
        record(telemetry, SEND_APP, taken - sent)
        record(telemetry, SEND_BOOK, done - sent)
        record(telemetry, DUE_APP, taken - due)
        record(telemetry, DUE_BOOK, done - due)
        if note[PACED] != 0 and live[TRACED] < len(trace):
            trace[live[TRACED], 0] = note[RECORDED_AT]
            trace[live[TRACED], 1] = due
            trace[live[TRACED], 2] = sent
            trace[live[TRACED], 3] = taken
            live[TRACED] += 1


@kernel
def leave_out(live: Words) -> int:
    """Count the frames that the receiver is done with and measure nothing; return what the gate waits for.

    That ends behind the first that was sent after the gate was opened; where nobody says when, a while later.
    """
    note = NOTES + (live[BUSY] - 1) * NOTE
    begun = live[TAKEN] - SILENT_NS
    if live[note + KNOWN] != 0:
        begun = live[note + SENT]
    elif live[note + HOOK] != 0:
        begun = live[note + HOOK]
    live[HELD] += live[BUSY]
    live[I] += live[BUSY]
    live[BUSY] = 0
    live[ASIDE] = int(live[gate.WATCH] != 0 or begun <= live[OPENED])
    return int(live[gate.WATCH])


@kernel
def publish_live(telemetry: Words, live: Words) -> None:
    """Copy the loop's own counters."""
    telemetry[t.STARTED] = live[FIRST_FRAME]
    telemetry[t.LATEST] = live[QUIET]
    telemetry[COUNTERS[0]] = live[RECEIVED]
    telemetry[COUNTERS[1]] = live[POLLS]
    telemetry[COUNTERS[2]] = live[FOUND]
    telemetry[COUNTERS[3]] = live[UNSTAMPED]
    telemetry[COUNTERS[4]] = live[HICCUPS]
    telemetry[COUNTERS[5]] = live[LONGEST]
    telemetry[COUNTERS[6]] = live[AWAY]
    telemetry[COUNTERS[7]] = live[WATCHED]
    telemetry[COUNTERS[8]] = live[HELD]


@kernel
def look_for_answers(live: Words, control: Words) -> int:
    """Say what is to be done about outstanding requests before the next frame: ANSWERED, AWAIT, or DONE for nothing."""
    if live[HOLD] != 0 and live[DRIVEN] != 0:
        primes = live[STAMPED] != 0 and live[NOTES + PACED] == 0 and control[c.SPEED] != c.FLOOD
        if primes or control[c.SPEED] == c.MAX:
            return AWAIT
    now = monotonic_ns()
    if now - live[ASKED_AT] > ANSWER_NS:
        live[ASKED_AT] = now
        if wait_readable(live[POLLFDS], live[SOCKETS], live.ctypes.data + 8 * NO_TIME) > 0:
            return ANSWERED
    return DONE


@kernel_as(SIGNATURE)
def receive(
    live: Words,
    poll: Any,
    release: Any,
    wait: Any,
    wire: Words,
    memory: Bytes,
    frames: Records,
    flows: Records,
    table: Words,
    counters: Words,
    options: int,
    words: Words,
    routes: Words,
    channels: NDArray[np.int64],
    framers: tuple[Any, ...],
    decoders: tuple[Any, ...],
    states: Words,
    sequencer: Words,
    slab: Bytes,
    book: Words,
    header: Records,
    events: Records,
    apply: Any,
    control: Words,
    side: Words,
    telemetry: Words,
    trace: NDArray[np.int64],
    ladders: NDArray[np.int64],
    dissect: Any,
    advance: Callable[..., int],
) -> int:
    """Receive until there is a reason to return: a status of the pipeline, or one of those above.

    Args:
        live: int64[LIVE], the words above.
        poll: of the receiver end.
        release: likewise.
        wait: likewise.
        wire: its words.
        memory: its frames' bytes.
        frames: FRAME[n], room for a batch.
        flows: of the dissector, FLOW[m].
        table: its hash.
        counters: its counters.
        options: what it verifies.
        words: of the pipeline, see `advance`.
        routes: likewise.
        channels: likewise.
        framers: likewise.
        decoders: likewise.
        states: likewise.
        sequencer: likewise.
        slab: likewise.
        book: likewise.
        header: likewise.
        events: likewise.
        apply: likewise.
        control: the replayer's control block.
        side: the side table, flat.
        telemetry: the block that is published.
        trace: int64[n, TRACE], filled from the first frame on as far as it reaches.
        ladders: int64[4, SLOT_DEPTH, 4], scratch.
        dissect: of the dissector.
        advance: of the pipeline.
    """
    while True:
        if live[SOCKETS] > 0 and live[BUSY] == 0 and outstanding(sequencer) > 0:
            status = look_for_answers(live, control)
            if status != DONE:
                live[LOOKED] = 0
                return status
        if live[I] >= live[N]:
            if live[N] > 0:
                handled = live[N]
                release(wire, frames, handled)
                live[N] = 0
                live[I] = 0
                fetch_add(control, c.CONSUMED, handled)
            if load_acquire(live, STOP) != 0:
                return ENDED
            if load_acquire(control, c.GATE) != live[gate.SEEN]:
                return gate.GATED
            if live[PENDING] != 0:
                words[pipeline.INDEX] = 0
                status = advance(
                    memory, frames, 0, words, routes, channels, framers, decoders, states, sequencer, slab, book,
                    header, events, apply,
                )  # fmt: skip
                if status != DONE and live[gate.WATCH] != 0:
                    status = gate.judge(live, words, events, sequencer, book, status)
                    if status == DONE:
                        continue
                if status != DONE:
                    return status
                live[PENDING] = 0
            n = poll(wire, memory, frames)
            now = monotonic_ns()
            live[POLLS] += 1
            if n <= 0:
                rest(live, now)
                if now - live[PUBLISHED] > PUBLISH_NS:
                    live[PUBLISHED] = now
                    publish_live(telemetry, live)
                    publish(telemetry, words, channels, states, sequencer, book, ladders, now)
                    store_release(control, c.RECEIVER_BEAT, now)
                    live[LOOKED] = 0
                if now - live[TIMED] > TIMING_NS:
                    live[TIMED] = now
                    # Read before a poll that finds nothing: what was sent by then has been taken.
                    replay_now = load_acquire(control, c.REPLAY_NS)
                    consumed = load_acquire(control, c.CONSUMED)  # by all queues; before what was sent: never more
                    sent = load_acquire(control, c.SENT)
                    n = poll(wire, memory, frames)
                    now = monotonic_ns()
                    if n <= 0:
                        # While frames are under way they say what time it is; the replayer does only when nothing is.
                        settled = consumed >= sent or now - live[QUIET] > SILENT_NS
                        if live[DRIVEN] == 0:
                            replay_now = live[WALL] + now
                        if settled and replay_now - words[pipeline.NOW] > TICK_NS:
                            words[pipeline.CLOCK] = replay_now
                            live[PENDING] = 1
                            live[LOOKED] = 0
                            continue
                        if live[gate.WATCH] == gating.MESSAGES or live[gate.WATCH] == gating.FRAMES:
                            live[LOOKED] = 0
                            return gate.GATED
            if n <= 0:
                if live[BLOCK] != 0:
                    wait(wire, SLICE_NS if outstanding(sequencer) == 0 else ASKING_SLICE_NS)
                else:
                    pause()
                continue
            live[LOOKED_BEFORE] = live[LOOKED]
            live[LOOKED] = 0
            live[FOUND] += 1
            live[TAKEN] = now
            live[QUIET] = now
            live[RECEIVED] += n
            live[N] = n
            for i in range(min(n, TURN)):
                ask_for_row(live, frames[i]["ordinal"], side)
            if live[FIRST_FRAME] == 0:
                live[FIRST_FRAME] = now
            if frames[0]["flags"] & PAYLOAD_ONLY == 0:
                dissect(memory, frames[:n], flows, table, counters, options)
            if now - live[PUBLISHED] > 4 * PUBLISH_NS:  # never idle: publish all the same, at a lower rate
                live[PUBLISHED] = now
                publish_live(telemetry, live)
                publish(telemetry, words, channels, states, sequencer, book, ladders, now)
                store_release(control, c.RECEIVER_BEAT, now)

        if live[BUSY] == 0:
            count = begin_turn(live, frames, words, side)
            if count == 0:
                if live[NEXT_EPOCH] > live[EPOCH]:
                    return NEW_EPOCH
                live[STALE] += 1
                live[I] += 1
                continue
            words[pipeline.INDEX] = live[I]
            words[pipeline.BATCH] = 1 if count == 1 else TURN_EVENTS
            words[pipeline.MARK] = 0
            words[pipeline.APPLYING] = 0
            live[BUSY] = count
        status = advance(
            memory, frames, live[I] + live[BUSY], words, routes, channels, framers, decoders, states, sequencer, slab,
            book, header, events, apply,
        )  # fmt: skip
        if status != DONE:
            if live[gate.WATCH] != 0:
                status = gate.judge(live, words, events, sequencer, book, status)
            if status != DONE:
                return status
            continue
        if live[SLOWED] > 0:
            hold_up(live[SLOWED] * live[BUSY])
        if live[ASIDE] == 0:
            measure(live, memory, frames, routes, words, telemetry, trace, monotonic_ns())
            live[I] += live[BUSY]
            live[BUSY] = 0
        elif leave_out(live) != 0 and gate.judge_turn(live, sequencer, book):
            return gate.SHUT
