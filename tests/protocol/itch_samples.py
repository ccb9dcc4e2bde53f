"""Datagrams for the ITCH tests, and what they become by the slow and obvious way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench import event
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SEQUENCE, Options, new_state, pack_text
from simbench.protocol.itch50_layout import LAYOUTS, field_size, read_message, write_message
from simbench.protocol.nasdaq_itch50 import PROTOCOL

if TYPE_CHECKING:
    import random

NOON = 1_577_725_200_000_000_000  # 2019-12-30 12:00 in New York
MIDNIGHT = NOON - 12 * 3600 * 10**9


def some_message(key: str, chance: random.Random) -> bytes:
    """Return a message whose fields are random, over their whole range."""
    values: dict[str, int | str] = {}
    for name, _at, kind in LAYOUTS[key][1:]:
        size = field_size(kind)
        if kind.startswith("text"):
            values[name] = "".join(chance.choice("ABNSY. 0") for _ in range(size)).rstrip()
        else:
            values[name] = chance.getrandbits(8 * size)
    return write_message(key, **values)


def packet(messages: list[bytes], first: int = 1, session: bytes = b"SESSION001", count: int | None = None) -> bytes:
    """Return a MoldUDP64 datagram."""
    size = len(messages) if count is None else count
    head = session + first.to_bytes(8, "big") + size.to_bytes(2, "big")
    return head + b"".join(len(message).to_bytes(2, "big") + message for message in messages)


class Decoder:
    """The protocol's two functions on a state of their own."""

    def __init__(self, first_ns: int = NOON, room: int = EVENT_BUFFER) -> None:
        self.state = new_state(PROTOCOL, Options(first_ns=first_ns))
        self.header = np.zeros(1, HEADER)
        self.events = np.zeros(room, event.EVENT)

    def frame(self, payload: bytes) -> int:
        """Frame a datagram; return the status."""
        data = np.frombuffer(payload, np.uint8).copy()
        return int(PROTOCOL.frame(data, 0, len(data), self.state, self.header))

    def decode(self, payload: bytes, skip: int = 0, end: int | None = None) -> tuple[int, np.ndarray[Any, Any]]:
        """Frame a datagram and decode it, or what is before `end` of it; return decode's result and the events."""
        assert self.frame(payload) == 0
        data = np.frombuffer(payload, np.uint8).copy()
        self.state[SEQUENCE] = self.header[0]["first"]
        start, behind = int(self.header[0]["start"]), int(self.header[0]["end"])
        result = int(PROTOCOL.decode(data, start, behind if end is None else end, skip, self.state, self.events))
        return result, self.events[: result if result >= 0 else -1 - result]


def expected(message: bytes, sequence: int, midnight: int = MIDNIGHT) -> dict[str, int]:
    """Return a message's event field by field, from the specification's words."""
    fields: dict[str, Any] = read_message(message)
    key = fields["type"]
    sides = {"B": event.BID, "S": event.ASK}
    out = {
        "kind": event.STATUS,
        "side": event.NO_SIDE,
        "flags": event.END,
        "level": 0,
        "orders": -1,
        "instrument_sequence": 0,
        "instrument": pack_text(fields["stock"]) if "stock" in fields else 0,
        "order": 0,
        "other": 0,
        "priority": 0,
        "price": 0,
        "quantity": 0,
        "time": midnight + fields["timestamp"],
        "sequence": sequence,
    }
    if key in {"A", "F"}:
        out |= {"kind": event.ADD, "side": sides.get(fields["side"], event.BID), "order": fields["reference"]}
        out |= {"price": fields["price"], "quantity": fields["shares"]}
    elif key in {"E", "C"}:
        out |= {"kind": event.EXECUTE, "order": fields["reference"], "other": fields["match"]}
        out["quantity"] = fields["shares"]
        if key == "C":
            hidden = event.NOT_PRINTABLE if fields["printable"] == "N" else 0
            out |= {"kind": event.EXECUTE_AT, "price": fields["price"], "flags": event.END | hidden}
    elif key in {"X", "D"}:
        out |= {"kind": event.REDUCE if key == "X" else event.DELETE, "order": fields["reference"]}
        out["quantity"] = fields.get("shares", 0)
    elif key == "U":
        out |= {"kind": event.REPLACE, "order": fields["reference"], "other": fields["new_reference"]}
        out |= {"price": fields["price"], "quantity": fields["shares"]}
    elif key in {"P", "Q"}:
        out |= {"kind": event.TRADE, "order": fields.get("reference", 0), "other": fields["match"]}
        out |= {"price": fields["price"], "quantity": fields["shares"]}
    elif key == "R":
        out |= {"kind": event.DEFINE, "order": out["instrument"], "orders": fields["locate"]}
    elif key == "B":
        out |= {"kind": event.NOTE, "other": fields["match"]}
    elif key == "I":
        out |= {"kind": event.STATISTIC, "order": code(fields["direction"]), "other": fields["imbalance_shares"]}
        out |= {"price": fields["reference_price"], "quantity": fields["paired_shares"]}
    elif key == "J":
        out |= {"kind": event.STATISTIC, "order": fields["lower_price"], "other": fields["upper_price"]}
        out["price"] = fields["reference_price"]
    elif key == "O":
        out |= {"kind": event.STATISTIC, "order": fields["minimum_price"], "other": fields["maximum_price"]}
        out["price"] = fields["near_price"]
    elif key == "V":
        out |= {"kind": event.STATISTIC, "order": fields["level2"], "other": fields["level3"]}
        out["price"] = fields["level1"]
    elif key == "N":
        out |= {"kind": event.NOTE, "quantity": code(fields["interest"])}
    else:
        name = {"S": "event", "W": "breached", "Y": "action", "h": "action", "K": "qualifier"}.get(key, "state")
        out["quantity"] = ord(key) << 8 | code(fields[name])
        text = {"L": "participant", "H": "reason", "h": "market"}.get(key)
        if text:
            size = {"L": 4, "H": 4, "h": 1}[key]
            out["other"] = int.from_bytes(fields[text].ljust(size).encode(), "big")
        if key == "K":
            out |= {"other": fields["release_time"], "price": fields["price"]}
    return {name: signed(value) if name in {"price", "quantity"} else value for name, value in out.items()}


def code(text: str) -> int:
    """Return a one-letter field's byte: blank is a space."""
    return ord(text or " ")


def signed(value: int) -> int:
    """Return 64 bits as a signed number, which is how an event holds them."""
    return value - (1 << 64) if value >> 63 else value


def as_dict(record: np.void) -> dict[str, int]:
    """Return an event by field."""
    return {name: int(record[name]) for name in event.EVENT.names or ()}
