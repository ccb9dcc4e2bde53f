"""TotalView-ITCH 5.0: every message to its event, and whatever is wrong to a count."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from itch_samples import MIDNIGHT, NOON, Decoder, as_dict, expected, packet, some_message

from simbench.errors import SimbenchError
from simbench.protocol.contract import (
    BAD_HEADER,
    BAD_LENGTH,
    END_OF_SESSION,
    ERROR,
    HEARTBEAT,
    MESSAGES,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Options,
    new_state,
)
from simbench.protocol.contract import MIDNIGHT as MIDNIGHT_SLOT
from simbench.protocol.itch50_layout import LAYOUTS, SIZES, TABLE, read_message, write_message
from simbench.protocol.nasdaq_itch50 import PROTOCOL, detect
from simbench.protocol.sessions import MAX_SESSIONS

# Sizes of the specification, section 1.
SPECIFIED = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40,
    "E": 31, "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}  # fmt: skip
CHANCE = random.Random(5)
MIXED = [some_message(key, CHANCE) for key in TABLE for _ in range(3)]
CHANCE.shuffle(MIXED)


class TestLayout:
    """The table that everything else comes from."""

    def test_the_sizes_are_the_specifications(self) -> None:
        """Every type is there, with the size that the specification gives it."""
        assert SPECIFIED == SIZES

    @pytest.mark.parametrize("key", TABLE)
    def test_fields_fill_a_message_without_holes(self, key: str) -> None:
        """Each field starts where the one before it ends."""
        at = 0
        for _name, offset, kind in LAYOUTS[key]:
            assert at == offset
            at += int(kind[4:]) if kind.startswith("text") else int(kind[1:]) // 8
        assert SIZES[key] == at

    def test_writing_undoes_reading(self) -> None:
        """What was read from a message writes the same message."""
        for message in MIXED:
            fields = read_message(message)
            key = str(fields.pop("type"))
            assert message == write_message(key, **fields)


class TestDecode:
    """Messages to events."""

    @pytest.mark.parametrize("key", TABLE)
    def test_every_type_becomes_its_event(self, key: str) -> None:
        """One message of each type, its fields random over their whole range, gives the event of the specification."""
        chance = random.Random(key)
        for _ in range(20):
            message = some_message(key, chance)
            result, events = Decoder().decode(packet([message], first=7))
            assert result == 1
            assert expected(message, 7) == as_dict(events[0])

    def test_types_are_counted(self) -> None:
        """Each type has a counter of its own, and the sum is the messages."""
        decoder = Decoder()
        decoder.decode(packet(MIXED))
        assert [3] * len(TABLE) == [int(decoder.state[message.counter]) for message in PROTOCOL.messages]
        assert len(MIXED) == decoder.state[MESSAGES]

    @given(st.lists(st.sampled_from(MIXED), max_size=30), st.integers(0, 31), st.integers(0, 1 << 62))
    def test_what_was_delivered_is_skipped(self, messages: list[bytes], skip: int, first: int) -> None:
        """With the first units skipped come the events of the rest, with the sequences they had."""
        result, events = Decoder().decode(packet(messages, first), skip)
        rest = list(enumerate(messages))[skip:]
        assert len(rest) == result
        assert [expected(message, first + index) for index, message in rest] == [as_dict(record) for record in events]

    def test_a_longer_message_is_a_later_versions(self) -> None:
        """Bytes behind the known fields are passed over."""
        longer = [message + b"xyz" for message in MIXED]
        assert np.array_equal(Decoder().decode(packet(MIXED))[1], Decoder().decode(packet(longer))[1])

    @pytest.mark.parametrize("key", TABLE)
    def test_a_shorter_message_is_malformed(self, key: str) -> None:
        """One byte less than the layout: what stands before it is delivered, the packet is malformed."""
        decoder = Decoder()
        result, events = decoder.decode(packet([MIXED[0], some_message(key, CHANCE)[:-1], MIXED[1]]))
        assert result == -2
        assert expected(MIXED[0], 1) == as_dict(events[0])
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (BAD_LENGTH, 1)

    def test_an_unknown_type_is_counted_and_passed_over(self) -> None:
        """A type that the table lacks moves the sequence and gives no event."""
        decoder = Decoder()
        result, events = decoder.decode(packet([b"z", MIXED[0], b"~whatever"], first=5))
        assert result == 1
        assert events[0]["sequence"] == 6
        assert (decoder.state[UNKNOWN], decoder.state[MESSAGES]) == (2, 3)

    def test_events_do_not_depend_on_what_lies_around_the_datagram(self) -> None:
        """The same datagram between other bytes gives the same events, whole or cut."""
        whole = packet(MIXED)
        for length in (len(whole), len(whole) - 5, 30, 21):
            seen = []
            for fill in (0, 255, 65):
                decoder = Decoder()
                data = np.full(len(whole) + 200, fill, np.uint8)
                data[100 : 100 + length] = np.frombuffer(whole[:length], np.uint8)
                status = PROTOCOL.frame(data, 100, 100 + length, decoder.state, decoder.header)
                result = PROTOCOL.decode(data, 118, 100 + length, 0, decoder.state, decoder.events)
                seen.append((status, result, decoder.state.tobytes(), decoder.events.tobytes()))
            assert seen[0] == seen[1] == seen[2]

    def test_cut_anywhere_there_is_no_header(self) -> None:
        """A packet cut at every byte is none; and the decoder gives the messages before the cut and counts them."""
        whole = packet(MIXED)
        ends = np.cumsum([20] + [2 + len(message) for message in MIXED]).tolist()
        all_events = Decoder().decode(whole)[1].copy()
        for length in range(len(whole)):
            decoder = Decoder()
            assert (decoder.frame(whole[:length]), decoder.state[ERROR]) == (TRUNCATED, TRUNCATED)
            if length < 20:
                continue
            good = sum(end <= length for end in ends) - 1
            result, events = decoder.decode(whole, end=length)
            assert -1 - good == result
            assert (TRUNCATED, good) == (decoder.state[ERROR], decoder.state[UNITS])
            assert np.array_equal(all_events[:good], events)

    def test_bytes_behind_the_promised_messages_are_malformed(self) -> None:
        """The promised messages are delivered; that something follows them is not passed over in silence."""
        decoder = Decoder()
        result, _events = decoder.decode(packet(MIXED[:3], count=2))
        assert result == -3
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (BAD_LENGTH, 2)

    def test_a_full_event_buffer_is_said(self) -> None:
        """More messages than events fit: what fits is delivered."""
        decoder = Decoder(room=4)
        result, events = decoder.decode(packet(MIXED[:6]))
        assert result == -5
        assert (decoder.state[ERROR], decoder.state[UNITS]) == (TOO_MANY_EVENTS, 4)
        assert events["sequence"].tolist() == [1, 2, 3, 4]


class TestFrame:
    """MoldUDP64's header."""

    def test_a_packet_moves_the_sequence_by_its_messages(self) -> None:
        """First, units and the body, which starts at the count."""
        decoder = Decoder()
        assert decoder.frame(packet(MIXED[:3], first=9)) == 0
        header = decoder.header[0]
        assert (header["first"], header["units"], header["flags"]) == (9, 3, 0)
        assert (0, 18, len(packet(MIXED[:3]))) == (header["sent"], header["start"], header["end"])

    @pytest.mark.parametrize(("count", "flags"), [(0, HEARTBEAT), (0xFFFF, HEARTBEAT | END_OF_SESSION)])
    def test_heartbeat_and_end_carry_the_next_sequence_and_no_messages(self, count: int, flags: int) -> None:
        """Neither moves the sequence; the end is never taken for 65,535 messages."""
        decoder = Decoder()
        assert decoder.frame(packet([], first=77, count=count)) == 0
        header = decoder.header[0]
        assert (77, 0, flags) == (header["first"], header["units"], header["flags"])

    def test_sessions_are_told_apart_by_index(self) -> None:
        """Each name keeps the index it got first; names come back without padding."""
        decoder = Decoder()
        seen = []
        for name in (b"      AAAA", b"BBBB      ", b"      AAAA", b"\0" * 10, b"BBBB      "):
            decoder.frame(packet([], session=name))
            seen.append(int(decoder.header[0]["session"]))
        assert seen == [0, 1, 0, 2, 1]
        assert PROTOCOL.sessions(decoder.state) == ("      AAAA", "BBBB", "")

    def test_more_sessions_than_the_table_holds_are_bad_headers(self) -> None:
        """A session is refused rather than given another one's index; those known go on."""
        decoder = Decoder()
        names = [f"S{index:9}".encode() for index in range(MAX_SESSIONS + 1)]
        assert [decoder.frame(packet([], session=name)) for name in names] == [0] * MAX_SESSIONS + [BAD_HEADER]
        assert decoder.frame(packet([], session=names[0])) == 0

    @pytest.mark.parametrize("first", [1 << 63, (1 << 64) - 1, (1 << 63) - 1, (1 << 62) + 1])
    def test_a_sequence_that_would_wrap_is_a_bad_header(self, first: int) -> None:
        """No session reaches 2**62 messages, and nothing may wrap in a sum."""
        assert Decoder().frame(packet(MIXED[:1], first=first)) == BAD_HEADER


