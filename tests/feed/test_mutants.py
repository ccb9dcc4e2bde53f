"""A change of any rule of gaps and requests is seen by a test that says the rule.

Each row changes one rule in the source; the test beside it fails then, and passes without the change.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


class Mutant(NamedTuple):
    """One rule changed.

    Attributes:
        rule: that is broken.
        module: of simbench.feed.
        old: text that stands there once.
        new: in its place.
        test: that says the rule: file::name, without "test_".
    """

    rule: str
    module: str
    old: str
    new: str
    test: str


MUTANTS = (
    Mutant(
        "a hole is everything between what was known and what came",
        "admit",
        "top, following - 1, now, line)",
        "top, top, now, line)",
        "arbitration::a_partially_filled_hole_splits_into_records",
    ),
    Mutant(
        "a heartbeat reveals the tail",
        "admit",
        "memory[own + L_HEARTBEATS] += 1\n        reveal(memory, stream, line, first, now)",
        "memory[own + L_HEARTBEATS] += 1",
        "arbitration::a_heartbeat_reveals_a_hole_at_the_tail_and_a_tick_ends_it",
    ),
    Mutant(
        "nothing above a hole is delivered",
        "admit",
        "verdict = HELD if joining or first > memory[stream + S_EXPECTED] else DELIVER",
        "verdict = HELD if joining else DELIVER",
        "arbitration::a_short_gap_is_never_stepped_over",
    ),
    Mutant(
        "a hole is lost when its time is over, not later",
        "passage",
        "        if now < deadline:\n            break\n        give_up(memory, stream, BY_TIME, deadline)",
        "        if now <= deadline:\n            break\n        give_up(memory, stream, BY_TIME, deadline)",
        "arbitration::a_heartbeat_reveals_a_hole_at_the_tail_and_a_tick_ends_it",
    ),
    Mutant(
        "and its record says when that was, whenever time is looked at",
        "passage",
        "give_up(memory, stream, BY_TIME, deadline)",
        "give_up(memory, stream, BY_TIME, now)",
        "arbitration::time_counts_at_the_next_packet_as_well_as_in_a_tick",
    ),
    Mutant(
        "the count ends a hole",
        "admit",
        "        give_up(memory, stream, BY_COUNT, now)",
        "        return",
        "arbitration::a_hole_is_given_up_by_count_or_by_distance",
    ),
    Mutant(
        "the distance ends a hole",
        "admit",
        "        give_up(memory, stream, BY_DISTANCE, now)",
        "        return",
        "arbitration::a_hole_is_given_up_by_count_or_by_distance",
    ),
    Mutant(
        "a full slab ends a hole and says so",
        "arbitrate",
        "            return True\n        give_up(memory, stream, BY_OVERFLOW, now)",
        "            return True\n        give_up(memory, stream, 0, now)",
        "arbitration::a_full_slab_ends_the_hole_by_name",
    ),
    Mutant(
        "a restart ends a hole",
        "epochs",
        "give_up(memory, stream, BY_RESTART, now)",
        "give_up(memory, stream, 0, now)",
        "epochs::a_restart_in_the_middle_of_a_gap_ends_it",
    ),
    Mutant(
        "the end of the data ends a hole",
        "passage",
        "        while memory[stream + S_HOLE] != NIL:\n            give_up(memory, stream, BY_END, now)\n",
        "",
        "arbitration::the_end_of_the_data_closes_everything",
    ),
    Mutant(
        "what could not be decoded is missing",
        "passage",
        "        record(memory, stream, first, last, now, now, LOST, BY_DAMAGE, line)\n        return 0\n",
        "        return 0\n",
        "arbitration::what_cannot_be_decoded_is_missing_without_room_for_a_hole",
    ),
    Mutant(
        "what could not be decoded can be filled",
        "passage",
        "    memory[stream + S_EXPECTED] = first\n    _fill",
        "    _fill",
        "arbitration::the_other_lines_copy_fills_what_could_not_be_decoded",
    ),
    Mutant(
        "a copy of what could not be decoded is no help",
        "admit",
        "if memory[stream + S_HOLE] != NIL and compare_digest(memory, stream, first, units, digest) != SAME:",
        "if True:",
        "arbitration::a_copy_of_what_could_not_be_decoded_fills_nothing",
    ),
    Mutant(
        "what other held packets have of it is not missing",
        "passage",
        "    _fill_from_held(memory, stream, last, now)\n",
        "",
        "arbitration::a_held_packet_that_was_cut_differently_fills_what_could_not_be_decoded",
    ),
    Mutant(
        "lost records are in the order of their sequences",
        "gaps",
        "while below != NIL and memory[_record_row(memory, below) + G_FIRST] > memory[row + G_LAST]:",
        "while False:",
        "arbitration::damage_behind_which_more_is_lost_already_keeps_the_records_in_order",
    ),
    Mutant(
        "an answer that cannot be decoded is not asked for for ever",
        "passage",
        "    if line == RETRANSMITTED:\n",
        "    if line == RETRANSMITTED and False:\n",
        "retransmission::an_answer_that_cannot_be_decoded_is_the_last",
    ),
    Mutant(
        "what is missing before a hole that has been asked for is asked for at once",
        "holes",
        "    if following != waiting:\n",
        "    if False:\n",
        "retransmission::what_could_not_be_decoded_before_an_asked_hole_does_not_wait",
    ),
    Mutant(
        "a new epoch that lost its first packets begins with a hole",
        "epochs",
        "start = one if one <= first <= one + distance else NIL",
        "start = first",
        "epochs::a_restart_that_lost_its_first_packets_has_a_gap_at_its_start",
    ),
    Mutant(
        "what fills the end of a hole leaves its beginning open",
        "gaps",
        "            memory[row + O_LAST] = x - 1\n            before = hole",
        "            close(memory, stream, before, hole)",
        "wrap::the_other_line_fills_a_hole_across_the_wrap",
    ),
    Mutant(
        "what fills the beginning of a hole leaves its end open",
        "gaps",
        "            memory[row + O_FIRST] = y + 1\n            before = hole",
        "            close(memory, stream, before, hole)",
        "retransmission::what_a_partial_answer_leaves_is_asked_for_at_once_and_with_all_attempts",
    ),
    Mutant(
        "what fills the middle of a hole leaves both ends open",
        "holes",
        "memory[other + O_FIRST] = last + 1",
        "memory[other + O_FIRST] = last + 2",
        "arbitration::a_partially_filled_hole_splits_into_records",
    ),
    Mutant(
        "the line that revealed a hole fills it by a reorder",
        "gaps",
        "outcome = REORDER if line == revealed else OTHER_LINE",
        "outcome = OTHER_LINE",
        "arbitration::a_reordered_packet_fills_its_own_lines_hole",
    ),
    Mutant(
        "what comes after its gap was given up is late",
        "gaps",
        "memory[row + G_LATE] += units",
        "memory[row + G_LATE] += 0",
        "arbitration::late_packets_are_counted_and_stay_out",
    ),
    Mutant(
        "a line that went on without it has passed a hole",
        "gaps",
        "memory[own + L_NEXT] > last:",
        "memory[own + L_NEXT] < last:",
        "arbitration::a_gap_says_how_the_lines_stood",
    ),
    Mutant(
        "pieces of one hole that were filled alike are one record",
        "gaps",
        "        before = _beside(memory, memory[row + O_BEFORE], outcome, line)",
        "        before = NIL",
        "retransmission::answers_in_order_are_one_gap_however_many_they_are",
    ),
    Mutant(
        "in whatever order they were filled",
        "gaps",
        "        _join(memory, before, behind)",
        "        behind = NIL",
        "retransmission::answers_in_any_order_are_one_gap_and_every_message_counts_once",
    ),
    Mutant(
        "with the messages of all of them",
        "gaps",
        "_record_row(memory, _telling(memory, memory[OUT_RECORD]))",
        "_record_row(memory, memory[OUT_RECORD])",
        "retransmission::answers_in_any_order_are_one_gap_and_every_message_counts_once",
    ),
    Mutant(
        "what one line alone missed is told",
        "missing",
        "        add_missing(memory, own, epoch, expected, first - 1)",
        "        pass",
        "arbitration::missing_is_what_one_line_alone_did_not_bring",
    ),
    Mutant(
        "nothing is asked for while it may still come",
        "requests",
        "        and now >= memory[hole_row(memory, memory[stream + S_WAITING]) + O_DETECTED] + wait",
        "        and now >= memory[hole_row(memory, memory[stream + S_WAITING]) + O_DETECTED]",
        "retransmission::each_hole_waits_its_own_time",
    ),
    Mutant(
        "a hole is asked for once until its deadline",
        "requests",
        "    change(memory, row, ASKING)\n",
        "",
        "retransmission::a_hole_that_the_sequence_has_run_far_ahead_of_is_wanted",
    ),
    Mutant(
        "without an answer it is asked for again",
        "requests",
        "SPENT if memory[row + O_TRIES] >= memory[ATTEMPTS] else WANTING",
        "SPENT",
        "retransmission::a_request_without_an_answer_is_repeated_and_then_the_gap_is_lost",
    ),
    Mutant(
        "and not once more than was said",
        "requests",
        "SPENT if memory[row + O_TRIES] >= memory[ATTEMPTS] else WANTING",
        "SPENT if memory[row + O_TRIES] > memory[ATTEMPTS] else WANTING",
        "retransmission::a_request_without_an_answer_is_repeated_and_then_the_gap_is_lost",
    ),
    Mutant(
        "a hole that was asked for in vain is lost with its deadline",
        "requests",
        "give_up(memory, stream, UNANSWERED, memory[row + O_DEADLINE])",
        "give_up(memory, stream, UNANSWERED, now)",
        "retransmission::a_spent_hole_that_becomes_the_first_is_given_up_with_its_own_deadline",
    ),
    Mutant(
        "only the first hole is given up for want of an answer",
        "requests",
        "        if memory[row + O_STATE] != SPENT:\n            break\n",
        "        if memory[stream + S_ANSWER_DUE] != NEVER:\n            break\n",
        "retransmission::an_answer_without_a_slot_is_asked_for_again",
    ),
    Mutant(
        "what an answer leaves is wanted at once",
        "gaps",
        "            change(memory, row, WANTING)\n",
        "",
        "retransmission::what_a_partial_answer_leaves_is_asked_for_at_once_and_with_all_attempts",
    ),
    Mutant(
        "with all attempts before it",
        "gaps",
        "            memory[row + O_TRIES] = 0\n",
        "",
        "retransmission::what_a_failed_attempt_filled_stays_filled",
    ),
    Mutant(
        "what a server filled is told from what a line filled",
        "gaps",
        "        outcome = RETRANSMISSION\n",
        "        outcome = OTHER_LINE\n",
        "retransmission::an_answer_closes_the_gap",
    ),
    Mutant(
        "an answer fills only what was asked for",
        "answers",
        "    if open_units(memory, stream, first, end, 1) == 0:",
        "    if open_units(memory, stream, first, end, 0) == 0:",
        "retransmission::an_answer_that_nobody_asked_for_changes_nothing",
    ),
    Mutant(
        "an answer of an epoch that is over fills nothing",
        "answers",
        "0 < sent <= memory[epoch + E_AFTER]",
        "0 > sent",
        "retransmission::an_answer_from_before_a_restart_fills_no_hole_behind_it",
    ),
    Mutant(
        "an answer of another session fills nothing",
        "answers",
        "    if session != memory[stream + S_SESSION] or memory[stream + S_PENDING] != 0:",
        "    if memory[stream + S_PENDING] != 0:",
        "retransmission::a_restart_in_the_middle_of_a_gap_ends_it_on_a_before_b",
    ),
    Mutant(
        "what still comes of a gap that a restart ended is in its record",
        "epochs",
        "memory[row + E_LOST] = memory[stream + S_LOST]",
        "memory[row + E_LOST] = NIL",
        "retransmission::a_restart_in_the_middle_of_a_gap_ends_it_on_a_before_b",
    ),
    Mutant(
        "an answer for a gap given up is late",
        "answers",
        "    if first <= memory[stream + S_SURE] and note_late(memory, memory[stream + S_LOST], first, end) > 0:",
        "    if first < 0:",
        "retransmission::an_answer_for_a_gap_given_up_is_late",
    ),
    Mutant(
        "an answer with other bytes is a conflict",
        "answers",
        "    if compare_digest(memory, stream, first, units, digest) == OTHER:",
        "    if digest == OTHER + NIL:",
        "retransmission::an_answer_that_differs_from_what_came_first_is_a_conflict",
    ),
    Mutant(
        "an answer behind an open hole waits for it",
        "answers",
        "    if first > memory[stream + S_EXPECTED]:",
        "    if first > end:",
        "retransmission::what_a_partial_answer_leaves_is_asked_for_at_once_and_with_all_attempts",
    ),
    Mutant(
        "an answer gives up nothing to make room for itself",
        "answers",
        "            memory[counts + C_CROWDED] += 1\n            return REFUSED",
        "            memory[counts + C_CROWDED] += 1\n            slot = 0",
        "retransmission::an_answer_without_a_slot_is_asked_for_again",
    ),
    Mutant(
        "an answer's sent time is the server's",
        "passage",
        "        if memory[row + K_LINE] != RETRANSMITTED:",
        "        if memory[row + K_LINE] != NIL:",
        "retransmission::an_answers_sent_time_does_not_make_the_lines_look_old",
    ),
    Mutant(
        "also when nothing was before it to wait for",
        "answers",
        "        memory[stream + S_EXPECTED] = end\n",
        "        from simbench.feed.layout import S_SENT\n\n        memory[stream + S_EXPECTED] = end\n"
        "        memory[stream + S_SENT] = sent\n",
        "retransmission::an_answers_sent_time_does_not_make_the_lines_look_old",
    ),
    Mutant(
        "an answer cannot move the sequence farther than a line can",
        "answers",
        "    if end - memory[stream + S_TOP] > memory[DISTANCE]:",
        "    if end < first:",
        "retransmission::an_answer_that_cannot_be_is_counted",
    ),
    Mutant(
        "a channel without a server asks nobody",
        "state",
        "servers is None or servers[channel]",
        "servers is None or len(servers) > 0",
        "retransmission::only_channels_with_a_server_ask",
    ),
    Mutant(
        "the count ends the wait of the hole that all is held for",
        "admit",
        "    if first_waits and memory[stream + S_HELD] > memory[COUNT]",
        "    if first_waits and memory[stream + S_HELD] > 2 * memory[COUNT]",
        "retransmission::too_many_packets_held_end_the_wait_and_not_the_hope",
    ),
    Mutant(
        "the distance ends the wait of what lies so far back",
        "admit",
        "O_FIRST] > memory[DISTANCE]\n    ):\n        end_wait(memory, stream)",
        "O_FIRST] > memory[DISTANCE]\n    ):\n        return",
        "retransmission::a_hole_that_the_sequence_has_run_far_ahead_of_is_wanted",
    ),
    Mutant(
        "at the end everything that can be asked for is",
        "requests",
        "            while memory[stream + S_WAITING] != NIL:\n                end_wait(memory, stream)",
        "            end_wait(memory, stream)",
        "retransmission::the_end_of_the_data_wants_everything_and_then_gives_it_up",
    ),
    Mutant(
        "a request says the wire's sequence",
        "requests",
        "on_wire(memory, channel, memory[row + O_FIRST])",
        "memory[row + O_FIRST]",
        "wrap::a_request_across_the_wrap_says_the_wires_sequence",
    ),
    Mutant(
        "behind the highest sequence comes 1",
        "wrap",
        "    if same + wrap - top <= near:",
        "    if same + wrap - top <= 0:",
        "wrap::a_hole_across_the_wrap_is_one_hole",
    ),
    Mutant(
        "a line may be behind the wrap",
        "wrap",
        "    elif top - (same - wrap) <= near:",
        "    elif top - (same - wrap) <= 0:",
        "wrap::a_line_that_is_behind_the_wrap_repeats_what_was_before_it",
    ),
    Mutant(
        "a restart is no wrap",
        "wrap",
        "    near = wrap >> NEAR",
        "    near = wrap >> 1",
        "wrap::a_restart_is_no_wrap",
    ),
    Mutant(
        "a line is stale after two seconds of silence",
        "status",
        "STALE if silence > memory[STALE_NS] else UP",
        "STALE if silence >= memory[STALE_NS] else UP",
        "status::a_line_goes_stale_and_then_down_as_time_passes_without_a_packet",
    ),
    Mutant(
        "a channel retransmits when its first hole no longer waits",
        "status",
        "WAITING_FOR_LINE if memory[stream + S_HOLE] == memory[stream + S_WAITING] else RETRANSMITTING",
        "WAITING_FOR_LINE",
        "status::a_channel_waits_for_the_other_line_and_then_for_the_server",
    ),
    Mutant(
        "who joins waits for older packets",
        "epochs",
        "    joining = start == NIL and first != sequence_one(memory, stream, first)",
        "    joining = False",
        "arbitration::a_first_packet_that_others_have_overtaken_is_delivered_first",
    ),
    Mutant(
        "a line's own packets, too",
        "epochs",
        "    if memory[stream + S_STATE] == JOINING and not below:",
        "    if memory[stream + S_STATE] == JOINING and below:",
        "arbitration::a_first_packet_that_others_have_overtaken_is_delivered_first",
    ),
    Mutant(
        "what was sent before a restart is of before",
        "epochs",
        "sent <= memory[epoch + E_AFTER] or",
        "sent <= 0 or",
        "epochs::an_old_packet_is_not_what_a_restart_lost_at_its_beginning",
    ),
    Mutant(
        "also what no line had brought",
        "epochs",
        "sent < memory[epoch + E_SENT] and first",
        "sent < 0 and first",
        "epochs::what_the_old_epoch_still_had_behind_its_last_is_late",
    ),
    Mutant(
        "but not what the restart's first packet has overtaken",
        "epochs",
        "first >= memory[epoch + E_BEGAN]",
        "first >= 0",
        "epochs::the_other_line_may_have_what_was_before_the_first_of_a_new_epoch",
    ),
    Mutant(
        "late copies cut differently are no restart",
        "admit",
        "    return reached >= end",
        "    return False",
        "epochs::late_copies_that_are_cut_differently_are_no_restart",
    ),
    Mutant(
        "a copy of what is in doubt does not contradict it",
        "doubts",
        "memory[row + K_DIGEST] == digest and memory[row + K_SESSION] == session:",
        "memory[row + K_DIGEST] == digest and session < 0:",
        "epochs::a_line_that_sends_everything_twice_restarts",
    ),
)


def tell(mutants: list[tuple[str, str, str, list[str]]]) -> list[int]:
    """Return what pytest says of the tests with each of the changes made."""
    found = subprocess.run(
        [sys.executable, HERE / "mutant_runner.py"],
        input=json.dumps(mutants),
        env=os.environ
        | {"NUMBA_DISABLE_JIT": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert found.returncode == 0, found.stderr
    said: list[int] = json.loads(found.stdout)
    return said


def node(test: str) -> str:
    """Return pytest's name for a test."""
    file, name = test.split("::")
    return f"test_{file}.py::test_{name}"


@pytest.fixture(scope="module")
def verdicts() -> dict[str, int]:
    """Return what is said of every mutant."""
    changes = [(f"simbench.feed.{m.module}", m.old, m.new, [node(m.test)]) for m in MUTANTS]
    return {mutant.rule: said for mutant, said in zip(MUTANTS, tell(changes), strict=True)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_broken_rule_is_seen(mutant: Mutant, verdicts: dict[str, int]) -> None:
    """The test that says the rule fails: not for want of the test, and not because nothing can be imported."""
    assert verdicts[mutant.rule] == pytest.ExitCode.TESTS_FAILED


def test_without_a_change_the_same_tests_pass() -> None:
    """Otherwise they would fail for any mutant; and every rule is said once."""
    assert tell([("", "", "", sorted({node(mutant.test) for mutant in MUTANTS}))]) == [pytest.ExitCode.OK]
    assert len({mutant.rule for mutant in MUTANTS}) == len(MUTANTS)
