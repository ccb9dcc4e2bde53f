"""How runs end: killed, interrupted, paused; nothing is left behind and the next run works."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from runs import alive, children, command, frames_of, networks, under_way, until
from small_feeds import digests, rebuilt

from simbench.errors import SimbenchError
from simbench.measure.snapshot import Phase
from simbench.receive.offline import open_source
from simbench.session import Plan, Session, run_quietly

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail when a test leaves a namespace, an interface, a child or a descriptor."""
    gc.collect()  # mappings of shared memory keep a descriptor until they are collected
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    spaces, interfaces = networks()
    mine = children(os.getpid())
    yield
    assert until(lambda: networks()[0] <= spaces)
    assert networks()[1] == interfaces
    assert children(os.getpid()) == mine
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


@pytest.mark.parametrize(("victim", "name"), [("replay", "replayer"), ("receive", "receiver")])
def test_killed_process_ends_the_run_with_one_line(
    victim: str, name: str, some_wire: dict[str, str], slow: Path, itch: Path, nothing_left: None
) -> None:
    """Kill -9 of either process: the other ends, the reason is one line, nothing is left, the next run works."""
    with Session(open_source(slow), Plan(speed="1", **some_wire)) as session:
        under_way(session)
        processes = [session.child("replay"), session.child("receive")]
        killed = session.child(victim)
        assert killed is not None
        killed.kill()
        with pytest.raises(SimbenchError) as error:
            session.finish()
        assert str(error.value) == f"the {name} was killed by SIGKILL"
        assert session.reader().snapshot().phase is Phase.FAILED
        assert [process.poll() is not None for process in processes if process is not None] == [True, True]

    assert run_quietly(open_source(itch), speed="max", **some_wire)["book"]["messages"]["total"] == 2000


@pytest.mark.parametrize(("victim", "name"), [("replay", "replayer"), ("receive", "receiver")])
def test_snapshots_of_a_run_tell_which_process_was_killed(
    victim: str, name: str, slow: Path, nothing_left: None
) -> None:
    """A terminal, which asks for nothing else, says why the run has failed; and the other process ends."""
    with Session(open_source(slow), Plan(speed="1", wire="ring")) as session:
        under_way(session)
        killed = session.child(victim)
        assert killed is not None
        killed.kill()
        assert until(lambda: session.snapshot().phase is Phase.FAILED)
        assert session.snapshot().reason == f"the {name} was killed by SIGKILL"
        assert until(lambda: not session.running())


def test_killed_parent_takes_its_children_with_it(
    wire: dict[str, str], slow: Path, itch: Path, nothing_left: None
) -> None:
    """Kill -9 of the command itself: replayer and receiver end by themselves, and the next run works."""
    plan = ("--wire", wire["wire"], "--stack", wire["stack"])
    with command("run", str(slow), "--headless", *plan) as running:
        assert until(lambda: frames_of(running.pid) or running.poll() is not None)
        family = children(running.pid)
        assert len(family) == 2
        running.kill()
        running.wait()

        assert until(lambda: not any(alive(pid) for pid in family))

    assert run_quietly(open_source(itch), speed="max", **wire)["book"]["messages"]["total"] == 2000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_reports_what_it_has(
    number: signal.Signals, slow: Path, tmp_path: Path, nothing_left: None
) -> None:
    """Ctrl-C ends the replay; what was received until then is reported and written to the file."""
    target = tmp_path / "run.json"
    with command("run", str(slow), "--headless", "--wire", "ring", "--json", str(target)) as running:
        assert until(lambda: frames_of(running.pid) > 20 or running.poll() is not None)
        running.send_signal(number)
        out, err = running.communicate()

    found = msgspec.json.decode(target.read_bytes(), type=dict[str, Any])
    assert running.returncode == 0
    assert "Traceback" not in err + out
    assert "frames sent" in out
    assert 20 < found["received"] == found["sent"] < rebuilt(slow)["capture"]["frames"]
    assert found["book"]["channels"][0]["gaps"] == []


def test_second_interrupt_ends_at_once(slow: Path, nothing_left: None) -> None:
    """Ctrl-C twice gives up the report as well; nothing is left all the same."""
    with command("run", str(slow), "--headless", "--wire", "ring") as running:
        assert until(lambda: frames_of(running.pid) or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()

    assert running.returncode in {0, 130}
    assert "Traceback" not in err + out


def test_exception_in_the_middle_leaves_nothing(slow: Path, nothing_left: None) -> None:
    """A session that is left by an exception ends both of its processes."""
    session = Session(open_source(slow), Plan(wire="ring"))

    def broken() -> None:
        with session:
            under_way(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()

    processes = [session.child("replay"), session.child("receive")]
    assert [process.poll() is not None for process in processes if process is not None] == [True, True]


def test_pause_in_the_middle_changes_nothing(itch: Path, nothing_left: None) -> None:
    """While paused nothing moves; single steps move one datagram; after it the run ends as if undisturbed."""
    expected = rebuilt(itch)
    with Session(open_source(itch), Plan(wire="ring", speed="0.2")) as session:
        under_way(session)
        session.control.pause()
        assert until(lambda: session.control.phase is Phase.PAUSED)
        sent = session.control.sent
        assert 0 < sent < expected["capture"]["frames"]
        handled = session.control.step(3)
        assert until(lambda: session.control.handled >= handled and session.control.sent >= sent + 3)
        assert session.control.sent == sent + 3
        assert until(lambda: session.reader().snapshot().counters["frames"] == sent + 3)
        assert session.reader().snapshot().phase is Phase.PAUSED
        session.control.set_speed("max")
        session.control.resume()
        found = session.finish()

    assert digests(found["book"]) == digests(expected)
    assert found["book"]["messages"] == expected["messages"]
    assert found["book"]["channels"][0]["gaps"] == []


def test_snapshots_during_a_run_are_consistent(itch: Path, nothing_left: None) -> None:
    """Books read while they change are never torn: best first, never crossed; counters never go back."""
    expected = rebuilt(itch)
    seen = set()
    before = 0
    with Session(open_source(itch), Plan(wire="ring", speed="1")) as session:
        reader = session.reader()
        while session.running():
            snapshot = reader.snapshot()
            assert snapshot.counters["messages"] >= before
            before = snapshot.counters["messages"]
            book = snapshot.book
            if book is None or not (book.bids and book.asks):
                continue
            prices = [level.price for level in book.bids], [level.price for level in book.asks]
            assert prices == (sorted(prices[0], reverse=True), sorted(prices[1]))
            assert book.bids[0].price < book.asks[0].price
            assert all(level.quantity > 0 and level.orders > 0 for level in (*book.bids, *book.asks))
            seen.add((book.key, prices[0][0], book.bids[0].quantity, book.asks[0].quantity))
        last = reader.snapshot()
        found = session.finish()

    assert len(seen) > 5
    assert last.phase is Phase.ENDED
    assert last.counters["messages"] == found["book"]["messages"]["total"] == expected["messages"]["total"]
    assert last.counters["frames"] == found["received"]
    assert [line.datagrams for line in last.lines] == [
        line["datagrams"] for line in found["book"]["channels"][0]["lines"]
    ]
    assert {stage.name: stage.count for stage in last.stages}["app_book"] == found["received"]


def test_receiver_that_cannot_start_is_one_line(
    itch: Path, nothing_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that fails before it is ready: its own last line is the reason, and the other one ends."""
    source = open_source(itch)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Session(source, Plan(wire="ring")) as session, pytest.raises(SimbenchError) as error:
        session.finish()

    assert "\n" not in str(error.value)
    assert "ended with status 1" in str(error.value)
