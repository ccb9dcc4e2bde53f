"""Segments for the IEX tests, and what they become by the slow and obvious way."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench import event
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SENT, SEQUENCE, UNITS, Options, new_state, pack_text
from simbench.protocol.iex import DEEP, DEEP_PLUS, TOPS
from simbench.protocol.iex_layout import LAYOUTS, field_size
from simbench.protocol.iex_tp import DEEP_ID, DEEP_PLUS_ID, TOPS_ID

if TYPE_CHECKING:
    import random

    from simbench.protocol.contract import Protocol

NOON = 1_750_248_000_000_000_000
IDS = {TOPS.name: TOPS_ID, DEEP.name: DEEP_ID, DEEP_PLUS.name: DEEP_PLUS_ID}
STATUSES = {"S": "event", "H": "status", "O": "status", "P": "status", "E": "event"}
SIDES = {"8": event.BID, "5": event.ASK}
ORDERS = {"a": event.ADD, "M": event.MODIFY, "R": event.DELETE, "L": event.EXECUTE_AT}


def write_message(key: str, **values: int | str) -> bytes:
    """Return a message of a type with the fields given; the others are 0 or spaces."""
    values["type"] = key
    message = bytearray()
    for name, _at, kind in LAYOUTS[key]:
        size, signed = field_size(kind), kind.startswith("i")
        value = values.pop(name, "" if kind.startswith("text") else 0)
        if isinstance(value, str):
            message += value.encode("ascii").ljust(size)
        else:
            message += value.to_bytes(size, "little", signed=signed)
    assert not values, f"{key} has no {', '.join(values)}"
    return bytes(message)


def read_message(message: bytes) -> dict[str, Any]:
    """Return every field of a message by name; text without its trailing spaces."""
    fields: dict[str, Any] = {}
    for name, at, kind in LAYOUTS[chr(message[0])]:
        raw = message[at : at + field_size(kind)]
        if kind.startswith("text"):
            fields[name] = raw.decode("ascii").rstrip(" ")
        else:
            fields[name] = int.from_bytes(raw, "little", signed=kind.startswith("i"))
    return fields


def some_message(key: str, chance: random.Random) -> bytes:
    """Return a message whose fields are random, over their whole range."""
    values: dict[str, int | str] = {}
    for name, _at, kind in LAYOUTS[key][1:]:
        size = field_size(kind)
        if kind.startswith("text"):
            values[name] = "".join(chance.choice("A8N5Y. 0") for _ in range(size)).rstrip()
        else:
            values[name] = chance.getrandbits(8 * size) - (1 << 63 if kind == "i64" else 0)
    return write_message(key, **values)


def quote(symbol: str, bid: tuple[int, int] | None, ask: tuple[int, int] | None) -> bytes:
    """Return a quote update; a side is (price, size), None where there is none."""
    bid_price, bid_size = bid or (0, 0)
    ask_price, ask_size = ask or (0, 0)
    return write_message(
        "Q", timestamp=NOON, symbol=symbol, bid_price=bid_price, bid_size=bid_size, ask_price=ask_price,
        ask_size=ask_size,
    )  # fmt: skip


def level(side: str, symbol: str, price: int, size: int, *, complete: bool = True) -> bytes:
    """Return a price level update; side "8" buys, "5" sells."""
    return write_message(side, flags=int(complete), timestamp=NOON, symbol=symbol, price=price, size=size)


def segment(
    messages: list[bytes],
    first: int = 1,
    *,
    protocol: int = TOPS_ID,
    session: int = 77,
    sent: int = NOON,
    channel: int = 1,
    count: int | None = None,
    length: int | None = None,
    version: int = 1,
) -> bytes:
    """Return an IEX-TP segment; count and length where they lie."""
    body = b"".join(len(message).to_bytes(2, "little") + message for message in messages)
    said = len(messages) if count is None else count
    head = struct.pack(
        "<BBHIIHHqqq", version, 0, protocol, channel, session, len(body) if length is None else length, said, 0, first,
        sent,
    )  # fmt: skip
    return head + body


class Decoder:
    """A protocol's two functions on a state of their own."""

    def __init__(self, protocol: Protocol, room: int = EVENT_BUFFER) -> None:
        self.protocol = protocol
        self.state = new_state(protocol, Options())
        self.header = np.zeros(1, HEADER)
        self.events = np.zeros(room, event.EVENT)

    def frame(self, payload: bytes) -> int:
        """Frame a datagram; return the status."""
        data = np.frombuffer(payload, np.uint8).copy()
        return int(self.protocol.frame(data, 0, len(data), self.state, self.header))

    def decode(self, payload: bytes, skip: int = 0, end: int | None = None) -> tuple[int, np.ndarray[Any, Any]]:
        """Frame a datagram and decode it, or what is before `end` of it; return decode's result and the events."""
        assert self.frame(payload) == 0
        data = np.frombuffer(payload, np.uint8).copy()
        header = self.header[0]
        self.state[SEQUENCE], self.state[SENT], self.state[UNITS] = header["first"], header["sent"], header["units"]
        start, behind = int(header["start"]), int(header["end"])
        result = int(self.protocol.decode(data, start, behind if end is None else end, skip, self.state, self.events))
        return result, self.events[: result if result >= 0 else -1 - result]


