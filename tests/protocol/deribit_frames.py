"""Deribit frames made by hand from the layout table, and a decoder of them over the kernels."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench import event
from simbench.event import EVENT
from simbench.protocol import deribit_layout as layout
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SEQUENCE, SNAPSHOT_FLOW, Options, new_state
from simbench.protocol.deribit_sbe import PROTOCOL

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

FORMATS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "f64": "<d", "text8": "8s", "text16": "16s"}
NAMED = (layout.INSTRUMENT, layout.INSTRUMENT_2)
DEFAULTS = {
    "side": event.NO_SIDE,
    "flags": 0,
    "level": 0,
    "orders": -1,
    "instrument_sequence": 0,
    "order": 0,
    "other": 0,
    "priority": 0,
    "price": event.NO_PRICE,
    "quantity": 0,
    "time": 0,
    "sequence": 7,
}
MS = 1_000_000


def block(size: int, fields: layout.Fields, values: Mapping[str, Any]) -> bytes:
    """Return a block of a layout; what is not said is zero."""
    out = bytearray(size)
    places = {name: (at, form) for name, at, form in fields}
    for name, value in values.items():
        at, form = places[name]
        struct.pack_into(FORMATS[form], out, at, value)
    return bytes(out)


def group(length: int, *entries: bytes, nested: int = 0, strings: int = 0) -> bytes:
    """Return a group of entries."""
    return struct.pack("<4H", length, len(entries), nested, strings) + b"".join(entries)


def message(
    template: int,
    values: Mapping[str, Any] | None = None,
    entries: Sequence[Mapping[str, Any]] = (),
    *,
    name: bytes = b"",
    longer: int = 0,
) -> bytes:
    """Return a message as the exchange sends it; `longer`: of a version that gained so many bytes in each block."""
    _, root, fields, size, entry = layout.TABLE[template]
    groups = [group(size + longer, *(block(size, entry, row) + bytes(longer) for row in entries))] if size else []
    groups += [group(16)] if template == layout.INSTRUMENT_2 else []
    strings = [bytes([len(name)]) + name] if template in NAMED else []
    head = struct.pack("<6H", root + longer, template, layout.SCHEMA, 2, len(groups), len(strings))
    return head + block(root, fields, values or {}) + bytes(longer) + b"".join(groups) + b"".join(strings)


def frame(*messages: bytes, channel: int = 1, sequence: int = 7) -> bytes:
    """Return a frame of messages."""
    body = b"".join(messages)
    return struct.pack("<HHI", len(body), channel, sequence) + body


def instrument(key: int, name: bytes, tick: float, least: float, contract: float = 1.0, template: int = 1000) -> bytes:
    """Return a definition."""
    sizes = {"instrument": key, "tick_size": tick, "minimum_amount": least, "contract_size": contract}
    return message(template, sizes, name=name)


def book(key: int, before: int, change: int, *entries: tuple[int, int, float, float], last: bool = True) -> bytes:
    """Return a book message: side, action, price and amount an entry."""
    names = ("side", "change", "price", "amount")
    root = {"instrument": key, "time": 1000 + change, "previous_change": before, "change": change, "is_last": last}
    return message(layout.BOOK, root, [dict(zip(names, entry, strict=True)) for entry in entries])


def snapshot(
    key: int, change: int, *entries: tuple[int, float, float], last: bool = True, complete: bool = True
) -> bytes:
    """Return a snapshot message: side, price and amount an entry."""
    root = {"instrument": key, "time": 1000 + change, "change": change, "is_complete": complete, "is_last": last}
    return message(
        layout.SNAPSHOT, root, [dict(zip(("side", "price", "amount"), entry, strict=True)) for entry in entries]
    )


def some_message(template: int, chance: random.Random) -> bytes:
    """Return a message of a template with random content."""

    def value(form: str) -> Any:
        if form == "f64":
            return chance.choice([0.5, 25_000.5, -0.0004, 1e300, math.nan, math.inf, chance.random()])
        if form.startswith("text"):
            return bytes(chance.randrange(256) for _ in range(int(form[4:])))
        return chance.choice([0, 1, 2, 3, chance.randrange(1 << 8)])

    _, _, fields, _, entry = layout.TABLE[template]
    rows = [{name: value(form) for name, _, form in entry} for _ in range(chance.randrange(4))] if entry else []
    name = b"BTC-16JUN23-25800-C-OR-LONGER"[: chance.randrange(30)]
    return message(
        template, {name: value(form) for name, _, form in fields}, rows, name=name, longer=chance.choice([0, 0, 5])
    )


class Decoder:
    """A channel's state, and what the kernels make of frames."""

    def __init__(self, room: int = EVENT_BUFFER) -> None:
        self.state = new_state(PROTOCOL, Options())
        self.header = np.zeros(1, HEADER)
        self.events = np.zeros(room, EVENT)
        self.count = 0

    def take(self, payload: bytes, flow: int = 0) -> list[dict[str, int]]:
        """Decode a datagram of a line, or of a snapshot flow; the events without what is as in DEFAULTS."""
        self.events.view(np.uint8)[:] = 0xAB  # a field that is left unwritten shows
        data = np.frombuffer(payload, np.uint8).copy()
        assert PROTOCOL.frame(data, 0, len(data), self.state, self.header) == 0
        header = self.header[0]
        self.state[SEQUENCE] = header["first"]
        self.state[SNAPSHOT_FLOW] = flow
        start, end = int(header["start"]), int(header["end"])
        self.count = int(PROTOCOL.decode(data, start, end, 0, self.state, self.events))
        kept = self.count if self.count >= 0 else -1 - self.count
        rows = [{name: int(row[name]) for name in EVENT.names or ()} for row in self.events[:kept]]
        return [{name: n for name, n in row.items() if DEFAULTS.get(name) != n} for row in rows]
