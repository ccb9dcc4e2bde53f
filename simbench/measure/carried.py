"""What a datagram carried: its first sequence and its messages by kind, from its bytes alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simbench.event import EVENT
from simbench.protocol.contract import EVENT_BUFFER, HEADER, MESSAGES, SENT, SEQUENCE, UNITS, Options, new_state
from simbench.protocol.registry import load

if TYPE_CHECKING:
    from simbench.protocol.contract import Protocol


@dataclass(frozen=True, slots=True)
class Carried:
    """What was in a datagram.

    Attributes:
        sequence: its first, as it is on the wire; -1 where its header is malformed.
        messages: decoded.
        kinds: (key, count) by message type, the most frequent first; the key is the exchange's.
    """

    sequence: int
    messages: int
    kinds: tuple[tuple[str, int], ...]


@lru_cache(maxsize=64)
def carried(protocol: str, schema: str, payload: bytes) -> Carried:
    """Decode a datagram by itself, as if nothing had come before it.

    Args:
        protocol: name, as in feed.toml.
        schema: path of a schema of the user's own; "" none.
        payload: of the datagram; what is cut off at its end is not decoded.
    """
    found = load(protocol, schema or None)
    state = new_state(found, Options(schema=schema or None))
    data = np.frombuffer(bytearray(payload) or bytearray(1), np.uint8)
    sequence = _decode(found, state, data, len(payload))
    counts = [(message.key, int(state[message.counter])) for message in found.messages]
    kinds = sorted((each for each in counts if each[1]), key=lambda each: -each[1])
    return Carried(sequence, int(state[MESSAGES]), tuple(kinds))


def _decode(protocol: Protocol, state: np.ndarray, data: np.ndarray, length: int) -> int:
    header, events = np.zeros(1, HEADER), _events()
    at, sequence = 0, -1
    while at < length and protocol.frame(data, at, length, state, header) >= 0:
        start, end, first = int(header[0]["start"]), int(header[0]["end"]), int(header[0]["first"])
        sequence = first if sequence < 0 else sequence
        state[SEQUENCE], state[SENT], state[UNITS] = first, int(header[0]["sent"]), int(header[0]["units"])
        protocol.decode(data, start, end, 0, state, events)
        at = max(end, at + 1)
    return sequence


@lru_cache(maxsize=1)
def _events() -> np.ndarray:
    """Return scratch for decoded events, made once: nobody looks at them."""
    return np.zeros(EVENT_BUFFER, EVENT)
