"""The judge of replayers: an AF_XDP receiver that stamps frames and tells which frame of the capture each one is.

Nothing of the replayer's own accounts is used: a frame is recognised by its group and payload, and its time is the
one at the driver hook. Frames that are no frame of the capture (the sender's own noise) are left out.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from simbench.bench.bare_loop import pin
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.frame import FRAME, NO_PAYLOAD
from simbench.kernel.host import monotonic_ns
from simbench.kernel.pure import hash_bytes, load_acquire, load_be32, store_release
from simbench.measure.timing import prove
from simbench.wire.open import open_receiver, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames
    from simbench.wire.open import Wire

GROUP: Final = 30  # where an Ethernet frame over IPv4 without options has its destination, and its payload
PAYLOAD: Final = 42
QUIET_S: Final = 0.2  # after the replayer has ended: what has not come by then is lost
SPARE: Final = 4096  # frames that are not the capture's
READY: Final = 0  # words that the loop and its caller share
STOP: Final = 1
GOT: Final = 2


@dataclass(frozen=True)
class Recorded:
    """A capture's frames in order of time.

    Attributes:
        stamps: int64[n], ns since 1970.
        digests: int64[n], of group and payload.
    """

    stamps: Words
    digests: Words

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """Read a capture of Ethernet frames over IPv4; frames that hold no datagram are left out."""
        dissector = Dissector(checksums="ignore")
        stamps, digests = [], []
        for block in open_capture(path).blocks():
            dissector.dissect(block)
            frames = block.frames[block.frames["flags"] & NO_PAYLOAD == 0]
            out = np.zeros(len(frames), np.int64)
            _digest_all(block.data, frames, out)
            stamps.append(frames["stamp"].copy())
            digests.append(out)
        when, what = np.concatenate(stamps), np.concatenate(digests)
        order = np.argsort(when, kind="stable")
        return cls(when[order], what[order])


def judge(recorded: Recorded, replay: Callable[[Wire], None], *, speed: float = 1.0) -> dict[str, Any]:
    """Let a replayer send the capture into a veth pair of its own and score what arrives, as measure.timing does.

    Args:
        recorded: the capture's frames.
        replay: called with the wire; returns when the last frame has been sent.
        speed: that it was asked for.

    Returns:
        The scores, with "lost" frames beside them.
    """
    return score(recorded, *arrivals(len(recorded.stamps), replay), speed=speed)


def arrivals(frames_sent: int, replay: Callable[[Wire], None]) -> tuple[Words, Words]:
    """Let a replayer send into a veth pair of its own; return what arrived: times at the driver hook, and digests.

    Args:
        frames_sent: that are expected.
        replay: called with the wire; returns when the last frame has been sent.
    """
    count = frames_sent + SPARE
    hook, digests = np.zeros(count, np.int64), np.zeros(count, np.int64)
    words = np.zeros(8, np.int64)
    with open_wire("veth", entries=4096) as wire, open_receiver(wire.receiver) as end:
        frames = np.zeros(256, FRAME)

        def take() -> None:
            pin(1)
            _receive(end.poll, end.release, end.words, end.memory, frames, words, hook, digests)

        thread = threading.Thread(target=take)
        thread.start()
        try:
            while thread.is_alive() and not words[READY]:
                time.sleep(0.01)
            replay(wire)
            before = -1
            while before != words[GOT]:
                before = int(words[GOT])
                time.sleep(QUIET_S)
        finally:
            words[STOP] = 1
            thread.join()
    got = int(words[GOT])
    return hook[:got], digests[:got]


def score(recorded: Recorded, hook: Words, digests: Words, *, speed: float = 1.0) -> dict[str, Any]:
    """Recognise frames and score their times against the recorded ones; the schedule begins with the first frame.

    Args:
        recorded: the capture's frames.
        hook: int64[n], times at the driver hook.
        digests: int64[n], of what arrived then.
        speed: that was asked for.
    """
    waiting: dict[int, deque[int]] = defaultdict(deque)
    for place, digest in enumerate(recorded.digests.tolist()):
        waiting[digest].append(place)
    places = np.array([waiting[key].popleft() if waiting.get(key) else -1 for key in digests.tolist()], np.int64)
    known = places >= 0
    places, seen = places[known], hook[known]
    stamps = recorded.stamps[places]
    due = np.round((stamps - stamps[:1]) / speed).astype(np.int64) + seen[:1]
    return {**prove(due, seen, stamps, index=places, speed=speed), "lost": len(recorded.stamps) - len(places)}


@njit(cache=True, nogil=True)
def _digest(data: Bytes, offset: int, captured: int) -> int:
    if captured <= PAYLOAD:
        return 0
    return hash_bytes(data, offset + PAYLOAD, offset + captured) ^ load_be32(data, offset + GROUP)


@njit(cache=True, nogil=True)
def _digest_all(data: Bytes, frames: Frames, out: Words) -> None:
    for i in range(len(frames)):
        out[i] = _digest(data, frames[i]["offset"], frames[i]["captured"])


@njit(cache=True, nogil=True)
def _receive(
    poll: Any,
    release: Any,
    words: Words,
    memory: Bytes,
    frames: Frames,
    shared: Words,
    hook: Words,
    digests: Words,
) -> None:
    got = 0
    while load_acquire(shared, STOP) == 0:
        n = poll(words, memory, frames)
        for i in range(n):
            if got < len(hook):
                hook[got] = frames[i]["stamp"]
                digests[got] = _digest(memory, frames[i]["offset"], frames[i]["captured"])
                got += 1
        if n > 0:
            release(words, frames, n)
            store_release(shared, GOT, got)
        else:
            store_release(shared, READY, monotonic_ns())
