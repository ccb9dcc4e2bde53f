"""What the scheduler did to a thread, as far as the kernel tells."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from simbench.receive.scheduling import scheduling, since

if TYPE_CHECKING:
    from pathlib import Path


def test_a_kernel_that_does_not_tell_tells_nothing(tmp_path: Path) -> None:
    """Not known is not zero."""
    assert scheduling(tmp_path / "sched") == {}
    assert since({}, {"migrations": 3}) == {}


def test_the_kernels_account_is_read(tmp_path: Path) -> None:
    """Whatever else stands in it."""
    path = tmp_path / "sched"
    path.write_text("python (1, #threads: 1)\n---\nse.nr_migrations   :   7\nnr_voluntary_switches  :  2\n")

    assert scheduling(path) == {"migrations": 7, "slept": 2}
    assert since({"migrations": 3, "slept": 2}, scheduling(path)) == {"migrations": 4, "slept": 0}


def test_a_thread_that_is_moved_counts_it() -> None:
    """To another core by its own wish, which is a migration all the same."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not scheduling():
        pytest.skip("one core, or a kernel that does not tell")
    found: list[dict[str, int]] = []

    def move() -> None:
        os.sched_setaffinity(0, {cores[0]})
        before = scheduling()
        for _ in range(5):
            for core in cores[:2]:
                os.sched_setaffinity(0, {core})
        found.append(since(before, scheduling()))

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()
    assert found[0]["migrations"] >= 9
