"""simbench attach: a terminal on a run that was started elsewhere."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.table import Table

from simbench.commands import browser, show
from simbench.errors import SimbenchError
from simbench.lifetime import end_with_parent

if TYPE_CHECKING:
    from simbench.session.registry import Note


def attach(*, run: str | None, listed: bool, headless: bool, serve: str | None) -> int:
    """Join a run and leave it as it is; with `listed`, say which there are; with `serve`, show it as a web page."""
    if "TEXTUAL_DRIVER" in os.environ:
        end_with_parent()
    from simbench.session.registry import running

    found = running()
    if listed:
        show.console().print(_table(found))
        return 0
    note = chosen(found, run)
    from simbench.commands import progress
    from simbench.commands.run import POLITE, aside, interruptible
    from simbench.session.joined import Joined

    with browser.opened(serve) as door, Joined(note) as joined, aside(note.receiver_core):
        if door is not None:
            page = browser.served(door, pid=note.pid, title=note.info.capture, receiver_core=note.receiver_core)
            with interruptible(joined), page:
                progress.follow(joined)
        elif headless or not _drawn():
            progress.follow(joined)
            show.complain(progress.line(joined.reader().snapshot()))
        else:
            from simbench_tui import run as show_terminal

            os.nice(POLITE)
            show_terminal(joined.reader(), joined.control, capture=note.capture, feed=note.feed)
            if joined.let_go():
                show.complain("the gate that this terminal had shut is open again, and the replay goes on")
    return 0


def _drawn() -> bool:
    """Tell whether there is somebody to draw for: a terminal, or who named Textual a driver, as a web page does."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdout.isatty() and sys.stderr.isatty())  # it is drawn on stderr


def chosen(found: list[Note], run: str | None) -> Note:
    """Return the run that a user means; the only one where none is named.

    A run is named by the number of its process, or by its capture: the file, its folder, or both.

    Raises:
        SimbenchError: there is none such, or there are several.
    """
    if not found:
        raise SimbenchError("no run of yours goes on here; start one with simbench run CAPTURE --headless")
    meant = [note for note in found if run is None or run == str(note.pid)]
    meant = meant or [note for note in found if run in {note.info.capture, *note.info.capture.split("/")}]
    if len(meant) == 1:
        return meant[0]
    there = ", ".join(f"{note.pid} ({note.info.capture} over {note.info.wire})" for note in meant or found)
    raise SimbenchError(f"{'there is no such run' if not meant else 'name one'}: {there}")


def _table(found: list[Note]) -> Table:
    table = Table("run", "capture", "wire", "stack", "speed", "frames", box=None, pad_edge=False)
    for note in found:
        run = note.info
        table.add_row(str(note.pid), run.capture, run.wire, run.stack or "-", run.speed, f"{run.frames:,}")
    return table
