"""A terminal of our own for a command that draws: its screen is read and thrown away, its keys are ours."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS: Final = 120
ROWS: Final = 40
KEPT: Final = 1 << 16  # bytes of what was drawn last


class PseudoTerminal:
    """Runs a command in a terminal of 120 by 40; a context manager that leaves no process.

    Args:
        command: with its arguments.
        cores: that this process keeps to meanwhile, the command as well: whoever draws is on no receiver's core.
    """

    def __init__(self, command: Sequence[str], cores: set[int]) -> None:
        self._command = command
        self._cores = cores
        self.seen = b""

    def __enter__(self) -> Self:
        self._before = os.sched_getaffinity(0)
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
        self.process = subprocess.Popen(
            self._command, stdin=there, stdout=there, stderr=there, env=environment, start_new_session=True
        )
        os.close(there)
        os.sched_setaffinity(0, self._cores)
        return self

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._here, keys)

    def look(self, seconds: float) -> bool:
        """Read what is drawn for so long; return whether the command still runs."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and (left := end - time.monotonic()) > 0:
            if select.select([self._here], [], [], left)[0]:
                try:
                    self.seen = (self.seen + os.read(self._here, KEPT))[-KEPT:]
                except OSError:  # its other end is closed
                    break
        return self.process.poll() is None

    def busy_ns(self) -> int:
        """Return the processor time of all threads that the command's process has now, ns."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
