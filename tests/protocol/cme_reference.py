"""What CME packets mean, written the obvious way over the generic decoder: the second opinion on the kernels."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import dpkt
import numpy as np

from simbench import event
from simbench.event import EVENT
from simbench.protocol.cme_layout import shipped
from simbench.protocol.contract import EVENT_BUFFER, HEADER, SEQUENCE
from simbench.protocol.sbe_codec import decode_generic, encode_generic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.protocol.contract import Protocol
    from simbench.protocol.sbe import Group, Leaf, Schema, Template

DEFAULTS = {
    "kind": event.NOTE,
    "side": event.NO_SIDE,
    "flags": 0,
    "level": 0,
    "orders": -1,
    "instrument_sequence": 0,
    "instrument": 0,
    "order": 0,
    "other": 0,
    "priority": 0,
    "price": event.NO_PRICE,
    "quantity": 0,
    "time": 0,
    "sequence": 0,
}
SIDES = {"0": event.BID, "1": event.ASK, "E": event.IMPLIED_BID, "F": event.IMPLIED_ASK}
WRAP = 1 << 64


def payloads(path: Path, port: int | None = None) -> Iterator[bytes]:
    """Yield the UDP payloads of a capture of Ethernet frames."""
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.Reader(file)
        except ValueError:
            file.seek(0)
            reader = dpkt.pcapng.Reader(file)
        for _, frame in reader:
            packet = dpkt.ethernet.Ethernet(frame).data
            if isinstance(packet.data, dpkt.udp.UDP) and port in (None, packet.data.dport):
                yield bytes(packet.data.data)


def messages(payload: bytes) -> Iterator[bytes]:
    """Yield the messages of a packet from their SBE headers on."""
    at = 12
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "little")
        yield payload[at + 2 : at + size]
        at += size


def packet(*bodies: bytes, sequence: int = 7, sent: int = 1_500_000_000_000_000_000) -> bytes:
    """Frame messages as a packet."""
    head = sequence.to_bytes(4, "little") + sent.to_bytes(8, "little")
    return head + b"".join((len(body) + 2).to_bytes(2, "little") + body for body in bodies)


def decoded(
    protocol: Protocol, state: np.ndarray, payload: bytes, room: int = EVENT_BUFFER, end: int | None = None
) -> tuple[int, list[dict]]:
    """Decode a packet, or what is before `end` of it, with the kernels: what decode returned, and the events."""
    data = np.frombuffer(payload, np.uint8).copy()
    header, events = np.zeros(1, HEADER), np.zeros(room, EVENT)
    events.view(np.uint8)[:] = 0xAB  # an event field that is left unwritten shows
    if protocol.frame(data, 0, len(data), state, header) < 0:
        return -1, []
    state[SEQUENCE] = header[0]["first"]
    behind = int(header[0]["end"]) if end is None else end
    count = protocol.decode(data, int(header[0]["start"]), behind, 0, state, events)
    kept = count if count >= 0 else -1 - count
    return count, [{name: int(row[name]) for name in EVENT.names} for row in events[:kept]]


def expected(schema: Schema, payload: bytes, *, by_order: bool = False) -> list[dict]:
    """Return the events of a packet."""
    sequence = int.from_bytes(payload[:4], "little")
    out: list[dict] = []
    for message in messages(payload):
        fields = decode_generic(schema, message)
        template = schema.templates.get(fields["header"]["templateId"])
        if template is not None and fields["header"]["schemaId"] == schema.number:
            out += _events(template, fields, by_order=by_order)
            if out and (fields.get("MatchEventIndicator") or 0) & 0x80:
                out[-1]["flags"] |= event.END
    return [{**DEFAULTS, **row, "sequence": sequence} for row in out]


def _events(template: Template, fields: dict[str, Any], *, by_order: bool) -> list[dict]:
    name = template.name.rstrip("0123456789")
    base = {"time": fields.get("TransactTime") or 0, "flags": 0}
    rows = [(row, {**base, **_who(row)}) for row in fields.get("NoMDEntries", [])]
    entry = next((group for group in template.groups if group.name == "NoMDEntries"), None)
    if name == "MDIncrementalRefreshBook":
        return _book(fields, rows, entry, by_order=by_order)
    if name == "MDIncrementalRefreshOrderBook":
        return [{**out, **_order(row, row["MDUpdateAction"], row, entry, by_order=by_order)} for row, out in rows]
    if name in ("MDIncrementalRefreshTrade", "MDIncrementalRefreshTradeSummary"):
        return [{**out, **_trade(row, entry)} for row, out in rows]
    if name == "MDIncrementalRefreshVolume":
        return [{**out, "kind": event.VOLUME, "quantity": row["MDEntrySize"]} for row, out in rows]
    if name.endswith("Statistics"):
        return [{**out, **_statistic(row, entry)} for row, out in rows]
    if name == "MDIncrementalRefreshLimitsBanding":
        return [{**out, **_limits(row, entry)} for row, out in rows]
    if name == "SnapshotFullRefresh":
        return _snapshot(fields, rows, entry, by_order=by_order)
    if name == "SnapshotFullRefreshOrderBook":
        return _order_snapshot(fields, rows, entry, by_order=by_order)
    if name.startswith("MDInstrumentDefinition"):
        return [_definition(template, fields)]
    if name == "SecurityStatus":
        return [{**base, **_who(fields), **_status(fields)}]
    if name == "QuoteRequest":
        return [
            {**base, **_who(row), "quantity": row["OrderQty"] or 0, "side": _side(row["Side"])}
            for row in fields["NoRelatedSym"]
        ]
    return [{**base, "kind": event.RESET}] if name == "ChannelReset" else []


def _book(fields: dict[str, Any], rows: list, entry: Group | None, *, by_order: bool) -> list[dict]:
    out = []
    for row, base in rows:
        side = SIDES.get(row["MDEntryType"])
        kind = event.NOTE
        if row["MDEntryType"] == "J":
            kind = event.CLEAR
        elif side is not None and row["MDUpdateAction"] <= 5 and not by_order:
            kind = event.LEVEL_NEW + row["MDUpdateAction"]
        out.append(
            {
                **base,
                "kind": kind,
                "side": 255 if side is None else side,
                "level": row["MDPriceLevel"],
                "orders": _or(row["NumberOfOrders"], -1),
                "price": _price(entry, row, "MDEntryPx"),
                "quantity": row["MDEntrySize"] or 0,
            }
        )
    for row in fields.get("NoOrderIDEntries", []) if by_order else []:
        of, base = rows[row["ReferenceID"] - 1]
        wanted = _order(row, row["OrderUpdateAction"], of, entry, by_order=True)
        out.append({**base, **wanted, "instrument_sequence": 0})
    return out


def _order(row: dict, action: int, of: dict, entry: Group | None, *, by_order: bool) -> dict:
    side = SIDES.get(of["MDEntryType"])
    kind = event.NOTE
    if by_order and of["MDEntryType"] == "J" and "MDUpdateAction" in row:
        kind = event.CLEAR
    elif by_order and side in (event.BID, event.ASK):
        kind = {0: event.ADD, 1: event.MODIFY, 2: event.DELETE}.get(action, event.NOTE)
    return {
        "kind": kind,
        "side": 255 if side is None else side,
        "order": row["OrderID"] or 0,
        "priority": row["MDOrderPriority"] or 0,
        "price": _price(entry, of, "MDEntryPx"),
        "quantity": row["MDDisplayQty"] or 0,
    }


def _trade(row: dict, entry: Group | None) -> dict:
    return {
        "kind": event.NOTE if row["MDUpdateAction"] == 2 else event.TRADE,
        "side": _side(row["AggressorSide"]),
        "orders": _or(row["NumberOfOrders"], -1),
        "other": row.get("MDTradeEntryID") or (row.get("TradeID") or 0) % WRAP,
        "price": _price(entry, row, "MDEntryPx"),
        "quantity": row["MDEntrySize"],
    }


def _statistic(row: dict, entry: Group | None) -> dict:
    return {
        "kind": event.STATISTIC,
        "other": ord(row["MDEntryType"] or "\0"),
        "price": _price(entry, row, "MDEntryPx"),
        "quantity": row["MDEntrySize"] or 0,
    }


def _limits(row: dict, entry: Group | None) -> dict:
    return {
        "kind": event.STATISTIC,
        "other": ord("g"),
        "price": _price(entry, row, "HighLimitPrice"),
        "order": _price(entry, row, "LowLimitPrice") % WRAP,
        "priority": _price(entry, row, "MaxPriceVariation") % WRAP,
    }


def _snapshot(fields: dict[str, Any], rows: list, entry: Group | None, *, by_order: bool) -> list[dict]:
    base = {"time": fields["TransactTime"], **_who(fields), "flags": event.FROM_SNAPSHOT}
    kind = event.NOTE if by_order else event.SNAPSHOT
    out: list[dict] = [{**base, "kind": kind, "other": fields["LastMsgSeqNumProcessed"]}]
    if fields["MDSecurityTradingStatus"] is not None:
        out.append({**base, "kind": event.STATUS, "quantity": fields["MDSecurityTradingStatus"]})
    for row, _ in rows:
        figures = {
            "price": _price(entry, row, "MDEntryPx"),
            "quantity": row["MDEntrySize"] or 0,
            "orders": _or(row["NumberOfOrders"], -1),
        }
        side = SIDES.get(row["MDEntryType"])
        if side is None:
            out.append({**base, **figures, "kind": event.STATISTIC, "other": ord(row["MDEntryType"])})
        else:
            kind = event.NOTE if by_order else event.LEVEL_OVERLAY
            out.append({**base, **figures, "kind": kind, "side": side, "level": row["MDPriceLevel"] or 0})
    out[-1]["flags"] |= event.END
    return out


def _order_snapshot(fields: dict[str, Any], rows: list, entry: Group | None, *, by_order: bool) -> list[dict]:
    base = {"time": fields["TransactTime"], **_who(fields), "flags": event.FROM_SNAPSHOT}
    chunk = fields["CurrentChunk"]
    kind = (event.SNAPSHOT if chunk == 1 else event.SNAPSHOT_PART) if by_order else event.NOTE
    named = chunk if chunk < 1 << 31 else -1
    out: list[dict] = [{**base, "kind": kind, "orders": named, "other": fields["LastMsgSeqNumProcessed"]}]
    if by_order:
        out += [{**base, **_order(row, 0, row, entry, by_order=True)} for row, _ in rows]
    if fields["CurrentChunk"] == fields["NoChunks"]:
        out[-1]["flags"] |= event.END
    return out


def _definition(template: Template, fields: dict[str, Any]) -> dict:
    depth = {row["MDFeedType"]: row["MarketDepth"] for row in fields["NoMDFeedTypes"]}
    symbol = (fields["Symbol"] or "").encode().ljust(24, b"\0")
    factor = _price(template, fields, "DisplayFactor")
    return {
        "kind": event.NOTE if fields["SecurityUpdateAction"] == "D" else event.DEFINE,
        "time": fields["LastUpdateTime"],
        "flags": 0,
        "instrument": fields["SecurityID"] % WRAP,
        "level": depth.get("GBX", 0),
        "orders": fields["header"]["version"],
        "order": int.from_bytes(symbol[:8], "big"),
        "other": int.from_bytes(symbol[8:16], "big"),
        "priority": int.from_bytes(symbol[16:], "big"),
        "price": 0 if factor == event.NO_PRICE else factor,
        "quantity": 0xF7 | 1 << 16 | depth.get("GBI", 0) << 24,
    }


def _status(fields: dict[str, Any]) -> dict:
    return {
        "kind": event.STATUS,
        "quantity": _or(fields["SecurityTradingStatus"], -1),
        "level": fields["HaltReason"],
        "orders": fields["SecurityTradingEvent"],
        "order": int.from_bytes((fields["SecurityGroup"] or "").encode().ljust(8, b"\0"), "big"),
        "other": int.from_bytes((fields["Asset"] or "").encode().ljust(8, b"\0"), "big"),
    }


def _who(row: dict[str, Any]) -> dict[str, int]:
    return {"instrument": (row.get("SecurityID") or 0) % WRAP, "instrument_sequence": row.get("RptSeq") or 0}


def _price(block: Template | Group | None, row: dict[str, Any], name: str) -> int:
    leaf = next(leaf for leaf in block.fields if leaf.name == name) if block else None
    if leaf is None or row[name] is None:
        return event.NO_PRICE
    scaled = int(row[name] * 10 ** (leaf.exponent + 9))
    return max(min(scaled, 2**63 - 2), -(2**63 - 2))


def _side(value: int | None) -> int:
    return {1: event.BID, 2: event.ASK}.get(value, event.NO_SIDE)  # type: ignore[arg-type]


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


CHOICES: dict[str, list] = {
    "MDUpdateAction": [0, 1, 2, 3, 4, 5, 6],
    "OrderUpdateAction": [0, 1, 2, 3],
    "MDEntryType": ["0", "1", "E", "F", "J", "4", "6"],
    "SecurityUpdateAction": ["A", "M", "D"],
    "MDFeedType": ["GBX", "GBI", "XYZ"],
    "AggressorSide": [0, 1, 2, None],
    "Side": [1, 2, 8, None],
    "ReferenceID": [1, 2],
    "CurrentChunk": [1, 2, 3],
    "NoChunks": [2, 3],
    "MDPriceLevel": [1, 2, 10],
    "MarketDepth": [0, 5, 10],
}


def synthetic(schema: Schema, number: int, seed: int, version: int | None = None) -> bytes:
    """Return a message of a template with fields drawn at random: values, nulls, and what enumerations allow."""
    template = schema.templates[number]
    values = _values(template, random.Random(f"{seed} {number}"))
    return encode_generic(schema, number, values, version)


def _values(block: Template | Group, chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {leaf.name: _value(leaf, chance) for leaf in block.fields if leaf.offset >= 0}
    for group in block.groups:
        values[group.name] = [_values(group, chance) for _ in range(chance.randrange(2, 5))]
    return values


def _value(leaf: Leaf, chance: random.Random) -> Any:
    if leaf.name in CHOICES:
        return chance.choice(CHOICES[leaf.name])
    if leaf.null is not None and chance.random() < 0.2:
        return None
    if leaf.primitive == "char":
        return "".join(chance.choice("ABCXYZ019") for _ in range(chance.randrange(1, leaf.length + 1)))
    bits = int(leaf.primitive.lstrip("uint")) - 1
    if leaf.exponent is not None:
        bits = min(bits, 55)  # so that a price of 1e-7 fits
    return chance.getrandbits(min(bits, 62)) * (-1 if leaf.primitive.startswith("int") and chance.random() < 0.3 else 1)


def every_template() -> list[int]:
    """Return the numbers of the templates that are shipped."""
    return sorted(shipped().templates)
