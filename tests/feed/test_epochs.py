"""Restarts, sessions, resets and jumps: which packets begin an epoch, and which only seem to."""

import pytest
from feed_driver import SEQUENCE_RESET, Driver, Settings

WAIT = Settings().wait_ns
NEAR = Settings(distance=100)


def stream(lines: int = 2, settings: Settings | None = None, last: int = 1000, *, sent: bool = True) -> Driver:
    """Return a driver whose lines have brought 990 to `last`, each packet sent at its own sequence."""
    driver = Driver(lines, settings)
    driver.join(990, sent=990 if sent else 0)
    for first in range(991, last + 1):
        for line in range(lines):
            driver.offer(line, first, sent=first if sent else 0)
    driver.out.clear()
    return driver


def restarted(flags: int) -> Driver:
    """Return a driver whose lines have brought 990 to 1000 and then a restart at 1, sent at 2000."""
    driver = stream(settings=Settings() if flags else NEAR)
    for line in (0, 1):
        driver.offer(line, 1, sent=2000, flags=flags)
    assert driver.out == [(1, 1)]
    return driver


def test_a_restart_is_a_sequence_below_the_window_that_was_sent_later() -> None:
    """One packet is enough where the protocol says when it was sent."""
    driver = stream(settings=NEAR)
    assert driver.offer(0, 1, sent=2000) == "delivered"
    assert driver.out == [(1, 1)]
    assert [(e["first"], e["last"], e["cause"]) for e in driver.sequencer.epochs(0)] == [
        (990, 1000, "start"),
        (1, 1, "restart"),
    ]


def test_what_the_other_line_still_sends_of_the_old_epoch_is_late() -> None:
    """A restarts first; B's packets of before are late and no gap, and B follows when it restarts itself."""
    driver = stream(settings=NEAR)
    driver.offer(0, 1, sent=2000)
    assert driver.offer(1, 1001, sent=1001) == "late"
    assert driver.offer(1, 1002, sent=1002) == "late"
    assert driver.offer(1, 1, sent=2000) == "duplicate"
    assert driver.offer(1, 2, sent=2001) == "delivered"
    assert driver.out == [(1, 1), (1, 2)]
    assert driver.lost() == []
    assert driver.line(1)["missing"] == []


@pytest.mark.parametrize("flags", [0, SEQUENCE_RESET])
@pytest.mark.parametrize("first", [990, 998, 1000])
def test_a_very_late_packet_of_before_a_restart_is_late(first: int, flags: int) -> None:
    """Both lines have restarted; what the old epoch had is told by its sent time, wherever the new one stands."""
    driver = restarted(flags)
    assert driver.offer(1, first, sent=first) == "late"
    driver.tick(WAIT)
    for following in range(2, 1010):
        for line in (0, 1):
            driver.offer(line, following, sent=1999 + following, now=WAIT)
    assert driver.offer(1, first, sent=first, now=WAIT, digest=7) == "late", "no conflict with its namesake"
    assert driver.out == [(1, unit) for unit in range(1, 1010)]
    assert driver.lost() == []
    assert [driver.line(line)["late"] for line in (0, 1)] == [0, 2]
    assert len(driver.sequencer.epochs(0)) == 2


def test_an_old_packet_is_not_what_a_restart_lost_at_its_beginning() -> None:
    """It has the sequence that is waited for, and was sent before the restart."""
    driver = Driver(2, NEAR)
    for first in range(1, 200):
        for line in (0, 1):
            driver.offer(line, first, sent=first)
    for line in (0, 1):
        driver.offer(line, 2, sent=2001)
    assert driver.offer(1, 1, sent=1) == "late"
    assert driver.sequencer.open_holes(0) == [(1, 1)]
    assert driver.offer(1, 1, sent=2000) == "delivered"
    assert driver.out[-2:] == [(1, 1), (1, 2)]


