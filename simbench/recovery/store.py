"""Every message of a capture's channels once, by session and sequence: what a re-request server answers from.

The messages lie in files without a name, as long as the server lives; memory holds no more than a block of the capture
and what the kernel keeps of those files while there is room.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from simbench.capture.dissect import Dissector
from simbench.protocol.contract import HEADER
from simbench.protocol.moldudp64 import raw_sessions
from simbench.recovery import gather as g

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simbench.capture.reader import Capture

    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]

RANGES: Final = 1 << 14  # in the buffer between kernel and file
BYTES: Final = 1 << 20  # likewise; more than any datagram has


def gather(capture: Capture, channels: Sequence[Callable[[Any], bool]], *, verify: bool) -> list[Store]:
    """Read a capture and return what each channel sent.

    Args:
        capture: opened; without faults, since the exchange has what its lines lost.
        channels: for each, whether a FLOW record is one of its lines.
        verify: whether a wrong checksum is loss.
    """
    dissector = Dissector(checksums="verify" if verify else "ignore")
    stores = [Store() for _ in channels]
    wanted = [np.zeros(0, np.uint8) for _ in channels]
    for block in capture.blocks():
        known = dissector.dissect(block)
        for number, (store, choose) in enumerate(zip(stores, channels, strict=True)):
            new = dissector.flows[len(wanted[number]) : known]
            if len(new):
                wanted[number] = np.append(wanted[number], np.array([choose(flow) for flow in new], np.uint8))
            store.take(block.data, block.frames, wanted[number], verify=verify)
    for store in stores:
        store.finish()
    return stores


class Store:
    """The messages of one channel.

    Attributes:
        words: int64[GATHER_WORDS] of gather.py.
        sessions: for each, by its ten characters on the wire, the first and the last sequence that it has.
    """

    def __init__(self) -> None:
        self.words = np.zeros(g.GATHER_WORDS, np.int64)
        self.sessions: dict[bytes, tuple[int, int]] = {}
        self._holes = np.zeros((64, g.HOLE_COLUMNS), np.int64)
        self._header = np.zeros(1, HEADER)
        self._rows: Records = np.zeros(RANGES, g.RANGE)
        self._bytes: Bytes = np.zeros(BYTES, np.uint8)
        self._row_file = tempfile.TemporaryFile(prefix="simbench-", buffering=0)  # noqa: SIM115 - closed by close()
        self._byte_file = tempfile.TemporaryFile(prefix="simbench-", buffering=0)  # noqa: SIM115 - likewise
        self._ends: dict[bytes, tuple[int, int]] = {}  # rows of each session
        self._packed = np.zeros(g.PACK_WORDS, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def messages(self) -> int:
        """Return how many there are."""
        return int(self.words[g.MESSAGES])

    def take(self, data: Bytes, frames: Records, wanted: Bytes, *, verify: bool) -> None:
        """Take what is new in a block.

        Args:
            data: uint8[n].
            frames: FRAME[m], dissected.
            wanted: uint8 per flow, 1 for a line of the channel.
            verify: whether a wrong checksum is loss.
        """
        words = self.words
        words[g.FRAME] = 0
        while True:
            status = g.gather(
                data, frames, wanted, int(verify), words, self._holes, self._header, self._rows, self._bytes
            )
            if status == g.DONE:
                return
            if status == g.CROWDED:
                self._holes = np.concatenate([self._holes, np.zeros_like(self._holes)])
            else:
                self._write()

    def _write(self) -> None:
        words = self.words
        self._row_file.write(self._rows[: words[g.ROWS]].tobytes())
        self._byte_file.write(self._bytes[: words[g.USED]].tobytes())
        words[g.STORED] += words[g.USED]
        words[[g.ROWS, g.USED]] = 0

    def finish(self) -> None:
        """Make ready to answer: everything has been taken."""
        self._write()
        self._rows = _map(self._row_file.fileno()).view(g.RANGE)
        self._bytes = _map(self._byte_file.fileno())
        if self.words[g.UNSORTED]:
            self._rows[:] = self._rows[np.lexsort((self._rows["first"], self._rows["session"]))]
        end = 0
        for session, name in enumerate(raw_sessions(self.words, g.SESSIONS)):
            low, end = end, end + int(self.words[g.COUNTS + session])
            if low < end:
                last = self._rows[end - 1]
                self._ends[name] = (low, end)
                self.sessions[name] = int(self._rows[low]["first"]), int(last["first"]) + int(last["units"]) - 1
        # The kernel is loaded now, not by the first requester.
        self.pack(b"", 1, 0, until=0, limit=0, out=np.zeros(1, np.uint8))

    def pack(self, session: bytes, first: int, most: int, *, until: int, limit: int, out: Bytes) -> tuple[int, int]:
        """Write messages behind a datagram's header; return how many, and the length of the datagram.

        Args:
            session: ten characters.
            first: sequence of the first.
            most: messages.
            until: ns since 1970; what was sent later is not there yet.
            limit: bytes of the datagram.
            out: uint8[65,507], the datagram.
        """
        low, high = self._ends.get(session, (0, 0))
        count = g.pack(self._rows, self._bytes, low, high, first, most, until, limit, out, self._packed)
        return int(count), int(self._packed[g.LENGTH])

    @property
    def early(self) -> bool:
        """Tell whether the last datagram ended at a message that had not been sent yet."""
        return bool(self._packed[g.EARLY])

    def close(self) -> None:
        """Give the files back; harmless when repeated."""
        self._row_file.close()
        self._byte_file.close()


def _map(fd: int) -> Bytes:
    """Map a whole file: uint8[n]."""
    size = os.fstat(fd).st_size
    return np.frombuffer(mmap.mmap(fd, size), np.uint8) if size else np.zeros(0, np.uint8)
