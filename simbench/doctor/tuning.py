"""How the host is set up, read from /proc and /sys: what keeps a core from doing one thing at an even pace."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, Final

from simbench.doctor.check import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

OLDEST: Final = (5, 9)  # attaching XDP programs by links
SLOW_WAKE_US: Final = 10
RECEIVE_BUFFER: Final = 16 << 20
BACKLOG: Final = 10_000
CPU: Final = "sys/devices/system/cpu"
DISCIPLINES: Final = ("ptp4l", "phc2sys", "chronyd", "ntpd", "systemd-timesyn")


def read(root: Path, cores: Sequence[int]) -> list[Check]:
    """Return a line for everything that could be read.

    Args:
        root: "/", or a copy of the files of another host.
        cores: that would be measured on.
    """
    checks = [
        _kernel(root),
        _isolation(root, cores),
        _siblings(root, cores),
        _governor(root, cores),
        _turbo(root),
        _idle(root, cores),
        _huge_pages(root),
        *_switches(root),
        _swap(root),
        _clock_source(root),
        _hypervisor(root),
        _discipline(root),
        _interrupts(root, cores),
        _nodes(root, cores),
        _buffers(root),
        _backlog(root),
    ]
    return [check for check in checks if check is not None]


def processor(root: Path) -> str:
    """Return the processor's name as the kernel tells it, or its architecture."""
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def listed(text: str) -> set[int]:
    """Return the numbers of a list as the kernel writes it, such as "0-3,8"."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), int(last or first) + 1))
    return found


def _running(root: Path) -> set[str]:
    """Return the names of the processes that run."""
    return {_text(path) for path in (root / "proc").glob("[0-9]*/comm")}


def _all_of(texts: Iterable[str]) -> str:
    return ", ".join(sorted({text for text in texts if text}))


def _kernel(root: Path) -> Check | None:
    release = _text(root / "proc/sys/kernel/osrelease")
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers is None:
        return None
    if (int(numbers[1]), int(numbers[2])) < OLDEST:
        return Check("kernel", Verdict.MISSING, release, "AF_XDP needs Linux 5.9 or later; the ring does not")
    return Check("kernel", Verdict.GOOD, f"Linux {release}")


def _isolation(root: Path, cores: Sequence[int]) -> Check:
    isolated = listed(_text(root / CPU / "isolated"))
    quiet = listed(_text(root / CPU / "nohz_full"))
    words = _text(root / "proc/cmdline").split()
    callbacks = listed(next((word.partition("=")[2] for word in words if word.startswith("rcu_nocbs=")), ""))
    missing = [
        name
        for name, have in (("isolcpus", isolated), ("nohz_full", quiet), ("rcu_nocbs", callbacks))
        if not set(cores) <= have
    ]
    if not missing:
        return Check("isolated cores", Verdict.GOOD, f"{', '.join(map(str, cores))}: isolated, without ticks")
    wanted = ",".join(map(str, cores))
    advice = "kernel command line: " + " ".join(f"{name}={wanted}" for name in missing)
    if set(cores) >= listed(_text(root / CPU / "online")):
        advice = "the kernel needs one core for itself: isolate two others, where there are three"
    found = f"of {wanted} isolated: {', '.join(map(str, sorted(isolated & set(cores)))) or 'none'}"
    return Check("isolated cores", Verdict.CHANGE, found, advice)


def _siblings(root: Path, cores: Sequence[int]) -> Check | None:
    groups = {core: listed(_text(root / CPU / f"cpu{core}/topology/thread_siblings_list")) for core in cores}
    if not any(groups.values()):
        return None
    shared = [core for core in cores if len(groups[core]) > 1]
    if not shared:
        return Check("hyperthreads", Verdict.GOOD, "every core has one thread")
    pairs = _all_of("+".join(map(str, sorted(groups[core]))) for core in shared)
    if any(len(groups[core] & set(cores)) > 1 for core in shared):
        advice = "sender and receiver would share a core: choose cores of different pairs, or switch SMT off"
        return Check("hyperthreads", Verdict.CHANGE, pairs, advice)
    return Check("hyperthreads", Verdict.NOTE, pairs, "leave the other thread of each measured core idle")


def _governor(root: Path, cores: Sequence[int]) -> Check | None:
    found = _all_of(_text(root / CPU / f"cpu{core}/cpufreq/scaling_governor") for core in cores)
    if not found:
        return None
    if found == "performance":
        return Check("frequency governor", Verdict.GOOD, found)
    return Check("frequency governor", Verdict.CHANGE, found, "cpupower frequency-set -g performance")


def _turbo(root: Path) -> Check | None:
    off = _number(root / CPU / "intel_pstate/no_turbo")
    boost = _number(root / CPU / "cpufreq/boost")
    if off is None and boost is None:
        return None
    on = off == 0 if off is not None else boost == 1
    if on:
        return Check("turbo", Verdict.NOTE, "on", "speed follows temperature: switch it off to compare runs")
    return Check("turbo", Verdict.GOOD, "off")


def _idle(root: Path, cores: Sequence[int]) -> Check | None:
    deepest: dict[int, str] = {}
    for core in cores:
        for state in sorted((root / CPU / f"cpu{core}/cpuidle").glob("state*")):
            latency = _number(state / "latency")
            if latency is not None and _text(state / "disable") == "0":
                deepest[latency] = _text(state / "name")
    if not deepest:
        return None
    latency = max(deepest)
    found = f"{deepest[latency]}, {latency:,} us to wake"
    if latency <= SLOW_WAKE_US:
        return Check("idle states", Verdict.GOOD, found)
    advice = "a core that sleeps wakes late and cold: --wait spin, or hold /dev/cpu_dma_latency at 0"
    return Check("idle states", Verdict.CHANGE, found, advice)


def _huge_pages(root: Path) -> Check | None:
    text = _text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    chosen = re.search(r"\[(\w+)\]", text)
    if chosen is None:
        return None
    if chosen[1] == "always":
        advice = "memory in use is moved: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
        return Check("transparent huge pages", Verdict.CHANGE, chosen[1], advice)
    return Check("transparent huge pages", Verdict.GOOD, chosen[1])


def _switches(root: Path) -> list[Check | None]:
    """Look at what is a number in a file and best at one value."""
    wanted = (
        ("merging of pages (KSM)", "sys/kernel/mm/ksm/run", 0, "echo 0 > /sys/kernel/mm/ksm/run"),
        ("NUMA balancing", "proc/sys/kernel/numa_balancing", 0, "sysctl kernel.numa_balancing=0"),
        ("NMI watchdog", "proc/sys/kernel/nmi_watchdog", 0, "sysctl kernel.nmi_watchdog=0"),
        ("timer migration", "proc/sys/kernel/timer_migration", 0, "sysctl kernel.timer_migration=0"),
    )
    found: list[Check | None] = []
    for name, path, best, advice in wanted:
        value = _number(root / path)
        if value is not None:
            good = value == best
            found.append(Check(name, Verdict.GOOD if good else Verdict.CHANGE, str(value), "" if good else advice))
    interval = _number(root / "proc/sys/vm/stat_interval")
    if interval is not None:
        good = interval >= 10
        found.append(
            Check(
                "interval of vm statistics",
                Verdict.GOOD if good else Verdict.NOTE,
                f"{interval} s",
                "" if good else "sysctl vm.stat_interval=120: fewer interruptions",
            )
        )
    return found


def _swap(root: Path) -> Check | None:
    lines = _text(root / "proc/swaps").splitlines()
    if not lines:
        return None
    if len(lines) == 1:
        return Check("swap", Verdict.GOOD, "none")
    return Check("swap", Verdict.CHANGE, f"{len(lines) - 1} in use", "swapoff -a while measuring")


def _clock_source(root: Path) -> Check | None:
    found = _text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not found:
        return None
    if found in {"tsc", "kvm-clock", "arch_sys_counter"}:
        return Check("clock source", Verdict.GOOD, f"{found}, read without a system call")
    return Check("clock source", Verdict.CHANGE, found, "every stamp is a system call: boot with clocksource=tsc")


def _hypervisor(root: Path) -> Check | None:
    flags = re.search(r"^flags\s*:(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    if flags is None:
        return None
    if "hypervisor" in flags[1].split():
        advice = "tails are the hypervisor's: compare ratios of one run, not times of two"
        return Check("machine", Verdict.NOTE, f"virtual, {processor(root)}", advice)
    return Check("machine", Verdict.GOOD, processor(root))


def _discipline(root: Path) -> Check:
    running = _running(root)
    daemons = [name for name in DISCIPLINES if name in running]
    clocks = len(list((root / "sys/class/ptp").glob("ptp*")))
    found = f"{', '.join(daemons) or 'nobody'}; {clocks} PTP clocks"
    if "phc2sys" in daemons or ("chronyd" in daemons and clocks):
        return Check("clock disciplined by", Verdict.GOOD, found)
    advice = "nothing here depends on it; stamps of two hosts can only be compared under ptp4l and phc2sys"
    return Check("clock disciplined by", Verdict.NOTE, found, advice)


def _interrupts(root: Path, cores: Sequence[int]) -> Check | None:
    if not (root / "proc/irq").is_dir():
        return None
    here = sum(
        bool(listed(_text(path)) & set(cores)) for path in (root / "proc/irq").glob("[0-9]*/effective_affinity_list")
    )
    balanced = "irqbalance" in _running(root)
    found = f"{here} are served by the measured cores" + ("; irqbalance moves them" if balanced else "")
    if not here and not balanced:
        return Check("interrupts", Verdict.GOOD, found)
    advice = "stop irqbalance and write other cores into /proc/irq/*/smp_affinity_list (irqaffinity= at boot)"
    return Check("interrupts", Verdict.CHANGE, found, advice)


def _nodes(root: Path, cores: Sequence[int]) -> Check | None:
    nodes = {
        path.name: listed(_text(path / "cpulist")) for path in (root / "sys/devices/system/node").glob("node[0-9]*")
    }
    if not nodes:
        return None
    used = [name for name, members in sorted(nodes.items()) if members & set(cores)]
    if len(used) > 1:
        return Check("NUMA", Verdict.CHANGE, f"cores on {' and '.join(used)}", "choose cores of one node")
    return Check(
        "NUMA",
        Verdict.GOOD,
        f"{len(nodes)} node{'s' * (len(nodes) > 1)}; the cores are on {used[0] if used else 'none'}",
    )


def _buffers(root: Path) -> Check | None:
    limit = _number(root / "proc/sys/net/core/rmem_max")
    if limit is None:
        return None
    found = f"{limit:,} bytes"
    if limit >= RECEIVE_BUFFER or os.geteuid() == 0:
        return Check(
            "socket buffers", Verdict.GOOD, found + ("" if limit >= RECEIVE_BUFFER else "; root may exceed it")
        )
    return Check("socket buffers", Verdict.CHANGE, found, f"sysctl net.core.rmem_max={RECEIVE_BUFFER}")


def _backlog(root: Path) -> Check | None:
    limit = _number(root / "proc/sys/net/core/netdev_max_backlog")
    if limit is None:
        return None
    if limit >= BACKLOG:
        return Check("kernel's receive queue", Verdict.GOOD, f"{limit:,} frames")
    advice = f"bursts on veth in generic mode overflow it: sysctl net.core.netdev_max_backlog={BACKLOG}"
    return Check("kernel's receive queue", Verdict.NOTE, f"{limit:,} frames", advice)
