"""What a run costs in processor time: its two processes while frames are sent, and their cores with all that is there.

The clocks of the processes are exact, and miss what the kernel does for them in nobody's name (interrupts, its own
threads). The cores' busy time has that, and whatever else ran there; it is kept in ticks of 10 ms. A process that
starts compiles and loads for seconds, so only what lies between the first frame and the last is taken.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from simbench.measure.processor import busy_ns, process_ns
from simbench.replay import control as c
from simbench.session.plan import cores

if TYPE_CHECKING:
    from simbench.session.replayed import Session

EVERY_S: Final = 0.02  # between looks: the frames between the last one and the end are not in the figures


class Look(NamedTuple):
    """The clocks at one moment, ns; and the frames sent until then."""

    at: int
    frames: int
    sender: int
    receiver: int
    cores: int


@dataclass(frozen=True)
class Spent:
    """What was used between two looks at a run.

    Attributes:
        frames: sent in between; 0 where the run was too short for two looks.
        elapsed_ns: of the clock.
        sender_ns: of the replayer's process.
        receiver_ns: of the receiver's.
        cores_ns: busy time of the cores that they run on, whoever had them.
    """

    frames: int = 0
    elapsed_ns: int = 0
    sender_ns: int = 0
    receiver_ns: int = 0
    cores_ns: int = 0

    def __add__(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(
            self.frames + other.frames,
            self.elapsed_ns + other.elapsed_ns,
            self.sender_ns + other.sender_ns,
            self.receiver_ns + other.receiver_ns,
            self.cores_ns + other.cores_ns,
        )


class Usage:
    """Looks at a run from its first frame to its last, in a thread of its own; a context manager.

    Args:
        session: that runs.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over = threading.Event()
        self._looks: list[Look] = []
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def spent(self) -> Spent:
        """Return what was used; call it when the run has ended."""
        if len(self._looks) < 2:
            return Spent()
        at, frames, sender, receiver, cores_ns = (now - before for before, now in zip(*self._looks, strict=True))
        return Spent(frames, at, sender, receiver, cores_ns)

    def _run(self) -> None:
        words = self._session.control.words
        while not self._over.wait(EVERY_S) and words[c.PHASE] < c.ENDED:
            if words[c.SENT] > 0 and (look := self._look()) is not None:
                self._looks = [*self._looks[:1], look]

    def _look(self) -> Look | None:
        """Return the clocks; None where a process has gone."""
        children = [self._session.child(name) for name in ("replay", "receive")]
        try:
            sender, receiver = (process_ns(child.pid) if child is not None else 0 for child in children)
        except OSError:
            return None
        busy = busy_ns({core for core in cores() if core is not None})
        return Look(time.monotonic_ns(), int(self._session.control.words[c.SENT]), sender, receiver, busy)
