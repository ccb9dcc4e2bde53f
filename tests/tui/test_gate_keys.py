"""The gate, driven from the terminal: what is asked of it, what is shown of it, and what opens it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from moments import FIRST_NS, RecordingControl, moment
from simbench_tui.drive import Driver
from simbench_tui.gate import NO_GATE
from simbench_tui.position import Position

from simbench.measure.snapshot import GateView, Phase
from simbench.replay import gating

if TYPE_CHECKING:
    from collections.abc import Callable

    from moments import FixedSource
    from simbench_tui import BenchApp

NOW = moment()
ARMED = GateView("armed", "gap", 1, "gate: open to a gap")
SHUT = GateView("shut", "gap", 1, "gate: shut at a gap, behind sequence 7,373 of 340")


@pytest.fixture
def control() -> RecordingControl:
    """Return a control that records."""
    return RecordingControl()


@pytest.fixture
def said() -> list[str]:
    """Return what the driver has said."""
    return []


@pytest.fixture
def driver(control: RecordingControl, said: list[str]) -> Driver:
    """Return a driver that has heard of an open gate."""
    driver = Driver(control, lambda words, _severity: said.append(words))
    driver.hear(NOW)
    return driver


def test_it_waits_until_the_gate_that_it_armed_is_shut(
    driver: Driver, control: RecordingControl, said: list[str]
) -> None:
    """A snapshot of before the key does not count; the receiver pauses the replay, the terminal does not."""
    driver.send_on("gap", 0)
    assert control.calls == [("gate", gating.GAP, 0), ("resume",)]
    driver.hear(replace(NOW, gate=replace(SHUT, request=0)))
    assert driver.words == "TO NEXT GAP"
    driver.hear(replace(NOW, gate=ARMED))
    assert driver.words == "TO NEXT GAP"
    driver.hear(replace(NOW, gate=SHUT, phase=Phase.PAUSED))
    assert driver.words == ""
    assert said == ["gap 7374-7376 of 340: open"]
    assert len(control.calls) == 2


def test_the_same_key_again_opens_it(driver: Driver, control: RecordingControl) -> None:
    """And the replay goes on."""
    driver.send_on("change", 2)
    driver.hear(replace(NOW, gate=ARMED))
    driver.send_on("change", 2)
    assert control.calls == [("gate", gating.CHANGE, 2), ("resume",), ("gate", gating.OPEN)]
    assert driver.words == ""


def test_somebody_else_may_ask_for_something_else(driver: Driver) -> None:
    """Another terminal's request ends what this one waits for."""
    driver.send_on("gap", 0)
    driver.hear(replace(NOW, gate=ARMED))
    driver.hear(replace(NOW, gate=replace(ARMED, request=2)))
    assert driver.words == ""


@pytest.mark.parametrize(
    ("gate", "told"),
    [(SHUT, ["gate", "resume"]), (ARMED, ["gate", "toggle"]), (NOW.gate, ["toggle"]), (GateView(), ["toggle"])],
)
def test_space_opens_a_gate_that_is_in_the_way(
    driver: Driver, control: RecordingControl, gate: GateView, told: list[str]
) -> None:
    """Shut: it goes on; armed: it pauses; open: nothing is said to it."""
    driver.hear(replace(NOW, gate=gate))
    driver.toggle()
    assert [name for name, *_ in control.calls] == told


def test_a_datagram_goes_through_a_gate_that_is_shut_and_a_jump_opens_it(
    driver: Driver, control: RecordingControl
) -> None:
    """Else it would wait where nobody sees it."""
    driver.hear(replace(NOW, gate=SHUT))
    driver.step()
    driver.jump(FIRST_NS)
    driver.send_on("burst", None)
    assert control.calls == [
        ("gate", gating.FRAMES, 1),
        ("gate", gating.OPEN),
        ("jump", FIRST_NS),
        ("gate", gating.OPEN),
        ("resume",),
    ]


def test_messages_may_be_asked_for_faster_than_snapshots_come(driver: Driver, control: RecordingControl) -> None:
    """Each time one more; nothing is called off, and the replay is not let go."""
    driver.send_on("gap", 0)
    control.calls.clear()
    for _ in range(3):
        driver.step_message()
    assert control.calls == [("gate", gating.MESSAGES, 1)] * 3
    assert driver.words == ""
    driver.toggle()
    assert control.calls[3:] == [("gate", gating.OPEN), ("toggle",)]


def test_without_a_gate_that_is_said_and_gaps_are_watched_for_as_before(
    driver: Driver, control: RecordingControl, said: list[str]
) -> None:
    """With several queues the terminal itself looks, a tenth of a second late."""
    driver.hear(replace(NOW, gate=GateView()))
    driver.step_message()
    assert said == [NO_GATE]
    driver.send_on("gap", 0)
    assert control.calls == [("resume",)]


async def test_the_position_says_how_it_stands(make_app: Callable[..., BenchApp], source: FixedSource) -> None:
    """In the place of the figures."""
    source.now = replace(source.now, gate=SHUT)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.sample()
        await pilot.pause()
        position = app.screen.query_one(Position)
        shown = "\n".join(position.render_line(y).text for y in range(position.size.height))
    assert SHUT.words in shown
