"""The sender's loop keeps the schedule, obeys, and drops or waits as its mode says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from replay_bench import COMMITTED, PREPARED, Bench, until

from simbench.measure import stamps
from simbench.measure.snapshot import Phase
from simbench.replay import control as c
from simbench.replay import pacing
from simbench.replay import state as p
from simbench.wire.contract import RING_FULL

MS = 1_000_000
FAR = 3_600_000 * MS


def test_every_frame_goes_out_in_order_with_its_row() -> None:
    """Frames leave in schedule order, each with its serial and a complete row of the side table."""
    bench = Bench(np.arange(300) * 20_000)
    assert bench.run() == p.FINISHED
    table = bench.table
    assert bench.log[:, 0].tolist() == list(range(300))
    assert bench.log[:, 1].tolist() == [k % 256 for k in range(300)]
    assert table[:, stamps.SERIAL].tolist() == list(range(1, 301))
    assert table[:, stamps.ORDINAL].tolist() == list(range(300))
    assert table[:, stamps.RECORDED].tolist() == bench.rows["recorded"].tolist()
    assert np.all(table[:, stamps.SENT] >= table[:, stamps.DUE])
    assert np.all(bench.log[:, 2] >= table[:, stamps.SENT])
    assert bench.control.sent == bench.control.cursor == 300


@pytest.mark.parametrize(("speed", "factor"), [("1", 1.0), ("2", 2.0), ("0.5", 0.5), ("10", 10.0)])
def test_due_times_are_the_schedule_over_the_speed(speed: str, factor: float) -> None:
    """Due times differ by the scheduled gaps divided by the speed, and no error accumulates."""
    offsets = np.cumsum(np.random.default_rng(3).integers(0, 100_000, 400))
    offsets -= offsets[0]
    bench = Bench(offsets, speed=speed)
    bench.run()
    due = bench.table[:, stamps.DUE]
    assert np.abs(due - due[0] - offsets / factor).max() <= 1
    assert bench.control.speed == factor


def test_frames_that_are_due_together_are_one_batch() -> None:
    """A burst at one instant goes out as one commit, up to the batch's size."""
    bench = Bench(np.repeat([0, 5 * MS], 48))
    bench.run()
    assert bench.control.words[c.LARGEST] >= 32
    assert bench.control.words[c.BATCHES] < 10


def test_the_replay_clock_never_passes_a_frame_that_was_not_sent() -> None:
    """Between frames the published time goes on, up to the next frame's stamp and no further."""
    bench = Bench([0, 30 * MS, FAR])
    thread = bench.start()
    start = int(bench.rows["recorded"][0])
    seen = set()
    until(lambda: (seen.add(bench.control.replay_ns), bench.control.cursor == 2)[1])
    bench.control.stop()
    thread.join()
    between = [t for t in seen if t > start]
    assert len(between) > 3
    assert max(between) <= bench.rows["recorded"][2]
    assert min(between) > start


def test_pause_freezes_the_replay_clock_and_resume_goes_on_where_it_stood() -> None:
    """In a pause nothing is sent and the replay time stands; after it due times move by the pause alone."""
    offsets = np.arange(2000) * 50_000
    bench = Bench(offsets)
    thread = bench.start()
    until(lambda: bench.control.sent > 100)
    ticket = bench.control.pause()
    until(lambda: bench.control.handled >= ticket)
    assert bench.control.phase is Phase.PAUSED
    sent, now = bench.control.sent, bench.control.replay_ns
    beat = int(bench.control.words[c.REPLAYER_BEAT])
    until(lambda: bench.control.words[c.REPLAYER_BEAT] > beat + 20 * MS)
    assert (bench.control.sent, bench.control.replay_ns) == (sent, now)
    bench.control.resume()
    thread.join()
    due, piece = bench.table[:, stamps.DUE], bench.table[:, stamps.PIECE]
    gaps = np.diff(due) - 50_000
    cut = np.flatnonzero(np.diff(piece))
    assert bench.status == p.FINISHED
    assert len(cut) == 1
    assert gaps[cut[0]] >= 20 * MS
    assert np.all(np.delete(gaps, cut) == 0)
    assert bench.control.achieved == pytest.approx(1.0, rel=0.2)


