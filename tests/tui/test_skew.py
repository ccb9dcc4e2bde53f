"""What the panes of skew and of the worst frames show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moments import FixedSource, lag, moment, worst

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench_tui import BenchApp

    from simbench.measure.snapshot import Snapshot


async def lines_of(make_app: Callable[..., BenchApp], screen: str, snapshot: Snapshot) -> list[str]:
    """The rows of a screen as text."""
    app = make_app(source=FixedSource(snapshot))
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press(screen)
        app.sample()
        app.sample()
        await pilot.pause()
        return [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]


def after(lines: list[str], words: str) -> list[str]:
    """The rows below the one that has these words."""
    return lines[next(i for i, line in enumerate(lines) if words in line) + 1 :]


async def test_each_line_has_its_lags_on_one_axis(make_app: Callable[..., BenchApp]) -> None:
    """The line that lags more has its picture farther to the right; one without a value has none."""
    lines = after(await lines_of(make_app, "3", moment()), "skew: behind the first copy")
    a, b, never = lines[1:4]
    assert a.split()[:4] == ["340", "A", "668", "640"]
    assert b.split()[:4] == ["340", "B", "1,090", "3.30"]
    assert 0 < a.index("█") < b.index("█")
    assert never.split() == ["341", "A", "0", "-", "-", "-"]


async def test_lags_of_another_width_are_drawn(make_app: Callable[..., BenchApp]) -> None:
    """Also beyond the ends of the axis."""
    far = replace(lag("A", 640, 3), buckets=((1, 2), (60_000_000_000, 1)))
    lines = after(await lines_of(make_app, "3", moment(lags=(far,))), "skew: behind the first copy")
    assert lines[1].count("█") == 1


async def test_the_worst_frames_say_what_they_carried(make_app: Callable[..., BenchApp]) -> None:
    """The longest first, with where the time went; the one that the core was away for says so."""
    lines = after(await lines_of(make_app, "4", moment()), "core away for 1 of 5")
    longest, second = lines[1:3]
    for words in ("84.0 us", "80.0 us", "4.00 us", "340", "6100", "412", "32:4 42:1"):
        assert words in longest, words
    assert "61.0 us" in second


async def test_a_frame_that_nobody_could_read_says_so(make_app: Callable[..., BenchApp]) -> None:
    """A question mark in place of its sequence; and without any frame there are words."""
    odd = replace(worst(0), sequence=-1, messages=0, kinds=())
    lines = after(await lines_of(make_app, "4", moment(worst=(odd,))), "core away for 0 of 1")
    assert " ? " in lines[1]
    assert any("no frame measured yet" in line for line in await lines_of(make_app, "4", moment(worst=())))
