"""The generator's kernels say the same compiled, checked and as plain Python, and never leave their arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from simbench.synth.convert import convert
from simbench.synth.scenario import generate
folder, messages = sys.argv[1], int(sys.argv[2])
binary = folder + "/a.itch"
generate("announcement", folder + "/a.pcap", messages=messages, instruments=3, live_orders=60, binary=binary)
convert(binary, folder + "/b.pcap", "2025-06-18")
"""


def run(folder: Path, messages: int, **environment: str) -> list[bytes]:
    """Return what a build of the kernels writes."""
    folder.mkdir()
    command = [sys.executable, "-c", PROGRAM, str(folder), str(messages)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(folder / name).read_bytes() for name in ("a.pcap", "a.itch", "b.pcap")]


def test_the_checked_build_sees_no_load_outside(tmp_path: Path) -> None:
    """A day and its conversion, byte for byte as unchecked."""
    assert run(tmp_path / "a", 20_000) == run(tmp_path / "b", 20_000, NUMBA_BOUNDSCHECK="1")


def test_plain_python_gives_the_same(tmp_path: Path) -> None:
    """Without the compiler the same functions write the same bytes."""
    assert run(tmp_path / "a", 600) == run(tmp_path / "b", 600, NUMBA_DISABLE_JIT="1")
