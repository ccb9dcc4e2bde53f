"""What the scheduler did to a thread: how often it was moved to another core, and taken off the one it had."""

from __future__ import annotations

from pathlib import Path
from typing import Final

COUNTS: Final = {
    "migrations": "se.nr_migrations",
    "preempted": "nr_involuntary_switches",
    "slept": "nr_voluntary_switches",
}


def scheduling(path: Path = Path("/proc/thread-self/sched")) -> dict[str, int]:
    """Return the counts of the calling thread so far; {} on a kernel that does not tell (CONFIG_SCHED_DEBUG).

    Args:
        path: of the kernel's account of the thread.
    """
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        return {}
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    return {name: int(said[key]) for name, key in COUNTS.items() if key in said}


def since(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """Return what was counted between two readings."""
    return {name: now[name] - before[name] for name in before if name in now}
