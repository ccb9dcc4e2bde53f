"""Driving the replay: what the terminal waits for, where it jumps to, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from moments import FIRST_NS, RUN, SECOND, RecordingControl, moment
from simbench_tui.drive import Driver
from simbench_tui.errands import Arrival, LoopWindow
from simbench_tui.look import Bookmark, Look
from simbench_tui.places import parse_place, places

from simbench.errors import SimbenchError
from simbench.measure.snapshot import GateView, InstrumentRow, Phase

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot

NOW = moment(gate=GateView())


class Bench:
    """A driver over a control that records, and what it said."""

    def __init__(self, *, alone: bool = False) -> None:
        self.control = RecordingControl()
        self.said: list[str] = []
        self.driver = Driver(None if alone else self.control, lambda words, _severity: self.said.append(words))

    def hear(self, *snapshots: Snapshot) -> None:
        """Hand it some moments."""
        for snapshot in snapshots:
            self.driver.hear(snapshot)

    @property
    def done(self) -> list[object]:
        """Names of the commands given."""
        return [name for name, *_ in self.control.calls]


def at(seconds: float, **changes: object) -> Snapshot:
    """A moment so many seconds after the capture's beginning."""
    return replace(NOW, position_ns=FIRST_NS + round(seconds * SECOND), **changes)


def test_it_goes_on_to_the_next_gap_and_pauses_there() -> None:
    """One that was there before is none; afterwards nothing is waited for."""
    bench = Bench()
    bench.hear(at(1))
    bench.driver.send_on("gap", 0)
    bench.hear(at(2))
    assert bench.done == ["resume"]
    assert bench.driver.words == "TO NEXT GAP"
    bench.hear(at(3, gaps_total=NOW.gaps_total + 1))
    assert bench.done == ["resume", "pause"]
    assert bench.driver.words == ""
    assert bench.said == ["gap 7374-7376 of 340: open"]


def test_it_goes_on_until_the_shown_instrument_changes() -> None:
    """Another one's changes do not count."""
    bench = Bench()
    bench.hear(at(1))
    bench.driver.send_on("change", 1)
    first, second, third = NOW.instruments
    bench.hear(at(2, instruments=(replace(first, updates=9_000), second, third)))
    assert bench.done == ["resume"]
    bench.hear(at(3, instruments=(first, replace(second, updates=second.updates + 7), third)))
    assert bench.done == ["resume", "pause"]
    assert bench.said == ["NQZ6: 7 updates"]


@pytest.mark.parametrize(("speed", "before"), [(1.0, 0.2), (100.0, 16.0)])
def test_it_pauses_before_a_burst_and_not_in_it(speed: float, before: float) -> None:
    """The earlier the faster it goes, since a snapshot comes only ten times a second."""
    bench = Bench()
    bench.hear(at(10, speed_asked=speed))
    bench.driver.send_on("burst", 0)
    burst = 59.0
    assert bench.driver.words == "TO BURST 14:31:24"
    bench.hear(at(burst - before, speed_asked=speed))
    assert bench.done == ["resume"]
    bench.hear(at(burst - before + 0.1 * speed, speed_asked=speed))
    assert bench.done == ["resume", "pause"]


def test_behind_the_last_burst_there_is_none() -> None:
    """And nothing is waited for."""
    bench = Bench()
    bench.hear(at(100))
    bench.driver.send_on("burst", 0)
    assert bench.said == ["no burst lies ahead"]
    assert bench.control.calls == []


def test_the_same_key_again_calls_it_off_and_so_does_a_pause() -> None:
    """The replay goes on in the first case."""
    bench = Bench()
    bench.hear(at(1))
    bench.driver.send_on("gap", 0)
    bench.driver.send_on("gap", 0)
    assert bench.driver.words == ""
    bench.driver.send_on("gap", 0)
    bench.driver.toggle()
    assert bench.driver.words == ""
    assert bench.done == ["resume", "resume", "toggle"]


def test_what_is_waited_for_ends_with_the_run() -> None:
    """There is nobody to pause."""
    bench = Bench()
    bench.hear(at(1))
    bench.driver.send_on("gap", 0)
    bench.hear(at(2, phase=Phase.ENDED, gaps_total=99))
    assert bench.driver.words == ""
    assert bench.done == ["resume"]


def test_a_jump_is_primed_and_a_paused_replay_is_paused_again_on_arrival() -> None:
    """Books are whole only where everything before was sent."""
    bench = Bench()
    there = FIRST_NS + 20 * SECOND
    bench.hear(at(1))
    bench.driver.jump(there)
    assert bench.control.calls == [("jump", there)]
    assert bench.control.keywords == [{"primed": True}]
    bench.hear(at(1, phase=Phase.PAUSED))
    bench.driver.jump(there)
    assert bench.done == ["jump", "jump", "resume"]
    bench.hear(at(5), at(20))
    assert bench.done == ["jump", "jump", "resume", "pause"]


