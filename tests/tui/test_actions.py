"""Every key in every footer and every action in the palette does what it says.

What "does" means stands once, in DOES, by action: a condition on the application and on the control that is false
before and true afterwards. The key, a click on the footer and the palette are then three ways to the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from moments import FIRST_NS, SECOND, TICK, RecordingControl, moment
from simbench_tui.constants import SPEEDS
from simbench_tui.fault_dialog import FaultDialog
from simbench_tui.golden_dialog import GoldenDialog
from simbench_tui.help import Help
from simbench_tui.jump import Jump
from simbench_tui.keybar import KeyBar, fitting
from simbench_tui.keys import KEYS, SCREENS, actions, keys_of
from simbench_tui.look import LOUDNESS, Bookmark
from simbench_tui.note import Note
from simbench_tui.pane import Pane
from simbench_tui.picker import Picker
from simbench_tui.themes import THEMES
from simbench_tui.timeline import Timeline
from textual.widgets import Input, OptionList

if TYPE_CHECKING:
    from collections.abc import Callable

    from moments import FixedSource
    from simbench_tui import BenchApp
    from simbench_tui.keys import Key
    from textual.pilot import Pilot

    Condition = Callable[[BenchApp, RecordingControl], object]


def told(*call: object) -> Condition:
    """The replay was told this."""
    return lambda _app, control: call in control.calls


def shows(screen: type) -> Condition:
    """This lies over the panes."""
    return lambda app, _control: isinstance(app.screen, screen)


def on(name: str) -> Condition:
    """This screen is shown, and a moment on it."""
    return lambda app, _control: app.current_mode == name and all(pane.snapshot for pane in app.bench.query(Pane))


DOES: Final[dict[str, Condition]] = {
    "help": shows(Help),
    "quit": lambda app, _control: not app.is_running,
    "pause": told("toggle"),
    "step": told("step"),
    "step_message": told("gate", 1, 1),
    "faster": told("faster"),
    "slower": told("slower"),
    "speed(1)": told("set_speed", 1),
    "speed('max')": told("set_speed", "max"),
    "stop": told("stop"),
    "errand('gap')": lambda app, control: told("resume")(app, control) and app._look.errand == "TO NEXT GAP",
    "errand('burst')": lambda app, control: told("resume")(app, control) and "BURST" in app._look.errand,
    "errand('change')": lambda app, control: told("resume")(app, control) and "CHANGE" in app._look.errand,
    "jump": shows(Jump),
    "window": lambda app, _control: app._look.window == (moment().position_ns, None),
    "darken(0)": told("switch", "dark", [0], 1),
    "darken(1)": told("switch", "dark", [1], 1),
    "faults": shows(FaultDialog),
    "faults_off": told("all_off"),
    "golden": shows(GoldenDialog),
    "instrument(1)": lambda app, _control: app._roster.chosen == 1,
    "instrument(-1)": lambda app, _control: app._roster.chosen == 2,
    "follow": lambda app, _control: app._roster.following and app._roster.chosen == 0,
    "find": shows(Picker),
    "pin": lambda app, _control: app._look.pinned == (0,),
    "freeze": lambda app, _control: app._frozen is not None,
    "bookmark": shows(Note),
    "stage(1)": lambda app, _control: app._look.stage == moment().stages[1].name,
    "stage(-1)": lambda app, _control: app._look.stage == moment().stages[-1].name,
    "level(1)": lambda app, _control: app._look.level == ("bid", 4102 * TICK),
    "level(-1)": lambda app, _control: app._look.level == ("ask", 4104 * TICK),
    "level(0)": lambda app, _control: app._look.level is None,
    "loudness": lambda app, _control: app._look.loudness == LOUDNESS[1],
    "pane": lambda app, _control: isinstance(app.focused, Pane),
    "colours": lambda app, _control: app.theme == THEMES[1].name,
    "picture": lambda app, _control: (app._folder / "simbench-143107-968.svg").exists(),
    "save": lambda app, _control: (app._folder / "simbench-143107-968.json").exists(),
    **{f"view('{name}')": on(name) for name in SCREENS},
    **{f"speed({factor})": told("set_speed", factor) for factor in SPEEDS},
}
ALREADY: Final = {"follow", "view('overview')"}  # so before any key: something else is done first


async def prepare(app: BenchApp, pilot: Pilot[None], action: str) -> None:
    """Show a moment, and make what an action brings about not so already."""
    await pilot.pause()
    app.sample()
    if action == "level(0)":
        app.action_level(1)
    if action in ALREADY:
        await pilot.press("n", "3" if app.current_mode != "feed" else "4")
        app.sample()


def the_action(app: BenchApp, title: str) -> Callable[[], object]:
    """What the palette calls under this title."""
    return next(each.callback for each in app.get_system_commands(app.screen) if each.title == title)


BOUND = [(key, name) for key in KEYS for name in key.keys.split(",")]


@pytest.mark.parametrize(("key", "name"), BOUND, ids=lambda each: each if isinstance(each, str) else "")
async def test_every_key_does_what_it_says(
    make_app: Callable[..., BenchApp], control: RecordingControl, key: Key, name: str
) -> None:
    """On a screen that has it; that all which should have it do is another test's."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(str(SCREENS.index(key.screens[0]) + 1) if key.screens else "1")
        await prepare(app, pilot, key.action)
        assert not DOES[key.action](app, control)
        await pilot.press(name)
        await pilot.pause()
        assert DOES[key.action](app, control)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("width", [80, 120, 200])
