"""Several captures on one time line, as one capture: by the clock, from one start, or with their peaks together."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.capture.block import Block
from simbench.capture.bursts import BurstProfile
from simbench.capture.order import TimeOrder, gather, time_order
from simbench.capture.writer import PcapWriter
from simbench.errors import SimbenchError
from simbench.feed.definition import Feed, dump
from simbench.stress.find import extent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simbench.receive.offline import Source

ALIGN: Final = ("clock", "start", "peak")
ETHERNET: Final = 1
PEAK_NS: Final = 1_000_000  # the busiest of these is a capture's peak


def merge(sources: Sequence[Source], align: str, folder: Path) -> Path:
    """Write one capture that has the frames of several, with a feed.toml beside it; return its path.

    Args:
        sources: the first one keeps its stamps; the others are moved.
        align: "clock": nobody is moved; "start": first frames together; "peak": their busiest milliseconds.
        folder: where to write.

    Raises:
        SimbenchError: two send to the same group and port, one is not of Ethernet, or the disk is full.
    """
    feed = joined(sources)
    shifts = [_shift(source, sources[0], align) for source in sources]
    path = folder / "merged.pcap"
    with PcapWriter(path) as writer:
        for block in _in_order(sources, shifts):
            frames = block.frames
            writer.write(frames["stamp"], block.data, frames["offset"], frames["captured"], frames["wire"])
    (folder / "feed.toml").write_text(dump(feed), encoding="utf-8")
    return path


def joined(sources: Sequence[Source]) -> Feed:
    """Return the feed that has the channels of all.

    Raises:
        SimbenchError: two send to the same group and port, or a channel has the same name.
    """
    channels = tuple(chain.from_iterable(source.feed.channels for source in sources))
    seen: dict[str, int] = {}
    for number, source in enumerate(sources):
        for channel in source.feed.channels:
            for group in [*(line.group for line in channel.lines), *(flow.group for flow in channel.feeds)]:
                if seen.setdefault(group, number) != number:
                    raise SimbenchError(f"two of the captures send to {group}: they cannot be told apart")
    named = [(channel.venue, channel.name) for channel in channels]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise SimbenchError(f"two of the captures have a channel {twice[0]} {twice[1]}: name them apart in feed.toml")
    return Feed(channels=channels)


def _shift(source: Source, first: Source, align: str) -> int:
    if source is first or align == "clock":
        return 0
    if align == "start":
        return extent(first.capture)[0] - extent(source.capture)[0]
    return _peak(first) - _peak(source)


def _peak(source: Source) -> int:
    profile = BurstProfile()
    for block in source.capture.blocks():
        profile.add(np.ascontiguousarray(block.frames["stamp"]))
    return next(burst.stamp for burst in profile.bursts() if burst.span_ns == PEAK_NS)


def _in_order(sources: Sequence[Source], shifts: Sequence[int]) -> Iterator[Block]:
    """Yield all frames by time; each capture's are put in order within a bounded window, and merged."""
    blocks = [_moved(source, shift) for source, shift in zip(sources, shifts, strict=True)]
    held = {number: block for number, each in enumerate(blocks) if (block := next(each, None)) is not None}
    while held:
        until = min(int(block.frames["stamp"][-1]) for block in held.values())
        counts = {n: int(np.searchsorted(block.frames["stamp"], until, side="right")) for n, block in held.items()}
        whole = gather([Block(block.data, block.frames[: counts[n]]) for n, block in held.items()])
        for number, count in counts.items():
            rest = Block(held[number].data, held[number].frames[count:])
            following = rest if len(rest.frames) else next(blocks[number], None)
            if following is None:
                del held[number]
            else:
                held[number] = following
        order, _ = time_order(np.ascontiguousarray(whole.frames["stamp"]))
        yield Block(whole.data, whole.frames[order])


def _moved(source: Source, shift: int) -> Iterator[Block]:
    for block in TimeOrder().order(source.capture.blocks()):
        if (block.frames["link"] != ETHERNET).any():
            raise SimbenchError(f"{source.capture.path} is not of Ethernet: only such captures can be put together")
        frames = block.frames.copy()
        frames["stamp"] += shift
        yield Block(block.data, frames)