def test_an_old_packet_fills_no_hole_of_the_new_epoch() -> None:
    """The new epoch lacks 998 as well: the old one's is other data under the same sequence."""
    driver = restarted(SEQUENCE_RESET)
    for first in range(2, 1000):
        if first != 998:
            driver.offer(0, first, sent=1999 + first)
    assert driver.offer(1, 998, sent=998) == "late"
    assert driver.sequencer.open_holes(0) == [(998, 998)]
    assert driver.offer(1, 998, sent=2997) == "delivered"
    assert driver.lost() == []


@pytest.mark.parametrize("flags", [0, SEQUENCE_RESET])
def test_what_the_old_epoch_still_had_behind_its_last_is_late(flags: int) -> None:
    """No line brought 1001 before the restart: sent between the two epochs, and above where the new one began."""
    driver = restarted(flags)
    assert driver.offer(1, 1001, sent=1001) == "held", "alone it might be that the restart was damage"
    driver.tick(2 * WAIT)
    assert driver.offer(1, 2, sent=2001, now=2 * WAIT) == "delivered"
    assert driver.out == [(1, 1), (1, 2)]
    assert driver.line(1)["late"] == 1
    assert driver.lost() == []
    assert len(driver.sequencer.epochs(0)) == 2


def test_the_other_line_may_have_what_was_before_the_first_of_a_new_epoch() -> None:
    """It was sent before the packet with which the epoch began, and yet is no old one."""
    driver = stream(settings=NEAR)
    driver.offer(0, 3, sent=2002)
    driver.offer(1, 3, sent=2002)
    assert driver.offer(1, 2, sent=2001) == "held"
    assert driver.offer(1, 1, sent=2000) == "delivered"
    assert driver.out == [(1, 1), (1, 2), (1, 3)]


def test_a_restart_that_was_damage_does_not_stop_the_feed() -> None:
    """One packet of an absurd sent time began an epoch; what its line goes on with is believed when enough agree."""
    driver = stream(1, NEAR)
    driver.offer(0, 1, sent=5_000_000)
    for first in range(1001, 1006):
        driver.offer(0, first, sent=first)
    driver.tick(WAIT)
    driver.tick(2 * WAIT)
    assert driver.units()[-5:] == [1001, 1002, 1003, 1004, 1005]


def test_sent_times_do_not_silence_a_line_for_good() -> None:
    """What still comes when any line would have been stale since the restart was not late: the times are wrong."""
    driver = restarted(0)
    assert [driver.offer(0, first, sent=first, now=WAIT) for first in range(500, 505)] == ["late"] * 5
    after = Settings().stale_ns + 2
    for first in range(505, 520):
        driver.offer(0, first, sent=first, now=after)
    driver.tick(after + WAIT)
    driver.tick(after + 2 * WAIT)
    assert driver.units()[-15:] == list(range(505, 520))


def test_after_a_loop_the_same_sent_times_come_again() -> None:
    """The replayer's epochs are told by the replayer: what was sent before is not old."""
    driver = stream()
    driver.sequencer.new_epoch(0, 50)
    for first in range(990, 995):
        for line in (0, 1):
            driver.offer(line, first, sent=first, now=51)
    driver.tick(51 + WAIT)
    assert driver.out == [(1, unit) for unit in range(990, 995)]
    assert [driver.line(line)["late"] for line in (0, 1)] == [0, 0]


def test_a_restart_without_a_sent_time_needs_packets_that_agree() -> None:
    """Two packets are only held; the third makes it a restart, and none of the three is lost."""
    driver = stream(sent=False)
    assert [driver.offer(0, first) for first in (1, 2)] == ["held", "held"]
    assert driver.out == []
    driver.offer(0, 3)
    assert driver.out == [(1, 1), (1, 2), (1, 3)]
    assert driver.line(0)["won"] == 11 + 3


def test_both_lines_restart_in_doubt_and_nothing_comes_twice() -> None:
    """What the other line has waiting is of the new epoch as well, and fills what the first one lost."""
    driver = stream(sent=False)
    for line, first in ((0, 1), (1, 1), (1, 2), (0, 3), (0, 4)):
        driver.offer(line, first)
    assert driver.out == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert driver.offer(1, 3) == "duplicate"
    assert driver.lost() == []
    assert driver.line(0)["missing"] == [[2, 2]]


