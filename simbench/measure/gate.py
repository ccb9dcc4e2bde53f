"""The receiver's gate as a reader sees it: how it stands, what it waits for, behind what it is shut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.measure import telemetry as t
from simbench.measure.snapshot import GateView
from simbench.replay import control as c
from simbench.replay import gating

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.names import Names
    from simbench.measure.snapshot import InstrumentRow

    Words = NDArray[np.int64]


def look(telemetry: Words, control: Words, names: Names, instruments: Sequence[InstrumentRow]) -> GateView:
    """Return how the gate of a run stands.

    Args:
        telemetry: the receiver's block.
        control: the replayer's.
        names: what channels are called.
        instruments: those that have names for the user.
    """
    request = int(control[c.GATE])
    stands = int(control[c.GATE_STANDS])
    way = int(telemetry[t.GATE_CAUSE])
    if stands != gating.NONE and int(telemetry[t.GATE_TAKEN]) != request:  # it has not been taken yet
        way = gating.way_of(request)
        stands = gating.IS_OPEN if way == gating.OPEN else gating.ARMED
    words = ""
    if stands in {gating.ARMED, gating.SHUT}:
        index = int(telemetry[t.GATE_INSTRUMENT])
        row = next((each for each in instruments if each.index == index), None)
        name = "its instrument" if row is None else row.symbol or row.key
        if stands == gating.ARMED:
            words = f"gate: open to {_ends(way, name)}"
        else:
            at = _ends(way, name) if way in {gating.GAP, gating.CHANGE} else ""
            words = f"gate: shut{' at ' + at if at else ''}{_behind(telemetry, names)}"
    return GateView(gating.STANDS[stands], gating.WAYS[way], request, words)


def _ends(way: int, name: str) -> str:
    return {
        gating.MESSAGES: "the next message",
        gating.FRAMES: "the end of a datagram",
        gating.GAP: "a gap",
        gating.CHANGE: f"a change of {name}",
    }.get(way, "")


def _behind(telemetry: Words, names: Names) -> str:
    channel = int(telemetry[t.GATE_CHANNEL])
    if channel < 0:
        return ""
    return f", behind sequence {int(telemetry[t.GATE_SEQUENCE]):,} of {names.channel(channel)}"
