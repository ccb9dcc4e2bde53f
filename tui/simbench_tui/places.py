"""Recorded times to jump to: as users write them, and those that are worth a look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError
from simbench.times import time_ns
from simbench_tui.format import SECOND

if TYPE_CHECKING:
    from simbench.measure.snapshot import RunInfo, Snapshot
    from simbench_tui.look import Look

DAY: Final = 86_400 * SECOND
_OF_DAY: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,9})?))?")
GAPS: Final = 50  # of the latest


@dataclass(frozen=True, slots=True)
class Place:
    """A recorded time, ns since 1970, and what is there."""

    recorded_ns: int
    what: str


def parse_place(text: str, run: RunInfo) -> int:
    """A recorded time from what a user wrote: `14:30:25.9` (UTC), `+12.5` seconds from the start, `40%`, or ISO.

    Raises:
        SimbenchError: it is none of these.
    """
    text = text.strip()
    if text.endswith("%"):
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            raise SimbenchError(f"{text!r} is no share of the capture; write 40%") from None
        return run.first_ns + round((run.last_ns - run.first_ns) * min(max(share, 0.0), 1.0))
    if text[:1].isdigit() and ":" in text and "-" not in text:
        return _of_day(text, run)
    try:
        return time_ns(text, run.first_ns)
    except SimbenchError:
        raise SimbenchError(f"{text!r} is no time; write 14:30:25.9, +12.5 or 40%") from None


def _of_day(text: str, run: RunInfo) -> int:
    """The first moment at or after the capture's beginning at which clocks showed this."""
    found = _OF_DAY.fullmatch(text)
    if found is None:
        raise SimbenchError(f"{text!r} is no time of day; write 14:30:25.9")
    hour, minute, second = (float(part or 0) for part in found.groups())
    within = round((hour * 3600 + minute * 60) * SECOND) + round(second * SECOND)
    at = run.first_ns // DAY * DAY + within
    return at if at >= run.first_ns - SECOND else at + DAY


def places(snapshot: Snapshot, look: Look) -> list[Place]:
    """Bookmarks, bursts and the latest gaps, in the order of their time."""
    run = snapshot.run
    found = [Place(run.first_ns, "the beginning")]
    found += [Place(mark.recorded_ns, f"bookmark: {mark.note}" if mark.note else "bookmark") for mark in look.bookmarks]
    if run.strip is not None:
        found += [Place(at, "burst") for at in run.strip.bursts if run.first_ns <= at <= run.last_ns]
    latest = sorted(snapshot.gaps, key=lambda gap: -gap.detected_ns)[:GAPS]
    found += [Place(gap.detected_ns, f"gap {gap.first}-{gap.last} of {gap.channel}, {gap.outcome}") for gap in latest]
    return sorted(found, key=lambda place: place.recorded_ns)
