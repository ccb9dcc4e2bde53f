"""What panes show of moments that are not as usual, and pictures of those that are."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from moments import FIRST_NS, TICK, FixedSource, book, moment
from rich.console import Console
from simbench_tui.help import page
from simbench_tui.keys import KEYS, SCREENS
from simbench_tui.pane import Pane

from simbench.measure.snapshot import ChannelView, LevelView, Phase, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench_tui import BenchApp
    from textual.geometry import Region

SIZES = [(80, 24), (120, 40), (200, 60)]


async def shown(
    make_app: Callable[..., BenchApp], snapshot: Snapshot, size: tuple[int, int] = (120, 40), **changes: Any
) -> str:
    """The whole screen as text, line by line."""
    app = make_app(source=FixedSource(snapshot), **changes)
    async with app.run_test(size=size) as pilot:
        app.sample()
        app.sample()
        await pilot.pause()
        strips = app.screen._compositor.render_strips(app.screen.size)
        lines = [strip.text for strip in strips]
    assert all(len(line) == size[0] for line in lines) or any(not line.isascii() for line in lines)
    return "\n".join(lines)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_looks_as_it_was_judged(
    snap_compare: Callable[..., bool], make_app: Callable[..., BenchApp], name: str, size: tuple[int, int]
) -> None:
    """From fixed data, at three sizes."""
    app = make_app()

    async def sample(pilot: Any) -> None:
        await pilot.press(str(SCREENS.index(name) + 1))
        app.sample()
        app.sample()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=sample)


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_at_all_is_shown_as_nothing(make_app: Callable[..., BenchApp], size: tuple[int, int]) -> None:
    """The first snapshot of a run that has not begun."""
    empty = Snapshot(
        Phase.STARTING, "", replace(moment().run, frames=0, first_ns=0, last_ns=0), 0, 0, 0, 0, 0.0, 0.0, 0, 0
    )
    screen = await shown(make_app, empty, size)
    assert "STARTING" in screen
    assert "waiting for the first datagram" in screen
    assert "no instrument yet" in screen
    assert "live" in screen


async def test_a_failed_run_says_why(make_app: Callable[..., BenchApp]) -> None:
    """The badge and the reason; the figures of the last moment stay below."""
    screen = await shown(make_app, moment(phase=Phase.FAILED, reason="the receiver is gone"))
    assert "FAILED" in screen
    assert "the receiver is gone" in screen
    assert "1025.50" in screen


@pytest.mark.parametrize(("expected", "phase"), [("✗ gone", Phase.FAILED), ("· ended", Phase.ENDED)])
async def test_a_process_that_is_gone_says_whether_it_should_be(
    make_app: Callable[..., BenchApp], expected: str, phase: Phase
) -> None:
    """After the end of a run both processes are; before, that is a failure."""
    processes = tuple(replace(process, share=-1.0) for process in moment().processes[:1])
    app = make_app(source=FixedSource(moment(phase=phase, processes=processes)))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("5")
        app.sample()
        await pilot.pause()
        pane = app.screen.query_one("#processors", Pane)
        assert expected in "\n".join(pane.render_line(y).text for y in range(pane.size.height))


async def test_an_ended_run_says_so(make_app: Callable[..., BenchApp]) -> None:
    """With the replayer's reason."""
    screen = await shown(make_app, moment(phase=Phase.ENDED, reason="end of the capture"))
    assert "ENDED" in screen
    assert "end of the capture" in screen


async def test_a_dead_line_and_a_busy_channel_are_told(make_app: Callable[..., BenchApp]) -> None:
    """The line's state stands in its row, the channel's in the heading where it is not simply live."""
    now = moment()
    lines = (now.lines[0], replace(now.lines[1], state="down"))
    channels = (ChannelView("340", "retransmitting", 3, 7), ChannelView("341", "live", 0, 0))
    screen = await shown(make_app, replace(now, lines=lines, channels=channels), (200, 60))
    assert "1 of 2 up · 340 retransmitting" in screen
    assert " down " in screen
    assert "341 live" not in screen


async def test_a_gap_that_was_asked_for_and_one_that_was_sent_again(make_app: Callable[..., BenchApp]) -> None:
    """The first is open, the other closed; both fit their column."""
    now = moment()
    gaps = (replace(now.gaps[0], outcome="asked"), replace(now.gaps[1], outcome="retransmission"))
    screen = await shown(make_app, replace(now, gaps=gaps), (200, 60))
    assert "1 open" in screen
    assert " asked " in screen
    assert " resent " in screen


