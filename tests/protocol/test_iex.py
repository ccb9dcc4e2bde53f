"""TOPS, DEEP and DEEP+ over IEX-TP: every message to its events, and whatever is wrong to a count."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iex_samples import (
    IDS,
    NOON,
    Decoder,
    as_dicts,
    expected,
    expected_all,
    level,
    quote,
    segment,
    some_message,
    write_message,
)

from simbench import event
from simbench.protocol.contract import (
    BAD_HEADER,
    BAD_LENGTH,
    ERROR,
    HEARTBEAT,
    MESSAGES,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
)
from simbench.protocol.iex import DEEP, DEEP_PLUS, TOPS
from simbench.protocol.iex_layout import LAYOUTS, SIZES, TABLE, field_size
from simbench.protocol.iex_tp import DEEP_ID, TOPS_ID, blocks
from simbench.protocol.sessions import MAX_SESSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.protocol.contract import Protocol

# Sizes of the specifications, of each message's data.
SPECIFIED = {
    "S": 10, "D": 31, "H": 22, "I": 18, "O": 18, "P": 19, "E": 18, "Q": 42, "8": 30, "5": 30, "a": 38, "M": 38, "R": 26,
    "L": 46, "C": 18, "T": 38, "B": 38, "X": 26, "A": 80,
}  # fmt: skip
PROTOCOLS = (TOPS, DEEP, DEEP_PLUS)
CHANCE = random.Random(7)
HAS = [(protocol, message.key) for protocol in PROTOCOLS for message in protocol.messages]

each = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
each_type = pytest.mark.parametrize(("protocol", "key"), HAS, ids=[f"{protocol.name}-{key}" for protocol, key in HAS])


def mixture(protocol: Protocol, times: int = 3) -> list[bytes]:
    """Return random messages of all the types of a protocol, in random order."""
    messages = [some_message(message.key, CHANCE) for message in protocol.messages for _ in range(times)]
    CHANCE.shuffle(messages)
    return messages


MIXED = {protocol.name: mixture(protocol) for protocol in PROTOCOLS}


def packet(protocol: Protocol, messages: list[bytes], first: int = 1) -> bytes:
    """Return a segment of a protocol."""
    return segment(messages, first, protocol=IDS[protocol.name])


class TestLayout:
    """The table that everything else comes from."""

    def test_the_sizes_are_the_specifications(self) -> None:
        """Every type is there, with the size that the specifications give it."""
        assert SPECIFIED == SIZES

    @pytest.mark.parametrize("key", TABLE)
    def test_fields_fill_a_message_without_holes(self, key: str) -> None:
        """Each field starts where the one before it ends."""
        at = 0
        for _name, offset, kind in LAYOUTS[key]:
            assert at == offset
            at += field_size(kind)
        assert SIZES[key] == at

    def test_each_feed_has_its_types(self) -> None:
        """Quotes are TOPS's, levels DEEP's and orders DEEP+'s alone."""
        assert [{message.key for message in protocol.messages} & set("Q85aMRLC") for protocol in PROTOCOLS] == [
            {"Q"},
            {"8", "5"},
            set("aMRLC"),
        ]