class TestSetup:
    """From what midnight times count."""

    @pytest.mark.parametrize(
        ("first_ns", "midnight"),
        [
            (NOON, MIDNIGHT),
            (MIDNIGHT, MIDNIGHT),
            (MIDNIGHT - 1, MIDNIGHT - 86_400 * 10**9),
            (1_750_269_600_000_000_000, 1_750_219_200_000_000_000),  # summer time: UTC-4
        ],
    )
    def test_midnight_is_new_yorks(self, first_ns: int, midnight: int) -> None:
        """The last midnight there at or before the capture's first stamp."""
        assert midnight == new_state(PROTOCOL, Options(first_ns=first_ns))[MIDNIGHT_SLOT]

    def test_another_zone_can_be_asked_for(self) -> None:
        """A venue elsewhere counts from its own midnight."""
        options = Options(first_ns=NOON, timezone="UTC")
        assert new_state(PROTOCOL, options)[MIDNIGHT_SLOT] == NOON // (86_400 * 10**9) * 86_400 * 10**9

    @pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", ""])
    def test_an_unknown_zone_is_the_users_mistake(self, name: str) -> None:
        """It is named in one line; an empty one is the default."""
        if not name:
            assert new_state(PROTOCOL, Options(first_ns=NOON, timezone=name))[MIDNIGHT_SLOT] == MIDNIGHT
            return
        with pytest.raises(SimbenchError, match="timezone"):
            new_state(PROTOCOL, Options(first_ns=NOON, timezone=name))


