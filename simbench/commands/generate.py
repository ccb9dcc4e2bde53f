"""simbench generate: a seeded synthetic feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.commands import show

if TYPE_CHECKING:
    from pathlib import Path


def generate(*, scenario: str, output: Path, **options: Any) -> int:
    """Write the capture, and a feed.toml beside it where there is none; say what it holds."""
    from simbench.synth.scenario import generate as write

    done = write(scenario, output, **{key: value for key, value in options.items() if value is not None})
    show.console().print(f"{output}: {done}")
    return 0
