"""Write captures: pcap with nanosecond stamps, streamed, and in its place only when it is whole."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numba import njit

from simbench.capture.pcap import RECORD
from simbench.errors import SimbenchError
from simbench.kernel.pure import store_le64

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from numpy.typing import NDArray

    from simbench.capture.block import Bytes, Words

BUFFER: Final = 1 << 20  # bytes
MAGIC_NS: Final = 0xA1B23C4D
SNAPLEN: Final = 1 << 18


class PcapWriter:
    """A pcap file being written; it takes its name when it is closed, and an error leaves nothing behind.

    >>> with PcapWriter("a.pcap") as writer:  # doctest: +SKIP
    ...     writer.write(stamps, frames, offsets, lengths)
    """

    def __init__(self, path: str | PathLike[str], link: int = 1) -> None:
        """Start the file beside its place.

        Args:
            path: of the capture, which is replaced if it exists.
            link: LINKTYPE_ number; 1 is Ethernet.

        Raises:
            SimbenchError: nothing can be written there.
        """
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._buffer = np.empty(BUFFER, np.uint8)
        if self.path.is_dir():
            raise SimbenchError(f"cannot write {self.path}: it is a folder")
        try:
            self._file = self._part.open("wb", buffering=0)
        except OSError as error:
            raise SimbenchError(f"cannot write {self.path}: {error.strerror}") from None
        self._put(memoryview(struct.pack("<IHHiIII", MAGIC_NS, 2, 4, 0, 0, SNAPLEN, link)))

    def write(
        self,
        stamps: NDArray[Any],
        data: Bytes,
        offsets: NDArray[Any],
        lengths: NDArray[Any],
        wire: NDArray[Any] | None = None,
    ) -> None:
        """Append frames.

        Args:
            stamps: int[m], ns since 1970, at most those of the year 2106.
            data: uint8[n], what holds them.
            offsets: int[m], of the first byte of each.
            lengths: int[m], bytes.
            wire: int[m], bytes that each had before it was cut; as many as it has where None.

        Raises:
            SimbenchError: a frame is too long or a stamp out of range, or the disk is full.
        """
        when = np.ascontiguousarray(stamps, np.int64)
        where = np.ascontiguousarray(offsets, np.int64)
        sizes = np.ascontiguousarray(lengths, np.int64)
        whole = sizes if wire is None else np.ascontiguousarray(wire, np.int64)
        if not len(when) == len(where) == len(sizes) == len(whole):
            raise ValueError("stamps, offsets, lengths and wire differ in length")
        if not len(when):
            return
        if int(sizes.max()) > SNAPLEN or int(sizes.min()) < 0:
            raise SimbenchError(f"cannot write {self.path}: a frame has at most {SNAPLEN:,} bytes")
        if int(when.min()) < 0 or int(when.max()) >= 1_000_000_000 << 32:
            raise SimbenchError(f"cannot write {self.path}: a pcap holds stamps from 1970 to 2106")
        if int(where.min()) < 0 or int((where + sizes).max()) > len(data):
            raise ValueError("a frame lies outside its buffer")
        first = 0
        while first < len(when):
            filled, first = pack(self._buffer, when, data, where, sizes, whole, first)
            self._put(self._buffer.data[:filled])

    def close(self) -> None:
        """Finish the file and put it in its place."""
        if self._file.closed:
            return
        try:
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self._failure(error) from None

    def discard(self) -> None:
        """Give the file up: nothing is left of it, and what was in its place stays."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _put(self, view: memoryview) -> None:
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> SimbenchError:
        self.discard()
        return SimbenchError(f"cannot write {self.path}: {error.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()


def write_pcap(
    path: str | PathLike[str],
    stamps: NDArray[Any],
    data: Bytes,
    offsets: NDArray[Any],
    lengths: NDArray[Any],
    link: int = 1,
) -> None:
    """Write a whole capture; see PcapWriter.write for the arguments."""
    with PcapWriter(path, link) as writer:
        writer.write(stamps, data, offsets, lengths)


@njit(cache=True, nogil=True)
def pack(
    out: Bytes, stamps: Words, data: Bytes, offsets: Words, lengths: Words, wire: Words, first: int
) -> tuple[int, int]:
    """Put records of the frames from first on into out; return the bytes used, and the first frame that did not fit."""
    at = 0
    index = first
    while index < len(stamps):
        size = lengths[index]
        if at + RECORD + size > len(out):
            break
        stamp = stamps[index]
        store_le64(out, at, stamp // 1_000_000_000 | (stamp % 1_000_000_000) << 32)
        store_le64(out, at + 8, size | max(wire[index], size) << 32)
        start = offsets[index]
        for byte in range(size):
            out[at + RECORD + byte] = data[start + byte]
        at += RECORD + size
        index += 1
    return at, index
