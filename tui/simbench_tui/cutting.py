"""A golden capture being cut beside the terminal: a process of its own, and a thread that waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

import msgspec

from simbench.golden.window import Config, Cut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND: Final = (sys.executable, "-m", "simbench.golden.window")


class Cutter:
    """Cuts one golden at a time.

    Args:
        capture: path of the capture; "" none.
        feed: text of its feed.toml.
        say: tells the user something, with its severity; called from a thread.
    """

    def __init__(self, capture: str, feed: str, say: Callable[[str, str], object]) -> None:
        self._capture = capture
        self._feed = feed
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def possible(self) -> bool:
        """Whether there is a capture to cut."""
        return bool(self._capture)

    def start(self, folder: Path, until_ns: int, since_ns: int = 0) -> str:
        """Begin to write a folder with the capture between two recorded times; return what to tell the user."""
        if self._thread is not None and self._thread.is_alive():
            return "one golden is being written; wait until it is done"
        config = Config(self._capture, self._feed, until_ns, str(folder), since_ns)
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        said = msgspec.json.encode(config)
        self._thread = threading.Thread(target=self._wait, args=(self._process, said, folder), daemon=True)
        self._thread.start()
        return f"writing {folder}"

    def stop(self) -> None:
        """Give up what is being written; nothing of it is left."""
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._thread is not None:
            self._thread.join()

    def _wait(self, process: subprocess.Popen[bytes], config: bytes, folder: Path) -> None:
        out, errors = process.communicate(config)
        if self._stopped:
            return
        if process.returncode == 0:
            done = msgspec.json.decode(out, type=Cut)
            self._say(f"golden: {folder}, {done.frames:,} frames; engine and reference book agree", "information")
            return
        said = errors.decode(errors="replace").strip().splitlines()
        self._say(f"no golden: {said[-1] if said else 'its process ended without a word'}", "error")
