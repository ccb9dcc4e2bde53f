"""Runs that ask for what both lines lost: the replayer's process answers, and the books are whole again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from runs import under_way, until
from small_feeds import ITCH, digests, frames, levels, make, rebuilt, rewrite

from simbench.errors import SimbenchError
from simbench.measure import telemetry as t
from simbench.measure.snapshot import Phase
from simbench.receive.offline import open_source
from simbench.recovery.conduct import Conduct
from simbench.session import Plan, Session, run_quietly

if TYPE_CHECKING:
    from pathlib import Path

HOLES = 12
UNITS = 3  # datagrams of each hole


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture that lasts long enough for requests to be repeated in it."""
    return make(tmp_path_factory.mktemp("whole") / "itch", ITCH, rate=100.0)


@pytest.fixture(scope="module")
def expected(whole: Path) -> dict[str, Any]:
    """Return what it comes to offline."""
    return rebuilt(whole)


@pytest.fixture(scope="module")
def holed(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the capture without some datagrams on both lines, the last ones before the end of the session too."""
    every = frames(whole, ITCH)
    firsts = sorted({frame.sequence for frame in every if frame.units})
    step = len(firsts) // HOLES
    gone = {first for hole in range(1, HOLES) for first in firsts[hole * step - UNITS :][:UNITS]}
    gone |= set(firsts[-UNITS:])
    kept = [frame for frame in every if not frame.units or frame.sequence not in gone]
    assert len(kept) < len(every)
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    return rewrite(tmp_path_factory.mktemp("holed") / "itch", kept, definition)


def recovered(path: Path, exchange: Path, **plan: Any) -> dict[str, Any]:
    """Run a capture whose servers have another's messages; return the result of `run --json`."""
    return run_quietly(open_source(path), recover="retransmit", exchange=exchange, **plan)


def gaps(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return outcome and cause of each gap."""
    return [(gap["outcome"], gap["cause"]) for gap in found["book"]["channels"][0]["gaps"]]


def same(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Demand the books of the whole capture, and that there are some."""
    assert levels(expected) > 50
    assert digests(found["book"]) == digests(expected)
    assert found["book"]["messages"]["total"] == expected["messages"]["total"]


def test_every_hole_is_closed_by_retransmission(
    wire: dict[str, str], whole: Path, holed: Path, expected: dict[str, Any]
) -> None:
    """On every wire, as fast as it goes: one request a hole, one answer, and nothing is missing."""
    found = recovered(holed, whole, speed="max", **wire)

    same(expected, found)
    assert gaps(found) == [("retransmission", "filled")] * HOLES
    told = found["recovery"]
    assert told["requests"] == told["answers"] == HOLES
    assert told["repaired_units"] == sum(gap["last"] - gap["first"] + 1 for gap in found["book"]["channels"][0]["gaps"])
    assert (told["servers"]["requests"], told["servers"]["resent"]) == (HOLES, told["repaired_units"])
    assert told["time_to_recover"]["n"] == told["round_trip"]["n"] == HOLES
    assert 0 < told["time_to_recover"]["p50"] <= told["time_to_recover"]["p99"] <= told["time_to_recover"]["max"]


def test_paced_holes_are_closed_while_frames_go_on(
    some_wire: dict[str, str], whole: Path, holed: Path, expected: dict[str, Any]
) -> None:
    """At ten times the recorded speed nothing waits for an answer, and none is missed."""
    found = recovered(holed, whole, speed="10", **some_wire)

    same(expected, found)
    assert gaps(found) == [("retransmission", "filled")] * HOLES
    assert found["timing"]["frames"] > 3000


def test_a_dark_line_and_a_lossy_one(
    some_wire: dict[str, str], whole: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    """A third of the way line A is dark and B loses a tenth: a gap for every hole in B and no other, all closed."""
    every = frames(whole, ITCH)
    dark = min(frame.port for frame in every)
    third, chance = len(every) // 3, random.Random(1)
    kept = [
        frame
        for number, frame in enumerate(every)
        if not third <= number < 2 * third or (frame.port != dark and (not frame.units or chance.random() > 0.1))
    ]
    brought = {frame.sequence + unit for frame in kept for unit in range(frame.units)}
    missing = [n for n in range(1, 2001) if n not in brought]
    holes = [n for n in missing if n - 1 in brought]
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8")

    found = recovered(rewrite(tmp_path / "dark", kept, definition), whole, speed="max", **some_wire)

    same(expected, found)
    told = found["book"]["channels"][0]["gaps"]
    assert len(holes) > 40
    assert [gap["first"] for gap in told] == holes
    assert [n for gap in told for n in range(gap["first"], gap["last"] + 1)] == missing
    assert set(gaps(found)) == {("retransmission", "filled")}


def test_without_recovery_the_holes_are_lost(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """The same capture without asking: what the tests of this file recover does make a difference."""
    found = run_quietly(open_source(holed), speed="max", wire="ring")

    assert {outcome for outcome, _ in gaps(found)} == {"lost"}
    assert digests(found["book"]) != digests(expected)
    assert found["recovery"] == {}


def test_short_answers_are_asked_on(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """One message an answer: as many requests as messages, and the same books."""
    found = recovered(holed, whole, speed="max", wire="ring", conduct=Conduct(partial=1))

    same(expected, found)
    assert set(gaps(found)) == {("retransmission", "filled")}
    assert found["recovery"]["requests"] == found["recovery"]["repaired_units"] > 2 * HOLES


def test_refused_requests_are_repeated(whole: Path, holed: Path) -> None:
    """A server that leaves some without an answer is asked again, up to three times."""
    found = recovered(holed, whole, speed="max", wire="ring", conduct=Conduct(refuse=0.4))

    ends = [(gap["outcome"], gap["attempts"]) for gap in found["book"]["channels"][0]["gaps"]]
    assert len(ends) == HOLES
    assert set(ends) <= {("retransmission", 1), ("retransmission", 2), ("retransmission", 3), ("lost", 3)}
    assert set(ends) & {("retransmission", 2), ("retransmission", 3)}
    servers = found["recovery"]["servers"]
    assert found["recovery"]["requests"] == servers["refused"] + servers["answered"] == sum(tries for _, tries in ends)


def test_refused_to_the_last_is_lost(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """After three requests in vain a hole is given up, says so, and the run goes on to its end."""
    found = recovered(holed, whole, speed="20", wire="ring", conduct=Conduct(refuse=1.0))

    assert gaps(found) == [("lost", "unanswered")] * HOLES
    assert {gap["attempts"] for gap in found["book"]["channels"][0]["gaps"]} == {3}
    assert digests(found["book"]) != digests(expected)
    assert found["recovery"]["servers"]["refused"] == found["recovery"]["requests"] == 3 * HOLES
    assert found["recovery"]["time_to_recover"]["n"] == 0


def test_a_quota_ends_what_is_made_good(whole: Path, holed: Path) -> None:
    """So many holes are closed, and those behind them are lost."""
    found = recovered(holed, whole, speed="max", wire="ring", conduct=Conduct(quota=4))

    assert gaps(found) == [("retransmission", "filled")] * 4 + [("lost", "unanswered")] * (HOLES - 4)
    assert found["recovery"]["servers"]["over_quota"] == 3 * (HOLES - 4)


def test_late_answers_are_of_no_use_and_counted(whole: Path, holed: Path) -> None:
    """An answer after the last attempt is told apart from none."""
    found = recovered(holed, whole, speed="10", wire="ring", conduct=Conduct(delay_ns=4_500_000_000))

    assert gaps(found)[: HOLES // 2] == [("lost", "unanswered")] * (HOLES // 2)
    assert found["recovery"]["late_answers"] >= HOLES // 2


def test_delayed_answers_close_their_holes_later(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """While an answer takes its time the receiver goes on receiving, and holds what comes."""
    found = recovered(holed, whole, speed="10", wire="ring", conduct=Conduct(delay_ns=400_000_000))

    same(expected, found)
    assert gaps(found) == [("retransmission", "filled")] * HOLES
    half_the_delay = 200_000_000  # undelayed it is the wait for the other line, 10 ms
    assert found["recovery"]["time_to_recover"]["p50"] > half_the_delay
    assert found["recovery"]["servers"]["early"] == 0


def test_a_pause_in_the_middle_of_a_gap_repeats_nothing(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """While time stands still no request expires, however long the answer takes; it is taken in when it comes."""
    plan = Plan(wire="ring", recover="retransmit", exchange=whole, conduct=Conduct(delay_ns=1_500_000_000))
    requests, repaired = (t.CHANNEL_BASE + word for word in (t.CHANNEL_REQUESTS, t.CHANNEL_REPAIRED))
    with Session(open_source(holed), plan) as session:
        assert until(lambda: session.telemetry[requests] > 0)
        session.control.pause()
        assert until(lambda: session.telemetry[repaired] > 0)
        assert (session.control.phase, session.telemetry[requests]) == (Phase.PAUSED, 1)
        session.control.set_speed(10)
        session.control.resume()
        found = session.finish()

    same(expected, found)
    told = found["book"]["channels"][0]["gaps"]
    assert (told[0]["outcome"], told[0]["attempts"]) == ("retransmission", 1)
    assert {gap["outcome"] for gap in told} == {"retransmission"}


def test_a_loop_asks_for_its_own_holes(whole: Path, holed: Path, expected: dict[str, Any]) -> None:
    """What a loop ends in is lost with it; in the next one holes are answered from what that one has sent."""
    found = recovered(holed, whole, speed="max", wire="ring", loops=2)

    filled = [("retransmission", "filled")] * (HOLES - 1)
    assert gaps(found) == [*filled, ("lost", "restart"), *filled, ("retransmission", "filled")]
    assert digests(found["book"]) == digests(expected)
    assert found["recovery"]["servers"]["early"] == 0


def test_feed_may_say_which_channels_recover(whole: Path, holed: Path, tmp_path: Path) -> None:
    """A channel says it in feed.toml; the command line has the last word."""
    definition = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    assert definition.count("protocol =") == 1
    saying = tmp_path / "feed.toml"
    saying.write_text(definition.replace("protocol =", 'recover = "retransmit"\nprotocol ='), encoding="utf-8")

    found = run_quietly(open_source(holed, feed=saying), speed="max", wire="ring", exchange=whole)
    silenced = run_quietly(open_source(holed, feed=saying), speed="max", wire="ring", recover="none")

    assert gaps(found) == [("retransmission", "filled")] * HOLES
    assert {outcome for outcome, _ in gaps(silenced)} == {"lost"}
    assert silenced["recovery"] == {}


def test_killed_receiver_ends_the_servers_too(slow: Path) -> None:
    """Who serves does not wait for a receiver that is gone."""
    with Session(open_source(slow), Plan(wire="ring", recover="retransmit")) as session:
        under_way(session)
        receiver, replayer = session.child("receive"), session.child("replay")
        assert receiver is not None
        assert replayer is not None
        receiver.kill()
        with pytest.raises(SimbenchError, match="the receiver was killed by SIGKILL"):
            session.finish()
        assert replayer.poll() is not None


def test_a_receiver_that_dies_before_it_is_ready_ends_the_servers_too(slow: Path) -> None:
    """Nobody will ask then, and nobody is waited for."""
    with Session(open_source(slow), Plan(wire="ring", recover="retransmit")) as session:
        receiver = session.child("receive")
        assert receiver is not None
        receiver.kill()
        assert until(lambda: not session.running())
        with pytest.raises(SimbenchError, match="the receiver was killed by SIGKILL"):
            session.finish()


def test_a_run_that_is_stopped_ends_its_servers(slow: Path) -> None:
    """What was asked for until then is reported."""
    with Session(open_source(slow), Plan(wire="ring", recover="retransmit")) as session:
        under_way(session)
        session.stop()
        found = session.finish()

    assert found["reason"] == "stopped"
    assert found["recovery"]["servers"]["requests"] == found["recovery"]["requests"] == 0


def test_a_channel_that_nobody_resends_is_said_beforehand(mdp3: Path) -> None:
    """An exchange without such a server is a mistake of the user's, and no run is started."""
    with pytest.raises(SimbenchError, match=r"messages of cme\.mdp3 cannot be asked for again"):
        run_quietly(open_source(mdp3), speed="max", wire="ring", recover="retransmit")
