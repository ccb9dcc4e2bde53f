"""The CME decoder beside the generic one: recorded packets, and every template with fields drawn at random."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cme_reference import decoded, every_template, expected, messages, packet, payloads, synthetic

from simbench import event
from simbench.protocol.cme_layout import shipped
from simbench.protocol.cme_mdp3 import PROTOCOL, PROTOCOL_ORDERS, detect
from simbench.protocol.contract import (
    COUNTS,
    HEADER,
    INEXACT,
    MESSAGES,
    SEQUENCE_RESET,
    UNKNOWN,
    Options,
    new_state,
)
from simbench.protocol.sbe_codec import encode_generic

if TYPE_CHECKING:
    from pathlib import Path

LINE_A = 14340


def head_of(payload: bytes) -> np.void:
    """Return the header of a packet."""
    header = np.zeros(1, HEADER)
    data = np.frombuffer(payload, np.uint8).copy()
    assert PROTOCOL.frame(data, 0, len(data), new_state(PROTOCOL, Options()), header) == 0
    return header[0]


def test_a_recorded_channel_decodes_as_the_generic_decoder_reads_it(real_captures: Path) -> None:
    """All 5,000 packets of line A give the same events, field by field, and the counters of the independent count."""
    folder = real_captures / "cme-mdp3-340"
    independent = json.loads((folder / "independent.json").read_text())
    state = new_state(PROTOCOL, Options())
    entries = 0
    for payload in payloads(folder / "capture.pcap", LINE_A):
        count, events = decoded(PROTOCOL, state, payload)
        assert expected(shipped(), payload) == events
        assert count == len(events)
        entries += sum(event.LEVEL_NEW <= row["kind"] <= event.LEVEL_OVERLAY for row in events)
    assert independent["messages"] == state[MESSAGES] == 10_273
    assert independent["entries"] == entries == 14_574
    by_type = {message.key: int(state[message.counter]) for message in PROTOCOL.messages if state[message.counter]}
    assert by_type == {"12": 9, "32": 9569, "35": 307, "37": 194, "42": 194}
    assert (state[UNKNOWN], state[INEXACT]) == (0, 0)


def test_heartbeats_take_a_sequence_of_their_own(real_captures: Path) -> None:
    """In the recorded channel no sequence is missing, and nine of the packets are heartbeats."""
    line = [*payloads(real_captures / "cme-mdp3-340" / "capture.pcap", LINE_A)]
    sequences = sorted(int.from_bytes(payload[:4], "little") for payload in line)
    assert list(range(5615, 10_615)) == sequences
    assert sum(int.from_bytes(next(messages(payload))[2:4], "little") == 12 for payload in line) == 9


def test_recorded_samples_of_versions_5_8_and_9_decode(real_captures: Path) -> None:
    """Each sample packet gives the events that the generic decoder reads from it."""
    found = Counter()
    for folder in ("v1.5", "v1.8", "v1.9"):
        for path in sorted((real_captures / "packets" / "Cme" / f"Mdp3.Sbe.{folder}").iterdir()):
            for payload in payloads(path):
                for protocol, by_order in ((PROTOCOL, False), (PROTOCOL_ORDERS, True)):
                    state = new_state(protocol, Options())
                    _, events = decoded(protocol, state, payload)
                    assert expected(shipped(), payload, by_order=by_order) == events
                    assert state[UNKNOWN] == 0
                assert detect(payload)
                found.update(message.key for message in PROTOCOL.messages if state[message.counter])
    assert {"29", "32", "35", "37", "42", "46", "47", "48"} <= set(found)


@pytest.mark.parametrize("number", every_template())
def test_every_template_decodes_as_the_generic_decoder_reads_it(number: int) -> None:
    """Messages of each template, with values and nulls drawn at random, give the same events in both views."""
    for seed in range(20):
        payload = packet(synthetic(shipped(), number, seed), synthetic(shipped(), number, seed + 1000))
        for protocol, by_order in ((PROTOCOL, False), (PROTOCOL_ORDERS, True)):
            state = new_state(protocol, Options())
            count, events = decoded(protocol, state, payload)
            assert expected(shipped(), payload, by_order=by_order) == events
            assert count == len(events)
            assert (state[MESSAGES], state[COUNTS + number], state[UNKNOWN]) == (2, 2, 0)


@pytest.mark.parametrize("number", [32, 42, 35])
def test_a_field_that_an_older_version_lacks_is_null_and_its_group_is_not_there(number: int) -> None:
    """Version 5 has neither trade ids nor the size of session statistics, though their bytes are in the block."""
    payload = packet(synthetic(shipped(), number, 1, version=5))
    _, events = decoded(PROTOCOL, new_state(PROTOCOL, Options()), payload)
    assert expected(shipped(), payload) == events
    if number == 42:
        assert {0} == {row["other"] for row in events}
    if number == 35:
        assert {0} == {row["quantity"] for row in events}


def test_blocks_that_a_later_version_made_longer_are_walked_by_their_length() -> None:
    """Four more bytes in the root and in each entry change no event."""
    entry = {"MDEntryPx": 5, "MDEntrySize": 3, "SecurityID": 9, "RptSeq": 1, "MDPriceLevel": 1, "MDEntryType": "0"}
    body = encode_generic(shipped(), 46, {"TransactTime": 7, "NoMDEntries": [entry, {**entry, "RptSeq": 2}]})
    head, root, group, first, second, rest = (
        body[:8],
        body[8:19],
        body[19:22],
        body[22:54],
        body[54:86],
        body[86:],
    )
    more = b"\xee" * 4
    longer = b"\x0f" + head[1:] + root + more + b"\x24" + group[1:] + first + more + second + more + rest
    assert decoded(PROTOCOL, new_state(PROTOCOL, Options()), packet(body)) == decoded(
        PROTOCOL, new_state(PROTOCOL, Options()), packet(longer)
    )


def test_an_unknown_template_or_schema_is_counted_and_the_packet_goes_on() -> None:
    """What is not known yields nothing: no exponent is guessed. The message behind it is decoded."""
    known = synthetic(shipped(), 37, 1)
    strange = known[:2] + (60).to_bytes(2, "little") + known[4:]
    huge = known[:2] + (9999).to_bytes(2, "little") + known[4:]
    foreign = known[:4] + (2).to_bytes(2, "little") + known[6:]
    state = new_state(PROTOCOL, Options())
    _, events = decoded(PROTOCOL, state, packet(strange, huge, foreign, known))
    assert expected(shipped(), packet(known)) == events
    assert (state[UNKNOWN], state[MESSAGES]) == (3, 4)


@pytest.mark.parametrize(
    ("number", "mantissa", "price", "inexact"),
    [
        (32, 4_120_000_000, 412_000_000_000, 0),
        (32, -5, -500, 0),
        (32, (2**63 - 2) // 100, (2**63 - 2) // 100 * 100, 0),
        (32, (2**63 - 2) // 100 + 1, 2**63 - 2, 1),
        (32, -(2**62), -(2**63 - 2), 1),
        (32, None, event.NO_PRICE, 0),
        (46, 412_000_000_000, 412_000_000_000, 0),
        (46, 2**63 - 2, 2**63 - 2, 0),
        (46, None, event.NO_PRICE, 0),
    ],
)
def test_prices_come_at_one_exponent_and_what_does_not_fit_is_counted(
    number: int, mantissa: int | None, price: int, inexact: int
) -> None:
    """Template 32 sends 1e-7 and 46 sends 1e-9; both become 1e-9."""
    entry = {"MDEntryPx": mantissa, "SecurityID": 1, "MDEntryType": "0", "MDPriceLevel": 1}
    state = new_state(PROTOCOL, Options())
    _, events = decoded(PROTOCOL, state, packet(encode_generic(shipped(), number, {"NoMDEntries": [entry]})))
    assert [price] == [row["price"] for row in events]
    assert inexact == state[INEXACT]


def test_implied_levels_have_no_number_of_orders() -> None:
    """2,147,483,647 orders say that there is no such number."""
    entry = {"MDEntryPx": 1, "NumberOfOrders": 2**31 - 1, "MDEntryType": "E", "MDPriceLevel": 2}
    _, events = decoded(
        PROTOCOL,
        new_state(PROTOCOL, Options()),
        packet(encode_generic(shipped(), 46, {"NoMDEntries": [entry]})),
    )
    assert [(row["side"], row["level"], row["orders"]) for row in events] == [(event.IMPLIED_BID, 2, -1)]


def test_the_end_of_an_event_is_on_its_last_entry() -> None:
    """Bit 7 of the last message marks the last entry, also when that message itself has none."""
    entry = {"MDEntryPx": 1, "MDEntryType": "0", "MDPriceLevel": 1}
    book = encode_generic(shipped(), 46, {"NoMDEntries": [entry, entry]})
    ended = encode_generic(shipped(), 46, {"MatchEventIndicator": 0x84, "NoMDEntries": [entry, entry]})
    closing = encode_generic(shipped(), 33, {"MatchEventIndicator": 0x80})
    for bodies, flags in (
        ((book,), [0, 0]),
        ((ended,), [0, event.END]),
        ((book, ended), [0, 0, 0, event.END]),
        ((book, closing), [0, event.END]),
    ):
        _, events = decoded(PROTOCOL, new_state(PROTOCOL, Options()), packet(*bodies))
        assert flags == [row["flags"] for row in events]


def test_a_header_says_one_unit_and_when_it_was_sent() -> None:
    """A packet is one unit, whatever it carries; its messages start behind 12 bytes."""
    payload = packet(encode_generic(shipped(), 12, {}), sequence=2**32 - 1, sent=123)
    head = head_of(payload)
    assert (2**32 - 1, 1, 123, 12, len(payload), 0) == tuple(
        int(head[name]) for name in ("first", "units", "sent", "start", "end", "flags")
    )


def test_only_a_channel_reset_in_packet_1_restarts_the_sequence() -> None:
    """A reset empties the books; the sequence goes on, unless it visibly starts again."""
    reset, other = encode_generic(shipped(), 4, {"NoMDEntries": [{"ApplID": 340}]}), encode_generic(shipped(), 12, {})
    assert [
        int(head_of(payload)["flags"])
        for payload in (packet(reset, sequence=1), packet(reset, sequence=2), packet(other, sequence=1))
    ] == [SEQUENCE_RESET, 0, 0]
    _, events = decoded(PROTOCOL, new_state(PROTOCOL, Options()), packet(reset))
    assert [row["kind"] for row in events] == [event.RESET]


def test_a_skipped_packet_is_nothing() -> None:
    """A packet is one unit: when arbitration has seen it, there is nothing behind it."""
    state = new_state(PROTOCOL, Options())
    data = np.frombuffer(packet(synthetic(shipped(), 46, 1)), np.uint8).copy()
    assert PROTOCOL.decode(data, 12, len(data), 1, state, np.zeros(64, event.EVENT)) == 0
    assert state[MESSAGES] == 0


def test_detection_wants_messages_that_fill_the_payload() -> None:
    """A byte more or less, another schema number and noise are not this protocol."""
    payload = packet(synthetic(shipped(), 46, 3), encode_generic(shipped(), 12, {}))
    assert detect(payload)
    assert not any(map(detect, (payload[:-1], payload + b"\0", b"", payload[:12], bytes(60), b"\xff" * 60)))
