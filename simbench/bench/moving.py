"""A whole run whose sender and receiver change cores with each other, again and again."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from simbench.session import Plan, Session, cores

if TYPE_CHECKING:
    from simbench.receive.offline import Source

WATCHED_S: Final = 0.05  # in which the thread of a process that spins is found


def run_moving(source: Source, every_s: float, **plan: Any) -> dict[str, Any]:
    """Carry a plan out, on two cores that its spinning threads swap; return the result of `run --json`.

    Args:
        source: the capture.
        every_s: seconds from one swap to the next.
        plan: of the session.
    """
    with Session(source, Plan(**plan)) as session:
        session.wait_until_ready()
        children = [session.child(name) for name in ("replay", "receive")]
        threads = [busiest(child.pid) for child in children if child is not None and session.running()]
        turn = 0
        while session.running() and None not in cores():
            turn += 1
            for place, thread in enumerate(threads):
                _move(thread, cores()[(place + turn) % 2])
            session.wait(every_s)
        return session.finish()


def _move(thread: int, core: int | None) -> None:
    try:
        os.sched_setaffinity(thread, {core or 0})
    except ProcessLookupError:
        return  # it has ended


def busiest(pid: int) -> int:
    """Return the thread of a process that runs most, over the next moment."""
    before = _times(pid)
    Event().wait(WATCHED_S)
    after = _times(pid)
    return max(after, key=lambda thread: after[thread] - before.get(thread, 0))


def _times(pid: int) -> dict[int, int]:
    """Return what each thread of a process has run so far, ns."""
    found = {}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        found[int(folder.name)] = int((folder / "schedstat").read_text("ascii").split()[0])
    return found
