"""What is counted is documented: every name that a user can meet stands in docs/counters.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbench.book.layout import ANOMALIES
from simbench.capture.kinds import NAMES
from simbench.feed.sequencer import ANSWERS
from simbench.feed.sequencer import COUNTERS as LINE_COUNTERS
from simbench.measure.telemetry import COUNTER_NAMES, STAGES
from simbench.recovery.broadcast import COUNTERS as LOOP_COUNTERS
from simbench.recovery.rerequest import COUNTERS as SERVER_COUNTERS
from simbench.replay.rebuild import LEFT_OUT, UNSEEN
from simbench.wire.contract import DROPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "counters.md"


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("counters", COUNTER_NAMES),
        ("stages", tuple(name for name, _ in STAGES)),
        ("drops", tuple(DROPS)),
        ("anomalies", ANOMALIES),
        ("kinds of frames", tuple(NAMES.values())),
        ("counters of lines", tuple(LINE_COUNTERS)),
        ("counters of recovery", tuple(ANSWERS)),
        ("counters of servers", SERVER_COUNTERS),
        ("counters of snapshot feeds", LOOP_COUNTERS),
        ("frames left at home", tuple(LEFT_OUT)),
        ("frames unseen", tuple(UNSEEN)),
    ],
)
def test_every_name_is_explained(what: str, names: tuple[str, ...]) -> None:
    """Each of them stands on the page as code."""
    written = set(re.findall(r"`([^`\n]+)`", PAGE.read_text(encoding="utf-8")))
    assert len(names) > 0, what
    assert [name for name in names if name not in written] == []


def test_every_counter_has_a_row_of_its_own() -> None:
    """The table of telemetry names the counters in their order, and no others."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split("## Telemetry\n")[1].split("\n## ")[0]
    assert list(COUNTER_NAMES) == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
