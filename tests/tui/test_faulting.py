"""Faults by hand: what a user writes, what the replayer is told, and what stands on the strip while they are on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from moments import FIRST_NS, SECOND, moment
from simbench_tui.fault_dialog import FaultDialog
from simbench_tui.faulting import Order, in_words, parse_order
from simbench_tui.position import Position
from simbench_tui.timeline import Timeline
from simbench_tui.timescale import column_at
from textual.widgets import Input, OptionList, Static

from simbench.errors import SimbenchError
from simbench.measure.background import FaultSpan
from simbench.measure.snapshot import SwitchView

if TYPE_CHECKING:
    from collections.abc import Callable

    from moments import FixedSource, RecordingControl
    from simbench_tui import BenchApp

DARK_A = SwitchView("dark", "A", 1, "dark", FIRST_NS + 10 * SECOND, 0, 12)
LOSSY_B = SwitchView("lose", "B", 20_000, "lose 2 %", FIRST_NS + 10 * SECOND, 0, 3)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (Order("dark", (0,), 1), "dark A"),
        (Order("dark", (0, 1), 1), "darken both lines"),
        (Order("dark", (1,), 1, 2 * SECOND), "dark line b for 2 s"),
        (Order("lose", (0, 1), 20_000), "lose 2%"),
        (Order("lose", (0,), 5_000, 500_000_000), "  LOSE 0.5 % of a for .5s "),
        (Order("corrupt", (1,), 1_000_000), "corrupt B 100%"),
        (Order("delay", (1,), 300_000), "delay b by 300us"),
        (Order("delay", (0,), 1_500_000, 3 * SECOND), "skew A 1.5 ms for 3s"),
        (Order("lose", (0, 1), 0), "lose off"),
        (Order("dark", (0,), 0), "dark a off"),
        (Order(""), "off"),
        (Order(""), "all off"),
    ],
)
def test_faults_are_read_as_they_are_written(expected: Order, text: str) -> None:
    """Kind, lines, how much and for how long, in any order."""
    assert expected == parse_order(text, ("A", "B"))


@pytest.mark.parametrize(
    "text", ["", "lose", "lose 0%", "lose 101%", "delay A", "dark C", "explode", "off A", "A", "dark lose", "for 2s"]
)
def test_what_is_no_fault_is_refused_in_a_line(text: str) -> None:
    """With an example of one."""
    with pytest.raises(SimbenchError, match="write"):
        parse_order(text, ("A", "B"))


def test_without_lines_there_is_nothing_to_switch() -> None:
    """As where the receiver runs alone."""
    with pytest.raises(SimbenchError, match="no line"):
        parse_order("lose 1%", ())


def test_what_is_on_is_told_in_words() -> None:
    """What is off again is not; lines with the same fault stand together; too much is a number."""
    off = replace(DARK_A, until_ns=5)
    assert in_words((off,), 40) == ""
    assert in_words((off, DARK_A, LOSSY_B), 40) == "A DARK, B LOSE 2 %"
    assert in_words((DARK_A, replace(DARK_A, line="B")), 40) == "A+B DARK"
    assert in_words((DARK_A, LOSSY_B), 10) == "2 FAULTS ON"
    assert in_words((LOSSY_B,), 5) == "1 FAULT ON"


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_what_is_on_stands_on_the_strip(
    make_app: Callable[..., BenchApp], source: FixedSource, width: int
) -> None:
    """At every width, and no longer when it is off."""
    app = make_app()
    async with app.run_test(size=(width, 30)) as pilot:
        source.now = moment(switches=(DARK_A, LOSSY_B))
        app.sample()
        await pilot.pause()
        strip = app.screen.query_one(Position)
        assert "A DARK, B LOSE 2 %" in strip.render_line(0).text
        assert "got" in strip.render_line(0).text
        source.now = moment(switches=(replace(DARK_A, until_ns=7),))
        app.sample()
        await pilot.pause()
        assert "DARK" not in strip.render_line(0).text


async def test_a_key_darkens_a_line_and_lights_it_again(
    make_app: Callable[..., BenchApp], source: FixedSource, control: RecordingControl
) -> None:
    """Also twice between two snapshots; and what another terminal switched on is switched off."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("A", "A", "B")
        assert control.calls == [("switch", "dark", [0], 1), ("switch", "dark", [0], 0), ("switch", "dark", [1], 1)]
        source.now = moment(switches=(DARK_A,))
        app.sample()
        await pilot.press("A")
        assert control.calls[-1] == ("switch", "dark", [0], 0)


