"""Nasdaq's BinaryFILE: ITCH messages in a file, each with its length in front; plain or compressed.

Source: Nasdaq BinaryFILE 1.00: length u16 big-endian, then the message; a length of 0 ends the session. Files exist in
which every length is 0; there the size follows from the type, and only the types of ITCH 5.0 can be read.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numba import njit

from simbench.capture.stream import Stream
from simbench.errors import SimbenchError
from simbench.kernel.pure import copy_bytes, load_be16, load_be48, load_u8, store_be16
from simbench.protocol.itch50_layout import SIZES, offset
from simbench.synth.packing import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from types import TracebackType

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

CHUNK: Final = 1 << 22  # bytes read at a time
LONGEST: Final = 1_024  # of a message; ITCH's longest has 50, and what is beyond belief is damage
HEAD_SIZE: Final = 11
TIMESTAMP: Final = offset("A", "timestamp")
KNOWN: Final = np.array([SIZES.get(chr(letter), 0) for letter in range(256)], np.int64)

# Words of a reader.
USED: Final = 0  # bytes of the chunk that were taken
WRITTEN: Final = 1  # bytes that came of them
STATUS: Final = 2
LAST: Final = 3  # due time of the last message
BACKWARD: Final = 4  # messages before the one in front of them
MORE, SESSION_END, TOO_SHORT, TOO_LONG, UNKNOWN_SIZE = range(5)
PROBLEMS: Final = {
    TOO_SHORT: "a message is shorter than its type",
    TOO_LONG: f"a message is longer than {LONGEST} bytes",
    UNKNOWN_SIZE: "its lengths are 0 and a message's type is not known",
}


class BinaryFile:
    """A BinaryFILE being read; memory holds one chunk.

    Attributes:
        compression: "none", "gzip" or "zstd".
        messages: read so far.
        by_type: int64[256], how many of each letter.
        backward: how many messages had an earlier time than the one before; they count as due with it.
        problem: why the file was not used to its end; "" when it was.

    Raises:
        SimbenchError: the file cannot be read, or does not start with an ITCH 5.0 message.
    """

    def __init__(self, path: str | PathLike[str], midnight: int) -> None:
        """Open a file whose times count from a midnight, ns since 1970."""
        self._path = Path(path)
        self._midnight = midnight
        self._stream = Stream(self._path)
        self.compression = self._stream.compression
        self.messages = 0
        self.by_type = np.zeros(256, np.int64)
        self.backward = 0
        self.problem = ""

    def blocks(self) -> Iterator[Messages]:
        """Yield the messages with their lengths in front; a block is valid until the next."""
        data = np.empty(CHUNK + LONGEST + 2, np.uint8)
        out = np.empty_like(data)
        most = len(data) // (2 + 1)
        starts, due = np.empty(most + 1, np.int64), np.empty(most, np.int64)
        words = np.zeros(8, np.int64)
        filled = self._stream.readinto(data.data[:CHUNK])
        unsized = self._judge(data[:filled])
        while filled:
            count = split(data, filled, unsized, self._midnight, words, KNOWN, out, starts, due)
            self.messages += count
            self.backward = int(words[BACKWARD])
            if count:
                self.by_type += np.bincount(out[starts[:count] + 2], minlength=256)
                yield Messages(out[: words[WRITTEN]], starts[: count + 1], due[:count])
            left = filled - int(words[USED])
            if words[STATUS] != MORE:
                self.problem = PROBLEMS.get(int(words[STATUS]), "")
                break
            data[:left] = data[filled - left : filled].copy()
            more = self._stream.readinto(data.data[left : left + CHUNK])
            filled = left + more
            if not more:
                self.problem = "it ends in the middle of a message" if left else ""
                break
        self.problem = self._stream.problem or self.problem
        if self.problem:
            self.problem = f"used up to message {self.messages:,}: {self.problem}"

    def _judge(self, head: Bytes) -> bool:
        """Tell whether the lengths are all 0, or refuse the file."""
        start = head[:3].tobytes()
        size = int(KNOWN[start[2]]) if len(start) == 3 else 0
        length = int.from_bytes(start[:2], "big")
        if size and length == 0:
            return True
        if not size or length != size:
            why = self._stream.problem or "its first bytes are no length and message of it"
            raise SimbenchError(f"{self._path} is not an ITCH 5.0 BinaryFILE: {why}")
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


@njit(cache=True, nogil=True)
def split(
    data: Bytes,
    filled: int,
    unsized: bool,  # noqa: FBT001
    midnight: int,
    words: Words,
    known: Words,
    out: Bytes,
    starts: Words,
    due: Words,
) -> int:
    """Copy whole messages of data[:filled] to out with right lengths; return how many.

    Args:
        data: uint8[n], a chunk.
        filled: bytes of it.
        unsized: whether the lengths are all 0.
        midnight: ns since 1970.
        words: int64[8], see above.
        known: int64[256], size of each type, 0 where it is not known.
        out: uint8[n].
        starts: out, int64[m + 1].
        due: out, int64[m].
    """
    at = 0
    to = 0
    count = 0
    words[STATUS] = MORE
    starts[0] = 0
    while at + 3 <= filled:
        length = load_be16(data, at)
        size = known[load_u8(data, at + 2)]
        if unsized:
            length = size
            if size == 0:
                words[STATUS] = UNKNOWN_SIZE
                break
        elif length == 0:
            words[STATUS] = SESSION_END
            break
        if length < HEAD_SIZE or length < size:
            words[STATUS] = TOO_SHORT
            break
        if length > LONGEST:
            words[STATUS] = TOO_LONG
            break
        if at + 2 + length > filled:
            break
        store_be16(out, to, length)
        copy_bytes(out, to + 2, data, at + 2, length)
        time = midnight + load_be48(data, at + 2 + TIMESTAMP)
        if time < words[LAST]:
            words[BACKWARD] += 1
            time = words[LAST]
        words[LAST] = time
        due[count] = time
        at += 2 + length
        to += 2 + length
        count += 1
        starts[count] = to
    if filled - at == 2 and not unsized and load_be16(data, at) == 0:
        words[STATUS] = SESSION_END
        at += 2
    words[USED] = at
    words[WRITTEN] = to
    return count


def copied(blocks: Iterator[Messages], path: Path, *, unsized: bool = False) -> Iterator[Messages]:
    """Pass messages on and write them to a BinaryFILE on the way, compressed when it is called .gz.

    Args:
        blocks: messages with their lengths in front.
        path: of the file.
        unsized: whether to write every length as 0.
    """
    try:
        with gzip.GzipFile(path, "wb", 6, mtime=0) if path.suffix == ".gz" else path.open("wb") as file:
            for block in blocks:
                data = block.data[int(block.starts[0]) : int(block.starts[-1])]
                if unsized:
                    data = data.copy()
                    at = block.starts[:-1] - block.starts[0]
                    data[at] = data[at + 1] = 0
                file.write(data.data)
                yield block
    except OSError as error:
        raise SimbenchError(f"cannot write {path}: {error.strerror}") from None
