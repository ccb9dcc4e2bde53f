"""How hosts are set up, told from copies of their files: one that is fit, others that are not, one without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simbench.doctor import tuning
from simbench.doctor.check import Verdict

if TYPE_CHECKING:
    from pathlib import Path

CPU = "sys/devices/system/cpu"
FIT = {
    "proc/sys/kernel/osrelease": "6.8.0",
    "proc/cmdline": "quiet rcu_nocbs=2-3",
    "proc/cpuinfo": "model name : A Processor\nflags : fpu tsc\n",
    "proc/swaps": "Filename Type Size",
    "proc/sys/kernel/numa_balancing": "0",
    "proc/sys/kernel/nmi_watchdog": "0",
    "proc/sys/kernel/timer_migration": "0",
    "proc/sys/vm/stat_interval": "120",
    "proc/sys/net/core/rmem_max": "67108864",
    "proc/sys/net/core/netdev_max_backlog": "50000",
    "proc/irq/9/effective_affinity_list": "0",
    "proc/77/comm": "phc2sys",
    "sys/class/ptp/ptp0/clock_name": "nic",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "sys/kernel/mm/ksm/run": "0",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/devices/system/node/node0/cpulist": "0-3",
    f"{CPU}/online": "0-3",
    f"{CPU}/isolated": "2-3",
    f"{CPU}/nohz_full": "2-3",
    f"{CPU}/intel_pstate/no_turbo": "1",
    **{f"{CPU}/cpu{core}/topology/thread_siblings_list": f"{core}" for core in (2, 3)},
    **{f"{CPU}/cpu{core}/cpufreq/scaling_governor": "performance" for core in (2, 3)},
    **{f"{CPU}/cpu{core}/cpuidle/state0/{name}": text for core in (2, 3) for name, text in
       (("name", "POLL"), ("latency", "0"), ("disable", "0"))},
}  # fmt: skip
# What spoils it: file, what is in it instead, and the line that has to say so.
SPOILED = [
    ("proc/sys/kernel/osrelease", "5.4.0-generic", "kernel"),
    (f"{CPU}/isolated", "3", "isolated cores"),
    ("proc/cmdline", "quiet", "isolated cores"),
    (f"{CPU}/cpu2/topology/thread_siblings_list", "2-3", "hyperthreads"),
    (f"{CPU}/cpu3/cpufreq/scaling_governor", "powersave", "frequency governor"),
    (f"{CPU}/intel_pstate/no_turbo", "0", "turbo"),
    (f"{CPU}/cpu2/cpuidle/state0/latency", "133", "idle states"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never", "transparent huge pages"),
    ("sys/kernel/mm/ksm/run", "1", "merging of pages (KSM)"),
    ("proc/sys/kernel/numa_balancing", "1", "NUMA balancing"),
    ("proc/sys/kernel/nmi_watchdog", "1", "NMI watchdog"),
    ("proc/sys/kernel/timer_migration", "1", "timer migration"),
    ("proc/sys/vm/stat_interval", "1", "interval of vm statistics"),
    ("proc/swaps", "Filename\n/dev/sda2 partition 9 0 -2", "swap"),
    ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet", "clock source"),
    ("proc/cpuinfo", "model name : A Processor\nflags : fpu hypervisor\n", "machine"),
    ("proc/77/comm", "bash", "clock disciplined by"),
    ("proc/irq/9/effective_affinity_list", "0-2", "interrupts"),
    ("proc/77/comm", "irqbalance", "interrupts"),
    ("sys/devices/system/node/node1/cpulist", "3", "NUMA"),
    ("proc/sys/net/core/netdev_max_backlog", "1000", "kernel's receive queue"),
]


def host(root: Path, files: dict[str, str]) -> Path:
    """Write a host's files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return root


def test_a_fit_host_needs_no_change(tmp_path: Path) -> None:
    """Everything is looked at, and nothing is wrong."""
    checks = tuning.read(host(tmp_path, FIT), [2, 3])

    assert {check.name for check in checks} >= {name for _, _, name in SPOILED}
    assert {check.verdict for check in checks} == {Verdict.GOOD}
    assert not any(check.advice for check in checks)


@pytest.mark.parametrize(("file", "text", "name"), SPOILED)
def test_what_spoils_it_is_named_and_alone(tmp_path: Path, file: str, text: str, name: str) -> None:
    """One line changes, and says what to do."""
    checks = tuning.read(host(tmp_path, FIT | {file: text}), [2, 3])

    others = [check for check in checks if check.verdict is not Verdict.GOOD]
    assert name in {check.name for check in others}
    assert len(others) <= 2, "one daemon can be two lines' matter"
    assert all(check.advice for check in others)


def test_a_host_without_files_is_no_fault(tmp_path: Path) -> None:
    """A container shows little: what cannot be read is not judged."""
    checks = tuning.read(tmp_path, [0])

    assert {check.name for check in checks} == {"isolated cores", "clock disciplined by"}


@pytest.mark.parametrize(("text", "numbers"), [("0-3,8", {0, 1, 2, 3, 8}), ("", set()), ("x,5", {5}), ("2-", {2})])
def test_lists_as_the_kernel_writes_them(text: str, numbers: set[int]) -> None:
    """Ranges, single numbers and nothing."""
    assert tuning.listed(text) == numbers
