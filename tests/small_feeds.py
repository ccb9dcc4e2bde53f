"""Captures small enough to be rebuilt many times, and what the tests of the receiver do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.capture.writer import write_pcap
from simbench.golden.paranoid import Paranoid
from simbench.receive.offline import Offline, open_source
from simbench.synth.scenario import generate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ITCH = "nasdaq.itch50"
MDP3 = "cme.mdp3"
CME_FEED = """[[channel]]
venue = "cme"
name = "340"
protocol = "cme.mdp3"

[[channel.line]]
name = "A"
group = "224.0.31.64:14340"

[[channel.line]]
name = "B"
group = "224.0.32.64:15340"
"""


class Frame:
    """A frame of a capture that a test may change.

    Attributes:
        stamp: ns since 1970.
        data: its bytes.
        payload: where its UDP payload starts.
        port: it was sent to, which tells the line.
        sequence: of the payload's first unit, as the protocol writes it.
        units: how far the sequence moves.
    """

    def __init__(self, stamp: int, data: bytes, payload: int, port: int, protocol: str) -> None:
        self.stamp = stamp
        self.data = bytearray(data)
        self.payload = payload
        self.port = port
        body = data[payload:]
        if protocol == ITCH:
            self.sequence = int.from_bytes(body[10:18], "big")
            self.units = int.from_bytes(body[18:20], "big") % 0xFFFF
        else:
            self.sequence = int.from_bytes(body[:4], "little")
            self.units = 1

    @property
    def last(self) -> int:
        """Sequence of the payload's last unit."""
        return self.sequence + self.units - 1

    def patch(self, at: int, replacement: bytes) -> None:
        """Overwrite payload bytes and leave the UDP checksum away, so that only the decoder can object."""
        self.data[self.payload + at : self.payload + at + len(replacement)] = replacement
        self.data[self.payload - 2 : self.payload] = b"\0\0"


def make(folder: Path, protocol: str, messages: int = 2000, **options: Any) -> Path:
    """Generate a capture and its feed.toml in a new folder; nothing but lines where snapshots are not asked for."""
    folder.mkdir()
    chosen = {"instruments": 8, "snapshots": 0, **options}
    done = generate("calm", folder / "capture.pcap", protocol, messages=messages, **chosen)
    (folder / "feed.toml").write_text(done.feed, encoding="utf-8")
    return folder / "capture.pcap"


def frames(path: Path, protocol: str) -> list[Frame]:
    """Return the frames of a capture in their order."""
    found = []
    dissector = Dissector()
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        for row in block.frames:
            first = int(row["offset"])
            data = block.data[first : first + int(row["captured"])].tobytes()
            port = int(dissector.flows[int(row["flow"])]["port"])
            found.append(Frame(int(row["stamp"]), data, int(row["payload"]) - first, port, protocol))
    return found


def rewrite(folder: Path, kept: Sequence[Frame], feed: str) -> Path:
    """Write frames and a feed definition into a new folder."""
    folder.mkdir()
    sizes = np.array([len(frame.data) for frame in kept], np.int64)
    data = np.frombuffer(b"".join(bytes(frame.data) for frame in kept), np.uint8)
    stamps = np.array([frame.stamp for frame in kept], np.int64)
    write_pcap(folder / "capture.pcap", stamps, data, np.cumsum(sizes) - sizes, sizes)
    (folder / "feed.toml").write_text(feed, encoding="utf-8")
    return folder / "capture.pcap"


def checked(path: Path, **options: Any) -> dict[str, Any]:
    """Rebuild a capture beside the reference book, demand that both agree, and return the result."""
    source = open_source(path, **options)
    paranoid = Paranoid(source)
    run = Offline(source, on_events=paranoid.apply)
    finish(run)
    assert paranoid.events > 0
    assert paranoid.differences(run.receiver) == []
    return run.result()


def rebuilt(path: Path, **options: Any) -> dict[str, Any]:
    """Rebuild a capture and return the result."""
    run = Offline(open_source(path), **options)
    finish(run)
    return run.result()


def finish(run: Offline) -> None:
    """Go on to the end, whatever stops there are."""
    while run.advance():
        pass


def levels(found: dict[str, Any]) -> int:
    """Count the levels of all books: an equality of empty books is none."""
    return sum(len(side) for book in ladders(found) for side in book)


def ladders(found: dict[str, Any]) -> list[list[list[Any]]]:
    """Return the levels of all books, side by side."""
    return [[book[side] for side in ("bids", "asks", "implied_bids", "implied_asks")] for book in found["books"]]


def digests(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return both digests of every channel."""
    return [(channel["digest"], channel["digest_orders"]) for channel in found["channels"]]
