"""The receiver's gate: it shuts behind exactly what was asked for, and leaves no trace in the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gated import Gated, line_a, one_by_one, split
from hypothesis import given, settings
from hypothesis import strategies as st
from small_feeds import ITCH, MDP3, digests, frames, make, rebuilt, rewrite

from simbench.measure import telemetry as t
from simbench.receive import live, pipeline
from simbench.replay import control as c
from simbench.replay import gating

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 120
Known = tuple["Path", str, list[list[tuple[str, str]]]]


@pytest.fixture(scope="module", params=[ITCH, MDP3])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Return a small capture with several messages in a packet, and the digests after each of its messages."""
    folder = tmp_path_factory.mktemp("gate")
    protocol: str = request.param
    path = make(folder / "whole", protocol, MESSAGES, rate=200_000.0)
    sent = line_a(path, protocol)
    single = split(sent, protocol)
    assert len(single) > len(sent) > 10, "no packet has several messages"
    feed = (path.parent / "feed.toml").read_text(encoding="utf-8")
    return path, protocol, one_by_one(rewrite(folder / "single", single, feed), protocol)


def test_after_n_messages_books_are_as_after_n_messages(known: Known) -> None:
    """One by one, from the first to the last, each asked for of a paused replay."""
    path, protocol, expected = known
    with Gated(path, protocol, line_a(path, protocol)) as bench:
        found = []
        for _ in expected:
            bench.ask(gating.MESSAGES, 1)
            found.append(bench.digests())
        assert found == expected
        assert 0 < bench.steps <= len(line_a(path, protocol))


@settings(max_examples=6, deadline=None)
@given(steps=st.lists(st.integers(1, 9), min_size=1, max_size=12), ahead=st.integers(0, 20))
def test_several_messages_at_once_from_what_is_held(known: Known, steps: list[int], ahead: int) -> None:
    """However many are asked for, and however many frames were on their way: they wait, and are taken first."""
    path, protocol, expected = known
    with Gated(path, protocol, line_a(path, protocol)) as bench:
        reached = 0
        for count in steps:
            if reached + count > len(expected):
                break
            bench.ask(gating.MESSAGES, count)
            reached += count
            bench.send(ahead)
            assert bench.digests() == expected[reached - 1]
        bench.ask(gating.OPEN)
        bench.send(len(expected))
        bench.drain()
        assert bench.digests() == expected[-1]


def test_a_gap_shuts_it_where_the_hole_opens_and_again_where_it_is_given_up(known: Known, tmp_path: Path) -> None:
    """Books and holes are those before anything behind the hole; what came behind it is not lost."""
    path, protocol, _ = known
    sent = line_a(path, protocol)
    place = len(sent) // 2
    gone = sent.pop(place)
    feed = (path.parent / "feed.toml").read_text(encoding="utf-8")
    expected = one_by_one(rewrite(tmp_path / "before", sent[:place], feed), protocol)[-1]
    whole = rebuilt(rewrite(tmp_path / "holed", sent, feed))
    with Gated(path, protocol, sent) as bench:
        assert bench.control.gate(gating.GAP)
        bench.until(lambda: bench.control.gate_stands == gating.ARMED)
        bench.send(len(sent))
        bench.until(lambda: bench.control.gate_stands == gating.SHUT)
        sequencer = bench.worker.receiver.state.sequencer
        assert sequencer.open_holes(0) == [(gone.sequence, gone.last)]
        assert bench.digests() == expected
        assert bench.found()["channels"][0]["gaps"] == []
        bench.control.words[c.REPLAY_NS] = sent[-1].stamp + 10_000_000_000
        bench.ask(gating.GAP)
        assert sequencer.open_holes(0) == []
        (gap,) = bench.found()["channels"][0]["gaps"]
        assert (gap["first"], gap["last"], gap["outcome"]) == (gone.sequence, gone.last, "lost")
        assert bench.digests() == expected
        bench.ask(gating.OPEN)
        bench.drain()
        bench.until(lambda: bench.digests() == digests(whole))


