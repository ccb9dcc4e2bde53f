"""Rows of what is sent, and the two rings, of rows and of bytes, through which a loader hands them to the sender.

A capture that fits its budget is loaded whole: then the rings are exactly as large as it is and are read round and
round. Otherwise a loader thread stays ahead of the sender. Positions count rows from the start of the run; a row's
slot is its position modulo the capacity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

ROW: Final = np.dtype(
    [
        ("recorded", "i8"),  # stamp in the capture, ns since 1970
        ("due", "i8"),  # ns from the first row at speed 1, skipped idle time left out; never falls
        ("source", "i8"),  # of the first byte of the frame in the byte ring
        ("ordinal", "i8"),  # in the capture's file order
        ("index", "i8"),  # in the schedule; 0 starts a loop
        ("length", "i8"),  # bytes of the frame as it is sent
    ],
    align=True,
)

# Words between loader and sender, each with one writer.
LOADED: Final = 0  # loader: positions below this may be read
END: Final = 1  # loader: position behind the last of all loops; NEVER while nobody knows
CAPACITY: Final = 2  # rows of the ring
RESIDENT: Final = 3  # 1: the whole schedule is in the ring, LOADED and END follow from the loops asked for
FAILED: Final = 4  # loader: 1 when the capture could not be read on
TAKEN: Final = 8  # sender: positions below this are copied to the wire and may be overwritten
FEED_WORDS: Final = 16

NEVER: Final = 1 << 62


def new_feed(capacity: int, *, loops: int = 1, resident: bool = True) -> Words:
    """Return the words between loader and sender.

    Args:
        capacity: rows of the ring.
        loops: of a resident schedule; 0 endless.
        resident: whether the ring holds the whole schedule.
    """
    feed = np.zeros(FEED_WORDS, np.int64)
    feed[[CAPACITY, RESIDENT, END]] = capacity, resident, NEVER
    if resident:
        feed[LOADED] = NEVER
        feed[END] = capacity * loops if loops else NEVER
    return feed
