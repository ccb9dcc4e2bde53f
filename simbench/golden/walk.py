"""Engine and reference book side by side, event by event, to the first message after which they differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench import event
from simbench.book.layout import DRAINING
from simbench.book.reference_json import book_json
from simbench.golden.ladders import beside
from simbench.golden.packet import Packet
from simbench.golden.paranoid import Paranoid
from simbench.receive import pipeline
from simbench.receive.offline import Offline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simbench.golden.packet import Place
    from simbench.receive.offline import Source

KINDS: Final = {
    event.ADD: "add",
    event.EXECUTE: "execute",
    event.EXECUTE_AT: "execute at",
    event.REDUCE: "reduce",
    event.DELETE: "delete",
    event.REPLACE: "replace",
    event.MODIFY: "modify",
    event.LEVEL: "level",
    event.LEVEL_NEW: "level new",
    event.LEVEL_CHANGE: "level change",
    event.LEVEL_DELETE: "level delete",
    event.LEVEL_DELETE_THROUGH: "level delete through",
    event.LEVEL_DELETE_FROM: "level delete from",
    event.LEVEL_OVERLAY: "level overlay",
    event.CLEAR: "clear",
    event.RESET: "reset",
    event.SNAPSHOT: "snapshot",
    event.SNAPSHOT_PART: "snapshot part",
    event.LOST: "lost",
    event.DEFINE: "define",
    event.TRADE: "trade",
    event.STATUS: "status",
    event.STATISTIC: "statistic",
    event.VOLUME: "volume",
    event.NOTE: "note",
}
UNSIGNED: Final = (1 << 64) - 1
NO_LIMIT: Final = -1


@dataclass(frozen=True)
class Divergence:
    """The first message after which the engine's books are not those of the reference book.

    Attributes:
        channel: name of the channel.
        epoch: its number in the channel, from 0.
        sequence: of the message or its packet, in the protocol's unit.
        place: of the event in the channel; None where its packet cannot be told.
        kind: of the event.
        key: of the instrument, as JSON shows it.
        engine: its book in the shape of `book --json` with queues; None where there is none.
        reference: likewise.
    """

    channel: str
    epoch: int
    sequence: int
    place: Place | None
    kind: int
    key: str
    engine: Mapping[str, Any] | None
    reference: Mapping[str, Any] | None

    def line(self) -> str:
        """Name the message."""
        ordinal = f" message {self.place.ordinal}" if self.place else " a message"
        kind = KINDS.get(self.kind, f"kind {self.kind}")
        event = f"event {self.place.event} ({kind})" if self.place else f"event {kind}"
        named = f"{_named(self.place)}, " if self.place else ""
        return (
            f"engine and reference book differ after{ordinal} of {self.channel}: epoch {self.epoch}, "
            f"sequence {self.sequence}, {named}{event}, instrument {self.key}"
        )

    def lines(self) -> list[str]:
        """Name the message and print both ladders."""
        return [self.line(), *beside(self.engine, self.reference, ("engine", "reference"))]


@dataclass
class _Step:
    """An event that was let through, and what has to be compared when it is in the books."""

    sequence: int
    kind: int
    place: Place | None
    keys: set[int]
    versions: NDArray[np.int64]


class Walk:
    """An offline run beside the reference book.

    The reference book gets every event from the first one on, so that nothing is taken from the engine on trust.

    Args:
        source: the capture and its feed.
        channel: number of the channel whose events are looked at one by one.

    Attributes:
        found: where the books differ; None as long as they do not.
        messages: how often which type of message was stepped through, by "key (name)".
        first: ordinal and sequence of the first message that was stepped through; None before it.
        last: likewise of the last one.
    """

    def __init__(self, source: Source, channel: int) -> None:
        self.channel = channel
        self.paranoid = Paranoid(source)
        self.run = Offline(source, on_events=self._look)
        self.run.receiver.state.words[pipeline.BATCH] = 1  # events of one packet at a time, as Packet demands
        self.found: Divergence | None = None
        self.messages: Counter[str] = Counter()
        self.first: tuple[int, int] | None = None
        self.last: tuple[int, int] | None = None
        self._packet: Packet | None = None
        self._state = self.run.receiver.channel_state(channel).copy()
        self._stepping = False
        self._stepped = False
        self._limit = NO_LIMIT
        self._step: _Step | None = None

    def to(self, sequence: int | None) -> None:
        """Go to a sequence of the channel, or to the end, without a look at the books."""
        if sequence is not None:
            self.run.receiver.stop_after(self.channel, sequence)
        self.run.advance()

    def step_to(self, sequence: int | None) -> None:
        """Go on event by event to a sequence of the channel, or to the end, or to where the books differ."""
        if sequence is not None:
            self.run.receiver.stop_after(self.channel, sequence)
        self._limit = NO_LIMIT
        self._stepping = True
        on = True
        while on and self._stepping and self.found is None:
            self._stepped = False
            on = self.run.advance() and self._stepped  # a stop without a step is the one that was asked for
            self._judge()
        self._stepping = False

    def differs(self) -> bool:
        """Tell whether any book of the channel differs, with its queues."""
        return self.books() != {
            book["key"]: book for book in self.paranoid.reference.to_json(orders=True) if book["channel"] == self._name
        }

    def books(self) -> dict[str, Any]:
        """Return the channel's books by key, in the shape of `book --json` with queues."""
        books = self.run.receiver.state.books.to_json(orders=True)
        return {book["key"]: book for book in books if book["channel"] == self._name}

    @property
    def _name(self) -> str:
        return self.run.receiver.feed.channels[self.channel].name

    def _look(self, channel: int, events: NDArray[Any]) -> None:
        self._judge()
        words = self.run.receiver.state.words
        first = int(words[pipeline.FIRST])
        if channel == self.channel and first == 0:
            self._packet = Packet(self.run, channel, self._state)
            self._state = self._packet.after
            self._limit = int(words[pipeline.LAST]) if words[pipeline.STOPPING] else NO_LIMIT
        if channel == self.channel and self._stepping and self.found is None:
            self._stepped = True
            self._begin(events[0], first)
            events = events[:1]
            self.run.receiver.step()
            self._stepping = first + 1 != self._limit
        self.paranoid.apply(channel, events)

    def _begin(self, what: Any, index: int) -> None:
        """Note what is to be compared once an event is in the books: what it names and what the engine changes."""
        place = self._packet.place(index) if self._packet else None
        reference, books = self.paranoid.reference, self.run.receiver.state.books
        keys = {int(what["instrument"])} - {0}
        order = reference.where.get((self.channel, int(what["order"])))
        if order is not None:
            keys.add(order[0].key)
        if what["kind"] in {event.RESET, event.LOST}:
            keys |= {key for number, key in reference.books if number == self.channel}
        versions = books.instruments["version"].copy()
        if self._step is not None:  # not judged yet
            keys |= self._step.keys
            versions = self._step.versions
        self._step = _Step(int(what["sequence"]), int(what["kind"]), place, keys, versions)
        if place is not None and (self.last is None or place.ordinal != self.last[0]):
            self.messages[_named(place)] += 1
            self.last = place.ordinal, int(what["sequence"])
            self.first = self.first or self.last

    def _judge(self) -> None:
        """Compare what the event that was let through may have changed; what waited follows a snapshot first."""
        books, reference = self.run.receiver.state.books, self.paranoid.reference.books
        if books.memory[DRAINING] != 0:
            return
        step, self._step = self._step, None
        if step is None or self.found is not None:
            return
        now = books.instruments
        moved = np.flatnonzero(now["version"][: len(step.versions)] != step.versions).tolist()
        moved += range(len(step.versions), len(now))
        keys = {int(now["key"][row]) & UNSIGNED for row in moved if now["channel"][row] == self.channel}
        for key in sorted(step.keys | keys):
            index = books.find(self.channel, key)
            ours = books.book(index, orders=True) if index >= 0 else None
            theirs = book_json(reference[self.channel, key], orders=True) if (self.channel, key) in reference else None
            if ours != theirs:
                self.found = Divergence(
                    channel=self._name,
                    epoch=len(self.run.receiver.state.sequencer.epochs(self.channel)) - 1,
                    sequence=step.sequence,
                    place=step.place,
                    kind=step.kind,
                    key=(ours or theirs or {})["key"],
                    engine=ours,
                    reference=theirs,
                )
                return


def against_reference(source: Source, stops: Sequence[tuple[int, int]]) -> list[str]:
    """Rebuild a capture beside the reference book; return where the books differ, the first message before all.

    Args:
        source: the capture and its feed.
        stops: (channel, sequence) in the order in which they are passed within each channel: where all books are
            compared on the way to that message, so that only what lies between two of them is gone through slowly.
    """
    paranoid = Paranoid(source)
    run = Offline(source, on_events=paranoid.apply)
    run.advance()
    differences = paranoid.differences(run.receiver)
    if not differences:
        return []
    for number in range(len(source.feed.channels)):
        found = _first(source, number, [sequence for channel, sequence in stops if channel == number])
        if found is not None:
            return found.lines()
    return differences


def _first(source: Source, channel: int, stops: Sequence[int]) -> Divergence | None:
    quick, before = Walk(source, channel), None
    for stop in (*stops, None):
        quick.to(stop)
        if quick.differs():
            walk = Walk(source, channel)
            if before is not None:
                walk.to(before)
            walk.step_to(stop)
            return walk.found
        before = stop
    return None


def _named(place: Place) -> str:
    return f"{place.message.key} ({place.message.name})" if place.message else "a message of no known type"
