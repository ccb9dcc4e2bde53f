"""Faults switched on while a replay goes on: what is withheld, for how long, and what the position makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_bench import Bench, until
from replay_files import frame, write

from simbench.capture.seal import is_sound
from simbench.measure import stamps
from simbench.replay import control as c
from simbench.replay import state as p
from simbench.replay import switchboard as b
from simbench.replay.loader import Loader
from simbench.replay.schedule import Endpoint, Options
from simbench.replay.switches import bit_to_turn, turn

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.replay.switchboard import Switched

MS = 1_000_000
START = 1_000_000_000_000
A_AND_B = (1, 2)


def ordinals(bench: Bench) -> list[int]:
    """Return which frames were sent."""
    return [int(ordinal) for ordinal in bench.table[:, stamps.ORDINAL]]


def only(bench: Bench) -> Switched:
    """Return the one window that there was."""
    (window,) = bench.control.switched()
    return window


def test_a_dark_line_sends_nothing_and_the_other_all() -> None:
    """What is withheld takes no serial, is counted, and the position goes to the end all the same."""
    bench = Bench(np.arange(200) * 10_000, lines=A_AND_B)
    bench.control.switch("dark", [0])
    assert bench.run() == p.FINISHED
    assert ordinals(bench) == list(range(1, 200, 2))
    assert bench.log[:, 0].tolist() == list(range(100))
    assert (bench.control.sent, bench.control.cursor) == (100, 200)
    window = only(bench)
    assert (window.kind, window.line, window.frames) == ("dark", 0, 100)
    assert (window.since_ns, window.until_ns) == (START, 0)


@pytest.mark.parametrize("speed", ["1", "max"])
def test_where_all_lines_are_dark_the_replay_still_comes_to_its_end(speed: str) -> None:
    """In every lap: the position, the laps and the replay's time go on although nothing is sent."""
    bench = Bench(np.arange(50) * 10_000, speed=speed, loops=3, lines=A_AND_B, settings=[(p.HALTED, 1)])
    bench.control.switch("dark", [0, 1])
    bench.control.resume()
    assert bench.run() == p.FINISHED
    assert (bench.control.sent, bench.control.cursor) == (0, 50)
    assert (bench.control.epoch, bench.control.loops_done) == (2, 2)
    assert bench.control.replay_ns == START + 49 * 10_000
    assert sum(window.frames for window in bench.control.switched()) == 150


def test_an_endless_replay_in_the_dark_at_full_speed_still_obeys() -> None:
    """Nothing is ever to be sent, and commands are taken."""
    bench = Bench(np.arange(50) * 10_000, speed="max", loops=0, lines=A_AND_B, settings=[(p.HALTED, 1)])
    bench.control.switch("dark", [0, 1])
    bench.control.resume()
    thread = bench.start()
    until(lambda: bench.control.loops_done > 3)
    bench.control.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_step_in_the_dark_is_one_datagram() -> None:
    """Whoever steps stands before the next one, sent or not."""
    bench = Bench(np.arange(50) * MS, lines=A_AND_B, settings=[(p.HALTED, 1)])
    bench.control.switch("dark", [0, 1])
    bench.control.step(3)
    thread = bench.start()
    until(lambda: bench.control.cursor == 3)
    bench.control.all_off()
    bench.control.step(1)
    until(lambda: bench.control.sent == 1)
    bench.control.stop()
    thread.join()
    assert ordinals(bench) == [3]
    assert bench.control.switched()[0].until_ns == START + 2 * MS


def test_a_switch_with_a_time_goes_off_by_itself() -> None:
    """After so much of the schedule, whatever the speed."""
    bench = Bench(np.arange(100) * MS, speed="10", lines=A_AND_B)
    bench.control.switch("dark", [0, 1], for_ns=30 * MS)
    assert bench.run() == p.FINISHED
    assert ordinals(bench) == list(range(30, 100))
    assert [(window.frames, window.until_ns) for window in bench.control.switched()] == [(15, START + 29 * MS)] * 2
    assert bench.state[p.SWITCHED] == 0


def test_what_is_lost_is_as_much_as_asked_for_and_the_same_again() -> None:
    """Drawn from the ordinal, so that the same run loses the same, and each lap others."""
    sent = []
    for _ in range(2):
        bench = Bench(np.zeros(4000, np.int64), speed="max", loops=2, lines=(1,))
        bench.control.switch("lose", [0], 100_000)
        bench.run()
        sent.append((ordinals(bench), bench.table[:, stamps.EPOCH].tolist()))
        assert only(bench).frames == 8000 - bench.control.sent
        assert 600 < only(bench).frames < 1000
    assert sent[0] == sent[1]
    kept, epoch = np.array(sent[0][0]), np.array(sent[0][1])
    assert set(kept[epoch == 0]) != set(kept[epoch == 1])