class TestDecode:
    """Messages to events."""

    @each_type
    def test_every_type_becomes_its_events(self, protocol: Protocol, key: str) -> None:
        """One message of each type, its fields random over their whole range, gives the specification's events."""
        chance = random.Random(key)
        for _ in range(20):
            message = some_message(key, chance)
            result, events = Decoder(protocol).decode(packet(protocol, [message], first=7))
            assert expected_all([message], 7) == as_dicts(events)
            assert result == len(events) > 0

    @each
    def test_types_are_counted(self, protocol: Protocol) -> None:
        """Each type has a counter of its own, and the sum is the messages."""
        decoder = Decoder(protocol)
        decoder.decode(packet(protocol, MIXED[protocol.name]))
        assert [3] * len(protocol.messages) == [int(decoder.state[message.counter]) for message in protocol.messages]
        assert len(MIXED[protocol.name]) == decoder.state[MESSAGES]

    @each
    @given(data=st.data())
    def test_what_was_delivered_is_skipped(self, protocol: Protocol, data: st.DataObject) -> None:
        """With the first units skipped come the events of the rest, with the sequences they had."""
        messages = data.draw(st.lists(st.sampled_from(MIXED[protocol.name]), min_size=1, max_size=30))
        skip, first = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 1 << 60))
        _result, events = Decoder(protocol).decode(packet(protocol, messages, first), skip)
        assert expected_all(messages, first, skip) == as_dicts(events)

    @each
    def test_a_longer_message_is_a_later_versions(self, protocol: Protocol) -> None:
        """Bytes behind the known fields are passed over."""
        messages = MIXED[protocol.name]
        longer = [message + b"xyz" for message in messages]
        assert np.array_equal(
            Decoder(protocol).decode(packet(protocol, messages))[1],
            Decoder(protocol).decode(packet(protocol, longer))[1],
        )

    @each_type
    def test_a_shorter_message_is_malformed(self, protocol: Protocol, key: str) -> None:
        """One byte less than the layout: what stands before it is delivered, the packet is malformed."""
        decoder = Decoder(protocol)
        good = write_message("S", event="R", timestamp=NOON)
        result, events = decoder.decode(packet(protocol, [good, some_message(key, CHANCE)[:-1], good]))
        assert result == -2
        assert expected(good, 1) == as_dicts(events)
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (BAD_LENGTH, 1)

    def test_a_message_without_a_type_is_malformed(self) -> None:
        """A block of length 0 has no type to be unknown."""
        decoder = Decoder(TOPS)
        result, _events = decoder.decode(packet(TOPS, [b"", b"z"]))
        assert (result, decoder.state[ERROR], decoder.state[UNITS]) == (-1, BAD_LENGTH, 0)

    @pytest.mark.parametrize(("protocol", "strange"), [(TOPS, "8"), (DEEP, "Q"), (DEEP_PLUS, "X")])
    def test_what_the_feed_does_not_have_is_counted_and_passed_over(self, protocol: Protocol, strange: str) -> None:
        """A letter of another of IEX's feeds, or of none, moves the sequence and gives no event."""
        decoder = Decoder(protocol)
        known = write_message("S", event="R", timestamp=NOON)
        result, events = decoder.decode(packet(protocol, [b"z", known, some_message(strange, CHANCE)], first=5))
        assert result == 1
        assert events[0]["sequence"] == 6
        assert (decoder.state[UNKNOWN], decoder.state[MESSAGES]) == (2, 3)

    @each
    def test_cut_anywhere_there_is_no_header(self, protocol: Protocol) -> None:
        """A packet cut at every byte is none; and the decoder gives the messages before the cut and counts them."""
        messages = MIXED[protocol.name][:12]
        whole = packet(protocol, messages)
        ends = np.cumsum([40] + [2 + len(message) for message in messages]).tolist()
        for length in range(len(whole)):
            decoder = Decoder(protocol)
            assert (decoder.frame(whole[:length]), decoder.state[ERROR]) == (TRUNCATED, TRUNCATED)
            if length < 40:
                continue
            good = sum(end <= length for end in ends) - 1
            result, events = decoder.decode(whole, end=length)
            assert -1 - len(events) == result
            assert (TRUNCATED, good) == (decoder.state[ERROR], decoder.state[UNITS])
            assert expected_all(messages[:good]) == as_dicts(events)

    def test_bytes_behind_the_promised_messages_are_malformed(self) -> None:
        """The promised messages are delivered; that the payload holds more is not passed over in silence."""
        decoder = Decoder(TOPS)
        result, _events = decoder.decode(segment([write_message("S")] * 3, count=2))
        assert result == -3
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (BAD_LENGTH, 2)

    def test_a_full_event_buffer_is_said(self) -> None:
        """More events than fit: what fits is delivered, and no quote by half."""
        decoder = Decoder(TOPS, room=5)
        result, events = decoder.decode(packet(TOPS, [quote("A", (1, 1), (2, 2))] * 3))
        assert result == -5
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (TOO_MANY_EVENTS, 2)
        assert events["sequence"].tolist() == [1, 1, 2, 2]

    @each
    def test_events_do_not_depend_on_what_lies_around_the_datagram(self, protocol: Protocol) -> None:
        """The same datagram between other bytes gives the same events, whole or cut."""
        whole = packet(protocol, MIXED[protocol.name])
        for length in (len(whole), len(whole) - 5, 60, 41):
            seen = []
            for fill in (0, 255, 65):
                decoder = Decoder(protocol)
                data = np.full(len(whole) + 200, fill, np.uint8)
                data[100 : 100 + length] = np.frombuffer(whole[:length], np.uint8)
                status = protocol.frame(data, 100, 100 + length, decoder.state, decoder.header)
                decoder.state[UNITS] = len(MIXED[protocol.name])
                result = protocol.decode(data, 140, 100 + length, 0, decoder.state, decoder.events)
                seen.append((status, result, decoder.state.tobytes(), decoder.events.tobytes()))
            assert seen[0] == seen[1] == seen[2]