async def test_every_key_in_a_footer_can_be_clicked(
    make_app: Callable[..., BenchApp], control: RecordingControl, screen: str, width: int
) -> None:
    """Whole keys, each where it is written; none of them is bound elsewhere alone."""
    app = make_app()
    async with app.run_test(size=(width, 40)) as pilot:
        await pilot.press(str(SCREENS.index(screen) + 1))
        app.sample()
        bar = app.screen.query_one(KeyBar)
        strip = bar.render_line(0)
        assert strip.cell_length == width
        clicks = {segment.style.meta.get("@click") for segment in strip if segment.style and segment.style.meta}
        labelled = [key for key in keys_of(screen) if key.label]
        shown = [key for key in labelled if f"app.{key.action}" in clicks]
        assert shown == fitting(labelled, width - strip.text.index(" ? help"))
        assert {f"app.view('{name}')" for name in SCREENS} <= clicks
        bound = {each.binding.action for each in app.screen.active_bindings.values()}
        assert {f"app.{key.action}" for key in shown} <= bound
        await pilot.click(KeyBar, offset=(strip.text.index("pause") + 1, 0))
        await pilot.pause()
        assert control.calls == [("toggle",)]


def test_the_palette_has_every_action(make_app: Callable[..., BenchApp]) -> None:
    """And what each comes to is known here: an action without a condition would not be tested."""
    known = {key.action for key in actions()}
    assert known <= DOES.keys()
    assert all(key.meaning.endswith(".") and key.title for key in actions())


@pytest.mark.parametrize("action", sorted(DOES))
async def test_every_action_of_the_palette_does_what_it_says(
    make_app: Callable[..., BenchApp], control: RecordingControl, action: str
) -> None:
    """Found by its title."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await prepare(app, pilot, action)
        assert not DOES[action](app, control)
        titles = {key.action: key.title for key in actions()}
        titles |= {f"speed({factor})": f"Speed: {factor:g} times the recorded" for factor in SPEEDS}
        titles["stop"] = "Stop the replay"
        the_action(app, titles[action])()
        await pilot.pause()
        await pilot.pause()
        assert DOES[action](app, control)


def test_every_key_is_documented() -> None:
    """In docs/terminal.md, as the footer writes it."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "terminal.md").read_text(encoding="utf-8")
    assert [key.shown for key in KEYS if f"`{key.shown}`" not in page] == []


async def test_without_a_replayer_nothing_is_offered_that_needs_one(make_app: Callable[..., BenchApp]) -> None:
    """Neither in the palette nor in the footer."""
    app = make_app(control=None)
    async with app.run_test(size=(200, 40)) as pilot:
        await pilot.pause()
        app.sample()
        steering = {key.title for key in actions() if key.steers} | {"Stop the replay"}
        assert not steering & {each.title for each in app.get_system_commands(app.screen)}
        assert "burst" not in app.screen.query_one(KeyBar).render_line(0).text


