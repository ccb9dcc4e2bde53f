"""The packing rule, the lines and their skew, and MoldUDP64 around messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dpkt
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simbench.synth.lines import LEAD_NS, Line, LineWriter
from simbench.synth.mold import END_NS, HEARTBEAT_NS, packets
from simbench.synth.packing import Datagrams, Messages, Packer

if TYPE_CHECKING:
    from pathlib import Path

DAY = 1_750_219_200_000_000_000
LINES = (Line("A", "239.1.1.1:7000", "10.0.0.1:7000"), Line("B", "239.1.1.2:7001", "10.0.0.2:7001"))


def messages(gaps: list[int], sizes: list[int]) -> Messages:
    """Return messages so far apart (ns) and of such sizes, each with its length in front."""
    parts = [size.to_bytes(2, "big") + bytes(index & 255 for _ in range(size)) for index, size in enumerate(sizes)]
    starts = np.cumsum([0, *map(len, parts)])
    return Messages(np.frombuffer(b"".join(parts), np.uint8).copy(), starts, DAY + np.cumsum(np.array(gaps, np.int64)))


STREAMS = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 700)), min_size=1, max_size=60).map(
    lambda rows: messages([gap for gap, _size in rows], [size for _gap, size in rows])
)


def plan(stream: Messages, cuts: list[int], window: int = 10_000, limit: int = 1_400) -> tuple[list[int], list[int]]:
    """Return how many messages each datagram has and when it is sent, given in blocks that end at the cuts."""
    packer = Packer(20, window, limit)
    counts: list[int] = []
    sent: list[int] = []
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        part = Messages(stream.data, stream.starts[first : last + 1], stream.due[first:last])
        for _messages, firsts, when in [packer.pack(part)]:
            counts += np.diff(firsts).tolist()
            sent += when.tolist()
    _messages, firsts, when = packer.pack(None)
    return counts + np.diff(firsts).tolist(), sent + when.tolist()


@given(STREAMS)
def test_every_message_goes_once_in_order_and_in_time(stream: Messages) -> None:
    """No message is lost or doubled; none is sent before it is due or later than its window; times never fall."""
    counts, sent = plan(stream, [])
    assert len(stream) == sum(counts)
    assert sent == sorted(sent)
    first = 0
    for count, when in zip(counts, sent, strict=True):
        due = stream.due[first : first + count]
        size = int(stream.starts[first + count] - stream.starts[first])
        assert due[-1] <= when <= due[0] + 10_000
        assert size <= 1_380 or count == 1
        first += count


@given(STREAMS, st.data())
def test_blocks_do_not_matter(stream: Messages, data: st.DataObject) -> None:
    """The datagrams are the same however the stream comes in blocks."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    assert plan(stream, []) == plan(stream, cuts)


def test_a_full_datagram_goes_at_once() -> None:
    """Three messages of 600 bytes within the window: two go when the second is due, the third after its window."""
    stream = messages([0, 100, 100], [600, 600, 600])
    assert plan(stream, []) == ([2, 1], [DAY + 100, DAY + 200 + 10_000])