async def test_a_book_that_is_not_current_says_since_when_and_why(make_app: Callable[..., BenchApp]) -> None:
    """Above its levels; one that is says so in the title."""
    stale = book(state="stale", since_ns=FIRST_NS, reason="instrument_gap")
    for size, expected in zip(SIZES, ("stale 14:30:25: ", *["stale since 14:30:25.968: "] * 2), strict=True):
        assert f"{expected}instrument gap" in await shown(make_app, moment(book=stale), size)
    never = book(state="unsynchronised", reason="no_snapshot", bids=(), asks=(), implied_bids=())
    screen = await shown(make_app, moment(book=never))
    assert "unsynchronised: no snapshot" in screen
    assert "no level known" in screen
    current = (await shown(make_app, moment())).splitlines()
    assert any("book  ESZ6" in line and "current" in line for line in current)
    assert not any("since" in line for line in current)


async def test_books_are_counted_by_state(make_app: Callable[..., BenchApp]) -> None:
    """Beside the lines; in the narrow layout as well, where no channel is busy."""
    assert "1 of 3 up · books 82 current, 2 stale" in await shown(make_app, moment(channels=()), (120, 40))
    every = MappingProxyType({"current": 12_345, "empty": 7})
    assert "books 12,345 current, 7 empty" in await shown(make_app, moment(states=every, channels=()), (120, 40))
    few = MappingProxyType({"current": 3})
    assert "up · books 3 current" in await shown(make_app, moment(states=few, channels=()), (80, 24))


async def test_an_unknown_level_is_shown_as_unknown(make_app: Callable[..., BenchApp]) -> None:
    """Neither nought nor left out."""
    lines = (await shown(make_app, moment())).splitlines()
    assert any("B6" in line and "unknown" in line and "?" in line for line in lines)


async def test_an_implied_level_is_marked(make_app: Callable[..., BenchApp]) -> None:
    """With an i, beside the direct size or alone."""
    lines = (await shown(make_app, moment())).splitlines()
    assert any("1025.75" in line and "i5" in line for line in lines)
    assert any("1025.50" in line and "i20" in line and "38" in line for line in lines)


async def test_an_implied_level_is_marked_where_there_is_no_column_for_it(make_app: Callable[..., BenchApp]) -> None:
    """In the narrow layout."""
    assert "i5" in await shown(make_app, moment(), (80, 24))


@pytest.mark.parametrize(
    ("expected", "ask"),
    [("spread 0.50", 4104 * TICK), ("locked", 4102 * TICK), ("crossed -0.25", 4101 * TICK)],
)
async def test_the_spread_says_what_it_is(make_app: Callable[..., BenchApp], expected: str, ask: int) -> None:
    """A crossed book is not a negative spread that somebody has to notice."""
    crossing = book(asks=(LevelView(ask, 5, 1),), implied_bids=())
    assert expected in await shown(make_app, moment(book=crossing))


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("no asks", {"asks": ()}),
        ("no bids", {"bids": (), "implied_bids": ()}),
        ("no level known (recovering)", {"asks": (), "bids": (), "implied_bids": (), "state": "recovering"}),
    ],
)
async def test_an_empty_side_is_told(make_app: Callable[..., BenchApp], expected: str, changes: dict[str, Any]) -> None:
    """A book that is empty and one that is not known yet look different from a broken one."""
    assert expected in await shown(make_app, moment(book=book(**changes)))


async def test_changes_of_a_level_are_marked(make_app: Callable[..., BenchApp]) -> None:
    """By a sign, not by colour alone."""
    source = FixedSource(moment())
    app = make_app(source=source)
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        bids = (replace(book().bids[0], quantity=40), *book().bids[1:])
        source.now = moment(book=book(bids=bids), taken_ns=moment().taken_ns + 100_000_000)
        app.sample()
        await pilot.pause()
        pane = app.screen.query_one("#ladder", Pane)
        lines = [pane.render_line(y).text for y in range(pane.size.height)]
    assert any("1025.50 +" in line and "40" in line for line in lines)


