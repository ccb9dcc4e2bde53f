"""One stream of two lines: what is delivered, what is held, and how every hole ends."""

import pytest
from feed_driver import END_OF_SESSION, HEARTBEAT, UNSEQUENCED, Driver, Settings

WAIT = Settings().wait_ns


def joined(lines: int = 2, settings: Settings | None = None, first: int = 10) -> Driver:
    """Return a driver that has started with `first`, which every line has brought."""
    driver = Driver(lines, settings)
    driver.join(first)
    return driver


def test_a_line_in_order_is_delivered_at_once() -> None:
    """One line, in order: every packet goes straight on, and nothing is missing."""
    driver = Driver(1)
    assert [driver.offer(0, first) for first in (1, 2, 3)] == ["delivered"] * 3
    assert driver.units() == [1, 2, 3]
    assert driver.line(0)["won"] == 3
    assert driver.line(0)["missing"] == []


def test_the_first_of_two_lines_wins_and_the_second_is_a_duplicate() -> None:
    """Each packet comes out once, whoever brings it first."""
    driver = joined()
    assert driver.offer(0, 11) == "delivered"
    assert driver.offer(1, 11) == "duplicate"
    assert driver.offer(1, 12) == "delivered"
    assert driver.offer(0, 12) == "duplicate"
    assert driver.units() == [10, 11, 12]
    assert [driver.line(i)["won"] for i in (0, 1)] == [2, 1]
    assert [driver.line(i)["duplicates"] for i in (0, 1)] == [1, 2]


def test_a_short_gap_is_never_stepped_over() -> None:
    """A hole of one unit holds back what follows, however much that is, until it ends as a record."""
    driver = joined(1)
    assert driver.offer(0, 12) == "held"
    assert driver.offer(0, 13) == "held"
    assert driver.units() == [10]
    driver.tick(WAIT - 1)
    assert driver.units() == [10]
    assert driver.tick(WAIT) == 1
    assert driver.units() == [10, 12, 13]
    assert driver.lost() == [(11, 11)]


def test_packets_above_a_gap_are_held_and_not_dropped() -> None:
    """The other line fills the hole, and everything held comes out of the slab in order, once."""
    driver = joined()
    for first in (14, 13, 12):
        assert driver.offer(0, first) == "held"
    assert driver.offer(1, 13) == "duplicate", "a duplicate of a held packet is recognised"
    assert driver.offer(1, 11) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14]
    assert driver.lost() == []
    assert driver.sequencer.outcomes(0)["other line"] == 1


def test_a_reordered_packet_fills_its_own_lines_hole() -> None:
    """A line that brings late what it skipped has missed nothing."""
    driver = joined(1)
    driver.offer(0, 12)
    assert driver.line(0)["missing"] == [[11, 11]]
    driver.offer(0, 11)
    assert driver.units() == [10, 11, 12]
    assert driver.line(0)["missing"] == []
    assert driver.line(0)["reordered"] == 1
    assert driver.sequencer.outcomes(0) == {"reorder": 1}


def test_an_overlap_is_split() -> None:
    """Of a packet cut differently only the units that are new are delivered."""
    driver = joined()
    driver.offer(0, 11, 3)
    assert driver.offer(1, 12, 4) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15]
    assert driver.offer(0, 14, 2) == "duplicate"


def test_held_packets_that_overlap_come_out_once() -> None:
    """Two packets of different cut above one hole: no unit twice, none lost."""
    driver = joined()
    driver.offer(0, 12, 3)
    driver.offer(1, 13, 5)
    driver.offer(0, 12, 2)
    driver.offer(0, 11)
    assert driver.units() == list(range(10, 18))


def test_a_partially_filled_hole_splits_into_records() -> None:
    """Of a hole of five the middle came: two gaps and one filled record, each with its own end."""
    driver = joined()
    driver.offer(0, 16, now=100)
    driver.offer(1, 13, now=200)
    assert driver.sequencer.open_holes(0) == [(11, 12), (14, 15)]
    driver.tick(100 + WAIT)
    records = driver.sequencer.records(0, ["A", "B"])
    assert [(r["first"], r["last"], r["outcome"], r["cause"]) for r in records] == [
        (13, 13, "other line", "filled"),
        (11, 12, "lost", "time"),
        (14, 15, "lost", "time"),
    ]
    assert [r["detected_ns"] for r in records] == ["100"] * 3
    assert [r["closed_ns"] for r in records] == ["200", str(100 + WAIT), str(100 + WAIT)]
    assert driver.units() == [10, 13, 16]


