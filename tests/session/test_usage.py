"""Processor time of a run: what a process spends is seen, what it slept is not, and a run's is of its sent frames."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from simbench.measure.processor import busy_ns, process_ns
from simbench.receive.offline import open_source
from simbench.session.plan import Plan
from simbench.session.replayed import Session
from simbench.session.usage import Spent, Usage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_process_s_clock_is_its_own_processor_time() -> None:
    """The same clock as the process has itself, from outside."""
    before, first = time.process_time_ns(), process_ns(os.getpid())
    sum(range(1_000_000))
    second, after = process_ns(os.getpid()), time.process_time_ns()
    assert before <= first < second <= after


def test_a_process_that_is_gone_has_no_clock() -> None:
    """Told by an error, not by a figure."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="Invalid argument"):
        process_ns(child)


def test_all_cores_are_busier_than_one() -> None:
    """Ticks of the cores named, or of the whole machine."""
    cores = {*os.sched_getaffinity(0)}
    assert 0 < busy_ns({min(cores)}) <= busy_ns(set()) * 1.01  # the kernel rounds each core


def test_spent_adds_up() -> None:
    """Runs of one cell are one figure."""
    assert Spent(1, 2, 3, 4, 5) + Spent(10, 20, 30, 40, 50) == Spent(11, 22, 33, 44, 55)


def test_a_spinning_receiver_spends_what_a_sleeping_one_does_not(itch: Path) -> None:
    """Of the same frames at the same pace; a share of the elapsed time, whatever else the machine does."""
    found = []
    for wait in ("spin", "block"):
        with Session(open_source(itch), Plan(wire="ring", stack="", wait=wait, speed="2")) as session:
            with Usage(session) as usage:
                session.finish()
            assert usage.spent.frames > 100
            found.append(usage.spent)
    spinning, sleeping = (spent.receiver_ns / spent.elapsed_ns for spent in found)
    assert spinning > 2 * sleeping
    assert all(0 < spent.sender_ns <= 2 * spent.elapsed_ns for spent in found)