def test_step_sends_exactly_so_many_and_stays_paused() -> None:
    """A step sends one frame, a step of n sends n, at once, however far away they are due."""
    bench = Bench(np.arange(20) * FAR, settings=[(p.HALTED, 1)])
    thread = bench.start()
    for steps, total in ((1, 1), (1, 2), (5, 7)):
        bench.control.step(steps)
        until(lambda total=total: bench.control.sent >= total)
        ticket = bench.control.toggle() and bench.control.toggle()
        until(lambda ticket=ticket: bench.control.handled >= ticket)
        assert bench.control.sent == total
        assert bench.control.replay_ns == bench.rows["recorded"][total - 1]
        assert bench.control.phase is Phase.PAUSED
    bench.control.stop()
    thread.join()
    assert bench.table[:, stamps.PIECE].tolist() == [0] * 7


def test_stop_ends_a_loop_that_waits_and_one_that_is_paused() -> None:
    """A stop is obeyed whatever the loop waits for, and the reason is kept."""
    for halted in (0, 1):
        bench = Bench([0, FAR], settings=[(p.HALTED, halted)])
        thread = bench.start()
        bench.control.stop(c.SIGNAL)
        thread.join(20)
        assert not thread.is_alive()
        assert bench.status == p.STOPPED
        assert bench.control.words[c.REASON] == c.SIGNAL


def test_a_change_of_speed_does_not_jump() -> None:
    """After a change the next due time follows from where the schedule stood, at the new speed."""
    offsets = np.arange(4000) * 100_000
    bench = Bench(offsets)
    thread = bench.start()
    until(lambda: bench.control.sent > 50)
    bench.control.set_speed(10)
    thread.join()
    due, piece = bench.table[:, stamps.DUE], bench.table[:, stamps.PIECE]
    cut = int(np.flatnonzero(np.diff(piece))[0])
    assert set(np.diff(due)[:cut].tolist()) == {100_000}
    assert due[cut + 1] - due[cut] >= 10_000
    assert np.abs(np.diff(due)[cut + 1 :] - 10_000).max() <= 1


def test_faster_and_slower_walk_the_usual_speeds() -> None:
    """Each press moves to the next speed of the list, and stays at its ends."""
    bench = Bench([0, FAR])
    thread = bench.start()
    seen = []
    for press in [bench.control.faster] * 3 + [bench.control.slower] * 5:
        ticket = press()
        until(lambda ticket=ticket: bench.control.handled >= ticket)
        seen.append(bench.control.speed)
    bench.control.stop()
    thread.join()
    assert seen == [2, 5, 10, 5, 2, 1, 0.5, 0.25]


def test_loops_run_at_the_right_speed_in_epochs_of_their_own() -> None:
    """Every loop has the schedule's gaps, the gap between loops, and a new epoch."""
    bench = Bench(np.arange(50) * 100_000, loops=3, settings=[(p.LOOP_GAP, 2 * MS)])
    assert bench.run() == p.FINISHED
    table = bench.table
    due = np.diff(table[:, stamps.DUE])
    assert len(table) == 150
    assert table[:, stamps.EPOCH].tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert due[[49, 99]].tolist() == [2 * MS, 2 * MS]
    assert set(np.delete(due, [49, 99]).tolist()) == {100_000}
    assert (bench.control.epoch, bench.control.loops_done) == (2, 2)


def test_loops_can_be_changed_under_way() -> None:
    """An endless replay told to loop once ends with the lap that is under way."""
    bench = Bench(np.arange(100) * 10_000, loops=0, settings=[(p.LOOP_GAP, 10_000)])
    thread = bench.start()
    until(lambda: bench.control.epoch > 2)
    bench.control.loop(1)
    thread.join(20)
    assert not thread.is_alive()
    assert bench.control.sent % 100 == 0
    assert bench.control.sent >= 300


def test_a_full_wire_drops_what_is_due_and_counts_it() -> None:
    """Paced sending is an open loop: a frame without room is passed over, its row says that it was not sent."""
    bench = Bench(np.arange(200) * 1_000, most=120)
    assert bench.run() == p.FINISHED
    table = bench.table
    assert bench.control.sent == 120
    assert bench.control.dropped == bench.words[RING_FULL] == 80
    assert np.count_nonzero(table[:, stamps.SENT] == 0) == 80
    assert table[:, stamps.SERIAL].tolist() == list(range(1, 201))


