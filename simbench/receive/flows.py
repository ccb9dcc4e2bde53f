"""Flows beside the lines that are decoded: snapshots, whose packets have a sequence of the flow's own.

Their packets are taken as they come, since a snapshot that comes again does not have to wait for a hole. What is
missing is counted and told to the protocol, so that no snapshot is taken for whole that is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.pure import kernel
from simbench.protocol.contract import FLOW_MISSING, SNAPSHOT_FLOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Records = NDArray[Any]

# What is known of a flow, in the words of the pipeline: a row each, in the order of the feed's channels.
NEXT: Final = 0  # sequence that is next; -1 where that is not known
PACKETS: Final = 1
MISSING_UNITS: Final = 2
RESTARTS: Final = 3  # times its sequence began again
FLOW_WORDS: Final = 4
COUNTERS: Final = {"packets": PACKETS, "missing_units": MISSING_UNITS, "restarts": RESTARTS}


def begin_anew(words: Words, start: int) -> None:
    """Forget where the flows of words[start:] stand, not what was counted of them."""
    words[start + NEXT :: FLOW_WORDS] = -1


@kernel
def note_packet(words: Words, channel: Words, number: int, header: Records, states: Words) -> None:
    """Follow a flow's sequence, and tell the protocol which flow the packet is of and what is missing before it.

    Args:
        words: of the pipeline.
        channel: int64[5], the channel's row, see `advance`.
        number: of the flow in its channel.
        header: HEADER[1], of the packet.
        states: the channels' protocol states.
    """
    flow = channel[3] + number * FLOW_WORDS
    state = channel[1]
    missing = np.int64(-1)
    if words[flow + NEXT] >= 0:
        missing = header[0]["first"] - words[flow + NEXT]
        words[flow + MISSING_UNITS] += max(missing, 0)
        words[flow + RESTARTS] += missing < 0
    words[flow + PACKETS] += 1
    words[flow + NEXT] = header[0]["first"] + header[0]["units"]
    states[state + SNAPSHOT_FLOW] = 1 + number
    states[state + FLOW_MISSING] = missing
