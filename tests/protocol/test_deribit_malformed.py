"""What is broken in a Deribit frame is reported and never raises, whatever is cut off, overwritten or claimed."""

from __future__ import annotations

import math
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deribit_frames import Decoder, book, frame, group, message, snapshot, some_message

from simbench.protocol import deribit_layout as layout
from simbench.protocol.contract import (
    BAD_LENGTH,
    ERROR,
    MESSAGES,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
)
from simbench.protocol.deribit_messages import BAD_ENTRY
from simbench.protocol.deribit_sbe import PROTOCOL

SCRIPT = Path(__file__).with_name("deribit_modes.py")
GOOD = book(16, 1, 2, (0, 0, 1.0, 1.0), (1, 0, 0.5, 1.0))
ENTRY = {"side": 1, "change": 0, "price": 1.0, "amount": 1.0, "direction": 1}


def full(template: int) -> bytes:
    """Return a message with two entries and a name, where its template has them."""
    names = [name for name, _, _ in layout.TABLE[template][4]]
    row = {name: value for name, value in ENTRY.items() if name in names}
    return message(template, {}, [row, row] if row else [], name=b"BTC-PERPETUAL")


def resized(payload: bytes) -> bytes:
    """Return a frame whose head says how long it is now."""
    return struct.pack("<H", len(payload) - layout.FRAME_SIZE) + payload[2:]


@pytest.mark.parametrize("template", layout.TABLE)
def test_every_truncation_is_malformed_and_keeps_the_messages_before(template: int) -> None:
    """Cut anywhere in its second message, a frame gives the first one's events and says why."""
    whole, both = frame(GOOD), frame(GOOD, full(template))
    first = Decoder().take(whole)
    assert len(first) == 2
    for end in range(len(whole) + 1, len(both)):
        decoder = Decoder()
        decoder.state[UNITS] = 99
        assert decoder.take(resized(both[:end])) == first, end
        assert decoder.count == -3
        assert (decoder.state[ERROR], decoder.state[UNITS], decoder.state[MESSAGES]) == (TRUNCATED, 0, 1)


def test_a_datagram_shorter_than_its_frame_has_a_bad_header() -> None:
    """The head says how long the frame is; up to its last byte it is not there."""
    payload = frame(GOOD)
    decoder = Decoder()
    for end in range(len(payload)):
        data = np.frombuffer(payload[:end], np.uint8).copy()
        assert PROTOCOL.frame(data, 0, end, decoder.state, decoder.header) == TRUNCATED
        assert decoder.state[ERROR] == TRUNCATED


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (8, 28, BAD_LENGTH),  # a root block too short for what it had from the start
        (9, 1, TRUNCATED),  # one that ends behind the frame
        (16, 2, TRUNCATED),  # a second group that is not there
        (18, 1, TRUNCATED),  # a string that is not there
        (49, 17, BAD_LENGTH),  # entries too short for a book
        (49, 19, TRUNCATED),  # longer than there is room for
        (51, 3, TRUNCATED),  # more entries than there are
        (53, 1, TRUNCATED),  # entries with a group in them
        (55, 1, TRUNCATED),  # or a string
        (58, 3, BAD_ENTRY),  # a change that is not known
    ],
)
def test_lengths_that_contradict_the_message_are_malformed(at: int, value: int, code: int) -> None:
    """Each length and count of a book message is checked before what it says is read."""
    payload = bytearray(frame(GOOD))
    payload[at] = value
    decoder = Decoder()
    assert decoder.take(bytes(payload)) == []
    assert (decoder.count, int(decoder.state[ERROR])) == (-1, code)


def test_entries_that_are_not_flat_are_no_levels() -> None:
    """A book whose entries hold strings is walked and not read."""
    entry = bytes(18) + b"\1x"
    nested = struct.pack("<6H", 29, layout.BOOK, 1, 2, 1, 0) + bytes(29) + group(18, entry, strings=1)
    decoder = Decoder()
    assert decoder.take(frame(nested)) == []
    assert (decoder.count, int(decoder.state[ERROR])) == (-1, BAD_LENGTH)


def test_groups_inside_each_other_without_end_are_malformed() -> None:
    """Four deep they are walked, five deep not."""
    for depth, expected in ((layout.WALK_DEPTH, 0), (layout.WALK_DEPTH + 1, -1)):
        inner = group(0)
        for _ in range(depth - 1):
            inner = group(1, b"x" + inner, nested=1)
        decoder = Decoder()
        decoder.take(frame(struct.pack("<6H", 0, 1007, 1, 2, 1, 0) + inner))
        assert decoder.count == expected
    assert decoder.state[ERROR] == BAD_LENGTH


@pytest.mark.parametrize(
    "broken",
    [
        book(16, 1, 2, (0, 0, math.nan, 1.0)),
        book(16, 1, 2, (0, 0, 1.0, math.nan)),
        snapshot(16, 1, (0, math.nan, 1.0)),
        snapshot(16, 1, (0, 1.0, math.nan)),
    ],
)
def test_a_level_without_a_number_is_malformed(broken: bytes) -> None:
    """The book cannot be what the exchange has: the frame becomes a gap, and the chain breaks with it."""
    decoder = Decoder()
    decoder.take(frame(message(layout.SNAPSHOT_START), broken), flow=1)
    assert (decoder.count < 0, int(decoder.state[ERROR])) == (True, BAD_ENTRY)


@pytest.mark.parametrize("template", [t for t, row in layout.TABLE.items() if row[3]])
def test_events_that_do_not_fit_are_a_malformation_and_nothing_is_written_behind(template: int) -> None:
    """With less room than a message may need it is not begun."""
    for room in range(4):
        decoder = Decoder(room=room)
        assert decoder.take(frame(full(template)), flow=1) == []
        assert (decoder.count, int(decoder.state[ERROR])) == (-1, TOO_MANY_EVENTS)
    assert Decoder(room=4).take(frame(full(layout.BOOK)))


def test_a_skipped_frame_is_nothing() -> None:
    """One frame is one unit."""
    decoder = Decoder()
    data = np.frombuffer(frame(GOOD), np.uint8).copy()
    assert PROTOCOL.decode(data, 8, len(data), 1, decoder.state, decoder.events) == 0
    assert decoder.state[MESSAGES] == 0


def test_random_messages_are_decoded_whole() -> None:
    """What the mutations start from is no malformation of its own, but for numbers that are none."""
    chance = random.Random(3)
    whole = 0
    for _ in range(200):
        decoder = Decoder()
        decoder.take(frame(some_message(chance.choice(list(layout.TABLE)), chance)))
        assert decoder.count >= 0 or decoder.state[ERROR] == BAD_ENTRY
        whole += decoder.count >= 0
    assert whole > 150


def run(count: object, **environment: str) -> str:
    """Return what a build of the kernels prints."""
    settings = {**os.environ, **environment}
    command = [sys.executable, str(SCRIPT), str(count)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_mutations_come_out_the_same_checked_plain_and_compiled() -> None:
    """No load leaves its frame, in none of the builds, and all of them say the same."""
    compiled = run(1_500)
    assert int(compiled.split()[1]) > 300
    assert compiled == run(1_500, NUMBA_BOUNDSCHECK="1")
    assert run(200) == run(200, NUMBA_DISABLE_JIT="1")


def test_a_planted_load_outside_is_seen() -> None:
    """The checked build and plain Python raise where a length check would have been off: the test above can fail."""
    assert run("beyond", NUMBA_BOUNDSCHECK="1") == "seen"
    assert run("beyond", NUMBA_DISABLE_JIT="1") == "seen"
