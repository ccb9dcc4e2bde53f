"""BinaryFILEs: read and written, converted at their own timestamps, and hostile ones used up to the cut."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.errors import SimbenchError
from simbench.protocol.itch50_layout import TABLE, write_message
from simbench.protocol.nasdaq_itch50 import detect
from simbench.synth.binaryfile import BinaryFile, copied
from simbench.synth.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

DATE = "2019-12-30"
MIDNIGHT = int(datetime(2019, 12, 30, 5, tzinfo=UTC).timestamp()) * 10**9
DAY_NS = 86_400 * 10**9
PORT = (26_400).to_bytes(2, "big")


def binary(messages: list[bytes], *, unsized: bool = False) -> bytes:
    """Return messages as a BinaryFILE."""
    return b"".join((b"\0\0" if unsized else len(row).to_bytes(2, "big")) + row for row in messages)


def every_type(step: int = 1_000_000) -> list[bytes]:
    """Return a message of each type, so far apart."""
    return [write_message(key, timestamp=34_200 * 10**9 + index * step) for index, key in enumerate(TABLE)]


def datagrams(path: Path) -> list[tuple[int, bytes]]:
    """Return stamp and payload of line A's datagrams, by the second reader."""
    with path.open("rb") as file:
        rows = list(dpkt.pcap.Reader(file))
    return [(int(stamp * 10**9), raw[42:]) for stamp, raw in rows if raw[36:38] == PORT]


def bodies(path: Path) -> list[tuple[int, int, bytes]]:
    """Return stamp, sequence and message of everything on line A."""
    found = []
    for stamp, payload in datagrams(path):
        first, count, at = int.from_bytes(payload[10:18], "big"), int.from_bytes(payload[18:20], "big"), 20
        for index in range(count if count < 0xFFFF else 0):
            length = int.from_bytes(payload[at : at + 2], "big")
            found.append((stamp, first + index, payload[at + 2 : at + 2 + length]))
            at += 2 + length
        assert len(payload) == at
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(TABLE)), st.integers(0, 4_000_000_000)), min_size=1, max_size=40),
    st.integers(0, 80_000 * 10**9),
)
def test_messages_and_times_come_through(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], start: int
) -> None:
    """Every message arrives once, in order and unchanged, in a datagram sent within the window of its own time."""
    folder = tmp_path_factory.mktemp("times")
    times = (start + np.cumsum([gap for _key, gap in rows])).tolist()
    messages = [write_message(key, timestamp=time) for (key, _gap), time in zip(rows, times, strict=True)]
    (folder / "day").write_bytes(binary(messages))
    done = convert(folder / "day", folder / "day.pcap", DATE)
    found = bodies(folder / "day.pcap")
    assert (len(messages), "", 0) == (done.messages, done.problem, done.backward)
    assert messages == [message for _stamp, _sequence, message in found]
    assert list(range(1, len(messages) + 1)) == [sequence for _stamp, sequence, _message in found]
    for (stamp, _sequence, _message), time in zip(found, times, strict=True):
        assert 0 <= stamp - (MIDNIGHT + time) <= 10_000


