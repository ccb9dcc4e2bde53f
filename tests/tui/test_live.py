"""The terminal with its sampling thread: snapshots arrive by themselves, and leaving puts everything back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from simbench_tui.messages import Sampled, SourceFailed
from simbench_tui.sampler import Sampler
from simbench_tui.terminal import Lasting, lasting, only_after_stops

if TYPE_CHECKING:
    from collections.abc import Callable

    from moments import FixedSource
    from simbench_tui import BenchApp
    from textual.pilot import Pilot


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let the terminal run until something is so."""
    while not condition():
        await pilot.pause(0.01)


async def test_snapshots_arrive_by_themselves_and_stop_on_leaving(
    make_app: Callable[..., BenchApp], source: FixedSource
) -> None:
    """The thread is gone before the terminal is, so that the source may be closed."""
    app = make_app(live=True)
    async with app.run_test() as pilot:
        await until(pilot, lambda: 0 in source.asked)
        await pilot.press("n")
        await until(pilot, lambda: source.asked[-1] == 1)
    assert "simbench-sampler" not in {thread.name for thread in threading.enumerate()}


async def test_being_told_to_end_ends_and_gives_the_signals_back(make_app: Callable[..., BenchApp]) -> None:
    """SIGTERM leaves as q does; whoever handled it before does so again."""

    def mine(*_: object) -> None:
        """Stand for the command's own handler."""

    before = signal.signal(signal.SIGTERM, mine)
    try:
        app = make_app(live=True)
        async with app.run_test() as pilot:
            await pilot.pause()
            os.kill(os.getpid(), signal.SIGTERM)
            await until(pilot, lambda: not app.is_running)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_thread_outlives_a_failing_source() -> None:
    """Each failure is a message, and the next attempt follows."""
    posted: list[object] = []
    enough = threading.Event()

    class Broken:
        def snapshot(self, _index: int | None, _others: object) -> None:
            raise OSError("gone")

    def post(message: object) -> None:
        posted.append(message)
        if len(posted) == 3:
            enough.set()

    sampler = Sampler(Broken(), post, 0.0)  # type: ignore[arg-type]
    sampler.start()
    assert enough.wait(10)
    sampler.stop()
    assert not sampler.is_alive()
    assert {"OSError: gone"} == {message.reason for message in posted if isinstance(message, SourceFailed)}


def test_a_newer_snapshot_takes_the_place_of_one_that_waits() -> None:
    """A slow terminal skips moments instead of falling behind."""
    first, second = Sampled(None), Sampled(None)  # type: ignore[arg-type]
    assert first.can_replace(second)
    assert not first.can_replace(SourceFailed("gone"))


def test_a_terminal_that_is_gone_takes_everything() -> None:
    """No error reaches the thread that writes."""

    class Gone:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    file = Lasting(Gone())  # type: ignore[arg-type]
    assert file.write("x" * 7) == 7
    file.flush()
    assert file.encoding == "utf-8"


def test_textual_gets_the_lasting_file_and_everybody_else_the_old_one() -> None:
    """Only while the terminal is shown."""
    before = sys.__stderr__
    with lasting():
        assert isinstance(sys.__stderr__, Lasting)
    assert sys.__stderr__ is before


def test_a_process_that_was_not_stopped_does_not_go_on_a_second_time() -> None:
    """A closed session sends SIGCONT to who was running; only after SIGTSTP it means what it says."""
    numbers = (signal.SIGTSTP, signal.SIGCONT)
    before = {number: signal.getsignal(number) for number in numbers}
    got: list[int] = []
    try:
        for number in numbers:
            signal.signal(number, lambda number, _frame: got.append(number))
        give_back = only_after_stops()
        for number in (signal.SIGCONT, signal.SIGTSTP, signal.SIGCONT, signal.SIGCONT):
            signal.raise_signal(number)
        assert got == [signal.SIGTSTP, signal.SIGCONT]
        give_back()
        assert {signal.getsignal(number) for number in numbers} == {signal.SIG_DFL}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
