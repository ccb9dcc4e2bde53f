"""The host that figures were taken on: what it is, how busy it was, and what its cores lose to others."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from simbench.doctor.hiccups import HICCUP_NS, NOISY, WATCH_NS, watch
from simbench.doctor.tuning import processor


def describe() -> str:
    """Measure for two seconds a core and return the host line."""
    load = os.getloadavg()[0]
    watched = [watch(core) for core in sorted(os.sched_getaffinity(0))]
    noisy = any(each.share > NOISY for each in watched)
    return (
        f"Host: {processor(Path('/'))}, {len(watched)} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {load:.2f}; "
        f"hiccups above {HICCUP_NS // 1000} us in {WATCH_NS // 10**9} s: "
        + "; ".join(f"core {each.core} {each.text()}" for each in watched)
        + (". THE HOST WAS NOT QUIET: these times and ratios say little." if noisy else ".")
    )
