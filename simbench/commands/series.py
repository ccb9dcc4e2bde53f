"""What `--json` says of a run's course: looks taken beside the run, by a thread that gives way to it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simbench.session.processes import Processes


@contextlib.contextmanager
def sampled(session: Processes, *, wanted: bool) -> Iterator[dict[str, Any]]:
    """Look at a session while the block lasts.

    Args:
        session: that was started; it must not be closed within the block.
        wanted: otherwise nothing is done.

    Yields:
        What JSON has more for it, `timeline` and `curves`, filled at the end of the block.
    """
    found: dict[str, Any] = {}
    if not wanted:
        yield found
        return
    from simbench.commands.run import POLITE
    from simbench.measure.series import Timeline, curves
    from simbench.measure.telemetry import histograms

    line = Timeline()
    ended = threading.Event()

    def follow() -> None:
        os.nice(POLITE)  # this thread alone
        while not ended.wait(line.every_s):
            line.look(time.monotonic_ns(), session.telemetry)

    line.look(time.monotonic_ns(), session.telemetry)
    thread = threading.Thread(target=follow, name="timeline", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        line.look(time.monotonic_ns(), session.telemetry)
        found["timeline"] = line.told()
        found["curves"] = curves(histograms(session.telemetry))
