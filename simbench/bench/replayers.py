"""The replayers that are judged: simbench's own, without the rest of a run, and tcpreplay where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from simbench.errors import SimbenchError
from simbench.replay.process import Config
from simbench.session import cores
from simbench.wire import namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simbench.wire.open import Wire


def simbench(wire: Wire, capture: Path, speed: str = "1") -> None:
    """Replay a capture by simbench's replayer process; return when it has ended."""
    run(Config(capture=str(capture), wire=wire.sender, receiver=False, cpu=cores()[0], speed=speed))


def run(config: Config, descriptors: Sequence[int] = ()) -> None:
    """Run a replayer's process to its end.

    Args:
        config: what it does.
        descriptors: that it names, besides those of the wire.

    Raises:
        SimbenchError: it failed; with its reason.
    """
    done = subprocess.run(
        [sys.executable, "-m", "simbench.replay.process"],
        input=msgspec.json.encode(config),
        capture_output=True,
        pass_fds=(*descriptors, *config.wire.descriptors),
        check=False,
    )
    if done.returncode:
        raise SimbenchError(done.stderr.decode(errors="replace").strip() or "the replayer failed")


def tcpreplay(wire: Wire, capture: Path, options: Sequence[str] = ()) -> None:
    """Replay a capture at its recorded timing by tcpreplay, loaded beforehand; return when it has ended.

    Args:
        wire: whose sender interface it sends on, from inside that namespace and on the sender's core.
        capture: to be sent.
        options: more of them.
    """
    command = ["tcpreplay", "--quiet", "--preload-pcap", *options, "--intf1", wire.sender.interface, str(capture)]
    core = cores()[0]

    def start() -> subprocess.Popen[bytes]:
        if core is not None:
            os.sched_setaffinity(0, {core})
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    # A child is in the namespace, and on the cores, of the thread that starts it.
    process = namespace.inside(wire.sender.netns_fd, start)
    said = process.communicate()[1]
    if process.returncode:
        raise SimbenchError(f"tcpreplay: {said.decode(errors='replace').strip()}")


def tcpreplay_version() -> str | None:
    """Return the version that is installed; None where there is none."""
    path = shutil.which("tcpreplay")
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).split()
    return words[words.index("version:") + 1] if "version:" in words else "of unknown version"
