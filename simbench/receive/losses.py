"""What a channel's lines have lost, told to its books in front of what comes next.

The arbitration delivers a channel's packets in their order; one that does not follow the last says what never came.
Only channels are followed whose books have no other way to know, and which have one stream: its sequence is the
channel's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.kernel.pure import kernel, unsigned
from simbench.receive.flows import MISSING_UNITS, NEXT, PACKETS, RESTARTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Records = NDArray[Any]


@kernel
def follow(words: Words, row: int, first: int, last: int, time: int, out: Records) -> int:
    """Take note of units that are delivered; fill out[0] with what is lost in front of them, and return 1, or 0.

    Args:
        words: of the pipeline.
        row: what is known of the channel, in the words of a flow (flows.py).
        first: sequence of the units; below the one that is next, the channel begins anew.
        last: likewise.
        time: sent time of the packet, ns since 1970.
        out: EVENT[n], n above 0.
    """
    expected = words[row + NEXT]
    words[row + NEXT] = last + 1
    words[row + PACKETS] += 1
    if first == expected:
        return 0
    if first < expected:
        words[row + RESTARTS] += 1
        _tell(out, 1, first - 1, event.ANEW, time)
    else:
        words[row + MISSING_UNITS] += first - expected if expected >= 0 else 0
        _tell(out, max(expected, 1), first - 1, 0, time)
    return 1


@kernel
def _tell(out: Records, first: int, last: int, flags: int, time: int) -> None:
    """Fill out[0] with a LOST event."""
    what = out[0]
    what["kind"] = event.LOST
    what["side"] = event.NO_SIDE
    what["flags"] = flags
    what["level"] = 0
    what["orders"] = -1
    what["instrument_sequence"] = 0
    what["instrument"] = 0
    what["order"] = 0
    what["other"] = unsigned(last)
    what["priority"] = 0
    what["price"] = event.NO_PRICE
    what["quantity"] = 0
    what["time"] = time
    what["sequence"] = unsigned(first)
