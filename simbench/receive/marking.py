"""Where the messages of a packet end among its events: told only while somebody goes on message by message.

A protocol turns a packet into events at once and says nothing of its messages. Where they have sequences of their own,
these tell. Else the packet is decoded again with room for one event, for two, and so on: a protocol gives whole
messages only, so what it gives ends with one. Its state is put back each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.event import MESSAGE_END
from simbench.kernel.pure import direct, signed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]

# Whose messages are told apart.
NOBODY: Final = 0
ALL: Final = 1
OF_INSTRUMENT: Final = 2  # those of packets that may be about one instrument, by its key
BEHIND_GAP: Final = 3  # everybody's, once a hole has opened or was given up since the gate was armed


@direct
def keep(state: Words, scratch: Words) -> None:
    """Keep a protocol's state as it was before a packet, in the first half of the scratch."""
    for word in range(len(state)):
        scratch[word] = state[word]


@direct
def mark(
    data: Bytes,
    start: int,
    end: int,
    skip: int,
    decode: Any,
    state: Words,
    scratch: Words,
    events: Records,
    at: int,
    count: int,
    whose: int,
    key: int,
) -> None:
    """Flag the last event of each message in events[at:at + count], which a packet was decoded to.

    Args:
        data: uint8[n], with the packet.
        start: of its messages.
        end: behind them.
        skip: units that were skipped.
        decode: of its protocol.
        state: of its channel, after decoding.
        scratch: int64[2 * len(state)] or more, `keep` has filled the first half.
        events: EVENT[n]; what is behind the packet's events is overwritten.
        at: the first of them.
        count: of them.
        whose: of those above; with OF_INSTRUMENT a packet that is not about that instrument is left one message.
        key: of the instrument.
    """
    if count <= 0:
        return
    behind = at + count
    events[behind - 1]["flags"] |= MESSAGE_END
    several = 0
    about = 0 if whose == OF_INSTRUMENT else 1
    for place in range(at, behind):
        named = signed(events[place]["instrument"])
        if named in (key, 0):  # an order's event may leave the instrument to the order
            about = 1
        if place + 1 < behind and events[place]["sequence"] != events[place + 1]["sequence"]:
            events[place]["flags"] |= MESSAGE_END
            several = 1
    if several != 0 or about == 0 or len(events) - behind < count:
        return
    size = len(state)
    for word in range(size):
        scratch[size + word] = state[word]
    for room in range(1, count):
        for word in range(size):
            state[word] = scratch[word]
        found = decode(data, start, end, skip, state, events[behind : behind + room])
        if found < 0:
            found = -1 - found
        if found > 0:
            events[at + found - 1]["flags"] |= MESSAGE_END
    for word in range(size):
        state[word] = scratch[size + word]
