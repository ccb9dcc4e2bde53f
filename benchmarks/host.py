"""The host that figures were taken on: what it is, how busy it was, and what its cores lose to others.

A hiccup is a stretch of more than 10 us in which a spinning thread did not run: interrupts, other threads, and on a
virtual machine other guests. It bounds every tail that is measured here.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from numba import njit

from simbench.kernel.host import monotonic_ns

NOISY: Final = 0.02  # share of a core's time lost to others, from which on times are worth little
WATCH_NS: Final = 2_000_000_000
HICCUP_NS: Final = 10_000


@dataclass(frozen=True)
class Hiccups:
    """What one core lost while a thread spun on it.

    Attributes:
        core: its number.
        count: stretches of more than HICCUP_NS.
        longest_ns: of them.
        share: of the time lost to them.
    """

    core: int
    count: int
    longest_ns: int
    share: float

    def text(self) -> str:
        """Return one core's part of the host line."""
        return (
            f"core {self.core} {self.count:,} (longest {self.longest_ns / 1e3:,.0f} us, {self.share:.2%} of the time)"
        )


def describe() -> str:
    """Measure for two seconds a core and return the host line."""
    load = os.getloadavg()[0]
    watched = [watch(core) for core in sorted(os.sched_getaffinity(0))]
    noisy = any(each.share > NOISY for each in watched)
    return (
        f"Host: {processor()}, {len(watched)} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load:.2f}; hiccups above {HICCUP_NS // 1000} us in {WATCH_NS // 10**9} s: "
        + "; ".join(each.text() for each in watched)
        + (". THE HOST WAS NOT QUIET: these times and ratios say little." if noisy else ".")
    )


def processor() -> str:
    """Return the processor's name as the kernel tells it, or its architecture."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def watch(core: int, span_ns: int = WATCH_NS) -> Hiccups:
    """Spin on a core and return what was lost.

    Args:
        core: of those that this process may use.
        span_ns: how long.
    """
    found: list[tuple[int, int, int]] = []

    def run() -> None:
        os.sched_setaffinity(0, {core})
        _spin(1)  # compiled before it counts
        found.append(_spin(span_ns))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    count, longest, lost = found[0]
    return Hiccups(core, count, longest, lost / span_ns)


@njit(cache=True, nogil=True)
def _spin(span: int) -> tuple[int, int, int]:
    count = longest = lost = 0
    last = monotonic_ns()
    end = last + span
    while last < end:
        now = monotonic_ns()
        away = now - last
        if away > HICCUP_NS:
            count += 1
            lost += away
            longest = max(longest, away)
        last = now
    return count, longest, lost