def test_it_shuts_behind_the_message_that_changes_an_instrument(known: Known) -> None:
    """Not behind its packet: the instrument has one message more, and so has the whole."""
    path, protocol, expected = known
    sent = line_a(path, protocol)
    with Gated(path, protocol, sent) as bench:
        bench.ask(gating.MESSAGES, len(expected) // 3)
        books = bench.worker.receiver.state.books
        index = int(books.instruments["events"].argmax())
        bench.send(len(sent))
        reached = len(expected) // 3
        for _ in range(3):
            events = int(books.instruments["events"][index])
            bench.ask(gating.CHANGE, index)
            assert int(books.instruments["events"][index]) > events
            after = bench.digests()
            reached = next(n for n in range(reached + 1, len(expected) + 1) if expected[n - 1] == after)
        assert bench.telemetry[t.GATE_CAUSE] == gating.CHANGE
        assert bench.telemetry[t.GATE_INSTRUMENT] == index


def test_frames_go_through_one_by_one_and_the_rest_of_one_at_hand_first(known: Known) -> None:
    """As the replayer's step does with a gate that is open."""
    path, protocol, expected = known
    sent = line_a(path, protocol)
    with Gated(path, protocol, sent) as bench:
        bench.ask(gating.MESSAGES, 1)
        bench.ask(gating.FRAMES, 1)
        assert bench.worker.receiver.counter(pipeline.DATAGRAMS) == bench.steps
        for _ in range(5):
            done = bench.worker.receiver.counter(pipeline.DATAGRAMS)
            bench.ask(gating.FRAMES, 1)
            assert bench.worker.receiver.counter(pipeline.DATAGRAMS) == done + 1
        assert bench.digests() in expected


def test_what_it_held_is_counted_and_not_measured(known: Known) -> None:
    """A wait of somebody at a key is no latency; what is sent after it was opened is measured again."""
    path, protocol, _ = known
    sent = line_a(path, protocol)
    with Gated(path, protocol, sent) as bench:
        bench.send(3)
        bench.drain()
        bench.ask(gating.MESSAGES, 1)
        bench.send(4)
        bench.ask(gating.OPEN)
        bench.drain()
        held = 4 + bench.steps
        assert bench.worker.live[live.HELD] == held
        bench.send(1)
        bench.drain()
        bench.send(5)
        bench.drain()
        assert bench.worker.live[live.HELD] == held + 1  # the one that tells that nothing waits any more
        assert bench.worker.stages()["app_book"]["n"] == 3 + 5


def test_it_pauses_a_replay_that_runs_and_opens_when_that_is_ended(known: Known) -> None:
    """A pause within a millisecond; a run that somebody ended does not wait for the gate."""
    path, protocol, expected = known
    sent = line_a(path, protocol)
    with Gated(path, protocol, sent) as bench:
        words = bench.control.words
        words[c.PHASE] = c.RUNNING
        assert bench.control.gate(gating.MESSAGES, 7)
        bench.until(lambda: bench.control.gate_stands == gating.ARMED)
        bench.send(len(sent))
        bench.until(lambda: bench.control.gate_stands == gating.SHUT)
        bench.until(lambda: bench.pauses == 1)
        assert bench.digests() == expected[6]
        assert bench.steps == 0
        words[c.PHASE], words[c.REASON] = c.ENDED, c.AT_END
        assert not bench.worker.drained()
        words[c.REASON] = c.ASKED
        bench.until(lambda: bench.control.gate_stands == gating.IS_OPEN)
        bench.drain()
        assert bench.digests() == expected[-1]


def test_both_lines_end_as_they_would_have_without_a_gate(known: Known) -> None:
    """Shut, opened, armed for something that never comes, opened again."""
    path, protocol, _ = known
    sent = frames(path, protocol)
    with Gated(path, protocol, sent) as bench:
        bench.send(len(sent) // 3)
        bench.ask(gating.MESSAGES, 5)
        bench.ask(gating.OPEN)
        assert bench.control.gate(gating.GAP)
        bench.send(len(sent) // 3)
        bench.drain()
        bench.ask(gating.OPEN)
        bench.send(len(sent))
        bench.drain()
        assert bench.digests() == digests(rebuilt(path))


def test_a_stop_ends_a_loop_whose_gate_is_shut_in_the_middle_of_a_packet(known: Known) -> None:
    """The packet at hand is finished, nothing hangs, and the books are sound."""
    path, protocol, expected = known
    with Gated(path, protocol, line_a(path, protocol)) as bench:
        bench.ask(gating.MESSAGES, len(expected) // 2)
    bench.worker.receiver.state.books.check()
    assert bench.telemetry[t.STATE] == t.ENDED
