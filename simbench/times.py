"""Times and durations as users write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from simbench.errors import SimbenchError

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_ISO = re.compile(r"(?P<head>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?)(?P<fraction>\.\d{1,9})?(?P<zone>Z|[+-]\d\d:?\d\d)")


def duration_ns(text: str) -> int:
    """Return a duration in ns from text such as 100ms, 2.5s, 3us; a bare number is seconds.

    >>> duration_ns("2.5ms")
    2500000
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|ms|s|m|h)?", text.strip())
    if not found:
        raise SimbenchError(f"{text!r} is no duration; write 500us, 100ms, 2.5s or 1m")
    return int(Decimal(found[1]) * UNITS[found[2] or "s"])


def time_ns(text: str, first_ns: int) -> int:
    """Return a recorded time in ns since 1970: ISO with a zone, or +seconds from the first frame.

    >>> time_ns("1970-01-01T00:00:01.5Z", 0)
    1500000000
    >>> time_ns("+0.25", 1000)
    250001000
    """
    if text.startswith("+"):
        try:
            return first_ns + int(Decimal(text[1:]) * UNITS["s"])
        except InvalidOperation:
            return first_ns + duration_ns(text[1:])
    found = _ISO.fullmatch(text)
    moment = None if found is None else _moment(found["head"], found["zone"])
    if found is None or moment is None:
        raise SimbenchError(f"{text!r} is no time; write 2016-11-12T14:30:25.968Z, with a zone, or +12.5")
    whole = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * UNITS["s"]
    return whole + int(Decimal(found["fraction"] or 0) * UNITS["s"])


def _moment(head: str, zone: str) -> datetime | None:
    try:
        return datetime.fromisoformat(head + ("+00:00" if zone == "Z" else zone))
    except ValueError:
        return None


def iso(ns: int) -> str:
    """Return a recorded time as ISO text in UTC with nine digits.

    >>> iso(1500000000)
    '1970-01-01T00:00:01.500000000Z'
    """
    seconds, rest = divmod(ns, UNITS["s"])
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def span(ns: int) -> str:
    """Return a duration with a fitting unit.

    >>> span(1500), span(2_500_000_000)
    ('1.5 us', '2.5 s')
    """
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if abs(ns) >= size:
            return f"{ns / size:.4g} {unit}"
    return f"{ns} ns"
