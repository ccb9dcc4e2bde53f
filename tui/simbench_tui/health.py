"""What the run is doing, in one word and a reason: also when it says nothing any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simbench.measure.snapshot import Phase
from simbench_tui.constants import LOST_NS, STALL_NS
from simbench_tui.format import SECOND

if TYPE_CHECKING:
    from simbench.measure.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a run.

    Attributes:
        word: for the badge, at most eight letters.
        reason: why, where that is not plain; "" where there is nothing to add.
        tone: "good", "warn", "bad" or "dim".
    """

    word: str
    reason: str
    tone: str


class Health:
    """Judges a run by its snapshots and by their absence; time is an argument.

    Args:
        now_ns: when watching began.
    """

    def __init__(self, now_ns: int) -> None:
        self._snapshot: Snapshot | None = None
        self._heard_ns = now_ns
        self._moved_ns = now_ns
        self._progress: tuple[object, ...] = ()
        self._failure = ""

    def hear(self, snapshot: Snapshot, now_ns: int) -> None:
        """Take note of a snapshot that arrived now."""
        progress = (
            snapshot.phase,
            snapshot.position_ns,
            snapshot.cursor,
            sum(line.datagrams for line in snapshot.lines),
        )
        if progress != self._progress:
            self._progress = progress
            self._moved_ns = now_ns
        self._snapshot = snapshot
        self._heard_ns = now_ns
        self._failure = ""

    def fail(self, reason: str) -> None:
        """Take note that no snapshot could be taken."""
        self._failure = reason

    def judge(self, now_ns: int) -> Verdict:
        """The state as of now."""
        snapshot = self._snapshot
        silent = now_ns - self._heard_ns
        if self._failure:
            return Verdict("NO NEWS", f"no snapshot: {self._failure}", "bad")
        if snapshot is not None and snapshot.phase is Phase.FAILED:
            return Verdict("FAILED", snapshot.reason or "no reason given", "bad")
        if snapshot is not None and snapshot.phase is Phase.ENDED:
            return Verdict("ENDED", snapshot.reason or "the replay is complete", "dim")
        if silent > LOST_NS:
            return Verdict("NO NEWS", f"the run has said nothing for {_seconds(silent)}: what is shown is old", "bad")
        if snapshot is None or snapshot.phase is Phase.STARTING:
            return Verdict("STARTING", (snapshot.reason if snapshot else "") or "waiting for the first datagram", "dim")
        if snapshot.phase is Phase.PAUSED:
            return Verdict("PAUSED", snapshot.reason, "warn")
        still = now_ns - self._moved_ns
        if still > STALL_NS:
            return Verdict("STALLED", snapshot.reason or f"nothing sent or received for {_seconds(still)}", "bad")
        return Verdict("RUNNING", snapshot.reason, "good")


def _seconds(ns: int) -> str:
    return f"{ns / SECOND:.0f} s"
