"""simbench generate: a seeded synthetic feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.commands import show
from simbench.times import iso, span

if TYPE_CHECKING:
    from pathlib import Path


def generate(*, scenario: str, output: Path, **options: Any) -> int:
    """Write the capture and its feed.toml; say what they hold."""
    from simbench.synth.scenario import generate as write

    done = write(scenario, output, **{key: value for key, value in options.items() if value is not None})
    (output.parent / "feed.toml").write_text(done.feed, encoding="utf-8")
    datagrams = f"{done.datagrams:,} datagrams on each line"
    if done.recovery:
        datagrams += f" and {done.recovery:,} of snapshots"
    show.console().print(
        f"{output}: {scenario}, {done.protocol}, seed {done.seed}; {done.frames:,} frames, {datagrams}, "
        f"{iso(done.first_ns)} and {span(done.last_ns - done.first_ns)} on; feed.toml beside it"
    )
    return 0