def test_another_value_is_another_window_and_nought_is_off() -> None:
    """The old one ends where the new one begins."""
    bench = Bench(np.arange(10) * MS, lines=(1,), settings=[(p.HALTED, 1)])
    bench.control.switch("lose", [0], 1_000_000)
    bench.control.step(2)
    thread = bench.start()
    until(lambda: bench.control.cursor == 2)
    bench.control.switch("lose", [0], 500)
    bench.control.switch("lose", [0], 0)
    bench.control.step(1)
    until(lambda: bench.control.cursor == 3)
    bench.control.stop()
    thread.join()
    found = [(window.value, window.frames, window.until_ns) for window in bench.control.switched()]
    assert found == [(1_000_000, 2, START + MS), (500, 0, START + MS)]


def test_a_withheld_frame_is_no_late_one() -> None:
    """Lateness is of what was sent, and what follows keeps its time."""
    bench = Bench(np.arange(400) * 50_000, lines=A_AND_B)
    bench.control.switch("lose", [0, 1], 300_000)
    bench.run()
    table = bench.table
    assert bench.control.lateness.count == bench.control.sent == len(table) < 400
    due, offsets = table[:, stamps.DUE], table[:, stamps.OFFSET]
    assert np.abs((due - due[0]) - (offsets - offsets[0])).max() <= 1
    assert len(set(table[:, stamps.PIECE])) == 1


def test_where_idle_time_is_cut_a_withheld_frame_ends_a_piece() -> None:
    """The recorded gap across it is not the scheduled one, so the proof of timing must not compare them."""
    bench = Bench(np.arange(4) * MS, lines=(1, 2, 1, 1), settings=[(p.CUT, 1)])
    bench.control.switch("dark", [1])
    bench.run()
    assert np.diff(bench.table[:, stamps.PIECE]).tolist() == [1, 0]


def test_more_windows_than_are_kept_lose_no_count_of_what_is_on() -> None:
    """The latest are kept; one that is still on and would be written over is switched off."""
    bench = Bench(np.arange(4) * MS, lines=(1, 2), settings=[(p.HALTED, 1)])
    bench.control.words[c.REPLAY_NS] = START
    thread = bench.start()
    bench.control.switch("dark", [1])
    for number in range(b.WINDOW_ROWS + 4):
        ticket = bench.control.switch("lose", [0], 1 + number)
        until(lambda ticket=ticket: bench.control.handled >= ticket)
    bench.control.stop()
    thread.join()
    found = bench.control.switched()
    assert len(found) == b.WINDOW_ROWS
    assert [window.until_ns == 0 for window in found] == [False] * (b.WINDOW_ROWS - 1) + [True]
    assert bench.state[p.SWITCHED] == 1


