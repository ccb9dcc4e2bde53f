"""A capture with the snapshot feeds that the exchange would have sent beside its lines.

An offline run of its own follows what the exchange sent. At every cycle, counted from the capture's first frame, the
books are taken as they are, and the loop is sent over the cycle that follows, as on a channel of many instruments.
Behind the last frame comes one more loop, so that what was lost at the very end can be recovered too.
"""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from simbench.capture.block import Block
from simbench.capture.frames import craft_udp, route
from simbench.frame import FRAME
from simbench.receive.offline import Offline, Source
from simbench.recovery.cme_snapshot import snapshot_packets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simbench.capture.reader import Capture
    from simbench.feed.definition import Feed
    from simbench.receive.receiver import Receiver

SOURCE: Final = "10.255.0.1"  # that the loops are sent from
FIRST_ORDINAL: Final = 1 << 39  # behind those of any capture
ETHERNET: Final = 1  # LINKTYPE
TOGETHER: Final = 1024  # packets of a block


class Timed(NamedTuple):
    """A packet of a loop.

    Attributes:
        sent_ns: its sent time.
        place: of its channel among those that have loops.
        payload: the datagram's.
    """

    sent_ns: int
    place: int
    payload: bytes


class Accompanied:
    """A capture that is read with the loops of some of its channels beside it, as often as one likes.

    Args:
        capture: that is replayed.
        exchange: that holds what the exchange sent: the same file, or a whole one where that has holes.
        feed: the channels that have loops; each has one [[channel.feed]] with role "snapshot".
        cycle_ns: from one loop to the next.
        verify: whether a wrong checksum is loss.
    """

    def __init__(self, capture: Capture, exchange: Capture, feed: Feed, *, cycle_ns: int, verify: bool) -> None:
        self._capture = capture
        self._loops = Loops(exchange, feed, cycle_ns=cycle_ns, verify=verify)

    @property
    def path(self) -> Path:
        """Return the path of the capture itself."""
        return self._capture.path

    @property
    def frames(self) -> int:
        """Return the frames of the capture itself that were read."""
        return self._capture.frames

    @property
    def problem(self) -> str:
        """Return what is wrong with the capture."""
        return self._capture.problem

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the capture, and behind each what the loops sent until its last stamp."""
        packets = self._loops.packets()
        following = next(packets, None)
        ordinal = FIRST_ORDINAL
        for block in self._capture.blocks():
            latest = int(block.frames["stamp"].max())
            yield block
            ready: list[Timed] = []
            while following is not None and following.sent_ns <= latest:
                ready.append(following)
                following = next(packets, None)
            if ready:
                yield self._loops.block(ready, ordinal)
                ordinal += len(ready)
        rest = [] if following is None else [following, *packets]
        if rest:
            yield self._loops.block(rest, ordinal)


class Loops:
    """The loops alone, to be read like a capture, as often as one likes.

    Args:
        exchange: that holds what the exchange sent.
        feed: the channels that have loops; each has one [[channel.feed]] with role "snapshot".
        cycle_ns: from one loop to the next.
        verify: whether a wrong checksum is loss.

    Attributes:
        frames: made when it was last read.
    """

    def __init__(self, exchange: Capture, feed: Feed, *, cycle_ns: int, verify: bool) -> None:
        self._exchange = exchange
        self._cycle = cycle_ns
        self._verify = verify
        groups = [flow.group for channel in feed.channels for flow in channel.feeds if flow.role == "snapshot"]
        self._routes = [route(f"{SOURCE}:{group.rpartition(':')[2]}", group) for group in groups]
        bare = [msgspec.structs.replace(channel, feeds=(), recover=None) for channel in feed.channels]
        self._feed = msgspec.structs.replace(feed, channels=tuple(bare))
        self.frames = 0

    @property
    def path(self) -> Path:
        """Return the path of the capture that they are made from."""
        return self._exchange.path

    @property
    def problem(self) -> str:
        """Return what is wrong with that."""
        return self._exchange.problem

    def blocks(self) -> Iterator[Block]:
        """Yield their packets, some at a time."""
        self.frames = 0
        packets = self.packets()
        while some := list(islice(packets, TOGETHER)):
            self.frames += len(some)
            yield self.block(some, FIRST_ORDINAL + self.frames - len(some))

    def packets(self) -> Iterator[Timed]:
        """Yield the packets of all loops in the order of their times."""
        first = next(self._exchange.blocks(), None)
        if first is None:
            return
        due = int(first.frames["stamp"][0]) + self._cycle
        run = Offline(Source(self._exchange, self._feed, self._verify, first_ns=due - self._cycle, notes=()))
        run.until(due)
        while run.advance():
            yield from self._loop(run.receiver, due)
            due += self._cycle
            run.until(due)
        yield from self._loop(run.receiver, max(due, run.last_ns + 1))

    def _loop(self, receiver: Receiver, sent_ns: int) -> Iterator[Timed]:
        loops = [
            [
                Timed(packet.sent_ns, place, packet.payload)
                for packet in snapshot_packets(receiver, place, sent_ns, over_ns=self._cycle)
            ]
            for place in range(len(self._routes))
        ]
        return merge(*loops)

    def block(self, packets: Sequence[Timed], ordinal: int) -> Block:
        """Return packets as frames, numbered from an ordinal on."""
        sizes = np.array([len(packet.payload) for packet in packets], np.int64)
        payloads = np.frombuffer(bytearray().join(packet.payload for packet in packets), np.uint8)
        places = np.array([packet.place for packet in packets], np.int64)
        data, offsets, lengths = craft_udp(payloads, np.cumsum(sizes) - sizes, sizes, self._routes, places)
        frames = np.zeros(len(packets), FRAME)
        frames["offset"], frames["captured"], frames["wire"] = offsets, lengths, lengths
        frames["stamp"] = [packet.sent_ns for packet in packets]
        frames["ordinal"] = ordinal + np.arange(len(packets))
        frames["payload"] = frames["flow"] = -1
        frames["link"] = ETHERNET
        return Block(data, frames)
