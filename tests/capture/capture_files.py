"""Captures and frames made by hand, byte by byte, for the tests of this room."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simbench.capture.block import Block
from simbench.capture.reader import Capture, open_capture
from simbench.frame import FRAME


class Seen(NamedTuple):
    """A frame as it was read."""

    stamp: int
    data: bytes
    wire: int
    interface: int


def pcap(frames: Iterable[tuple[int, bytes]], order: str = "<", magic: int = 0xA1B23C4D, link: int = 1) -> bytes:
    """Return a pcap of (stamp in ns, bytes)."""
    scale = 1 if magic == 0xA1B23C4D else 1000
    more = bytes(8) if magic == 0xA1B2CD34 else b""
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)]
    for stamp, data in frames:
        seconds, rest = divmod(stamp, 1_000_000_000)
        out += [struct.pack(f"{order}IIII", seconds, rest // scale, len(data), len(data)), more, data]
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return a pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """Return a pcapng option."""
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    """Return a section header block."""
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", link: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
    """Return an interface description block."""
    return block(1, struct.pack(f"{order}HHI", link, 0, snaplen) + options, order)


def packet(ticks: int, data: bytes, number: int = 0, order: str = "<", wire: int | None = None) -> bytes:
    """Return an enhanced packet block."""
    head = struct.pack(
        f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) if wire is None else wire
    )
    return block(6, head + data + bytes(-len(data) % 4), order)


def read(source: Path | Capture) -> list[Seen]:
    """Return the frames of a capture."""
    capture = open_capture(source) if isinstance(source, Path) else source
    seen = []
    for one in capture.blocks():
        for frame in one.frames:
            data = one.data[frame["offset"] : frame["offset"] + frame["captured"]].tobytes()
            seen.append(Seen(int(frame["stamp"]), data, int(frame["wire"]), int(frame["interface"])))
    return seen


def batch(frames: Sequence[bytes], link: int = 1, wire: Sequence[int] | None = None) -> Block:
    """Return a block of frames, one behind another, so that the last one ends where the data ends."""
    made = np.zeros(len(frames), FRAME)
    lengths = np.array([len(frame) for frame in frames], np.int64)
    made["captured"] = lengths
    made["wire"] = lengths if wire is None else wire
    made["offset"] = np.cumsum(lengths) - lengths
    made["ordinal"] = np.arange(len(frames))
    made["link"] = link
    return Block(np.frombuffer(b"".join(frames), np.uint8).copy(), made)
