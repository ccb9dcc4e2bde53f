"""Frames are built right and captures written whole, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import capture_files as make
import dpkt
import numpy as np
import pytest

from simbench.capture.dissect import Dissector
from simbench.capture.frames import HEADERS, craft_udp, route
from simbench.capture.reader import open_capture
from simbench.capture.summary import group_text, source_text
from simbench.capture.writer import BUFFER, PcapWriter, write_pcap
from simbench.errors import SimbenchError

LINE_A = ("10.0.0.1:30001", "224.0.31.1:14310")
LINE_B = ("10.0.0.2:30002", "239.129.32.2:15310")


def some_frames(count: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a buffer of random payloads, and their offsets and lengths."""
    generator = np.random.default_rng(3)
    lengths = generator.integers(0, 300, count)
    return generator.integers(0, 256, int(lengths.sum()), np.uint8), np.cumsum(lengths) - lengths, lengths


def test_crafted_frames_as_dpkt_reads_them() -> None:
    """Addresses, ports, lengths and checksums are those that a second implementation computes."""
    payload, offsets, lengths = some_frames()
    frames, places, sizes = craft_udp(
        payload, offsets, lengths, [route(*LINE_A), route(*LINE_B)], np.arange(50) % 2, first_identification=65_530
    )
    for index in range(50):
        data = frames[places[index] : places[index] + sizes[index]].tobytes()
        frame = dpkt.ethernet.Ethernet(data)
        expected = payload[offsets[index] : offsets[index] + lengths[index]].tobytes()
        assert expected == bytes(frame.data.data.data)
        assert frame.dst.hex() == ("01005e012002" if index % 2 else "01005e001f01")
        assert (frame.data.data.sport, frame.data.data.dport) == ((30002, 15310) if index % 2 else (30001, 14310))
        assert frame.data.id == (65_530 + index) % 65_536
        frame.data.sum = frame.data.data.sum = 0  # dpkt then computes them
        assert data == bytes(frame)


def test_crafted_frames_are_dissected() -> None:
    """What is crafted comes back from the dissection, without a flag."""
    payload, offsets, lengths = some_frames()
    frames, places, sizes = craft_udp(payload, offsets, lengths, [route(*LINE_A)])
    block = make.batch([frames[at : at + size].tobytes() for at, size in zip(places, sizes, strict=True)])
    dissector = Dissector()
    dissector.dissect(block)
    assert {0} == set(block.frames["flags"].tolist())
    assert lengths.tolist() == block.frames["payload_length"].tolist()
    assert (sizes == lengths + HEADERS).all()
    assert LINE_A[1] == group_text(dissector.flows[0])
    assert source_text(dissector.flows[0]) == "10.0.0.1"


def test_a_checksum_that_comes_out_as_zero_is_sent_as_ones() -> None:
    """Zero would say that there is none (RFC 768)."""
    zeros = 0
    for word in range(1 << 16):
        payload = np.array([word >> 8, word & 255], np.uint8)
        if word % 64 and word not in range(40_000, 50_000):
            continue
        frame, _, _ = craft_udp(payload, np.zeros(1, np.int64), np.array([2]), [route(*LINE_A)])
        assert frame[40:42].any()
        zeros += frame[40] == frame[41] == 255
    assert zeros == 1


@pytest.mark.parametrize("text", ["224.0.31.1", "224.0.31.1:", "224.0.31.1:70000", "here:1", ":5", "224.0.31.1:x"])
def test_bad_addresses_get_one_line(text: str) -> None:
    """What is no address and port is refused."""
    with pytest.raises(SimbenchError, match="is not an address and port"):
        route("10.0.0.1:1", text)


def test_too_long_a_payload_gets_one_line() -> None:
    """A datagram has its limit."""
    with pytest.raises(SimbenchError, match="65,507"):
        craft_udp(np.zeros(70_000, np.uint8), np.zeros(1, np.int64), np.array([65_508]), [route(*LINE_A)])


@pytest.mark.parametrize("count", [0, 1, 50, 12_000])
def test_round_trip(tmp_path: Path, count: int) -> None:
    """What is written is read again, to the nanosecond, also where it does not fit into one buffer."""
    data, offsets, lengths = some_frames(count)
    stamps = 1_700_000_000_123_456_789 + np.arange(count) * 1_001
    path = tmp_path / "capture.pcap"
    write_pcap(path, stamps, data, offsets, lengths)
    capture = open_capture(path)
    seen = make.read(capture)
    assert capture.format == "pcap ns little-endian"
    assert stamps.tolist() == [one.stamp for one in seen]
    assert [data[at : at + size].tobytes() for at, size in zip(offsets, lengths, strict=True)] == [s.data for s in seen]
    assert count < 10_000 or path.stat().st_size > BUFFER
    assert [path] == list(tmp_path.iterdir())


def test_written_in_pieces(tmp_path: Path) -> None:
    """Pieces are one capture, and a frame that was cut keeps its length on the wire."""
    path = tmp_path / "capture.pcap"
    with PcapWriter(path, link=101) as writer:
        for stamp in (5, 6):
            writer.write(np.array([stamp]), np.arange(9, dtype=np.uint8), np.array([2]), np.array([3]), np.array([7]))
        assert not path.exists()
    assert make.read(path) == [(5, b"\2\3\4", 7, 0), (6, b"\2\3\4", 7, 0)]
    assert [one.link for one in open_capture(path).interfaces] == [101]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    """A capture that is not finished neither replaces the old one nor leaves a piece behind."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(b"old")

    def fail() -> None:
        with PcapWriter(path) as writer:
            writer.write(np.array([1]), np.zeros(9, np.uint8), np.array([2]), np.array([3]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stamp", "offset", "length", "error"),
    [
        (-1, 0, 1, SimbenchError),
        (1 << 62, 0, 1, SimbenchError),
        (0, 0, (1 << 18) + 1, SimbenchError),
        (0, 5, 5, ValueError),
        (0, -1, 5, ValueError),
    ],
)
def test_what_a_pcap_cannot_hold_is_refused(
    tmp_path: Path, stamp: int, offset: int, length: int, error: type[Exception]
) -> None:
    """Stamps, lengths and places out of range are refused before anything is written."""
    with pytest.raises(error):
        write_pcap(tmp_path / "x", np.array([stamp]), np.zeros(9, np.uint8), np.array([offset]), np.array([length]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/capture.pcap", "."])
def test_where_nothing_can_be_written_gets_one_line(tmp_path: Path, name: str) -> None:
    """A folder that is not there, or a folder in the file's place, is one line."""
    with pytest.raises(SimbenchError, match="cannot write"):
        PcapWriter(tmp_path / name)


FULL_DISK = """
import resource, signal, sys
import numpy as np
from simbench.capture.writer import write_pcap
from simbench.errors import SimbenchError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_pcap(sys.argv[1], np.arange(99), np.zeros(9000, np.uint8), np.zeros(99, np.int64), np.full(99, 90))
except SimbenchError as error:
    print(error)
"""


def test_a_full_disk_gets_one_line(tmp_path: Path) -> None:
    """Where the file cannot grow further, one line says so and nothing is left."""
    path = tmp_path / "capture.pcap"
    plain = os.environ | {"NUMBA_DISABLE_JIT": "1"}  # a limit on files is one on the cache of kernels too
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], env=plain, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert list(tmp_path.iterdir()) == []
