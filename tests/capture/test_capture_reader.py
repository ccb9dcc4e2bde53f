"""Captures are read whatever their format, their byte order and their name, and as far as they are whole."""

import gzip
import itertools
import random
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import capture_files as make
import dpkt
import numpy as np
import pytest
import zstandard

from simbench.capture.block import BLOCK, FRAMES, LONGEST, ROOM
from simbench.capture.reader import Capture, open_capture
from simbench.capture.stream import ZstdFrames
from simbench.capture.writer import write_pcap
from simbench.errors import SimbenchError

START = 1_478_961_025_968_272_000
FRAMES_OF_THREE = [(START, b"first frame"), (START + 5_000, b""), (START - 1_000_000, bytes(range(200)))]


def a_pcapng(order: str = "<") -> bytes:
    """Return a small pcapng with blocks of every kind."""
    return b"".join(
        (
            make.section(order),
            make.interface(order, options=make.option(9, b"\x09", order) + make.option(2, b"eth7", order)),
            make.packet(START, b"first frame", order=order),
            make.block(0xBAD, b"anything", order),
            make.packet(START + 5_000, b"", order=order),
            make.block(
                5, struct.pack(f"{order}III", 0, 0, 0) + make.option(5, struct.pack(f"{order}Q", 7), order), order
            ),
            make.packet(START - 1_000_000, bytes(range(200)), order=order),
        )
    )


def expect_three(seen: list[make.Seen]) -> None:
    """Assert that the three frames were read, byte by byte and to the nanosecond."""
    assert [(one.stamp, one.data) for one in seen] == FRAMES_OF_THREE
    assert [len(data) for _, data in FRAMES_OF_THREE] == [one.wire for one in seen]


def opened(path: Path) -> Capture | None:
    """Return a capture, or None where it is refused, in one line that names it."""
    try:
        return open_capture(path)
    except SimbenchError as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
    return None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
def test_pcap_of_every_kind(tmp_path: Path, order: str, magic: int) -> None:
    """Both byte orders, microseconds, nanoseconds and Kuznetzov's longer records read alike."""
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(FRAMES_OF_THREE, order, magic))
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert (capture.frames, capture.backward_stamps, capture.truncated, capture.problem) == (3, 1, False, "")
    assert ("ns" if magic == 0xA1B23C4D else "us") in capture.format
    assert ("big" if order == ">" else "little") in capture.format


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_both_byte_orders(tmp_path: Path, order: str) -> None:
    """Blocks that hold no packet are passed over, options and drop counts are read."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(a_pcapng(order))
    capture = open_capture(path)
    assert [(one.name, one.resolution) for one in capture.interfaces] == [("eth7", "1 ns")]
    expect_three(make.read(capture))
    assert [one.drops for one in capture.interfaces] == [7]
    assert capture.backward_stamps == 1


def test_a_capture_is_read_again_from_its_beginning(tmp_path: Path) -> None:
    """Two readings, even at the same time, do not disturb each other."""
    path = tmp_path / "capture"
    path.write_bytes(a_pcapng())
    capture = open_capture(path)
    for one, other in zip(capture.blocks(), capture.blocks(), strict=True):
        assert np.array_equal(one.frames, other.frames)
    expect_three(make.read(capture))
    expect_three(make.read(capture))


@pytest.mark.parametrize(
    "resolution", [0, 3, 6, 9, 10, 12, 19, 27, 100, *(128 + n for n in (0, 1, 20, 32, 33, 47, 63))]
)
@pytest.mark.parametrize("offset", [0, 1_000_000_000, -1])
def test_clock_of_every_resolution(tmp_path: Path, resolution: int, offset: int) -> None:
    """Ticks of powers of 10 and of 2 become whole nanoseconds, rounded down."""
    unit = Fraction(1, (2 if resolution & 128 else 10) ** (resolution & 127))
    ticks = min(int(Fraction(START, 10**9) / unit), (1 << 64) - 1)
    options = make.option(9, bytes([resolution])) + make.option(14, struct.pack("<q", offset))
    path = tmp_path / "capture"
    path.write_bytes(make.section() + make.interface(options=options) + make.packet(ticks, b"x"))
    expected = int(ticks * unit * 10**9) + offset * 10**9
    assert [expected] == [one.stamp for one in make.read(path)]


@pytest.mark.parametrize("resolution", [0, 6, 9])
def test_stamps_out_of_range_are_clamped(tmp_path: Path, resolution: int) -> None:
    """A stamp beyond the year 2262 is said to be one, instead of wrapping into the past."""
    path = tmp_path / "capture"
    options = make.option(9, bytes([resolution])) + make.option(14, struct.pack("<q", 5))
    path.write_bytes(make.section() + make.interface(options=options) + make.packet((1 << 64) - 1, b"x"))
    capture = open_capture(path)
    assert [one.stamp for one in make.read(capture)] == [(1 << 63) - 1]
    assert "2262" in capture.problem


def test_sections_and_interfaces(tmp_path: Path) -> None:
    """Numbers of interfaces start again in a section; what is declared again alike is the same interface."""
    eth, other = make.option(2, b"eth0"), make.option(2, b"eth1")
    path = tmp_path / "capture"
    path.write_bytes(
        make.section()
        + make.interface(options=eth)
        + make.packet(1, b"a")
        + make.section(">")
        + make.interface(">", options=make.option(2, b"eth0", ">"))
        + make.interface(">", options=make.option(2, b"eth1", ">"))
        + make.packet(2, b"b", 0, ">")
        + make.packet(3, b"c", 1, ">")
        + make.section()
        + make.interface(options=other)
        + make.packet(4, b"d", 0)
    )
    capture = open_capture(path)
    assert [(one.data, one.interface) for one in make.read(capture)] == [(b"a", 0), (b"b", 0), (b"c", 1), (b"d", 2)]
    assert [one.name for one in capture.interfaces] == ["eth0", "eth1", "eth1"]
    assert capture.format == "pcapng of both byte orders"


def test_many_interfaces(tmp_path: Path) -> None:
    """The table of a section's interfaces grows; far too many of them are damage."""
    path = tmp_path / "capture"
    path.write_bytes(
        make.section()
        + b"".join(make.interface(options=make.option(2, b"%d" % n)) for n in range(100))
        + make.packet(1, b"x", 99)
    )
    assert [one.interface for one in make.read(path)] == [99]
    path.write_bytes(make.section() + make.interface() * 5000 + make.packet(1, b"x"))
    capture = open_capture(path)
    assert make.read(capture) == []
    assert capture.truncated


