"""The kernels that make snapshots say the same compiled, checked and as plain Python, and never leave their arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from simbench.receive.offline import open_source
from simbench.synth.mbp10 import write_snapshots
from simbench.synth.scenario import generate
folder = Path(sys.argv[1])
for protocol in ("nasdaq.itch50", "cme.mdp3"):
    done = generate("calm", folder / "a.pcap", protocol, messages=150, instruments=3, snapshots=0)
    (folder / "feed.toml").write_text(done.feed)
    write_snapshots(open_source(folder / "a.pcap"), folder / f"{protocol}.pcap")
"""


def run(folder: Path, **environment: str) -> list[bytes]:
    """Return what a build of the kernels writes."""
    folder.mkdir()
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(folder / name).read_bytes() for name in ("nasdaq.itch50.pcap", "cme.mdp3.pcap")]


@pytest.mark.slow
@pytest.mark.parametrize("build", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_every_build_writes_the_same(build: str, tmp_path: Path) -> None:
    """Two feeds, order by order and by level, byte for byte."""
    found = run(tmp_path / "a")
    assert all(len(file) > 20_000 for file in found)
    assert run(tmp_path / "b", **{build: "1"}) == found
