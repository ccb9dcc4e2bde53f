"""Every key does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moments import FIRST_NS, SECOND, RecordingControl, moment
from simbench_tui.help import Help
from simbench_tui.keybar import KeyBar, fitting
from simbench_tui.keys import KEYS, SCREENS, keys_of
from simbench_tui.ladder import Ladder
from simbench_tui.latency import Latency
from simbench_tui.pane import Pane
from simbench_tui.picker import Picker
from simbench_tui.position import Position
from simbench_tui.table import TablePane
from simbench_tui.themes import THEMES
from textual.widgets import Input, OptionList

from simbench.errors import SimbenchError
from simbench.replay import gating

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moments import Clock, FixedSource
    from simbench_tui import BenchApp


def text_of(pane: Pane) -> str:
    """What a pane shows, line by line."""
    return "\n".join(pane.render_line(y).text.rstrip() for y in range(pane.size.height))


def names_in(folder: Path) -> list[str]:
    """Names of the files in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("expected", "keys"),
    [
        ([("toggle",)], ["space"]),
        ([("step",)], ["full_stop"]),
        ([("step",), ("step",)], ["s", "s"]),
        ([("faster",)], ["plus"]),
        ([("faster",)], ["equals_sign"]),
        ([("slower",)], ["minus"]),
        ([("set_speed", 1)], ["r"]),
        ([("set_speed", "max")], ["x"]),
        ([("gate", gating.GAP, 0), ("resume",)], ["g"]),
        ([("resume",)], ["b"]),
        ([("gate", gating.CHANGE, 0), ("resume",)], ["u"]),
        ([("gate", gating.MESSAGES, 1)], ["comma"]),
    ],
)
async def test_keys_drive_the_replay(
    make_app: Callable[..., BenchApp], control: RecordingControl, expected: list[tuple[object, ...]], keys: list[str]
) -> None:
    """One key, one command."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press(*keys)
        assert expected == control.calls


async def test_a_receiver_alone_says_that_there_is_nothing_to_drive(make_app: Callable[..., BenchApp]) -> None:
    """And its footer does not offer it."""
    app = make_app(control=None)
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("space")
        assert [note.message for note in app._notifications] == ["nothing to drive: the receiver runs alone"]
        assert "pause" not in app.screen.query_one(KeyBar).render_line(0).text


async def test_a_full_queue_is_told(make_app: Callable[..., BenchApp]) -> None:
    """A command that was not taken must not look as if it had been."""
    app = make_app(control=RecordingControl(full=True))
    async with app.run_test() as pilot:
        await pilot.press("space")
        assert len(app._notifications) == 1


async def test_what_a_control_refuses_is_told(make_app: Callable[..., BenchApp]) -> None:
    """In its own words."""

    class Refusing(RecordingControl):
        def toggle(self) -> int:
            raise SimbenchError("a looped run cannot be paused; use --loop 1")

    app = make_app(control=Refusing())
    async with app.run_test() as pilot:
        await pilot.press("space")
        assert [note.message for note in app._notifications] == ["a looped run cannot be paused; use --loop 1"]


@pytest.mark.parametrize(
    ("expected", "keys"), [(1, ["n"]), (1, ["tab"]), (2, ["N"]), (2, ["shift+tab"]), (0, ["n", "N"])]
)
async def test_keys_step_through_instruments(
    make_app: Callable[..., BenchApp], source: FixedSource, expected: int, keys: list[str]
) -> None:
    """The source is asked for that book, and the ladder shows it."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press(*keys)
        app.sample()
        assert expected == source.asked[-1]
        assert ("ESZ6", "NQZ6", "CLF7")[expected] in text_of(app.screen.query_one(Ladder))


