"""Processor time: of a process by its own clock, of the cores by what the kernel counts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

PROCESS_CLOCK: Final = 2  # CPUCLOCK_SCHED of a process, see clock_getcpuclockid(3)
IDLE: Final = (3, 4)  # columns of /proc/stat: idle, waiting for a disk
OTHERS: Final = 7  # from here on: stolen by the hypervisor, guests (which are counted as user already)
TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def process_ns(pid: int) -> int:
    """Return the processor time that all threads of a process have had; OSError where there is none."""
    return time.clock_gettime_ns(~pid << 3 | PROCESS_CLOCK)


def busy_ns(which: set[int]) -> int:
    """Return how long some cores have been busy since they started; with none named, all of them together."""
    return sum(ns for core, ns in busy_by_core().items() if (core in which if which else core < 0))


def busy_by_core() -> dict[int, int]:
    """Return how long each core has been busy since it started, ns; under -1 all of them together."""
    found = {}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *columns = line.split()
        if name.startswith("cpu"):
            ticks = sum(int(value) for place, value in enumerate(columns[:OTHERS]) if place not in IDLE)
            found[int(name[3:] or -1)] = ticks * TICK_NS
    return found


class Shares:
    """What processes and cores were busy with between two looks.

    Args:
        cores: to look at.
    """

    def __init__(self, cores: set[int]) -> None:
        self._cores = cores
        self._at = 0
        self._processes: dict[int, int] = {}
        self._busy: dict[int, int] = {}

    def look(self, now: int, pids: set[int]) -> tuple[dict[int, float], dict[int, float]]:
        """Return shares of a core's time since the last look: by process, a gone one left out, and by core.

        Args:
            now: CLOCK_MONOTONIC.
            pids: of the processes.
        """
        passed, self._at = now - self._at if self._at else 0, now
        processes = {}
        for pid in pids:
            try:
                processes[pid] = process_ns(pid)
            except OSError:
                continue
        busy = {core: ns for core, ns in busy_by_core().items() if core in self._cores}
        found = (_shares(self._processes, processes, passed), _shares(self._busy, busy, passed))
        self._processes, self._busy = processes, busy
        return found


def _shares(before: dict[int, int], now: dict[int, int], passed: int) -> dict[int, float]:
    return {key: (ns - before[key]) / passed if passed and key in before else 0.0 for key, ns in now.items()}
