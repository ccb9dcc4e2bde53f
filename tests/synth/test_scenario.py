"""Captures of scenarios: every byte by the seed, burst and all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dpkt
import numpy as np
import pytest

from simbench.errors import SimbenchError
from simbench.receive.offline import open_source
from simbench.synth.convert import convert
from simbench.synth.scenario import generate
from simbench.synth.timeline import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path


def stamps(path: Path, port: int = 26_400) -> np.ndarray:
    """Return the stamps of a line's messages, seconds, each as often as its datagram has messages."""
    with path.open("rb") as file:
        rows = [(float(stamp), dpkt.ethernet.Ethernet(raw).data.data) for stamp, raw in dpkt.pcap.Reader(file)]
    counts = [(stamp, int.from_bytes(udp.data[18:20], "big")) for stamp, udp in rows if udp.dport == port]
    return np.repeat([stamp for stamp, _ in counts], [count if count < 0xFFFF else 0 for _, count in counts])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, scenario: str) -> None:
    """Twice with one seed, once with another."""
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        generate(scenario, tmp_path / name, seed=seed, messages=6_000, instruments=10)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_lines_of_one_channel_and_a_feed_that_names_them(tmp_path: Path) -> None:
    """Both lines carry all messages; the feed's text names their groups; the summary counts them."""
    done = generate("calm", tmp_path / "a.pcap", messages=3_000, instruments=10)
    assert len(stamps(tmp_path / "a.pcap")) == len(stamps(tmp_path / "a.pcap", 26_401)) == 3_000
    assert (done.messages, done.frames) == (3_000, 2 * done.datagrams)
    for word in ('protocol = "nasdaq.itch50"', 'group = "239.192.26.1:26400"', 'group = "239.192.26.129:26401"'):
        assert word in done.feed


def test_the_messages_of_an_mdp3_channel_are_counted(tmp_path: Path) -> None:
    """As many as were asked for; heartbeats are none."""
    path = tmp_path / "a.pcap"
    done = generate("calm", path, "cme.mdp3", messages=200, seconds=1_800, instruments=5, snapshots=60)
    with path.open("rb") as file:
        sizes = [len(dpkt.ethernet.Ethernet(raw).data.data.data) for _, raw in dpkt.pcap.Reader(file)]
    assert sizes.count(12 + 10) > 20
    assert done.messages == 200
    assert generate("calm", path, "cme.mdp3", messages=201, instruments=5).messages == 201


def test_an_mdp3_channel_has_its_snapshots_beside_the_lines(tmp_path: Path) -> None:
    """They are in the capture in order of time, counted apart, and known as the channel's with a feed and without."""
    done = generate("calm", tmp_path / "capture.pcap", "cme.mdp3", messages=3_000, instruments=10, snapshots=0.2)
    assert (done.messages, done.frames) == (3_000, 2 * done.datagrams + done.recovery)
    with (tmp_path / "capture.pcap").open("rb") as file:
        rows = [(stamp, dpkt.ethernet.Ethernet(raw).data) for stamp, raw in dpkt.pcap.Reader(file)]
    assert [stamp for stamp, _ in rows] == sorted(stamp for stamp, _ in rows)
    groups = {ip.dst: [bytes(other.data.data) for _, other in rows if other.dst == ip.dst] for _, ip in rows}
    a, b, levels, orders = (
        groups[bytes((239, 192, third, last))] for third, last in ((31, 1), (32, 1), (31, 2), (31, 3))
    )
    assert len(groups) == 4
    assert a == b
    assert len(levels) > 5
    assert (len(a), len(levels) + len(orders)) == (done.datagrams, done.recovery)

    by_looking = open_source(tmp_path / "capture.pcap").feed.channels
    (tmp_path / "feed.toml").write_text(done.feed, encoding="utf-8")
    for channels in (by_looking, open_source(tmp_path / "capture.pcap").feed.channels):
        assert [(channel.protocol, len(channel.lines)) for channel in channels] == [("cme.mdp3", 2)]
        assert sorted((feed.role, feed.group) for feed in channels[0].feeds) == [
            ("snapshot", "239.192.31.2:14999"),
            ("snapshot", "239.192.31.3:14999"),
        ]


def test_snapshots_can_be_left_out(tmp_path: Path) -> None:
    """Then there is nothing but lines, in the capture and in its feed."""
    done = generate("calm", tmp_path / "a.pcap", "cme.mdp3", messages=3_000, instruments=10, snapshots=0)
    assert (done.messages, done.recovery, done.frames) == (3_000, 0, 2 * done.datagrams)
    assert "snapshot" not in done.feed


def test_the_announcement_bursts_a_hundredfold_at_two(tmp_path: Path) -> None:
    """The rate of messages on the wire jumps about a hundredfold at 14:00 in New York."""
    generate("announcement", tmp_path / "a.pcap", seconds=10, rate=500, instruments=10, lines=1)
    times = stamps(tmp_path / "a.pcap") - 1_750_269_600.0
    calm = np.count_nonzero((times > -3.5) & (times < 0)) / 3.5
    burst = np.count_nonzero((times >= 0) & (times < 0.1)) / 0.1
    assert 75 < burst / calm < 125


def test_the_binaryfile_beside_it_has_the_same_messages(tmp_path: Path) -> None:
    """Converting the file gives what was captured, but for the session's name and the checksums over it."""
    generate("open", tmp_path / "a.pcap", messages=4_000, instruments=10, lines=1, binary=tmp_path / "a.itch")
    done = convert(tmp_path / "a.itch", tmp_path / "b.pcap", "2025-06-18", lines=1)
    assert done.messages == 4_000
    frames = []
    for name in "ab":
        with (tmp_path / f"{name}.pcap").open("rb") as file:
            reader = dpkt.pcap.Reader(file)
            frames.append([(stamp, bytes(dpkt.ethernet.Ethernet(raw).data.data.data)[10:]) for stamp, raw in reader])
    assert frames[0] == frames[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"scenario": "crash"},
        {"protocol": "nyse.xdp"},
        {"lines": 3},
        {"seed": -1},
        {"date": "tomorrow"},
        {"messages": 0},
        {"snapshots": 1},
        {"protocol": "cme.mdp3", "snapshots": -1},
        {"protocol": "cme.mdp3", "snapshots": 0.0001},
        {"instruments": 0},
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(tmp_path: Path, asked: dict[str, object]) -> None:
    """One line, no capture."""
    with pytest.raises(SimbenchError) as raised:
        generate(**{"scenario": "calm", "output": tmp_path / "a.pcap", **asked})  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
