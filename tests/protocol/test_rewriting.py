"""How packets are numbered anew and cut: the pieces carry the same messages under the same sequences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.protocol import iex_tp, moldudp64
from simbench.protocol.registry import load
from simbench.protocol.rewriting import Number, Rewriting

MESSAGES = st.lists(st.binary(max_size=40), min_size=1, max_size=12)


def mold(sequence: int, messages: list[bytes]) -> bytes:
    """Return a MoldUDP64 packet, written by hand."""
    head = b"SESSION001" + sequence.to_bytes(8, "big") + len(messages).to_bytes(2, "big")
    return head + b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def iex(sequence: int, messages: list[bytes], position: int = 1000) -> bytes:
    """Return an IEX-TP segment, written by hand."""
    body = b"".join(len(message).to_bytes(2, "little") + message for message in messages)
    numbers = [(1, 1), (0, 1), (0x8003, 2), (1, 4), (77, 4), (len(body), 2), (len(messages), 2), (position, 8)]
    numbers += [(sequence, 8), (5, 8)]
    return b"".join(value.to_bytes(size, "little") for value, size in numbers) + body


@pytest.mark.parametrize(("write", "rewriting"), [(mold, moldudp64.REWRITING), (iex, iex_tp.REWRITING)])
@given(messages=MESSAGES, pieces=st.integers(2, 8))
@settings(deadline=None, max_examples=60)
def test_pieces_are_packets_of_the_same_messages(
    write: type, rewriting: Rewriting, messages: list[bytes], pieces: int
) -> None:
    """Each piece is the packet that the exchange would have sent of its messages; joined they are the whole again."""
    packet = write(40, messages)

    cut = rewriting.cut(packet, pieces)

    if len(messages) < 2:
        assert cut == []
        return
    assert len(cut) == min(pieces, len(messages))
    assert max(units for _, _, units in cut) - min(units for _, _, units in cut) <= 1
    at = 0
    for piece, first, units in cut:
        part = messages[first : first + units]
        before = sum(2 + len(message) for message in messages[:first])
        assert (first, len(part)) == (at, units)
        assert piece == (iex(40 + first, part, 1000 + before) if write is iex else mold(40 + first, part))
        at += units
    assert rewriting.joined([piece for piece, _, _ in cut], len(messages)) == packet


@pytest.mark.parametrize(("write", "rewriting"), [(mold, moldudp64.REWRITING), (iex, iex_tp.REWRITING)])
def test_a_packet_that_its_messages_do_not_fill_is_not_cut(write: type, rewriting: Rewriting) -> None:
    """Cut short, or with bytes behind the last message: nobody knows where it may be cut."""
    packet = write(40, [b"abc", b"defg"])

    assert len(rewriting.cut(packet, 2)) == 2
    assert rewriting.cut(packet[:-1], 2) == []
    assert rewriting.cut(packet + b"x", 2) == []


def test_a_number_is_written_where_it_stands() -> None:
    """Other bytes stay, and a value too large for its field wraps around."""
    field = Number(2, 4, big=False)
    assert field.written(b"ab\0\0\0\0cd", 0x1_0000_0102) == b"ab\x02\x01\0\0cd"
    assert field.read(b"ab\x02\x01\0\0cd") == 0x102


def test_a_packet_that_is_one_unit_is_not_cut() -> None:
    """CME numbers packets: they can begin again, and cannot be cut."""
    rewriting = load("cme.mdp3").rewriting
    assert rewriting is not None
    assert rewriting.sequence == Number(0, 4, big=False)
    assert rewriting.cut(b"\1\0\0\0" + bytes(40), 2) == []
