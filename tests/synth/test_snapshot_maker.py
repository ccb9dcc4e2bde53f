"""A capture as full snapshots: the books of the reference, on the lines and at the stamps of what was recorded."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from iex_feeds import deep_messages, deep_plus_messages, sends, write
from mbp10_samples import read
from small_feeds import ITCH, Frame, frames, rewrite

from simbench.book.reference import ReferenceBooks
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.feed.definition import dump, split_group
from simbench.receive import pipeline
from simbench.receive.offline import Offline, Source, open_source
from simbench.receive.receiver import book_channels
from simbench.synth.mbp10 import PORT_OFFSET, write_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.book.reference_book import Book

DEPTH = 10


class Sent(NamedTuple):
    """A datagram of a new capture."""

    stamp: int
    group: tuple[str, int]
    packet: dict[str, Any]


def converted(source: Source, folder: Path) -> Path:
    """Convert into a folder; return the new capture, its feed.toml beside it."""
    folder.mkdir()
    done = write_snapshots(source, folder / "capture.pcap")
    (folder / "feed.toml").write_text(dump(done.feed), encoding="utf-8")
    assert done.beyond == 0
    return folder / "capture.pcap"


def datagrams(path: Path) -> list[Sent]:
    """Return every datagram of a capture of snapshots, read from the layout."""
    dissector, found = Dissector(), []
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        for row in block.frames:
            at = int(row["payload"])
            flow = dissector.flows[row["flow"]]
            number = int(flow["group_low"])
            group = ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0)), int(flow["port"])
            assert row["flags"] == 0
            found.append(Sent(int(row["stamp"]), group, read(block.data[at:].tobytes()[: row["payload_length"]])))
    return found


class Expected:
    """What the packets of a capture have to become, by the reference book and one comparison a book and packet."""

    def __init__(self, source: Source) -> None:
        self.books = ReferenceBooks(book_channels(source.feed))
        self.made: dict[int, list[tuple[int, int, Any]]] = defaultdict(list)  # channel: last sequence, key, levels
        self._sides: dict[tuple[int, int], Any] = {}
        self._packet: tuple[int, int] | None = None
        self._named: set[tuple[int, int]] = set()  # instruments to look at; those inside of an event wait
        self.run = Offline(source, on_events=self._look)
        self.run.receiver.state.words[pipeline.BATCH] = 1
        self.run.advance()
        self._settle()

    def _look(self, channel: int, events: Any) -> None:
        self._settle()
        words = self.run.receiver.state.words
        self._packet = channel, int(words[pipeline.PACKET] + words[pipeline.PACKET_UNITS]) - 1
        self.books.apply_all(channel, events)
        keys = {int(key) for key in events["instrument"]}
        if 0 in keys:  # only an order tells, or the channel is meant: every book may have changed
            self._named |= {place for place in self.books.books if place[0] == channel}
        self._named |= {(channel, key) for key in keys if key}

    def _settle(self) -> None:
        if self._packet is None:
            return
        channel, last = self._packet
        for place in [place for place in self._named if place[0] == channel]:
            book = self.books.books.get(place)
            if book is not None and book in self.books.touched[channel]:
                continue
            self._named.remove(place)
            if book is not None and book.state == "current":
                sides = [best(book, side) for side in (0, 1)]
                if sides != self._sides.get(place, [[], []]):
                    self._sides[place] = sides
                    self.made[channel].append((last, place[1], sides))


def best(book: Book, side: int) -> list[Any]:
    """Return the best levels of a side at 1e-9, None where unknown, down to the last known one."""
    levels: list[Any] = [
        None
        if level is None
        else (
            level.price * 10 ** (9 + book.price_exponent),
            level.total() * 10 ** (9 + book.quantity_exponent),
            level.orders(),
        )
        for level in book.rows(side)[:DEPTH]
    ]
    while levels and levels[-1] is None:
        levels.pop()
    return levels


def by_line(source: Source, sent: list[Sent]) -> dict[tuple[int, str], list[Sent]]:
    """Return the datagrams of each line of each channel."""
    found: dict[tuple[int, str], list[Sent]] = defaultdict(list)
    ports = {}
    for number, channel in enumerate(source.feed.channels):
        for line in channel.lines:
            host, port = split_group(line.group)
            ports[str(host), port + PORT_OFFSET] = number, line.name
    for one in sent:
        found[ports[one.group]].append(one)
    return found


def same(expected: list[tuple[int, int, Any]], packets: list[dict[str, Any]]) -> None:
    """Assert that packets are the expected ones, in the order of their sequence."""
    made = {packet["sequence"]: packet for packet in packets}
    assert sorted(made) == list(range(1, len(expected) + 1))
    assert all(made[packet["sequence"]] == packet for packet in packets)  # every line says the same
    found = [(made[number]["instrument"], [made[number]["bids"], made[number]["asks"]]) for number in sorted(made)]
    # Of one packet the order of the instruments is free.
    ends = [end for end, _, _ in expected]
    assert [(end, *one) for end, one in sorted(zip(ends, found, strict=True), key=str)] == sorted(expected, key=str)


@pytest.mark.parametrize("name", ["itch", "mdp3"])
def test_every_packet_becomes_the_books_it_changed(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """By the reference book: the same snapshots, no more and no less, on both lines."""
    source = open_source(request.getfixturevalue(name))
    expected = Expected(source).made[0]
    assert len(expected) > 500
    lines = by_line(source, datagrams(converted(source, tmp_path / "snapshots")))
    for line in "AB":
        same(expected, [one.packet for one in lines[0, line]])


@pytest.mark.slow
@pytest.mark.parametrize("capture", ["deribit-sbe/capture.pcapng", "iex-tops/capture.pcapng.gz"])
def test_recorded_packets_become_the_books_they_changed(capture: str, real_captures: Path, tmp_path: Path) -> None:
    """Deribit is silent on a book before its first snapshot, and its eight channels do not mix; IEX has one level."""
    source = open_source(real_captures / capture)
    expected = Expected(source).made
    lines = by_line(source, datagrams(converted(source, tmp_path / "snapshots")))
    assert sum(len(made) for made in expected.values()) > 1_000
    assert set(expected) == {number for number, _ in lines}
    for number, made in expected.items():
        same(made, [one.packet for one in lines[number, "A"]])


@pytest.mark.parametrize(("name", "make"), [("iex.deep", deep_messages), ("iex.deep_plus", deep_plus_messages)])
def test_lines_that_cut_their_packets_elsewhere_bring_the_same(name: str, make: Any, tmp_path: Path) -> None:
    """IEX cuts each line as it likes, and through the middle of events: a book is sent when its event is over."""
    messages = make(600)
    segments = [*sends(messages, 0, (5, 3, 7), name), *sends(messages, 1, (2, 9, 1, 4), name)]
    source = open_source(write(tmp_path / "recorded", segments, name))
    expected = Expected(source).made[0]
    assert len(expected) > 50
    lines = by_line(source, datagrams(converted(source, tmp_path / "snapshots")))
    for line in "AB":
        same(expected, [one.packet for one in lines[0, line]])


def test_recorded_books_end_as_they_end(cme: Path, tmp_path: Path) -> None:
    """The receiver's own books from the snapshots: the ten best levels of those from the increments, without a gap."""
    source = open_source(cme)
    ends = []
    for one in (source, open_source(converted(source, tmp_path / "snapshots"))):
        run = Offline(one)
        run.advance()
        result = run.result()
        assert not result["channels"][0]["gaps"]
        ends.append({book["key"]: [book["bids"][:DEPTH], book["asks"][:DEPTH]] for book in result["books"]})
        assert not any(result["anomalies"].values())
    recorded, snapshots = ends
    assert sum(book != [[], []] for book in snapshots.values()) > 60
    assert {key: book for key, book in recorded.items() if key in snapshots} == snapshots
    assert all(book == [[], []] for key, book in recorded.items() if key not in snapshots)


