"""simbench convert: a BinaryFILE of ITCH 5.0 to a capture."""

from __future__ import annotations

from datetime import date as Date
from typing import TYPE_CHECKING

from simbench.commands import show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path


def convert(*, file: Path, output: Path, date: str) -> int:
    """Write the capture and say what it holds."""
    from simbench.synth.convert import convert as write

    try:
        day = Date.fromisoformat(date)
    except ValueError:
        raise SimbenchError(f"{date!r} is no date; write YYYY-MM-DD") from None
    done = write(file, output, day)
    show.console().print(f"{output}: {done}")
    return 0
