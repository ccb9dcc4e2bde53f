"""What is broken is reported and never raises, whatever is cut off, overwritten or claimed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cme_reference import decoded, every_template, expected, packet, synthetic

from simbench import event
from simbench.protocol.cme_book import BAD_REFERENCE
from simbench.protocol.cme_layout import shipped
from simbench.protocol.cme_mdp3 import PROTOCOL, PROTOCOL_ORDERS
from simbench.protocol.contract import (
    BAD_LENGTH,
    ERROR,
    HEADER,
    MESSAGES,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    Options,
    new_state,
)
from simbench.protocol.sbe_codec import encode_generic

FUZZ = Path(__file__).with_name("cme_fuzz.py")


@pytest.mark.parametrize("number", every_template())
def test_every_truncation_is_malformed_and_keeps_the_messages_before(number: int) -> None:
    """Cut anywhere in its second message, a packet has no header, and to the decoder the first one's events."""
    whole = packet(synthetic(shipped(), number, 1))
    both = packet(synthetic(shipped(), number, 1), synthetic(shipped(), number, 2))
    first = expected(shipped(), whole)
    for end in range(len(whole) + 1, len(both)):
        state = new_state(PROTOCOL, Options())
        state[UNITS] = 99
        assert decoded(PROTOCOL, state, both[:end]) == (-1, [])
        assert (state[ERROR], state[UNITS], state[MESSAGES]) == (TRUNCATED, 99, 0)
        count, events = decoded(PROTOCOL, state, both, end=end)
        assert (-1 - len(first), first) == (count, events)
        assert (state[ERROR], state[UNITS], state[MESSAGES]) == (TRUNCATED, 0, 1)


def test_a_packet_shorter_than_its_head_is_malformed() -> None:
    """Up to 11 bytes are no packet; 12 are one without messages."""
    data = np.zeros(12, np.uint8)
    state, header = new_state(PROTOCOL, Options()), np.zeros(1, HEADER)
    statuses = [PROTOCOL.frame(data, 0, end, state, header) for end in range(13)]
    assert statuses == [TRUNCATED] * 12 + [0]


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (12, 9, BAD_LENGTH),  # a message shorter than its own head
        (12, 0, BAD_LENGTH),
        (13, 1, TRUNCATED),  # one that ends behind the packet
        (14, 8, BAD_LENGTH),  # a root block too short for what it had from the start
        (14, 255, TRUNCATED),
        (33, 26, BAD_LENGTH),  # entries too short for a book
        (35, 200, TRUNCATED),  # more entries than there are
    ],
)
def test_lengths_that_contradict_the_message_are_malformed(at: int, value: int, code: int) -> None:
    """Each length and count of a book refresh is checked before what it says is read."""
    entry = {"MDEntryPx": 1, "MDEntryType": "0", "MDPriceLevel": 1}
    payload = bytearray(packet(encode_generic(shipped(), 46, {"NoMDEntries": [entry]})))
    payload[at] = value
    state = new_state(PROTOCOL, Options())
    count, events = decoded(PROTOCOL, state, bytes(payload))
    assert (count, events) == (-1, [])
    assert code == state[ERROR]


@pytest.mark.parametrize("number", every_template())
def test_events_that_do_not_fit_are_a_malformation_and_nothing_is_written_behind(number: int) -> None:
    """With room for one event less than there are, the message is not begun."""
    payload = packet(synthetic(shipped(), number, 3))
    for protocol, by_order in ((PROTOCOL, False), (PROTOCOL_ORDERS, True)):
        wanted = len(expected(shipped(), payload, by_order=by_order))
        if not wanted:
            continue
        state = new_state(protocol, Options())
        count, _ = decoded(protocol, state, payload, room=wanted - 1)
        assert count == -1
        assert state[ERROR] == TOO_MANY_EVENTS


@pytest.mark.parametrize("reference", [0, 2, 255])
def test_an_order_that_refers_to_no_entry_is_malformed(reference: int) -> None:
    """Where orders are followed, an order needs the entry that has its price."""
    values = {
        "NoMDEntries": [{"MDEntryPx": 1, "MDEntryType": "0"}],
        "NoOrderIDEntries": [{"OrderID": 1, "ReferenceID": reference}],
    }
    payload = packet(encode_generic(shipped(), 46, values))
    state = new_state(PROTOCOL_ORDERS, Options())
    assert decoded(PROTOCOL_ORDERS, state, payload)[0] == -1
    assert state[ERROR] == BAD_REFERENCE
    by_level = decoded(PROTOCOL, new_state(PROTOCOL, Options()), payload)[1]
    assert [row["kind"] for row in by_level] == [event.LEVEL_NEW]


def _fuzz(count: int, **environment: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, FUZZ, str(count)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    digest, malformed = done.stdout.split()
    return digest, int(malformed)


def test_mutations_come_out_the_same_checked_plain_and_compiled() -> None:
    """No load leaves its packet: not past the checked bounds, not onto a forbidden page, not by what lies around it."""
    compiled = _fuzz(3000)
    assert compiled[1] > 500
    assert compiled == _fuzz(3000, NUMBA_BOUNDSCHECK="1")
    assert _fuzz(60) == _fuzz(60, NUMBA_DISABLE_JIT="1")