class TestEvents:
    """Where one exchange event of DEEP ends."""

    def test_a_trade_between_updates_does_not_end_their_event(self) -> None:
        """The book is judged where the exchange says that it is whole, and not before."""
        messages = [
            level("5", "A", 101, 0, complete=False),
            write_message("T", timestamp=NOON, symbol="A", price=101, size=5),
            level("8", "A", 101, 7),
            write_message("T", timestamp=NOON, symbol="A", price=101, size=5),
        ]
        _result, events = Decoder(DEEP).decode(packet(DEEP, messages))
        assert (events["flags"] & event.END).tolist() == [0, 0, 1, 1]

    def test_an_event_goes_on_in_the_next_packet(self) -> None:
        """A segment may end between two updates."""
        decoder = Decoder(DEEP)
        flags = []
        for message in (level("5", "A", 1, 0, complete=False), write_message("S"), level("8", "A", 1, 1)):
            flags += decoder.decode(packet(DEEP, [message]))[1]["flags"].tolist()
        assert flags == [0, 0, event.END]


class TestFrame:
    """IEX-TP's header."""

    def test_a_segment_moves_the_sequence_by_its_messages(self) -> None:
        """Stream, first, units, sent time and the body, which is the messages alone."""
        decoder = Decoder(TOPS)
        whole = segment([write_message("S")] * 3, first=9, channel=4, sent=NOON + 5)
        assert decoder.frame(whole) == 0
        header = decoder.header[0]
        assert tuple(int(header[name]) for name in ("stream", "first", "units", "flags")) == (4, 9, 3, 0)
        assert (NOON + 5, 40, len(whole)) == tuple(int(header[name]) for name in ("sent", "start", "end"))

    def test_a_heartbeat_carries_the_next_sequence_and_no_messages(self) -> None:
        """It does not move the sequence."""
        decoder = Decoder(TOPS)
        assert decoder.frame(segment([], first=77)) == 0
        assert tuple(int(decoder.header[0][name]) for name in ("first", "units", "flags")) == (77, 0, HEARTBEAT)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"version": 2},
            {"protocol": DEEP_ID},
            {"protocol": 0x8002},
            {"first": -1},
            {"first": -(1 << 63)},
            {"count": 0},
            {"length": 0},
        ],
        ids=str,
    )
    def test_a_header_of_something_else_is_bad(self, wrong: dict[str, int]) -> None:
        """Another version or feed, a sequence below zero, messages without bytes or bytes without messages."""
        decoder = Decoder(TOPS)
        assert decoder.frame(segment([write_message("S")], **wrong)) == BAD_HEADER
        assert decoder.state[ERROR] == BAD_HEADER

    def test_what_follows_the_payload_is_another_packet(self) -> None:
        """A datagram longer than its segment says is not taken for messages: the rest has to be a header."""
        decoder = Decoder(TOPS)
        whole = segment([write_message("S")])
        assert decoder.frame(whole + bytes(40)) == 0
        assert len(whole) == decoder.header[0]["end"]

    def test_sessions_are_told_apart_by_index(self) -> None:
        """Each number keeps the index it got first, and is its name."""
        decoder = Decoder(TOPS)
        seen = []
        for number in (1_137_508_352, 5, 1_137_508_352, 0, 5):
            decoder.frame(segment([], session=number))
            seen.append(int(decoder.header[0]["session"]))
        assert seen == [0, 1, 0, 2, 1]
        assert TOPS.sessions(decoder.state) == ("1137508352", "5", "0")

    def test_more_sessions_than_the_table_holds_are_bad_headers(self) -> None:
        """A session is refused rather than given another one's index; those known go on."""
        decoder = Decoder(TOPS)
        numbers = range(MAX_SESSIONS + 1)
        assert [decoder.frame(segment([], session=one)) for one in numbers] == [0] * MAX_SESSIONS + [BAD_HEADER]
        assert decoder.frame(segment([], session=0)) == 0


