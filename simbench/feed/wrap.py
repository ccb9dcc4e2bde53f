"""Sequences that wrap: on the wire from the highest to 1 (never 0), inside the sequencer on and on.

Cboe PITCH counts 32 bits: 4,294,967,295 is followed by 1 (Multicast PITCH Specification, section "Sequenced Unit
Header"). A packet's sequence is taken for the one nearest to where its stream is, if that is near indeed; one that is
far below, as after a restart, stays in the lap the stream is in. Where a channel does not wrap, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.feed.layout import C_WRAP, EMPTY, NIL, S_CHANNEL, S_STATE, S_TOP
from simbench.feed.streams import channel_base, find
from simbench.kernel.pure import direct
from simbench.protocol.contract import UNSEQUENCED

if TYPE_CHECKING:
    from simbench.feed.layout import Headers, Words

FIRST_LAP: Final = 256  # of a stream, so that there are laps below it
NEAR: Final = 8  # bits: across the wrap, near is a 256th of all sequences


@direct
def unwrap(memory: Words, channel: int, header: Headers) -> None:
    """Replace the sequence that a packet has on the wire; header[0]["first"] is invalid after a sequence of 0."""
    wrap = memory[channel_base(memory, channel) + C_WRAP]
    if wrap != 0 and header[0]["flags"] & UNSEQUENCED == 0:
        _unwrap(memory, channel, wrap, header)


@direct
def _unwrap(memory: Words, channel: int, wrap: int, header: Headers) -> None:
    first = header[0]["first"]
    if not 1 <= first <= wrap:
        header[0]["first"] = NIL
        return
    stream = find(memory, channel, header[0]["stream"])
    if stream == NIL or memory[stream + S_STATE] == EMPTY:
        header[0]["first"] = first + FIRST_LAP * wrap
        return
    top = memory[stream + S_TOP]
    near = wrap >> NEAR
    same = first + lap_start(wrap, top)
    if same + wrap - top <= near:
        same += wrap
    elif top - (same - wrap) <= near:
        same -= wrap
    header[0]["first"] = same


@direct
def lap_start(wrap: int, sequence: int) -> int:
    """Return what to take off a sequence to have it as it is on the wire; 0 without a wrap."""
    return (sequence - 1) // wrap * wrap if wrap > 0 else 0


@direct
def sequence_one(memory: Words, stream: int, sequence: int) -> int:
    """Return what is 1 on the wire in the lap of a stream's sequence: nothing of a session is before it."""
    wrap = memory[channel_base(memory, memory[stream + S_CHANNEL]) + C_WRAP]
    return 1 + lap_start(wrap, sequence)


@direct
def on_wire(memory: Words, channel: int, sequence: int) -> int:
    """Return a sequence of a channel as it is on the wire."""
    return sequence - lap_start(memory[channel_base(memory, channel) + C_WRAP], sequence)


@direct
def nearest(wrap: int, sequence: int, to: int) -> int:
    """Return which of all sequences that are the same on the wire is nearest to one that is known."""
    found = sequence + lap_start(wrap, to)
    if found - to > wrap // 2:
        return found - wrap
    return found + wrap if to - found > wrap // 2 else found
