"""Snapshots between their making and their sending, by the recorded packet that each came of."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from simbench.protocol.mbp10_layout import SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

BUFFER: Final = 1 << 20  # bytes before they are written


class Store:
    """The snapshots that came of one stream of packets, in their order, in files without a name.

    Args:
        folder: on whose disk they lie.

    Attributes:
        last: of the packet that the last one came of: its last sequence.
        ends: int64[n], of each snapshot likewise, ascending; after finish().
        packets: uint8[n, SIZE], the snapshots; after finish().
    """

    def __init__(self, folder: Path) -> None:
        self.last = -1
        self.ends: Words = np.zeros(0, np.int64)
        self.packets: Bytes = np.zeros((0, SIZE), np.uint8)
        self._end_file = tempfile.TemporaryFile(dir=folder, buffering=BUFFER)  # noqa: SIM115 - closed by close()
        self._packet_file = tempfile.TemporaryFile(dir=folder, buffering=BUFFER)  # noqa: SIM115 - likewise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, end: int, packets: Bytes) -> None:
        """Append the snapshots of one packet.

        Args:
            end: its last sequence, not below those before.
            packets: uint8[k * SIZE].
        """
        self.last = end
        self._end_file.write(np.full(len(packets) // SIZE, end, np.int64).tobytes())
        self._packet_file.write(packets.tobytes())

    def finish(self) -> None:
        """Make ready to be read: everything has been added."""
        self._end_file.flush()
        self._packet_file.flush()
        self.ends = _map(self._end_file.fileno()).view(np.int64)
        self.packets = _map(self._packet_file.fileno()).reshape(-1, SIZE)

    def within(self, first: Words, last: Words) -> tuple[Words, Words]:
        """Return which snapshots came of packets that ended in each range: of each the first, and behind the last.

        Args:
            first: int64[m], sequences.
            last: int64[m], inclusive.
        """
        return np.searchsorted(self.ends, first, "left"), np.searchsorted(self.ends, last, "right")

    def close(self) -> None:
        """Give the files back; harmless when repeated."""
        self._end_file.close()
        self._packet_file.close()


def _map(fd: int) -> Bytes:
    """Map a whole file: uint8[n]."""
    size = os.fstat(fd).st_size
    return np.frombuffer(mmap.mmap(fd, size, access=mmap.ACCESS_READ), np.uint8) if size else np.zeros(0, np.uint8)
