"""simbench bench: the figures of the README, each beside its peer, under what the doctor says of the host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console

from simbench.commands import compilation, show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path

WIDTH: Final = 160  # of what is piped into a file


def bench(*, figures: tuple[str, ...], quick: bool, markdown: Path | None) -> int:
    """Take the figures that were asked for and show them; 0, or 2 where one could not be taken."""
    from simbench.bench import host
    from simbench.bench.figures import FIGURES, take
    from simbench.bench.report import Report, Section
    from simbench.bench.report import show as show_section
    from simbench.commands.targets import check_target
    from simbench.doctor.report import examine
    from simbench.wire.probe import probe

    unknown = [name for name in figures if name not in FIGURES]
    if unknown:
        raise SimbenchError(f"there is no figure {unknown[0]}; choose from {', '.join(FIGURES)}")
    check_target(markdown)
    compilation.for_replaying()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    command = " ".join(["simbench bench", *figures, *(["--quick"] if quick else [])])
    report = Report(host.describe(), "make bench" if command == "simbench bench" else command)
    console.print(report.host)
    console.print(f"doctor: {examine(0.5).verdict}")
    failed = False
    missing = probe().veth
    for name in figures or FIGURES:
        try:
            section = take(name, missing, quick=quick)
        except SimbenchError as error:
            section = Section(name, f"not taken: {error}", (), ())
            failed = True
        report.sections.append(section)
        show_section(section, console)
    if markdown is not None:
        try:
            markdown.write_text(report.markdown(), encoding="utf-8")
        except OSError as error:
            show.complain(f"cannot write {markdown}: {error.strerror}")
            failed = True
    return 2 if failed else 0
