"""simbench.mbp10: every packet to its events and its book, and whatever is wrong to a count."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mbp10_samples import FORMATS, NOON, expected, read, some_packet, write

from simbench.book.books import Books
from simbench.book.layout import BookChannel
from simbench.event import EVENT
from simbench.protocol.contract import (
    BAD_HEADER,
    COUNTS,
    ERROR,
    EVENT_BUFFER,
    HEADER,
    MESSAGES,
    SEQUENCE,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    Options,
    new_state,
)
from simbench.protocol.mbp10 import BAD_LEVELS, PROTOCOL, PROTOCOL_SYMBOLS
from simbench.protocol.mbp10_layout import (
    ASKS,
    BIDS,
    BODY_SIZE,
    DEPTH,
    HEADER_SIZE,
    LEVEL,
    LEVEL_SIZE,
    PACKET,
    SIZE,
)
from simbench.protocol.registry import load

SPEAK = {0: PROTOCOL, 1: PROTOCOL_SYMBOLS}
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
LEVELS = st.lists(st.none() | st.tuples(INT64, INT64, st.integers(-(1 << 31), (1 << 31) - 1)), max_size=DEPTH)


class Decoder:
    """The protocol's two functions on a state of their own."""

    def __init__(self, symbols: int = 0, room: int = EVENT_BUFFER) -> None:
        self.protocol = SPEAK[symbols]
        self.state = new_state(self.protocol, Options())
        self.header = np.zeros(1, HEADER)
        self.events = np.full(room, 0xAA, np.uint8).repeat(EVENT.itemsize).view(EVENT)  # whatever was there before

    def frame(self, datagram: bytes, start: int = 0) -> int:
        """Frame the packet that starts there; return the status."""
        self.data = np.frombuffer(datagram, np.uint8).copy()
        return int(self.protocol.frame(self.data, start, len(self.data), self.state, self.header))

    def decode(self, datagram: bytes, skip: int = 0) -> tuple[int, list[dict[str, int]]]:
        """Frame and decode a datagram; return decode's result and the events."""
        assert self.frame(datagram) == 0
        self.state[SEQUENCE], self.state[UNITS] = self.header[0]["first"], self.header[0]["units"]
        start, end = int(self.header[0]["start"]), int(self.header[0]["end"])
        result = int(self.protocol.decode(self.data, start, end, skip, self.state, self.events))
        return result, as_dicts(self.events[: result if result >= 0 else -1 - result])


def as_dicts(events: np.ndarray[Any, Any]) -> list[dict[str, int]]:
    """Return events field by field."""
    return [{name: int(one[name]) for name in EVENT.names or ()} for one in events]


class TestLayout:
    """The table that everything else comes from."""

    def test_fields_fill_a_packet_without_holes(self) -> None:
        """Each field starts where the one before it ends, and 20 levels follow."""
        sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i32": 4, "i64": 8, "text4": 4}
        assert set(sizes) == set(FORMATS)
        at = 0
        for _name, offset, kind in PACKET:
            assert at == offset
            at += sizes[kind]
        assert SIZE == at + 2 * DEPTH * LEVEL_SIZE == HEADER_SIZE + BODY_SIZE == 448
        assert sum(sizes[kind] for _name, _offset, kind in LEVEL) == LEVEL_SIZE

    def test_both_names_are_installed(self) -> None:
        """A feed.toml can name them."""
        assert (load("simbench.mbp10"), load("simbench.mbp10.symbols")) == (PROTOCOL, PROTOCOL_SYMBOLS)


