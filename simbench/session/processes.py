"""The processes of a run: started, watched, ended; and the memory that they share.

Everything shared is an open file descriptor: after a crash or kill -9 nothing is left that the next run could trip
over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from simbench.errors import SimbenchError
from simbench.measure import telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.reader import Reader
    from simbench.measure.snapshot import Snapshot

GRACE_S: Final = 10.0  # for a process that was told to end
LOOK_S: Final = 0.05
SOON_S: Final = 0.01  # between looks at what is about to end
TITLES: Final = {"replay": "replayer", "receive": "receiver"}


class Processes:
    """Children that share telemetry with this process; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self._owned = contextlib.ExitStack()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._results: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self._failure = ""
        self._reader: Reader | None = None
        self._closed = False
        self._telemetry_fd, self.telemetry = telemetry.create()
        self._owned.callback(os.close, self._telemetry_fd)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the processes."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ask for the end; what was found until then is reported."""
        raise NotImplementedError

    @property
    def telemetry_fd(self) -> int:
        """The descriptor of the receiver's telemetry."""
        return self._telemetry_fd

    def memory(self, name: str, size: int = 0) -> int:
        """Make memory that is gone with the last process that has its descriptor open; return that."""
        fd = os.memfd_create(f"simbench-{name}", os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        self._owned.callback(os.close, fd)
        return fd

    def result_memory(self, name: str) -> int:
        """Make the memory that a process writes its result into."""
        self._results[name] = self.memory(f"{name}-result")
        return self._results[name]

    def spawn(self, name: str, config: msgspec.Struct, descriptors: Sequence[int]) -> None:
        """Start a process of ours with a configuration and the descriptors that it names."""
        fd = self.memory(f"{name}-config")
        os.pwrite(fd, msgspec.json.encode(config), 0)
        self._errors[name] = self.memory(f"{name}-errors")
        self._children[name] = subprocess.Popen(
            [sys.executable, "-m", f"simbench.{name}.process", str(fd)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors[name],
            pass_fds=(*descriptors, fd),
            start_new_session=True,  # Ctrl-C is this process's to handle: the others are told
        )

    def child(self, name: str) -> subprocess.Popen[bytes] | None:
        """Return a process that was started."""
        return self._children.get(name)

    def running(self) -> bool:
        """Tell whether the run goes on; a process that ended as it should not have is noted as a failure."""
        for name, child in self._children.items():
            status = child.poll()
            if status not in {None, 0} and not self._failure and not self._over(name):
                self._failure = self._reason(name, status)
                if self._reader is not None:
                    self._reader.fail(self._failure)
                self.stop()
        return any(child.poll() is None for child in self._children.values())

    def _over(self, name: str) -> bool:
        """Tell whether a process has done all that it had to do, however it ended: its result is written."""
        done = name == "receive" and self.telemetry[telemetry.STATE] == telemetry.ENDED
        return bool(done and os.fstat(self._results[name]).st_size)

    def _informed(self, reader: Reader) -> Reader:
        """Keep a reader and return it, told of what failed before there was one."""
        if self._failure:
            reader.fail(self._failure)
        self._reader = reader
        return reader

    def _reason(self, name: str, status: int | None) -> str:
        fd = self._errors[name]
        said = os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace").strip().splitlines()
        if status is not None and status < 0:
            return f"the {TITLES[name]} was killed by {signal.Signals(-status).name}"
        if said:
            return said[-1].strip().removeprefix("simbench replay: ")
        return f"the {TITLES[name]} ended with status {status} and without a result"

    def wait(self, seconds: float) -> None:
        """Wait so long, or until one of the processes has ended."""
        end = time.monotonic() + seconds
        while all(child.poll() is None for child in self._children.values()):
            left = end - time.monotonic()
            if left <= 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                next(iter(self._children.values())).wait(min(LOOK_S, left))

    def wait_until_ready(self) -> None:
        """Wait until the receiver takes frames, or a process has failed."""
        while self.running() and self.telemetry[telemetry.STATE] == telemetry.STARTING:
            self.wait(LOOK_S)

    def snapshot(
        self, instrument_index: int | None = None, others: Sequence[int] = (), level: tuple[str, int] | None = None
    ) -> Snapshot:
        """Take a snapshot as the reader does, which knows by then of a process that has failed.

        Args:
            instrument_index: whose book to show; None that of the most active instrument.
            others: whose books to show beside it.
            level: side and price of its level whose queue to show.
        """
        self.running()
        return self.reader().snapshot(instrument_index, others, level)

    def reader(self) -> Reader:
        """Return who takes snapshots of this run."""
        raise NotImplementedError

    def results(self) -> dict[str, dict[str, Any]]:
        """Wait for the end and return what each process found.

        Raises:
            SimbenchError: one of them failed; with its reason.
        """
        while self.running():
            if self.telemetry[telemetry.STATE] == telemetry.ENDED:
                self.telemetry[telemetry.STAY] = 0
            time.sleep(SOON_S)
        self.running()
        if self._failure:
            raise SimbenchError(self._failure)
        return {name: self._result(name, fd) for name, fd in self._results.items()}

    def _result(self, name: str, fd: int) -> dict[str, Any]:
        raw = os.pread(fd, os.fstat(fd).st_size, 0)
        if not raw:
            raise SimbenchError(self._reason(name, self._children[name].poll()))
        try:
            return msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError:  # killed while it wrote
            raise SimbenchError(self._reason(name, self._children[name].poll())) from None

    def close(self) -> None:
        """End the processes and give everything back; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        if self._children:
            self.telemetry[telemetry.STAY] = 0
            self.stop()
        deadline = time.monotonic() + GRACE_S
        for child in self._children.values():
            if child.poll() is None and self._failure:
                child.terminate()
        for child in self._children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            if child.poll() is None:
                child.kill()
                child.wait()
        if self._reader is not None:
            self._reader.close()
        del self.telemetry
        self._owned.close()
