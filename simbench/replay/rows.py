"""Rows of what is sent, and the two rings, of rows and of bytes, through which a loader hands them to the sender.

A capture that fits its budget is loaded whole: then the rings are exactly as large as it is and are read round and
round. Otherwise a loader thread stays ahead of the sender. Positions count rows from the start of the run; a row's
slot is its position modulo the capacity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.pure import copy_bytes, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

ROW: Final = np.dtype(
    [
        ("recorded", "i8"),  # stamp in the capture, ns since 1970; of a frame that a fault moved its new one
        ("due", "i8"),  # ns from the first row at speed 1, skipped idle time left out; never falls
        ("source", "i8"),  # of the first byte of the frame in the byte ring
        ("ordinal", "i8"),  # in the capture's file order; of a frame that a fault made with its part above bit 40
        ("index", "i8"),  # in the schedule; 0 starts a loop
        ("length", "i4"),  # bytes of the frame as it is sent
        ("flow", "i4"),  # its row in the flow table; -1 none
    ],
    align=True,
)

# Words between loader and sender, each with one writer.
LOADED: Final = 0  # loader: positions below this may be read
END: Final = 1  # loader: position behind the last of all loops; NEVER while nobody knows
CAPACITY: Final = 2  # rows of the ring
RESIDENT: Final = 3  # 1: the whole schedule is in the ring, LOADED and END follow from the loops asked for
FAILED: Final = 4  # loader: 1 when the capture could not be read on
CROWDED: Final = 5  # loader: 1 while it has rows and no room for them
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


def join(rows: Records, arena: Bytes, more: Records, out: Bytes) -> tuple[Records, Bytes]:
    """Return two lots of rows and their bytes as one, copied: the rows of the first, then those of the second."""
    both = np.concatenate([rows, more])
    data = np.empty(int(both["length"].sum()), np.uint8)
    pack(both[: len(rows)], arena, data, 0)
    pack(both[len(rows) :], out, data, int(both["length"][: len(rows)].sum()))
    return both, data


@kernel
def pack(rows: Records, arena: Bytes, data: Bytes, at: int) -> None:
    """Copy the rows' bytes to data[at:] without gaps and point the rows there."""
    for k in range(len(rows)):
        length = int(rows[k]["length"])
        copy_bytes(data, at, arena, rows[k]["source"], length)
        rows[k]["source"] = at
        at += length
