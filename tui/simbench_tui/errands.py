"""What the terminal does by itself after a key: wait for something and then pause the replay, or loop a window of it.

An errand hears every snapshot and says what is to be done. It notices things when a snapshot tells of them, a tenth of
a second late at most: what lies between is replayed, so at a high speed it stops later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simbench.measure.snapshot import Phase
from simbench_tui.constants import ERRAND_LEAD_S
from simbench_tui.format import time_of_day

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done now.

    Attributes:
        pause: the replay.
        jump_ns: recorded time to go on at; None not to.
        told: to the user; "" nothing.
        over: the errand is done.
    """

    pause: bool = False
    jump_ns: int | None = None
    told: str = ""
    over: bool = False


class Errand(Protocol):
    """Something that goes on until it is done or called off."""

    @property
    def words(self) -> str:
        """What it is, for a badge."""

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Take note of a snapshot; None where nothing is to be done."""


@dataclass
class NextGap:
    """Pause at the next hole that is found in a sequence.

    Attributes:
        total: holes found so far.
    """

    total: int
    words: str = "TO NEXT GAP"

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Look whether there is one more."""
        if snapshot.gaps_total <= self.total or not snapshot.gaps:
            return None
        gap = max(snapshot.gaps, key=lambda each: each.detected_ns)
        return Deed(pause=True, told=f"gap {gap.first}-{gap.last} of {gap.channel}: {gap.outcome}", over=True)


@dataclass
class NextChange:
    """Pause when something happens to an instrument.

    Attributes:
        index: of the instrument.
        name: for the user.
        updates: of it so far.
    """

    index: int
    name: str
    updates: int
    words: str = "TO NEXT CHANGE"

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Look whether there were more updates."""
        rows = (row for row in snapshot.instruments if row.index == self.index)
        book = snapshot.book
        updates = next((row.updates for row in rows), book.updates if book and book.index == self.index else 0)
        if updates <= self.updates:
            return None
        return Deed(pause=True, told=f"{self.name}: {updates - self.updates:,} updates", over=True)


@dataclass
class Arrival:
    """Pause when the replay arrives at a recorded time, or just before.

    Attributes:
        at_ns: that time.
        what: is there.
        words: for a badge.
        early: pause as long before as a snapshot may be late, so that nothing of it is missed.
    """

    at_ns: int
    what: str
    words: str
    early: bool = False

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Look how far the replay is."""
        lead = round(ERRAND_LEAD_S * 1e9 * snapshot.speed_asked) if self.early else 0
        if snapshot.position_ns < self.at_ns - lead:
            return None
        return Deed(pause=True, told=f"{self.what} at {time_of_day(self.at_ns, 6)}", over=True)


@dataclass
class LoopWindow:
    """Begin anew whenever the end of a window is reached.

    Attributes:
        first_ns: recorded time at which it begins.
        last_ns: at which it ends.
    """

    first_ns: int
    last_ns: int
    words: str = "LOOPS"
    _away: bool = False

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Jump back, once for each time that the end is reached."""
        beyond = snapshot.position_ns >= self.last_ns
        if not beyond:
            self._away = False
        if beyond and not self._away and snapshot.phase is Phase.RUNNING:
            self._away = True
            return Deed(jump_ns=self.first_ns)
        return None