def test_a_gap_says_how_the_lines_stood() -> None:
    """One line passed the hole, the other had not got there: both are in the record."""
    driver = joined()
    driver.offer(0, 12)
    driver.tick(WAIT)
    (gap,) = driver.sequencer.gaps(0, ["A", "B"])
    assert gap["lines"] == {"A": "passed", "B": "behind"}
    assert gap["revealed_by"] == "A"
    assert gap["filled_by"] is None
    assert {"epoch": 0, "first": 11, "last": 11, "outcome": "lost"}.items() <= gap.items()


def test_a_heartbeat_reveals_a_hole_at_the_tail_and_a_tick_ends_it() -> None:
    """No packet ever follows: the heartbeat's next expected sequence tells, and time gives it up."""
    driver = joined(1)
    assert driver.offer(0, 13, 0, flags=HEARTBEAT) == "heartbeat"
    assert driver.sequencer.open_holes(0) == [(11, 12)]
    assert driver.sequencer.state(0) == "waiting"
    driver.tick(WAIT)
    assert driver.lost() == [(11, 12)]
    assert driver.offer(0, 13, now=WAIT) == "delivered"
    assert driver.line(0)["missing"] == [[11, 12]]


def test_the_end_of_a_session_reveals_the_tail_too() -> None:
    """MoldUDP64's last packet carries the next expected sequence as well."""
    driver = joined(1)
    assert driver.offer(0, 12, 0, flags=END_OF_SESSION) == "heartbeat"
    assert driver.sequencer.open_holes(0) == [(11, 11)]
    driver.tick(WAIT)
    assert driver.sequencer.state(0) == "ended"


def test_unsequenced_packets_pass_through() -> None:
    """Without a sequence there is nothing to arbitrate: each line's comes through, and no hole is affected."""
    driver = joined()
    assert driver.offer(0, 0, 0, flags=UNSEQUENCED) == "delivered"
    assert driver.offer(1, 0, 0, flags=UNSEQUENCED) == "delivered"
    assert driver.offer(0, 11) == "delivered"
    assert driver.line(1)["unsequenced"] == 1


@pytest.mark.parametrize(
    ("settings", "firsts", "cause"),
    [
        (Settings(count=3), (12, 13, 14, 15), "count"),
        (Settings(distance=6), (12, 14, 16, 18), "distance"),
    ],
)
def test_a_hole_is_given_up_by_count_or_by_distance(settings: Settings, firsts: tuple[int, ...], cause: str) -> None:
    """Time stands still, and yet what is held cannot grow without end."""
    driver = joined(1, settings)
    for first in firsts:
        assert driver.lost() == []
        driver.offer(0, first)
    gap = driver.sequencer.gaps(0)[0]
    assert (gap["first"], gap["last"], gap["cause"]) == (11, 11, cause)
    assert driver.units()[:2] == [10, 12]


def test_a_full_slab_ends_the_hole_by_name() -> None:
    """Room for two packets: the third one above the hole ends it, and nothing that came is lost."""
    driver = joined(1, Settings(slots=2, count=100))
    for first in (12, 13, 14, 15):
        driver.offer(0, first)
    assert driver.units() == [10, 12, 13, 14, 15]
    assert [gap["cause"] for gap in driver.sequencer.gaps(0)] == ["slab full"]


def test_a_slab_that_other_streams_fill_does_not_stop_this_one() -> None:
    """A packet above a hole that finds no slot at all goes on at once, with the hole recorded."""
    driver = Driver(1, Settings(slots=1))
    driver.offer(0, 1, stream=7)
    driver.offer(0, 3, stream=7)
    driver.offer(0, 1, stream=8)
    assert driver.offer(0, 3, stream=8) == "delivered"
    assert [(gap["stream"], gap["cause"]) for gap in driver.sequencer.gaps(0)] == [(8, "slab full")]


