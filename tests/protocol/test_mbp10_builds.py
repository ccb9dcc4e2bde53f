"""The compiled kernels, the checked build and plain Python say the same of broken snapshots; none leaves its bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("mbp10_modes.py")


def run(count: object, **environment: str) -> str:
    """Return the hash that a build of the kernels prints."""
    command = [sys.executable, str(SCRIPT), str(count)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("build", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_every_build_gives_the_same(build: str) -> None:
    """Damaged and cut packets, each ending where its array ends: no IndexError, and the same result as compiled."""
    assert run(400) == run(400, **{build: "1"})


@pytest.mark.parametrize("build", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_a_planted_load_outside_is_seen(build: str) -> None:
    """Where a length check would have been off, these builds raise: the test above can fail."""
    assert run("beyond", **{build: "1"}) == "seen"
