"""The frames that took longest, as a reader sees them: read under their seqlock, and decoded for what they carried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.measure import telemetry as t
from simbench.measure.carried import Carried, carried
from simbench.measure.snapshot import WorstView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.names import Names

    Words = NDArray[np.int64]

ATTEMPTS: Final = 8  # at rows that are being written
UNKNOWN: Final = Carried(-1, 0, ())
ANSWER: Final = 255  # in place of a line's number


class Worst:
    """Looks at the frames that took longest.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called.
    """

    def __init__(self, words: Words, names: Names) -> None:
        self._words = words
        self._names = names
        self._version = -1
        self._views: tuple[WorstView, ...] = ()

    def look(self) -> tuple[WorstView, ...]:
        """Return the frames that took longest, the longest first; while one is written, those of before."""
        version = int(self._words[t.WORST_BASE + t.WORST_LOCK])
        if version != self._version and (rows := kept(self._words)) is not None:
            self._views = tuple(_view(row, self._names) for row in rows)
            self._version = version
        return self._views


def kept(words: Words) -> Words | None:
    """Return a copy of the filled rows, the longest first: int64[n, WORST_WORDS]; None while one is written."""
    start = t.WORST_BASE
    for _ in range(ATTEMPTS):
        before = int(words[start + t.WORST_LOCK])
        copy = words[start : start + t.WORST_HEAD + t.WORST_ROWS * t.WORST_WORDS].copy()
        if before % 2 == 0 and before == int(words[start + t.WORST_LOCK]):
            rows = copy[t.WORST_HEAD :].reshape(t.WORST_ROWS, t.WORST_WORDS)[: int(copy[t.WORST_KEPT])]
            ordered: Words = rows[(-rows[:, t.WORST_NS]).argsort(kind="stable")]
            return ordered
    return None


def told(words: Words, names: Names) -> list[dict[str, Any]]:
    """Return the frames that took longest, in the shape of `run --json`."""
    rows = kept(words)
    views = [] if rows is None else [_view(row, names) for row in rows]
    return [
        {
            "stage": view.stage,
            "ns": view.ns,
            "before_ns": view.before_ns,
            "handling_ns": view.handling_ns,
            "away_ns": view.away_ns,
            "recorded_ns": str(view.recorded_ns),
            "channel": view.channel,
            "line": view.line,
            "sequence": view.sequence,
            "bytes": view.size,
            "messages": view.messages,
            "kinds": dict(view.kinds),
        }
        for view in views
    ]


def _view(row: Words, names: Names) -> WorstView:
    channel, line, length = (int(row[word]) for word in (t.WORST_CHANNEL, t.WORST_LINE, t.WORST_LENGTH))
    payload = row[t.WORST_DATA :].tobytes()[:length]
    what = carried(*names.protocols[channel], payload) if channel < len(names.protocols) else UNKNOWN
    handling = int(row[t.WORST_DONE] - row[t.WORST_TAKEN])
    return WorstView(
        stage="hook_book" if row[t.WORST_HOOK] else "send_book",
        ns=int(row[t.WORST_NS]),
        before_ns=int(row[t.WORST_NS]) - handling,
        handling_ns=handling,
        away_ns=int(row[t.WORST_AWAY]),
        recorded_ns=int(row[t.WORST_RECORDED]),
        channel=names.channel(channel),
        line="answer" if line == ANSWER else names.line(channel, line)[1] if line >= 0 else "",
        sequence=what.sequence,
        size=length,
        messages=what.messages,
        kinds=what.kinds,
    )
