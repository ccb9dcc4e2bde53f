"""A real TOPS session, offline and found by looking: the quotes of independent readers, at its end and before."""

from __future__ import annotations

import gzip
import json
import struct
from typing import TYPE_CHECKING, NamedTuple

import dpkt
import pytest

from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 57_674
BY_TYPE = {"S": 6, "D": 10, "H": 7803, "O": 7801, "P": 7802, "Q": 27_217, "T": 6390, "B": 3, "A": 642}


class Quote(NamedTuple):
    """A quote as the second reader has it; sizes of 0 where a side has none."""

    sequence: int
    symbol: str
    bid: tuple[int, int]
    ask: tuple[int, int]


@pytest.fixture(scope="module")
def capture(real_captures: Path) -> Path:
    """Return the recorded session; a gzip that is named otherwise."""
    return real_captures / "iex-tops" / "capture.pcapng.gz"


@pytest.fixture(scope="module")
def quotes(capture: Path) -> list[Quote]:
    """Return every quote of the session, read by another reader than ours."""
    found = []
    with gzip.open(capture) as file:
        for _stamp, raw in dpkt.pcap.Reader(file):
            payload = bytes(dpkt.ethernet.Ethernet(raw).data.data.data)
            count, sequence = struct.unpack_from("<H8xq", payload, 14)
            at = 40
            for number in range(count):
                (length,) = struct.unpack_from("<H", payload, at)
                if payload[at + 2 : at + 3] == b"Q":
                    symbol, bid_size, bid, ask, ask_size = struct.unpack_from("<8sIqqI", payload, at + 12)
                    key = symbol.decode().rstrip()
                    found.append(Quote(sequence + number, key, (bid, bid_size), (ask, ask_size)))
                at += 2 + length
    return found


def built(run: Offline) -> dict[str, list[tuple[int, int]]]:
    """Return each book as bid and ask, price and size; a side that has none is 0 and 0."""
    return {
        book["key"]: [
            (round(float(side[0][0]) * 10_000), int(side[0][1])) if side else (0, 0)
            for side in (book["bids"], book["asks"])
        ]
        for book in run.result()["books"]
    }


def test_the_session_is_whole_and_ends_with_the_quotes_of_an_independent_decoder(
    capture: Path, real_captures: Path
) -> None:
    """Sequence 1 to the last without a gap, every message of a known type, and every symbol's last quote."""
    expected = json.loads((real_captures / "iex-tops" / "independent.json").read_text())
    run = Offline(open_source(capture))
    assert not run.advance()
    found = run.result()
    (channel,) = found["channels"]

    assert (channel["protocol"], channel["lines"][0]["group"]) == ("iex.tops", "224.67.0.199:16642")
    assert [(epoch["session"], epoch["first"], epoch["last"]) for epoch in channel["epochs"]] == [
        ("1137508352", 1, MESSAGES)
    ]
    assert channel["gaps"] == channel["lines"][0]["missing"] == []
    assert (found["messages"]["total"], found["messages"]["unknown"], found["messages"]["malformed"]) == (
        MESSAGES,
        0,
        0,
    )
    assert {key: count for key, count in found["messages"]["by_type"].items() if count} == BY_TYPE
    assert set(found["anomalies"].values()) == {0}
    assert len(expected) == 7799
    quoted = built(run)
    assert expected == {key: [bid[1], bid[0], ask[0], ask[1]] for key, (bid, ask) in quoted.items() if key in expected}


@pytest.mark.parametrize("sequence", [40_000, 50_000, 57_000])
def test_quotes_within_the_session_are_those_of_another_reader(
    capture: Path, quotes: list[Quote], sequence: int
) -> None:
    """The session ends with empty quotes; before, there are prices and sizes, and one-sided markets."""
    last = {quote.symbol: [quote.bid, quote.ask] for quote in quotes if quote.sequence <= sequence}
    expected = {key: [side if side[1] else (0, 0) for side in sides] for key, sides in last.items()}
    run = Offline(open_source(capture))
    run.receiver.stop_after(0, sequence)
    assert run.advance()
    found = built(run)

    assert sum(bid[1] > 0 and ask[1] > 0 for bid, ask in expected.values()) >= 10
    assert sum((bid[1] > 0) != (ask[1] > 0) for bid, ask in expected.values()) >= 1
    assert expected == {key: found[key] for key in expected}
    assert not any(bid[1] or ask[1] for key, (bid, ask) in found.items() if key not in expected)


def test_checksums_are_wrong_as_recorded(capture: Path) -> None:
    """Nearly every datagram would be loss on a network; that is said and passed over unless it is asked for."""
    assert not open_source(capture).verify
    run = Offline(open_source(capture, checksum="verify"))
    assert not run.advance()
    assert run.result(books=False)["capture"]["checksum_lost"] == 13_021
