"""Packets of simbench.mbp10 for the tests: written and read field by field from the layout, without the kernels."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.protocol.mbp10_layout import DEPTH, LEVEL, LEVEL_SIZE, PACKET, SIZE

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    Level = tuple[int, int, int]  # price, quantity, orders

FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q", "text4": "4s"}
FIRST_LEVEL = 48
NOON = 1_750_248_000_000_000_000


def write(
    bids: Sequence[Level | None] = (), asks: Sequence[Level | None] = (), symbols: int = 0, **fields: Any
) -> bytes:
    """Return a packet; a level is (price, quantity, orders), None where it is unknown."""
    values: dict[str, Any] = {
        "magic": b"MB10",
        "version": 1,
        "symbols": symbols,
        "depth": DEPTH,
        "sequence": 1,
        "sent": NOON,
        "instrument": 7,
        "time": NOON - 1,
        "bids": sum(1 << number for number, level in enumerate(bids) if level is not None),
        "asks": sum(1 << number for number, level in enumerate(asks) if level is not None),
        "zero": 0,
    }
    values.update(fields)
    packet = bytearray(SIZE)
    for name, at, kind in PACKET:
        struct.pack_into(f"<{FORMATS[kind]}", packet, at, values[name])
    for side, levels in enumerate((bids, asks)):
        for number, level in enumerate(levels):
            at = FIRST_LEVEL + (side * DEPTH + number) * LEVEL_SIZE
            for (_name, offset, kind), value in zip(LEVEL, level or (0, 0, 0), strict=True):
                struct.pack_into(f"<{FORMATS[kind]}", packet, at + offset, value)
    return bytes(packet)


def read(packet: bytes) -> dict[str, Any]:
    """Return every field of a packet, and its levels: a list a side, None where unknown, down to the last known one."""
    found = {name: struct.unpack_from(f"<{FORMATS[kind]}", packet, at)[0] for name, at, kind in PACKET}
    for side, name in enumerate(("bids", "asks")):
        levels = []
        for number in range(found[name].bit_length()):
            at = FIRST_LEVEL + (side * DEPTH + number) * LEVEL_SIZE
            level = tuple(struct.unpack_from(f"<{FORMATS[kind]}", packet, at + offset)[0] for _, offset, kind in LEVEL)
            levels.append(level if found[name] >> number & 1 else None)
        found[name] = levels
    return found


def some_packet(chance: random.Random, sequence: int, symbols: int = 0) -> bytes:
    """Return a packet whose levels are random, over their whole range."""
    sides = [
        [
            (chance.getrandbits(64) - (1 << 63), chance.getrandbits(64) - (1 << 63), chance.getrandbits(32) - (1 << 31))
            if chance.random() < 0.9
            else None
            for _ in range(chance.randrange(DEPTH + 1))
        ]
        for _ in range(2)
    ]
    return write(*sides, symbols=symbols, sequence=sequence, instrument=chance.randrange(1, 20))


def expected(packet: bytes) -> list[dict[str, int]]:
    """Return a packet's events field by field, by the words of mbp10.py."""
    fields = read(packet)
    common = dict.fromkeys(event.EVENT.names or (), 0) | {
        "flags": event.FROM_SNAPSHOT,
        "instrument": fields["instrument"],
        "time": fields["time"],
        "sequence": fields["sequence"],
    }
    found = [
        common | {"kind": event.SNAPSHOT, "side": event.NO_SIDE, "orders": -1, "price": event.NO_PRICE, "quantity": 0}
    ]
    for side, name in ((event.BID, "bids"), (event.ASK, "asks")):
        for number, level in enumerate(fields[name], 1):
            if level is not None:
                price, quantity, orders = level
                found.append(
                    common
                    | {
                        "kind": event.LEVEL_OVERLAY,
                        "side": side,
                        "level": number,
                        "price": price,
                        "quantity": quantity,
                        "orders": orders,
                    }
                )
    found[-1]["flags"] |= event.END
    return found
