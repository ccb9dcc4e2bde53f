"""A loop of snapshots says what a receiver knows, all of that, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_feeds import frames, make, rewrite

from simbench import event
from simbench.event import EVENT
from simbench.feed.definition import Channel, Feed, Line
from simbench.protocol.cme_layout import shipped
from simbench.protocol.contract import COUNTS, EVENT_BUFFER, HEADER, SENT, SEQUENCE, Options, new_state
from simbench.protocol.sbe_codec import decode_generic
from simbench.receive.offline import Offline, open_source
from simbench.receive.receiver import Receiver
from simbench.recovery.cme_snapshot import Packet, snapshot_packets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEVELS, ORDERS = "cme.mdp3", "cme.mdp3.orders"
TICK = 250_000_000
NOW = 1_750_000_000_000_000_000


def receiver_of(*protocols: str) -> Receiver:
    """Return a receiver of a channel for each protocol, that has seen a reset at sequence 41."""
    channels = tuple(
        Channel(venue="cme", name=str(i), protocol=protocol, lines=(Line(name="A", group=f"239.0.0.{i + 1}:1"),))
        for i, protocol in enumerate(protocols)
    )
    receiver = Receiver(Feed(channels=channels))
    for channel in range(len(channels)):
        receiver.channel_state(channel)[SEQUENCE] = 41
        receiver.channel_state(channel)[SENT] = NOW - 5
        apply(receiver, {"kind": event.RESET}, channel=channel)
    return receiver


def apply(receiver: Receiver, *rows: dict[str, Any], channel: int = 0) -> None:
    """Apply events to the books."""
    events = np.zeros(len(rows), EVENT)
    for one, row in zip(events, rows, strict=True):
        for name, value in {"orders": -1, "price": event.NO_PRICE, **row}.items():
            one[name] = value
    receiver.state.books.apply(channel, events)


def level(key: int, number: int, quantity: int, report: int, **more: Any) -> dict[str, Any]:
    """Return an event that puts a level where it belongs, at a price that goes with its number."""
    kind, price = event.LEVEL_OVERLAY, 1_000 * TICK - number * TICK
    figures = {"level": number, "quantity": quantity, "price": price, "orders": 1, "instrument_sequence": report}
    return {"kind": kind, "instrument": key, "side": event.BID, **figures, **more}


def order(key: int, number: int, quantity: int, price: int, side: int = event.BID) -> dict[str, Any]:
    """Return an event that adds an order."""
    figures = {"order": number, "priority": number, "quantity": quantity, "price": price * TICK}
    return {"kind": event.ADD, "instrument": key, "side": side, **figures}


def messages(packets: list[Packet]) -> list[dict[str, Any]]:
    """Return the messages of packets, decoded slowly."""
    return [row for packet in packets for row in decoded(packet.payload)]


def decoded(payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield the messages of a packet."""
    at = 12
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "little")
        yield decode_generic(shipped(), payload[at + 2 : at + size])
        at += size
    assert at == len(payload)


def recovered(receiver: Receiver, packets: list[Packet], channel: int = 0) -> Receiver:
    """Return a receiver of nothing but snapshots."""
    protocol = receiver.protocol(channel)
    other = Receiver(Feed(channels=(receiver.feed.channels[channel],)))
    state, header, events = new_state(protocol, Options()), np.zeros(1, HEADER), np.zeros(EVENT_BUFFER, EVENT)
    for packet in packets:
        data = np.frombuffer(packet.payload, np.uint8).copy()
        assert protocol.frame(data, 0, len(data), state, header) == 0
        count = protocol.decode(data, int(header[0]["start"]), int(header[0]["end"]), 0, state, events)
        assert count > 0
        other.state.books.apply(0, events[:count])
    other.state.books.check()
    return other


