"""A sequencer that runs out of room in the middle of a datagram grows, and nothing shows of it in the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from growing_feeds import CHANNELS, Growth, with_channels, with_damage, with_holes, with_long_datagrams
from small_feeds import digests, finish, levels, rebuilt

from simbench.feed import layout as at
from simbench.feed import state
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from pathlib import Path


def sized(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Start every table but the pool of slots with so many rows; the hash of streams is never smaller than usual."""
    for table, (words, usual, limit) in state.ROWS.items():
        if usual:
            least = usual if table == at.BUCKET else 1
            monkeypatch.setitem(state.ROWS, table, (words, min(max(rows, least), limit), limit))


def watched(path: Path) -> tuple[dict[str, Any], Growth]:
    """Rebuild a capture; return the result, and where the sequencer grew."""
    growth = Growth()
    run = Offline(open_source(path))
    growth.watch(run)
    finish(run)
    run.receiver.state.sequencer.check()
    return run.result(), growth


def roomy(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Rebuild a capture with a sequencer that has all the room from the start."""
    with monkeypatch.context() as patch:
        sized(patch, 1 << 13)
        patch.setattr(state, "SLOT_BYTES", state.MAX_SLOT_BYTES)
        found, growth = watched(path)
    assert growth.at == []
    return found


@pytest.mark.parametrize("rows", ["usual", "one"])
def test_hundreds_of_holes(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More holes, ranges and records than fit at first: equal to the last counter and gap."""
    path = with_holes(tmp_path)
    expected = roomy(path, monkeypatch)
    if rows == "one":
        sized(monkeypatch, 1)

    found, growth = watched(path)

    assert len(growth.at) >= (2 if rows == "usual" else 5)
    assert {"offer", "time"} >= set(growth.at)
    assert max(growth.held) > 100
    assert len(expected["channels"][0]["gaps"]) > 1000
    assert levels(expected) > 20
    assert expected == found


@pytest.mark.parametrize("rows", ["usual", "one"])
def test_hundreds_of_damaged_packets(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was delivered and could not be decoded is on record, also where the records had to grow for it."""
    path = with_damage(tmp_path)
    expected = roomy(path, monkeypatch)
    if rows == "one":
        sized(monkeypatch, 1)

    found, growth = watched(path)

    assert ("damage" if rows == "one" else "offer") in growth.at
    assert expected["messages"]["malformed"] == len(expected["channels"][0]["gaps"]) > 600
    assert {gap["cause"] for gap in expected["channels"][0]["gaps"]} == {"malformed"}
    assert levels(expected) > 20
    assert expected == found


@pytest.mark.parametrize("rows", ["usual", "one"])
def test_many_channels(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each channel is a stream: the table of streams and its hash grow while all of them are under way."""
    path = with_channels(tmp_path)
    expected = roomy(path, monkeypatch)
    if rows == "one":
        sized(monkeypatch, 1)

    found, growth = watched(path)

    assert "offer" in growth.at
    assert len(digests(expected)) == CHANNELS
    assert set(digests(expected)) == set(digests(rebuilt(tmp_path / "one" / "capture.pcap")))
    assert levels(expected) > 50 * CHANNELS
    assert expected == found


def test_long_datagrams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets above 2,048 bytes that have to wait: the slots grow with packets in them, and nothing is cut."""
    path = with_long_datagrams(tmp_path)
    expected = roomy(path, monkeypatch)

    found, growth = watched(path)

    assert growth.at == ["offer"]
    assert growth.held[0] > 1
    assert expected["channels"][0]["gaps"] == []
    assert expected["messages"]["total"] == 20_000
    assert digests(expected) == digests(rebuilt(tmp_path / "prompt" / "capture.pcap"))
    assert levels(expected) > 50
    assert expected == found