def test_late_packets_are_counted_and_stay_out() -> None:
    """What comes after its hole was given up is late: in the line's count and in the gap's record."""
    driver = joined()
    driver.offer(0, 14)
    driver.tick(WAIT)
    assert driver.offer(1, 11, 2, now=WAIT) == "late"
    assert driver.units() == [10, 14]
    assert driver.sequencer.gaps(0)[0]["late_units"] == 2
    assert driver.line(1)["late"] == 1


def test_time_counts_at_the_next_packet_as_well_as_in_a_tick() -> None:
    """Ticks only make it earlier: without them the packet that comes too late is late all the same."""
    ticked, plain = joined(), joined()
    for driver in (ticked, plain):
        driver.offer(0, 12, now=0)
    ticked.tick(WAIT)
    assert [driver.offer(1, 11, now=WAIT + 5) for driver in (ticked, plain)] == ["late", "late"]
    assert ticked.units() == plain.units() == [10, 12]
    assert ticked.sequencer.records(0) == plain.sequencer.records(0)


def test_what_is_older_than_the_first_delivered_is_before_the_start() -> None:
    """What comes later than the wait of a hole is left out, and counted."""
    driver = Driver(1)
    driver.join(100)
    assert driver.offer(0, 98, sent=0) == "held", "alone it might be a restart"
    driver.offer(0, 101)
    assert driver.units() == [100, 101]
    assert driver.line(0)["before_start"] == 1
    assert driver.sequencer.gaps(0) == []


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("sent", [0, 1])
def test_a_first_packet_that_others_have_overtaken_is_delivered_first(lines: int, sent: int) -> None:
    """Who joins waits as long as for a hole, since nothing says that the first that came is the first."""
    driver = Driver(lines)
    for first in (6, 7, 5):
        for line in range(lines):
            assert driver.offer(line, first, now=WAIT - 1, sent=sent * first) in ("held", "duplicate")
    driver.tick(2 * WAIT - 1)
    assert driver.offer(0, 8, now=2 * WAIT, sent=8 * sent) == "delivered"
    assert driver.units() == [5, 6, 7, 8]
    assert [driver.line(line)["missing"] for line in range(lines)] == [[]] * lines
    assert driver.line(0)["reordered"] == 1
    assert driver.line(0)["before_start"] == 0


def test_nothing_is_before_1() -> None:
    """Sequences start with 1: whoever has it joins at once."""
    driver = Driver(2)
    assert driver.offer(0, 1) == "delivered"
    other = Driver(2)
    assert other.offer(0, 2) == "held"
    other.offer(1, 1)
    assert other.units() == [1, 2]


def test_who_joins_holds_so_many_packets_and_no_more() -> None:
    """The count that ends a hole ends the wait for older packets."""
    driver = Driver(2, Settings(count=3))
    assert [driver.offer(0, first) for first in (6, 7, 8)] == ["held"] * 3
    driver.offer(0, 9)
    assert driver.units() == [6, 7, 8, 9]
    assert driver.offer(1, 5) == "before the start"


def test_the_other_line_brings_an_older_start() -> None:
    """The faster line lost the first packet: the slower one still brings it, and it is delivered first."""
    driver = Driver(2)
    assert driver.offer(0, 6) == "held"
    assert driver.sequencer.state(0) == "joining"
    driver.offer(1, 5)
    driver.tick(WAIT)
    assert driver.units() == [5, 6]
    assert driver.line(0)["missing"] == [[5, 5]]
    assert driver.sequencer.epochs(0)[0]["first"] == 5


def test_joining_ends_by_time_when_a_line_is_dark() -> None:
    """Only line A is there: after the wait its packets come out, and B's older ones are before the start."""
    driver = Driver(2)
    driver.offer(0, 6, now=0)
    driver.tick(WAIT)
    assert driver.units() == [6]
    assert driver.offer(1, 5, now=WAIT) == "before the start"
    assert driver.offer(1, 6, now=WAIT) == "duplicate"


