"""A kernel that reads off every frame of a capture's lines which sequences it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from numba import types

from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, NO_PAYLOAD
from simbench.kernel.pure import kernel_as
from simbench.protocol.contract import DATA, FRAME_FUNCTION, HEADERS
from simbench.protocol.contract import WORDS as WORDS_TYPE
from simbench.receive.pipeline import FRAMES_TYPE, PROTOCOLS, ROLE_LINE, ROLE_SNAPSHOT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]

# Where it stands.
INDEX: Final = 0  # the frame at hand
AT: Final = 1  # the next packet header in its datagram; 0: the first
WORDS: Final = 2

# Columns of a span.
FRAME: Final = 0  # index in the block
CHANNEL: Final = 1
LINE: Final = 2  # number; BESIDE of a snapshot flow
STREAM: Final = 3
FIRST: Final = 4  # sequence; of a snapshot flow the ordinal of the frame
LAST: Final = 5
COLUMNS: Final = 6
BESIDE: Final = -1

_TABLE: Final = types.int64[:, ::1]
_UNIFORM: Any = types.UniTuple
_FRAMERS: Final = _UNIFORM(FRAME_FUNCTION, PROTOCOLS)
SIGNATURE: Final = types.int64(
    DATA, FRAMES_TYPE, WORDS_TYPE, _TABLE, _FRAMERS, WORDS_TYPE, HEADERS, types.int64, WORDS_TYPE, _TABLE
)


@kernel_as(SIGNATURE)
def read_spans(
    data: Bytes,
    frames: Records,
    routes: Words,
    channels: NDArray[np.int64],
    framers: tuple[Any, ...],
    states: Words,
    header: Records,
    verify: int,
    words: Words,
    out: NDArray[np.int64],
) -> int:
    """Fill out with the spans of a block's frames; return how many. Less than all fit where words[INDEX] says so.

    Args:
        data: uint8[n], the block.
        frames: FRAME[m], dissected.
        routes: int64 per flow, as pipeline.py describes them.
        channels: int64[c, 5], likewise.
        framers: likewise.
        states: likewise.
        header: HEADER[1], scratch.
        verify: 1 where a wrong checksum is loss.
        words: int64[WORDS].
        out: int64[k, COLUMNS].
    """
    rows = 0
    while words[INDEX] < len(frames):
        index = words[INDEX]
        flags, flow = frames[index]["flags"], frames[index]["flow"]
        route = -1 if flags & NO_PAYLOAD or flow < 0 else routes[flow]
        lost = verify != 0 and flags & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM) != 0
        role = route & 0xFF
        channel = route >> 16
        if route >= 0 and not lost and role in (ROLE_LINE, ROLE_SNAPSHOT):
            at = max(words[AT], frames[index]["payload"])
            end = frames[index]["payload"] + frames[index]["payload_length"]
            while at < end:
                if rows == len(out):
                    words[AT] = at
                    return rows
                span = out[rows]
                span[FRAME] = index
                span[CHANNEL] = channel
                if role == ROLE_SNAPSHOT:
                    span[LINE] = BESIDE
                    span[STREAM] = BESIDE
                    span[FIRST] = span[LAST] = frames[index]["ordinal"]
                    rows += 1
                    break
                state = states[channels[channel, 1] : channels[channel, 2]]
                if framers[channels[channel, 0]](data, at, end, state, header) < 0:
                    break
                span[LINE] = route >> 8 & 0xFF
                span[STREAM] = header[0]["stream"]
                span[FIRST] = header[0]["first"]
                span[LAST] = header[0]["first"] + header[0]["units"] - 1
                rows += 1
                at = max(header[0]["end"], at + 1)
        words[INDEX] += 1
        words[AT] = 0
    return rows