async def test_a_line_that_is_not_there_is_told(
    make_app: Callable[..., BenchApp], source: FixedSource, control: RecordingControl
) -> None:
    """A feed of one line has no second."""
    source.now = moment(run=replace(moment().run, lines=("X",)))
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("B")
        assert control.calls == []
        assert [note.message for note in app._notifications] == ["there is no such line; there are: X"]


async def test_the_dialog_takes_words(make_app: Callable[..., BenchApp], control: RecordingControl) -> None:
    """What is wrong stays to be written again, with the reason."""
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("F")
        dialog = app.screen
        assert isinstance(dialog, FaultDialog)
        dialog.query_one(Input).value = "lose everything"
        await pilot.press("enter")
        assert "everything" in str(dialog.query_one(Static).render())
        dialog.query_one(Input).value = "lose 2% B for 2s"
        await pilot.press("enter")
        await pilot.pause()
        assert control.calls == [("switch", "lose", (1,), 20_000)]
        assert control.keywords == [{"for_ns": 2 * SECOND}]
        await pilot.press("F", "escape")
        assert len(control.calls) == 1


async def test_the_dialog_offers_to_switch_off_what_is_on(
    make_app: Callable[..., BenchApp], source: FixedSource, control: RecordingControl
) -> None:
    """First of all choices."""
    source.now = moment(switches=(LOSSY_B,))
    app = make_app()
    async with app.run_test() as pilot:
        app.sample()
        await pilot.press("F", "down")
        assert app.screen.query_one(OptionList).highlighted == 0
        await pilot.press("enter")
        await pilot.pause()
        assert control.calls == [("switch", "lose", (1,), 0)]


def test_every_offer_of_the_dialog_can_be_read() -> None:
    """With whatever lines there are."""
    for lines in (("A", "B"), ("primary",), ()):
        for choice in FaultDialog(lines, (DARK_A,))._choices:
            if lines and choice != "dark A off":
                assert parse_order(choice, lines)


async def test_faults_are_marked_on_the_line(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """Those of a script and those by hand, between their times, also round a loop; the legend says so."""
    app = make_app()
    async with app.run_test(size=(122, 40)) as pilot:
        app.sample()
        await pilot.pause()
        line = app.screen.query_one(Timeline)
        assert "fault" not in line.render_line(0).text
        last = line.size.height - 1
        before = line.render_line(last).text
        spans = (FaultSpan("dark A", FIRST_NS + 20 * SECOND, FIRST_NS + 30 * SECOND), FaultSpan("drop", 5, 7))
        looped = replace(DARK_A, since_ns=FIRST_NS + 110 * SECOND, until_ns=FIRST_NS + 10 * SECOND)
        on = replace(LOSSY_B, since_ns=moment().position_ns)
        source.now = moment(run=replace(moment().run, faults=spans), switches=(looped, on))
        app.sample()
        line.update_rows()
        await pilot.pause()
        assert "f fault" in line.render_line(0).text
        text = line.render_line(last).text
        width = len(text) - 2
        expected: set[int] = set()
        for first, end in ((20, 30), (0, 10), (110, 120), (moment().position_ns / SECOND - FIRST_NS / SECOND,) * 2):
            ends = (column_at(FIRST_NS + round(at * SECOND), source.now.run, width) for at in (first, end))
            expected |= set(range(next(ends), next(ends) + 1))
        marked = {column for column in range(width) if text[1 + column] == "f"}
        assert marked <= expected
        assert all(text[1 + column] == before[1 + column] != " " for column in expected - marked)
        assert len(marked) > 20
