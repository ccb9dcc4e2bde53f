"""Time order: file order is not it. A stable order of stamps, and a stream put in order within a bounded window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from simbench.capture.block import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from simbench.capture.block import Bytes, Frames, Words

WINDOW: Final = 1 << 16  # frames; captures of two lines merged by tools are off by some hundreds
WINDOW_BYTES: Final = 1 << 24  # of frames that are held back


def time_order(stamps: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the order that sorts stamps, and how many frames move forward in it.

    Frames of one time stay in file order. O(n) where the stamps are in order already.

    Args:
        stamps: int64[n], ns, in file order.

    Returns:
        int64[n], the positions in the file, in time order; and the number of frames that come after a later one in
        the file.
    """
    moved = count_late(stamps)
    if moved == 0:
        return np.arange(len(stamps), dtype=np.int64), 0
    return np.argsort(stamps, kind="stable").astype(np.int64, copy=False), moved


def count_late(stamps: NDArray[np.int64]) -> int:
    """Return how many frames of int64[n] stamps come after a later one."""
    return int(_late(np.ascontiguousarray(stamps)))


class TimeOrder:
    """Put the frames of blocks in time order while they stream by.

    A frame is held back until so many others have come behind it; memory is bounded, whatever the capture holds.

    Attributes:
        moved: frames that came after a later one and were put before it.
        late: frames that came even later than the window reaches, and stayed behind: not in order.
    """

    def __init__(self, window: int = WINDOW, window_bytes: int = WINDOW_BYTES) -> None:
        """Start with nothing held back.

        Args:
            window: frames that are held back at most.
            window_bytes: their bytes at most.
        """
        self.moved = 0
        self.late = 0
        self._window = window
        self._window_bytes = window_bytes
        self._latest = -(1 << 63)
        self._emitted = -(1 << 63)

    def order(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the frames of blocks in time order, in other blocks; each is valid until the next is asked for."""
        held: list[Block] = []
        for block in blocks:
            self._count_moved(np.ascontiguousarray(block.frames["stamp"]))
            held.append(gather([block]))
            frames = sum(len(one.frames) for one in held)
            size = sum(len(one.data) for one in held)
            if frames >= 2 * self._window or size >= 2 * self._window_bytes:
                whole = _sorted(gather(held))
                last = len(whole.frames) - self._held_back(whole.frames)
                if last > 0:
                    yield self._emit(whole.data, whole.frames[:last])
                held = [gather([Block(whole.data, whole.frames[last:])])]
        if held:
            whole = _sorted(gather(held))
            yield self._emit(whole.data, whole.frames)

    def _count_moved(self, stamps: NDArray[np.int64]) -> None:
        latest = np.maximum.accumulate(np.concatenate(([self._latest], stamps)))
        self.moved += int(np.count_nonzero(stamps < latest[:-1]))
        self._latest = int(latest[-1])

    def _held_back(self, frames: Frames) -> int:
        """Return how many of the last frames wait for what may still come before them."""
        sizes = np.cumsum(frames["captured"][::-1], dtype=np.int64)
        return min(self._window, int(np.searchsorted(sizes, self._window_bytes)))

    def _emit(self, data: Bytes, frames: Frames) -> Block:
        late = int(np.count_nonzero(frames["stamp"] < self._emitted))
        self.late += late
        self.moved -= late
        self._emitted = max(self._emitted, int(frames["stamp"][-1]))
        return Block(data, frames)


def _sorted(block: Block) -> Block:
    order, _ = time_order(np.ascontiguousarray(block.frames["stamp"]))
    return Block(block.data, block.frames[order])


def gather(blocks: Sequence[Block]) -> Block:
    """Return a block of its own with the frames of several, their bytes one behind another."""
    frames = np.concatenate([block.frames for block in blocks])
    lengths = frames["captured"].astype(np.int64)
    ends = np.cumsum(lengths)
    places = ends - lengths
    data = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    offsets = np.ascontiguousarray(frames["offset"])
    first = 0
    for block in blocks:
        last = first + len(block.frames)
        _gather(data, places[first:last], block.data, offsets[first:last], lengths[first:last])
        first = last
    frames["payload"] += np.where(frames["payload"] >= 0, places - offsets, 0)
    frames["offset"] = places
    return Block(data, frames)


@njit(cache=True, nogil=True)
def _gather(out: Bytes, places: Words, data: Bytes, offsets: Words, lengths: Words) -> None:
    for index in range(len(offsets)):
        start = offsets[index]
        place = places[index]
        for byte in range(lengths[index]):
            out[place + byte] = data[start + byte]


@njit(cache=True, nogil=True)
def _late(stamps: Words) -> int:
    late = 0
    latest = -(1 << 63)
    for index in range(len(stamps)):
        if stamps[index] < latest:
            late += 1
        else:
            latest = stamps[index]
    return late