@given(st.binary(min_size=1, max_size=200), st.integers(0, 1 << 40))
@settings(max_examples=60, deadline=None)
def test_one_bit_turned_over_is_always_seen(payload: bytes, ordinal: int) -> None:
    """Wherever it lies in the payload, and turned again it is as before."""
    raw = np.frombuffer(frame(payload), np.uint8).copy()
    bench = Bench([0])
    row = bench.rows[0]
    row["source"], row["length"], row["ordinal"] = 0, len(raw), ordinal
    before = raw.copy()
    bit = bit_to_turn(row, bench.state, raw)
    turn(raw, bit)
    assert is_sound(before, 0, len(raw))
    assert not is_sound(raw, 0, len(raw))
    assert np.flatnonzero(raw != before).tolist() == [bit // 8]
    assert bit // 8 >= 42
    turn(raw, bit)
    assert np.array_equal(raw, before)


def test_what_is_no_plain_datagram_is_not_damaged() -> None:
    """There is no place in it that is surely of its payload."""
    bench = Bench([0])
    bench.rows["length"] = 40
    assert bit_to_turn(bench.rows[0], bench.state, np.zeros(40, np.uint8)) == -1


def test_a_loader_knows_the_line_of_every_flow(tmp_path: Path) -> None:
    """By the endpoints of each name; what is of no line is 0."""
    groups = ["224.0.0.7", "224.0.0.8", "224.0.0.9"]
    path = write(tmp_path / "c.pcap", [(START + k, frame(b"x", group=group)) for k, group in enumerate(groups)])
    port = Loader(path, Options())._dissector.flows["port"][0]
    lines = [[Endpoint(f"{groups[2]}:{port}")], [Endpoint(f"{groups[0]}:{port}")]]
    assert Loader(path, Options(), lines=lines).line_of == [2, 0, 1]


@pytest.mark.parametrize(
    ("expected", "fault", "value"),
    [("dark", "dark", 1), ("lose 0.01 %", "lose", 100), ("corrupt 100 %", "corrupt", 1_000_000),
     ("delay 300 ns", "delay", 300), ("delay 2.5 ms", "delay", 2_500_000)],
)  # fmt: skip
def test_faults_are_told_in_words(expected: str, fault: str, value: int) -> None:
    """With their unit."""
    assert expected == b.told(fault, value)


def test_a_command_of_no_kind_is_passed_over() -> None:
    """A later version's switch switches nothing here."""
    bench = Bench([0], lines=(1,))
    bench.control.send(b.FIRST_COMMAND + 9, 1 << b.LINE_SHIFT | 5)
    bench.run()
    assert bench.control.switched() == []
    assert bench.control.words[c.HEAD] == bench.control.words[c.TAIL]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=120),
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_delayed_lines_are_merged_with_the_rest(
    frames: list[tuple[int, int]], first: int, second: int, loops: int
) -> None:
    """Against sorting: every frame at its time and the delay of its line, in every lap, those of a line in order."""
    gaps, lines = zip(*frames, strict=True)
    due = np.cumsum(gaps) - gaps[0]
    bench = Bench(due, speed="max", loops=loops, lines=lines, settings=[(p.HALTED, 1), (p.LOOP_GAP, 7)])
    bench.rows["flow"] = np.arange(len(due))
    bench.control.switch("delay", [0], first)
    bench.control.switch("delay", [1], second)
    bench.control.resume()
    assert bench.run() == p.FINISHED
    table, by = bench.table, np.array([0, first, second])[list(lines)]
    assert (bench.control.sent, bench.control.cursor) == (loops * len(due), len(due))
    for lap in range(loops):
        rows = table[table[:, stamps.EPOCH] == lap]
        order = rows[:, stamps.ORDINAL]
        offsets = rows[:, stamps.OFFSET] - rows[0, stamps.OFFSET]
        wanted = due + by
        assert sorted(order) == list(range(len(due)))
        assert np.all(np.diff(offsets) >= 0)
        assert np.array_equal(offsets, wanted[order] - wanted[order[0]])
        assert np.array_equal(rows[:, stamps.RECORDED], START + wanted[order])
        for line in range(3):
            mine = [ordinal for ordinal in order if lines[ordinal] == line]
            assert mine == sorted(mine)


def test_a_delayed_frame_keeps_its_time_and_the_rest_theirs() -> None:
    """Paced: due is the schedule and the delay, for that line alone."""
    bench = Bench(np.arange(200) * 50_000, lines=A_AND_B)
    bench.control.switch("delay", [0], 330_000)
    bench.run()
    table = bench.table
    due, ordinal = table[:, stamps.DUE], table[:, stamps.ORDINAL]
    wanted = ordinal * 50_000 + np.where(ordinal % 2 == 0, 330_000, 0)
    assert np.abs((due - due[0]) - (wanted - wanted[0])).max() <= 1
    assert np.all(np.diff(due) >= 0)
    assert only(bench).frames == 100
    assert bench.control.lateness.count == 200


def test_what_is_held_goes_at_once_when_the_delay_is_off() -> None:
    """In its order, before what follows."""
    bench = Bench(np.arange(40) * MS, lines=A_AND_B, settings=[(p.HALTED, 1)])
    bench.control.switch("delay", [0], 1000 * MS)
    bench.control.step(11)  # six of them are held, which is a step too
    thread = bench.start()
    until(lambda: bench.control.sent == 5 and bench.state[p.HELD] == 6)
    bench.control.switch("delay", [0], 0)
    bench.control.step(7)
    until(lambda: bench.control.sent == 12)
    bench.control.stop()
    thread.join()
    assert ordinals(bench) == [1, 3, 5, 7, 9, 0, 2, 4, 6, 8, 10, 11]
    assert bench.state[p.SWITCHED] == 0


def test_more_than_can_be_held_goes_before_its_time() -> None:
    """The oldest first, counted; nothing is lost, and the other line does not wait."""
    count = 2 * (p.HOLD_ROWS + 500)
    bench = Bench(np.arange(count), speed="max", lines=A_AND_B, settings=[(p.HALTED, 1)])
    bench.control.switch("delay", [0], 1 << 40)
    bench.control.resume()
    bench.run()
    assert bench.control.sent == count
    assert bench.control.words[c.SWITCHBOARD + b.EARLY] == 500
    assert [ordinal for ordinal in ordinals(bench) if ordinal % 2 == 0] == list(range(0, count, 2))
    assert [ordinal for ordinal in ordinals(bench) if ordinal % 2] == list(range(1, count, 2))