def test_a_conflict_is_not_a_duplicate() -> None:
    """Same sequence, same units, other bytes: delivered once, counted apart."""
    driver = joined()
    driver.offer(0, 11, 2, digest=1)
    assert driver.offer(1, 11, 2, digest=2) == "conflict"
    driver.offer(1, 14, digest=3)
    assert driver.offer(0, 14, digest=4) == "conflict", "held packets are compared as well"
    assert driver.offer(0, 14, 1, digest=3) == "duplicate"
    assert [driver.line(i)["conflicts"] for i in (0, 1)] == [1, 1]


def test_packets_cut_differently_are_not_compared() -> None:
    """Other units, other bytes: nothing can be said, so it is a duplicate."""
    driver = joined()
    driver.offer(0, 11, 2, digest=1)
    assert driver.offer(1, 11, 1, digest=2) == "duplicate"


def test_missing_is_what_one_line_alone_did_not_bring() -> None:
    """The stream is whole, and each line's own holes are exact ranges, filled where it is late itself."""
    driver = joined()
    for first in (11, 14, 15, 20):
        driver.offer(0, first)
    for first in range(11, 21):
        driver.offer(1, first)
    driver.offer(0, 17, now=1)
    assert driver.lost() == []
    assert driver.line(0)["missing"] == [[12, 13], [16, 16], [18, 19]]
    assert driver.line(0)["missing_units"] == 5
    assert driver.line(1)["missing"] == []


def test_the_end_of_the_data_closes_everything() -> None:
    """What is open is lost, what is held comes out, what a line did not bring it missed."""
    driver = joined()
    driver.offer(0, 12)
    driver.finish()
    assert driver.units() == [10, 12]
    assert [(gap["first"], gap["last"], gap["cause"]) for gap in driver.sequencer.gaps(0)] == [(11, 11, "end of data")]
    assert driver.line(0)["missing"] == [[11, 11]]
    assert driver.line(1)["missing"] == [[11, 12]]


def test_streams_of_a_channel_have_sequences_of_their_own() -> None:
    """Units and partitions are arbitrated apart; the lines' counts are those of all streams."""
    driver = Driver(1)
    for stream in (3, -1, 1 << 40):
        driver.offer(0, 1, stream=stream)
        driver.offer(0, 3, stream=stream)
    assert driver.tick(WAIT) == 3
    assert [(gap["stream"], gap["first"]) for gap in driver.sequencer.gaps(0)] == [(3, 2), (-1, 2), (1 << 40, 2)]
    assert driver.line(0)["datagrams"] == 6


@pytest.mark.parametrize(("first", "units"), [(-1, 1), (1 << 61, 1), (5, -1), (5, 1 << 61), (-(1 << 63), 1)])
def test_an_impossible_sequence_is_counted_and_nothing_else(first: int, units: int) -> None:
    """A sequence or a count out of a damaged header cannot overflow anything."""
    driver = joined(1)
    before = driver.sequencer.memory.copy()
    header = driver._header
    header[0] = (0, 0, first, units, 0, 0, 5, 6)
    import numpy as np

    from simbench.feed.sequencer import INVALID, offer

    assert offer(driver.sequencer.memory, driver.sequencer.slab, 0, 0, header, np.zeros(8, np.uint8), 0, 0) == INVALID
    assert driver.sequencer.counters()["invalid"] == 1
    from simbench.feed import layout as at

    changed = np.flatnonzero(before != driver.sequencer.memory)
    assert set(changed) <= {at.INVALIDS, at.OUT_FIRST, at.OUT_UNITS, at.OUT_SENT, at.OUT_SKIP, at.OUT_MORE}


def test_what_cannot_be_decoded_is_missing_and_given_up_for_that() -> None:
    """A packet that arrived but could not be decoded to its end: the rest of its units is a gap by damage."""
    driver = joined(1)
    driver.offer(0, 11, 5, broken=2)
    assert driver.offer(0, 16) == "held"
    driver.tick(WAIT)
    (gap,) = driver.sequencer.gaps(0)
    assert (gap["first"], gap["last"], gap["outcome"], gap["cause"]) == (13, 15, "lost", "malformed")
    assert driver.units()[-3:] == [11, 12, 16]
    assert driver.line(0)["missing"] == [[13, 15]]


