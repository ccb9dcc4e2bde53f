"""The whole way from frames to books in plain Python, as under a debugger: the same result as compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from small_feeds import ITCH, MDP3, make

if TYPE_CHECKING:
    from pathlib import Path


def book(path: Path, **environment: str) -> dict[str, Any]:
    """Return what `simbench book --json` says of a capture, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "simbench", "book", str(path), "--json"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("protocol", [ITCH, MDP3])
def test_plain_python_builds_the_same_books(protocol: str, tmp_path: Path) -> None:
    """NUMBA_DISABLE_JIT=1: every kernel between the file and the digest runs as it is written."""
    path = make(tmp_path / "tiny", protocol, 60)

    plain = book(path, NUMBA_DISABLE_JIT="1")

    assert plain["messages"]["total"] == 60
    assert plain["books"]
    assert plain == book(path)
