"""Which message an event is of: its packet decoded once more, in ever shorter pieces, which every protocol can do."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simbench.event import EVENT
from simbench.feed.layout import OUT_END, OUT_START
from simbench.protocol.contract import EVENT_BUFFER, MESSAGES
from simbench.receive import pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.protocol.contract import Message
    from simbench.receive.offline import Offline


class Place(NamedTuple):
    """Where an event stands in its channel.

    Attributes:
        ordinal: of its message among those of the channel, from 1; what `messages` of the result counts.
        message: its type; None where the protocol has no name for it.
        event: its number among the events of the message, from 1.
    """

    ordinal: int
    message: Message | None
    event: int


class _Decoded(NamedTuple):
    events: int
    messages: int
    state: NDArray[np.int64]


class Packet:
    """The packet whose events wait in a receiver; for on_events, before the first of them is applied.

    Args:
        run: gathers no events of several packets (pipeline.BATCH is 1).
        channel: number of the packet's channel.
    """

    def __init__(self, run: Offline, channel: int) -> None:
        receiver = run.receiver
        words, sequencer, header = receiver.state.words, receiver.state.sequencer, receiver.header[0]
        self._protocol = receiver.protocol(channel)
        self._state = receiver.channel_state(channel).copy()
        self._skip = int(words[pipeline.SKIP])
        self._events = receiver.events[: int(words[pipeline.DECODED])].copy()
        # It came with the frame at hand or was held; words alone do not tell which, its events do.
        held = slice(int(sequencer.memory[OUT_START]), int(sequencer.memory[OUT_END]))
        came = slice(int(header["start"]), int(header["end"]))
        self._bodies = [run.data[came].copy(), sequencer.slab[held].copy()]
        self._scratch = np.zeros(EVENT_BUFFER, EVENT)
        self._last: tuple[int, Place] | None = None

    def place(self, index: int) -> Place | None:
        """Return where one of its events stands; None where the packet does not decode to the same events again.

        Args:
            index: of the event in the packet, from 0; not less than the one asked for before.
        """
        if self._last is None or index >= self._last[0]:
            body = self._body()
            if body is None:
                return None
            self._last = self._message(body, index)
        behind, place = self._last
        return place._replace(event=place.event + index - behind + 1)

    def _body(self) -> NDArray[np.uint8] | None:
        for body in self._bodies:
            if len(body) and self._decode(body, len(body)).events == len(self._events):
                again = self._scratch[: len(self._events)]
                if np.array_equal(again, self._events):
                    self._bodies = [body]
                    return body
        return None

    def _message(self, body: NDArray[np.uint8], index: int) -> tuple[int, Place]:
        """Return the index behind the last event of a message, and that event's place.

        The message ends where the shortest piece of the packet ends that decodes to the event and to one message more.
        """
        ends = range(len(body) + 1)
        shown = bisect_left(ends, index + 1, key=lambda end: self._decode(body, end).events)
        already = self._decode(body, shown - 1).messages
        whole = bisect_left(ends, already + 1, lo=shown, key=lambda end: self._decode(body, end).messages)
        before, after = (self._decode(body, min(end, len(body))) for end in (shown - 1, whole))
        counted = (one for one in self._protocol.messages if after.state[one.counter] > before.state[one.counter])
        earlier = int(self._state[MESSAGES]) - self._decode(body, len(body)).messages
        place = Place(earlier + after.messages, next(counted, None), after.events - before.events)
        return after.events, place

    def _decode(self, body: NDArray[np.uint8], end: int) -> _Decoded:
        """Decode the first bytes of the packet: whole messages count, what is cut off is malformed."""
        state = self._state.copy()
        count = int(self._protocol.decode(body, 0, end, self._skip, state, self._scratch))
        return _Decoded(max(count, -1 - count), int(state[MESSAGES] - self._state[MESSAGES]), state)