def test_the_other_lines_copy_fills_what_could_not_be_decoded() -> None:
    """What is behind the damage waits, what is before it does not come again, and nothing is lost."""
    driver = joined()
    driver.offer(0, 11, 3, broken=1, digest=1)
    assert driver.offer(0, 14) == "held"
    assert driver.offer(1, 11, 3, digest=2) == "delivered"
    assert driver.units()[-4:] == [11, 12, 13, 14]
    assert driver.sequencer.gaps(0) == []
    (gap,) = driver.sequencer.records(0)
    assert (gap["first"], gap["last"], gap["outcome"]) == (12, 13, "other line")
    assert (driver.line(0)["missing"], driver.line(1)["missing"]) == ([[12, 13]], [])


def test_a_copy_of_what_could_not_be_decoded_fills_nothing() -> None:
    """The same bytes from the other line are a duplicate; those that differ are tried."""
    driver = joined()
    driver.offer(0, 11, 3, broken=1, digest=1)
    assert driver.offer(1, 11, 3, broken=1, digest=1) == "duplicate"
    assert driver.sequencer.gaps(0) == []
    assert driver.offer(0, 11, 3, broken=2, digest=2) == "delivered"
    assert driver.units()[-2:] == [11, 12]
    driver.finish(WAIT)
    assert driver.lost() == [(13, 13)]


def test_a_held_packet_that_was_cut_differently_fills_what_could_not_be_decoded() -> None:
    """The damage of one packet that waited shows when it goes on; another that waits has the same units."""
    driver = joined()
    driver.offer(0, 12, 2, broken=0, digest=1)
    driver.offer(1, 13, 3, digest=2)
    driver.offer(1, 11)
    assert driver.units()[-1] == 11
    assert driver.offer(1, 12, digest=3) == "delivered"
    assert driver.units()[-5:] == [11, 12, 13, 14, 15]
    assert driver.lost() == []


def test_what_cannot_be_decoded_is_missing_without_room_for_a_hole() -> None:
    """Where every row for a hole is taken it is lost at once, and the sequence goes on."""
    from simbench.feed import layout as at

    driver = Driver(1, checked=False)
    driver.join(10)
    driver.sequencer.memory[at.HOLE + at.T_FREE] = at.NIL
    driver.offer(0, 11, 3, broken=1)
    (gap,) = driver.sequencer.gaps(0)
    assert (gap["first"], gap["last"], gap["outcome"], gap["cause"]) == (12, 13, "lost", "malformed")
    assert driver.offer(0, 14) == "delivered"


def test_damage_behind_which_more_is_lost_already_keeps_the_records_in_order() -> None:
    """A packet that waited turns out to be damaged when a gap behind it has been given up: late units find both."""
    driver = joined(1)
    driver.offer(0, 12, 2, broken=0)
    driver.offer(0, 16)
    driver.tick(WAIT)
    assert driver.lost() == [(11, 11), (14, 15)]
    driver.tick(2 * WAIT)
    assert driver.lost() == [(11, 11), (14, 15), (12, 13)]
    assert driver.units()[-1] == 16
    assert [driver.offer(0, 14, 2, now=2 * WAIT), driver.offer(0, 12, 2, now=2 * WAIT)] == ["late", "late"]
    assert [gap["late_units"] for gap in driver.sequencer.gaps(0)] == [0, 2, 2]


def test_a_held_packet_comes_back_with_what_its_header_said() -> None:
    """Ordinal, sent time, line and arrival survive the slab."""
    from simbench.feed import layout as at

    driver = joined()
    driver.offer(1, 12, 2, now=5, sent=77, ordinal=4711, session=0)
    driver.offer(0, 11, now=6, sent=70)
    memory = driver.sequencer.memory
    words = (at.OUT_FIRST, at.OUT_UNITS, at.OUT_SENT, at.OUT_LINE, at.OUT_ORDINAL, at.OUT_ARRIVED, at.OUT_CHANNEL)
    assert [int(memory[word]) for word in words] == [12, 2, 77, 1, 4711, 5, 0]
