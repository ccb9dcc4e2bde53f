"""The thread that takes a snapshot at a steady pace and posts it; the only one that ever calls the source."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from simbench_tui.constants import STOP_S
from simbench_tui.messages import Sampled, SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.message import Message

    from simbench_tui.source import Source


def take(
    source: Source, instrument: int | None, others: Sequence[int] = (), level: tuple[str, int] | None = None
) -> Sampled | SourceFailed:
    """One snapshot as a message; a source that raises is reported rather than lost with its thread."""
    try:
        if level is None:
            return Sampled(source.snapshot(instrument, others))
        return Sampled(source.snapshot(instrument, others, level))
    except Exception as error:  # noqa: BLE001  the terminal has to outlive whatever it watches
        return SourceFailed(f"{type(error).__name__}: {error}")


class Sampler(Thread):
    """Takes snapshots until it is stopped.

    Args:
        source: of the snapshots.
        post: hands a message to the terminal, from any thread.
        interval: seconds between two snapshots.
    """

    def __init__(self, source: Source, post: Callable[[Message], object], interval: float) -> None:
        super().__init__(name="simbench-sampler", daemon=True)
        self._source = source
        self._post = post
        self._interval = interval
        self._wish: tuple[int | None, tuple[int, ...], tuple[str, int] | None] = (None, (), None)
        self._wake = Event()
        self._stopped = False

    def choose(
        self, instrument: int | None, others: tuple[int, ...] = (), level: tuple[str, int] | None = None
    ) -> None:
        """Ask for this instrument's book from now on, others, and the queue of a level; the first time at once."""
        self._wish = (instrument, others, level)
        self._wake.set()

    def stop(self) -> None:
        """End after the snapshot that is being taken; afterwards the source is no longer read."""
        self._stopped = True
        self._wake.set()
        if self.is_alive():
            self.join(STOP_S)

    def run(self) -> None:
        """Sample, post, wait."""
        while not self._stopped:
            self._wake.clear()
            self._post(take(self._source, *self._wish))
            self._wake.wait(self._interval)