@pytest.mark.parametrize("date", ["2019-12-30", "2019-07-01", "2021-03-14", "2105-12-31", "1971-01-01"])
def test_times_count_from_new_yorks_midnight(tmp_path: Path, date: str) -> None:
    """Winter or summer time, the first stamp is the midnight of the date in New York and the message's time."""
    (tmp_path / "day").write_bytes(binary([write_message("S", event="O", timestamp=0)]))
    done = convert(tmp_path / "day", tmp_path / "out.pcap", date, lines=1)
    local = datetime.fromtimestamp(done.first_ns // 10**9, ZoneInfo("America/New_York"))
    assert f"{date} 00:00:00" == local.strftime("%Y-%m-%d %H:%M:%S")


class TestForms:
    """The same messages in every form that a BinaryFILE has."""

    @pytest.mark.parametrize("unsized", [False, True])
    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("ended", [False, True])
    def test_all_forms_give_one_capture(self, tmp_path: Path, unsized: bool, packed: bool, ended: bool) -> None:
        """Plain or gzip, with lengths or all 0, with the end marker or without: the same bytes come out."""
        (tmp_path / "plain").write_bytes(binary(every_type()))
        raw = binary(every_type(), unsized=unsized) + (b"\0\0" if ended and not unsized else b"")
        (tmp_path / "other").write_bytes(gzip.compress(raw) if packed else raw)
        convert(tmp_path / "plain", tmp_path / "plain.pcap", DATE)
        done = convert(tmp_path / "other", tmp_path / "other.pcap", DATE)
        assert ("gzip" if packed else "none", "") == (done.compression, done.problem)
        assert dict.fromkeys(sorted(TABLE), 1) == done.by_type
        assert (tmp_path / "plain.pcap").read_bytes() == (tmp_path / "other.pcap").read_bytes()

    @pytest.mark.parametrize("name", ["day", "day.gz"])
    @pytest.mark.parametrize("unsized", [False, True])
    def test_what_is_written_reads_back(self, tmp_path: Path, name: str, unsized: bool) -> None:
        """A file written on the way has the messages that passed, and gzip files are the same every time."""
        (tmp_path / "in").write_bytes(binary(every_type()))
        with BinaryFile(tmp_path / "in", MIDNIGHT) as file:
            for _block in copied(file.blocks(), tmp_path / name, unsized=unsized):
                pass
        raw = (tmp_path / name).read_bytes()
        assert binary(every_type(), unsized=unsized) == (gzip.decompress(raw) if name.endswith("gz") else raw)

    def test_blocks_do_not_matter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file read in tiny chunks gives the same capture as one read at once."""
        (tmp_path / "day").write_bytes(binary(every_type() * 20))
        convert(tmp_path / "day", tmp_path / "whole.pcap", DATE)
        monkeypatch.setattr("simbench.synth.binaryfile.CHUNK", 61)
        convert(tmp_path / "day", tmp_path / "parts.pcap", DATE)
        assert (tmp_path / "whole.pcap").read_bytes() == (tmp_path / "parts.pcap").read_bytes()

    def test_times_that_go_back_are_counted_and_sent_at_once(self, tmp_path: Path) -> None:
        """A message with an earlier time keeps its place in the sequence and its bytes."""
        times = [5_000, 9_000_000, 4_000, 9_000_001]
        (tmp_path / "day").write_bytes(binary([write_message("D", timestamp=time) for time in times]))
        done = convert(tmp_path / "day", tmp_path / "day.pcap", DATE)
        assert (done.messages, done.backward) == (4, 1)
        assert [sequence for _stamp, sequence, _message in bodies(tmp_path / "day.pcap")] == [1, 2, 3, 4]


class TestHostile:
    """Whatever a file holds."""

    def test_cut_anywhere_it_is_used_up_to_the_cut(self, tmp_path: Path) -> None:
        """All whole messages before the cut are converted, and what is missing is said."""
        rows = every_type()[:6]
        whole = binary(rows)
        ends = np.cumsum([0, *(2 + len(row) for row in rows)]).tolist()
        for length in range(2 + len(rows[0]), len(whole)):
            (tmp_path / "day").write_bytes(whole[:length])
            done = convert(tmp_path / "day", tmp_path / "day.pcap", DATE, lines=1)
            assert sum(end <= length for end in ends) - 1 == done.messages
            assert bool(done.problem) == (length not in ends)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("empty", b""),
            ("one byte", b"\0"),
            ("text", b"this is no file of messages, but a letter to my mother\n" * 3),
            ("pcap", b"\xd4\xc3\xb2\xa1" + bytes(40)),
            ("zeros", bytes(100)),
            ("an unknown type", b"\0\x14z" + bytes(40)),
            ("gzip of text", gzip.compress(b"hello hello hello")),
            ("gzip cut in its head", gzip.compress(binary(every_type()))[:8]),
        ],
    )
    def test_what_is_no_binaryfile_is_one_clear_line(self, tmp_path: Path, name: str, content: bytes) -> None:
        """It is named, and no capture is left behind."""
        (tmp_path / "day").write_bytes(content)
        with pytest.raises(SimbenchError, match="BinaryFILE") as raised:
            convert(tmp_path / "day", tmp_path / "day.pcap", DATE)
        assert "\n" not in str(raised.value)
        assert [tmp_path / "day"] == list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "bad", [b"\0\x05D1234", b"\xff\xffD" + bytes(65_534), b"\0\x0aD" + bytes(9), b"\0\x12D" + bytes(17)]
    )
    def test_damage_behind_good_messages_ends_the_file(self, tmp_path: Path, bad: bytes) -> None:
        """A length that cannot be ends the conversion with what was good before it, and says so."""
        (tmp_path / "day").write_bytes(binary(every_type()) + bad + binary(every_type()))
        done = convert(tmp_path / "day", tmp_path / "day.pcap", DATE)
        assert len(TABLE) == done.messages
        assert f"message {len(TABLE)}" in done.problem

    def test_a_damaged_gzip_is_used_up_to_the_damage(self, tmp_path: Path) -> None:
        """What decompresses before the cut is converted."""
        packed = gzip.compress(binary(every_type() * 2_000))
        (tmp_path / "day").write_bytes(packed[: len(packed) // 2])
        done = convert(tmp_path / "day", tmp_path / "day.pcap", DATE, lines=1)
        assert 0 < done.messages < 2_000 * len(TABLE)
        assert done.problem

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.booleans())
    def test_noise_is_refused_or_used_up_to_where_it_is_noise(
        self, tmp_path_factory: pytest.TempPathFactory, noise: bytes, unsized: bool
    ) -> None:
        """Random bytes behind a good message never raise anything else than the one clear line."""
        folder = tmp_path_factory.mktemp("noise")
        (folder / "day").write_bytes(binary(every_type()[:1], unsized=unsized) + noise)
        done = convert(folder / "day", folder / "day.pcap", DATE, lines=1)
        assert done.messages >= 1
        assert done.messages == len(bodies(folder / "day.pcap"))

    @pytest.mark.parametrize("date", ["30.12.2019", "2019-13-01", "", "1960-01-01", "2300-01-01"])
    def test_a_date_that_is_none_is_refused(self, tmp_path: Path, date: str) -> None:
        """It is named, with how to write one."""
        (tmp_path / "day").write_bytes(binary(every_type()))
        with pytest.raises(SimbenchError, match="date"):
            convert(tmp_path / "day", tmp_path / "day.pcap", date)

    def test_a_missing_file_is_one_clear_line(self, tmp_path: Path) -> None:
        """It is named."""
        with pytest.raises(SimbenchError, match="nowhere"):
            convert(tmp_path / "nowhere", tmp_path / "day.pcap", DATE)


def test_the_real_sample_is_converted_whole(real_captures: Path, tmp_path: Path) -> None:
    """12,012 messages, though every length in the file is 0; each datagram shows what it is; no time is off its day."""
    done = convert(real_captures / "itch50-sample" / "ex20101224.TEST_ITCH_50.gz", tmp_path / "day.pcap", "2010-12-24")
    assert (done.messages, done.problem, done.compression) == (12_012, "", "gzip")
    assert done.by_type == {"A": 4997, "D": 1745, "E": 198, "F": 3, "H": 3, "P": 5000, "R": 3, "S": 6, "U": 12, "X": 45}
    found = bodies(tmp_path / "day.pcap")
    assert len(found) == 12_012
    assert all(detect(payload) for _stamp, payload in datagrams(tmp_path / "day.pcap"))
    start = datetime.fromtimestamp(done.first_ns // 10**9, ZoneInfo("America/New_York"))
    assert start.date().isoformat() == "2010-12-24"
    assert 0 < done.last_ns - done.first_ns < DAY_NS