def expected(message: bytes, sequence: int, *, inside: bool = False) -> list[dict[str, int]]:
    """Return a message's events field by field, from the specification's words.

    Args:
        message: of a known type.
        sequence: its own.
        inside: whether an event of price level updates is under way, and not ended by this message.
    """
    fields = read_message(message)
    key = fields["type"]
    out = dict.fromkeys(event.EVENT.names or (), 0) | {
        "side": event.NO_SIDE,
        "flags": 0 if inside else event.END,
        "orders": -1,
        "instrument": pack_text(fields.get("symbol", "")),
        "price": fields.get("price", 0),
        "quantity": fields.get("size", 0),
        "other": fields.get("trade", 0),
        "time": fields["timestamp"],
        "sequence": sequence,
    }
    if key == "Q":
        return [quoted(out, fields, name, side) for side, name in enumerate(("bid", "ask"))]
    if key in SIDES:
        out |= {"kind": event.LEVEL, "side": SIDES[key]}
    elif key in ORDERS:
        out |= {"kind": ORDERS[key], "order": fields["order"]}
        out["side"] = SIDES.get(fields.get("side", ""), event.NO_SIDE)
        out["flags"] |= event.KEEP_PRIORITY if key == "M" and fields["flags"] & 1 else 0
    elif key in STATUSES:
        code = fields[STATUSES[key]]
        out |= {"kind": event.STATUS, "quantity": ord(key) << 8 | (code if isinstance(code, int) else letter(code))}
        out["other"] = letter(fields["detail"]) if key == "P" else 0
        if key == "H":
            out["other"] = int.from_bytes(fields["reason"].ljust(4).encode(), "big")
    elif key == "A":
        out |= {"kind": event.STATISTIC, "order": letter(fields["imbalance_side"])}
        out |= {"other": fields["imbalance_shares"], "price": fields["reference_price"]}
        out["quantity"] = fields["paired_shares"]
    elif key == "X":
        out |= {"kind": event.STATISTIC, "other": letter(fields["price_type"])}
    elif key == "I":
        out |= {"kind": event.NOTE, "quantity": letter(fields["indicator"])}
    elif key == "D":
        out |= {"kind": event.DEFINE, "order": out["instrument"]}
    else:
        out["kind"] = {"T": event.TRADE, "B": event.NOTE, "C": event.CLEAR}[key]
    return [{name: value & (1 << 64) - 1 if name in {"order", "other"} else value for name, value in out.items()}]


def expected_all(messages: list[bytes], first: int = 1, skip: int = 0) -> list[dict[str, int]]:
    """Return the events of a packet's messages behind the first ones; between DEEP's updates no event ends."""
    found, inside = [], False
    for index, message in enumerate(messages[skip:], skip):
        if chr(message[0]) in SIDES:
            inside = message[1] & 1 == 0
        found += expected(message, first + index, inside=inside)
    return found


def quoted(out: dict[str, int], fields: dict[str, Any], name: str, side: int) -> dict[str, int]:
    """Return the event of one side of a quote; the second side ends the exchange's event."""
    price, size = fields[f"{name}_price"], fields[f"{name}_size"]
    kind = event.LEVEL_OVERLAY if size else event.LEVEL_DELETE_THROUGH
    flags = event.END if side == event.ASK else 0
    return out | {"kind": kind, "side": side, "level": 1, "price": price, "quantity": size, "flags": flags}


def letter(text: str) -> int:
    """Return a one-letter field's byte: blank is a space."""
    return ord(text or " ")


def as_dicts(events: np.ndarray[Any, Any]) -> list[dict[str, int]]:
    """Return events by field."""
    return [{name: int(record[name]) for name in event.EVENT.names or ()} for record in events]