class TestMold:
    """Sessions of MoldUDP64."""

    def session(self, stream: Messages) -> list[tuple[int, int, int, bytes]]:
        """Return sent time, sequence, count and body of every packet."""
        found = []
        for block in packets(iter([stream]), "TEST"):
            for index in range(len(block)):
                raw = block.data[block.starts[index] : block.starts[index + 1]].tobytes()
                assert raw[:10] == b"      TEST"
                head = int.from_bytes(raw[10:18], "big"), int.from_bytes(raw[18:20], "big")
                found.append((int(block.sent[index]) - DAY, *head, raw[20:]))
        return found

    def test_bodies_are_the_messages_and_sequences_have_no_hole(self) -> None:
        """The bodies one behind the other are the stream; each packet continues the sequence."""
        stream = messages([0, 50_000, 10, 20, 90_000], [5, 6, 7, 8, 9])
        found = self.session(stream)
        assert stream.data.tobytes() == b"".join(body for *_head, body in found)
        assert [(first, count) for _sent, first, count, _body in found] == [(1, 1), (2, 3), (5, 1), (6, 0xFFFF)]

    def test_silence_is_filled_with_heartbeats(self) -> None:
        """Each second of silence has one, which carries the next sequence."""
        found = self.session(messages([0, 3 * HEARTBEAT_NS + 5], [5, 5]))
        sent = 10_000
        beats = [(sent + beat * HEARTBEAT_NS, 2, 0) for beat in (1, 2, 3)]
        assert [(sent, 1, 1), *beats] == [row[:3] for row in found[:4]]

    def test_the_session_ends_once_behind_everything(self) -> None:
        """The end carries the next sequence; an empty stream has nothing but its end."""
        assert [row[:3] for row in self.session(messages([0], [5]))[1:]] == [(END_NS + 10_000, 2, 0xFFFF)]
        assert [first for _sent, first, _count, _body in self.session(messages([], []))] == [1]


class TestLines:
    """Datagrams on two lines, read back by the second reader."""

    def written(self, path: Path, lines: int, seed: int = 1, blocks: int = 4) -> list[tuple[int, str, bytes]]:
        """Return stamp, group and payload of every frame that comes of some blocks of datagrams."""
        with LineWriter(path, LINES[:lines], seed) as writer:
            for block in range(blocks):
                count = 250
                sent = DAY + (block * count + np.arange(count, dtype=np.int64)) * 20_000
                starts = np.arange(count + 1, dtype=np.int64) * 24
                data = np.arange(block * count * 3, (block + 1) * count * 3, dtype=">u8").view(np.uint8)
                writer.write(Datagrams(data, starts, sent))
        with path.open("rb") as file:
            reader = dpkt.pcap.Reader(file)
            found = []
            for stamp, raw in reader:
                ip = dpkt.ethernet.Ethernet(raw).data
                assert isinstance(ip.data, dpkt.udp.UDP)
                found.append((int(stamp * 10**9), ".".join(map(str, ip.dst)), bytes(ip.data.data)))
        return found

    def test_both_lines_carry_the_same_datagrams_in_order(self, tmp_path: Path) -> None:
        """Each line has every datagram once, in order; the file is in order of time."""
        found = self.written(tmp_path / "a.pcap", 2)
        a = [payload for _stamp, group, payload in found if group == "239.1.1.1"]
        b = [payload for _stamp, group, payload in found if group == "239.1.1.2"]
        assert len(a) == 1_000
        assert a == b
        assert len(set(a)) == len(a)
        assert [row[0] for row in found] == sorted(row[0] for row in found)

    def test_b_is_a_little_behind_and_sometimes_first(self, tmp_path: Path) -> None:
        """B is 3 us behind on average, ahead of A now and then, and never by more than the lead."""
        found = self.written(tmp_path / "a.pcap", 2)
        a = {payload: stamp for stamp, group, payload in found if group == "239.1.1.1"}
        skew = np.array([stamp - a[payload] for stamp, group, payload in found if group == "239.1.1.2"])
        assert 2_500 < np.median(skew) < 4_500
        assert 0.03 < (skew < 0).mean() < 0.12
        assert skew.min() >= -LEAD_NS

    def test_the_seed_decides_every_byte(self, tmp_path: Path) -> None:
        """Same seed, same file; another seed, another."""
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            self.written(tmp_path / name, 2, seed)
        a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
        assert a == b
        assert a != c

    def test_one_line_is_line_a_alone(self, tmp_path: Path) -> None:
        """With one line there is no skew: frames leave when datagrams do."""
        found = self.written(tmp_path / "a.pcap", 1)
        assert [DAY + index * 20_000 for index in range(1_000)] == [stamp for stamp, _group, _payload in found]