def test_an_old_packet_alone_is_no_restart() -> None:
    """A stray is what it was when its line goes on: a duplicate, late, or before the start."""
    driver = stream(sent=False)
    driver.offer(0, 400)
    driver.offer(0, 995, digest=5)
    driver.offer(0, 1001)
    assert driver.out == [(0, 1001)]
    assert driver.line(0)["before_start"] == 1
    assert driver.line(0)["conflicts"] == 1
    assert len(driver.sequencer.epochs(0)) == 1


def test_a_line_that_repeats_itself_does_not_restart() -> None:
    """The same bytes again are a duplicate, however many agree."""
    driver = stream(1, sent=False)
    assert [driver.offer(0, first) for first in range(990, 1001)] == ["duplicate"] * 11
    assert len(driver.sequencer.epochs(0)) == 1


def test_a_restart_that_lost_its_first_packets_has_a_gap_at_its_start() -> None:
    """Sequences start again at 1: if the first that comes is 4, then 1 to 3 are waited for, and lost."""
    driver = stream(1, NEAR)
    assert driver.offer(0, 4, sent=2000) == "held"
    driver.tick(WAIT)
    assert driver.out == [(1, 4)]
    assert [(gap["epoch"], gap["first"], gap["last"]) for gap in driver.sequencer.gaps(0)] == [(1, 1, 3)]


def test_the_other_line_brings_the_start_of_the_new_epoch() -> None:
    """A lost the restart's first packets; B has them."""
    driver = stream(2, NEAR)
    driver.offer(0, 3, sent=2002)
    for first in (1, 2, 3):
        driver.offer(1, first, sent=1999 + first)
    assert driver.out == [(1, 1), (1, 2), (1, 3)]
    assert driver.line(0)["missing"] == [[1, 2]]


def test_a_reset_begins_an_epoch_once() -> None:
    """The flagged packet says where the sequence starts; the other line's copy of it is a duplicate."""
    driver = stream()
    assert driver.offer(0, 1, sent=2000, flags=SEQUENCE_RESET) == "delivered"
    assert driver.offer(1, 1, sent=2000, flags=SEQUENCE_RESET) == "duplicate"
    assert driver.offer(1, 2, sent=2001) == "delivered"
    assert [e["cause"] for e in driver.sequencer.epochs(0)] == ["start", "reset"]


def test_a_reset_without_sent_times_begins_an_epoch_once() -> None:
    """The copy is known by its bytes, or by falling into the new epoch while its line is still in the old one."""
    driver = stream(sent=False)
    driver.offer(0, 1, flags=SEQUENCE_RESET, digest=1)
    driver.offer(0, 2)
    driver.offer(1, 1, flags=SEQUENCE_RESET, digest=1)
    driver.offer(1, 2)
    assert driver.out == [(1, 1), (1, 2)]
    assert len(driver.sequencer.epochs(0)) == 2


def test_a_new_session_with_a_sent_time_begins_at_once() -> None:
    """Holes of the old session end as lost with it, and what was held comes out before."""
    driver = stream()
    driver.offer(0, 1002, sent=1002)
    assert driver.offer(0, 1, session=1, sent=2000) == "delivered"
    assert driver.out == [(0, 1002), (1, 1)]
    gap = driver.sequencer.gaps(0)[0]
    assert (gap["epoch"], gap["first"], gap["last"], gap["cause"]) == (0, 1001, 1001, "restart")
    assert driver.offer(1, 1001, sent=1001) == "late"
    assert [e["session"] for e in driver.sequencer.epochs(0, ["one", "two"])] == ["one", "two"]


