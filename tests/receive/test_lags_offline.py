"""How lines lag in a whole capture, against a reckoning from its bytes that knows neither kernels nor arbitration."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from simbench.feed import layout as at
from simbench.measure.skew import EDGES, buckets
from simbench.receive.offline import Offline, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPTURE = Path(__file__).resolve().parents[2] / "captures" / "announcement" / "capture.pcap"
PORTS = {26400: 0, 26401: 1}  # of its feed.toml: lines A and B
NS_MAGIC = 0xA1B23C4D


def datagrams() -> Iterator[tuple[int, int, int, int]]:
    """Yield recorded time, line, first sequence and messages of every MoldUDP64 packet of the lines."""
    data = CAPTURE.read_bytes()
    (magic,) = struct.unpack_from("<I", data)
    at_byte, scale = 24, 1 if magic == NS_MAGIC else 1000
    while at_byte < len(data):
        seconds, fraction, length, _ = struct.unpack_from("<IIII", data, at_byte)
        frame = data[at_byte + 16 : at_byte + 16 + length]
        at_byte += 16 + length
        payload = frame[14 + 4 * (frame[14] & 15) + 8 :]
        (port,) = struct.unpack_from(">H", frame, 14 + 4 * (frame[14] & 15) + 2)
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and port in PORTS:
            first, count = struct.unpack_from(">QH", payload, 10)
            yield seconds * 10**9 + fraction * scale, PORTS[port], first, count


def test_lags_of_a_capture_are_those_of_its_stamps() -> None:
    """Of every packet that both lines carry: how far the second copy is behind the first, in its line's histogram."""
    seen: dict[int, tuple[int, int]] = {}
    expected: list[list[int]] = [[], []]
    for stamp, line, first, count in sorted(datagrams()):
        if count in {0, 0xFFFF}:  # a heartbeat, the end of the session
            continue
        if first in seen and seen[first][1] != line:
            expected[line].append(stamp - seen[first][0])
        seen.setdefault(first, (stamp, line))
    offline = Offline(open_source(CAPTURE))
    assert not offline.advance()
    for line, row in enumerate(offline.receiver.state.sequencer.lags(0)):
        upper = [next(int(edge) for edge in EDGES if lag <= edge) for lag in expected[line]]
        assert len(upper) > 0
        assert Counter(dict(buckets(row))) == Counter(upper)
        assert int(row[at.LAG_HIGHEST]) == max(expected[line])
