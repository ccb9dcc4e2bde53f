"""Which runs go on: a note of each in a folder of the user's own, for terminals that want to join.

A note is a file PID.json. It names descriptors of that process, which others of the same user open anew through /proc,
so that nothing of a run has a name in a file system that outlives it. A note whose process is gone, or whose number is
another's by now, is swept away by whoever reads.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from simbench.errors import SimbenchError
from simbench.feed.definition import dump
from simbench.measure.background import FaultSpan, HostLine, QueueLine, Strip
from simbench.measure.names import Names
from simbench.measure.snapshot import RunInfo
from simbench.session.plan import cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simbench.receive.offline import Source
    from simbench.session.listening import Listening
    from simbench.session.replayed import Session

LONGEST: Final = 1 << 22  # bytes of a note: names of many channels and lines
STARTED: Final = 19  # field of /proc/PID/stat behind the name: when it began, in ticks since the host's start
NOBODY: Final = -1  # no control block: the receiver is alone; no core: any


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """What a terminal needs to join a run.

    Attributes:
        pid: of the run's first process, which has the descriptors.
        started: when that began, to tell it from a later one of the same number.
        telemetry: its descriptor of the receiver's telemetry.
        control: likewise of the replayer's control block; NOBODY without a replayer.
        receiver_core: which a terminal keeps off; NOBODY where there is none of its own.
        capture: path of the capture that is replayed; "" without a replayer.
        feed: text of its feed.toml.
        run: a RunInfo.
        names: a Names.
    """

    pid: int
    started: int
    telemetry: int
    control: int
    receiver_core: int
    capture: str
    feed: str
    run: dict[str, Any]
    names: dict[str, Any]

    @property
    def info(self) -> RunInfo:
        """What was asked for."""
        said = _frozen(self.run)
        return RunInfo(
            **{
                **said,
                "strip": None if said["strip"] is None else Strip(**said["strip"]),
                "host": tuple(HostLine(**each) for each in said["host"]),
                "faults": tuple(FaultSpan(**each) for each in said["faults"]),
                "queues": tuple(QueueLine(**each) for each in said["queues"]),
            }
        )

    @property
    def called(self) -> Names:
        """What the numbers in its telemetry are called."""
        return Names(**_frozen(self.names))


def folder() -> Path:
    """Return the folder of the notes, made where there is none.

    Raises:
        SimbenchError: it belongs to somebody else, or others may write there.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(runtime, "simbench") if runtime else Path(f"/tmp/simbench-{os.getuid()}")  # noqa: S108 - checked below
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise SimbenchError(f"cannot note runs in {path}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SimbenchError(f"{path} is not a folder that is yours alone; set XDG_RUNTIME_DIR to one that is")
    return path


@contextlib.contextmanager
def noted(session: Session | Listening) -> Iterator[None]:
    """Keep a note of a run while it goes on; a run that nobody can join for want of a folder goes on all the same."""
    path = None
    with contextlib.suppress(SimbenchError, OSError):
        path = _write(session)
    try:
        yield
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def _write(session: Session | Listening) -> Path:
    reader, control, core = session.reader(), getattr(session, "control", None), cores()[1]
    source: Source | None = getattr(session, "source", None)
    note = Note(
        pid=os.getpid(),
        started=_started(os.getpid()) or 0,
        telemetry=session.telemetry_fd,
        control=NOBODY if control is None else control.fd,
        receiver_core=NOBODY if core is None else core,
        capture=str(source.capture.path.resolve()) if source is not None else "",
        feed=dump(source.feed) if source is not None else "",
        run=msgspec.to_builtins(reader.run),
        names=msgspec.to_builtins(reader.names),
    )
    path = folder() / f"{note.pid}.json"
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(note))
    return part.replace(path)


def running() -> list[Note]:
    """Return the runs of this user that go on, the oldest first; sweep away the notes of those that do not."""
    found = []
    for path in folder().glob("*.json"):
        note = _read(path)
        if note is None or _started(note.pid) != note.started:
            path.unlink(missing_ok=True)
        else:
            found.append(note)
    return sorted(found, key=lambda note: note.started)


def _read(path: Path) -> Note | None:
    try:
        with path.open("rb") as file:
            note = msgspec.json.decode(file.read(LONGEST), type=Note)
            _ = note.info, note.called
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, TypeError, KeyError):
        return None  # of another version, or half there
    return note


def _started(pid: int) -> int | None:
    """Return when a process began; None where there is none, or it has ended and nobody has taken note of that."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return None
    fields = said[said.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[STARTED])


def _frozen(value: Any) -> Any:
    """Make tuples of the lists that JSON made of them."""
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value
