"""What a core loses to others while a thread spins on it: the bound of every tail that is measured there.

A hiccup is a stretch of more than 10 us in which a spinning thread did not run: interrupts, other threads, and on a
virtual machine other guests.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Final

from simbench.doctor.check import Check, Verdict
from simbench.kernel.host import monotonic_ns
from simbench.kernel.pure import kernel

NOISY: Final = 0.02  # share of a core's time lost to others, from which on times are worth little
QUIET: Final = 0.001  # share up to which they bound only the last percentiles
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
        """Return what was lost, in words."""
        return f"{self.count:,} (longest {self.longest_ns / 1e3:,.0f} us, {self.share:.2%} of the time)"

    def check(self) -> Check:
        """Return the verdict on this core."""
        verdict, advice = Verdict.GOOD, ""
        if self.share > QUIET:
            verdict = Verdict.CHANGE
            advice = (
                "other work or other guests run on it: figures of tails are theirs, and medians may be"
                if self.share > NOISY
                else "tails beyond p99 are the host's; isolate the core, or say so beside the figure"
            )
        return Check(f"hiccups of core {self.core}", verdict, self.text(), advice)


def watch(core: int, span_ns: int = WATCH_NS) -> Hiccups:
    """Spin on a core and return what was lost.

    Args:
        core: of those that this process may use.
        span_ns: how long.
    """
    found: list[tuple[int, int, int]] = []

    def run() -> None:
        os.sched_setaffinity(0, {core})
        spin(1)  # compiled before it counts
        found.append(spin(span_ns))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    count, longest, lost = found[0]
    return Hiccups(core, count, longest, lost / span_ns)


@kernel
def spin(span: int) -> tuple[int, int, int]:
    """Look at the clock for a time; return hiccups, the longest and all of them together, in ns."""
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
