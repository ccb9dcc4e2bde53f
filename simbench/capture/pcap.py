"""The classic pcap format: its header and the kernel that cuts its records (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.capture.block import (
    AT,
    BACKWARD,
    BIG,
    DAMAGED,
    FREE,
    FULL,
    HUNGRY,
    LENGTH,
    LONGEST,
    ORDINAL,
    SCAN_WORDS,
    STAMP,
    STATUS,
    Interface,
)
from simbench.errors import SimbenchError
from simbench.kernel.pure import direct, load_be32, load_le32

if TYPE_CHECKING:
    from simbench.capture.block import Bytes, Frames, Words

HEADER: Final = 24  # magic u32, major u16, minor u16, zone i32, accuracy u32, snaplen u32, link type u32
RECORD: Final = 16  # seconds u32, fraction u32, captured u32, wire u32
KUZNETZOV: Final = 24  # RECORD, interface u32, protocol u16, packet type u8, padding

# Magic in the file's own byte order -> words, bytes of a record's header, ns of a fraction's unit.
MAGIC: Final = {
    0xA1B2C3D4: ("pcap us", RECORD, 1000),
    0xA1B23C4D: ("pcap ns", RECORD, 1),
    0xA1B2CD34: ("pcap us, Kuznetzov's", KUZNETZOV, 1000),
}
LINK_BITS: Final = 0x03FF_FFFF  # the rest of the word tells the length of the FCS

SCALE: Final = FREE
LINK: Final = FREE + 1
RECORD_HEADER: Final = FREE + 2


class PcapScanner:
    """Cut the records of a pcap file.

    Attributes:
        format: in words.
        interfaces: the one there is.
        words: int64[SCAN_WORDS], shared with the kernel.
    """

    def __init__(self, head: bytes, name: str) -> None:
        """Read the file's header.

        Args:
            head: the file's first bytes, starting with one of the magics.
            name: of the file, for errors.

        Raises:
            SimbenchError: the header is cut or of a version that never was.
        """
        if len(head) < HEADER:
            raise SimbenchError(f"{name} is cut inside its pcap header: nothing to read")
        order = ">" if int.from_bytes(head[:4], "big") in MAGIC else "<"
        magic, major, minor, _zone, _accuracy, snaplen, link = struct.unpack(f"{order}IHHiIII", head[:HEADER])
        if (major, minor) not in {(2, 3), (2, 4)}:
            raise SimbenchError(f"{name} says it is pcap version {major}.{minor}, expected 2.4: not a usable capture")
        words, record, scale = MAGIC[magic]
        self.format = f"{words} {'big' if order == '>' else 'little'}-endian"
        self.interfaces = [Interface(link & LINK_BITS, "", "1 ns" if scale == 1 else "1 us", 0, snaplen)]
        self.words = np.zeros(SCAN_WORDS, np.int64)
        self.words[AT] = HEADER
        self.words[BIG] = order == ">"
        self.words[SCALE] = scale
        self.words[LINK] = link & LINK_BITS
        self.words[RECORD_HEADER] = record

    def scan(self, data: Bytes, frames: Frames) -> int:
        """Cut records from words[AT] on until one is not whole, there is no room, or damage; return how many frames."""
        return scan(data, frames, self.words)


@direct
def scan(data: Bytes, frames: Frames, words: Words) -> int:
    """Cut data into frames from words[AT] on; words[STATUS] says why it stopped. Returns the number of frames."""
    at = words[AT]
    end = len(data)
    big = words[BIG] != 0
    header = words[RECORD_HEADER]
    scale = words[SCALE]
    link = words[LINK]
    ordinal = words[ORDINAL]
    last = words[STAMP]
    backward = 0
    count = 0
    status = HUNGRY
    while at + header <= end:
        if count == len(frames):
            status = FULL
            break
        if big:
            stamp = load_be32(data, at) * 1_000_000_000 + load_be32(data, at + 4) * scale
            captured = load_be32(data, at + 8)
            wire = load_be32(data, at + 12)
        else:
            stamp = load_le32(data, at) * 1_000_000_000 + load_le32(data, at + 4) * scale
            captured = load_le32(data, at + 8)
            wire = load_le32(data, at + 12)
        if captured > LONGEST:
            words[LENGTH] = captured
            status = DAMAGED
            break
        if at + header + captured > end:
            break
        frame = frames[count]
        frame["offset"] = at + header
        frame["stamp"] = stamp
        frame["ordinal"] = ordinal
        frame["payload"] = -1
        frame["captured"] = captured
        frame["wire"] = min(max(wire, captured), 0x7FFF_FFFF)
        frame["payload_length"] = 0
        frame["trailer"] = 0
        frame["flow"] = -1
        frame["interface"] = 0
        frame["capture"] = 0
        frame["flags"] = 0
        frame["link"] = link
        backward += stamp < last and ordinal > 0
        last = stamp
        ordinal += 1
        count += 1
        at += header + captured
    words[AT] = at
    words[ORDINAL] = ordinal
    words[STAMP] = last
    words[BACKWARD] += backward
    words[STATUS] = status
    return count
