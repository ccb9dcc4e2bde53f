"""Sequences of 32 bits across their wrap: 4,294,967,295 is followed by 1."""

import numpy as np
import pytest
from feed_driver import END_OF_SESSION, HEARTBEAT, UNSEQUENCED, Driver, Settings

from simbench.feed.sequencer import Sequencer, unwrap
from simbench.feed.wrap import lap_start, nearest, on_wire
from simbench.protocol.contract import HEADER

TOP = 0xFFFF_FFFF  # the highest sequence
WAIT = 10_000_000
ASKING = Settings(recover="retransmit")


def joined(start: int = TOP - 2, lines: int = 1, settings: Settings | None = None) -> Driver:
    """Return a driver whose lines have brought `start`."""
    driver = Driver(lines, settings, wrap=TOP)
    driver.join(start, sent=1)
    return driver


def test_sequences_go_on_across_the_wrap() -> None:
    """In order, nothing is held, nothing is missing, and what is said is what is on the wire."""
    driver = joined()
    verdicts = [driver.offer(0, first) for first in (TOP - 1, TOP, 1, 2)]
    assert verdicts == ["delivered"] * 4
    assert driver.units() == [TOP - 2, TOP - 1, TOP, 1, 2]
    assert driver.lost() == []
    assert driver.line(0)["missing"] == []
    assert driver.sequencer.expected(0) == 3
    assert [(epoch["first"], epoch["last"]) for epoch in driver.sequencer.epochs(0)] == [(TOP - 2, 2)]


def test_a_packet_may_span_the_wrap() -> None:
    """Its first unit is before, its last behind it; an overlap is split there as anywhere."""
    driver = joined()
    assert driver.offer(0, TOP - 1, 4) == "delivered"
    assert driver.offer(0, 1, 4) == "delivered"
    assert driver.units() == [TOP - 2, TOP - 1, TOP, 1, 2, 3, 4]


def test_a_hole_across_the_wrap_is_one_hole() -> None:
    """It opens, is waited for, and is lost as one range whose first is above its last."""
    driver = joined()
    assert driver.offer(0, 3) == "held"
    assert driver.sequencer.open_holes(0) == [(TOP - 1, 2)]
    driver.tick(WAIT)
    (gap,) = driver.sequencer.gaps(0)
    assert (gap["first"], gap["last"], gap["units"]) == (TOP - 1, 2, 4)
    assert driver.units() == [TOP - 2, 3]
    assert driver.line(0)["missing"] == [[TOP - 1, 2]]
    assert driver.line(0)["missing_units"] == 4


def test_the_other_line_fills_a_hole_across_the_wrap() -> None:
    """From behind the wrap and from before it, in any order."""
    driver = joined(lines=2)
    assert driver.offer(0, 3) == "held"
    assert driver.offer(1, 2) == "held"
    assert driver.offer(1, TOP - 1, 2) == "delivered"
    assert driver.offer(1, 1) == "delivered"
    assert driver.units() == [TOP - 2, TOP - 1, TOP, 1, 2, 3]
    assert driver.lost() == []


def test_a_line_that_is_behind_the_wrap_repeats_what_was_before_it() -> None:
    """Line A has wrapped long since; what B still brings is a duplicate, not a jump of four thousand million."""
    driver = joined(lines=2)
    for first in (TOP - 1, TOP, *range(1, 200)):
        assert driver.offer(0, first) == "delivered"
    assert driver.offer(1, TOP - 1) == "duplicate"
    assert driver.offer(1, TOP) == "duplicate"
    assert [driver.offer(1, first) for first in range(1, 200)] == ["duplicate"] * 199
    assert driver.line(1)["implausible"] == driver.line(1)["conflicts"] == 0
    assert driver.units() == [TOP - 2, TOP - 1, TOP, *range(1, 200)]


def test_a_stream_may_begin_behind_the_wrap_with_the_other_line_before_it() -> None:
    """While it joins, the older packet is the start."""
    driver = Driver(2, wrap=TOP)
    assert driver.offer(0, 2) == "held"
    driver.offer(1, TOP, 2)
    driver.tick(WAIT)
    assert driver.units() == [TOP, 1, 2]
    assert driver.sequencer.epochs(0)[0]["first"] == TOP