class TestLines:
    """What each line carries, and when."""

    @pytest.fixture
    def torn(self, itch: Path, tmp_path: Path) -> tuple[Source, list[Frame]]:
        """Return a capture whose line B lacks a frame in ten, and whose line A brings some late."""
        chance = random.Random(5)
        changed = []
        for frame in frames(itch, ITCH):
            if frame.port % 2 and chance.random() < 0.1:
                continue
            if frame.port % 2 == 0 and chance.random() < 0.05:
                frame.stamp += 40_000
            changed.append(frame)
        changed.sort(key=lambda frame: frame.stamp)
        text = (itch.parent / "feed.toml").read_text(encoding="utf-8")
        return open_source(rewrite(tmp_path / "torn", changed, text)), changed

    def test_each_line_carries_what_its_packets_made(self, torn: tuple[Source, list[Frame]], tmp_path: Path) -> None:
        """Frame by frame: at its stamp the snapshots of the packets it carried, lost where it was lost."""
        source, recorded = torn
        expected = Expected(source).made[0]
        lines = by_line(source, datagrams(converted(source, tmp_path / "snapshots")))
        ports = {split_group(line.group)[1]: line.name for line in source.feed.channels[0].lines}
        for name in "AB":
            due = [
                (frame.stamp, number)
                for frame in recorded
                if ports[frame.port] == name
                for number, (end, _, _) in enumerate(expected, 1)
                if frame.sequence <= end <= frame.last
            ]
            assert due == [(one.stamp, one.packet["sequence"]) for one in lines[0, name]]
        assert len(lines[0, "B"]) < len(lines[0, "A"]) == len(expected)

    def test_a_sequence_that_begins_anew_is_refused(self, itch: Path, tmp_path: Path) -> None:
        """One line, and no capture is left behind."""
        once = frames(itch, ITCH)
        again = frames(itch, ITCH)
        for frame in again:
            frame.stamp += 60_000_000_000
        text = (itch.parent / "feed.toml").read_text(encoding="utf-8")
        source = open_source(rewrite(tmp_path / "twice", [*once, *again], text))
        with pytest.raises(SimbenchError, match="channel itch: its sequence begins anew at"):
            write_snapshots(source, tmp_path / "out.pcap")
        assert not list(tmp_path.glob("*out*"))
