"""When the faults of a script are, for those who draw a time line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.faults.choice import FOREVER, spans
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
[[fault]]
kind = "dark"
line = "A"
from = "+1s"
to = "+1.5s"
[[fault]]
kind = "drop"
probability = 0.1
[[fault]]
kind = "drop"
at = "+2s"
[[fault]]
kind = "skew"
line = "B"
delay = "1ms"
from = "+3s"
[[fault]]
kind = "duplicate"
to = "+1s"
"""


def test_faults_with_a_time_are_told(itch: Path) -> None:
    """From when to when; one that may strike at any time is none that could be drawn."""
    source = open_source(itch)
    second, start = 1_000_000_000, source.first_ns
    assert spans(SCRIPT, source.feed, start) == [
        ("dark A", start + second, start + second * 3 // 2),
        ("drop", start + 2 * second, start + 2 * second),
        ("skew B", start + 3 * second, FOREVER),
        ("duplicate", start, start + second),
    ]