def test_packets_without_a_time(tmp_path: Path) -> None:
    """Simple packets have their predecessor's time and are cut to the interface's snaplen."""
    path = tmp_path / "capture"
    path.write_bytes(
        make.section()
        + make.interface(snaplen=4)
        + make.packet(9, b"1234")
        + make.block(3, struct.pack("<I", 6) + b"5678")
        + make.block(2, struct.pack("<HHIIII", 0, 3, 0, 10, 2, 2) + b"ab\0\0")
    )
    capture = open_capture(path)
    expected = [(9000, b"1234", 4, 0), (9000, b"5678", 6, 0), (10_000, b"ab", 2, 0)]
    assert expected == [tuple(one) for one in make.read(capture)]
    assert capture.unstamped == 1


def test_frames_that_the_file_contradicts_are_left_out(tmp_path: Path) -> None:
    """A packet of an undeclared interface, or longer than its block, is counted and the rest goes on."""
    too_long = make.block(6, struct.pack("<IIIII", 0, 0, 1, 5, 5) + b"abcd")
    path = tmp_path / "capture"
    path.write_bytes(make.section() + make.interface() + make.packet(1, b"x", 3) + too_long + make.packet(2, b"good"))
    capture = open_capture(path)
    assert [one.data for one in make.read(capture)] == [b"good"]
    assert (capture.left_out, capture.frames, capture.truncated) == (2, 1, False)
    assert "not declare" in capture.problem


def test_blocks_larger_than_the_buffer(tmp_path: Path) -> None:
    """A block that nobody wants may be of any size; one with a packet may not."""
    path = tmp_path / "capture"
    huge = make.block(0xBAD, bytes(2 * BLOCK + ROOM))
    path.write_bytes(make.section() + make.interface() + huge + make.packet(1, b"after"))
    assert [one.data for one in make.read(path)] == [b"after"]
    path.write_bytes(make.section() + make.interface() + make.packet(1, b"before") + huge[:-100])
    capture = open_capture(path)
    assert [one.data for one in make.read(capture)] == [b"before"]
    assert capture.truncated
    path.write_bytes(
        make.section() + make.interface() + make.packet(1, b"before") + make.packet(2, bytes(LONGEST + 5000))
    )
    assert [one.data for one in make.read(capture)] == [b"before"]
    assert "damaged" in capture.problem


