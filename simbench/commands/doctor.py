"""simbench doctor: what can be done here, and whether the host is fit to measure on."""

from __future__ import annotations

import sys
from typing import Final

from simbench.commands import show

STYLES: Final = {"good": "green", "note": "cyan", "change": "yellow", "missing": "red"}


def doctor(*, seconds: float, as_json: bool) -> int:
    """Look, and say what to change; 1 where the host is too busy to measure on or a wire cannot be had."""
    from simbench.doctor.check import Verdict
    from simbench.doctor.report import SECTIONS, examine

    found = examine(seconds)
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found.told()).decode() + "\n")
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(width=7)
        table.add_column(no_wrap=True)
        table.add_column(ratio=2)
        table.add_column(ratio=3)
        for name, title in SECTIONS.items():
            table.add_row("", Text(title, "bold"))
            for check in getattr(found, name):
                table.add_row(Text(check.verdict, STYLES[check.verdict]), check.name, check.found, check.advice)
        console = show.console()
        console.print(table)
        console.print(found.verdict)
    return int(not found.fit or any(check.verdict is Verdict.MISSING for check in found.can))
