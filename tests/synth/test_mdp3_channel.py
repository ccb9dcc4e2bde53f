"""A generated CME channel is one that could be: levels that its orders make, every message, the same bytes again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from mdp3_market import Market

from simbench.errors import SimbenchError
from simbench.protocol.cme_layout import shipped
from simbench.protocol.sbe_codec import decode_generic
from simbench.synth import mdp3
from simbench.synth.request import Request
from simbench.synth.timeline import make_timeline

START = 1_750_000_000_000_000_000
CYCLE = 300_000_000
SIDES = {"0": 0, "1": 1, "E": 2, "F": 3}
SCALES = {38: 100, 44: 100, 52: 1, 53: 1}  # to 1e-9

Sent = tuple[int, bytes]  # when, and the payload


def request(scenario: str, messages: int = 6_000, *, seconds: float = 2.0, **options: int) -> Request:
    """Ask for a small channel."""
    timeline = make_timeline(scenario, messages=messages, seconds=seconds)
    return Request(timeline, START, START, **{"instruments": 7, "snapshot_ns": CYCLE, **options})


def everything(asked: Request) -> dict[int | None, list[Sent]]:
    """Return what each feed beside the lines sends, by number, and what the lines do under None."""
    out = defaultdict(list)
    for block in mdp3.datagrams(asked):
        starts = block.starts.tolist()
        for index, sent in enumerate(block.sent.tolist()):
            out[block.feed].append((sent, block.data[starts[index] : starts[index + 1]].tobytes()))
    return out


def payloads(asked: Request) -> list[Sent]:
    """Return when each datagram of the lines is sent, and its bytes."""
    return everything(asked)[None]


def messages(payload: bytes) -> list[dict]:
    """Return the messages of a packet, decoded slowly."""
    out, at = [], 12
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "little")
        out.append(decode_generic(shipped(), payload[at + 2 : at + size]))
        at += size
    return out


def loops(packets: list[Sent]) -> list[list[bytes]]:
    """Cut what a snapshot feed sends into its loops, each of which begins with sequence 1; the last one may be cut."""
    found: list[list[bytes]] = []
    for _, payload in packets:
        sequence = int.from_bytes(payload[:4], "little")
        if sequence == 1:
            found.append([])
        found[-1].append(payload)
        assert sequence == len(found[-1])
    return found


def number_of(payload: bytes) -> int:
    """Return the sequence that a packet of snapshots was taken at."""
    return messages(payload)[0]["LastMsgSeqNumProcessed"]


@pytest.mark.parametrize("scenario", ["calm", "open", "announcement"])
def test_a_channel_is_true_to_itself(scenario: str) -> None:
    """Followed naively, nothing is wrong: the levels shown are the orders' best ten, and counters have no hole."""
    market = Market()
    found = everything(request(scenario, 12_000))
    sent = found[None]
    for _, payload in sent:
        market.follow(payload)
    assert +market.wrong == {}
    assert market.messages == 12_000
    templates = {
        row["header"]["templateId"] for feed in (0, 1) for _, payload in found[feed] for row in messages(payload)
    }
    assert templates == set(SCALES)
    assert set(market.templates) | templates | {12} == set(shipped().templates)
    assert set(market.actions) == set(range(6))
    assert market.resets == (2 if scenario == "open" else 1)
    assert all(len(payload) <= 1_400 for _, payload in sent)
    assert [when for when, _ in sent] == sorted(when for when, _ in sent)
    assert sum(len(book) == 10 for book in market.levels.values()) >= 8
    assert sum(len(book) for (_, side), book in market.levels.items() if side >= 2) > 0


@pytest.mark.parametrize("scenario", ["calm", "open", "announcement"])
def test_snapshots_are_the_books_at_the_packet_that_they_name(scenario: str) -> None:
    """Each loop has every instrument once, with the levels, orders and counters of a child that stopped there."""
    found = everything(request(scenario))
    for feed, levels in ((0, True), (1, False)):
        market, at, seen, most = Market(), 0, 0, 0
        whole = loops(found[feed])[:-1]
        assert len(whole) >= 5
        for loop in whole:
            rows = [row for payload in loop for row in messages(payload)]
            assert {number_of(payload) for payload in loop} == {rows[0]["LastMsgSeqNumProcessed"]}
            while at < rows[0]["LastMsgSeqNumProcessed"]:
                market.follow(found[None][at][1])
                at += 1
            most = max(most, len(rows))
            assert {row["TotNumReports"] for row in rows} == {7}
            assert {row["SecurityID"] for row in rows} == set(range(100_001, 100_008))
            seen += _compare_levels(rows, market) if levels else _compare_orders(rows, market)
        assert seen > 300
        assert (most == 7) == levels  # a book of many orders comes in chunks


