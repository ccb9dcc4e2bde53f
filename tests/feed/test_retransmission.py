"""What is asked for again, how often, and what comes of the answers: right, partial, conflicting, late, none."""

from dataclasses import replace

import pytest
from feed_driver import END_OF_SESSION, HEARTBEAT, SEQUENCE_RESET, Driver, Settings

from simbench.feed.sequencer import Request, Sequencer, want_all

WAIT = 1_000
ANSWER = 10_000  # until a request is repeated
IN_VAIN = 2 * WAIT + 3 * ANSWER  # when a hole that was asked for at 2 * WAIT has had all its attempts
ASKING = Settings(wait_ns=WAIT, recover="retransmit", request_ns=ANSWER, attempts=3, count=16, slots=32)


def joined(lines: int = 1, settings: Settings = ASKING) -> Driver:
    """Return a driver whose lines have brought 10 in session 0."""
    driver = Driver(lines, settings)
    driver.join(10, sent=1)
    return driver


def asking(first: int = 11, last: int = 14, lines: int = 1, settings: Settings = ASKING) -> Driver:
    """Return a driver that has asked for first..last at WAIT and holds what is behind."""
    driver = joined(lines, settings)
    for following in range(11, first):
        driver.offer(0, following, sent=1)
    driver.offer(0, last + 1, sent=2)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(first, last - first + 1, 1)]
    return driver


def ends(driver: Driver) -> list[tuple[int, int, str, str, int]]:
    """Return (first, last, outcome, cause, attempts) of every hole that has ended."""
    return [
        (gap["first"], gap["last"], gap["outcome"], gap["cause"], gap["attempts"])
        for gap in driver.sequencer.records(0)
    ]


def test_a_hole_is_asked_for_when_no_line_has_filled_it_in_time() -> None:
    """Not a moment before the wait is over, once, and with all that a server has to know."""
    driver = joined()
    driver.offer(0, 15, session=0, sent=2)
    driver.tick(WAIT - 1)
    assert driver.requests(WAIT - 1) == []
    driver.tick(WAIT)
    assert driver.requests(WAIT) == [Request(channel=0, stream=0, session=0, first=11, units=4, attempt=1)]
    assert driver.requests(WAIT) == []
    assert driver.sequencer.outstanding() == 1


def test_each_hole_waits_its_own_time() -> None:
    """When an earlier request has run out, only that is repeated: a newer hole still waits for the other line."""
    driver = asking()
    driver.offer(0, 17, sent=3, now=WAIT + ANSWER - 1)
    driver.tick(WAIT + ANSWER)
    assert driver.asked(WAIT + ANSWER) == [(11, 4, 2)]
    driver.tick(2 * WAIT + ANSWER - 1)
    assert driver.asked(2 * WAIT + ANSWER - 1) == [(16, 1, 1)]


def test_a_line_that_is_in_time_spares_the_request() -> None:
    """The other line fills the hole while it waits: nothing is asked for."""
    driver = joined(2)
    driver.offer(0, 12, sent=2)
    driver.offer(1, 11, sent=2, now=WAIT - 1)
    driver.tick(10 * WAIT)
    assert driver.requests(10 * WAIT) == []
    assert ends(driver) == [(11, 11, "other line", "filled", 0)]
    assert driver.sequencer.gaps(0) == []


def test_an_answer_closes_the_gap() -> None:
    """What was held goes on behind it, in order and once; the record says how the hole ended and when."""
    driver = asking()
    assert driver.answer(11, 4, now=2 * WAIT) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15]
    (gap,) = driver.sequencer.gaps(0)
    expected = {"first": 11, "last": 14, "outcome": "retransmission", "cause": "filled", "attempts": 1,
                "detected_ns": "0", "closed_ns": str(2 * WAIT), "filled_by": None}  # fmt: skip
    assert expected.items() <= gap.items()
    assert driver.sequencer.outstanding() == 0
    assert driver.offer(0, 16, sent=3, now=3 * WAIT) == "delivered"
    assert driver.line(0)["missing"] == [[11, 14]]
    assert driver.sequencer.answers(0) == {
        "requests": 1, "answers": 1, "repaired_units": 4, "repeated_answers": 0, "conflicting_answers": 0,
        "late_answers": 0, "unasked_answers": 0, "crowded_answers": 0,
    }  # fmt: skip


