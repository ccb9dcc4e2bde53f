"""Offline: the receiver fed straight from a capture's blocks, the very same kernels and no wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.capture.dissect import Dissector
from simbench.capture.reader import Capture, open_capture
from simbench.errors import SimbenchError
from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, FRAME, NO_PAYLOAD, NO_UDP_CHECKSUM
from simbench.receive import pipeline, result
from simbench.receive.discover import find_feed
from simbench.receive.receiver import FLOWS, OFFLINE_BATCH, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from simbench.feed.definition import Feed
    from simbench.feed.sequencer import Settings

SAMPLE = 4096  # datagrams that decide whether the capture's checksums are worth anything
MOSTLY_WRONG = 0.9  # captures taken on loopback or before offload have nearly none that is right


@dataclass(frozen=True)
class Source:
    """A capture and what is known of it before its messages are read.

    Attributes:
        capture: opened.
        feed: its channels and lines.
        verify: whether a wrong checksum is loss.
        first_ns: stamp of the first frame.
        notes: lines for the user: what was found by looking, what is odd.
    """

    capture: Capture
    feed: Feed
    verify: bool
    first_ns: int
    notes: tuple[str, ...]


def open_source(
    path: Path,
    *,
    feed: Path | None = None,
    protocol: str | None = None,
    schema: Path | None = None,
    checksum: str = "auto",
) -> Source:
    """Open a capture, find its feed and judge its checksums.

    Args:
        path: the capture.
        feed: a feed.toml; the one beside the capture, or what looking finds, where None.
        protocol: of every channel, instead of guessing.
        schema: an SBE schema of the user's own.
        checksum: "auto", "verify" or "ignore".
    """
    capture = open_capture(path)
    definition, notes = find_feed(capture, feed=feed, protocol=protocol, schema=schema)
    share, first_ns = _wrong_checksums(capture)
    verify = checksum == "verify" or (checksum == "auto" and share < MOSTLY_WRONG)
    if checksum == "auto" and not verify:
        notes = (*notes, f"checksums are ignored: {share:.0%} of them are wrong as recorded (--checksum verify)")
    return Source(capture, definition, verify, first_ns, notes)


def _wrong_checksums(capture: Capture) -> tuple[float, int]:
    """Return the share of wrong checksums among the first datagrams, and the first stamp."""
    dissector = Dissector()
    checked = wrong = 0
    first_ns = 0
    for block in capture.blocks():
        dissector.dissect(block)
        first_ns = first_ns or int(block.frames["stamp"][0])
        flags = block.frames["flags"]
        able = flags & (NO_PAYLOAD | NO_UDP_CHECKSUM) == 0
        checked += int(np.count_nonzero(able))
        wrong += int(np.count_nonzero(able & (flags & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM) != 0)))
        if checked >= SAMPLE:
            break
    return (wrong / checked if checked else 0.0), first_ns


class Offline:
    """A receiver on its way through a capture; can be stopped at a time or a sequence and go on.

    Args:
        source: what to read.
        only_line: the one line of every channel that is listened to.
        on_events: called with (channel, events) before these are applied.
        settings: of the arbitration.

    Attributes:
        data: uint8[n], the bytes of the block at hand.
        frames: FRAME[m], its frames.
    """

    def __init__(
        self,
        source: Source,
        *,
        only_line: str | None = None,
        on_events: Callable[[int, NDArray[Any]], None] | None = None,
        settings: Settings | None = None,
    ) -> None:
        names = sorted({line.name for channel in source.feed.channels for line in channel.lines})
        if only_line is not None and only_line not in names:
            raise SimbenchError(f"there is no line {only_line!r}; there are {', '.join(names)}")
        self.source = source
        self.receiver = Receiver(
            source.feed,
            first_ns=source.first_ns,
            batch=OFFLINE_BATCH,
            verify=source.verify,
            only_line=only_line,
            on_events=on_events,
            settings=settings,
        )
        self.dissector = Dissector(checksums="verify" if source.verify else "ignore", capacity=FLOWS)
        self.first_ns = 0
        self.last_ns = 0
        self.data = np.zeros(0, np.uint8)
        self.frames: NDArray[Any] = np.zeros(0, FRAME)
        self._running = self._run()

    def _run(self) -> Iterator[int]:
        for block in self.source.capture.blocks():
            self.dissector.dissect(block)
            self.data, self.frames = block.data, block.frames
            stamps = block.frames["stamp"]
            self.first_ns = self.first_ns or int(stamps[0])
            self.last_ns = max(self.last_ns, int(stamps.max()))
            while self.receiver.take(block.data, block.frames, self.dissector.flows) == pipeline.STOPPED:
                yield pipeline.STOPPED
        while self.receiver.finish() == pipeline.STOPPED:
            yield pipeline.STOPPED

    def advance(self) -> bool:
        """Go on to the next stop that was asked for, or to the end; return whether there is more."""
        return next(self._running, pipeline.DONE) == pipeline.STOPPED

    def until(self, time_ns: int) -> None:
        """Ask for a stop before the first frame that is later than a recorded time."""
        self.receiver.state.words[pipeline.UNTIL] = time_ns

    def result(self, *, books: bool = True) -> dict[str, Any]:
        """Return what was found so far, in the shape of `book --json`."""
        capture = self.source.capture
        return result.build(
            self.receiver,
            {
                "frames": capture.frames,
                "datagrams": 0,
                "other_frames": 0,
                "truncated": capture.truncated,
                "backward_stamps": capture.backward_stamps,
                "first_ns": str(self.first_ns),
                "last_ns": str(self.last_ns),
                "format": capture.format,
                "compression": capture.compression,
                "left_out": self.dissector.left_out(),
                "notes": [*self.source.notes, *([capture.problem] if capture.problem else [])],
            },
            books=books,
        )
