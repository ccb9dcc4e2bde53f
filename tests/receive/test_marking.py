"""Where messages end among a packet's events: told for every protocol, and nothing but that is changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_feeds import ITCH, MDP3, make

from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.event import EVENT, MESSAGE_END
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SEQUENCE, UNITS, Options, new_state
from simbench.protocol.registry import load
from simbench.receive.marking import ALL, OF_INSTRUMENT, keep, mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PACKETS = 2000
REAL = {"deribit.sbe": "deribit-sbe/capture.pcapng", "iex.tops": "iex-tops/capture.pcapng.gz"}


@dataclass
class Packet:
    """A packet that was decoded.

    Attributes:
        data: with its messages.
        start: of them.
        end: behind them.
        before: the protocol's state before it.
        after: behind it.
        events: as they were decoded.
    """

    data: NDArray[np.uint8]
    start: int
    end: int
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    events: NDArray[Any]


def packets(path: Path, protocol: str) -> Iterator[Packet]:
    """Decode the packets of a capture, one line's and the other's as they come."""
    spoken = load(protocol, None)
    state = new_state(spoken, Options(first_ns=1))
    events, header = np.zeros(2 * EVENT_BUFFER, EVENT), np.zeros(1, HEADER)
    dissector = Dissector()
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        for frame in block.frames[block.frames["payload"] >= 0]:
            at, end = int(frame["payload"]), int(frame["payload"] + frame["payload_length"])
            while at < end and spoken.frame(block.data, at, end, state, header) == 0:
                start, at = int(header[0]["start"]), int(header[0]["end"])
                state[SEQUENCE], state[UNITS] = header[0]["first"], header[0]["units"]
                before = state.copy()
                count = spoken.decode(block.data, start, at, 0, state, events)
                if count > 0:
                    yield Packet(block.data, start, at, before, state.copy(), events[:count].copy())


def marks(packet: Packet, protocol: str, whose: int = ALL, key: int = 0) -> list[int]:
    """Mark a packet's events; return how many there are up to the end of each message."""
    spoken, count = load(protocol, None), len(packet.events)
    state, scratch = packet.before.copy(), np.zeros(2 * len(packet.before), np.int64)
    keep(state, scratch)
    state[:] = packet.after
    events = np.zeros(2 * EVENT_BUFFER, EVENT)
    events[:count] = packet.events
    mark(packet.data, packet.start, packet.end, 0, spoken.decode, state, scratch, events, 0, count, whose, key)
    assert np.array_equal(state, packet.after)
    found = (np.flatnonzero(events["flags"][:count] & MESSAGE_END) + 1).tolist()
    events["flags"] &= ~np.uint16(MESSAGE_END)
    assert (events[:count] == packet.events).all()
    assert found[-1] == count
    return found


def message_by_message(packet: Packet, protocol: str) -> list[int]:
    """Decode each of a packet's messages alone; return how many events there are after each that has any."""
    spoken, state = load(protocol, None), packet.before.copy()
    big = protocol == ITCH
    events, found = np.zeros(EVENT_BUFFER, EVENT), [0]
    at = packet.start + 2 * big  # MoldUDP64's count stands in front of the messages
    while at < packet.end:
        size = int.from_bytes(packet.data[at : at + 2].tobytes(), "big" if big else "little") + 2 * big
        one = np.frombuffer(b"\0\1" * big + packet.data[at : at + size].tobytes(), np.uint8).copy()
        found.append(found[-1] + int(spoken.decode(one, 0, len(one), 0, state, events)))
        at += size
    return sorted(set(found) - {0})


@pytest.fixture(scope="module", params=[ITCH, MDP3, "real"])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Packet]]:
    """Return packets whose messages are easily told apart, and their protocol."""
    if request.param == "real":
        path, protocol = request.getfixturevalue("cme"), MDP3
    else:
        protocol = request.param
        path = make(tmp_path_factory.mktemp("marking") / "made", protocol, 400, rate=200_000.0)
    return protocol, list(islice(packets(path, protocol), PACKETS))


def test_a_packet_is_marked_where_its_messages_end(known: tuple[str, list[Packet]]) -> None:
    """As when each is decoded alone; those without an event have no end."""
    protocol, found = known
    expected = [message_by_message(packet, protocol) for packet in found]
    assert [marks(packet, protocol) for packet in found] == expected
    assert max(map(len, expected)) > 1


def test_a_packet_that_is_not_about_the_instrument_may_be_one_message(known: tuple[str, list[Packet]]) -> None:
    """One that is has all its messages told apart."""
    protocol, found = known
    key = int(found[len(found) // 2].events["instrument"].view(np.int64)[-1])
    for packet in found:
        named = set(packet.events["instrument"].view(np.int64).tolist())
        told = marks(packet, protocol, OF_INSTRUMENT, key)
        if named & {key, 0}:
            assert told == message_by_message(packet, protocol)


@pytest.mark.parametrize("protocol", REAL)
def test_what_a_protocol_remembers_is_put_back(protocol: str, real_captures: Path) -> None:
    """Also one that carries things from packet to packet; a quote of two sides is one message."""
    found = list(islice(packets(real_captures / REAL[protocol], protocol), PACKETS))
    told = [marks(packet, protocol) for packet in found]
    assert any(len(ends) < len(packet.events) for ends, packet in zip(told, found, strict=True))
    assert any(len(ends) > 1 for ends in told)