def test_what_a_partial_answer_leaves_is_asked_for_at_once_and_with_all_attempts() -> None:
    """Servers send as much as fits: the rest is wanted without a wait, and what came stays."""
    driver = asking()
    assert driver.answer(11, 1, now=WAIT + ANSWER - 1) == "delivered"
    assert driver.asked(WAIT + ANSWER - 1) == [(12, 3, 1)]
    assert driver.answer(13, 1, now=WAIT + ANSWER) == "held"
    assert driver.asked(WAIT + ANSWER) == [(12, 1, 1), (14, 1, 1)]
    assert driver.answer(12, 1, now=WAIT + ANSWER) == "delivered"
    assert driver.units() == [10, 11, 12, 13]
    assert driver.answer(14, 1, now=WAIT + ANSWER) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15]
    assert ends(driver) == [(11, 14, "retransmission", "filled", 3)]


def test_answers_in_order_are_one_gap_however_many_they_are() -> None:
    """Two holes are answered in turns: each has one record, of all its attempts and of its last answer's time."""
    driver = joined()
    driver.offer(0, 14, sent=2)
    driver.offer(0, 18, sent=2)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 3, 1), (15, 3, 1)]
    for step in range(3):
        for first in (11, 15):
            driver.answer(first + step, now=WAIT + step)
        driver.requests(WAIT + step)
    assert ends(driver) == [
        (11, 13, "retransmission", "filled", 3),
        (15, 17, "retransmission", "filled", 3),
    ]
    assert [gap["closed_ns"] for gap in driver.sequencer.gaps(0)] == [str(WAIT + 2)] * 2
    assert driver.units() == list(range(10, 19))


@pytest.mark.parametrize(
    "order", [(12, 16, 14, 13, 11, 15, 17), (11, 17, 13, 15, 14, 16, 12), (17, 15, 13, 11, 12, 14, 16)]
)
def test_answers_in_any_order_are_one_gap_and_every_message_counts_once(order: tuple[int, ...]) -> None:
    """Whichever pieces were open in between: one hole, one record, of what all its answers brought."""
    driver = asking(11, 17)
    for step, first in enumerate(order):
        driver.answer(first, now=WAIT + step)
        driver.requests(WAIT + step)
    (gap,) = driver.sequencer.records(0)
    expected = {"first": 11, "last": 17, "outcome": "retransmission", "messages": 7, "closed_ns": str(WAIT + 6)}
    assert expected.items() <= gap.items()
    assert driver.sequencer.outcomes(0) == {"retransmission": 1}
    assert driver.units() == list(range(10, 19))


def test_parts_that_end_differently_have_a_record_each() -> None:
    """The other line brought the middle; what the server sent on either side of it stays apart."""
    driver = asking(11, 17, lines=2)
    driver.offer(1, 14, now=WAIT)
    for first in (11, 13, 12, 16, 15):
        driver.answer(first, now=WAIT)
        driver.requests(WAIT)
    now = WAIT
    for _ in range(4):
        now += ANSWER
        driver.tick(now)
        driver.requests(now)
    found = sorted((first, last, outcome) for first, last, outcome, _, _ in ends(driver))
    assert found == [
        (11, 13, "retransmission"),
        (14, 14, "other line"),
        (15, 16, "retransmission"),
        (17, 17, "lost"),
    ]


