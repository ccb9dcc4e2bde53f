"""A recorded feed as full snapshots: the same market, lines and times, in packets of simbench.mbp10.

Of every packet that arbitration delivers comes one datagram for each instrument whose ten best levels a side it has
changed, when the book is current and the exchange event is over; an event that goes on in the next packet counts where
it ends. Several events of one packet are one datagram for an instrument. Each line carries the datagrams of the packets
that it carried, at the stamps at which it carried them: what line B lost or brought late, it loses or brings late here.
What comes of a flow beside the lines (a snapshot that makes a book known) goes out on every line at its stamp.

Two passes over the capture: the books make the datagrams, which wait in files on the disk of the output; then the
frames of the lines say when each goes out.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.capture.dissect import Dissector
from simbench.capture.frames import craft_udp, route
from simbench.capture.writer import PcapWriter
from simbench.errors import SimbenchError
from simbench.feed.definition import Channel, Feed, Line, join_group, split_group
from simbench.feed.layout import NIL, OUT_STREAM, S_KEY
from simbench.feed.streams import stream_base
from simbench.protocol.contract import HEADER
from simbench.protocol.mbp10_layout import DEPTH, SIZE
from simbench.receive import pipeline
from simbench.receive.offline import Offline
from simbench.receive.receiver import FLOWS
from simbench.synth import mbp10_spans as s
from simbench.synth import mbp10_tops as t
from simbench.synth.mbp10_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from numpy.typing import NDArray

    from simbench.receive.offline import Source
    from simbench.receive.receiver import Receiver

    Words = NDArray[np.int64]
    Key = tuple[int, int]  # channel and stream; BESIDE for what its snapshot flows bring

PORT_OFFSET: Final = 1_000  # from a recorded line's port to that of its snapshots
SOURCE: Final = "10.255.0.1:30001"  # that they are sent from
NUMBERS, SYMBOLS = "simbench.mbp10", "simbench.mbp10.symbols"
ROOM: Final = 1 << 14  # spans at a time, and instruments at first


@dataclass(frozen=True)
class Converted:
    """What came of a capture.

    Attributes:
        packets: of the recorded feed that were delivered.
        datagrams: made, each for one instrument.
        frames: written, of all lines.
        beyond: changes of a book that no packet can hold at its scale; left out.
        first_ns: stamp of the first frame, ns since 1970; 0 without any.
        last_ns: stamp of the last.
        feed: of the new capture.
    """

    packets: int
    datagrams: int
    frames: int
    beyond: int
    first_ns: int
    last_ns: int
    feed: Feed


def write_snapshots(source: Source, output: str | PathLike[str]) -> Converted:
    """Write a capture whose feed says in full snapshots what that of a source says.

    Args:
        source: the capture and its feed.
        output: the capture to write.

    Raises:
        SimbenchError: sequences of a channel begin anew, or wrap; a group is IPv6; nothing can be written there.
    """
    path = Path(output)
    feed = snapshot_feed(source)
    if not path.absolute().parent.is_dir():
        raise SimbenchError(f"cannot write {path}: there is no such folder")
    with contextlib.ExitStack() as opened:
        making = _Making(source, path.absolute().parent, opened)
        making.run()
        writer = opened.enter_context(PcapWriter(path))
        first_ns = last_ns = frames = 0
        for stamps, crafted in _frames(source, making.receiver, making.stores, feed):
            writer.write(stamps, *crafted)
            first_ns = first_ns or int(stamps[0])
            last_ns = int(stamps[-1])
            frames += len(stamps)
    return Converted(
        packets=making.receiver.counter(pipeline.DELIVERED),
        datagrams=int(making.words[:, t.SEQUENCE].sum()),
        frames=frames,
        beyond=int(making.words[:, t.BEYOND].sum()),
        first_ns=first_ns,
        last_ns=last_ns,
        feed=feed,
    )


def snapshot_feed(source: Source) -> Feed:
    """Return the feed of the snapshots: the channels and lines of a source's, each line at a port of its own."""
    from simbench.protocol.registry import load

    taken = set()
    channels = []
    for channel in source.feed.channels:
        protocol = load(channel.protocol, channel.schema)
        if protocol.sequence_wrap:
            raise SimbenchError(f"channel {channel.name}: sequences of {protocol.name} wrap, which cannot be converted")
        lines = []
        for line in channel.lines:
            host, port = split_group(line.group)
            if host.version != 4:
                raise SimbenchError(f"channel {channel.name}: line {line.name} is IPv6, which cannot be converted")
            port = (port + PORT_OFFSET - 1) % 65_535 + 1
            while (host, port) in taken:
                port = port % 65_535 + 1
            taken.add((host, port))
            lines.append(Line(name=line.name, group=join_group(host, port)))
        spoken = SYMBOLS if protocol.text_key else NUMBERS
        channels.append(Channel(venue=channel.venue, name=channel.name, protocol=spoken, lines=tuple(lines)))
    return Feed(channels=tuple(channels))