class TestDetect:
    """Guessing."""

    @settings(max_examples=50)
    @given(st.binary(max_size=100))
    def test_noise_is_not_it(self, noise: bytes) -> None:
        """Random bytes are no IEX-TP."""
        assert not any(protocol.detect(noise) for protocol in PROTOCOLS)

    @settings(max_examples=200)
    @given(st.binary(min_size=1, max_size=12), st.integers(1, 3))
    def test_noise_behind_a_header_is_blocks_that_fill_it_or_nothing(self, noise: bytes, count: int) -> None:
        """No length in it leads outside, and nothing of it is left over."""
        payload = segment([], length=len(noise), count=count) + noise
        found = blocks(payload, TOPS_ID)
        assert found is None or segment(found) == payload

    @each
    def test_segments_and_heartbeats_show_the_feed_and_no_other(self, protocol: Protocol) -> None:
        """Both are what a flow of it carries; cut or with a message cut they show nothing."""
        messages = MIXED[protocol.name]
        for payload in (packet(protocol, messages), packet(protocol, [])):
            assert [other for other in PROTOCOLS if other.detect(payload)] == [protocol]
            assert not protocol.detect(payload[:-1])
            assert not protocol.detect(payload + b"\0")
        assert not protocol.detect(packet(protocol, [messages[0][:-1]]))
        assert not protocol.detect(packet(protocol, [b""]))


def payloads(folder: Path) -> list[bytes]:
    """Return the UDP payload of every datagram in a folder's captures, by the second reader."""
    found = []
    for path in sorted(folder.glob("*.pcap")):
        with path.open("rb") as file:
            found += [bytes(dpkt.ethernet.Ethernet(raw).data.data.data) for _stamp, raw in dpkt.pcap.Reader(file)]
    return found


@pytest.mark.parametrize(
    ("folder", "protocol", "datagrams", "types"),
    [
        ("Tops.IexTp.v1.5", TOPS, 9, "SDHOPQTXA"),
        ("Tops.IexTp.v1.6", TOPS, 1, "Q"),
        ("Deep.IexTp.v1.0", DEEP, 3, "85"),
        ("DeepPlus.IexTp.1.0.2", DEEP_PLUS, 26, "SDHIOPEaMRLTB"),
    ],
)
def test_recorded_packets_decode_as_the_generic_reader_reads_them(
    real_captures: Path, folder: str, protocol: Protocol, datagrams: int, types: str
) -> None:
    """Every recorded packet is recognised, none is malformed, and every event is what the table says."""
    found = payloads(real_captures / "packets" / "Iex" / folder)
    assert datagrams == len(found)
    seen = set()
    for payload in found:
        assert [other for other in PROTOCOLS if other.detect(payload)] == [protocol]
        _result, events = Decoder(protocol).decode(payload)
        at, messages = 40, []
        while at < len(payload):
            length = int.from_bytes(payload[at : at + 2], "little")
            messages.append(payload[at + 2 : at + 2 + length])
            at += 2 + length
        seen |= {chr(message[0]) for message in messages}
        assert expected_all(messages, int.from_bytes(payload[24:32], "little")) == as_dicts(events)
    assert set(types) == seen