class TestDecode:
    """Packets to events."""

    @given(bids=LEVELS, asks=LEVELS, symbols=st.sampled_from([0, 1]), sequence=st.integers(0, (1 << 63) - 1))
    def test_a_packet_becomes_its_events(self, bids: list[Any], asks: list[Any], symbols: int, sequence: int) -> None:
        """One SNAPSHOT and an overlay for every level that is known, whatever the fields hold."""
        packet = write(bids, asks, symbols=symbols, sequence=sequence)
        result, events = Decoder(symbols).decode(packet)
        assert expected(packet) == events
        assert result == len(events)

    def test_packets_are_counted(self) -> None:
        """Each is one message."""
        decoder = Decoder()
        for sequence in range(1, 4):
            decoder.decode(write(sequence=sequence))
        assert (decoder.state[MESSAGES], decoder.state[COUNTS]) == (3, 3)

    def test_what_was_delivered_is_skipped(self) -> None:
        """A packet is one unit: there is no rest of it."""
        assert Decoder().decode(write([(1, 2, 3)]), skip=1) == (0, [])

    def test_the_header_says_what_arbitration_needs(self) -> None:
        """One unit at its sequence, sent when it says."""
        decoder = Decoder()
        assert decoder.frame(write(sequence=41, sent=NOON)) == 0
        header = {name: int(decoder.header[0][name]) for name in HEADER.names or ()}
        assert header == {
            "stream": 0, "session": 0, "first": 41, "units": 1, "flags": 0, "sent": NOON, "start": HEADER_SIZE,
            "end": SIZE,
        }  # fmt: skip

    def test_packets_may_share_a_datagram(self) -> None:
        """The second starts where the first ends."""
        decoder = Decoder()
        both = write(sequence=1) + write(sequence=2)
        assert [decoder.frame(both), int(decoder.header[0]["end"])] == [0, SIZE]
        assert [decoder.frame(both, SIZE), int(decoder.header[0]["first"])] == [0, 2]

    def test_books_are_what_the_packet_says(self) -> None:
        """Whatever was in the book before is gone; unknown levels between known ones stay unknown."""
        books = Books.create([BookChannel("x", -9, -9, kind="level", depth=DEPTH, implied_depth=1)])
        decoder = Decoder()
        for bids, asks in (
            ([(30, 3, 1), (20, 2, 1), (10, 1, 1)], [(40, 4, -1)]),
            ([(25, 5, 2)], [None, (50, 1, 1)]),
            ([], []),
        ):
            count, _events = decoder.decode(write(bids, asks))
            books.apply(0, decoder.events[:count])
            books.check()
            index = books.find(0, 7)
            sides = [books.levels(index, side).tolist() for side in (0, 1)]
            assert [bids, asks] == [[level[:3] if level[3] else None for level in side] for side in sides]
        assert not any(books.anomalies().values())


class TestDamage:
    """What is wrong is said."""

    def test_cut_anywhere_it_gives_no_event(self) -> None:
        """Without a whole header it is no packet; with one, its sequence is known and its body malformed."""
        whole = some_packet(random.Random(3), 5)
        for length in range(SIZE):
            decoder = Decoder()
            if length < HEADER_SIZE:
                assert decoder.frame(whole[:length]) == TRUNCATED
                continue
            assert decoder.decode(whole[:length]) == (-1, [])
            assert (decoder.state[ERROR], decoder.state[UNITS], decoder.state[MESSAGES]) == (TRUNCATED, 0, 0)

    @pytest.mark.parametrize(
        "wrong",
        [{"magic": b"MB11"}, {"version": 2}, {"symbols": 1}, {"depth": 5}, {"sequence": -1}],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_a_foreign_header_is_none(self, wrong: dict[str, Any]) -> None:
        """Another magic, version or depth, the other kind of key, a sequence below zero."""
        decoder = Decoder()
        assert decoder.frame(write(**wrong)) == BAD_HEADER == decoder.state[ERROR]

    @pytest.mark.parametrize("side", [BIDS, ASKS])
    def test_an_eleventh_level_is_malformed(self, side: int) -> None:
        """No side has more than ten."""
        decoder = Decoder()
        packet = bytearray(write())
        packet[HEADER_SIZE + side + 1] = 1 << DEPTH - 8
        assert decoder.decode(bytes(packet)) == (-1, [])
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (BAD_LEVELS, 0)

    def test_a_full_event_buffer_is_said(self) -> None:
        """No snapshot by half."""
        decoder = Decoder(room=20)
        assert decoder.decode(write([(1, 1, 1)])) == (-1, [])
        assert decoder.state[ERROR] == TOO_MANY_EVENTS


class TestDetect:
    """Guessing."""

    @pytest.mark.parametrize("symbols", [0, 1])
    def test_its_own_packets_are_known(self, symbols: int) -> None:
        """And those of the other name are not, nor packets cut or lengthened."""
        packet = some_packet(random.Random(1), 9, symbols)
        assert SPEAK[symbols].detect(packet)
        assert not SPEAK[1 - symbols].detect(packet)
        assert not any(SPEAK[symbols].detect(other) for other in (b"", packet[:-1], packet + b"\0", bytes(SIZE)))

    def test_the_generic_reader_reads_what_was_written(self) -> None:
        """The samples of these tests are a round trip of their own."""
        bids = [(5, 6, 7), None, (8, 9, -1)]
        found = read(write(bids, [], time=12))
        assert (found["bids"], found["asks"], found["time"]) == (bids, [], 12)