class _Making:
    """The first pass: an offline run that is looked at before every packet's events, when those before are applied."""

    def __init__(self, source: Source, folder: Path, opened: contextlib.ExitStack) -> None:
        self.stores: dict[Key, Store] = {}
        self._folder = folder
        self._opened = opened
        self._run = Offline(source, on_events=self._look)
        self.receiver.state.words[pipeline.BATCH] = 1  # events of one packet at a time
        count = len(source.feed.channels)
        self.words = np.zeros((count, t.WORDS), np.int64)
        self.words[:, t.SYMBOLS] = [self.receiver.protocol(number).text_key for number in range(count)]
        self._rows = [np.zeros(ROOM, np.int64) for _ in range(count)]
        self._listed = np.zeros(ROOM, np.uint8)
        self._last = np.zeros(ROOM * t.KEPT, np.uint8)
        self._levels = np.zeros((1, DEPTH, 4), np.int64)
        self._out = np.zeros(64 * SIZE, np.uint8)
        self._known = 0
        self._waiting: tuple[int, Key, int, int, int] | None = None  # channel, key, last sequence, sent, time

    @property
    def receiver(self) -> Receiver:
        """Return whose books they are."""
        return self._run.receiver

    def run(self) -> None:
        """Go through the capture; the stores are ready then."""
        self._run.advance()
        self._settle()
        for store in self.stores.values():
            store.finish()

    def _look(self, channel: int, events: NDArray[Any]) -> None:
        self._settle()
        words, memory = self.receiver.state.words, self.receiver.state.books.memory
        t.list_changes(memory, channel, events, self.words[channel], self._listed, self._rows[channel], self._known)
        times = events["time"][events["time"] != 0]
        key, end = self._place(channel)
        sent = int(words[pipeline.PACKET_SENT])
        self._waiting = channel, key, end, sent, int(times[-1]) if len(times) else 0

    def _place(self, channel: int) -> tuple[Key, int]:
        """Return the stream of the packet at hand, and its last sequence."""
        words, sequencer = self.receiver.state.words, self.receiver.state.sequencer.memory
        if words[pipeline.TAKEN] and words[pipeline.DRAINED] == NIL:
            frame = self._run.frames[words[pipeline.INDEX]]
            if self.receiver.routes[frame["flow"]] & 0xFF == pipeline.ROLE_SNAPSHOT:
                return (channel, s.BESIDE), int(frame["ordinal"])
        stream = int(sequencer[stream_base(sequencer, int(sequencer[OUT_STREAM])) + S_KEY])
        return (channel, stream), int(words[pipeline.PACKET] + words[pipeline.PACKET_UNITS]) - 1

    def _settle(self) -> None:
        """Make the datagrams of the packet whose events are in the books now."""
        if self._waiting is None:
            return
        channel, key, end, sent, time = self._waiting
        self._waiting = None
        books, words = self.receiver.state.books, self.words[channel]
        known = len(books.instruments)
        self._grow(known)
        rows = self._rows[channel]
        t.list_new(books.memory, channel, words, self._listed, rows, self._known)
        self._known = known
        room = int(words[t.LISTED]) * SIZE
        if room > len(self._out):
            self._out = np.zeros(2 * room, np.uint8)
        made = t.write_changed(books.memory, words, self._listed, rows, self._last, sent, time, self._levels, self._out)
        if made:
            self._store(key, end).add(end, self._out[: made * SIZE])

    def _store(self, key: Key, end: int) -> Store:
        store = self.stores.get(key)
        if store is None:
            store = self.stores[key] = self._opened.enter_context(Store(self._folder))
        elif end < store.last:
            name = self.receiver.feed.channels[key[0]].name
            raise SimbenchError(
                f"channel {name}: its sequence begins anew at {end}; cut the capture there and convert the parts"
            )
        return store

    def _grow(self, instruments: int) -> None:
        while instruments > len(self._listed):
            self._listed = np.concatenate([self._listed, np.zeros_like(self._listed)])
            self._last = np.concatenate([self._last, np.zeros_like(self._last)])
            self._rows = [np.concatenate([rows, np.zeros_like(rows)]) for rows in self._rows]


