"""simbench demo: a capture that comes with simbench, over the best wire there is."""

from __future__ import annotations

from pathlib import Path

from simbench.errors import SimbenchError

CAPTURE = "announcement"


def demo(*, headless: bool) -> int:
    """Replay the announcement burst at its recorded timing."""
    from simbench.commands import compilation
    from simbench.commands.run import play
    from simbench.receive.offline import open_source
    from simbench.session import Plan

    folder = Path(__file__).resolve().parents[2] / "captures" / CAPTURE
    if not folder.is_dir():
        raise SimbenchError("the shipped captures are not here; run the demo in a checkout of the project")
    compilation.for_replaying()
    source = open_source(folder)
    return play(source, Plan(), headless=headless)
