"""The ring's rate between two cores: 100-byte frames, copied, the receiver reading group and sequence of each.

python -m simbench.bench.ring_rate --count 20000000
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, types

from simbench.bench.bare_loop import pin, run_together
from simbench.frame import FRAME
from simbench.kernel.host import monotonic_ns, pause
from simbench.kernel.pure import load_acquire, load_be32, load_be64, store_release
from simbench.wire.contract import (
    BYTES,
    COMMIT_FUNCTION,
    FRAMES,
    POLL_FUNCTION,
    PREPARE_FUNCTION,
    RELEASE_FUNCTION,
    WORDS,
)
from simbench.wire.open import open_receiver, open_sender, open_wire

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words
    from simbench.wire.contract import Frames

GROUP_AT: Final = 30  # of an Ethernet frame with IPv4
SEQUENCE_AT: Final = 42
CHUNK: Final = 1 << 16  # frames between two looks at the clock
STRIDE: Final = 128  # bytes between frames in the source: 1024 of them, as a block of a capture would lie in cache
PATIENCE_NS: Final = 2_000_000_000


def measure(count: int, *, batch: int = 64, entries: int = 8192, length: int = 100) -> dict[str, Any]:
    """Send `count` frames in closed loop and return rates in frames a second.

    Args:
        count: frames.
        batch: most of a commit, and of a poll.
        entries: of the ring.
        length: bytes of a frame.
    """
    times, sums, got = np.zeros(count // CHUNK + 1, np.int64), np.zeros(2, np.int64), []
    source = np.random.default_rng(1).integers(0, 256, 1024 * STRIDE + 2048, dtype=np.uint8)
    frames = np.zeros(batch, FRAME)
    with (
        open_wire("ring", entries=entries) as wire,
        open_sender(wire.sender) as near,
        open_receiver(wire.receiver) as far,
    ):

        def take() -> None:
            pin(1)
            got.append(_receive(far.poll, far.release, far.words, far.memory, frames, count, times, sums))

        def give() -> None:
            pin(0)
            _send(near.prepare, near.commit, near.words, near.memory, source, count, batch, length)

        run_together(take, give)
    if got[0] != count or sums[1]:
        raise SystemExit(f"{count - got[0]} frames missing, {sums[1]} out of order")
    chunks = np.diff(times[times > 0])
    overall = (len(chunks) * CHUNK) / (chunks.sum() / 1e9)
    best = {f"p{q}": int(CHUNK / (np.percentile(chunks, 100 - q) / 1e9)) for q in (50, 90)}
    return {"frames_per_s": int(overall), "chunks": best}


def round_trip(turns: int = 100_000) -> float:
    """Return how long a cache line takes to the other core and back, in ns, NaN where there is no other core.

    It bounds every ring between the two. On a virtual machine it is the host that says which two cores these are, and
    it may change its mind.
    """
    if len(os.sched_getaffinity(0)) < 2:
        return float("nan")
    shared = np.zeros(64, np.int64)
    took: list[float] = []

    def call() -> None:
        pin(0)
        _call(shared, 1)
        start = perf_counter()
        _call(shared, turns)
        took.append((perf_counter() - start) / turns * 1e9)

    def answer() -> None:
        pin(1)
        _answer(shared, turns + 1)

    run_together(answer, call)
    return took[0]


@njit(cache=True, nogil=True)
def _call(shared: Words, turns: int) -> None:
    for _ in range(turns):
        asked = shared[0] + 1
        store_release(shared, 0, asked)
        while load_acquire(shared, 32) != asked:
            pass


@njit(cache=True, nogil=True)
def _answer(shared: Words, turns: int) -> None:
    for asked in range(1, turns + 1):
        while load_acquire(shared, 0) != asked:
            pass
        store_release(shared, 32, asked)


@njit(
    types.void(PREPARE_FUNCTION, COMMIT_FUNCTION, WORDS, BYTES, BYTES, types.int64, types.int64, types.int64),
    cache=True,
    nogil=True,
)
def _send(
    prepare: Any, commit: Any, words: Words, memory: Bytes, source: Bytes, count: int, batch: int, length: int
) -> None:
    sent, deadline = 0, monotonic_ns() + 60 * PATIENCE_NS
    while sent < count:
        ready = 0
        while ready < batch and sent < count:
            if prepare(words, memory, source, STRIDE * (sent & 1023), length, sent) != 1:
                pause()
                break
            ready += 1
            sent += 1
        if ready > 0:
            commit(words, ready)
        elif monotonic_ns() > deadline:
            break


@njit(
    types.int64(POLL_FUNCTION, RELEASE_FUNCTION, WORDS, BYTES, FRAMES, types.int64, types.int64[::1], types.int64[::1]),
    cache=True,
    nogil=True,
)
def _receive(
    poll: Any, release: Any, words: Words, memory: Bytes, frames: Frames, count: int, times: Words, sums: Words
) -> int:
    got, last, chunk, total, wrong = 0, monotonic_ns(), 0, 0, 0
    while got < count:
        n = poll(words, memory, frames)
        if n == 0:
            if monotonic_ns() - last > PATIENCE_NS:
                break
            continue
        for i in range(n):
            at = frames[i]["offset"]
            total += load_be32(memory, at + GROUP_AT) ^ load_be64(memory, at + SEQUENCE_AT)
            wrong += frames[i]["ordinal"] != got + i
        release(words, frames, n)
        got += n
        if got // CHUNK > chunk:
            chunk = got // CHUNK
            times[chunk] = last = monotonic_ns()
    sums[0], sums[1] = total, wrong
    return got


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--entries", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs = [measure(options.count, batch=options.batch, entries=options.entries) for _ in range(options.repeats)]
    median = int(np.median([run["frames_per_s"] for run in runs]))
    report = {"cores": os.cpu_count(), "round_trip_ns": round_trip(), "median_frames_per_s": median, "runs": runs}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