def test_records_across_the_ends_of_blocks(tmp_path: Path) -> None:
    """Frames come out whole and once where a buffer ends inside a record, or a block holds all the frames it can."""
    generator = random.Random(4)
    frames = [(n, generator.randbytes(generator.randrange(3000))) for n in range(2000)]
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(frames))
    assert frames == [(one.stamp, one.data) for one in make.read(path)]
    path.write_bytes(make.pcap([(1, b"")] * (2 * FRAMES + 5)))
    assert [len(one.frames) for one in open_capture(path).blocks()] == [FRAMES, FRAMES, 5]


COMPRESSED = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, zstd": lambda data: gzip.compress(zstandard.ZstdCompressor().compress(data)),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compression_is_told_by_content(tmp_path: Path, kind: str) -> None:
    """A name that lies does not matter, and neither does one compression inside another."""
    path = tmp_path / "capture.txt"
    path.write_bytes(COMPRESSED[kind](make.pcap(FRAMES_OF_THREE)))
    capture = open_capture(path)
    assert kind == capture.compression
    expect_three(make.read(capture))
    assert capture.problem == ""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_several_members_are_one_capture(tmp_path: Path, kind: str) -> None:
    """Compressed pieces behind each other are one stream; padding is none of it."""
    data = a_pcapng()
    pieces = [COMPRESSED[kind](piece) for piece in (data[:50], data[50:51], data[51:])]
    path = tmp_path / "capture"
    path.write_bytes(b"".join(pieces))
    expect_three(make.read(path))
    path.write_bytes(
        b"".join(pieces) + (bytes(1000) if kind == "gzip" else struct.pack("<II", 0x184D2A53, 5) + bytes(5))
    )
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert not capture.truncated


def test_what_follows_gzip_is_named(tmp_path: Path) -> None:
    """Bytes that are not gzip behind the stream are a problem, told."""
    path = tmp_path / "capture"
    path.write_bytes(gzip.compress(make.pcap(FRAMES_OF_THREE)) + b"rubbish")
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert "not gzip" in capture.problem


