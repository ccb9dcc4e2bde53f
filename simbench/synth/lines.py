"""Datagrams onto lines A, B..., and onto the feeds beside them, as frames of a capture in order of time.

Line A carries a datagram when it is sent. Every further line carries the same datagram SKEW_NS later on average, with
normal jitter of JITTER_NS cut at four deviations: so B is a few microseconds behind A, and first about once in fifteen
times. A line never overtakes itself, so in a burst B is more seldom first. What a feed beside
the lines sends (snapshots) is carried once, when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from simbench.capture.frames import craft_udp, route
from simbench.capture.writer import PcapWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from types import TracebackType

    from numpy.typing import NDArray

    from simbench.synth.packing import Datagrams

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

SKEW_NS: Final = 3_000
JITTER_NS: Final = 2_000
DEVIATIONS: Final = 4
LEAD_NS: Final = DEVIATIONS * JITTER_NS - SKEW_NS  # by which a line is before A at most


@dataclass(frozen=True)
class Line:
    """One line of a channel.

    Attributes:
        name: "A".
        group: "239.1.1.1:26400".
        source: "10.0.0.1:26400".
    """

    name: str
    group: str
    source: str


@dataclass(frozen=True)
class SideFeed:
    """One feed of a channel beside its lines.

    Attributes:
        role: what it is for: "snapshot".
        group: as a line's.
        source: as a line's.
    """

    role: str
    group: str
    source: str


@dataclass
class Written:
    """What has been written so far.

    Attributes:
        messages: of one line.
        datagrams: of one line.
        recovery: datagrams of the feeds beside the lines.
        frames: of all.
        bytes: of their payloads, of one line.
        first_ns: stamp of the first frame, ns since 1970; 0 without any.
        last_ns: stamp of the last.
    """

    messages: int = 0
    datagrams: int = 0
    recovery: int = 0
    frames: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0


class LineWriter:
    """A capture of all lines of a channel being written; memory holds one block and the few frames that wait.

    Args:
        path: of the capture.
        lines: one or more; the first is A.
        seed: of the jitter.
        feeds: beside the lines.

    Raises:
        SimbenchError: nothing can be written there.
    """

    def __init__(
        self, path: str | PathLike[str], lines: Sequence[Line], seed: int, feeds: Sequence[SideFeed] = ()
    ) -> None:
        self.written = Written()
        self._lines = len(lines)
        ends = [(line.source, line.group) for line in lines] + [(feed.source, feed.group) for feed in feeds]
        self._routes = [route(source, group) for source, group in ends]
        self._random = [np.random.Generator(np.random.PCG64([seed, index])) for index in range(len(lines))]
        self._latest = np.zeros(len(lines), np.int64)
        self._waiting = _no_frames()
        self._writer = PcapWriter(path)

    def write(self, block: Datagrams) -> None:
        """Append datagrams; what another line's next frame may precede waits.

        What a feed beside the lines sends comes before the block of the lines that it lies within.
        """
        if not len(block):
            return
        sizes = np.diff(block.starts)
        if block.feed is not None:
            self.written.recovery += len(block)
            flow = np.full(len(block), self._lines + block.feed)
            self._waiting = _join(self._waiting, (block.data, block.sent, flow, block.starts[:-1], sizes))
            return
        self.written.messages += block.messages
        self.written.datagrams += len(block)
        self.written.bytes += int(sizes.sum())
        count = self._lines
        new = (
            block.data,
            np.concatenate([self._stamps(line, block.sent) for line in range(count)]),
            np.repeat(np.arange(count), len(block)),
            np.tile(block.starts[:-1], count),
            np.tile(sizes, count),
        )
        self._emit(_join(self._waiting, new), int(block.sent[-1]) - LEAD_NS)

    def close(self) -> None:
        """Write what waits and put the capture in its place."""
        self._emit(self._waiting, np.iinfo(np.int64).max)
        self._writer.close()

    def _stamps(self, line: int, sent: Words) -> Words:
        if line == 0:
            return sent
        jitter = self._random[line].standard_normal(len(sent)).clip(-DEVIATIONS, DEVIATIONS) * JITTER_NS
        stamps = sent + SKEW_NS + jitter.astype(np.int64)
        stamps[0] = max(stamps[0], self._latest[line])
        stamps = np.maximum.accumulate(stamps)
        self._latest[line] = stamps[-1]
        return stamps

    def _emit(self, frames: _Frames, horizon: int) -> None:
        data, stamps, lines, offsets, sizes = frames
        order = np.argsort(stamps, kind="stable")
        ready = int(np.searchsorted(stamps[order], horizon, side="right"))
        now, later = order[:ready], order[ready:]
        self._waiting = _copy(data, stamps[later], lines[later], offsets[later], sizes[later])
        if not ready:
            return
        crafted = craft_udp(data, offsets[now], sizes[now], self._routes, lines[now], self.written.frames)
        self._writer.write(stamps[now], *crafted)
        if not self.written.frames:
            self.written.first_ns = int(stamps[now[0]])
        self.written.frames += ready
        self.written.last_ns = int(stamps[now[-1]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._writer.discard()


_Frames = tuple["Bytes", "Words", "Words", "Words", "Words"]  # data; and of each frame stamp, flow, offset and size


def _no_frames() -> _Frames:
    none = np.zeros(0, np.int64)
    return np.zeros(0, np.uint8), none, none, none, none


def _copy(data: Bytes, stamps: Words, lines: Words, offsets: Words, sizes: Words) -> _Frames:
    parts = [data[at : at + size] for at, size in zip(offsets.tolist(), sizes.tolist(), strict=True)]
    kept = np.concatenate(parts) if parts else np.zeros(0, np.uint8)
    return kept, stamps, lines, np.cumsum(sizes) - sizes, sizes


def _join(first: _Frames, second: _Frames) -> _Frames:
    if not len(first[0]):
        return second
    return (
        np.concatenate([first[0], second[0]]),
        np.concatenate([first[1], second[1]]),
        np.concatenate([first[2], second[2]]),
        np.concatenate([first[3], second[3] + len(first[0])]),
        np.concatenate([first[4], second[4]]),
    )


def feed_text(
    venue: str,
    channel: str,
    protocol: str,
    lines: Sequence[Line],
    timezone: str = "",
    feeds: Sequence[SideFeed] = (),
) -> str:
    """Return a feed.toml for one channel.

    Args:
        venue: "nasdaq".
        channel: its name.
        protocol: "nasdaq.itch50".
        lines: its lines.
        timezone: IANA name where the protocol counts from a local midnight.
        feeds: beside the lines.
    """
    rows = ["[[channel]]", f'venue = "{venue}"', f'name = "{channel}"', f'protocol = "{protocol}"']
    if timezone:
        rows.append(f'timezone = "{timezone}"')
    for line in lines:
        rows += ["", "[[channel.line]]", f'name = "{line.name}"', f'group = "{line.group}"']
    for feed in feeds:
        rows += ["", "[[channel.feed]]", f'role = "{feed.role}"', f'group = "{feed.group}"']
    return "\n".join(rows) + "\n"
