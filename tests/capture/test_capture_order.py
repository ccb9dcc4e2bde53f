"""Time order, bursts and the summary of a capture."""

import random
from pathlib import Path

import capture_files as make
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbench.capture import bursts
from simbench.capture.block import Block
from simbench.capture.bursts import SPANS_NS, BurstProfile
from simbench.capture.order import TimeOrder, count_late, time_order
from simbench.capture.reader import open_capture
from simbench.capture.summary import summarize

from test_capture_dissect import PAYLOAD, ethernet, ipv4, tag, udp  # isort: skip


@given(st.lists(st.integers(0, 20), max_size=40))
def test_order_is_stable(stamps: list[int]) -> None:
    """Frames are ordered by time, those of one time as in the file; a frame behind a later one has moved."""
    order, moved = time_order(np.array(stamps, np.int64))
    assert sorted(range(len(stamps)), key=stamps.__getitem__) == order.tolist()
    assert moved == sum(stamp < max(stamps[: at + 1]) for at, stamp in enumerate(stamps))


def shuffled(count: int, reach: int) -> list[tuple[int, bytes]]:
    """Return frames that are at most so far from their place in time order."""
    generator = random.Random(8)
    keys = sorted(range(count), key=lambda n: n + generator.uniform(0, reach))
    return [(1000 + n // 2, b"%d" % n) for n in keys]


def blocks_of(frames: list[tuple[int, bytes]], size: int) -> list[Block]:
    """Return frames in blocks."""
    made = []
    for first in range(0, len(frames), size):
        part = frames[first : first + size]
        block = make.batch([data for _, data in part])
        block.frames["stamp"] = [stamp for stamp, _ in part]
        block.frames["payload"] = block.frames["offset"] + 1
        made.append(block)
    return made


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("window", [32, 500, 5000])
def test_streamed_order(size: int, window: int) -> None:
    """Frames within reach of the window come out in time order with their bytes, whatever the blocks."""
    frames = shuffled(2000, 30)
    order = TimeOrder(window)
    seen = []
    for block in order.order(blocks_of(frames, size)):
        for frame in block.frames:
            assert frame["payload"] == frame["offset"] + 1
            data = block.data[frame["offset"] : frame["offset"] + frame["captured"]].tobytes()
            seen.append((int(frame["stamp"]), data))
    assert sorted(frames, key=lambda one: one[0]) == seen
    assert (order.late, order.moved) == (0, count_late(np.array([stamp for stamp, _ in frames])))
    assert order.moved > 100


def test_what_comes_later_than_the_window_is_counted() -> None:
    """No frame is lost: one that comes too late for its place stays behind, and is counted."""
    frames = [*((1000 + n, b"x") for n in range(500)), (5, b"late"), *((2000 + n, b"x") for n in range(500))]
    order = TimeOrder(window=50)
    stamps = [int(stamp) for block in order.order(blocks_of(frames, 100)) for stamp in block.frames["stamp"]]
    assert sorted(stamp for stamp, _ in frames) == sorted(stamps)
    assert (order.late, order.moved) == (1, 0)


def test_window_is_bounded_in_bytes() -> None:
    """Long frames fill the window sooner."""
    frames = [(n, bytes(1000)) for n in range(100)]
    held = max(len(block.frames) for block in TimeOrder(1 << 16, 10_000).order(blocks_of(frames, 1)))
    assert held <= 20


def naive_burst(stamps: list[int], span: int) -> tuple[int, int]:
    """Return the most frames within a span and the first stamp of the earliest such window."""
    stamps = sorted(stamps)
    best = (0, 0)
    for last, stamp in enumerate(stamps):
        first = next(at for at, other in enumerate(stamps) if stamp - other < span)
        if last - first + 1 > best[0]:
            best = (last - first + 1, stamps[first])
    return best


def test_bursts_as_counted_naively(monkeypatch: pytest.MonkeyPatch) -> None:
    """The densest windows are those that a naive count finds, in any order of stamps within reach."""
    monkeypatch.setattr(bursts, "WINDOW", 50)
    generator = random.Random(2)
    stamps: list[int] = []
    for _ in range(60):
        start = generator.randrange(10**9)
        stamps += [start + generator.randrange(generator.choice((50_000, 10**6, 10**7))) for _ in range(20)]
    stamps.sort(key=lambda stamp: stamp + generator.randrange(1000))
    profile = BurstProfile()
    for first in range(0, len(stamps), 37):
        profile.add(np.array(stamps[first : first + 37], np.int64))
    expected = [naive_burst(stamps, span) for span in SPANS_NS]
    assert expected == [(one.frames, one.stamp) for one in profile.bursts()]


def test_bursts_of_nothing_and_of_everything() -> None:
    """No frames are no burst; more frames at one time than the ring holds are counted as that many."""
    assert [(one.frames, one.stamp) for one in BurstProfile().bursts()] == [(0, 0)] * 3
    profile = BurstProfile()
    for _ in range(5):
        profile.add(np.full(1 << 18, 7))
    assert [(one.frames, one.stamp) for one in profile.bursts()] == [(bursts.RING, 7)] * 3


def test_summary(tmp_path: Path) -> None:
    """Frames, times, flows, checksums and other traffic of a small capture are all there."""
    bad = bytearray(ethernet(ipv4()))
    bad[-1] ^= 1
    frames = [
        (3_000_000_000, ethernet(ipv4())),
        (1_000_000_000, ethernet(tag(ipv4(), 905), 0x8100) + b"\1\2\3\4"),
        (2_000_000_000, bytes(bad)),
        (2_000_000_100, ethernet(bytes(28), 0x0806)),
        (2_000_000_200, ethernet(ipv4(udp(b"hello", 1985)))),
    ]
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(frames) + b"cut")
    summary = summarize(path)
    assert (summary.frames, summary.truncated, summary.backward_stamps) == (5, True, 1)
    assert (summary.first_ns, summary.last_ns) == (1_000_000_000, 3_000_000_000)
    assert sum(len(data) for _, data in frames) == summary.captured_bytes == summary.wire_bytes
    assert summary.other == {"arp": 1}
    assert summary.peeled == {"vlan": 1}
    assert (summary.datagrams, summary.bad_udp_checksums, summary.trailers) == (4, 1, 1)
    plain, tagged, hsrp = summary.flows
    assert (plain.group, plain.source, plain.vlan, plain.datagrams) == ("224.0.31.1:14310", "10.0.0.1", -1, 2)
    assert (plain.first_ns, plain.last_ns, plain.bad_checksums) == (2_000_000_000, 3_000_000_000, 1)
    assert 2 * len(PAYLOAD) == plain.payload_bytes
    assert (tagged.vlan, hsrp.name) == (905, "hsrp")
    assert [burst.frames for burst in summary.bursts] == [3, 3, 3]
    assert [summary.offset_s(burst.stamp) for burst in summary.bursts] == [1.0, 1.0, 1.0]
    assert summary.checksums == "1 of 4 wrong"


def test_summary_of_an_empty_capture(tmp_path: Path) -> None:
    """A capture without a frame has a summary too."""
    path = tmp_path / "capture"
    path.write_bytes(make.pcap([]))
    summary = summarize(path)
    assert (summary.frames, summary.first_ns, summary.flows, summary.checksums) == (0, 0, [], "none")


def test_summary_of_many_flows(tmp_path: Path) -> None:
    """The table grows with the flows."""
    path = tmp_path / "capture"
    path.write_bytes(make.pcap([(n, ethernet(ipv4(udp(port=1 + n)))) for n in range(200)]))
    assert [flow.datagrams for flow in summarize(path).flows] == [1] * 200


def test_real_captures_are_summarised(real_captures: Path) -> None:
    """What is known of the real captures is in their summaries."""
    cme = summarize(real_captures / "cme-mdp3-340" / "capture.pcap")
    assert {("224.0.31.64:14340", 5000), ("224.0.32.64:15340", 5000)} == {(f.group, f.datagrams) for f in cme.flows}
    assert (cme.frames, cme.backward_stamps, cme.checksums) == (10_000, 581, "all good")
    assert cme.bursts[1].frames == 78
    iex = summarize(real_captures / "iex-tops" / "capture.pcapng.gz")
    assert (iex.flows[0].group, iex.bad_udp_checksums) == ("224.67.0.199:16642", 13_021)
    krx = summarize(real_captures / "krx-kospi200" / "capture.pcap.gz")
    assert krx.other == {"stp": 15, "igmp": 8, "pim": 2, "arp": 1}
    assert {"hsrp", "netbios_name", "netbios_datagram", ""} == {flow.name for flow in krx.flows}


def test_real_capture_in_time_order(real_captures: Path) -> None:
    """The streamed order of a capture whose file order is not its time order is the whole one's."""
    capture = open_capture(real_captures / "cme-mdp3-340" / "capture.pcap")
    stamps = np.concatenate([block.frames["stamp"].copy() for block in capture.blocks()])
    ordinals = np.concatenate([block.frames["ordinal"].copy() for block in capture.blocks()])
    order, moved = time_order(stamps)
    stream = TimeOrder()
    seen = np.concatenate([block.frames["ordinal"].copy() for block in stream.order(capture.blocks())])
    assert np.array_equal(ordinals[order], seen)
    assert 0 < moved == stream.moved
    assert stream.late == 0
