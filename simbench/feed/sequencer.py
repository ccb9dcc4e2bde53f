"""The sequencer as the receiver uses it: the kernels for its loop, and an object that holds their state.

    verdict = offer(memory, slab, channel, line, header, data, digest, now)
    verdict = offer_retransmitted(memory, slab, channel, header, data, digest, now)
    slot = release(memory, stream)
    ready = tick(memory, now)
    asked = next_request(memory, now)

See `arbitrate`, `answers`, `passage` and `requests` for what they promise and `layout` for the words that they set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simbench.feed import layout as at
from simbench.feed.answers import offer_retransmitted
from simbench.feed.arbitrate import offer
from simbench.feed.gaps import filled_record, note_messages
from simbench.feed.layout import (
    BEFORE_START,
    CONFLICT,
    DELIVER,
    DRAIN,
    HEARTBEAT,
    HELD,
    IN_ORDINAL,
    INVALID,
    LATE,
    NEED_ROOM,
    NIL,
    OUT_ARRIVED,
    OUT_ATTEMPT,
    OUT_CHANNEL,
    OUT_END,
    OUT_FIRST,
    OUT_FLAGS,
    OUT_LINE,
    OUT_MORE,
    OUT_ORDINAL,
    OUT_RECORD,
    OUT_SENT,
    OUT_SESSION,
    OUT_SKIP,
    OUT_START,
    OUT_STREAM,
    OUT_UNITS,
    REFUSED,
    RETRANSMITTED,
    SEEN,
    UNASKED,
    VERDICTS,
    WANTED,
)
from simbench.feed.passage import channel_of, due_stream, finish, malformed, new_epoch, release, tick
from simbench.feed.report import ANSWERS, COUNTERS, Report
from simbench.feed.requests import next_request, outstanding, want_all
from simbench.feed.state import Settings, copy_slab, grow_memory, grow_slab, new_sequencer
from simbench.feed.streams import stream_base
from simbench.feed.wrap import nearest, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ANSWERS",
    "BEFORE_START",
    "CONFLICT",
    "COUNTERS",
    "DELIVER",
    "DRAIN",
    "HEARTBEAT",
    "HELD",
    "INVALID",
    "IN_ORDINAL",
    "LATE",
    "NEED_ROOM",
    "NIL",
    "OUT_ARRIVED",
    "OUT_ATTEMPT",
    "OUT_CHANNEL",
    "OUT_END",
    "OUT_FIRST",
    "OUT_FLAGS",
    "OUT_LINE",
    "OUT_MORE",
    "OUT_ORDINAL",
    "OUT_RECORD",
    "OUT_SENT",
    "OUT_SESSION",
    "OUT_SKIP",
    "OUT_START",
    "OUT_STREAM",
    "OUT_UNITS",
    "REFUSED",
    "RETRANSMITTED",
    "SEEN",
    "UNASKED",
    "VERDICTS",
    "WANTED",
    "Request",
    "Sequencer",
    "Settings",
    "channel_of",
    "due_stream",
    "filled_record",
    "finish",
    "malformed",
    "nearest",
    "new_epoch",
    "new_sequencer",
    "next_request",
    "note_messages",
    "offer",
    "offer_retransmitted",
    "outstanding",
    "release",
    "tick",
    "unwrap",
    "want_all",
]


@dataclass(frozen=True)
class Request:
    """What to ask a channel's retransmission server for.

    Attributes:
        channel: its number.
        stream: unit, segment or partition; 0 where there is none.
        session: index of its name, as the protocol interned it.
        first: sequence of the first unit, as it is on the wire.
        units: of the whole hole; what an answer leaves of it is asked for by a request of its own.
        attempt: how often it has been asked for without an answer, this time included.
    """

    channel: int
    stream: int
    session: int
    first: int
    units: int
    attempt: int


class Sequencer(Report):
    """The state of all channels' arbitration, to be changed and read."""

    @classmethod
    def create(
        cls,
        lines: Sequence[int],
        settings: Settings | None = None,
        servers: Sequence[bool] | None = None,
        wraps: Sequence[int] | None = None,
    ) -> Sequencer:
        """Return a fresh sequencer; the arguments are those of new_sequencer()."""
        return cls(*new_sequencer(lines, settings, servers, wraps))

    def copy(self) -> Sequencer:
        """Return a checkpoint; costs the memory and what is held."""
        return Sequencer(self.memory.copy(), copy_slab(self.memory, self.slab))

    def grow(self) -> None:
        """Make room after NEED_ROOM: replaces memory and slab by larger ones with the same content."""
        self.slab = grow_slab(self.memory, self.slab)
        self.memory = grow_memory(self.memory)

    def tick(self, now: int) -> int:
        """Let time pass, growing as needed; return how many streams have something to release."""
        while (ready := int(tick(self.memory, now))) == NEED_ROOM:
            self.grow()
        return ready

    def finish(self, now: int) -> int:
        """End the data, growing as needed; release, and call again until it returns 0."""
        while (ready := int(finish(self.memory, now))) == NEED_ROOM:
            self.grow()
        return ready

    def new_epoch(self, channel: int, now: int) -> int:
        """Let the next packet of each of a channel's streams begin an epoch; return how many have to be released."""
        while (ready := int(new_epoch(self.memory, channel, now))) == NEED_ROOM:
            self.grow()
        return ready

    def due_stream(self) -> int:
        """Return a stream that has something to release, NIL where none has."""
        return int(due_stream(self.memory))

    def request(self) -> Request:
        """Return what next_request() has handed out."""
        memory = self.memory
        stream = stream_base(memory, int(memory[OUT_STREAM]))
        return Request(
            channel=int(memory[OUT_CHANNEL]),
            stream=int(memory[stream + at.S_KEY]),
            session=int(memory[OUT_SESSION]),
            first=int(memory[OUT_FIRST]),
            units=int(memory[OUT_UNITS]),
            attempt=int(memory[OUT_ATTEMPT]),
        )

    def outstanding(self) -> int:
        """Return how many holes an answer may still fill."""
        return int(outstanding(self.memory))

    def check(self) -> None:
        """Assert every invariant of the state."""
        from simbench.feed.check import check

        check(self.memory)
