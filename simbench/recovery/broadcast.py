"""Snapshot feeds sent alone: the loops of some channels at their recorded times, from a thread of their own."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.measure import stamps
from simbench.replay.control import LOOPS, PPM, SPEED, Control
from simbench.replay.loader import Loader
from simbench.replay.replayer import Replayer, Settings, side_rows
from simbench.replay.schedule import Options

if TYPE_CHECKING:
    from simbench.recovery.snapshot_loop import Loops
    from simbench.wire.contract import SenderEnd

SLEEPS: Final = 0  # ns before a deadline from which on it spins: the core is somebody else's
COUNTERS: Final = ("snapshot_packets", "snapshot_packets_dropped")


class Broadcast:
    """Sends loops of snapshots once, as a server that is started and ended with others.

    Recorded time begins with start(): the first loop has the books one cycle behind the capture's first frame, and is
    sent then.

    Args:
        loops: what is sent.
        end: where frames go in; closed with this server.
        cycle_ns: of the loops.
        where: what the end is called, for the user.

    Raises:
        SimbenchError: no book is ever known well enough for a snapshot.
    """

    def __init__(self, loops: Loops, end: SenderEnd, *, cycle_ns: int, where: str) -> None:
        if next(loops.packets(), None) is None:
            raise SimbenchError(f"{loops.path}: no book is ever known well enough for a snapshot")
        self.where = where
        self._end = end
        self._control = Control.create()
        self._control.words[SPEED] = PPM
        self._control.words[LOOPS] = 1
        loader = Loader(loops, Options(max_frame=end.max_frame))
        self.packets = loader.plan.frames
        side = np.zeros(side_rows(loader.plan.frames) * stamps.ROW, np.int64)
        settings = Settings(receiver=False, paused=True, serials=False, awake_ns=SLEEPS)
        self._replayer = Replayer(loader, end, self._control, side, settings)
        self._first = threading.Timer(cycle_ns / 1e9, self._control.resume)
        self._started = False

    @property
    def counters(self) -> dict[str, int]:
        """Return what was counted, by name."""
        return dict(zip(COUNTERS, (self._control.sent, self._control.dropped), strict=True))

    @property
    def done(self) -> bool:
        """Tell whether everything has been sent."""
        return self._started and self._replayer.join(0)

    def start(self) -> None:
        """Start sending."""
        self._started = True
        self._replayer.start()
        self._first.start()

    def stop(self) -> None:
        """End; what has not been sent is not sent any more."""
        if self._started:
            self._first.cancel()
            self._control.stop()
            self._replayer.join()
        self._end.close()
        os.close(self._control.fd)