def test_a_request_without_an_answer_is_repeated_and_then_the_gap_is_lost() -> None:
    """A refusal is silence. After the last attempt's deadline the hole is given up, and the books go on."""
    driver = asking()
    for attempt in (2, 3):
        due = WAIT + (attempt - 1) * ANSWER
        driver.tick(due - 1)
        assert driver.asked(due - 1) == []
        driver.tick(due)
        assert driver.asked(due) == [(11, 4, attempt)]
    assert driver.lost() == []
    assert driver.tick(WAIT + 3 * ANSWER + 7) == 1
    assert ends(driver) == [(11, 14, "lost", "unanswered", 3)]
    assert driver.sequencer.gaps(0)[0]["closed_ns"] == str(WAIT + 3 * ANSWER)
    assert driver.units() == [10, 15]
    assert driver.asked(WAIT + 9 * ANSWER) == []
    assert driver.sequencer.outstanding() == 0


def test_what_a_failed_attempt_filled_stays_filled() -> None:
    """Half an answer, then silence: only the other half is lost."""
    driver = asking()
    driver.answer(11, 2, now=WAIT)
    now = WAIT
    for _ in range(3):
        assert len(driver.requests(now)) == 1
        now += ANSWER
        driver.tick(now)
    assert driver.lost() == [(13, 14)]
    assert driver.units() == [10, 11, 12, 15]


def test_an_answer_to_an_earlier_attempt_counts() -> None:
    """It comes when the request has timed out and is wanted again: nothing is asked for any more."""
    driver = asking()
    driver.tick(WAIT + ANSWER)
    assert driver.answer(11, 4, now=WAIT + ANSWER) == "delivered"
    assert driver.asked(WAIT + ANSWER) == []
    assert ends(driver) == [(11, 14, "retransmission", "filled", 1)]


def test_an_answer_for_a_gap_given_up_is_late() -> None:
    """It is counted in the gap's record and delivers nothing."""
    driver = asking()
    for attempt in range(1, 4):
        driver.tick(WAIT + attempt * ANSWER)
        driver.requests(WAIT + attempt * ANSWER)
    assert driver.lost() == [(11, 14)]
    before = driver.units()
    assert driver.answer(11, 3, now=WAIT + 4 * ANSWER) == "late"
    assert driver.units() == before
    assert driver.sequencer.gaps(0)[0]["late_units"] == 3
    assert driver.sequencer.answers(0)["late_answers"] == 1


def test_an_answer_that_differs_from_what_came_first_is_a_conflict() -> None:
    """The first one counts: another answer, or the other line's packet, with other bytes is told apart."""
    driver = asking(lines=2)
    assert driver.answer(11, 4, digest=1) == "delivered"
    assert driver.answer(11, 4, digest=2) == "conflict"
    assert driver.answer(11, 4, digest=1) == "duplicate"
    assert driver.offer(1, 11, 4, digest=3, sent=2) == "conflict"
    assert driver.units() == [10, 11, 12, 13, 14, 15]
    counts = driver.sequencer.answers(0)
    assert (counts["conflicting_answers"], counts["repeated_answers"]) == (1, 1)
    assert driver.line(1)["conflicts"] == 1


def test_a_line_may_fill_what_was_asked_for() -> None:
    """The rest stays asked for until its deadline; the answer then brings nothing new."""
    driver = asking(lines=2)
    assert driver.offer(1, 11, 2, sent=2, now=2 * WAIT) == "delivered"
    assert driver.asked(2 * WAIT) == []
    assert driver.offer(1, 13, 2, sent=2, now=3 * WAIT) == "delivered"
    assert driver.answer(11, 4, now=4 * WAIT) == "duplicate"
    assert ends(driver) == [(11, 14, "other line", "filled", 1)]
    assert driver.units() == [10, 11, 12, 13, 14, 15]


def test_an_answer_may_bring_more_than_was_asked_for() -> None:
    """What is known already is skipped, and what no line has brought yet is news."""
    driver = asking()
    assert driver.answer(9, 9, now=WAIT) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15, 16, 17]
    assert driver.offer(0, 16, 2, sent=3, now=WAIT) == "duplicate"
    assert driver.offer(0, 18, sent=4, now=WAIT) == "delivered"


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    """Before the first packet, above all that is known, or inside a hole that still waits for the other line."""
    driver = Driver(1, ASKING)
    assert driver.answer(5) == "not asked for"
    driver.join(10)
    driver.offer(0, 12)
    assert driver.answer(11) == "not asked for"
    assert driver.answer(13, 5) == "not asked for"
    assert driver.answer(11, 0) == "not asked for"
    assert driver.units() == [10]
    assert driver.sequencer.open_holes(0) == [(11, 11)]
    assert driver.sequencer.answers(0)["unasked_answers"] == 4


