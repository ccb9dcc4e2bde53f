"""A golden cut out of a capture: it comes out as expected, holds what was asked for, and fails without a trace."""

from __future__ import annotations

import errno
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner
from small_feeds import rebuilt

from simbench.capture.writer import PcapWriter
from simbench.cli import cli
from simbench.errors import SimbenchError
from simbench.feed.definition import dump
from simbench.golden.check import check
from simbench.golden.expectation import load
from simbench.golden.window import Config, cut
from simbench.receive.offline import Offline, open_source
from simbench.session.plan import extent

if TYPE_CHECKING:
    from pathlib import Path


def half(capture: Path, folder: Path, share: float = 0.5) -> Config:
    """Return what cuts a capture at a share of its time."""
    source = open_source(capture)
    span = extent(source)
    until = span.first_ns + round((span.last_ns - span.first_ns) * share)
    return Config(str(capture), dump(source.feed), until, str(folder))


def at(capture: Path, until_ns: int) -> list[dict[str, Any]]:
    """Return the books of the whole capture at that time."""
    run = Offline(open_source(capture))
    run.until(until_ns)
    run.advance()
    return list(run.result()["books"])


@pytest.mark.parametrize("fixture", ["itch", "mdp3"])
def test_a_window_comes_out_as_expected(fixture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Verify passes on the folder, its frames end at the time, and its books are those of the capture at that time."""
    capture = request.getfixturevalue(fixture)
    config = half(capture, tmp_path / "mine")
    done = cut(config)
    for name, lines in check(tmp_path / "mine", ["ring"]):
        assert lines == [], name
    assert done.last_ns <= config.until_ns
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"capture.pcap", "feed.toml", "expected.json"}
    found = rebuilt(tmp_path / "mine" / "capture.pcap")
    assert found["books"] == at(capture, config.until_ns)
    assert load(tmp_path / "mine")["capture"]["frames"] == done.frames < open_and_count(capture)
    assert all(line["datagrams"] for channel in found["channels"] for line in channel["lines"])


def open_and_count(capture: Path) -> int:
    """Return the frames of a capture."""
    return int(rebuilt(capture)["capture"]["frames"])


def test_a_real_capture_is_cut(cme: Path, tmp_path: Path) -> None:
    """With what it lost, and its stamps."""
    config = half(cme, tmp_path / "mine", 0.95)
    cut(config)
    assert [(name, lines) for name, lines in check(tmp_path / "mine", ["ring"]) if lines] == []


def test_a_folder_that_is_there_is_left_alone(itch: Path, tmp_path: Path) -> None:
    """Whatever is in it."""
    (tmp_path / "mine").mkdir()
    with pytest.raises(SimbenchError, match="exists already"):
        cut(half(itch, tmp_path / "mine"))
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_full_disk_leaves_nothing(itch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so."""

    def full(self: PcapWriter, *_: object) -> None:
        raise self._failure(OSError(errno.ENOSPC, "No space left on device"))

    config = half(itch, tmp_path / "mine")
    monkeypatch.setattr(PcapWriter, "write", full)
    with pytest.raises(SimbenchError, match="No space left") as raised:
        cut(config)
    assert ".part" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir() if "mine" in path.name] == []


def test_before_the_first_frame_there_is_nothing_to_cut(itch: Path, tmp_path: Path) -> None:
    """And no folder."""
    config = half(itch, tmp_path / "mine")
    with pytest.raises(SimbenchError, match="no frame"):
        cut(msgspec.structs.replace(config, until_ns=1))
    assert not (tmp_path / "mine").exists()


def test_a_process_of_its_own_says_what_it_did(itch: Path, tmp_path: Path) -> None:
    """In JSON; a second time, in a line on stderr, why not."""
    said = msgspec.json.encode(half(itch, tmp_path / "mine", 0.2))
    words = [sys.executable, "-m", "simbench.golden.window"]
    done = subprocess.run(words, input=said, capture_output=True, check=True)
    assert msgspec.json.decode(done.stdout)["frames"] > 0
    again = subprocess.run(words, input=said, capture_output=True, check=False)
    assert again.returncode == 2
    assert again.stderr.decode().count("\n") == 1
    assert "exists already" in again.stderr.decode()


@pytest.mark.parametrize("fixture", ["itch", "mdp3"])
def test_a_window_with_a_beginning_is_of_a_receiver_that_joins_there(
    fixture: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Verify passes, there is no gap where it begins, and what came before is neither there nor known."""
    capture = request.getfixturevalue(fixture)
    first = msgspec.structs.replace(half(capture, tmp_path / "first", 0.3), folder=str(tmp_path / "first"))
    whole = half(capture, tmp_path / "whole", 0.6)
    joined = msgspec.structs.replace(whole, folder=str(tmp_path / "joined"), since_ns=first.until_ns + 1)
    counts = [cut(config) for config in (first, whole, joined)]
    assert [(name, lines) for name, lines in check(tmp_path / "joined", ["ring"]) if lines] == []
    assert counts[0].frames + counts[2].frames == counts[1].frames
    assert counts[0].last_ns < joined.since_ns <= counts[2].first_ns
    found, everything = (rebuilt(tmp_path / name / "capture.pcap") for name in ("joined", "whole"))
    assert found["books"] != everything["books"]
    assert all(not channel["gaps"] for channel in found["channels"])


def test_a_window_of_a_real_capture_is_cut(cme: Path, tmp_path: Path) -> None:
    """Its instruments are joined in the middle of their levels."""
    since = half(cme, tmp_path / "mine", 0.5).until_ns
    cut(msgspec.structs.replace(half(cme, tmp_path / "mine", 0.95), since_ns=since))
    assert [(name, lines) for name, lines in check(tmp_path / "mine", ["ring"]) if lines] == []


def test_a_window_can_be_cut_from_the_command_line(itch: Path, tmp_path: Path) -> None:
    """The times are those of run; without a folder of its own there is nowhere to put it."""
    words = ["golden", str(itch), "--from", "+0.2", "--to", "+0.6"]
    with pytest.raises(SimbenchError, match="--into FOLDER"):
        CliRunner().invoke(cli, words, catch_exceptions=False)
    done = CliRunner().invoke(cli, [*words, "--into", str(tmp_path / "mine"), "--checkpoints", "3"])
    assert done.exit_code == 0, done.output
    expected = load(tmp_path / "mine")
    first, last = (int(expected["capture"][name]) for name in ("first_ns", "last_ns"))
    begin = open_source(itch).first_ns
    assert begin + 200_000_000 <= first < last <= begin + 600_000_000
    assert len(expected["checkpoints"]) <= 3
