"""Damaged capture files of every format and compression through the reader and the dissector."""

from __future__ import annotations

import gzip
import random
import struct
from typing import TYPE_CHECKING, Final

import capture_files
import zstandard

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.frame import NO_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES: Final = 12
MOST_FRAMES: Final = 4096  # that a file of this size could name at most, were it damaged ever so well
ODD: Final = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)


def datagram(chance: random.Random) -> bytes:
    """Return an Ethernet frame with a UDP datagram, some of them tagged or in a tunnel."""
    payload = chance.randbytes(chance.randrange(60))
    udp = struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xe0\0\0\1") + udp
    if chance.random() < 0.3:  # GRE over IPv4
        gre = struct.pack(">HH", 0, 0x0800) + ip
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(gre), 0, 0, 64, 47, 0, bytes(4), bytes(4)) + gre
    tags = b"".join(struct.pack(">HH", 0x8100, n) for n in range(chance.randrange(3)))
    return bytes(12) + tags + struct.pack(">H", 0x0800) + ip


def whole(chance: random.Random) -> bytes:
    """Return a whole capture: pcap in any byte order and resolution, or pcapng with several interfaces."""
    frames = [(10**9 + n * 1000, datagram(chance)) for n in range(FRAMES)]
    order = chance.choice("<>")
    if chance.random() < 0.5:
        data = capture_files.pcap(frames, order, chance.choice([0xA1B23C4D, 0xA1B2C3D4, 0xA1B2CD34]))
    else:
        options = capture_files.option(9, bytes([chance.choice([6, 9, 0x8A])]), order)
        blocks = [capture_files.section(order), capture_files.interface(order, options=options)]
        blocks += [capture_files.interface(order, link=101)]
        blocks += [capture_files.packet(stamp, data, chance.randrange(2), order) for stamp, data in frames]
        data = b"".join(blocks)
    pack = chance.choice([bytes, bytes, bytes, gzip.compress, zstandard.ZstdCompressor().compress])
    return pack(data)


def damaged(seed: int) -> bytes:
    """Return a capture with a few bytes changed, cut or doubled; the same one for the same seed."""
    chance = random.Random(seed)
    data = bytearray(whole(chance))
    for _ in range(chance.randrange(6)):
        at = chance.randrange(len(data))
        data[at] = chance.choice(ODD) if chance.random() < 0.5 else data[at] ^ 1 << chance.randrange(8)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    if chance.random() < 0.1:
        data += data[chance.randrange(len(data) or 1) :]
    return bytes(data)


def read(path: Path) -> tuple[int, int]:
    """Read and dissect a capture to its end; return frames and datagrams. A refusal in one line counts as none."""
    frames = datagrams = 0
    dissector = Dissector()
    try:
        for block in open_capture(path).blocks():
            dissector.dissect(block)
            able = block.frames[block.frames["flags"] & NO_PAYLOAD == 0]
            frames += len(block.frames)
            datagrams += len(able)
            ends = able["payload"] + able["payload_length"]
            assert (able["payload"] >= able["offset"]).all(), "a payload before its frame"
            assert (ends <= able["offset"] + able["captured"]).all(), "a payload behind its frame"
            assert frames <= MOST_FRAMES, "more frames than the file could hold"
    except SimbenchError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert "\n" not in refusal, "a refusal of several lines"
    return frames, datagrams


def fuzz(folder: Path, count: int, seed: int, tell: Callable[[int], None] = lambda _: None) -> tuple[int, int, int]:
    """Read `count` damaged captures; return files that had frames, frames and datagrams.

    Args:
        folder: to write them in, one after the other.
        count: of files.
        seed: of the run.
        tell: called with the number of each before it is read.
    """
    path = folder / "damaged"
    readable = frames = datagrams = 0
    for number in range(count):
        path.write_bytes(damaged(seed + number))
        tell(number)
        found = read(path)
        readable += found[0] > 0
        frames += found[0]
        datagrams += found[1]
    return readable, frames, datagrams
