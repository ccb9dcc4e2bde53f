"""The pictures of docs/terminal.md: a real run over the ring, every screen of it as an SVG; `make pictures`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simbench_tui import BenchApp

from simbench.commands import compilation
from simbench.receive.offline import open_source
from simbench.session import Plan, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.measure.snapshot import Snapshot

HERE = Path(__file__).resolve().parent
CAPTURE = HERE.parents[1] / "captures" / "announcement"
SIZE = (120, 40)
PATIENCE_S = 60.0
FAULTS = """
[[fault]]
kind = "drop"
line = "A"
probability = 0.05
[[fault]]
kind = "dark"
from = "+5.2s"
to = "+5.26s"
"""


async def take() -> None:
    """Run, look, press the keys, save."""
    plan = Plan(wire="ring", wait="block", watched=True, faults=FAULTS, loops=0)
    with Session(open_source(CAPTURE), plan) as session:
        session.wait_until_ready()
        app = BenchApp(session, session.control, ascii_only=False, folder=HERE)
        async with app.run_test(size=SIZE) as pilot:

            async def until(so: Callable[[Snapshot], bool]) -> None:
                deadline = asyncio.get_running_loop().time() + PATIENCE_S
                while app.latest is None or not so(app.latest):
                    await pilot.pause(0.05)
                    if asyncio.get_running_loop().time() > deadline:
                        sys.exit("the run does not come to what is to be seen")

            def save(name: str) -> None:
                app.save_screenshot(f"{name}.svg", str(HERE))

            await until(lambda now: now.gaps_lost > 0)
            await pilot.press("m", *"dark on both lines", "enter")
            await pilot.pause(0.3)
            save("overview")
            for key, name in zip("2345", ("book", "feed", "latency", "wire"), strict=True):
                await pilot.press(key)
                await until(lambda now: now.sender is not None and now.sender.loop > 0 and len(now.ticks) > 24)
                await pilot.pause(1.5)
                save(name)
            await pilot.press("1", "j")
            await pilot.pause(0.3)
            save("jump")


if __name__ == "__main__":
    compilation.for_replaying()
    asyncio.run(take())
