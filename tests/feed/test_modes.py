"""The kernels as plain Python for a debugger, and with every array index checked: the same verdicts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = """
from feed_driver import HEARTBEAT, SEQUENCE_RESET, Driver, Settings

driver = Driver(2, Settings(count=8, slots=12))
verdicts = []
for step in range(60):
    first = 10 + step
    if step % 7:
        verdicts.append(driver.offer(0, first, 1 + step % 3, now=step, sent=step + 1))
    if step % 5:
        verdicts.append(driver.offer(1, first - step % 2, 2, now=step, sent=step + 1))
verdicts.append(driver.offer(1, 90, 0, now=60, sent=70, flags=HEARTBEAT))
verdicts += [driver.offer(0, 93, now=61, sent=71), driver.offer(1, 91, now=61, sent=71)]
driver.tick(10**9)
verdicts.append(driver.offer(0, 1, now=10**9, sent=80, flags=SEQUENCE_RESET))
verdicts += [driver.offer(1, first, now=10**9, session=4) for first in (1, 2, 3, 3)]
verdicts.append(driver.offer(1, 2_000_000, now=10**9, session=4, size=5000))
driver.finish(2 * 10**9)
print(verdicts, driver.out, driver.sequencer.lines(0), driver.sequencer.records(0), driver.sequencer.epochs(0))

driver = Driver(1, Settings(recover="retransmit", slots=12, count=4, attempts=2), wrap=0xFFFF_FFFF)
verdicts = [driver.offer(0, first) for first in (0xFFFF_FFF0, 0xFFFF_FFFA, 3, 5, 9)]
wants = []
for step in range(1, 5):
    driver.tick(step * 10**9)
    wants.append(driver.asked(step * 10**9))
    if step == 1:
        verdicts += [driver.answer(first, 3, now=10**9) for first in (0xFFFF_FFF1, 0xFFFF_FFF5, 0xFFFF_FFFE, 1, 40)]
        verdicts.append(driver.answer(0xFFFF_FFF1, 3, now=10**9, digest=7))
verdicts.append(driver.answer(4, now=5 * 10**9))
print(verdicts, wants, driver.out, driver.sequencer.records(0), driver.sequencer.answers(0), driver.sequencer.state(0))
"""
HERE = Path(__file__).parent


def tell(**environment: str) -> str:
    """Return what the story says in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", STORY],
        env=os.environ | environment | {"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def compiled() -> str:
    """Return what the compiled kernels say."""
    return tell()


def test_the_story_has_something_of_everything(compiled: str) -> None:
    """Equal output says little if nothing happens in it."""
    for word in (
        "delivered",
        "held",
        "duplicate",
        "late",
        "heartbeat",
        "'lost'",
        "'other line'",
        "'reset'",
        "'session'",
        "'retransmission'",
        "'unanswered'",
        "not asked for",
        "conflict",
    ):
        assert word in compiled


def test_plain_python_says_the_same(compiled: str) -> None:
    """NUMBA_DISABLE_JIT=1: the functions run as they are written."""
    assert tell(NUMBA_DISABLE_JIT="1") == compiled


def test_the_checked_build_says_the_same(compiled: str) -> None:
    """NUMBA_BOUNDSCHECK=1: no index is outside its array."""
    assert tell(NUMBA_BOUNDSCHECK="1") == compiled