async def test_the_busiest_instrument_is_shown_again(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """After a key chose another."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("n", "a")
        app.sample()
        assert source.asked[-1] == 0


async def test_freeze_holds_the_view_while_the_strip_goes_on(
    make_app: Callable[..., BenchApp], source: FixedSource, control: RecordingControl
) -> None:
    """It is not a pause: the replay is told nothing; thawed, the view is of now."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        app.sample()
        await pilot.press("f")
        source.now = moment(book=None, cursor=9_999, position_ns=FIRST_NS + 60 * SECOND)
        app.sample()
        await pilot.pause()
        assert "1025.50" in text_of(app.screen.query_one(Ladder))
        strip = text_of(app.screen.query_one(Position))
        assert "FROZEN" in strip
        assert "50.0 %" in strip
        await pilot.press("f")
        assert "no instrument yet" in text_of(app.screen.query_one(Ladder))
        assert "FROZEN" not in text_of(app.screen.query_one(Position))
        assert control.calls == []


@pytest.mark.parametrize(
    ("expected", "keys"), [("send to hook", ["l"]), ("application to book", ["L"]), ("due to send", ["l", "L"])]
)
async def test_keys_choose_the_stage_that_is_drawn(
    make_app: Callable[..., BenchApp], expected: str, keys: list[str]
) -> None:
    """Its title stands above the histogram."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press(*keys)
        assert expected in app.screen.query_one(Latency).render_line(0).text


@pytest.mark.parametrize(
    ("expected", "key"),
    [
        ({"timeline", "ladder", "trades", "lines", "gaps", "log", "latency", "rates", "history"}, "1"),
        ({"ladder", "touch", "queue", "trades", "market"}, "2"),
        ({"lines", "gaps", "channels", "log", "skew"}, "3"),
        ({"latency", "overtime", "budget", "worst"}, "4"),
        ({"wire", "drops", "processors", "queues", "host", "counters"}, "5"),
    ],
)
async def test_number_keys_choose_the_screen(
    make_app: Callable[..., BenchApp], source: FixedSource, expected: set[str], key: str
) -> None:
    """The panes of one subject, each with this moment in it."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("3", key)
        await pilot.pause()
        shown = {pane.id for pane in app.screen.query("#body Pane").results() if pane.is_on_screen and pane.display}
        assert expected == {name for name in shown if app.screen.query_one(f"#{name}").region.area}
        assert all(pane.snapshot is source.now for pane in app.screen.query("#body Pane").results(Pane))


async def test_search_finds_and_shows(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """Type, enter."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("slash")
        assert isinstance(app.screen, Picker)
        await pilot.press(*"clf7")
        assert app.screen.query_one(OptionList).option_count == 1
        await pilot.press("enter")
        app.sample()
        assert source.asked[-1] == 2


async def test_search_can_be_left_and_finds_nothing_gracefully(
    make_app: Callable[..., BenchApp], source: FixedSource
) -> None:
    """Keys of the panes are letters here; enter on nothing does nothing."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("slash", *"qqq", "enter")
        assert app.screen.query_one(Input).value == "qqq"
        await pilot.press("escape")
        app.sample()
        assert source.asked[-1] == 0


async def test_arrow_keys_move_through_what_was_found(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """Without leaving the words."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("slash", "down", "down", "up", "enter")
        app.sample()
        assert source.asked[-1] == 1


async def test_help_explains_and_goes_away(make_app: Callable[..., BenchApp]) -> None:
    """Any of its keys leads back."""
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        assert not isinstance(app.screen, Help)


async def test_themes_go_round(make_app: Callable[..., BenchApp]) -> None:
    """All of ours, then the first again."""
    app = make_app()
    async with app.run_test() as pilot:
        names = []
        for _ in THEMES:
            names.append(app.theme)
            await pilot.press("t")
        assert [theme.name for theme in THEMES] == names
        assert app.theme == names[0]


async def test_a_foreign_theme_has_colours_for_bid_and_ask(make_app: Callable[..., BenchApp]) -> None:
    """Textual's own lack them."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        app.theme = "textual-light"
        await pilot.pause()
        assert app.get_css_variables()["bid"] == THEMES[1].variables["bid"]


async def test_tables_take_the_arrow_keys_in_turn(make_app: Callable[..., BenchApp]) -> None:
    """None has them before."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        assert app.focused is None
        ids = []
        for _ in range(5):
            await pilot.press("w")
            assert isinstance(app.focused, Pane)
            ids.append(app.focused.id)
        assert ids == ["timeline", "trades", "lines", "gaps", "log"]


async def test_a_table_scrolls(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """By keys, and says where it is."""
    gap = moment().gaps[1]
    source.now = moment(gaps=(gap,) * 50, gaps_total=50)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        pane = app.screen.query_one("#gaps", TablePane)
        assert "1-3 of 50" in text_of(pane)
        pane.focus()
        await pilot.press("down", "down")
        assert "3-5 of 50" in text_of(pane)
        await pilot.press("end")
        assert "48-50 of 50" in text_of(pane)


async def test_the_log_follows_its_end_until_somebody_looks_back(
    make_app: Callable[..., BenchApp], source: FixedSource
) -> None:
    """New lines do not pull the reader away."""
    line = moment().log[0]
    source.now = moment(log=(line,) * 10)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        pane = app.screen.query_one("#log", TablePane)
        assert "9-10 of 10" in text_of(pane)
        pane.focus()
        await pilot.press("up")
        source.now = moment(log=(line,) * 12)
        app.sample()
        assert "8-9 of 12" in text_of(pane)
        await pilot.press("end")
        source.now = moment(log=(line,) * 13)
        app.sample()
        assert "12-13 of 13" in text_of(pane)


async def test_a_picture_is_written(make_app: Callable[..., BenchApp], tmp_path: Path) -> None:
    """Named by the recorded time that it shows."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("S")
    assert names_in(tmp_path) == ["simbench-143107-968.svg"]


async def test_a_picture_that_cannot_be_written_is_told(make_app: Callable[..., BenchApp], tmp_path: Path) -> None:
    """With the reason."""
    app = make_app(folder=tmp_path / "nowhere")
    async with app.run_test() as pilot:
        await pilot.press("S")
        assert "no picture" in next(iter(app._notifications)).message


async def test_quit_leaves(make_app: Callable[..., BenchApp], control: RecordingControl) -> None:
    """And tells the replay nothing: it is not the terminal's to end."""
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running
    assert control.calls == []
    assert app.return_code == 0


async def test_the_palette_opens_finds_and_acts(make_app: Callable[..., BenchApp], control: RecordingControl) -> None:
    """As a user does it: its own key, a few letters, enter."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("ctrl+p", *"maximum")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert control.calls == [("set_speed", "max")]


async def test_every_key_has_an_action_and_is_bound(make_app: Callable[..., BenchApp]) -> None:
    """On every screen the table, the bindings and the methods agree."""
    app = make_app()
    async with app.run_test() as pilot:
        for number, screen in enumerate(SCREENS, 1):
            await pilot.press(str(number))
            bound = app.screen.active_bindings
            for key in keys_of(screen):
                assert hasattr(app, f"action_{key.action.split('(')[0]}")
                for name in key.keys.split(","):
                    assert bound[name].binding.action == f"app.{key.action}"


async def test_a_click_on_the_footer_is_the_key(make_app: Callable[..., BenchApp], control: RecordingControl) -> None:
    """Of a key, and of a screen's name."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        bar = app.screen.query_one(KeyBar).render_line(0).text
        await pilot.click(KeyBar, offset=(bar.index("pause"), 0))
        await pilot.pause()
        assert control.calls == [("toggle",)]
        await pilot.click(KeyBar, offset=(bar.index("latency"), 0))
        await pilot.pause()
        assert app.current_mode == "latency"


def test_the_footer_keeps_the_keys_that_fit() -> None:
    """In order, and none cut."""
    keys = list(KEYS)
    assert keys[:2] == fitting(keys, len(" ? help q quit"))
    assert keys[:1] == fitting(keys, len(" ? help q qui"))


async def test_a_silent_source_is_told(make_app: Callable[..., BenchApp], clock: Clock) -> None:
    """Nothing arrives, time passes."""
    app = make_app()
    async with app.run_test(size=(120, 40)):
        app.sample()
        clock.ns += 5 * SECOND
        app.watch_news()
        strip = text_of(app.screen.query_one(Position))
        assert "NO NEWS" in strip
        assert "for 5 s" in strip


async def test_a_source_that_raises_is_told(make_app: Callable[..., BenchApp]) -> None:
    """The terminal outlives it."""

    class Broken:
        def snapshot(self, _index: int | None, _others: object) -> None:
            raise ValueError("layout 2, expected 1")

    app = make_app(source=Broken())
    async with app.run_test(size=(120, 40)):
        app.sample()
        assert "layout 2, expected 1" in text_of(app.screen.query_one(Position))
