"""The queues of the wire with what each does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moments import RUN, FixedSource, moment

from simbench.measure.background import QueueLine
from simbench.measure.snapshot import LoadView

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench_tui import BenchApp


async def test_each_queue_says_what_it_does(make_app: Callable[..., BenchApp]) -> None:
    """Frames, rate, its handler, hiccups and drops; a queue of which nothing is known yet has none of these."""
    run = replace(RUN, queues=(QueueLine(0, 2, ("340",)), QueueLine(1, -1, ("341", "342"))))
    loads = (LoadView(0, 12_345, 678.0, 910, 4_200, 3, 7),)
    app = make_app(source=FixedSource(moment(run=run, loads=loads)))
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("5")
        app.sample()
        await pilot.pause()
        text = [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]
    start = next(i for i, line in enumerate(text) if "── queues" in line)
    column = text[start].index("── queues")
    first, second = (text[start + k][column:].split() for k in (2, 3))
    assert first == ["0", "2", "12,345", "678", "910", "ns", "4.20", "us", "3", "7", "1", "340"]
    assert second == ["1", "any", "-", "-", "-", "-", "-", "-", "2", "341,", "342"]
