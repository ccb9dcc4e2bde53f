"""Textual's driver of a terminal, which writes each frame at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.driver import Driver


class WholeFrames(LinuxDriver):
    """Keeps what is written until it is flushed.

    A frame is three writes: its begin, its text, its end. Each would wake the thread that writes, which then waits for
    this one's interpreter lock; a fifth of what drawing costs.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._kept: list[str] = []

    def write(self, data: str) -> None:
        """Write this with the next flush."""
        self._kept.append(data)

    def flush(self) -> None:
        """Hand over what was written."""
        if self._kept and self._writer_thread is not None:
            super().write("".join(self._kept))
            self._kept.clear()


def best(driver: type[Driver]) -> type[Driver]:
    """Return this one in the place of Textual's own of a terminal; any other one as it is."""
    return WholeFrames if driver is LinuxDriver else driver
