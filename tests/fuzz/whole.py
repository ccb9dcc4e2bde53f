"""Damaged datagrams through a whole receiver: routing, framing, arbitration on two lines, decoding, books.

Nothing here looks at a single result: what has to hold is that it goes on, that every invariant of the books does, and
that memory stays within what the limits of the tables allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from harness import AT, BROKEN, EVENTS_MADE, NOTHING, PACKETS, WORDS
from mutations import ROOM, damage

from simbench.capture.dissect import Dissector
from simbench.feed.definition import Channel, Feed, Line
from simbench.frame import FRAME, PAYLOAD_ONLY
from simbench.protocol.contract import MALFORMED
from simbench.receive import pipeline
from simbench.receive.receiver import Receiver

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words
    from simbench.protocol.contract import Protocol

BATCH: Final = 512
CHECK: Final = 64 * BATCH  # datagrams between two looks at every invariant
STEP_NS: Final = 20_000
MOST_BYTES: Final = 2 << 30
LINES: Final = tuple(Line(name=name, group=f"239.0.0.{n}:1000{n}") for n, name in enumerate("AB", start=1))


class Whole:
    """A receiver of one channel under damage.

    Args:
        protocol: of the channel.
        corpus: whole datagrams of it.
        seed: of the run.
        words: int64[WORDS], as the harness has them.
    """

    def __init__(self, protocol: Protocol, corpus: list[bytes], seed: int, words: Words | None = None) -> None:
        self.words = np.zeros(WORDS, np.int64) if words is None else words
        self.seed = seed
        self._corpus = np.frombuffer(b"".join(corpus), np.uint8).copy()
        self._starts = np.cumsum([0, *map(len, corpus)]).astype(np.int64)
        feed = Feed(channels=(Channel(venue="fuzz", name="1", protocol=protocol.name, lines=LINES),))
        self.receiver = Receiver(feed)
        self.receiver.routes[:2] = [line << 8 | pipeline.ROLE_LINE for line in range(2)]
        self._flows = Dissector(checksums="ignore").flows
        self._data = np.zeros(BATCH * ROOM, np.uint8)
        self._frames = np.zeros(BATCH, FRAME)

    def run(self, until: int) -> int:
        """Go on to datagram number `until`; return NOTHING, for what is wrong raises here."""
        while self.words[AT] < until:
            first = int(self.words[AT])
            lap = 2 * (len(self._starts) - 1)
            if first > 0 and first % lap == 0:  # the same sequences and sent times again: as after a replayer's loop
                self.receiver.begin_epoch(first * STEP_NS)
            count = min(BATCH, until - first, lap - first % lap)
            frames = self._prepare(first, count)
            self.receiver.take(self._data, frames, self._flows)
            self.words[AT] += count
            self.words[PACKETS] = self.receiver.counter(pipeline.PACKETS)
            self.words[EVENTS_MADE] = self.receiver.counter(pipeline.EVENTS_APPLIED)
            bad = self.receiver.channel_state(0)[MALFORMED]
            self.words[BROKEN] = self.receiver.counter(pipeline.BAD_HEADERS) + bad
            if self.words[AT] % CHECK < count:
                self.check()
        self.check()
        return NOTHING

    def check(self) -> None:
        """Verify the books and the bound of memory; AssertionError where one does not hold."""
        state = self.receiver.state
        state.books.check()
        held = state.books.memory.nbytes + state.sequencer.memory.nbytes + state.sequencer.slab.nbytes
        assert held < MOST_BYTES, f"{held:,} bytes held"

    def datagram(self, number: int) -> bytes:
        """Return a damaged datagram of this run by its number."""
        scratch = np.zeros(ROOM, np.uint8)
        return scratch[: damage(self.seed + number, self._which(number), self._corpus, self._starts, scratch)].tobytes()

    def _which(self, number: int) -> int:
        """Take the corpus in its order, each datagram for both lines, and begin again at its end."""
        return number // 2 % (len(self._starts) - 1)

    def _prepare(self, first: int, count: int) -> np.ndarray:
        frames = self._frames[:count]
        for i in range(count):
            out: Bytes = self._data[i * ROOM : (i + 1) * ROOM]
            frames[i]["payload_length"] = damage(
                self.seed + first + i, self._which(first + i), self._corpus, self._starts, out
            )
        numbers = np.arange(count)
        frames["payload"] = frames["offset"] = numbers * ROOM
        frames["captured"] = frames["payload_length"]
        frames["flags"] = PAYLOAD_ONLY
        frames["flow"] = (first + numbers) % 2
        frames["stamp"] = (first + numbers) * STEP_NS
        frames["ordinal"] = first + numbers
        return frames
