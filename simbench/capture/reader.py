"""Open a capture, whatever it is called, and read it in blocks of frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.capture.block import (
    AT,
    BACKWARD,
    BLOCK,
    CLAMPED,
    CONTRADICTORY,
    DAMAGED,
    FULL,
    LENGTH,
    ORDINAL,
    ROOM,
    SKIP,
    STATUS,
    UNDECLARED,
    UNSTAMPED,
    Block,
    Interface,
    empty_frames,
)
from simbench.capture.folder import capture_of
from simbench.capture.pcap import MAGIC, PcapScanner
from simbench.capture.pcapng import PcapngScanner
from simbench.capture.stream import Stream
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from simbench.capture.block import Bytes

HEAD: Final = 1 << 16  # bytes that are looked at to tell the format and find the first interfaces
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"

# First bytes of what people also call a capture, and of what they pick by mistake.
FOREIGN: Final = (
    (b"snoop\0\0\0", "a snoop capture: convert it with editcap -F pcapng"),
    (b"GMBU", "a Microsoft Network Monitor capture: convert it with editcap -F pcapng"),
    (b"RTSS", "a Microsoft Network Monitor capture: convert it with editcap -F pcapng"),
    (b"XCP\0", "a NetXRay capture: convert it with editcap -F pcapng"),
    (b"TRSNIFF data", "a Sniffer capture: convert it with editcap -F pcapng"),
    (b"\x1c\x00\x01\xac", "an IXIA capture: convert it with editcap -F pcapng"),
    (b"\x1c\x00\x01\xab", "an IXIA capture: convert it with editcap -F pcapng"),
    (b"\xac\x01\x00\x1c", "an IXIA capture: convert it with editcap -F pcapng"),
    (b"\xab\x01\x00\x1c", "an IXIA capture: convert it with editcap -F pcapng"),
    (b"\xa1\xb2\xc3\xcd", "a pcap of an experimental kind (a1b2c3cd): convert it with editcap -F pcapng"),
    (b"\xcd\xc3\xb2\xa1", "a pcap of an experimental kind (a1b2c3cd): convert it with editcap -F pcapng"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"BZh", "compressed by bzip2: decompress it first"),
    (b"\xfd7zXZ", "compressed by xz: decompress it first"),
    (b"\x04\x22\x4d\x18", "compressed by lz4: decompress it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
)


def open_capture(path: str | PathLike[str]) -> Capture:
    """Open a capture: pcap or pcapng, as it is or compressed by gzip or zstd, told by its content.

    Args:
        path: of the file, or of a folder with one capture in it.

    Raises:
        SimbenchError: there is no such file, or it is not a capture.
    """
    place = Path(path)
    return Capture(capture_of(place) if place.is_dir() else place)


class Capture:
    """A recorded capture that can be read in blocks, as often as one likes.

    The counts are those of the last reading, as far as it went.

    Attributes:
        path: of the file.
        format: "pcap ns little-endian", "pcapng little-endian" ...
        compression: "none", "gzip", "zstd".
        interfaces: what FRAME's interface numbers; a pcapng may declare more of them on the way.
        truncated: the file ends, or cannot be understood, before its end was reached: what came before was used.
        problem: in a sentence, why it is truncated, and what else is wrong with it; "" when nothing is.
        frames: read so far.
        backward_stamps: frames stamped before their predecessor in the file.
        unstamped: frames without a time of their own; they have their predecessor's.
        left_out: frames that the file contradicts itself about.
    """

    def __init__(self, path: Path) -> None:
        """Look at the file's beginning.

        Raises:
            SimbenchError: there is no such file, or it is not a capture.
        """
        self.path = path
        self.truncated = False
        self.problem = ""
        self.frames = 0
        self.backward_stamps = 0
        self.unstamped = 0
        self.left_out = 0
        with Stream(path) as stream:
            self.compression = stream.compression
            data = np.empty(HEAD, np.uint8)
            end = stream.readinto(data.data)
            scanner = _scanner(path, data[:end], stream)
        frames = empty_frames()
        scanner.scan(data[:end], frames)
        if not scanner.format or (isinstance(scanner, PcapngScanner) and scanner.words[AT] == 0):
            raise SimbenchError(f"{path} is cut or damaged inside its first pcapng block: nothing to read")
        self.format = scanner.format
        self.interfaces: list[Interface] = scanner.interfaces

    def __repr__(self) -> str:
        return f"<Capture {self.path} {self.format} {self.compression}>"

    def blocks(self) -> Iterator[Block]:
        """Yield the capture from its beginning; a block is valid until the next one is asked for."""
        self.truncated = False
        self.problem = ""
        data = np.empty(BLOCK + ROOM, np.uint8)
        frames = empty_frames()
        with Stream(self.path) as stream:
            end = stream.readinto(data.data)
            base = 0  # of the buffer's first byte in the decompressed file
            scanner = _scanner(self.path, data[:end], stream)
            words = scanner.words
            while True:
                count = scanner.scan(data[:end], frames)
                self._take(scanner)
                if count:
                    yield Block(data[:end], frames[:count])
                if words[STATUS] == FULL:
                    continue
                at = int(words[AT])
                if words[STATUS] == DAMAGED:
                    self.truncated = True
                    problem = f"damaged at byte {base + at:,}: no record can be {int(words[LENGTH]):,} bytes long"
                    break
                rest = end - at
                data[:rest] = data[at:end]
                words[AT] = 0
                base += at
                base += self._pass_over(stream, scanner, data)
                got = stream.readinto(data.data[rest:])
                end = rest + got
                if got == 0:
                    problem = self._ending(stream, rest + int(words[SKIP]), base)
                    break
        self.problem = "; ".join(part for part in (problem, *self._remarks(scanner)) if part)

    @staticmethod
    def _pass_over(stream: Stream, scanner: PcapScanner | PcapngScanner, data: Bytes) -> int:
        """Read past the rest of a block that nobody wants; return the number of bytes."""
        passed = 0
        while scanner.words[SKIP]:
            count = stream.readinto(data.data[: min(len(data), int(scanner.words[SKIP]))])
            if count == 0:
                break
            scanner.words[SKIP] -= count
            passed += count
        return passed

    def _ending(self, stream: Stream, missing: int, base: int) -> str:
        """Judge how the file ended."""
        if missing or stream.problem:
            self.truncated = True
        if missing:
            cut = f"cut in the middle of a record, at byte {base:,}, after {self.frames:,} frames"
            return f"{cut}: {stream.problem}" if stream.problem else cut
        return stream.problem

    def _take(self, scanner: PcapScanner | PcapngScanner) -> None:
        words = scanner.words
        self.format = scanner.format
        self.interfaces = scanner.interfaces
        self.left_out = int(words[UNDECLARED] + words[CONTRADICTORY])
        self.frames = int(words[ORDINAL]) - self.left_out
        self.backward_stamps = int(words[BACKWARD])
        self.unstamped = int(words[UNSTAMPED])

    @staticmethod
    def _remarks(scanner: PcapScanner | PcapngScanner) -> Iterator[str]:
        words = scanner.words
        if words[UNDECLARED]:
            yield f"{words[UNDECLARED]:,} frames left out: of interfaces that the file does not declare"
        if words[CONTRADICTORY]:
            yield f"{words[CONTRADICTORY]:,} frames left out: longer than the blocks that hold them"
        if words[CLAMPED]:
            yield f"{words[CLAMPED]:,} stamps are behind the year 2262"
        if isinstance(scanner, PcapngScanner):
            yield from scanner.notes


def _scanner(path: Path, data: Bytes, stream: Stream) -> PcapScanner | PcapngScanner:
    """Choose the reader by the content's first bytes."""
    head = data[:32].tobytes()
    if head.startswith(PCAPNG):
        return PcapngScanner(str(path))
    for order in ("little", "big"):
        if int.from_bytes(head[:4], order) in MAGIC:
            return PcapScanner(head, str(path))
    if not head:
        empty = f"{path} has no readable content: {stream.problem}" if stream.problem else f"{path} is empty"
        raise SimbenchError(f"{empty}; expected a pcap or pcapng capture")
    inside = "" if stream.compression == "none" else f" (inside {stream.compression})"
    for magic, what in FOREIGN:
        if head.startswith(magic):
            raise SimbenchError(f"{path} is not a capture that can be read but {what}{inside}; expected pcap or pcapng")
    start = head[:8].hex(" ")
    raise SimbenchError(f"{path} is not a capture: it starts with {start}{inside}; expected pcap or pcapng")