@pytest.mark.parametrize(("first", "units"), [(-1, 4), (11, -1), (11, 1 << 61), (11, 1 << 40)])
def test_an_answer_that_cannot_be_is_counted(first: int, units: int) -> None:
    """A sequence or a count that is damage leaves the hole as it is."""
    driver = asking()
    header = (0, 0, first, units, 0, 0)
    assert driver._offer(None, header, 4, 0, 0, WAIT, 0) == "invalid"
    assert driver.sequencer.counters()["invalid"] == 1
    assert driver.sequencer.open_holes(0) == [(11, 14)]


def test_a_restart_in_the_middle_of_a_gap_ends_it_on_a_before_b() -> None:
    """Line A begins a new session while the answer is under way and B is still in the old one.

    The gap ends by the restart. What B and the server still bring of it is late, counted in its record, and fills
    nothing of the new session, whose own hole B closes as soon as it has come there.
    """
    driver = asking(11, 12, lines=2)
    assert driver.offer(0, 1, session=1, sent=10, now=2 * WAIT) == "delivered"
    assert ends(driver) == [(11, 12, "lost", "restart", 1)]
    assert driver.units() == [10, 13, 1]
    assert driver.offer(0, 3, session=1, sent=11, now=2 * WAIT) == "held"
    assert driver.offer(1, 11, session=0, sent=2, now=2 * WAIT) == "late"
    assert driver.answer(11, 2, session=0, now=2 * WAIT) == "late"
    assert driver.sequencer.gaps(0)[0]["late_units"] == 3
    assert driver.offer(1, 1, session=1, sent=10, now=2 * WAIT) == "duplicate"
    assert driver.offer(1, 2, session=1, sent=10, now=2 * WAIT) == "delivered"
    assert driver.out == [(0, 10), (0, 13), (1, 1), (1, 2), (1, 3)]
    driver.tick(9 * ANSWER)
    assert driver.requests(9 * ANSWER) == []


@pytest.mark.parametrize("sent", [0, 2])
def test_an_answer_from_before_a_restart_fills_no_hole_behind_it(sent: int) -> None:
    """Within one session only the sent time tells, or that the new hole has not been asked for."""
    driver = asking(11, 12)
    driver.offer(0, 10, flags=SEQUENCE_RESET, sent=10, now=2 * WAIT)
    driver.offer(0, 13, sent=11, now=2 * WAIT)
    assert driver.answer(11, 2, sent=sent, now=2 * WAIT) == ("late" if sent else "not asked for")
    driver.tick(3 * WAIT)
    assert driver.asked(3 * WAIT) == [(11, 2, 1)]
    if sent:
        assert driver.answer(11, 2, sent=sent, now=3 * WAIT) == "late"
    assert driver.answer(11, 2, sent=11, now=3 * WAIT) == "delivered"
    assert driver.out == [(0, 10), (0, 13), (1, 10), (1, 11), (1, 12), (1, 13)]


def test_a_pause_in_the_middle_of_a_gap_costs_no_attempt() -> None:
    """Replay time stands still: nothing runs out however often time is looked at, and the answer still counts."""
    driver = asking()
    for _ in range(50):
        driver.tick(WAIT + ANSWER - 1)
        assert driver.requests(WAIT + ANSWER - 1) == []
    assert driver.answer(11, 4, now=WAIT + ANSWER - 1) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15]
    driver.tick(WAIT + 9 * ANSWER)
    assert ends(driver) == [(11, 14, "retransmission", "filled", 1)]


