"""Compile modules in processes beside each other: on a machine's first run every core has a share of the work.

Each process imports modules, whose kernels are compiled as they are declared and kept in the cache. Nothing else is
expected of it: what it could not do, or did not get to, is compiled by whoever needs it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def compile_apart(shares: Sequence[Sequence[str]]) -> None:
    """Import each share's modules in a process of its own, and wait for all; do nothing where there is but one core.

    Args:
        shares: names of modules, in the order in which they are imported.
    """
    if len(os.sched_getaffinity(0)) < 2:
        return
    running = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, *modules],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for modules in shares
    ]
    try:
        for process in running:
            process.wait()
    finally:
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    for module in sys.argv[1:]:
        with contextlib.suppress(Exception):  # whoever needs it will say what is wrong with it
            importlib.import_module(module)
