"""The terminal as a file that may go away: a closed window or a lost connection must not keep the process."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Lasting:
    """Writes to a file for as long as it takes them, and then to nowhere.

    Textual writes from a thread of its own; an error would end that thread, and leaving would wait for it for ever.

    Args:
        file: to write to.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, if anybody is there."""
        try:
            return self._file.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush, if anybody is there."""
        try:
            self._file.flush()
        except OSError:
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def lasting() -> Iterator[None]:
    """Let Textual write through a `Lasting`: it takes whatever `sys.__stderr__` is when it starts."""
    before: Any = sys.__stderr__
    if before is None:
        yield
        return
    sys.__stderr__ = Lasting(before)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        sys.__stderr__ = before  # type: ignore[misc]


def only_after_stops() -> Callable[[], None]:
    """Let SIGCONT do what it does only where a SIGTSTP came before; return what gives both back to the system.

    A session that is closed gets SIGHUP and SIGCONT. Textual takes every SIGCONT for the end of a suspension and starts
    its threads anew, while it is leaving; then nobody ends them, and the process stays for ever.
    """
    stop, go_on = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    stopped = False

    def stopping(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        if callable(stop):
            stop(number, frame)

    def going_on(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped and callable(go_on):
            stopped = False
            go_on(number, frame)

    def give_back() -> None:
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTSTP, stopping)
    signal.signal(signal.SIGCONT, going_on)
    return give_back