def test_a_pause_before_a_hole_is_asked_for_keeps_it_waiting() -> None:
    """The wait for the other line is replay time, too: it fills the hole after the pause, and nothing was asked."""
    driver = joined(2)
    driver.offer(0, 12, sent=2)
    for _ in range(50):
        driver.tick(WAIT - 1)
    assert driver.offer(1, 11, sent=2, now=WAIT - 1) == "delivered"
    driver.tick(WAIT + 9 * ANSWER)
    assert driver.requests(WAIT + 9 * ANSWER) == []
    assert ends(driver) == [(11, 11, "other line", "filled", 0)]


def test_a_hole_at_the_tail_is_asked_for_when_a_heartbeat_has_revealed_it() -> None:
    """No packet ever follows; the answer brings the last units of the day."""
    driver = joined()
    driver.offer(0, 13, 0, flags=HEARTBEAT)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 2, 1)]
    assert driver.answer(11, 2, now=WAIT) == "delivered"
    assert driver.units() == [10, 11, 12]


def test_a_hole_at_the_end_of_a_session_is_asked_for() -> None:
    """The session has ended, and its hole is closed all the same; only then has the stream ended."""
    driver = joined()
    driver.offer(0, 13, 0, flags=END_OF_SESSION)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 2, 1)]
    assert driver.answer(11, 2, now=WAIT) == "delivered"
    assert driver.units() == [10, 11, 12]
    assert driver.sequencer.state(0) == "ended"


def test_the_end_of_the_data_wants_everything_and_then_gives_it_up() -> None:
    """want_all() ends the waits for lines that will bring nothing more; finish() what nobody has answered."""
    driver = joined(2)
    driver.offer(0, 12, sent=2)
    driver.offer(0, 14, sent=3)
    want_all(driver.sequencer.memory)
    assert driver.sequencer.outstanding() == 2
    assert driver.asked(5) == [(11, 1, 1), (13, 1, 1)]
    driver.answer(11, now=5)
    driver.finish(6)
    assert ends(driver) == [(11, 11, "retransmission", "filled", 1), (13, 13, "lost", "end of data", 1)]
    assert driver.sequencer.outstanding() == 0


def test_too_many_packets_held_end_the_wait_and_not_the_hope() -> None:
    """The count makes the first hole wanted before its time; without anybody to ask it would be lost."""
    driver = joined()
    for first in range(12, 12 + ASKING.count):
        driver.offer(0, first, sent=2)
    assert driver.asked(1) == []
    driver.offer(0, 12 + ASKING.count, sent=2)
    assert driver.asked(1) == [(11, 1, 1)]
    assert driver.answer(11, now=1) == "delivered"
    assert driver.units() == list(range(10, 13 + ASKING.count))


def test_a_hole_that_the_sequence_has_run_far_ahead_of_is_wanted() -> None:
    """Distance ends the wait of what lies so far back, and of that alone."""
    driver = joined(settings=replace(ASKING, distance=20))
    driver.offer(0, 12, sent=2)
    driver.offer(0, 25, sent=2)
    assert driver.asked(1) == []
    driver.offer(0, 26, 8, sent=2)
    assert driver.asked(1) == [(11, 1, 1), (13, 12, 1)]
    driver.offer(0, 36, sent=2)
    assert driver.sequencer.open_holes(0) == [(11, 11), (13, 24), (34, 35)]
    assert driver.asked(1) == []


def test_a_full_slab_gives_up_what_was_asked_for_and_says_so() -> None:
    """The buffer is bounded: the first hole ends, what is held goes on, the next hole is still asked for."""
    driver = joined(settings=replace(ASKING, count=8, slots=8))
    driver.offer(0, 12, sent=2)
    driver.offer(0, 14, 1, sent=2)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 1, 1), (13, 1, 1)]
    for first in range(15, 21):
        driver.offer(0, first, sent=2, now=WAIT)
    assert driver.lost() == []
    driver.offer(0, 21, sent=2, now=WAIT)
    assert ends(driver) == [(11, 11, "lost", "slab full", 1)]
    assert driver.units() == [10, 12]
    assert driver.answer(11, now=WAIT) == "late"
    assert driver.answer(13, now=WAIT) == "delivered"
    assert driver.units() == [10, *range(12, 22)]


