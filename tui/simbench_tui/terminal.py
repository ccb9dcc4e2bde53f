"""The terminal as a file that may go away: a closed window or a lost connection must not keep the process."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


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