def _compare_levels(rows: list[dict], market: Market) -> int:
    assert len(rows) == 7
    count = 0
    for row in rows:
        number, key = row["header"]["templateId"], row["SecurityID"]
        assert number == (38 if key % 2 == 0 else 52)
        assert row["RptSeq"] == market.reports[key]
        sides: dict[int, list[list[int]]] = {side: [] for side in range(4)}
        for entry in row["NoMDEntries"]:
            side = sides[SIDES[entry["MDEntryType"]]]
            side.append([entry["MDEntryPx"] * SCALES[number], entry["MDEntrySize"], entry["NumberOfOrders"] or 0])
            assert entry["MDPriceLevel"] == len(side)
        assert sides == {side: market.levels.get((key, side), []) for side in range(4)}
        count += len(row["NoMDEntries"])
    return count


def _compare_orders(rows: list[dict], market: Market) -> int:
    orders: dict[int, dict[int, list[int]]] = defaultdict(dict)
    chunks: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        number, key = row["header"]["templateId"], row["SecurityID"]
        assert number == (44 if key % 2 == 0 else 53)
        chunks[key].append((row["CurrentChunk"], row["NoChunks"]))
        for entry in row["NoMDEntries"]:
            figures = [entry["MDEntryPx"] * SCALES[number], entry["MDDisplayQty"], entry["MDOrderPriority"]]
            orders[key][entry["OrderID"]] = [SIDES[entry["MDEntryType"]], *figures]
    assert all(found == [(chunk, len(found)) for chunk in range(1, len(found) + 1)] for found in chunks.values())
    assert all(orders[key] == market.orders.get(key, {}) for key in chunks)
    return sum(map(len, orders.values()))


def test_a_loop_of_snapshots_is_sent_over_its_cycle() -> None:
    """Loops begin at every cycle, packets at equal distances; none is longer than the limit or after the lines."""
    found = everything(request("calm"))
    for feed in (0, 1):
        sent = found[feed]
        begins = [when for when, payload in sent if payload[:4] == b"\1\0\0\0"]
        assert begins == [START + CYCLE * loop for loop in range(1, len(begins) + 1)]
        assert [when for when, _ in sent] == sorted(when for when, _ in sent)
        assert max(after - before for (before, _), (after, _) in pairwise(sent)) < CYCLE
        assert max(len(payload) for _, payload in sent) <= 1_400
        assert sent[-1][0] <= found[None][-1][0]
    assert found[None] == everything(request("calm", snapshot_ns=0))[None]
    assert set(everything(request("calm", snapshot_ns=0))) == {None}


def test_packets_say_when_they_were_sent() -> None:
    """The sent time in a packet's head is the datagram's own."""
    found = everything(request("calm"))
    assert all(when == int.from_bytes(payload[4:12], "little") for feed in found.values() for when, payload in feed)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    """All that is random comes from the seed."""
    once, again, other = (everything(request("calm", 3_000, seed=seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_silence_is_broken_by_heartbeats_with_sequences_of_their_own() -> None:
    """Half an hour of hardly a message has one each 30 s."""
    market = Market()
    sent = payloads(request("calm", 200, seconds=1_800.0, snapshot_ns=0))
    for _, payload in sent:
        market.follow(payload)
    assert +market.wrong == {}
    assert market.templates[12] > 20
    assert max(after - before for (before, _), (after, _) in pairwise(sent)) <= 30_000_000_000


def test_what_cannot_be_generated_is_one_line() -> None:
    """Numbers out of range and formats that there are not name what to change."""
    for asked, reason in (
        (request("calm", instruments=0), "instruments"),
        (request("calm", instruments=5_000), "instruments"),
        (request("calm", live_orders=0), "live orders"),
        (request("calm", limit=500), "datagram"),
        (request("calm", 20), "ask for more"),
    ):
        with pytest.raises(SimbenchError, match=reason):
            payloads(asked)


SCRIPT = """
import sys, hashlib
sys.path.insert(0, sys.argv[1])
from test_mdp3_channel import payloads, request
print(hashlib.sha256(repr(payloads(request("open", 600, instruments=3, snapshot_ns=0))).encode()).hexdigest())
"""


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_plain_checked_and_compiled_give_the_same_bytes(mode: str) -> None:
    """The generator's kernels stay inside their arrays and mean the same as plain Python."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, here],
        env={**os.environ, mode: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = hashlib.sha256(repr(payloads(request("open", 600, instruments=3, snapshot_ns=0))).encode()).hexdigest()
    assert wanted == done.stdout.strip()
