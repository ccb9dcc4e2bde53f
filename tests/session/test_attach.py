"""Joining a run that was started elsewhere: found by its note, seen, driven, left as it goes; and what is no run."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from runs import command, under_way, until

from simbench.commands.attach import chosen
from simbench.errors import SimbenchError
from simbench.feed.definition import dump
from simbench.measure.snapshot import Phase
from simbench.receive.offline import open_source
from simbench.session import Plan, Session
from simbench.session.joined import Joined
from simbench.session.registry import Note, folder, noted, running

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_files(pid: int) -> str:
    """Return what a process has open, by name."""
    names = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            names.append(str(path.readlink()))
    return " ".join(names)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of runs of this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "simbench"


@pytest.fixture
def elsewhere(runtime: Path, slow: Path) -> Iterator[Note]:
    """Start a headless run as a process of its own and return its note."""
    with command("run", slow, "--headless", "--wire", "ring") as process:
        assert until(lambda: running() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield running()[0]


def test_a_run_is_noted_while_it_goes_on(runtime: Path, slow: Path) -> None:
    """The note tells what the run is, and is gone with it."""
    with Session(open_source(slow), Plan(wire="ring")) as session:
        assert running() == []
        with noted(session):
            (note,) = running()
            assert note.pid == os.getpid()
            assert note.info == session.reader().run
            assert (note.capture, note.feed) == (str(slow.resolve()), dump(session.source.feed))
            assert note.called == session.reader().names
        assert running() == []
        session.stop()
    assert list(runtime.iterdir()) == []


def test_a_joined_run_is_seen_and_driven_and_goes_on(elsewhere: Note) -> None:
    """Two terminals see the same run; a pause by one is seen by the other; leaving leaves it running."""
    with Joined(elsewhere) as one, Joined(elsewhere) as other:
        assert until(lambda: one.reader().snapshot().counters["frames"] > 0)
        assert one.control is not None
        one.control.pause()
        assert until(lambda: other.reader().snapshot().phase is Phase.PAUSED)
        assert one.running()
        one.control.resume()
    assert [note.pid for note in running()] == [elsewhere.pid]
    with Joined(elsewhere) as again:
        before = again.reader().snapshot().counters["frames"]
        assert until(lambda: again.reader().snapshot().counters["frames"] > before)


def test_whoever_joined_is_told_that_the_run_was_killed(elsewhere: Note) -> None:
    """Kill -9 of the process that started the run: its reason is shown, its note is swept away."""
    with Joined(elsewhere) as joined:
        assert until(lambda: joined.reader().snapshot().phase is Phase.RUNNING)
        os.kill(elsewhere.pid, signal.SIGKILL)
        assert until(lambda: joined.reader().snapshot().phase in {Phase.FAILED, Phase.ENDED})
        assert joined.reader().snapshot().reason
        assert until(lambda: not joined.running())
    assert running() == []
    with pytest.raises(SimbenchError, match="cannot join run"):
        Joined(elsewhere)


def test_the_command_follows_a_run_to_its_end(elsewhere: Note, runtime: Path) -> None:
    """Without a terminal it is one line, and ends with the run."""
    with command("attach", "--headless") as process:
        assert until(lambda: "simbench-telemetry" in open_files(process.pid) or process.poll() is not None)
        with Joined(elsewhere) as joined:
            assert joined.control is not None
            joined.control.stop()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert said.strip().splitlines()[-1].startswith(("ended", "running"))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"pid": 1}', b"[]", b"\xff\xfe", b'{"pid": "x"}'], ids=repr)
def test_what_is_no_note_is_swept_away(runtime: Path, content: bytes) -> None:
    """Half a note, or another version's, is no run and no traceback."""
    path = folder() / "1.json"
    path.write_bytes(content)
    assert running() == []
    assert not path.exists()


def test_a_note_of_an_earlier_process_of_that_number_is_none(elsewhere: Note, runtime: Path) -> None:
    """Numbers of processes come again; what began at another time is another process."""
    path = runtime / f"{elsewhere.pid}.json"
    note = json.loads(path.read_text())
    path.write_text(json.dumps({**note, "started": note["started"] - 1}))
    assert running() == []


def test_descriptors_of_anything_else_are_not_opened(elsewhere: Note) -> None:
    """A note that names another descriptor than the run's memory is refused."""
    with pytest.raises(SimbenchError, match=r"has ended|cannot join"):
        Joined(msgspec.structs.replace(elsewhere, telemetry=0))


def test_a_folder_that_others_may_write_in_is_refused(runtime: Path) -> None:
    """Who may write notes there could show a terminal whatever they like."""
    folder()
    runtime.chmod(0o777)
    with pytest.raises(SimbenchError, match="not a folder that is yours alone"):
        folder()


def test_a_run_goes_on_without_a_note(runtime: Path, slow: Path) -> None:
    """Where no note can be kept, nothing else is lost."""
    folder()
    runtime.chmod(0o777)
    with Session(open_source(slow), Plan(wire="ring")) as session, noted(session):
        under_way(session)
        session.stop()


def test_the_run_that_is_meant(elsewhere: Note) -> None:
    """By number, by capture, or the only one; else what there is is said."""
    other = msgspec.structs.replace(elsewhere, pid=elsewhere.pid + 1)
    assert chosen([elsewhere], None) is elsewhere
    assert chosen([elsewhere, other], str(other.pid)) is other
    folder, file = elsewhere.info.capture.split("/")
    for named in (elsewhere.info.capture, folder, file):
        assert chosen([elsewhere], named) is elsewhere
    for found, run, said in (
        ([], None, "no run of yours"),
        ([elsewhere, other], None, "name one"),
        ([elsewhere, other], elsewhere.info.capture, "name one"),
        ([elsewhere], "nothing", "there is no such run"),
    ):
        with pytest.raises(SimbenchError, match=said):
            chosen(found, run)
