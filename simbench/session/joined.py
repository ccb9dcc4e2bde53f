"""A run that was started elsewhere, joined: looked at and driven, and left as it goes."""

from __future__ import annotations

import os
import select
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from simbench.errors import SimbenchError
from simbench.measure import telemetry
from simbench.measure.reader import Reader
from simbench.replay import gating
from simbench.replay.control import GATE, Control
from simbench.session.registry import NOBODY
from simbench.session.replayed import host_lines

if TYPE_CHECKING:
    from simbench.session.registry import Note

LOOK_S: Final = 0.2
GONE: Final = "the process that started the run is gone"


class Joined:
    """A context manager around what is mapped of another run; with what a `Session` tells of its own.

    Args:
        note: of the run.

    Attributes:
        note: likewise.
        control: drives its replay; None where the receiver is alone.

    Raises:
        SimbenchError: it has ended, or was started by another version.
    """

    def __init__(self, note: Note) -> None:
        self.note = note
        self._fds: list[int] = []
        try:
            self._process = self._kept(os.pidfd_open(note.pid))
            words = telemetry.attach(self._opened(note.telemetry, "simbench-telemetry"))
            self.control: Control | None = None
            if note.control != NOBODY:
                self.control = Control.attach(self._opened(note.control, "simbench-control"))
        except OSError as error:
            self._close()
            raise SimbenchError(f"cannot join run {note.pid}: {error.strerror}") from None
        except SimbenchError:
            self._close()
            raise
        self._words = words
        self._gate = 0 if self.control is None else int(self.control.words[GATE])
        self._reader = Reader(words, note.called, replace(note.info, host=host_lines()), self.control)
        self._left = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="simbench-joined", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._watcher.join()
        self._reader.close()
        self._close()

    def reader(self) -> Reader:
        """Return who takes snapshots of the run."""
        return self._reader

    def running(self) -> bool:
        """Tell whether the run goes on, and is looked at."""
        if self._left.is_set():
            return False
        return not self._ended() and not self._done()

    def stop(self) -> None:
        """Look no longer; the run goes on."""
        self._left.set()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the run's process has ended."""
        select.select([self._process], [], [], seconds)

    def let_go(self) -> bool:
        """Open the gate and let the replay go on, if somebody has shut the one or armed it since this has joined."""
        control = self.control
        if control is None or not self.running() or control.gate_stands not in {gating.ARMED, gating.SHUT}:
            return False
        if int(control.words[GATE]) == self._gate:
            return False
        control.gate(gating.OPEN)
        control.resume()
        return True

    def _ended(self) -> bool:
        return bool(select.select([self._process], [], [], 0)[0])

    def _done(self) -> bool:
        return int(self._words[telemetry.STATE]) in {telemetry.ENDED, telemetry.FAILED}

    def _watch(self) -> None:
        """Tell the reader when the run's process has gone before its receiver said that all was done."""
        while not self._left.wait(LOOK_S):
            if self._ended():
                if not self._done():
                    self._reader.fail(GONE)
                return

    def _opened(self, number: int, name: str) -> int:
        path = Path(f"/proc/{self.note.pid}/fd/{number}")
        if not str(path.readlink()).startswith(f"/memfd:{name}"):
            raise SimbenchError(f"run {self.note.pid} has ended")
        return self._kept(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def _kept(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def _close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
