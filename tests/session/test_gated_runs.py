"""The gate in whole runs: stepped, armed and opened again, they end as they would have without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from runs import command, until
from small_feeds import MDP3, digests, frames, levels, make, rebuilt, rewrite

from simbench.measure import telemetry as t
from simbench.measure.snapshot import Phase
from simbench.receive.offline import open_source
from simbench.replay import control as c
from simbench.replay import gating
from simbench.session import Plan, Session
from simbench.session.joined import Joined
from simbench.session.registry import running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture of two seconds in which both lines miss a packet in the middle."""
    folder = tmp_path_factory.mktemp("gated")
    path = make(folder / "whole", MDP3, 2000, rate=1000.0)
    every = frames(path, MDP3)
    gone = every[len(every) // 2].sequence
    feed = (path.parent / "feed.toml").read_text(encoding="utf-8")
    return rewrite(folder / "holed", [frame for frame in every if frame.sequence != gone], feed)


def shut(session: Session | Joined) -> bool:
    """Tell whether the gate is shut, with nothing asked of it since."""
    return session.reader().snapshot().gate.stands == "shut"


def test_a_run_through_the_gate_ends_as_one_without(holed: Path, wire: dict[str, str]) -> None:
    """To the gap, where a paused replay and whole books tell of it; message by message; then on to the end."""
    expected = rebuilt(holed)
    with Session(open_source(holed), Plan(**wire, wait="block")) as session:
        assert until(lambda: session.control.gate_stands == gating.IS_OPEN)
        assert session.control.gate(gating.GAP)
        assert until(lambda: shut(session))
        assert until(lambda: session.control.phase is Phase.PAUSED)
        found = session.reader().snapshot()
        assert found.gate.words.startswith("gate: shut at a gap")
        assert [gap.outcome for gap in found.gaps] == ["open"]
        for _ in range(25):
            before = found.counters["events"]
            session.control.gate(gating.MESSAGES, 1)
            assert until(lambda: shut(session))
            found = session.reader().snapshot()
            assert found.counters["events"] > before
        assert session.control.phase is Phase.PAUSED
        session.control.gate(gating.OPEN)
        session.control.set_speed("max")
        session.control.resume()
        result = session.finish()
    assert levels(result["book"]) > 20
    assert digests(result["book"]) == digests(expected)
    assert [gap["first"] for gap in result["book"]["channels"][0]["gaps"]] == [
        gap["first"] for gap in expected["channels"][0]["gaps"]
    ]
    assert result["sent"] == result["received"]
    assert result["held"] >= 25


def test_at_speed_max_what_a_shut_gate_holds_is_not_written_off(holed: Path) -> None:
    """However long somebody looks: the credits of the held frames are neither lost nor given out again."""
    with Session(open_source(holed), Plan(wire="ring", wait="block", speed="max")) as session:
        assert session.control.pause()
        assert until(lambda: session.control.gate_stands == gating.IS_OPEN)
        assert session.control.gate(gating.MESSAGES, 1)
        assert until(lambda: shut(session))
        words = session.control.words
        session.control.resume()
        assert until(lambda: words[c.SENT] > words[c.CONSUMED])
        beat = int(session.telemetry[t.BEAT])
        assert until(lambda: int(session.telemetry[t.BEAT]) - beat > 1_000_000_000)  # three times what is waited
        assert words[c.GIVEN_UP] == 0
        session.control.gate(gating.OPEN)
        result = session.finish()
    assert result["sent"] == result["received"]
    assert digests(result["book"]) == digests(rebuilt(holed))


def test_who_leaves_a_run_that_he_has_shut_opens_it(
    slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that died leaves it shut; whoever joins next can let it go on."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with command("run", slow, "--headless", "--wire", "ring") as process:
        assert until(lambda: running() or process.poll() is not None)
        (note,) = running()
        with Joined(note) as died:
            assert died.control is not None
            assert until(lambda: died.control is not None and died.control.gate_stands == gating.IS_OPEN)
            assert not died.let_go()
            died.control.gate(gating.MESSAGES, 3)
            assert until(lambda: shut(died))
        with Joined(note) as looked:
            assert shut(looked)
            assert not looked.let_go()
        with Joined(note) as left:
            assert left.control is not None
            left.control.gate(gating.MESSAGES, 1)
            assert until(lambda: shut(left))
            assert left.let_go()
            before = left.reader().snapshot().counters["frames"]
            assert until(lambda: left.reader().snapshot().counters["frames"] > before)
            assert left.reader().snapshot().gate.stands == "open"


def test_a_run_whose_gate_is_shut_can_be_ended(slow: Path) -> None:
    """It opens by itself, and the run ends with everything that was sent."""
    with Session(open_source(slow), Plan(wire="ring", wait="block")) as session:
        assert until(lambda: session.control.gate_stands == gating.IS_OPEN)
        assert session.control.gate(gating.MESSAGES, 2)
        assert until(lambda: shut(session))
        session.stop()
        result = session.finish()
    assert result["sent"] == result["received"]