def test_a_window_is_set_looped_and_left() -> None:
    """By the same key three times; it jumps back once for each time the end is reached."""
    bench = Bench()
    bench.hear(at(10))
    bench.driver.next_edge()
    assert bench.driver.window == (FIRST_NS + 10 * SECOND, None)
    bench.hear(at(30))
    bench.driver.next_edge()
    assert bench.driver.window == (FIRST_NS + 10 * SECOND, FIRST_NS + 30 * SECOND)
    bench.hear(at(30), at(30.1), at(9), at(29), at(31))
    assert bench.control.calls == [("jump", FIRST_NS + 10 * SECOND)] * 2
    bench.driver.next_edge()
    assert bench.driver.window is None
    bench.hear(at(40))
    assert len(bench.control.calls) == 2


def test_a_pause_does_not_end_a_loop_and_does_not_jump() -> None:
    """Whoever looks at the end of a window wants to see it."""
    loop = LoopWindow(0, 10)
    assert loop.hear(at(1, phase=Phase.PAUSED)) is None
    assert loop.hear(at(1)) is not None


def test_a_window_without_length_is_refused() -> None:
    """Its two ends at one time, as where the replay is paused."""
    bench = Bench()
    bench.hear(at(10))
    bench.driver.next_edge()
    bench.driver.next_edge()
    assert bench.driver.window is None
    assert bench.said == ["a window that ends where it begins is none"]


def test_a_replay_that_is_over_is_not_driven() -> None:
    """Its queue would take commands that nobody carries out."""
    bench = Bench()
    bench.hear(at(1, phase=Phase.ENDED, reason="end of the capture"))
    bench.driver.toggle()
    bench.driver.jump(FIRST_NS)
    bench.driver.send_on("gap", 0)
    assert bench.control.calls == []
    assert bench.said == ["the replay is over: end of the capture"] * 3


def test_a_receiver_alone_is_not_driven() -> None:
    """Each attempt is told so."""
    bench = Bench(alone=True)
    bench.hear(at(1))
    bench.driver.toggle()
    bench.driver.next_edge()
    bench.driver.send_on("gap", 0)
    assert bench.said == ["nothing to drive: the receiver runs alone"] * 3


def test_an_arrival_is_not_missed_by_a_jump_over_it() -> None:
    """At any later time it is over."""
    deed = Arrival(10, "arrived", "GOES THERE").hear(at(5))
    assert deed is not None
    assert deed.pause
    assert deed.over


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (FIRST_NS + 12 * SECOND + SECOND // 2, "+12.5"),
        (FIRST_NS + 48 * SECOND, "40%"),
        (FIRST_NS + 120 * SECOND, "900%"),
        (1_478_961_030_250_000_000, "14:30:30.25"),
        (1_478_961_060_000_000_000, "14:31"),
        (1_478_961_030_000_000_000, "2016-11-12T14:30:30Z"),
        (1_478_961_025_968_272_358 // (86_400 * SECOND) * 86_400 * SECOND + 86_400 * SECOND + SECOND, "00:00:01"),
    ],
)
def test_places_are_read_as_they_are_written(expected: int, text: str) -> None:
    """From the start, by share, by the clock: of the next day where it was earlier than the beginning."""
    assert expected == parse_place(text, RUN)


@pytest.mark.parametrize("text", ["soon", "14:xx", "x%", "-5", "1:2:3:4:x", ""])
def test_what_is_no_place_is_refused_in_a_line(text: str) -> None:
    """With an example of what is one."""
    with pytest.raises(SimbenchError, match="write"):
        parse_place(text, RUN)


def test_places_worth_a_look_are_in_order() -> None:
    """The beginning, bookmarks, bursts and gaps."""
    found = places(NOW, Look(bookmarks=(Bookmark(FIRST_NS + 40 * SECOND, "why?"),)))
    assert [place.what for place in found] == [
        "the beginning",
        "burst",
        "gap 5902-5902 of 340, other line",
        "gap 6101-6105 of 340, lost",
        "bookmark: why?",
        "gap 7374-7376 of 340, open",
        "burst",
        "burst",
    ]
    assert [place.recorded_ns for place in found] == sorted(place.recorded_ns for place in found)


def test_nothing_is_waited_for_where_there_is_no_instrument() -> None:
    """It is told."""
    bench = Bench()
    bench.hear(at(1, instruments=(InstrumentRow(5, "340", "1", "A", 1),)))
    bench.driver.send_on("change", 0)
    assert bench.said == ["there is no instrument yet"]
    assert bench.control.calls == []
