"""What `--hgrm` and `--hlog` write: the histograms of a run in the formats of HdrHistogram's tools."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from simbench.measure.hdr import IntervalLog
    from simbench.measure.histogram import Histogram
    from simbench.session.processes import Processes

EVERY_S: Final = 1.0  # an interval of a .hlog


def check_targets(hgrm: Path | None, hlog: Path | None) -> None:
    """Refuse, before the run and not after it, a folder or a file that cannot be written."""
    from simbench.commands.targets import check_target

    check_target(hlog)
    if hgrm is not None:
        if hgrm.exists() and not hgrm.is_dir():
            raise SimbenchError(f"cannot write into {hgrm}: it is no folder")
        check_target(hgrm / "a.hgrm" if hgrm.is_dir() else hgrm)


@contextlib.contextmanager
def open_log(path: Path | None) -> Iterator[IntervalLog | None]:
    """Open the log that was asked for; None where none was."""
    if path is None:
        yield None
        return
    from simbench.measure.hdr import IntervalLog

    with IntervalLog(path) as log:
        yield log


def write_percentiles(
    folder: Path, histograms: Mapping[str, Histogram], notes: Sequence[str], prefix: str = ""
) -> None:
    """Write a .hgrm file for every stage that has a value.

    Args:
        folder: made where it is not there.
        histograms: of the stages by name.
        notes: lines at the end of each.
        prefix: of the files' names.
    """
    from simbench.measure.hdr import write_hgrm
    from simbench.measure.telemetry import STAGES

    folder.mkdir(exist_ok=True)
    for name, title in STAGES:
        if histograms[name].count:
            write_hgrm(folder / f"{prefix}{name}.hgrm", histograms[name], [title, "values in us", *notes])


def tagged(session: Processes, prefix: str = "") -> dict[str, Histogram]:
    """Return copies of a running session's histograms under the names that intervals are tagged with."""
    from simbench.measure import telemetry

    return {f"{prefix}{name}": each for name, each in telemetry.histograms(session.telemetry).items()}


@contextlib.contextmanager
def logging(session: Processes, log: IntervalLog | None, prefix: str = "") -> Iterator[None]:
    """Write an interval of every histogram each second while a session runs, and what is left at the end of the block.

    Args:
        session: that was started; it must not be closed within the block.
        log: None: nothing is written.
        prefix: of the tags.
    """
    if log is None:
        yield
        return
    log.begin()
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(EVERY_S):
            log.take(tagged(session, prefix))

    thread = threading.Thread(target=follow, name="intervals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        log.take(tagged(session, prefix))


@contextlib.contextmanager
def exported(session: Processes, hgrm: Path | None, hlog: Path | None) -> Iterator[list[str]]:
    """Write what was asked for of one session: its intervals while the block lasts, its percentiles at the end.

    Args:
        session: that was started; it must not be closed within the block.
        hgrm: folder, or None.
        hlog: file, or None.

    Yields:
        A list for lines that tails must not be read without, to be filled within the block.
    """
    from simbench.measure.telemetry import histograms

    notes: list[str] = []
    with open_log(hlog) as log:
        with logging(session, log):
            yield notes
        if log is not None:
            for note in notes:
                log.note(note)
    if hgrm is not None:
        write_percentiles(hgrm, histograms(session.telemetry), notes)
