"""The receiver's gate, driven: what is asked of it, and the errand that tells what came of it.

The receiver itself stops where it was asked to, and pauses the replay; the terminal only says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench.replay import gating
from simbench_tui.errands import Deed

if TYPE_CHECKING:
    from simbench.measure.snapshot import GapView, Snapshot

NO_GATE: Final = "this receiver has no gate: there is one where a replay has one queue"
WORDS: Final = {"gap": "TO NEXT GAP", "change": "TO NEXT CHANGE"}


@dataclass
class AtGate:
    """Wait until the gate has shut, or somebody asks something else of it.

    Attributes:
        before: number of the request before.
        words: what it is, for a badge.
        ours: number of the request that was made; 0 while no snapshot tells of it.
    """

    before: int
    words: str
    ours: int = 0

    def hear(self, snapshot: Snapshot) -> Deed | None:
        """Look whether it is shut."""
        gate = snapshot.gate
        if gate.request == self.before:
            return None
        self.ours = self.ours or gate.request
        if gate.request != self.ours or gate.stands == "open":
            return Deed(over=True)
        if gate.stands != "shut":
            return None
        gap = max(snapshot.gaps, key=_moved) if gate.waits_for == "gap" and snapshot.gaps else None
        told = f"gap {gap.first}-{gap.last} of {gap.channel}: {gap.outcome}" if gap is not None else ""
        return Deed(told=told, over=True)


def _moved(gap: GapView) -> int:
    """Return when it was opened, or ended."""
    return gap.detected_ns if gap.outcome in {"open", "asked"} else gap.detected_ns + gap.open_ns


def has_gate(snapshot: Snapshot | None) -> bool:
    """Tell whether there is a gate to ask."""
    return snapshot is not None and snapshot.gate.stands != "none"


def in_the_way(snapshot: Snapshot | None) -> bool:
    """Tell whether it is armed or shut."""
    return snapshot is not None and snapshot.gate.stands in {"armed", "shut"}


def asked(what: str, instrument: int | None) -> tuple[int, int]:
    """Return what to ask for: the way, and the instrument."""
    return (gating.CHANGE, instrument or 0) if what == "change" else (gating.GAP, 0)
