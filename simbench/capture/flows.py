"""The table of flows: who sends to which group and port, on which VLAN and interface; bounded, and hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.capture.kinds import FLOW_COUNT
from simbench.kernel.pure import direct, mix, multiply

if TYPE_CHECKING:
    from simbench.capture.block import Frames, Words

SEED: Final = 0  # word of the table; from 1 on: 1 + row of a flow, 0 empty, a power of two of them


@direct
def intern(
    flows: Frames,
    table: Words,
    counters: Words,
    source_high: int,
    source_low: int,
    group_high: int,
    group_low: int,
    port: int,
    version: int,
    vlan: int,
    interface: int,
    capture: int,
    ordinal: int,
) -> int:
    """Return the row of a flow, a new one where it is first seen; -1 when the table is full."""
    mask = len(table) - 2
    seed = table[SEED]
    place = multiply(group_low, 1 << 32) ^ source_low
    if version == 6:
        place = mix(mix(mix(group_high, seed) ^ group_low, seed) ^ source_high, seed) ^ source_low
    beside = port << 44 ^ vlan << 30 ^ interface << 15 ^ capture
    at = mix(place ^ multiply(beside, seed | 1), seed) & mask  # two secrets' worth: nobody can choose what collides
    while True:
        row: int = table[1 + at] - 1
        if row < 0:
            break
        flow = flows[row]
        if (
            flow["group_low"] == group_low
            and flow["port"] == port
            and flow["source_low"] == source_low
            and flow["vlan"] == vlan
            and flow["interface"] == interface
            and flow["group_high"] == group_high
            and flow["source_high"] == source_high
            and flow["version"] == version
            and flow["capture"] == capture
        ):
            return row
        at = (at + 1) & mask
    row = counters[FLOW_COUNT]
    if row == len(flows):
        return -1
    counters[FLOW_COUNT] = row + 1
    table[1 + at] = row + 1
    flow = flows[row]
    flow["source_high"] = source_high
    flow["source_low"] = source_low
    flow["group_high"] = group_high
    flow["group_low"] = group_low
    flow["port"] = port
    flow["version"] = version
    flow["vlan"] = vlan
    flow["interface"] = interface
    flow["capture"] = capture
    flow["datagrams"] = 0
    flow["first_ordinal"] = ordinal
    return row