def test_a_new_session_without_a_sent_time_needs_agreement_or_quiet() -> None:
    """Two packets of a session and then nothing: when no one has contradicted them they are believed."""
    driver = stream(1, sent=False)
    driver.offer(0, 1, session=1)
    driver.offer(0, 2, session=1)
    assert driver.out == []
    driver.tick(WAIT)
    assert driver.out == [(1, 1), (1, 2)]


def test_one_packet_with_a_damaged_session_is_dropped() -> None:
    """The line goes on in its session: the odd one out was damage, and counted as such."""
    driver = stream(1, sent=False)
    driver.offer(0, 1001, session=9)
    driver.offer(0, 1001)
    assert driver.out == [(0, 1001)]
    assert driver.line(0)["implausible"] == 1


def test_a_session_that_was_damage_does_not_stop_the_feed() -> None:
    """With a sent time one damaged packet is believed; when its line goes on as before, so does the stream."""
    driver = stream(1)
    driver.offer(0, 1001, session=9, sent=1001)
    for first in (1002, 1003, 1004):
        driver.offer(0, first, sent=first)
    driver.tick(WAIT)
    assert [unit for epoch, unit in driver.out if epoch == 2] == [1002, 1003, 1004]
    assert (2, 1001, 1001) in [(g["epoch"], g["first"], g["last"]) for g in driver.sequencer.gaps(0)]
    assert [e["session"] for e in driver.sequencer.epochs(0, [*"abcdefghij"])] == ["a", "j", "a"]


def test_an_old_packet_of_the_session_before_does_not_bring_it_back() -> None:
    """A late copy on a quiet line stays late, however long nothing else comes."""
    driver = stream(1)
    driver.offer(0, 1, session=1, sent=2000)
    assert driver.offer(0, 1000, session=0, sent=1000) == "late"
    driver.tick(10 * WAIT)
    driver.finish(10 * WAIT)
    assert len(driver.sequencer.epochs(0)) == 2


def test_a_jump_beyond_the_distance_needs_packets_that_agree() -> None:
    """Both lines were dark for long: three packets in a row are believed, with the gap before them."""
    driver = stream(1, NEAR)
    assert [driver.offer(0, first, sent=first) for first in (5000, 5001)] == ["held", "held"]
    driver.offer(0, 5002, sent=5002)
    assert driver.out == [(0, 5000), (0, 5001), (0, 5002)]
    assert [(g["first"], g["last"], g["cause"]) for g in driver.sequencer.gaps(0)] == [(1001, 4999, "distance")]


def test_a_single_absurd_sequence_does_not_throw_the_feed_away() -> None:
    """One damaged packet far ahead: dropped and counted when its line goes on, and no gap."""
    driver = stream(1, sent=False)
    driver.offer(0, 2_000_000)
    driver.offer(0, 1001)
    assert driver.out == [(0, 1001)]
    assert driver.lost() == []
    assert driver.line(0)["implausible"] == 1


def test_a_jump_that_nobody_contradicts_is_believed() -> None:
    """The last packet before a silence: it comes out after the wait of a hole."""
    driver = stream(1, NEAR)
    driver.offer(0, 5000, sent=5000)
    driver.tick(WAIT)
    driver.tick(2 * WAIT)
    assert driver.out == [(0, 5000)]
    assert driver.lost() == [(1001, 4999)]


def test_both_lines_jump() -> None:
    """What each line has in doubt counts for it, and nothing is delivered twice."""
    driver = stream(2, NEAR)
    for first in (5000, 5001, 5002):
        for line in (0, 1):
            driver.offer(line, first, sent=first)
    assert driver.out == [(0, 5000), (0, 5001), (0, 5002)]
    assert [driver.line(i)["missing"] for i in (0, 1)] == [[[1001, 4999]]] * 2
    assert driver.line(1)["duplicates"] == 11 + 3


