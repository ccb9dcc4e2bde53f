"""Whole stress replays: bursts are compressed and nothing else, and a slow receiver is seen to lose."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from small_feeds import ITCH, digests, make, rebuilt

from simbench.cli import cli
from simbench.receive.offline import open_source
from simbench.session import run_quietly
from simbench.session.repeats import Cell, run_cell
from simbench.stress.find import parse, windows
from simbench.stress.sweep import measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.session import Session


@pytest.mark.parametrize("speed", ["1", "5"])
def test_bursts_are_due_sooner_and_the_rest_is_not(itch: Path, speed: str) -> None:
    """The schedule is as long as asked, the books are the capture's, and the timing is judged by that schedule."""
    source = open_source(itch)
    found_windows = windows(source.capture, parse("window=5ms,factor=20,top=30%"))
    plain = run_quietly(source, wire="ring", speed=speed)
    found = run_quietly(source, wire="ring", speed=speed, windows=found_windows)

    saved = sum((w.end_ns - w.start_ns) * (1 - 1 / w.factor) for w in found_windows)
    assert saved > 100_000_000
    shorter = plain["replayer"]["replayed_ns"] - found["replayer"]["replayed_ns"]
    assert shorter == pytest.approx(saved, rel=0.05), "frames are not everywhere at the windows' ends"
    assert digests(found["book"]) == digests(rebuilt(itch))
    assert found["bursts"]["due"] == pytest.approx(20 * float(speed), rel=0.01)
    assert found["timing"]["frames"] == found["received"]
    # Against the recorded schedule the median frame would be off by about half of what was saved.
    assert found["timing"]["lateness"]["p50"] < saved / float(speed) / 4, "against the squeezed schedule"
    assert plain["bursts"] is None


@contextmanager
def stopped(session: Session) -> Iterator[None]:
    """Stop the receiver's process again and again while it receives."""
    ended = threading.Event()

    def stop_and_go() -> None:
        session.wait_until_ready()
        receiver = session.child("receive")
        with suppress(ProcessLookupError):  # it may end at any time
            while receiver is not None and not ended.wait(0.01) and receiver.poll() is None:
                os.kill(receiver.pid, signal.SIGSTOP)
                time.sleep(0.2)
                os.kill(receiver.pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_receiver_that_is_slow_on_purpose_shows_loss(tmp_path: Path) -> None:
    """Stopped for 200 ms at a time, with 50,000 frames a second on their way: no buffer hides that."""
    source = open_source(make(tmp_path / "fast", ITCH, 40_000, rate=40_000.0))
    slow = measure(1.0, [run_cell(source, Cell(wire="ring", stack=""), around=stopped)])
    free = measure(1.0, [run_cell(source, Cell(wire="ring", stack=""))])

    assert slow.lost["ring"] > 1000
    assert slow.missing is not None
    assert slow.sent == slow.received, "what found no room was not sent"
    assert slow.latency["max"] > 100_000_000, "counted from when it was due"
    assert sum(free.lost.values()) < slow.lost["ring"] / 2


def stress(*arguments: object) -> Any:
    """Run the command."""
    return CliRunner().invoke(cli, ["stress", *map(str, arguments)], standalone_mode=False)


def test_the_command_tells_each_step(itch: Path, mdp3: Path, tmp_path: Path) -> None:
    """Two feeds on one time line, bursts and steps; the same in the table and in the file."""
    target = tmp_path / "s.json"
    done = stress(
        itch, "--with", mdp3, "--align", "peak", "--burst", "window=2ms,factor=10", "--sweep", "2,4",
        "--wire", "ring", "--bound", "1m", "--refine", "0", "--json", target,
    )  # fmt: skip

    assert done.exception is None
    told = json.loads(target.read_text())
    assert [step["asked"] for step in told["steps"]] == [2.0, 4.0]
    assert told["windows"]
    assert all(step["sent"] == told["steps"][0]["sent"] for step in told["steps"])
    assert "x2" in done.stdout
    assert "x4" in done.stdout
    assert ("no knee" in done.stdout) == all(step["borne"] for step in told["steps"])


@pytest.mark.parametrize(
    "wrong",
    [("--burst", "window=1ms"), ("--sweep", "x"), ("--factor", "2", "--sweep", "1,2"), ("--bound", "soon"),
     ("--with", "nowhere.pcap"), ("--json", "/nowhere/x.json")],
)  # fmt: skip
def test_mistakes_are_one_line(itch: Path, wrong: tuple[str, ...]) -> None:
    """Said before anything runs."""
    done = stress(itch, *wrong)
    assert type(done.exception).__name__ == "SimbenchError"
    assert "\n" not in str(done.exception)