async def test_a_jump_by_words_and_one_by_place(make_app: Callable[..., BenchApp], control: RecordingControl) -> None:
    """A time that is none is told, and the dialog stays."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("j", *"later", "enter")
        assert isinstance(app.screen, Jump)
        app.screen.query_one(Input).value = "+30"
        await pilot.press("enter")
        await pilot.press("j", "down", "down", "enter")
        await pilot.press("j", "escape")
        await pilot.pause()
    assert control.calls == [("jump", FIRST_NS + 30 * SECOND), ("jump", FIRST_NS + 9 * SECOND // 2)]


async def test_a_click_on_the_list_of_places_jumps(
    make_app: Callable[..., BenchApp], control: RecordingControl
) -> None:
    """To where it says."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("j")
        await pilot.click(OptionList, offset=(5, 0))
        await pilot.pause()
    assert control.calls == [("jump", FIRST_NS)]


async def test_the_capture_s_line_takes_clicks_and_arrows(
    make_app: Callable[..., BenchApp], control: RecordingControl
) -> None:
    """A click jumps; with the keys a place is chosen first, from where the replay is."""
    app = make_app()
    async with app.run_test(size=(122, 40)) as pilot:
        app.sample()
        await pilot.pause()
        line = app.screen.query_one(Timeline)
        assert line.size.width == 122
        await pilot.click(Timeline, offset=(61, 2))
        line.focus()
        await pilot.press("shift+right", "right", "left", "shift+left", "right", "enter")
        await pilot.pause()
        assert control.calls == [("jump", FIRST_NS + 60 * SECOND), ("jump", FIRST_NS + 43 * SECOND)]
        await pilot.press("escape")
        assert app.focused is None


async def test_bookmarks_are_marked_on_the_line_and_saved(make_app: Callable[..., BenchApp], tmp_path: Path) -> None:
    """With their notes, beside the whole snapshot."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("m", *"odd", "enter")
        await pilot.press("m", "escape")
        await pilot.pause()
        assert app._look.bookmarks == (Bookmark(moment().position_ns, "odd"),)
        line = app.screen.query_one(Timeline)
        assert "◆" in line.render_line(line.size.height - 1).text
        await pilot.press("J")
    found = json.loads((tmp_path / "simbench-143107-968.json").read_text())
    assert found["bookmarks"] == [{"recorded_ns": moment().position_ns, "note": "odd"}]
    assert found["snapshot"]["phase"] == "running"
    assert found["snapshot"]["book"]["bids"][0]["price"] == moment().book.bids[0].price  # type: ignore[union-attr]


async def test_what_was_frozen_is_what_is_saved(
    make_app: Callable[..., BenchApp], source: FixedSource, tmp_path: Path
) -> None:
    """And what a bookmark is about."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.press("f")
        source.now = moment(position_ns=FIRST_NS + 60 * SECOND)
        app.sample()
        await pilot.press("J", "m", "enter")
        await pilot.pause()
        assert [mark.recorded_ns for mark in app._look.bookmarks] == [moment().position_ns]
    assert (tmp_path / "simbench-143107-968.json").exists()


async def test_a_frozen_view_stays_frozen_on_another_screen(
    make_app: Callable[..., BenchApp], source: FixedSource
) -> None:
    """The strip says so there as well."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        frozen = app._latest
        await pilot.press("f")
        source.now = moment(position_ns=FIRST_NS + 60 * SECOND)
        app.sample()
        await pilot.press("2")
        await pilot.pause()
        assert all(pane.snapshot is frozen for pane in app.bench.query("#body Pane").results(Pane))
        assert "FROZEN" in app.bench.query_one("#position", Pane).render_line(0).text


async def test_pinned_instruments_stay_beside_the_shown_one(
    make_app: Callable[..., BenchApp], source: FixedSource
) -> None:
    """Only the book's screen asks for other books; the shown one is not among them."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        assert source.beside[-1] == ()
        await pilot.press("2")
        app.sample()
        assert source.beside[-1] == (1, 2)
        await pilot.press("n", "n", "p", "N")
        app.sample()
        assert (source.asked[-1], source.beside[-1]) == (1, (2, 0))
        await pilot.press("n", "p", "N")
        app.sample()
        assert source.beside[-1] == (0, 2)


async def test_a_filtered_log_says_so(make_app: Callable[..., BenchApp]) -> None:
    """Everything, warnings and errors, errors alone, and everything again."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        app.sample()
        seen = []
        for _ in LOUDNESS:
            pane = app.bench.query_one("#log", Pane)
            text = "\n".join(pane.render_line(y).text for y in range(pane.size.height))
            seen.append(("warning gap" in text, "silent" in text, "errors" in text.splitlines()[0]))
            await pilot.press("v")
    assert seen == [(True, True, False), (True, False, True), (False, False, True)]