@pytest.mark.parametrize("size", SIZES)
async def test_names_and_numbers_of_any_size_leave_the_layout_alone(
    make_app: Callable[..., BenchApp], size: tuple[int, int]
) -> None:
    """Very long symbols, wide and control characters, brackets, figures at the end of int64."""
    huge = 2**63 - 1
    wild = book(
        symbol="[red]삼성전자\x1b[2J" * 20,
        bids=(LevelView(huge, huge, 2**31), LevelView(-huge, 1, 1)),
        updates=huge,
        state="current",
    )
    line = replace(moment().lines[0], channel="x" * 99, name="LONG", datagrams=huge, won=huge, rate=1e30, age_ns=huge)
    snapshot = moment(
        book=wild,
        lines=(line,) * 40,
        elapsed_ns=huge,
        position_ns=huge,
        cursor=huge,
        speed_asked=1e12,
        rates=MappingProxyType({"messages": 1e30}),
        counters=MappingProxyType({f"{'name' * 20}{k}": huge for k in range(200)}),
        drops=MappingProxyType({"cause" * 30: huge}),
        run=replace(moment().run, capture="c" * 500),
    )
    app = make_app(source=FixedSource(snapshot))
    async with app.run_test(size=size) as pilot:
        for key in "12345":
            await pilot.press(key)
            app.sample()
            await pilot.pause()
            for pane in app.screen.query(Pane):
                widths = {pane.render_line(y).cell_length for y in range(pane.size.height)}
                assert widths <= {pane.size.width}
                assert all(pane.render_line(y).text.isprintable() for y in range(pane.size.height))


@pytest.mark.parametrize("size", SIZES)
async def test_ascii_draws_with_ascii_alone(make_app: Callable[..., BenchApp], size: tuple[int, int]) -> None:
    """On every screen, every pane, the strip and the footer."""
    app = make_app(ascii_only=True)
    async with app.run_test(size=size) as pilot:
        for key in "12345":
            await pilot.press(key)
            app.sample()
            app.sample()
            await pilot.pause()
            lines = [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]
            assert [line for line in lines if not line.isascii()] == []


async def test_a_moment_that_changes_nothing_paints_nothing(make_app: Callable[..., BenchApp]) -> None:
    """That is what makes ten moments a second cheap."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        app.sample()
        await pilot.pause()
        app.sample()
        assert asked(app) == []


async def test_only_the_changed_row_is_painted(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """One line's age moved."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        app.sample()
        await pilot.pause()
        lines = source.now.lines
        source.now = moment(lines=(lines[0], replace(lines[1], age_ns=1), lines[2]))
        app.sample()
        (region,) = asked(app)
        pane = app.screen.query_one("#lines").region
        assert pane.contains_region(region)
        assert (region.x, region.width, region.height) == (pane.x, pane.width, 1)


def asked(app: BenchApp) -> list[Region]:
    """Return where the screen is to be painted again."""
    shown = app.screen._compositor.visible_widgets
    return [region.translate(widget.region.offset) for widget in shown for region in widget._repaint_regions]


@pytest.mark.parametrize("maximized", [False, True])
@pytest.mark.parametrize("size", SIZES)
async def test_all_that_changed_is_painted(
    make_app: Callable[..., BenchApp], source: FixedSource, size: tuple[int, int], maximized: bool
) -> None:
    """On every screen, and where one pane fills it."""
    app = make_app()
    first = moment()
    other = replace(
        first,
        taken_ns=first.taken_ns + 10_000_000_000,
        position_ns=first.position_ns + 1_000_000_000,
        book=book(1),
        lines=first.lines[:1],
        gaps=first.gaps[1:],
        log=first.log[1:],
        counters=MappingProxyType({name: value + 7 for name, value in first.counters.items()}),
        stages=tuple(replace(stage, p50=stage.p50 * 3) for stage in first.stages),
    )
    async with app.run_test(size=size) as pilot:
        for key in "12345":
            source.now = first
            await pilot.press(key)
            if maximized:
                app.screen.maximize(next(pane for pane in app.bench.query("#body Pane") if pane.size.height > 3))
            app.sample()
            app.sample()
            await pilot.pause()
            before = [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]
            source.now = other
            app.sample()
            regions = asked(app)
            after = [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]
            changed = [
                (x, y)
                for y, (old, new) in enumerate(zip(before, after, strict=True))
                for x, pair in enumerate(zip(old, new, strict=True))
                if pair[0] != pair[1]
            ]
            assert changed
            assert [place for place in changed if not any(region.contains(*place) for region in regions)] == []


async def test_a_resize_loses_nothing(make_app: Callable[..., BenchApp]) -> None:
    """Narrow, and back."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        app.sample()
        await pilot.pause()
        before = [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert before == [strip.text for strip in app.screen._compositor.render_strips(app.screen.size)]


def test_the_help_names_every_key() -> None:
    """And each with a sentence."""
    console = Console(width=200, file=StringIO())
    console.print(page(SCREENS[0]))
    text = console.file.getvalue()
    for key in KEYS:
        assert key.meaning in text
        assert key.meaning.endswith(".")
