"""The receiver's state and its kernels for one feed: what `book`, `verify` and the receiver process all drive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.book.books import Books
from simbench.book.contract import APPLY_SIGNATURE
from simbench.book.engine import apply
from simbench.book.layout import AWAITED, AWAITED_BY_PACKET, REFRESHES, REQUIRED, RESTORED, UNUSED, BookChannel
from simbench.book.touched import note_filled
from simbench.errors import SimbenchError
from simbench.event import EVENT
from simbench.feed.sequencer import NIL, Sequencer
from simbench.frame import FRAME, PAYLOAD_ONLY
from simbench.kernel.pointer import pointer
from simbench.protocol.contract import (
    DECODE_SIGNATURE,
    EVENT_BUFFER,
    FRAME_SIGNATURE,
    HEADER,
    INEXACT,
    MALFORMED,
    MESSAGES,
    UNKNOWN,
    Options,
    Protocol,
    new_state,
)
from simbench.protocol.registry import load
from simbench.receive import pipeline
from simbench.receive.flows import COUNTERS, FLOW_WORDS, begin_anew
from simbench.receive.routes import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simbench.feed.definition import Channel, Feed
    from simbench.feed.sequencer import Request, Settings

SNAPSHOT_POLICIES = {"snapshot": AWAITED, "natural": REFRESHES}  # of feed.toml's `recover`, and what books do then
OFFLINE_BATCH = 128  # events gathered before they are applied: enough for prefetching to hide the memory behind them
FLOWS = 1 << 16  # rows of a dissector's flow table


@dataclass
class State:
    """All that a receiver remembers, as plain arrays with index links only: a copy of them is a checkpoint.

    Attributes:
        books: the books' block.
        sequencer: the sequencer's block and its held payloads.
        protocols: int64[n], the channels' protocol states one behind the other.
        words: int64[n], where the pipeline stands and what it counts.
    """

    books: Books
    sequencer: Sequencer
    protocols: NDArray[np.int64]
    words: NDArray[np.int64]

    def copy(self) -> State:
        """Return a checkpoint."""
        return State(self.books.copy(), self.sequencer.copy(), self.protocols.copy(), self.words.copy())


@dataclass(frozen=True)
class Restored:
    """A book that a snapshot made right again.

    Attributes:
        channel: its number.
        key: of the instrument.
        after: sequence of the channel up to which the book had been right.
        until: that the snapshot was taken at.
        at_ns: replay time at which it was right again.
    """

    channel: int
    key: int
    after: int
    until: int
    at_ns: int


class Receiver:
    """Everything from dissected frames to books, for the channels of a feed.

    Args:
        feed: the channels and their lines.
        first_ns: stamp of the first frame, ns since 1970; tells protocols the date.
        batch: events gathered before they are applied.
        verify: whether a wrong checksum is loss.
        only_line: the one line of every channel that is listened to; all where None.
        on_events: called with (channel, EVENT records) before these are applied; slow, for checking.
        orders: live orders to make room for at once.
        settings: of the arbitration. Where holes are asked for, only channels with a retransmission server ask,
            and not those whose feed says that nothing is recovered.

    Attributes:
        on_request: called with what to ask for, and may call take_answers() at once; None: nobody is asked.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        first_ns: int = 0,
        batch: int = OFFLINE_BATCH,
        verify: bool = True,
        only_line: str | None = None,
        on_events: Callable[[int, NDArray[Any]], None] | None = None,
        orders: int = 1 << 16,
        settings: Settings | None = None,
    ) -> None:
        self.feed = feed
        self.protocols: list[Protocol] = []
        self._kinds = [self._kind(channel) for channel in feed.channels]
        states = [
            new_state(self.protocol(number), _options(channel, first_ns))
            for number, channel in enumerate(feed.channels)
        ]
        ends = np.cumsum([len(state) for state in states])
        flows = np.cumsum([0, *(len(channel.feeds) for channel in feed.channels)])
        rows = pipeline.PIPELINE + flows[:-1] * FLOW_WORDS
        kept = book_channels(feed)
        told = [
            pipeline.PIPELINE + (int(flows[-1]) + number) * FLOW_WORDS if one.snapshots == AWAITED_BY_PACKET else 0
            for number, one in enumerate(kept)
        ]
        self.channels = np.array(
            [
                (kind, end - len(state), end, row, own)
                for kind, end, state, row, own in zip(self._kinds, ends, states, rows, told, strict=True)
            ],
            np.int64,
        ).reshape(-1, 5)
        self.state = State(
            books=Books.create(kept, orders=orders),
            sequencer=Sequencer.create(
                [len(channel.lines) for channel in feed.channels],
                settings,
                [channel.recover in {None, "retransmit"} and channel.server is not None for channel in feed.channels],
                [self.protocol(number).sequence_wrap for number in range(len(feed.channels))],
            ),
            protocols=np.concatenate(states),
            words=pipeline.new_words(batch=batch, verify=verify, flows=int(flows[-1]) + len(kept)),
        )
        self.restored: list[Restored] = []
        decoded = [channel.snapshots in {REQUIRED, AWAITED, AWAITED_BY_PACKET} for channel in kept]
        self.router = Router(feed, only_line=only_line, snapshots=decoded)
        answers = [pipeline.retransmission_route(number) for number in range(len(feed.channels))]
        self.routes = np.append(np.full(FLOWS, pipeline.UNROUTED, np.int64), answers)
        self.header = np.zeros(1, HEADER)
        self.events = np.zeros(2 * EVENT_BUFFER, EVENT)
        self._on_events = on_events
        self.on_request: Callable[[Request], None] | None = None
        if on_events is not None:
            self.state.words[pipeline.PARANOID] = pipeline.LOOK_FIRST
        padding = [self.protocols[0]] * (pipeline.PROTOCOLS - len(self.protocols))
        spoken = (*self.protocols, *padding)
        self.framers = tuple(pointer(protocol.frame, FRAME_SIGNATURE) for protocol in spoken)
        self.decoders = tuple(pointer(protocol.decode, DECODE_SIGNATURE) for protocol in spoken)
        self.apply = pointer(apply, APPLY_SIGNATURE)

    def _kind(self, channel: Channel) -> int:
        protocol = load(channel.protocol, channel.schema)
        if protocol not in self.protocols:
            if len(self.protocols) == pipeline.PROTOCOLS:
                raise SimbenchError(f"one run takes at most {pipeline.PROTOCOLS} different protocols")
            self.protocols.append(protocol)
        return self.protocols.index(protocol)

    def protocol(self, channel: int) -> Protocol:
        """Return the protocol of a channel by its number."""
        return self.protocols[self._kinds[channel]]

    def take(self, data: NDArray[np.uint8], frames: NDArray[Any], flows: NDArray[Any]) -> int:
        """Take a batch of dissected frames to the books.

        Args:
            data: the batch's bytes.
            frames: FRAME[n].
            flows: FLOW[m], the dissector's table.

        Returns:
            pipeline.DONE when all frames were taken, pipeline.STOPPED at a stop that was asked for; call again with
            the same batch to go on.
        """
        while True:
            status = self._advance(data, frames)
            if status == pipeline.DONE:
                self.state.words[pipeline.INDEX] = 0
                return status
            if status == pipeline.STOPPED:
                return status
            self.serve(status, frames, flows)

    def serve(self, status: int, frames: NDArray[Any], flows: NDArray[Any]) -> None:
        """Give a pipeline that stopped what it asked for: a route, a larger block, a look, a request."""
        words = self.state.words
        if status == pipeline.NEW_FLOW:
            row = int(frames[words[pipeline.INDEX]]["flow"])
            self.routes[row] = self.router.route(flows[row])
        elif status == pipeline.GROW_BOOK:
            self.state.books.grow()
        elif status == pipeline.GROW_SEQUENCER:
            self.state.sequencer.grow()
        elif status == pipeline.LOOK and self._on_events is not None:
            first, last = int(words[pipeline.FIRST]), int(words[pipeline.LAST])
            self._on_events(int(words[pipeline.CHANNEL]), self.events[first:last])
        elif status == pipeline.FILLS:
            place = (int(words[slot]) for slot in (pipeline.FILLING_FROM, pipeline.FILLING_TO, pipeline.FILLING))
            note_filled(self.state.books.memory, int(words[pipeline.CHANNEL]), self.events, *place)
            words[pipeline.FILLING] = NIL
        elif status == pipeline.RESTORED and (index := int(self.state.books.memory[RESTORED])) >= 0:
            instrument = self.state.books.instruments[index]
            self.restored.append(
                Restored(
                    channel=int(instrument["channel"]),
                    key=int(instrument["key"]),
                    after=int(instrument["from"]),
                    until=int(instrument["placed"]),
                    at_ns=int(words[pipeline.NOW]),
                )
            )
        elif status == pipeline.REQUEST and self.on_request is not None:
            self.on_request(self.state.sequencer.request())

    def take_answers(self, channel: int, payloads: Sequence[bytes]) -> None:
        """Take datagrams that a channel's retransmission server sent, while no frame of another batch is at work.

        Args:
            channel: its number.
            payloads: of the datagrams, in the order in which they came.
        """
        words = self.state.words
        frames = np.zeros(len(payloads), FRAME)
        frames["payload_length"] = [len(payload) for payload in payloads]
        frames["payload"] = np.cumsum(frames["payload_length"]) - frames["payload_length"]
        frames["ordinal"] = -1
        frames["flow"] = FLOWS + channel
        frames["flags"] = PAYLOAD_ONLY
        data = np.frombuffer(bytearray(b"".join(payloads)) or bytearray(1), np.uint8)
        index, words[pipeline.INDEX] = int(words[pipeline.INDEX]), 0
        while self.take(data, frames, frames) == pipeline.STOPPED:
            pass
        words[pipeline.INDEX] = index

    def _advance(self, data: NDArray[np.uint8], frames: NDArray[Any]) -> int:
        state = self.state
        return int(
            pipeline.advance(
                data,
                frames,
                len(frames),
                state.words,
                self.routes,
                self.channels,
                self.framers,
                self.decoders,
                state.protocols,
                state.sequencer.memory,
                state.sequencer.slab,
                state.books.memory,
                self.header,
                self.events,
                self.apply,
            )
        )

    def finish(self) -> int:
        """End the data: open holes become records, held packets are released.

        Returns:
            pipeline.DONE, or pipeline.STOPPED at a stop that was asked for; call again to go on.
        """
        words, sequencer = self.state.words, self.state.sequencer
        words[pipeline.UNTIL] = pipeline.NEVER
        nobody, nothing = np.zeros(0, FRAME), np.zeros(1, np.uint8)
        while True:
            ready = sequencer.finish(int(words[pipeline.NOW]))
            words[pipeline.DRAINED] = sequencer.due_stream()
            if self.take(nothing, nobody, nobody) == pipeline.STOPPED:
                return pipeline.STOPPED
            if ready == 0:
                return pipeline.DONE

    def begin_epoch(self, now: int) -> None:
        """Begin anew, as after a loop or a jump of the replayer: sequences and books start from nothing."""
        self.state.words[pipeline.NOW] = now
        begin_anew(self.state.words, pipeline.PIPELINE)
        for number in range(len(self.feed.channels)):
            self.state.sequencer.new_epoch(number, now)
            self.state.books.reset(number, now)

    def stop_after(self, channel: int, sequence: int) -> None:
        """Ask for a stop after a sequence of a channel, as it is on the wire."""
        self.state.words[pipeline.STOP_CHANNEL] = channel
        self.state.words[pipeline.STOP_SEQUENCE] = sequence
        self.state.words[pipeline.STOP_WRAP] = self.protocol(channel).sequence_wrap

    def step(self) -> None:
        """Let one of the events that wait go to the books, and stop behind it; for on_events, when it is shown them."""
        words = self.state.words
        words[pipeline.LAST] = words[pipeline.FIRST] + 1
        words[pipeline.STOPPING] = 1

    def counter(self, slot: int) -> int:
        """Return one of the pipeline's counters."""
        return int(self.state.words[slot])

    def flow_counts(self, channel: int) -> list[dict[str, int]]:
        """Return what was counted of each flow beside the lines of a channel."""
        first = int(self.channels[channel, 3])
        rows = (first + i * FLOW_WORDS for i in range(len(self.feed.channels[channel].feeds)))
        return [{name: self.counter(row + slot) for name, slot in COUNTERS.items()} for row in rows]

    def channel_state(self, channel: int) -> NDArray[np.int64]:
        """Return the protocol state of a channel."""
        _, first, last, _, _ = self.channels[channel]
        return self.state.protocols[first:last]

    def messages(self) -> dict[str, Any]:
        """Return the message counters after arbitration, in the shape of `book --json`."""
        by_type: dict[str, int] = {}
        totals = {"total": 0, "unknown": 0, "malformed": 0, "inexact": 0}
        slots = {"total": MESSAGES, "unknown": UNKNOWN, "malformed": MALFORMED, "inexact": INEXACT}
        for number in range(len(self.feed.channels)):
            state = self.channel_state(number)
            for name, slot in slots.items():
                totals[name] += int(state[slot])
            for message in self.protocol(number).messages:
                if state[message.counter]:
                    by_type[message.key] = by_type.get(message.key, 0) + int(state[message.counter])
        return {
            "total": totals["total"],
            "by_type": dict(sorted(by_type.items())),
            "unknown": totals["unknown"],
            "malformed": totals["malformed"],
            "inexact": totals["inexact"],
            "bad_headers": self.counter(pipeline.BAD_HEADERS),
        }


