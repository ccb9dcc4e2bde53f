"""The figures of the README.

python -m benchmarks                          # all of them, for half an hour on a quiet machine
python -m benchmarks timing offline --quick   # some of them, roughly
python -m benchmarks --markdown figures.md    # as the README has them
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console

from benchmarks import (
    handler_time,
    host,
    memory,
    offline_itch,
    queues,
    recovery,
    recovery_cost,
    replay_timing,
    startup,
    wire_equality,
    wire_to_application,
)
from benchmarks.report import Report, Section, show
from simbench.errors import SimbenchError
from simbench.wire.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable


class Measured(Protocol):
    """What a figure hands back."""

    def section(self) -> Section:
        """Return it ready to be shown."""


FIGURES: Final[dict[str, Callable[..., Measured]]] = {
    "timing": replay_timing.replay_timing,
    "latency": wire_to_application.wire_to_application,
    "handler": handler_time.handler_time,
    "queues": queues.queues,
    "offline": offline_itch.offline_itch,
    "memory": memory.memory,
    "startup": startup.startup,
    "day": wire_equality.wire_equality,
    "recovery": recovery.recovery,
    "cost": recovery_cost.recovery_cost,
}
WIDTH: Final = 160  # of what is piped into a file
NEED_VETH: Final = {
    "timing": replay_timing.TITLE,
    "latency": wire_to_application.TITLE,
    "handler": handler_time.TITLE,
    "queues": queues.TITLE,
    "recovery": recovery.TITLE,
}


def main(arguments: list[str] | None = None) -> int:
    """Take the figures that were asked for and show them; 0, or 2 where one could not be taken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, shorter captures: to try it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as the README has them")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.figures if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure {unknown[0]}; choose from {', '.join(FIGURES)}")
    chosen = options.figures or list(FIGURES)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    command = " ".join(["python -m benchmarks", *options.figures, *(["--quick"] if options.quick else [])])
    report = Report(host.describe(), "make bench" if command == "python -m benchmarks" else command)
    console.print(report.host)
    failed = False
    missing = probe().veth
    for name in chosen:
        try:
            section = _take(name, missing, quick=options.quick)
        except SimbenchError as error:
            section = Section(name, f"not taken: {error}", (), ())
            failed = True
        report.sections.append(section)
        show(section, console)
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(), encoding="utf-8")
    return 2 if failed else 0


def _take(name: str, missing: str, *, quick: bool) -> Section:
    if missing and name in NEED_VETH:
        return Section(NEED_VETH[name], f"not taken: {missing}", (), ())
    return FIGURES[name](quick=quick).section()


if __name__ == "__main__":
    sys.exit(main())