@pytest.mark.parametrize("data", [make.pcap(FRAMES_OF_THREE), a_pcapng(), a_pcapng(">")], ids=["pcap", "pcapng", "big"])
def test_cut_at_every_byte(tmp_path: Path, data: bytes) -> None:
    """A file cut anywhere yields the frames before the cut and says that it is cut, unless a record ends there."""
    path = tmp_path / "capture"
    whole = []
    for size in range(len(data)):
        path.write_bytes(data[:size])
        capture = opened(path)
        if capture is None:
            assert not whole
            continue
        seen = [(one.stamp, one.data) for one in make.read(capture)]
        assert FRAMES_OF_THREE[: len(seen)] == seen
        assert capture.truncated == bool(capture.problem)
        if not capture.truncated:
            whole.append(size)
    starts = [24, 51, 67] if data[:1] == b"M" else [28]
    assert set(starts) <= set(whole)
    assert len(whole) <= 6


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_and_cut_at_every_byte(tmp_path: Path, kind: str) -> None:
    """A compressed stream that is cut says so, even where the records before the cut are whole."""
    data = COMPRESSED[kind](make.pcap(FRAMES_OF_THREE))
    path = tmp_path / "capture"
    for size in range(4, len(data)):
        path.write_bytes(data[:size])
        capture = opened(path)
        if capture is None:
            continue
        seen = [(one.stamp, one.data) for one in make.read(capture)]
        assert FRAMES_OF_THREE[: len(seen)] == seen
        assert capture.truncated
        assert "ends early" in capture.problem


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("size", [0, 10, 1 << 18])
def test_zstd_frames_are_followed(step: int, size: int) -> None:
    """A stream is whole at the ends of its frames and nowhere else, in whatever pieces it comes."""
    content = random.Random(1).randbytes(size // 2) + bytes(size - size // 2)
    for options in ({}, {"write_checksum": True, "write_content_size": False}):
        frame = zstandard.ZstdCompressor(**options).compress(content)
        ends = (0, len(frame), 2 * len(frame))
        follower = ZstdFrames()
        at = 0
        for piece in _pieces(frame * 2, step):
            follower.feed(piece)
            at += len(piece)
            assert (at in ends) == follower.whole


def _pieces(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (gzip.compress(b""), "is empty"),
        (b"%PDF-1.7 and so on", "a PDF"),
        (b"just a text", "6a 75 73 74"),
        (b"\xd4", "d4"),
        (b"snoop\0\0\0\0\0\0\x02", "snoop"),
        (b"\x1c\x00\x01\xac", "IXIA"),
        (b"\xa1\xb2\xc3\xcd", "a1b2c3cd"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 9, 9, 0, 0, 0, 1), "9.9"),
        (make.pcap([])[:20], "cut"),
        (make.section()[:20], "cut or damaged"),
        (make.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 7, 0, -1)), "version 7"),
        (make.block(0x0A0D0D0A, bytes(16)), "cut or damaged"),
        (gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x")))), "3 times"),
        (gzip.compress(bytes(100)), "inside gzip"),
        (gzip.compress(bytes(1000))[:-3] + b"bad", "damaged"),
        (b"\x28\xb5\x2f\xfd\xff\xff\xff", "no readable content"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_capture_gets_one_line(tmp_path: Path, content: bytes, word: str) -> None:
    """An empty, foreign or hopeless file is refused with its name and what is wrong, in one line."""
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(SimbenchError, match=word) as caught:
        open_capture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_gets_one_line(tmp_path: Path, name: str) -> None:
    """A path that leads nowhere or to a folder is refused."""
    with pytest.raises(SimbenchError, match="file"):
        open_capture(tmp_path / name)


@pytest.mark.parametrize("length", [LONGEST + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_absurd_length_ends_a_pcap(tmp_path: Path, length: int) -> None:
    """What was good before a record that cannot be is kept."""
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(FRAMES_OF_THREE) + struct.pack("<IIII", 1, 1, length, 1) + bytes(100))
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert capture.truncated
    assert f"{length:,} bytes" in capture.problem


@pytest.mark.parametrize("length", [0, 8, 13, 0xFFFFFFFE])
@pytest.mark.parametrize("kind", [1, 3, 6, 0xBAD, 0x0A0D0D0A])
def test_absurd_length_ends_a_pcapng(tmp_path: Path, length: int, kind: int) -> None:
    """What was good before a block that cannot be is kept."""
    path = tmp_path / "capture"
    path.write_bytes(a_pcapng() + struct.pack("<III", kind, length, 0x1A2B3C4D) + bytes(100))
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert capture.truncated
    assert "damaged" in capture.problem


def test_lengths_that_disagree_end_a_pcapng(tmp_path: Path) -> None:
    """The length behind a block has to be the one before it."""
    path = tmp_path / "capture"
    path.write_bytes(a_pcapng() + make.packet(1, b"x")[:-4] + struct.pack("<I", 40) + make.packet(1, b"y"))
    capture = open_capture(path)
    expect_three(make.read(capture))
    assert "damaged" in capture.problem


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "gzip", "zstd"])
def test_mutated_captures_never_fail(tmp_path: Path, kind: str) -> None:
    """Flipped bytes cost frames, never a traceback, and no frame points outside its block."""
    whole = a_pcapng() if kind == "pcapng" else make.pcap(FRAMES_OF_THREE * 3)
    whole = COMPRESSED.get(kind, bytes)(whole)
    path = tmp_path / "capture"
    generator = random.Random(99)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(generator.randrange(1, 5)):
            data[generator.randrange(len(data))] = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
        path.write_bytes(data)
        capture = opened(path)
        if capture is None:
            continue
        count = 0
        for block in capture.blocks():
            frames = block.frames
            count += len(frames)
            assert (frames["offset"] >= 0).all()
            assert (frames["captured"] >= 0).all()
            assert (frames["captured"] <= frames["wire"]).all()
            assert (frames["offset"] + frames["captured"] <= len(block.data)).all()
        assert count == capture.frames


PEAK = """
import resource, sys
from simbench.capture.reader import Capture, open_capture
from simbench.capture.dissect import Dissector
capture, dissector = open_capture(sys.argv[1]), Dissector()
for block in capture.blocks():
    dissector.dissect(block)
print(capture.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(path: Path) -> tuple[int, int]:
    """Return the frames of a capture and the peak memory of a process that dissects it."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    frames, peak = map(int, done.stdout.split())
    return frames, peak


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """300 MB, or a small file that expands to 100 MB, take the memory of 3 MB."""
    sizes = np.full(2_000, 1434)
    data = np.random.default_rng(0).integers(0, 256, int(sizes.sum()), np.uint8)
    offsets = np.cumsum(sizes) - sizes
    small, large, bomb = tmp_path / "small", tmp_path / "large", tmp_path / "bomb"
    write_pcap(small, np.arange(2_000), data, offsets, sizes)
    content = small.read_bytes()
    with large.open("wb") as file:
        file.write(content)
        for _ in range(103):
            file.write(content[24:])
    bomb.write_bytes(zstandard.ZstdCompressor().compress(make.pcap([]) + bytes(100_000_000)))
    assert bomb.stat().st_size < 100_000
    peak_kib(small)
    frames, usual = peak_kib(small)
    assert frames == 2_000
    for path, expected in ((large, 208_000), (bomb, 6_250_000)):
        frames, peak = peak_kib(path)
        assert expected == frames
        assert peak < 1.25 * usual


def described_packets(text: str) -> int:
    """Return the packets that a description of the pcapng suite promises."""
    counts = dict(line.strip().split(": ") for line in text.splitlines() if line.startswith("\t"))
    return int(counts.get("EPB", 0)) + int(counts.get("SPB", 0))


def test_suite_of_pcapng_corner_cases(real_captures: Path) -> None:
    """Every file of the suite holds the packets that its description promises, without a problem."""
    paths = sorted((real_captures / "file-formats" / "pcapng").rglob("*.pcapng"))
    assert len(paths) == 24
    for path in paths:
        capture = open_capture(path)
        seen = make.read(capture)
        assert described_packets(path.with_suffix(".txt").read_text()) == len(seen), path.name
        assert (capture.truncated, capture.problem) == (False, ""), path.name


def naive_pcapng(data: bytes) -> list[tuple[bytes, int]]:
    """Return bytes and wire length of the packets, read the slow and obvious way."""
    packets: list[tuple[bytes, int]] = []
    at, order, snaplens = 0, "<", []
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8] == 0x4D else ">"
            snaplens = []
        kind, size = struct.unpack_from(f"{order}II", data, at)
        body = data[at + 8 : at + size - 4]
        if kind == 1:
            snaplens.append(struct.unpack_from(f"{order}I", body, 4)[0])
        elif kind == 6:
            captured, wire = struct.unpack_from(f"{order}II", body, 12)
            packets.append((body[20 : 20 + captured], wire))
        elif kind == 3:
            (wire,) = struct.unpack_from(f"{order}I", body)
            captured = min(wire, snaplens[0] or wire)
            packets.append((body[4 : 4 + captured], wire))
        at += size
    return packets


