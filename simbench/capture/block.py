"""The block, what a capture is read in, and the words that a scan kernel and its Python half share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.frame import FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Frames = NDArray[np.void]

# A block and its frames stay in a core's second-level cache while they are cut, dissected and decoded.
BLOCK: Final = 1 << 20  # bytes
LONGEST: Final = 1 << 18  # bytes of a frame: the largest snaplen that libpcap accepts
ROOM: Final = LONGEST + 4096  # of a record with its header and options
FRAMES: Final = 1 << 14  # frames in a block

# Words of a scan: kernel and Python read and write them alike.
AT: Final = 0  # in the buffer: where the next record starts
STATUS: Final = 1
ORDINAL: Final = 2  # of the next frame
STAMP: Final = 3  # ns, of the last frame
BACKWARD: Final = 4  # frames stamped before their predecessor
SKIP: Final = 5  # bytes to pass over that are not in the buffer yet
LENGTH: Final = 6  # of the record that was damaged
BIG: Final = 7  # 1 when the file is big-endian
UNSTAMPED: Final = 8  # frames that carry no time; they get their predecessor's
UNDECLARED: Final = 9  # frames left out: of an interface that the file does not declare
CONTRADICTORY: Final = 10  # frames left out: longer than the block that holds them
CLAMPED: Final = 11  # stamps beyond the year 2262
FREE: Final = 12  # first word of the format's own
SCAN_WORDS: Final = 20

# Status of a scan: why it stopped.
HUNGRY: Final = 0  # the next record is not whole in the buffer
FULL: Final = 1  # no room for another frame
DAMAGED: Final = 2  # what stands here cannot be a record
PARSE: Final = 3  # a block for Python


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a capture; valid until the next one is asked for.

    Attributes:
        data: uint8[n], what was read.
        frames: FRAME[m], in file order; flow -1 and payload -1 until they are dissected.
    """

    data: Bytes
    frames: Frames


@dataclass(slots=True)
class Interface:
    """Where frames were captured, as the file says.

    Attributes:
        link: LINKTYPE_ number.
        name: "" where the file gives none.
        resolution: of its clock, in words: "1 ns", "2^-20 s".
        offset_ns: added to its stamps.
        snaplen: longest that was kept of a frame, bytes; 0 unlimited.
        section: of a pcapng file, from 0.
        drops: frames that the capturing host said it had lost; -1 where it does not say.
    """

    link: int
    name: str = ""
    resolution: str = "1 us"
    offset_ns: int = 0
    snaplen: int = 0
    section: int = 0
    drops: int = -1


def empty_frames() -> Frames:
    """Return room for the frames of a block."""
    return np.zeros(FRAMES, FRAME)
