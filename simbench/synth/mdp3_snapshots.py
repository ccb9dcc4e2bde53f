"""Snapshots beside a channel: its own packets followed by a receiver, whose books are sent in loops.

Two receivers follow, one by level and one order by order, since one book cannot hold both. At every cycle, counted from
the start of the run, the books are taken as they are, and the loop of each kind is sent over the cycle that follows. So
a snapshot is older than its packet by up to one cycle, as on a channel of many instruments; LastMsgSeqNumProcessed says
at which packet it was taken. The capture ends with the lines, in the middle of a loop where that is how it comes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.feed.definition import Channel, Feed, Line
from simbench.frame import FLOW, FRAME, PAYLOAD_ONLY
from simbench.receive.pipeline import ROLE_LINE
from simbench.receive.receiver import Receiver
from simbench.recovery.cme_snapshot import snapshot_packets
from simbench.synth.packing import Datagrams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simbench.recovery.cme_snapshot import Packet
    from simbench.synth.request import Request

KINDS: Final = ("cme.mdp3", "cme.mdp3.orders")  # protocols whose books are sent, in the order of mdp3.FEEDS
NO_FLOWS: Final = np.zeros(0, FLOW)


def beside(blocks: Iterator[Datagrams], request: Request) -> Iterator[Datagrams]:
    """Yield a channel's datagrams, and before each block what its snapshot feeds send within the block's time.

    Args:
        blocks: of the lines.
        request: whose snapshot_ns is more than 0.
    """
    feeds = [_SnapshotFeed(number, protocol, request) for number, protocol in enumerate(KINDS)]
    for block in blocks:
        for feed in feeds:
            yield feed.take(block)
        yield block


class _SnapshotFeed:
    """One kind of snapshots: a receiver that follows the lines, and the packets of its loop that are not sent yet."""

    def __init__(self, number: int, protocol: str, request: Request) -> None:
        line = Line(name="A", group="239.0.0.1:1")  # of no consequence: its packets are handed over
        self._receiver = Receiver(Feed(channels=(Channel(venue="cme", name="0", protocol=protocol, lines=(line,)),)))
        self._receiver.routes[0] = ROLE_LINE
        self._number = number
        self._cycle = request.snapshot_ns
        self._limit = request.limit
        self._next = request.start_ns + self._cycle
        self._waiting: deque[Packet] = deque()

    def take(self, block: Datagrams) -> Datagrams:
        """Follow a block of the lines; return what is sent until its last datagram is."""
        if not len(block):
            return Datagrams(block.data, block.starts, block.sent, feed=self._number)
        ready: list[Packet] = []
        first, end = 0, int(block.sent[-1])
        while self._next <= end:
            last = int(np.searchsorted(block.sent, self._next, side="right"))
            self._follow(block, first, last)
            first = last
            ready += self._waiting
            self._waiting = deque(
                snapshot_packets(self._receiver, 0, self._next, over_ns=self._cycle, limit=self._limit)
            )
            self._next += self._cycle
        self._follow(block, first, len(block))
        while self._waiting and self._waiting[0].sent_ns <= end:
            ready.append(self._waiting.popleft())
        payloads = [packet.payload for packet in ready]
        return Datagrams(
            np.frombuffer(bytearray().join(payloads), np.uint8),
            np.cumsum([0, *map(len, payloads)]),
            np.array([packet.sent_ns for packet in ready], np.int64),
            feed=self._number,
        )

    def _follow(self, block: Datagrams, first: int, last: int) -> None:
        """Hand block[first:last] to the receiver, as a UDP socket would."""
        frames = np.zeros(last - first, FRAME)
        frames["stamp"] = block.sent[first:last]
        frames["ordinal"] = -1
        frames["offset"] = frames["payload"] = block.starts[first:last]
        frames["captured"] = frames["wire"] = frames["payload_length"] = np.diff(block.starts[first : last + 1])
        frames["flags"] = PAYLOAD_ONLY
        self._receiver.take(block.data, frames, NO_FLOWS)