@pytest.mark.parametrize("flags", [HEARTBEAT, HEARTBEAT | END_OF_SESSION])
def test_a_heartbeat_behind_the_wrap_reveals_what_was_before_it(flags: int) -> None:
    """Its next expected sequence is 1 when the highest was the last."""
    driver = joined()
    assert driver.offer(0, 1, 0, flags=flags) == "heartbeat"
    assert driver.sequencer.open_holes(0) == [(TOP - 1, TOP)]


def test_a_request_across_the_wrap_says_the_wires_sequence() -> None:
    """And its answers come with the wire's."""
    driver = joined(settings=ASKING)
    driver.offer(0, 3)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(TOP - 1, 4, 1)]
    assert driver.answer(TOP - 1, 3, now=WAIT) == "delivered"
    assert driver.asked(WAIT) == [(2, 1, 1)]
    assert driver.answer(2, now=WAIT) == "delivered"
    assert driver.units() == [TOP - 2, TOP - 1, TOP, 1, 2, 3]


def test_a_restart_is_no_wrap() -> None:
    """From far below the highest back to 1: the next packets agree, and an epoch begins at 1."""
    driver = joined(3_000_000_000)
    for first in (1, 2, 3):
        driver.offer(0, first)
    assert driver.out == [(0, 3_000_000_000), (1, 1), (1, 2), (1, 3)]
    assert driver.lost() == []
    assert [epoch["cause"] for epoch in driver.sequencer.epochs(0)] == ["start", "restart"]
    assert driver.offer(0, 4) == "delivered"


def test_a_restart_whose_first_packets_are_lost_begins_at_one() -> None:
    """The hole before its first packet is one of the new epoch, in whichever lap that is."""
    driver = joined(5)
    driver.offer(0, 3, session=1, sent=9)
    assert driver.sequencer.open_holes(0) == [(1, 2)]
    driver.tick(WAIT)
    assert [(gap["epoch"], gap["first"], gap["last"]) for gap in driver.sequencer.gaps(0)] == [(1, 1, 2)]


def test_a_stream_wraps_again_and_again() -> None:
    """With a wrap so small that it is met many times; each stream has laps of its own."""
    driver = Driver(1, wrap=1000, checked=False)
    for step in range(2500):
        for stream in (0, 3):
            assert driver.offer(0, step % 1000 + 1, stream=stream) == "delivered"
    assert driver.units() == [step % 1000 + 1 for step in range(2500) for _ in range(2)]
    assert driver.lost() == []


@pytest.mark.parametrize("first", [0, -1, TOP + 1])
def test_there_is_no_sequence_of_zero_or_above_the_highest(first: int) -> None:
    """Counted as invalid; the stream goes on."""
    driver = joined()
    assert driver.offer(0, first) == "invalid"
    assert driver.offer(0, TOP - 1) == "delivered"
    assert driver.sequencer.counters()["invalid"] == 1


def test_what_has_no_sequence_is_not_unwrapped() -> None:
    """An unsequenced packet says 0, and is delivered."""
    assert joined().offer(0, 0, 0, flags=UNSEQUENCED) == "delivered"


def test_a_channel_that_does_not_wrap_is_left_alone() -> None:
    """Its sequences may go beyond 32 bits, and nothing is taken off them."""
    sequencer = Sequencer.create([1, 1], wraps=[0, TOP])
    header = np.zeros(1, HEADER)
    header[0]["first"], header[0]["units"] = TOP + 5, 1
    unwrap(sequencer.memory, 0, header)
    assert header[0]["first"] == TOP + 5
    assert on_wire(sequencer.memory, 0, TOP + 5) == TOP + 5
    assert lap_start(0, TOP + 5) == 0


@pytest.mark.parametrize(
    ("sequence", "to", "expected"),
    [(5, 7, 5), (5, 2 * TOP - 1, 2 * TOP + 5), (TOP - 1, 2 * TOP + 3, 2 * TOP - 1), (TOP, 2 * TOP, 2 * TOP)],
)
def test_the_nearest_of_equal_sequences_is_found(sequence: int, to: int, expected: int) -> None:
    """Below or above what is known, in its lap or the next."""
    assert nearest(TOP, sequence, to) == expected