class TestDetect:
    """Guessing."""

    @settings(max_examples=50)
    @given(st.binary(max_size=100))
    def test_noise_is_not_it(self, noise: bytes) -> None:
        """Random bytes are no ITCH, and no length in them leads outside."""
        assert not detect(noise)

    def test_a_packet_and_a_heartbeat_show_it(self) -> None:
        """Both are what a flow of it carries."""
        timed = [message[:5] + bytes(6) + message[11:] for message in MIXED]
        assert detect(packet(timed))
        assert detect(packet([]))
        assert not detect(packet(timed)[:-1])


def payloads(folder: Path) -> list[tuple[int, bytes]]:
    """Return stamp and UDP payload of every datagram in a folder's captures, by the second reader."""
    found = []
    for path in sorted(folder.glob("*.pcap")):
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            reader = dpkt.pcapng.Reader(file) if magic == b"\n\r\r\n" else dpkt.pcap.Reader(file)
            found += [(int(stamp * 10**9), bytes(dpkt.ethernet.Ethernet(raw).data.data.data)) for stamp, raw in reader]
    return found


@pytest.mark.parametrize(
    ("folder", "datagrams"),
    [
        ("Nasdaq.Equities.TotalView.Itch.v5.0", 9),
        ("Nasdaq.Equities.TotalView.Itch.v5.0.20230822", 71),
        ("Bx.Equities.TotalView.Itch.v5.0", 3),
        ("Bx.Equities.TotalView.Itch.v5.0.20230822", 56),
        ("Psx.Equities.TotalView.Itch.v5.0.20230822", 51),
    ],
)
def test_recorded_packets_decode_as_the_generic_reader_reads_them(
    real_captures: Path, folder: str, datagrams: int
) -> None:
    """Every recorded packet is recognised, none is malformed, and every event is what the table says."""
    found = payloads(real_captures / "packets" / "Nasdaq" / folder)
    assert datagrams == len(found)
    for stamp, payload in found:
        assert detect(payload)
        decoder = Decoder(first_ns=stamp)
        result, events = decoder.decode(payload)
        at, messages = 20, []
        while at < len(payload):
            length = int.from_bytes(payload[at : at + 2], "big")
            messages.append(payload[at + 2 : at + 2 + length])
            at += 2 + length
        first, midnight = int.from_bytes(payload[10:18], "big"), int(decoder.state[MIDNIGHT_SLOT])
        assert len(messages) == result > 0
        assert [expected(m, first + i, midnight) for i, m in enumerate(messages)] == [as_dict(e) for e in events]
