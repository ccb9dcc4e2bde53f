"""The peer of the replayer's pacing: frames copied ahead, a spin to each deadline, one send for each, as in C.

It knows nothing but the capture: no control, no stamps of its own, no batches. What it scores is what a sender scores
that has a core to itself and does one thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from simbench.bench.bare_loop import pin, run_together
from simbench.capture.order import TimeOrder, gather
from simbench.capture.reader import open_capture
from simbench.kernel.host import kick, monotonic_ns, peek32, poke64, release32
from simbench.kernel.pure import copy_bytes
from simbench.wire import namespace
from simbench.wire.xsk import open_xsk

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.open import Wire

ENTRIES: Final = 2048
FRAME_SIZE: Final = 2048
LEAD_NS: Final = 10_000_000  # to the first frame
MASK: Final = ENTRIES - 1


def spin(wire: Wire, capture: Path, speed: float = 1.0) -> None:
    """Send a capture's frames as they are, at their time.

    Args:
        wire: on whose sender interface.
        capture: read whole before the first frame is sent.
        speed: multiple of the recorded one.
    """
    stamps, data, offsets, lengths = _read(capture)
    due = np.round((stamps - stamps[0]) / speed).astype(np.int64)
    xsk = namespace.inside(
        wire.sender.netns_fd, open_xsk, wire.sender.interface, 0, entries=ENTRIES, frame_size=FRAME_SIZE, sends=True
    )
    try:

        def send() -> None:
            pin(0)
            ring, done = xsk.work, xsk.completion
            _send(
                xsk.socket.fileno(), ring.producer, ring.entries, done.producer, done.consumer, xsk.memory, data,
                offsets, lengths, due,
            )  # fmt: skip

        run_together(send)
    finally:
        xsk.close()


def _read(path: Path) -> tuple[Words, Bytes, Words, Words]:
    """Return stamps, bytes, and where each frame of them is, by time."""
    whole = gather([gather([block]) for block in TimeOrder().order(open_capture(path).blocks())])
    stamps, offsets, lengths = (whole.frames[name].astype(np.int64) for name in ("stamp", "offset", "captured"))
    return stamps, whole.data, offsets, lengths


@njit(cache=True, nogil=True)
def _send(
    fd: int,
    producer: int,
    ring: int,
    done_producer: int,
    done_consumer: int,
    memory: Bytes,
    data: Bytes,
    offsets: Words,
    lengths: Words,
    due: Words,
) -> None:
    start = monotonic_ns() + LEAD_NS
    for k in range(len(due)):
        slot = k & MASK
        frame = slot * FRAME_SIZE
        copy_bytes(memory, frame, data, offsets[k], lengths[k])
        poke64(ring + 16 * slot, frame)
        poke64(ring + 16 * slot + 8, lengths[k])
        deadline = start + due[k]
        while monotonic_ns() < deadline:
            pass
        release32(producer, k + 1)
        kick(fd)
        release32(done_consumer, peek32(done_producer))