def test_an_answer_without_a_slot_is_asked_for_again() -> None:
    """An answer gives up nothing to make room for itself; it is left, counted, and comes with the next attempt."""
    driver = joined(settings=replace(ASKING, count=8, slots=3))
    for first in (12, 14, 16):
        driver.offer(0, first, sent=2)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 1, 1), (13, 1, 1), (15, 1, 1)]
    assert driver.answer(13, now=WAIT) == "refused"
    assert driver.sequencer.answers(0)["crowded_answers"] == 1
    assert driver.answer(11, now=WAIT) == "delivered"
    driver.tick(WAIT + ANSWER)
    assert driver.asked(WAIT + ANSWER) == [(13, 1, 2), (15, 1, 2)]
    assert driver.answer(13, now=WAIT + ANSWER) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14]


def spent() -> Driver:
    """Return a driver that asks for 12, with attempts left, and has asked for 14 in vain."""
    driver = asking(11, 12)
    driver.offer(0, 15, sent=3, now=WAIT)
    driver.tick(2 * WAIT)
    assert driver.asked(2 * WAIT) == [(14, 1, 1)]
    for now in (2 * WAIT + ANSWER, 2 * WAIT + 2 * ANSWER):
        driver.tick(now)
        driver.requests(now)
    assert driver.answer(11, now=IN_VAIN - WAIT) == "delivered"  # with this, 12 has all its attempts again
    driver.requests(IN_VAIN - WAIT)
    driver.tick(IN_VAIN)
    assert driver.requests(IN_VAIN) == []
    assert driver.sequencer.open_holes(0) == [(12, 12), (14, 14)]
    assert driver.sequencer.outstanding() == 1
    return driver


def test_a_spent_hole_is_open_as_long_as_one_before_it() -> None:
    """Nothing behind the first hole could be delivered, so an answer to the other is not late before."""
    driver = spent()
    assert driver.answer(14, now=IN_VAIN + 5) == "held"
    assert driver.answer(12, now=IN_VAIN + 5) == "delivered"
    assert driver.units() == [10, 11, 12, 13, 14, 15]


def test_a_spent_hole_that_becomes_the_first_is_given_up_with_its_own_deadline() -> None:
    """As soon as time is looked at, whenever that is; the record says when its time ran out."""
    driver = spent()
    assert driver.answer(12, now=IN_VAIN + 5) == "delivered"
    assert driver.answer(14, now=IN_VAIN + 6) == "late"
    assert ends(driver)[-1] == (14, 14, "lost", "unanswered", 3)
    assert driver.sequencer.records(0)[-1]["closed_ns"] == str(IN_VAIN)
    assert driver.units() == [10, 11, 12, 13, 15]


@pytest.mark.parametrize("held", [False, True])
def test_an_answers_sent_time_does_not_make_the_lines_look_old(held: bool) -> None:
    """Servers may stamp when they send again: if that was the last that came, a restart is still seen as one."""
    driver = joined()
    driver.offer(0, 13, 0, flags=HEARTBEAT)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 2, 1)]
    if held:
        assert driver.answer(12, sent=1_000, now=WAIT) == "held"
        driver.requests(WAIT)
    assert driver.answer(11, 1 if held else 2, sent=1_000, now=WAIT) == "delivered"
    assert driver.units() == [10, 11, 12]
    assert driver.offer(0, 1, session=1, sent=20, now=WAIT) == "delivered"
    assert driver.out[-1] == (1, 1)


def test_what_could_not_be_decoded_is_asked_for_from_there_on() -> None:
    """The units before the damage are not asked for, and the answer closes the gap."""
    driver = joined()
    driver.offer(0, 11, 4, sent=2, broken=1)
    driver.offer(0, 15, sent=3)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(12, 3, 1)]
    assert driver.answer(12, 3, now=WAIT + 1) == "delivered"
    assert ends(driver) == [(12, 14, "retransmission", "filled", 1)]
    assert driver.units()[-5:] == [11, 12, 13, 14, 15]


