"""The side table: what the replayer knows of each frame it sent, found again by the serial in the source MAC.

int64[rows, ROW] in shared memory, rows a power of two; the row of a serial is serial & (rows - 1). The replayer fills
a row and stores its serial last, with release; a reader that finds another serial there came too late or too early.
"""

from __future__ import annotations

from typing import Final

SERIAL: Final = 0  # serial + 1, stored last; 0 empty
ORDINAL: Final = 1  # in the capture's file order; of a frame that a fault made with its part above bit 40
RECORDED: Final = 2  # stamp in the capture, ns since 1970
DUE: Final = 3  # T0, CLOCK_MONOTONIC; at max and flood the time it was handed over
SENT: Final = 4  # T1, CLOCK_MONOTONIC just before the send; 0 for a frame that was dropped at a full ring
EPOCH: Final = 5  # of the replay: moves with a loop or a jump
OFFSET: Final = (
    6  # schedule time: ns from the first frame at speed 1, skipped idle time left out, loops laid end to end
)
PIECE: Final = 7  # number of the piece of schedule in which DUE moves with OFFSET; 0 where DUE is no schedule's
ROW: Final = 8  # words: one cache line
