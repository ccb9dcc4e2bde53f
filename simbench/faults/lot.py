"""A lot: frames on their way through the faults, with what the capture said of each before anything happened to it.

Lots are in the order in which frames are sent: `when` never falls, within a lot and from lot to lot.

The ordinal of a frame is its place in the capture's file; a frame that a fault made of it has the same and its part in
the bits above: `ordinal + (part << 40)`. Part 0 is the recorded frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.replay.rows import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Items = NDArray[Any]

PART: Final = 40  # lowest bit of the part in an ordinal
NONE: Final = -1

# Whether a receiver takes the datagram.
SOUND: Final = 1  # lengths and checksums are right
WRONG: Final = 0  # a checksum is wrong
SHORT: Final = -1  # a length promises more than there is

# What of it is damaged although everything looks right.
UNALTERED: Final = 0
MESSAGES: Final = 1
HEADER: Final = 2

ITEM: Final = np.dtype(
    [
        ("when", "i8"),  # recorded time at which it is sent, ns since 1970
        ("recorded", "i8"),  # stamp in the capture
        ("ordinal", "i8"),  # with its part
        ("source", "i8"),  # of its first byte in the lot's data
        ("length", "i8"),  # bytes
        ("flow", "i8"),  # row of the flow table
        ("channel", "i8"),  # NONE: of no line, and left alone
        ("line", "i8"),
        ("payload", "i8"),  # where the UDP payload starts, from the frame's first byte
        ("packets", "i8"),  # that could be read in it
        ("body", "i8"),  # where the first packet's messages start, likewise
        ("stream", "i8"),  # of the first packet, as the rest of what follows
        ("session", "i8"),
        ("turn", "i8"),  # how often its line's sequence has started again in the capture
        ("first", "i8"),  # recorded sequence; of a heartbeat the next expected one
        ("last", "i8"),  # below first where it carries no units
        ("generation", "i8"),  # number of the fault that numbered it anew; 0 none
        ("moved", "i8"),  # 1: `when` is no longer what was recorded
        ("sound", "i8"),  # SOUND, WRONG or SHORT
        ("altered", "i8"),  # UNALTERED, MESSAGES or HEADER: what is not the exchange's under right checksums
    ],
    align=True,
)


@dataclass
class Lot:
    """Some frames.

    Attributes:
        items: ITEM[n].
        data: uint8[m], what they point into; may be changed in place.
    """

    items: Items
    data: Bytes

    def __len__(self) -> int:
        return len(self.items)

    def only(self, which: NDArray[Any]) -> Lot:
        """Return some of the frames, over the same data."""
        return Lot(self.items[which], self.data)

    def frame(self, index: int) -> Bytes:
        """Return the bytes of a frame, a view."""
        start = int(self.items[index]["source"])
        view: Bytes = self.data[start : start + int(self.items[index]["length"])]
        return view


def empty() -> Lot:
    """Return no frames."""
    return Lot(np.zeros(0, ITEM), np.zeros(0, np.uint8))


def join(lots: Sequence[Lot]) -> Lot:
    """Return lots one behind the other, copied."""
    items = np.concatenate([lot.items for lot in lots])
    data = np.empty(int(items["length"].sum()), np.uint8)
    begin = at = 0
    for lot in lots:
        own = items[begin : begin + len(lot)]
        size = int(own["length"].sum())
        pack(own, lot.data, data, at)
        begin += len(lot)
        at += size
    return Lot(items, data)


def ordered(lot: Lot) -> Lot:
    """Return the frames in the order of their times, those of one time as they stand."""
    return lot.only(np.argsort(lot.items["when"], kind="stable"))


def of_line(items: Items, channel: int, line: int) -> NDArray[np.int64]:
    """Return the positions of a line's frames: int64[n]."""
    return np.flatnonzero((items["channel"] == channel) & (items["line"] == line))


def carries(items: Items) -> NDArray[np.bool_]:
    """Return whether frames carry units of a sequence: bool[n]."""
    carried: NDArray[np.bool_] = (items["packets"] > 0) & (items["last"] >= items["first"])
    return carried
