"""What this user may do, and what of the machine is theirs: capabilities, cores, memory that may be locked."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

from simbench.doctor.check import Check, Verdict

WANTED: Final = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 21: "CAP_SYS_ADMIN", 39: "CAP_BPF"}
ALL_OF_THEM: Final = 21  # who may administer the system needs no CAP_BPF
LOCKED: Final = 64 << 20  # bytes: frames of both ends


def look() -> list[Check]:
    """Return a line for each."""
    return [_capabilities(), _cores(), _locked()]


def _capabilities() -> Check:
    status = Path("/proc/thread-self/status").read_text(encoding="ascii", errors="replace")
    effective = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff")), 0)
    missing = [
        name
        for bit, name in WANTED.items()
        if not effective >> bit & 1 and not (name == "CAP_BPF" and effective >> ALL_OF_THEM & 1)
    ]
    if not missing:
        return Check("capabilities", Verdict.GOOD, "all that wires of one's own need")
    return Check("capabilities", Verdict.MISSING, f"without {', '.join(missing)}", "run as root for veth and tap")


def _cores() -> Check:
    cores = sorted(os.sched_getaffinity(0))
    found = f"{len(cores)} of {os.cpu_count()}: {', '.join(map(str, cores[:16]))}{' ...' * (len(cores) > 16)}"
    if len(cores) >= 3:
        return Check("cores", Verdict.GOOD, found)
    if len(cores) == 2:
        return Check("cores", Verdict.NOTE, found, "sender and receiver have one each; a terminal shares the sender's")
    return Check("cores", Verdict.CHANGE, found, "sender and receiver take turns: no figure of latency means anything")


def _locked() -> Check:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY or limit >= LOCKED or os.geteuid() == 0:
        amount = "without limit" if limit == resource.RLIM_INFINITY else f"{limit:,} bytes"
        return Check("locked memory", Verdict.GOOD, amount)
    return Check("locked memory", Verdict.CHANGE, f"{limit:,} bytes", f"ulimit -l {LOCKED // 1024}")
