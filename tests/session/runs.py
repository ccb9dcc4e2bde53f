"""Runs as processes of their own, looked at from outside: their telemetry, their children, what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from small_feeds import digests, levels

from simbench.measure import telemetry as t
from simbench.wire import namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simbench.session import Session

PATIENCE_S = 60.0  # before a condition that should come true counts as a failure; a busy machine starts slowly
FRAMES = t.counter("frames")
SIMBENCH = (sys.executable, "-m", "simbench")


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
def command(
    *arguments: object, netns_fd: int = -1, words: Sequence[str] = SIMBENCH, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run simbench beside the test; killed at the end where it still runs.

    Args:
        *arguments: of the command.
        netns_fd: network namespace to run in; -1 the test's own.
        words: that start it.
        **options: of Popen.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = namespace.inside(netns_fd, subprocess.Popen, [*words, *map(str, arguments)], **pipes, **options)
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
                    made = os.fstat(fd).st_size  # it has a name before it has a size
                    return int(t.map_words(fd)[FRAMES]) if made else 0
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


def same(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Demand equal books, digests, messages and anomalies, and that there is something to compare."""
    assert levels(expected) > 50
    assert digests(found["book"]) == digests(expected)
    assert found["book"]["messages"] == expected["messages"]
    assert found["book"]["anomalies"] == expected["anomalies"]
    assert found["book"]["books"] == expected["books"]
    assert [channel["gaps"] for channel in found["book"]["channels"]] == [
        channel["gaps"] for channel in expected["channels"]
    ]
