"""Runs as processes of their own, looked at from outside: their telemetry, their children, what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from simbench.measure import telemetry as t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simbench.session import Session

PATIENCE_S = 60.0  # before a condition that should come true counts as a failure; a busy machine starts slowly
FRAMES = t.counter("frames")


def until(condition: Callable[[], object]) -> bool:
    """Wait for a condition; tell whether it came true."""
    never = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return True
        never.wait(0.01)
    return False


def under_way(session: Session) -> None:
    """Wait until frames have arrived, and the end has not."""
    assert until(lambda: session.telemetry[FRAMES] > 0 or not session.running())
    assert session.telemetry[t.STATE] == t.RUNNING, session.reader().snapshot().reason


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run simbench beside the test; killed at the end where it still runs."""
    started = subprocess.Popen(
        [sys.executable, "-m", "simbench", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that live."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    return False


def frames_of(pid: int) -> int:
    """Return how many frames the run of a process has received, read from its telemetry."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if "simbench-telemetry" in str(entry.readlink()):
                fd = os.open(entry, os.O_RDWR)
                try:
                    return int(t.map_words(fd)[FRAMES])
                finally:
                    os.close(fd)
    return 0


def networks() -> tuple[set[str], set[str]]:
    """Return the network namespaces that processes live in, and the interfaces of this one."""
    spaces = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            spaces.add(str((process / "ns" / "net").readlink()))
    return spaces, {path.name for path in Path("/sys/class/net").iterdir()}
