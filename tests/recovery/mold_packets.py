"""MoldUDP64 packets by hand: what the tests of the servers send, and how they read what comes back."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.frame import FRAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SESSION = b"  DAY00001"


def packet(first: int, messages: Sequence[bytes], session: bytes = SESSION) -> bytes:
    """Return a packet of these messages."""
    blocks = b"".join(struct.pack(">H", len(message)) + message for message in messages)
    return struct.pack(">10sQH", session, first, len(messages)) + blocks


def ask(first: int, count: int, session: bytes = SESSION) -> bytes:
    """Return a request."""
    return struct.pack(">10sQH", session, first, count)


def read(datagram: bytes) -> tuple[bytes, int, list[bytes]]:
    """Return session, first sequence and messages of a packet that has to be exactly as long as it says."""
    session, first, count = struct.unpack_from(">10sQH", datagram)
    at, messages = 20, []
    for _ in range(count):
        (length,) = struct.unpack_from(">H", datagram, at)
        messages.append(datagram[at + 2 : at + 2 + length])
        assert len(messages[-1]) == length
        at += 2 + length
    assert at == len(datagram)
    return session, first, messages


def block(payloads: Iterable[tuple[int, bytes]]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return datagrams of one flow, (stamp, payload) each, as a dissected block."""
    given = list(payloads)
    frames = np.zeros(len(given), FRAME)
    at = 0
    for frame, (stamp, payload) in zip(frames, given, strict=True):
        frame["stamp"], frame["payload"], frame["payload_length"] = stamp, at, len(payload)
        at += len(payload)
    return np.frombuffer(bytearray(b"".join(payload for _, payload in given) or b"\0"), np.uint8), frames