def test_the_replayer_publishes_a_new_epoch() -> None:
    """After a loop the same sequences come again, and they are not duplicates."""
    driver = stream()
    driver.offer(0, 1002, sent=1002)
    assert driver.sequencer.new_epoch(0, 50) == 1
    driver.drain_all()
    for line in (0, 1):
        driver.offer(line, 990, sent=990, now=51)
    driver.tick(51 + WAIT)
    assert driver.out == [(0, 1002), (1, 990)]
    assert [(e["cause"], e["restart"]) for e in driver.sequencer.epochs(0)] == [("start", 0), ("replayer", 1)]
    assert driver.lost() == [(1001, 1001)]


def test_a_restart_in_the_middle_of_a_gap_ends_it() -> None:
    """A restarts while both wait for 1001: the gap is of the old epoch, and its end is the restart."""
    driver = stream(2, NEAR)
    driver.offer(0, 1002, sent=1002)
    driver.offer(1, 1003, sent=1003)
    driver.offer(0, 1, sent=2000)
    assert driver.out == [(0, 1002), (0, 1003), (1, 1)]
    assert [(g["epoch"], g["first"], g["cause"]) for g in driver.sequencer.gaps(0)] == [(0, 1001, "restart")]
    assert driver.offer(1, 1001, sent=1001) == "late"


def test_quiet_restarts_are_patient() -> None:
    """One packet a second and no sent time: the third one still completes the restart."""
    driver = stream(1, sent=False)
    for second, first in enumerate((1, 2, 3), 1):
        now = second * 1_000_000_000
        driver.tick(now)
        driver.offer(0, first, now=now)
    assert driver.out == [(1, 1), (1, 2), (1, 3)]


def test_late_copies_that_are_cut_differently_are_no_restart() -> None:
    """Without sent times: a line repeats what it sent a while ago in smaller packets, as many as it likes."""
    driver = Driver(2)
    for first in range(1, 400, 6):
        driver.offer(0, first, 6)
        driver.offer(1, first, 6)
    assert [driver.offer(0, first, 2) for first in range(1, 397, 2)] == ["duplicate"] * 198
    assert [driver.offer(0, first, 9) for first in range(4, 381, 9)] == ["duplicate"] * 42
    driver.offer(0, 397 + 6)
    assert driver.units() == list(range(1, 397 + 7))
    assert len(driver.sequencer.epochs(0)) == 1


def test_a_restart_that_is_cut_differently_is_believed() -> None:
    """Its first packet is known to be none of before: cut alike it has other bytes. What follows may be cut anyhow."""
    driver = Driver(1)
    for first in range(1, 60, 3):
        driver.offer(0, first, 3)
    driver.out.clear()
    assert [driver.offer(0, 1, 3, digest=7), driver.offer(0, 4, 2)] == ["held"] * 2
    driver.offer(0, 6, 5)
    assert driver.out == [(1, unit) for unit in range(1, 11)]


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("sent", [0, 2000])
def test_a_line_that_sends_everything_twice_restarts(copies: int, sent: int) -> None:
    """A copy of what is in doubt neither confirms it nor contradicts it."""
    driver = stream(1, sent=sent > 0)
    for first in (1, 2, 3, 4):
        for _ in range(1 + copies):
            driver.offer(0, first, sent=sent and sent + first)
        assert driver.out == [(1, unit) for unit in range(1, first + 1) if first > 2]
    assert driver.line(0)["duplicates"] == 4 * copies
    assert driver.lost() == []


def test_a_line_that_sends_everything_twice_jumps() -> None:
    """Three packets beyond the distance agree, with the copy of each behind the next one."""
    driver = stream(1, NEAR)
    for first in (5000, 5001, 5000, 5002, 5001):
        driver.offer(0, first, sent=first)
    assert driver.out == [(0, 5000), (0, 5001), (0, 5002)]
    assert driver.line(0)["duplicates"] == 2


def test_copies_alone_are_no_restart() -> None:
    """However often one old packet comes, it is one."""
    driver = stream(1, sent=False)
    for _ in range(5):
        driver.offer(0, 400)
    driver.offer(0, 1001)
    assert driver.out == [(0, 1001)]
    assert driver.line(0)["before_start"] == 1
    assert driver.line(0)["duplicates"] == 4