def test_a_message_says_what_the_receiver_knows() -> None:
    """Sequence, counters, status, and every figure of a level; what a book does not keep is null."""
    receiver = receiver_of(LEVELS)
    apply(
        receiver,
        {"kind": event.STATUS, "instrument": 7, "quantity": 17},
        level(7, 1, 30, 1, orders=4),
        level(7, 1, 9, 2, side=event.IMPLIED_ASK, orders=-1),
        level(8, 1, 5, 1),
    )
    (packet,) = snapshot_packets(receiver, 0, NOW)
    first, second = decoded(packet.payload)
    assert (packet.sent_ns, packet.payload[:12]) == (NOW, b"\1\0\0\0" + NOW.to_bytes(8, "little"))
    heads = {"LastMsgSeqNumProcessed": 41, "TotNumReports": 2, "TransactTime": NOW - 5, "LastUpdateTime": 0}
    nulls = dict.fromkeys(("TradeDate", "HighLimitPrice", "LowLimitPrice", "MaxPriceVariation"))
    entries = first.pop("NoMDEntries")
    assert first.pop("header") == {"blockLength": 59, "templateId": 38, "schemaId": 1, "version": 8}
    assert {**heads, **nulls, "SecurityID": 7, "RptSeq": 2, "MDSecurityTradingStatus": 17} == first
    assert [
        (row["MDEntryType"], row["MDPriceLevel"], row["MDEntryPx"], row["MDEntrySize"], row["NumberOfOrders"])
        for row in entries
    ] == [("0", 1, 999 * TICK // 100, 30, 4), ("F", 1, 999 * TICK // 100, 9, None)]
    assert {(row["TradingReferenceDate"], row["OpenCloseSettlFlag"], row["SettlPriceType"]) for row in entries} == {
        (None, None, 0)
    }
    assert (second["SecurityID"], second["MDSecurityTradingStatus"]) == (8, None)


def test_levels_that_were_never_sent_are_left_out_and_the_others_keep_their_numbers() -> None:
    """A receiver that joined in the middle knows level 3 alone; who reads the snapshot knows as much."""
    receiver = receiver_of(LEVELS)
    receiver.state.books.reset(0, NOW)
    apply(receiver, level(7, 3, 30, 9))
    packets = snapshot_packets(receiver, 0, NOW)
    (message,) = messages(packets)
    assert [(row["MDPriceLevel"], row["MDEntrySize"]) for row in message["NoMDEntries"]] == [(3, 30)]
    books = recovered(receiver, packets).state.books
    assert receiver.state.books.levels(0, event.BID)["known"].tolist() == [0, 0, 1]
    assert books.levels(0, event.BID).tolist() == receiver.state.books.levels(0, event.BID).tolist()


def test_what_is_not_known_or_cannot_be_said_is_not_in_the_loop() -> None:
    """Without an rptSeq, with a hole in it, with a quantity or a level number that no field holds."""
    receiver = receiver_of(LEVELS)
    receiver.state.books.reset(0, NOW)
    deep = {"kind": event.DEFINE, "instrument": 6, "level": 200, "orders": 9}
    apply(
        receiver,
        level(1, 1, 10, 5),
        level(2, 1, 10, 0),
        level(3, 1, 10, 5),
        level(3, 2, 10, 7),
        level(4, 1, 2**31 - 1, 5),
        level(5, 1, 2**31 - 2, 5),
        deep,
        level(6, 127, 10, 5),
    )
    found = messages(snapshot_packets(receiver, 0, NOW))
    assert [row["SecurityID"] for row in found] == [1, 5]
    assert {row["TotNumReports"] for row in found} == {2}
    apply(receiver, {"kind": event.SNAPSHOT, "instrument": 3, "instrument_sequence": 8, "flags": event.FROM_SNAPSHOT})
    assert [row["SecurityID"] for row in messages(snapshot_packets(receiver, 0, NOW))] == [1, 3, 5]


def test_a_channel_of_which_nothing_is_known_has_no_packets() -> None:
    """Not an empty one either."""
    assert snapshot_packets(receiver_of(LEVELS), 0, NOW) == []
    assert snapshot_packets(receiver_of(ORDERS), 0, NOW) == []


@pytest.mark.parametrize(("protocol", "old", "new"), [(LEVELS, 38, 52), (ORDERS, 44, 53)])
def test_the_template_is_that_of_the_version_that_an_instrument_came_in(protocol: str, old: int, new: int) -> None:
    """As its definition says; else as the channel's messages do; and the new one where the old has too few digits."""

    def templates() -> dict[int, tuple[int, int]]:
        found = messages(snapshot_packets(receiver, 0, NOW))
        return {row["SecurityID"]: (row["header"]["templateId"], row["NoMDEntries"][0]["MDEntryPx"]) for row in found}

    receiver = receiver_of(protocol)
    prices = {1: 5 * TICK, 2: 5 * TICK, 3: 5 * TICK, 4: 5 * TICK + 1}
    for key, version in ((1, 8), (2, 9), (4, 8)):
        apply(receiver, {"kind": event.DEFINE, "instrument": key, "orders": version})
    for key, price in prices.items():
        if protocol == LEVELS:
            apply(receiver, level(key, 1, 10, 1, price=price))
        else:
            apply(receiver, {**order(key, key, 10, 1), "price": price})
    small, large = (old, 5 * TICK // 100), (new, 5 * TICK)
    assert templates() == {1: small, 2: large, 3: small, 4: (new, 5 * TICK + 1)}
    receiver.channel_state(0)[COUNTS + 46] = 1
    assert templates() == {1: small, 2: large, 3: large, 4: (new, 5 * TICK + 1)}


def test_many_messages_share_a_packet_and_a_loop_takes_its_time() -> None:
    """Packets are numbered from 1 in every loop, filled up to the limit, and sent at equal distances."""
    receiver = receiver_of(LEVELS)
    apply(receiver, *(level(key, number, 5, number) for key in range(1, 41) for number in range(1, 4)))
    for _ in range(2):
        packets = snapshot_packets(receiver, 0, NOW, over_ns=1_000_000)
        sizes = [len(packet.payload) for packet in packets]
        message = 10 + 59 + 3 + 3 * 22
        assert [12 + message * count for count in (10, 10, 10, 10)] == sizes
        assert [packet.sent_ns for packet in packets] == [NOW + 250_000 * place for place in range(4)]
        heads = [(int.from_bytes(p.payload[:4], "little"), int.from_bytes(p.payload[4:12], "little")) for p in packets]
        assert heads == [(number, packet.sent_ns) for number, packet in enumerate(packets, start=1)]
    assert len(snapshot_packets(receiver, 0, NOW, limit=100)) == 40


def test_a_book_of_many_orders_comes_in_chunks_that_keep_the_queues() -> None:
    """No packet is longer than the limit; one without orders is one chunk; read back, all is as it was."""
    receiver = receiver_of(ORDERS)
    for number in range(1, 201):
        price, side = (500 - number % 7, event.BID) if number % 2 else (501 + number % 7, event.ASK)
        apply(receiver, order(7, number, number, price, side))
    apply(receiver, order(8, 900, 1, 500), {"kind": event.DELETE, "order": 900})
    packets = snapshot_packets(receiver, 0, NOW)
    found = messages(packets)
    assert max(len(packet.payload) for packet in packets) <= 1_400
    chunks = [(row["SecurityID"], row["CurrentChunk"], row["NoChunks"], len(row["NoMDEntries"])) for row in found]
    assert chunks == [(7, 1, 5, 46), (7, 2, 5, 46), (7, 3, 5, 46), (7, 4, 5, 46), (7, 5, 5, 16), (8, 1, 1, 0)]
    assert {(row["LastMsgSeqNumProcessed"], row["TotNumReports"], row["TransactTime"]) for row in found} == {
        (41, 2, NOW - 5)
    }
    books, again = receiver.state.books, recovered(receiver, packets).state.books
    for side in (event.BID, event.ASK):
        assert len(books.orders(0, side)) == 100
        assert books.orders(0, side).tolist() == again.orders(0, side).tolist()
    assert books.digest_orders(0) == again.digest_orders(0)


def test_orders_need_no_sequence_of_their_instrument() -> None:
    """A channel that sends nothing but orders has none; nor has an instrument that has no order."""
    receiver = receiver_of(ORDERS)
    receiver.state.books.reset(0, NOW)
    apply(receiver, order(7, 3, 1, 500), {"kind": event.DEFINE, "instrument": 8, "orders": 8})
    found = messages(snapshot_packets(receiver, 0, NOW))
    assert [(row["SecurityID"], len(row["NoMDEntries"])) for row in found] == [(7, 1), (8, 0)]


def test_where_a_packet_is_lost_there_is_no_loop_of_orders(tmp_path: Path) -> None:
    """Whose orders were in it nobody knows; the levels of instruments that it did not touch are served all the same."""
    whole = make(tmp_path / "whole", LEVELS)
    kept = [frame for frame in frames(whole, LEVELS) if frame.sequence != 300]
    feed = (whole.parent / "feed.toml").read_text(encoding="utf-8")
    for protocol, some in ((LEVELS, True), (ORDERS, False)):
        path = rewrite(tmp_path / protocol, kept, feed.replace(f'"{LEVELS}"', f'"{protocol}"'))
        run = Offline(open_source(path))
        run.until(run_until(path, 299))
        run.advance()
        assert snapshot_packets(run.receiver, 0, NOW)
        run.until(1 << 62)
        run.advance()
        assert bool(snapshot_packets(run.receiver, 0, NOW)) is some


def run_until(path: Path, sequence: int) -> int:
    """Return the last stamp of a packet in a capture."""
    return max(frame.stamp for frame in frames(path, LEVELS) if frame.sequence == sequence)


def test_an_order_without_a_priority_has_none() -> None:
    """It is null on the wire, and its place in the queue is the order of the entries."""
    receiver = receiver_of(ORDERS)
    apply(receiver, {**order(7, 3, 1, 500), "priority": 0}, {**order(7, 2, 1, 500), "priority": 0})
    packets = snapshot_packets(receiver, 0, NOW)
    (message,) = messages(packets)
    assert [(row["OrderID"], row["MDOrderPriority"]) for row in message["NoMDEntries"]] == [(3, None), (2, None)]
    assert recovered(receiver, packets).state.books.orders(0, event.BID)["order"].tolist() == [3, 2]


def test_a_channel_sends_its_own_books() -> None:
    """Two channels in one receiver: each loop has the instruments of its own, by level or by order."""
    receiver = receiver_of(LEVELS, ORDERS)
    apply(receiver, level(1, 1, 5, 1))
    apply(receiver, order(2, 1, 5, 500), channel=1)
    by_level, by_order = (messages(snapshot_packets(receiver, channel, NOW)) for channel in (0, 1))
    assert [(row["SecurityID"], row["header"]["templateId"]) for row in by_level] == [(1, 38)]
    assert [(row["SecurityID"], row["header"]["templateId"]) for row in by_order] == [(2, 44)]


def test_snapshots_of_a_recorded_channel_give_its_books(cme: Path) -> None:
    """Read into empty books they are the recorded ones: schema version 6 without definitions, joined in the middle."""
    run = Offline(open_source(cme))
    while run.advance():
        pass
    packets = snapshot_packets(run.receiver, 0, NOW)
    found = messages(packets)
    assert {row["header"]["templateId"] for row in found} == {38}
    assert {row["LastMsgSeqNumProcessed"] for row in found} == {10_614}
    assert sum(len(row["NoMDEntries"]) for row in found) > 1_000
    books, again = run.receiver.state.books, recovered(run.receiver, packets).state.books
    assert books.digest(0) == again.digest(0)
