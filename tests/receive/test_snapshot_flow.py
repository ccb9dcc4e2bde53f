"""Snapshot flows: decoded as they come into the books of their channel, beside the lines and never against them."""

from __future__ import annotations

import importlib.util
import struct
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dpkt
import numpy as np
import pytest
from small_feeds import finish

from simbench.capture.writer import write_pcap
from simbench.receive import pipeline, receiver
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simbench.protocol.contract import Protocol

LINE, SNAPSHOT, OTHER = ("239.192.0.1", 5000), ("239.192.0.1", 5001), ("239.192.0.2", 5001)
FEED = """[[channel]]
venue = "toy"
name = "one"
protocol = "toy.quotes"

[[channel.line]]
name = "A"
group = "239.192.0.1:5000"

[[channel.feed]]
role = "definitions"
group = "239.192.0.2:5001"

[[channel.feed]]
role = "snapshot"
group = "239.192.0.1:5001"
"""


@cache
def toy() -> Protocol:
    """Return the invented protocol of docs/protocol.md."""
    file = Path(__file__).resolve().parents[2] / "docs" / "examples" / "toy.py"
    spec = importlib.util.spec_from_file_location("toy_of_flows", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    protocol: Protocol = module.PROTOCOL
    return protocol


def quote(price: int, quantity: int, letter: bytes = b"Q") -> bytes:
    """Return a message of the toy protocol: a bid."""
    return struct.pack("<ccHI8sq", letter, b"B", 1, quantity, b"ACME", price)


def packet(sequence: int, *messages: bytes, count: int | None = None) -> bytes:
    """Return a packet of it; its sequence counts messages."""
    return struct.pack("<IHHQ", sequence, len(messages) if count is None else count, 0, 1) + b"".join(messages)


def capture(folder: Path, datagrams: Iterable[tuple[tuple[str, int], bytes]]) -> Path:
    """Write datagrams to their groups, a millisecond apart, and a feed.toml beside them."""
    made = []
    for (address, port), payload in datagrams:
        udp = dpkt.udp.UDP(sport=1, dport=port, data=payload)
        udp.ulen = len(udp)
        octets = bytes(map(int, address.split(".")))
        ip = dpkt.ip.IP(src=b"\x0a\0\0\1", dst=octets, p=dpkt.ip.IP_PROTO_UDP, data=udp)
        ip.len = len(ip)
        made.append(bytes(dpkt.ethernet.Ethernet(dst=b"\1\0\x5e\0\0\1", data=ip)))
    sizes = np.array([len(frame) for frame in made], np.int64)
    stamps = np.arange(1, len(made) + 1) * 1_000_000
    write_pcap(
        folder / "capture.pcap", stamps, np.frombuffer(b"".join(made), np.uint8), np.cumsum(sizes) - sizes, sizes
    )
    (folder / "feed.toml").write_text(FEED, encoding="utf-8")
    return folder / "capture.pcap"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the toy protocol one whose snapshot flows are decoded."""
    monkeypatch.setattr(receiver, "load", lambda _name, _schema=None: replace(toy(), snapshots=True))


@pytest.fixture
def left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the toy protocol one whose snapshot flows are left alone."""
    monkeypatch.setattr(receiver, "load", lambda _name, _schema=None: toy())


def outcome(path: Path) -> dict[str, Any]:
    """Return the result of a capture."""
    run = Offline(open_source(path))
    finish(run)
    return run.result()


def flow(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the snapshot flow."""
    (shown,) = [one for one in found["channels"][0]["feeds"] if one["role"] == "snapshot"]
    return dict(shown)


def test_what_a_snapshot_flow_brings_is_in_the_books(tmp_path: Path, decoded: None) -> None:
    """Its sequence is its own: neither a gap nor a duplicate of the line's, and what is missing in it is counted."""
    found = outcome(
        capture(
            tmp_path,
            [
                (LINE, packet(10, quote(100, 5))),
                (SNAPSHOT, packet(500, quote(90, 1), quote(91, 2))),
                (SNAPSHOT, packet(505, quote(92, 3))),
                (LINE, packet(11, quote(101, 6))),
                (OTHER, packet(11, quote(77, 7))),
                (SNAPSHOT, packet(10, quote(93, 4))),
            ],
        )
    )
    assert [row[:2] for row in found["books"][0]["bids"]] == [
        ["0.0101", "6"],
        ["0.01", "5"],
        ["0.0093", "4"],
        ["0.0092", "3"],
        ["0.0091", "2"],
        ["0.009", "1"],
    ]
    assert found["channels"][0]["gaps"] == []
    assert [found["channels"][0]["lines"][0][key] for key in ("datagrams", "won", "duplicates")] == [2, 2, 0]
    counted = {"packets": 3, "missing_units": 3, "restarts": 1}
    assert flow(found) == {"role": "snapshot", "group": "239.192.0.1:5001", **counted}
    assert (found["capture"]["datagrams"], found["capture"]["recovery_datagrams"]) == (2, 4)


def test_damage_on_a_snapshot_flow_is_no_gap_of_the_line(tmp_path: Path, decoded: None) -> None:
    """A packet cut short is counted as malformed, what it had is applied, and the line's sequence 501 is not missed."""
    found = outcome(
        capture(
            tmp_path,
            [
                (LINE, packet(10, quote(100, 5))),
                (SNAPSHOT, packet(500, quote(90, 1), count=2)),
                (SNAPSHOT, b"short"),
                (LINE, packet(11, quote(101, 6))),
            ],
        )
    )
    assert len(found["books"][0]["bids"]) == 3
    assert found["channels"][0]["gaps"] == []
    assert flow(found)["packets"] == 1
    assert (found["messages"]["malformed"], found["messages"]["bad_headers"]) == (1, 1)


def test_a_stop_at_a_sequence_is_at_the_lines(tmp_path: Path, decoded: None) -> None:
    """The snapshot flow passes the number long before."""
    path = capture(
        tmp_path,
        [
            (SNAPSHOT, packet(500, quote(90, 1))),
            (LINE, packet(10, quote(100, 5))),
            (LINE, packet(11, quote(101, 6))),
        ],
    )
    run = Offline(open_source(path))
    run.receiver.stop_after(0, 10)
    assert run.advance()
    assert run.receiver.counter(pipeline.DELIVERED) == 1
    assert len(run.result()["books"][0]["bids"]) == 2


def test_a_checkpoint_holds_where_a_flow_stands(tmp_path: Path, decoded: None) -> None:
    """What is missing before a packet is counted alike after a copy of the state was put back."""
    path = capture(tmp_path, [(SNAPSHOT, packet(500, quote(90, 1))), (SNAPSHOT, packet(502, quote(91, 1)))])
    run = Offline(open_source(path))
    run.until(1_500_000)
    assert run.advance()
    checkpoint = run.receiver.state.copy()
    run.receiver.state.words[:] = 0
    run.receiver.state = checkpoint
    run.until(pipeline.NEVER)
    finish(run)
    assert flow(run.result())["missing_units"] == 1


def test_other_protocols_leave_snapshot_flows_alone(tmp_path: Path, left_alone: None) -> None:
    """They are counted, and nothing of them reaches the books."""
    found = outcome(capture(tmp_path, [(LINE, packet(10, quote(100, 5))), (SNAPSHOT, packet(500, quote(90, 1)))]))
    assert [row[0] for row in found["books"][0]["bids"]] == ["0.01"]
    assert found["capture"]["recovery_datagrams"] == 1
    assert flow(found)["packets"] == 0
