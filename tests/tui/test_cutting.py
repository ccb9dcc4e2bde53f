"""A golden cut from the terminal: what is asked, written and said, and what is left of one that is given up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moments import moment
from simbench_tui import cutting
from simbench_tui.cutting import Cutter
from simbench_tui.golden_dialog import GoldenDialog
from textual.widgets import Input, OptionList

from simbench.feed.definition import dump
from simbench.golden.check import check
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from moments import FixedSource
    from simbench_tui import BenchApp

END_NS = 1 << 61


async def test_a_golden_is_written_beside_the_run(
    make_app: Callable[..., BenchApp], source: FixedSource, itch: Path, tmp_path: Path
) -> None:
    """The folder that was named passes verify; the terminal says when it is there."""
    opened = open_source(itch)
    source.now = moment(position_ns=END_NS)
    app = make_app(capture=str(itch), feed=dump(opened.feed))
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("G")
        dialog = app.screen
        assert isinstance(dialog, GoldenDialog)
        assert dialog.query_one(Input).value.endswith(".golden")
        dialog.query_one(Input).value = "mine"
        await pilot.press("enter")
        await pilot.pause()
        assert app._cutter._thread is not None
        while app._cutter._thread.is_alive():
            await pilot.pause(0.05)
        await pilot.pause()
        said = [note.message for note in app._notifications]
        assert said[-1].startswith(f"golden: {tmp_path / 'mine'}, ")
        assert said[-1].endswith("engine and reference book agree")
    assert [lines for _, lines in check(tmp_path / "mine", ["ring"]) if lines] == []


async def test_the_end_of_a_window_is_where_it_is_cut(make_app: Callable[..., BenchApp]) -> None:
    """Not where the replay is; without a window that."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("G")
        assert isinstance(app.screen, GoldenDialog)
        assert app.screen._until_ns == moment().position_ns
        await pilot.press("escape")
        app._look = app._look.__class__(window=(moment().position_ns - 9, moment().position_ns - 5))
        await pilot.press("G")
        assert isinstance(app.screen, GoldenDialog)
        assert app.screen._until_ns == moment().position_ns - 5


async def test_the_beginning_of_a_window_can_be_chosen(
    make_app: Callable[..., BenchApp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By arrow or click; the capture's is what is marked at first, and the only one where nothing lies between."""
    asked: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(Cutter, "start", lambda _self, *what: asked.append(what) or "")
    now = moment().position_ns
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        app._look = app._look.__class__(window=(now - 9, now - 5))
        for keys, clicked in ((), None), (("down",), None), (("down", "up"), None), ((), 1):
            await pilot.press("G")
            app.screen.query_one(Input).value = "mine"
            await pilot.press(*keys)
            if clicked is None:
                await pilot.press("enter")
            else:
                await pilot.click("#golden-since", offset=(3, clicked))
            await pilot.pause()
        app._look = app._look.__class__(window=(now, None))
        await pilot.press("G")
        assert app.screen.query_one(OptionList).option_count == 1
        await pilot.press("down", "escape")
    first, last = now - 9, now - 5
    assert asked == [(tmp_path / "mine", last, since) for since in (0, first, 0, first)]


async def test_where_there_is_no_capture_it_is_told(make_app: Callable[..., BenchApp]) -> None:
    """As where a receiver runs alone."""
    app = make_app(capture="")
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("G")
        assert not isinstance(app.screen, GoldenDialog)
        assert "no capture" in next(iter(app._notifications)).message


def test_what_could_not_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    """In the words of who tried."""
    said: list[tuple[str, str]] = []
    cutter = Cutter(str(tmp_path / "none.pcap"), "", lambda *words: said.append(words))
    cutter.start(tmp_path / "mine", 1)
    assert cutter._thread is not None
    cutter._thread.join()
    ((words, severity),) = said
    assert severity == "error"
    assert words.startswith("no golden: ")
    assert "\n" not in words
    assert list(tmp_path.iterdir()) == []


def test_leaving_gives_up_what_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a second one waits for the first."""
    monkeypatch.setattr(cutting, "COMMAND", ("sleep", "1000"))
    said: list[tuple[str, str]] = []
    cutter = Cutter("a.pcap", "", lambda *words: said.append(words))
    assert cutter.start(tmp_path / "mine", 1).startswith("writing")
    assert "being written" in cutter.start(tmp_path / "other", 1)
    before = threading.active_count()
    cutter.stop()
    assert threading.active_count() == before - 1
    assert said == []