def test_max_sends_no_more_than_the_credits_and_loses_nothing() -> None:
    """At max the frames in flight stay within the window until the receiver has consumed them."""
    bench = Bench(np.arange(500) * FAR, speed="max", settings=[(p.RECEIVER, 1), (p.WINDOW, 32)])
    thread = bench.start()
    assert bench.control.sent == 0
    bench.control.words[c.RECEIVER_READY] = 1
    consumed = 0
    most = 0
    while consumed < 500:
        until(lambda consumed=consumed: bench.control.sent > consumed)
        most = max(most, bench.control.sent - consumed)
        consumed = bench.control.sent
        bench.control.words[c.CONSUMED] = consumed
    thread.join()
    assert bench.status == p.FINISHED
    assert 0 < most <= 32
    assert bench.control.dropped == 0
    assert bench.control.words[c.GIVEN_UP] == 0


def test_credits_that_a_living_receiver_does_not_return_are_written_off() -> None:
    """Frames lost on the wire do not stop a replay at max for ever: their credits are given up and counted."""
    bench = Bench(np.zeros(40), speed="max", settings=[(p.RECEIVER, 1), (p.WINDOW, 8)])
    words = bench.control.words
    words[c.RECEIVER_READY] = 1
    thread = bench.start()

    def beats() -> bool:
        words[c.RECEIVER_BEAT] = words[c.REPLAYER_BEAT]
        return not thread.is_alive()

    until(beats)
    assert bench.status == p.FINISHED
    assert bench.control.sent == 40
    assert words[c.GIVEN_UP] == 32


def test_a_receiver_that_was_kept_from_its_core_loses_nothing() -> None:
    """A receiver that has been away for long says first that it is there, and then gives back what it has taken."""
    bench = Bench(np.zeros(40), speed="max", settings=[(p.RECEIVER, 1), (p.WINDOW, 8)])
    words = bench.control.words
    words[c.RECEIVER_READY] = 1
    thread = bench.start()
    until(lambda: bench.control.sent == 8)
    time.sleep(1.5 * pacing.STALL_NS / 1e9)
    words[c.RECEIVER_BEAT] = words[c.REPLAYER_BEAT]
    time.sleep(0.02)

    def consumes() -> bool:
        words[c.CONSUMED] = bench.control.sent
        return not thread.is_alive()

    until(consumes)
    assert (bench.control.sent, words[c.GIVEN_UP]) == (40, 0)


def test_flood_drops_where_max_waits() -> None:
    """Flood is an open loop: what finds no room is dropped at once."""
    bench = Bench(np.arange(200) * FAR, speed="flood", most=150)
    assert bench.run() == p.FINISHED
    assert (bench.control.sent, bench.control.dropped) == (150, 50)


def test_what_comes_before_the_start_is_primed_unpaced() -> None:
    """Primed frames go out before anything is paced and are marked so; the first paced one starts the clock."""
    offsets = np.arange(100) * 1000 * MS
    offsets[90:] = offsets[90] + np.arange(10) * MS
    bench = Bench(offsets, settings=[(p.PRIME_UNTIL, 1_000_000_000_000 + int(offsets[90]))])
    assert bench.run() == p.FINISHED
    piece, due = bench.table[:, stamps.PIECE], bench.table[:, stamps.DUE]
    assert piece[:90].tolist() == [0] * 90
    assert np.all(piece[90:] > 0)
    assert np.diff(due[90:]).tolist() == [MS] * 9
    assert bench.control.lateness.count == 10


def test_a_jump_leaves_the_loop_with_nothing_prepared() -> None:
    """A jump is a status for the caller, and what the wire already holds has been sent."""
    bench = Bench(np.concatenate([np.arange(10) * 10_000, [FAR]]))
    thread = bench.start()
    bench.control.jump(123)
    thread.join()
    assert bench.status == p.SEEK
    assert bench.state[p.SEEK_TO] == 123
    assert bench.words[PREPARED] == bench.words[COMMITTED] == bench.control.sent


def test_a_ticket_without_its_command_does_not_hold_the_queue() -> None:
    """A writer that died between its ticket and its command is passed over after a second."""
    bench = Bench([0, FAR])
    bench.control.words[c.TAIL] += 1
    thread = bench.start()
    bench.control.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert bench.status == p.STOPPED