def _frames(
    source: Source, receiver: Receiver, stores: dict[Key, Store], feed: Feed
) -> Iterator[tuple[Words, tuple[NDArray[np.uint8], Words, Words]]]:
    """The second pass: yield the stamps and the frames of every block, in the order of the recorded frames."""
    first_line = np.cumsum([0, *(len(channel.lines) for channel in feed.channels)])
    routes = [route(SOURCE, line.group) for channel in feed.channels for line in channel.lines]
    identification = 0
    for block, spans in _spans(source, receiver):
        found = [
            _chosen(spans[(spans[:, s.CHANNEL] == key[0]) & (spans[:, s.STREAM] == key[1])], store, first_line)
            for key, store in stores.items()
        ]
        index = np.concatenate([one for one, _, _ in found]) if found else np.zeros(0, np.int64)
        if not len(index):
            continue
        lines = np.concatenate([one for _, one, _ in found])
        packets = np.concatenate([one for _, _, one in found])
        order = np.argsort(index, kind="stable")
        sizes = np.full(len(index), SIZE, np.int64)
        crafted = craft_udp(packets.reshape(-1), order * SIZE, sizes, routes, lines[order], identification)
        identification += len(index)
        yield np.ascontiguousarray(block["stamp"][index[order]]), crafted


def _chosen(spans: NDArray[np.int64], store: Store, first_line: Words) -> tuple[Words, Words, NDArray[np.uint8]]:
    """Return, for every datagram that some spans of a stream bring, its frame, its line, and the datagram itself."""
    if len(spans) and spans[0, s.LINE] == s.BESIDE:  # on every line of the channel
        channel = int(spans[0, s.CHANNEL])
        count = int(first_line[channel + 1] - first_line[channel])
        spans = spans.repeat(count, axis=0)
        spans[:, s.LINE] = np.tile(np.arange(count), len(spans) // count)
    low, high = store.within(spans[:, s.FIRST], spans[:, s.LAST])
    counts = np.maximum(high - low, 0)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    lines = first_line[spans[:, s.CHANNEL]] + spans[:, s.LINE]
    return spans[:, s.FRAME].repeat(counts), lines.repeat(counts), store.packets[low.repeat(counts) + within]


def _spans(source: Source, receiver: Receiver) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """Yield, of every block, the frames and what the frames of the lines carry."""
    dissector = Dissector(checksums="verify" if source.verify else "ignore", capacity=FLOWS)
    routes = np.full(FLOWS, pipeline.NOT_FEED, np.int64)
    out = np.zeros((ROOM, s.COLUMNS), np.int64)
    words = np.zeros(s.WORDS, np.int64)
    header = np.zeros(1, HEADER)
    known = 0
    for block in source.capture.blocks():
        flows = dissector.dissect(block)
        for row in range(known, flows):
            routes[row] = receiver.router.route(dissector.flows[row])
        known = flows
        words[:] = 0
        found = []
        while words[s.INDEX] < len(block.frames):
            count = s.read_spans(
                block.data, block.frames, routes, receiver.channels, receiver.framers, receiver.state.protocols,
                header, int(source.verify), words, out,
            )  # fmt: skip
            found.append(out[:count].copy())
        yield block.frames, np.concatenate(found) if found else out[:0]
