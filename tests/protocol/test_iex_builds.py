"""The compiled kernels, the checked build and plain Python say the same of broken segments; none leaves its bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("iex_modes.py")


def run(count: object, **environment: str) -> str:
    """Return the hash that a build of the kernels prints."""
    command = [sys.executable, str(SCRIPT), str(count)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_checked_build_sees_no_load_outside() -> None:
    """Mutated and cut segments, each ending where its array ends: no IndexError, and the same result as unchecked."""
    assert run(1_500) == run(1_500, NUMBA_BOUNDSCHECK="1")


def test_plain_python_gives_the_same() -> None:
    """Without the compiler the same functions give the same events and states."""
    assert run(150) == run(150, NUMBA_DISABLE_JIT="1")


def test_a_planted_load_outside_is_seen() -> None:
    """The checked build and plain Python raise where a length check would have been off: the tests above can fail."""
    assert run("beyond", NUMBA_BOUNDSCHECK="1") == "seen"
    assert run("beyond", NUMBA_DISABLE_JIT="1") == "seen"
