"""simbench convert: a BinaryFILE of ITCH 5.0 to a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.commands import show
from simbench.times import iso, span

if TYPE_CHECKING:
    from pathlib import Path


def convert(*, file: Path, output: Path, date: str) -> int:
    """Write the capture and its feed.toml, and say what they hold; 1 where the file was not used to its end."""
    from simbench.synth.convert import convert as write

    done = write(file, output, date)
    (output.parent / "feed.toml").write_text(done.feed, encoding="utf-8")
    console = show.console()
    console.print(
        f"{output}: {done.messages:,} messages in {done.datagrams:,} datagrams on each line, "
        f"{iso(done.first_ns)} and {span(done.last_ns - done.first_ns)} on; feed.toml beside it"
    )
    if done.backward:
        console.print(f"{done.backward:,} messages are stamped before the one in front of them")
    if done.problem:
        show.complain(done.problem)
    return int(bool(done.problem))