def test_suite_of_pcapng_byte_by_byte(real_captures: Path) -> None:
    """The packets of the suite are those that a naive reader finds."""
    for path in sorted((real_captures / "file-formats" / "pcapng").rglob("*.pcapng")):
        assert naive_pcapng(path.read_bytes()) == [(one.data, one.wire) for one in make.read(path)], path.name


def test_pcap_as_dpkt_reads_it(real_captures: Path) -> None:
    """Bytes and times of plain pcaps are those of a second reader."""
    paths = [
        *(real_captures / "file-formats" / "pcap").iterdir(),
        real_captures / "miax-tom" / "capture.pcap",
        real_captures / "ice-impact" / "capture.pcap",
    ]
    for path in paths:
        with path.open("rb") as file:
            expected = [(round(stamp * 10**6), data) for stamp, data in dpkt.pcap.UniversalReader(file)]
        seen = [(round(one.stamp / 1000), one.data) for one in make.read(path)]
        assert [data for _, data in expected] == [data for _, data in seen]
        assert max(abs(a - b) for (a, _), (b, _) in zip(expected, seen, strict=True)) <= 1


@pytest.mark.parametrize(
    ("name", "frames", "backward"),
    [
        ("cme-mdp3-340/capture.pcap", 10_000, 581),
        ("deribit-sbe/capture.pcapng", 5_066, None),
        ("iex-tops/capture.pcapng.gz", 13_022, 0),
        ("miax-tom/capture.pcap", 20_560, 0),
        ("ice-impact/capture.pcap", None, 0),
        ("krx-kospi200/capture.pcap.gz", None, 0),
    ],
)
def test_real_captures(real_captures: Path, name: str, frames: int | None, backward: int | None) -> None:
    """The frames and backward stamps of the real captures are as known."""
    capture = open_capture(real_captures / name)
    count = sum(len(block.frames) for block in capture.blocks())
    assert (count, False, "") == (capture.frames, capture.truncated, capture.problem)
    assert frames in {None, count}
    assert backward in {None, capture.backward_stamps}


def test_a_folder_stands_for_the_capture_in_it(tmp_path: Path) -> None:
    """By its name; where there is none, one line says which names there are."""
    with pytest.raises(SimbenchError, match=r"a folder without a capture: without one of capture\.pcap, "):
        open_capture(tmp_path)
    (tmp_path / "capture.pcapng").write_bytes(a_pcapng())
    expect_three(make.read(open_capture(tmp_path)))
    assert open_capture(tmp_path).path == tmp_path / "capture.pcapng"
