"""What a wire is: a sender end and a receiver end, each a few compiled functions over two arrays.

The functions have one signature each for every wire, so a pacing loop or a receive loop takes them as first-class
functions and is compiled once. `words` holds an end's control words (indices, addresses, counters), `memory` its
frames. An end belongs to one thread at a time.

prepare(words, memory, source, offset, length, serial) -> 1, NO_ROOM or TOO_LONG
    Copy the frame source[offset:offset + length] into the next free frame of the wire. A serial of 0 or more replaces
    the source MAC by 02 and the 40-bit serial; -1 leaves it. Nothing is sent yet: frames can be prepared ahead of
    their deadline. TOO_LONG is counted here and never fits; NO_ROOM is for the caller to judge: a closed loop waits
    and tries again, an open loop drops the frame and counts it in words[RING_FULL].

commit(words, count) -> frames handed over
    Send the oldest `count` frames that were prepared. Returns when the wire has taken them, or lost and counted them.

poll(words, memory, frames) -> n
    Fill frames[:n] with what has arrived, without blocking: offset into memory, captured, wire, stamp (at the driver
    hook, CLOCK_MONOTONIC; 0 where there is none), ordinal (the serial; -1 where there is none), link type, and for a
    UDP socket also flow, payload, payload_length and PAYLOAD_ONLY. The rest is set to "not dissected yet".

release(words, frames, n)
    Give the bytes of frames[:n] back to the wire, all of one or more polls in the order in which they came.

wait(words, timeout_ns) -> 1, 0 at the timeout
    Block until there is something to poll.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numba
import numpy as np
from numba import types

from simbench.frame import FRAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simbench.kernel.pure import Bytes, Words

    Frames = NDArray[Any]  # of FRAME

BYTES: Final = types.uint8[::1]
WORDS: Final = types.int64[::1]
FRAMES: Final = numba.from_dtype(FRAME)[::1]
PREPARE_SIGNATURE: Final = types.int64(WORDS, BYTES, BYTES, types.int64, types.int64, types.int64)
COMMIT_SIGNATURE: Final = types.int64(WORDS, types.int64)
POLL_SIGNATURE: Final = types.int64(WORDS, BYTES, FRAMES)
RELEASE_SIGNATURE: Final = types.int64(WORDS, FRAMES, types.int64)
WAIT_SIGNATURE: Final = types.int64(WORDS, types.int64)
PREPARE_FUNCTION: Final = types.FunctionType(PREPARE_SIGNATURE)
COMMIT_FUNCTION: Final = types.FunctionType(COMMIT_SIGNATURE)
POLL_FUNCTION: Final = types.FunctionType(POLL_SIGNATURE)
RELEASE_FUNCTION: Final = types.FunctionType(RELEASE_SIGNATURE)
WAIT_FUNCTION: Final = types.FunctionType(WAIT_SIGNATURE)

NO_ROOM: Final = 0
TOO_LONG: Final = -1

# Slots of the words that every end has. They can be read from another process while the end is at work.
VERSION: Final = 0  # of this layout
MAX_FRAME: Final = 1  # bytes of the longest frame that the wire carries
SENT: Final = 8  # counter: frames handed over by commit
RECEIVED: Final = 9  # counter: frames handed out by poll
RING_FULL: Final = 16  # counter, of the pacing loop: frames dropped since prepare had no room
TOO_LONG_FRAMES: Final = 17  # counter: frames that prepare refused
DEVICE_FULL: Final = 18  # counter: frames that the sending device dropped (a veth's ring of 256)
SEND_FAILED: Final = 19  # counter: frames that the system call refused otherwise
RX_DROPPED: Final = 20  # counter: frames that the receiving socket dropped (too long for its frames)
RX_RING_FULL: Final = 21  # counter: frames dropped since the receive ring had no room
FILL_EMPTY: Final = 22  # counter: frames dropped since the receiver gave back none to fill
SOCKET_OVERFLOW: Final = 23  # counter: datagrams that the UDP sockets had no room for
LINK_DROPPED: Final = 24  # counter: frames that the interface dropped
UNMATCHED: Final = 25  # counter: datagrams without a stamp, since no record of the hook is surely theirs; not lost
PRIVATE: Final = 32  # from here on each wire's own
WORDS_SIZE: Final = 96  # int64 words of an end
LAYOUT_VERSION: Final = 1

DROPS: Final = {
    "ring_full": RING_FULL,
    "too_long": TOO_LONG_FRAMES,
    "device_full": DEVICE_FULL,
    "send_failed": SEND_FAILED,
    "rx_dropped": RX_DROPPED,
    "rx_ring_full": RX_RING_FULL,
    "fill_empty": FILL_EMPTY,
    "socket_overflow": SOCKET_OVERFLOW,
    "link_dropped": LINK_DROPPED,
}

MAC_SERIAL: Final = 0x02  # first byte of a source MAC that holds a serial; locally administered, so no vendor's
SERIAL_BITS: Final = 40


def new_words(words: Words | None, max_frame: int) -> Words:
    """Return the control words of a new end: the caller's int64[WORDS_SIZE] (shared memory, say), or fresh ones."""
    if words is None:
        words = np.zeros(WORDS_SIZE, np.int64)
    words[:] = 0
    words[VERSION] = LAYOUT_VERSION
    words[MAX_FRAME] = max_frame
    return words


def _nothing() -> None:
    pass


@dataclass
class End:
    """What both ends have.

    Attributes:
        words: int64[WORDS_SIZE]: counters at the slots above, then the wire's own.
        memory: uint8[n]: the frames.
        max_frame: bytes of the longest frame that the wire carries.
        fileno: readable (writable) when there is something to poll (room to send); -1 where nothing can be waited on.
        description: in words, for a report: "AF_XDP generic mode, copied, queue 0 of rx0".
        refresh: brings the counters that the kernel keeps into words; called by counters().
        shut: gives everything back; called once by close().
    """

    words: Words
    memory: Bytes
    max_frame: int
    fileno: int = -1
    description: str = ""
    refresh: Callable[[], None] = field(default=_nothing, repr=False)
    shut: Callable[[], None] = field(default=_nothing, repr=False)
    closed: bool = False

    def counters(self) -> dict[str, int]:
        """Return what was lost, by cause; call from any thread, at most some hundred times a second."""
        if not self.closed:
            self.refresh()
        return {name: int(self.words[slot]) for name, slot in DROPS.items()}

    def close(self) -> None:
        """Give sockets, rings and programs back; no loop may be running on this end. Harmless when repeated."""
        if not self.closed:
            self.refresh()
            self.closed = True
            self.shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(kw_only=True)
class SenderEnd(End):
    """Where frames go in.

    Attributes:
        prepare: compiled with PREPARE_SIGNATURE.
        commit: compiled with COMMIT_SIGNATURE.
    """

    prepare: Any
    commit: Any


@dataclass(kw_only=True)
class ReceiverEnd(End):
    """Where frames come out.

    Attributes:
        poll: compiled with POLL_SIGNATURE.
        release: compiled with RELEASE_SIGNATURE.
        wait: compiled with WAIT_SIGNATURE.
        batch: most frames that may be held between poll and release.
        flows: "group:port" by frame["flow"], for a wire of UDP sockets; empty where frames are to be dissected.
    """

    poll: Any
    release: Any
    wait: Any
    batch: int
    flows: tuple[str, ...] = ()