def test_an_answer_that_cannot_be_decoded_is_the_last() -> None:
    """The server has nothing better: what is left of the answer is lost at once, and not asked for again."""
    driver = joined()
    driver.offer(0, 11, 4, sent=2, broken=1)
    driver.offer(0, 15, sent=3)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(12, 3, 1)]
    assert driver.answer(12, 3, now=WAIT + 1, broken=1) == "delivered"
    assert ends(driver) == [(12, 14, "retransmission", "filled", 1), (13, 14, "lost", "malformed", 0)]
    assert driver.units()[-3:] == [11, 12, 15]
    driver.tick(WAIT + 2 * ANSWER)
    assert driver.asked(WAIT + 2 * ANSWER) == []


def test_what_could_not_be_decoded_before_an_asked_hole_does_not_wait() -> None:
    """A packet that waited goes on and is damaged, while the hole behind it has been asked for already."""
    driver = joined()
    driver.offer(0, 12, 2, sent=3, broken=0)
    driver.offer(0, 16, sent=4)
    driver.tick(WAIT)
    assert driver.asked(WAIT) == [(11, 1, 1), (14, 2, 1)]
    assert driver.answer(11, now=WAIT + 1) == "delivered"
    assert driver.asked(WAIT + 1) == [(12, 2, 1)]
    assert driver.answer(12, 2, now=WAIT + 2) == "delivered"
    assert driver.answer(14, 2, now=WAIT + 3) == "delivered"
    assert driver.units()[-6:] == [11, 12, 13, 14, 15, 16]


def test_only_channels_with_a_server_ask() -> None:
    """The other channel gives its hole up by time, as without recovery."""
    driver = Driver(1, ASKING)
    driver.sequencer = Sequencer.create([1, 1], ASKING, [False, True])
    for channel in (0, 1):
        driver.join(10, channel=channel)
        driver.offer(0, 12, channel=channel)
    driver.tick(WAIT)
    assert [(request.channel, request.first) for request in driver.requests(WAIT)] == [(1, 11)]
    assert [gap["cause"] for gap in driver.sequencer.gaps(0)] == ["time"]
    assert driver.answer(11, now=WAIT, channel=0) == "late"
    assert driver.answer(11, now=WAIT, channel=1) == "delivered"
    assert driver.sequencer.gaps(1)[0]["outcome"] == "retransmission"


def test_every_stream_asks_for_its_own() -> None:
    """Units of one channel with holes at the same sequences do not fill each other's."""
    driver = Driver(1, ASKING)
    for stream in (3, 5):
        driver.join(10, stream=stream)
        driver.offer(0, 12, stream=stream)
    driver.tick(WAIT)
    assert [(request.stream, request.first) for request in driver.requests(WAIT)] == [(3, 11), (5, 11)]
    assert driver.answer(11, now=WAIT, stream=5) == "delivered"
    assert driver.answer(11, now=WAIT, stream=5) == "duplicate"
    assert driver.sequencer.outstanding() == 1


def test_a_copy_in_the_middle_of_a_request_is_a_checkpoint() -> None:
    """Answers, deadlines and attempts go on from a copy, also in a larger array."""
    driver = asking()
    other = Driver(1, ASKING)
    other.sequencer, other.out = driver.sequencer.copy(), driver.out.copy()
    other.grow()
    for one in (driver, other):
        one.answer(12, now=2 * WAIT)
        assert one.asked(2 * WAIT) == [(11, 1, 1), (13, 2, 1)]
        one.tick(2 * WAIT + ANSWER)
        assert one.asked(2 * WAIT + ANSWER) == [(11, 1, 2), (13, 2, 2)]
        one.answer(11, 4, now=2 * WAIT + ANSWER)
        one.finish(3 * ANSWER)
    assert driver.out == other.out == [(0, unit) for unit in range(10, 16)]
    assert ends(driver) == ends(other)
