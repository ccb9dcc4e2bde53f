"""What the terminal needs from the rest: somebody who takes snapshots, and somebody who drives the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import Snapshot


class Source(Protocol):
    """Takes snapshots of a run; called from one thread that is not the terminal's."""

    def snapshot(
        self, instrument_index: int | None, others: Sequence[int] = (), level: tuple[str, int] | None = None
    ) -> Snapshot:
        """One moment of the run, with the book of that instrument, None leaves the choice to the source; and others.

        With a level ("bid" or "ask", and its price) also that level's queue of orders.
        """


class Steering(Protocol):
    """Drives the replay.

    Every call returns at once: not nought where the command was queued, nought where the queue is full. What came of
    it is seen in the snapshots that follow.
    """

    def pause(self) -> int:
        """Pause."""

    def resume(self) -> int:
        """Go on."""

    def toggle(self) -> int:
        """Pause, or go on."""

    def step(self, n: int = 1) -> int:
        """Send the next n datagrams and stay paused."""

    def faster(self) -> int:
        """Raise the speed by one notch."""

    def slower(self) -> int:
        """Lower the speed by one notch."""

    def set_speed(self, speed: float | str) -> int:
        """Replay at a factor of the recorded speed, "max" or "flood"."""

    def jump(self, recorded_ns: int, *, primed: bool = False) -> int:
        """Go on at a recorded time; primed: what comes before it is sent first, as fast as it is taken."""

    def gate(self, way: int, count: int = 0) -> int:
        """Ask something of the receiver's gate, see simbench/replay/gating.py."""

    def switch(self, fault: str, lines: Sequence[int], value: int = 1, *, for_ns: int = 0) -> int:
        """Switch a fault of these lines on while the replay goes on, or off with the value 0."""

    def all_off(self) -> int:
        """Switch every fault off."""

    def stop(self) -> int:
        """End the replay."""
