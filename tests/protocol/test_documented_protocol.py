"""The invented protocol of docs/protocol.md: its file works, and the page shows that file."""

from __future__ import annotations

import importlib.util
import re
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simbench import event
from simbench.event import EVENT
from simbench.protocol.contract import (
    BAD_HEADER,
    BAD_LENGTH,
    ERROR,
    HEADER,
    HEARTBEAT,
    MESSAGES,
    SENT,
    SEQUENCE,
    TOO_MANY_EVENTS,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Options,
    new_state,
    pack_text,
)

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILE = DOCS / "examples" / "toy.py"
NOON = 1_750_248_000_000_000_000


@pytest.fixture(scope="module")
def toy() -> ModuleType:
    """Return the example's module, as a plug-in's would be imported."""
    spec = importlib.util.spec_from_file_location("toy", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module
    spec.loader.exec_module(module)
    return module


def message(kind: str, side: str, orders: int, quantity: int, symbol: str, price: int) -> bytes:
    """Return one message, written by hand."""
    return struct.pack("<ccHI8sq", kind.encode(), side.encode(), orders, quantity, symbol.encode(), price)


def packet(sequence: int, *messages: bytes, count: int | None = None, zero: int = 0) -> bytes:
    """Return one datagram; count where it lies."""
    head = struct.pack("<IHHQ", sequence, len(messages) if count is None else count, zero, NOON)
    return head + b"".join(messages)


BID = message("Q", "B", 3, 500, "ACME", 101_2500)
ASK = message("Q", "S", 1, 200, "ACME", 101_3000)
TRADE = message("T", "S", 0, 50, "BETA", -7)
STRANGE = message("X", "B", 0, 0, "", 0)


class Decoded:
    """What frame and decode make of a datagram."""

    def __init__(self, toy: ModuleType, payload: bytes, *, skip: int = 0, room: int = 16) -> None:
        protocol = toy.PROTOCOL
        self.state = new_state(protocol, Options())
        self.header = np.zeros(1, HEADER)
        buffer = np.frombuffer(bytearray(payload) or bytearray(1), np.uint8)
        self.status = int(protocol.frame(buffer, 0, len(payload), self.state, self.header))
        self.count = 0
        self.events: Any = np.zeros(room, EVENT)
        if self.status == 0:
            head = self.header[0]
            self.state[SEQUENCE], self.state[SENT] = head["first"], head["sent"]
            self.count = int(protocol.decode(buffer, head["start"], head["end"], skip, self.state, self.events))


def test_a_header_says_what_arbitration_needs(toy: ModuleType) -> None:
    """Sequence, units, sent time and where the body lies come out of the sixteen bytes."""
    found = Decoded(toy, packet(42, BID, ASK)).header[0]
    assert tuple(int(found[name]) for name in HEADER.names or ()) == (0, 0, 42, 2, 0, NOON, 4, 64)


def test_a_quote_becomes_a_level_and_a_trade_a_trade(toy: ModuleType) -> None:
    """Each message is an event with the packet's time and a sequence of its own."""
    found = Decoded(toy, packet(42, BID, ASK, TRADE))
    wanted = np.zeros(3, EVENT)
    wanted["kind"] = event.LEVEL, event.LEVEL, event.TRADE
    wanted["side"] = event.BID, event.ASK, event.ASK
    wanted["flags"] = event.END
    wanted["orders"] = 3, 1, -1
    wanted["instrument"] = pack_text("ACME"), pack_text("ACME"), pack_text("BETA")
    wanted["price"] = 101_2500, 101_3000, -7
    wanted["quantity"] = 500, 200, 50
    wanted["time"] = NOON
    wanted["sequence"] = 42, 43, 44
    assert found.count == 3
    assert wanted.tolist() == found.events[:3].tolist()


def test_what_arbitration_delivered_before_is_skipped(toy: ModuleType) -> None:
    """The first two of three units are neither decoded nor counted."""
    found = Decoded(toy, packet(42, BID, ASK, TRADE), skip=2)
    assert (found.count, int(found.events[0]["sequence"])) == (1, 44)
    assert found.state[MESSAGES] == 1


def test_a_heartbeat_has_no_messages(toy: ModuleType) -> None:
    """A count of 0 announces the next sequence."""
    found = Decoded(toy, packet(45))
    assert tuple(int(found.header[0][name]) for name in ("flags", "first", "units")) == (HEARTBEAT, 45, 0)
    assert found.count == 0


def test_an_unknown_type_is_counted_and_stepped_over(toy: ModuleType) -> None:
    """Messages have one size, so what follows a strange one is still found."""
    found = Decoded(toy, packet(1, STRANGE, BID))
    assert (found.count, found.state[UNKNOWN], found.state[MESSAGES]) == (1, 1, 2)
    assert found.events[0]["sequence"] == 2


@pytest.mark.parametrize("length", range(16))
def test_a_header_that_is_cut_is_malformed(toy: ModuleType, length: int) -> None:
    """Nothing behind the datagram's end is read."""
    assert Decoded(toy, packet(1, BID)[:length]).status == TRUNCATED


def test_a_reserved_field_that_is_set_is_malformed(toy: ModuleType) -> None:
    """Zeros that are none are no packet of this protocol."""
    found = Decoded(toy, packet(1, BID, zero=1))
    assert (found.status, found.state[ERROR]) == (BAD_HEADER, BAD_HEADER)


@pytest.mark.parametrize("cut", range(1, 24))
def test_the_messages_before_the_damage_count(toy: ModuleType, cut: int) -> None:
    """Of two messages with the second cut, one event comes out and one unit was good."""
    found = Decoded(toy, packet(1, BID, ASK)[:-cut])
    assert (found.count, found.state[ERROR], found.state[UNITS]) == (-2, TRUNCATED, 1)
    assert found.events[0]["quantity"] == 500


def test_a_whole_message_that_lacks_is_noticed(toy: ModuleType) -> None:
    """A packet cut between two messages promises more than it holds."""
    found = Decoded(toy, packet(1, BID, ASK, count=3))
    assert (found.count, found.state[ERROR], found.state[UNITS]) == (-3, TRUNCATED, 2)


def test_bytes_behind_the_last_message_are_malformed(toy: ModuleType) -> None:
    """What the header does not count is not ignored."""
    found = Decoded(toy, packet(1, BID, ASK, count=1))
    assert (found.count, found.state[ERROR], found.state[UNITS]) == (-2, BAD_LENGTH, 1)


def test_a_full_event_buffer_ends_the_packet(toy: ModuleType) -> None:
    """With room for one event the second unit is not good."""
    found = Decoded(toy, packet(1, BID, ASK), room=1)
    assert (found.count, found.state[ERROR], found.state[UNITS]) == (-2, TOO_MANY_EVENTS, 1)


def test_it_knows_its_own(toy: ModuleType) -> None:
    """The sure signs are those of a packet that its count fills with known messages."""
    assert toy.PROTOCOL.detect(packet(1, BID, TRADE))
    assert not toy.PROTOCOL.detect(packet(1, BID, STRANGE))
    assert not toy.PROTOCOL.detect(packet(1, BID)[:-1])
    assert not toy.PROTOCOL.detect(b"")


def test_a_layout_has_the_size_of_what_is_read(toy: ModuleType) -> None:
    """The table that documents the wire is the wire's."""
    sizes = {}
    for name, rows in toy.PROTOCOL.layouts.items():
        _, at, kind = rows[-1]
        sizes[name] = at + (int(kind[4:]) if kind.startswith("text") else int(kind[1:]) // 8)
    assert sizes == {"packet": toy.HEADER_SIZE, "Q": toy.SIZE, "T": toy.SIZE}


def test_its_packets_can_be_cut_and_numbered_anew(toy: ModuleType) -> None:
    """What the page says of fault scripts: the pieces are packets that go on from one another."""
    pieces = toy.PROTOCOL.rewriting.cut(packet(42, BID, ASK, TRADE), 2)
    assert pieces == [(packet(42, BID, ASK), 0, 2), (packet(44, TRADE), 2, 1)]
    assert toy.PROTOCOL.rewriting.joined([piece for piece, _, _ in pieces], 3) == packet(42, BID, ASK, TRADE)


def test_the_page_shows_the_file() -> None:
    """Every Python snippet that the page says is of the file stands in it, word for word."""
    source = FILE.read_text(encoding="utf-8")
    page = (DOCS / "protocol.md").read_text(encoding="utf-8")
    snippets = re.findall(r"<!-- of toy\.py -->\n```python\n(.*?)```", page, re.DOTALL)
    assert len(snippets) >= 4
    assert [snippet for snippet in snippets if snippet not in source] == []
    assert any("def frame(" in snippet for snippet in snippets)
    assert any("def decode(" in snippet for snippet in snippets)
