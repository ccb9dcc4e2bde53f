"""Ladder rows, health and roster: what panes decide without a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from moments import FIRST_NS, SECOND, book, moment
from simbench_tui.constants import LOST_NS, STALL_NS
from simbench_tui.health import Health
from simbench_tui.ladder_rows import Changes, Rung, rungs
from simbench_tui.position import progress
from simbench_tui.roster import Roster, search

from simbench.measure.snapshot import InstrumentRow, LevelView, Phase


def test_implied_and_direct_levels_join_by_price() -> None:
    """An implied price better than the best direct one comes first."""
    direct = [LevelView(100, 5, 2), LevelView(98, 7, 1)]
    implied = [LevelView(101, 3, -1), LevelView(100, 4, -1), LevelView(97, 9, -1)]
    expected = [
        Rung(101, 0, 3, -1, known=True),
        Rung(100, 5, 4, 2, known=True),
        Rung(98, 7, 0, 1, known=True),
        Rung(97, 0, 9, -1, known=True),
    ]
    assert expected == rungs(direct, implied, bid=True)


def test_asks_join_the_other_way_round() -> None:
    """The lowest ask is the best."""
    joined = rungs([LevelView(102, 5, 2)], [LevelView(101, 3, -1), LevelView(103, 1, -1)], bid=False)
    assert [rung.price for rung in joined] == [101, 102, 103]


def test_an_unknown_level_keeps_its_place() -> None:
    """Its price is not known, so it is never sorted by it."""
    joined = rungs([LevelView(100, 5, 2), LevelView(0, 0, -1, known=False), LevelView(98, 7, 1)], [], bid=True)
    assert [rung.known for rung in joined] == [True, False, True]


def test_changes_are_marked_for_a_while() -> None:
    """More, less and new, until the mark's time is over."""
    changes = Changes(lasting_ns=100)
    first = book(bids=(LevelView(100, 5, 1), LevelView(99, 5, 1)), asks=(), implied_bids=())
    changes.look(first, 0)
    assert changes.mark("bid", 100) == ""
    second = replace(first, bids=(LevelView(100, 6, 1), LevelView(99, 4, 1), LevelView(98, 1, 1)))
    changes.look(second, 10)
    assert [changes.mark("bid", price) for price in (100, 99, 98)] == ["+", "-", "*"]
    changes.look(second, 109)
    assert changes.mark("bid", 100) == "+"
    changes.look(second, 110)
    assert changes.mark("bid", 100) == ""


def test_another_instrument_starts_unmarked() -> None:
    """Its prices did not change, they are others."""
    changes = Changes(lasting_ns=100)
    changes.look(book(0, bids=(LevelView(100, 5, 1),)), 0)
    changes.look(book(1, bids=(LevelView(200, 5, 1),)), 1)
    assert changes.mark("bid", 200) == ""


def test_a_run_without_snapshots_has_no_news() -> None:
    """What is shown is then old, and the strip says so."""
    health = Health(0)
    assert health.judge(0).word == "STARTING"
    health.hear(moment(), 0)
    assert health.judge(LOST_NS).word == "RUNNING"
    assert health.judge(LOST_NS + 1).word == "NO NEWS"


def test_a_run_in_which_nothing_moves_is_stalled() -> None:
    """Snapshots arrive, and all say the same; the first that differs ends it."""
    health = Health(0)
    for now in range(0, STALL_NS + SECOND, SECOND // 2):
        health.hear(moment(), now)
    verdict = health.judge(now)
    assert verdict.word == "STALLED"
    assert "2 s" in verdict.reason
    health.hear(moment(position_ns=FIRST_NS + 43 * SECOND), now)
    assert health.judge(now).word == "RUNNING"


@pytest.mark.parametrize(
    ("word", "phase", "reason"),
    [
        ("ENDED", Phase.ENDED, "end of the capture"),
        ("FAILED", Phase.FAILED, "the receiver is gone"),
        ("PAUSED", Phase.PAUSED, ""),
        ("STARTING", Phase.STARTING, "compiling"),
    ],
)
def test_the_phase_and_its_reason_are_told(word: str, phase: Phase, reason: str) -> None:
    """Also long after the last snapshot where the run is over."""
    health = Health(0)
    health.hear(moment(phase=phase, reason=reason), 0)
    verdict = health.judge(0)
    assert (word, reason) == (verdict.word, verdict.reason)


def test_an_ended_run_is_not_missed() -> None:
    """Nobody has to answer after the end."""
    health = Health(0)
    health.hear(moment(phase=Phase.ENDED), 0)
    assert health.judge(10 * LOST_NS).word == "ENDED"


def test_a_failing_source_is_told_until_it_recovers() -> None:
    """With its own words."""
    health = Health(0)
    health.fail("ValueError: layout 2")
    assert "layout 2" in health.judge(0).reason
    health.hear(moment(), 0)
    assert health.judge(0).word == "RUNNING"


def test_progress_is_by_recorded_time_or_frames_or_unknown() -> None:
    """A receiver alone does not know the end."""
    now = moment()
    assert progress(now.run, now) == pytest.approx(0.35)
    assert progress(replace(now.run, first_ns=0, last_ns=0), now) == pytest.approx(0.3517)
    assert progress(replace(now.run, first_ns=0, last_ns=0, frames=0), now) == -1.0


def rows(*updates: int) -> list[InstrumentRow]:
    """Instruments by index with so many updates, the busiest first."""
    made = [InstrumentRow(i, "340", str(i), f"S{i}", count) for i, count in enumerate(updates)]
    return sorted(made, key=lambda row: -row.updates)


def test_the_busiest_is_followed_until_a_key_chooses() -> None:
    """And only one that is much busier takes over."""
    roster = Roster()
    roster.see(rows(10, 5))
    assert roster.chosen == 0
    roster.see(rows(10, 20))
    assert roster.chosen == 0
    roster.see(rows(10, 21))
    assert roster.chosen == 1
    roster.move(1)
    chosen = roster.chosen
    roster.see(rows(10, 21, 10_000))
    assert chosen == roster.chosen
    roster.follow()
    assert roster.chosen == 2


def test_the_order_does_not_change_under_the_fingers() -> None:
    """Activity moves, the next instrument stays the next; around the end it begins again."""
    roster = Roster()
    roster.see(rows(30, 20, 10))
    roster.move(1)
    roster.see(rows(30, 20, 900, 1))
    seen = []
    for _ in range(4):
        seen.append(roster.chosen)
        roster.move(1)
    assert seen == [1, 2, 3, 0]


def test_a_search_takes_symbol_id_and_channel() -> None:
    """Whole names first; every word must be found."""
    found = [
        InstrumentRow(0, "340", "77", "ESZ6-ESH7", 90),
        InstrumentRow(1, "340", "78", "ESZ6", 10),
        InstrumentRow(2, "341", "79", "ESZ6", 5),
    ]
    assert [row.index for row in search(found, "esz6")] == [1, 2, 0]
    assert [row.index for row in search(found, "esz6 341")] == [2]
    assert [row.index for row in search(found, "77")] == [0]
    assert found == search(found, "  ")
    assert search(found, "zzz") == []
