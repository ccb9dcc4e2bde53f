"""Whose turn it is on a shared core: the processes of a run come before whoever shows it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST: Final = -20
AS_ALL: Final = 0


@contextlib.contextmanager
def first(pids: Iterable[int]) -> Iterator[None]:
    """Let processes that lead a session come first, as far as this user may ask for it.

    Where the kernel schedules by session (autogroup, sched(7)), nice(2) orders the processes of one session alone: a
    terminal that is nice to its own session takes its full share from a replayer that has another one. A session's
    own value is raised by the privileged only; it ends with the session, so nothing is left behind by who is killed.

    Args:
        pids: of the processes; one that is gone, or in the session of another process, is left out.
    """
    raised = [pid for pid in pids if _leads(pid) and _set(pid, FIRST)]
    try:
        yield
    finally:
        for pid in raised:
            _set(pid, AS_ALL)


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _set(pid: int, value: int) -> bool:
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(value), encoding="ascii")
    except OSError:  # no such kernel, no such process, or no such right
        return False
    return True
