"""Which message an event is of: its packet decoded once more, in ever shorter pieces, which every protocol can do."""

from __future__ import annotations

from bisect import bisect_left
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from simbench.event import EVENT, LOST
from simbench.feed.layout import OUT_END, OUT_START
from simbench.protocol.contract import EVENT_BUFFER, FLOW_MISSING, MESSAGES, SENT, SEQUENCE, SNAPSHOT_FLOW, UNITS
from simbench.receive import pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.protocol.contract import Message
    from simbench.receive.offline import Offline


GIVEN: Final = [SEQUENCE, SENT, FLOW_MISSING]  # slots that a receiver sets before it decodes


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
        before: int64[n], the channel's protocol state after the last packet with events; it may be changed.

    Attributes:
        after: int64[n], likewise after this one.
    """

    def __init__(self, run: Offline, channel: int, before: NDArray[np.int64]) -> None:
        receiver = run.receiver
        words, sequencer, header = receiver.state.words, receiver.state.sequencer, receiver.header[0]
        self._protocol = receiver.protocol(channel)
        self._skip = int(words[pipeline.SKIP])
        waiting = receiver.events[: int(words[pipeline.DECODED])]
        said = np.flatnonzero(waiting["kind"] != LOST)  # by the packet; the receiver says itself what is lost
        self._ahead = int(said[0]) if len(said) else len(waiting)
        self._events = waiting[said].copy()
        self.after = receiver.channel_state(channel).copy()
        self._before = before
        self._before[GIVEN] = self.after[GIVEN]
        self._units = int(words[pipeline.PACKET_UNITS])
        self._flows = range(1 + len(receiver.feed.channels[channel].feeds))
        # It came with the frame at hand or was held, on a line or beside them; its events tell which.
        held = slice(int(sequencer.memory[OUT_START]), int(sequencer.memory[OUT_END]))
        came = slice(int(header["start"]), int(header["end"]))
        self._bodies = [run.data[came].copy(), sequencer.slab[held].copy()]
        self._scratch = np.zeros(EVENT_BUFFER, EVENT)
        self._found: bool | None = None
        self._last: tuple[int, Place] | None = None

    def place(self, index: int) -> Place | None:
        """Return where one of its events stands; None where it is not of the packet, or does not come of it again.

        Args:
            index: among the events that wait, from 0; not less than the one asked for before.
        """
        index -= self._ahead
        if not 0 <= index < len(self._events):
            return None
        if self._last is None or index >= self._last[0]:
            if self._found is None:
                self._found = self._recognise()
            if not self._found:
                return None
            self._last = self._message(index)
        behind, place = self._last
        return place._replace(event=place.event + index - behind + 1)

    def _recognise(self) -> bool:
        """Find the bytes and the state that decode to the events that wait.

        The state that the packet was decoded with is gone. The one before is the same but for packets without events;
        and where a protocol remembers nothing that matters, the one after will do.
        """
        count = len(self._events)
        for body, state, flow in product(self._bodies, (self._before, self.after), self._flows):
            self._body, self._state = body, state.copy()
            self._state[[SNAPSHOT_FLOW, UNITS]] = flow, self._units
            if len(body) == 0 or self._decode(len(body)).events != count:
                continue
            if np.array_equal(self._scratch[:count], self._events):
                return True
        return False

    def _message(self, index: int) -> tuple[int, Place]:
        """Return the index behind the last event of a message, and that event's place.

        The message ends where the shortest piece of the packet ends that decodes to the event and to one message more.
        """
        length = len(self._body)
        ends = range(length + 1)
        shown = bisect_left(ends, index + 1, key=lambda end: self._decode(end).events)
        already = self._decode(shown - 1).messages
        whole = bisect_left(ends, already + 1, lo=shown, key=lambda end: self._decode(end).messages)
        before, after = (self._decode(min(end, length)) for end in (shown - 1, whole))
        counted = (one for one in self._protocol.messages if after.state[one.counter] > before.state[one.counter])
        earlier = int(self.after[MESSAGES]) - self._decode(length).messages
        place = Place(earlier + after.messages, next(counted, None), after.events - before.events)
        return after.events, place

    def _decode(self, end: int) -> _Decoded:
        """Decode the first bytes of the packet: whole messages count, what is cut off is malformed."""
        state = self._state.copy()
        count = int(self._protocol.decode(self._body, 0, end, self._skip, state, self._scratch))
        return _Decoded(max(count, -1 - count), int(state[MESSAGES] - self._state[MESSAGES]), state)