def book_channels(feed: Feed) -> list[BookChannel]:
    """Return what the books of each channel are like, as its protocol says."""
    found = []
    for channel in feed.channels:
        protocol = load(channel.protocol, channel.schema)
        found.append(
            BookChannel(
                name=channel.name,
                price_exponent=protocol.price_exponent,
                quantity_exponent=protocol.quantity_exponent,
                text_key=protocol.text_key,
                kind=protocol.book,
                depth=protocol.depth,
                implied_depth=protocol.implied_depth,
                snapshots=_snapshots(channel, protocol),
            )
        )
    return found


def _snapshots(channel: Channel, protocol: Protocol) -> int:
    if protocol.snapshots:
        return REQUIRED
    if channel.recover in SNAPSHOT_POLICIES and channel.recover not in protocol.recovery:
        raise SimbenchError(
            f"channel {channel.name}: {protocol.name} cannot recover by {channel.recover}; it can by "
            f"{', '.join(protocol.recovery) or 'nothing'}"
        )
    policy = SNAPSHOT_POLICIES.get(channel.recover or "", UNUSED)
    return AWAITED_BY_PACKET if policy == AWAITED and protocol.book == "order" else policy


def _options(channel: Channel, first_ns: int) -> Options:
    return Options(
        schema=channel.schema,
        timezone=channel.timezone,
        session_start=channel.session_start,
        first_ns=first_ns,
    )
