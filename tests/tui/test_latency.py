"""The latency pane in little room: the stage that is drawn is always among those in figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from moments import moment
from simbench_tui.glyphs import UNICODE
from simbench_tui.latency import Latency
from simbench_tui.look import Look

from simbench.measure.telemetry import STAGES

SHOWN = moment()
STAGE = SHOWN.stages[0]
ALL = tuple(replace(STAGE, name=name, title=title) for name, title in STAGES)


def painted(chosen: str, height: int) -> list[str]:
    """Return the pane's rows as text."""
    pane = Latency(UNICODE)
    pane.look = Look(stage=chosen)
    rows = pane.paint(replace(SHOWN, stages=ALL), 90, height)
    return ["".join(text for text, _ in row) for row in rows]


@pytest.mark.parametrize("height", [3, 8, 11, 12, 13, 15, 16, 30])
@pytest.mark.parametrize("chosen", [0, 4, len(STAGES) - 1])
def test_drawn_stage_is_in_the_table(chosen: int, height: int) -> None:
    """However few rows there are, and they are never more than there is room for."""
    name, title = STAGES[chosen]

    rows = painted(name, height)

    assert len(rows) <= height
    assert [row for row in rows if title[:12] in row and UNICODE.chosen in row]


@pytest.mark.parametrize(("height", "stages", "drawn"), [(11, 10, False), (12, 7, True), (14, 9, True), (30, 12, True)])
def test_little_room_is_shared(height: int, stages: int, drawn: bool) -> None:
    """A histogram leaves room for seven stages at least; where it cannot, the table has the room."""
    rows = painted(STAGES[0][0], height)

    assert sum(any(title[:18] in row for _, title in STAGES) for row in rows) == stages
    assert any("p99" in row and "stage" not in row for row in rows) == drawn
