"""The log of what was done: a record for each datagram that a fault has changed, or for a run of them.

Dark and skew take whole lines; of them a record tells of neighbouring datagrams of one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.faults.lot import NONE, carries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Items = NDArray[Any]
    Records = NDArray[Any]

RECORD: Final = np.dtype(
    [
        ("fault", "i8"),  # its number in the script, from 1
        ("ordinal", "i8"),  # of the datagram, with its part; of the first of a run
        ("channel", "i8"),
        ("line", "i8"),
        ("stream", "i8"),
        ("session", "i8"),
        ("turn", "i8"),
        ("first", "i8"),  # recorded sequence
        ("last", "i8"),  # below first where it carries no units
        ("datagrams", "i8"),
        ("recorded", "i8"),  # stamp in the capture
        ("due", "i8"),  # recorded time at which it is sent; NONE where it is not
        ("detail", "i8"),  # how many: copies, datagrams overtaking, bits, bytes, pieces, datagrams in one
    ],
    align=True,
)


class Log:
    """Collects records of one pass over a capture.

    Args:
        from_ns: recorded time; what is sent, or would be, before it is not logged, nor what is
        to_ns: of this time or later.
    """

    def __init__(self, from_ns: int, to_ns: int) -> None:
        self._window = from_ns, to_ns
        self._lots: list[Records] = [np.zeros(0, RECORD)]
        self._runs: dict[tuple[int, int, int], Any] = {}

    def note(self, fault: int, items: Items, due: NDArray[np.int64] | int, detail: Any = 0) -> None:
        """Log a fault that was done to each of some frames.

        Args:
            fault: its number.
            items: ITEM[n], as they reached it.
            due: when they are sent, NONE where they are not: int64[n] or one for all.
            detail: likewise.
        """
        records = self._records(fault, items, due, detail)
        self._lots.append(records)

    def note_runs(self, fault: int, items: Items, due: NDArray[np.int64] | int, chosen: NDArray[np.bool_]) -> None:
        """Log a fault of lines: neighbours of one line make one record.

        Args:
            fault: its number.
            items: ITEM[n], all of one line, as they reached it.
            due: when they are sent, int64[n], or NONE.
            chosen: bool[n]; a run ends with the first frame that is not chosen.
        """
        records = self._records(fault, items, due, 0, keep=True)
        inside = self._inside(items, np.broadcast_to(np.asarray(due, np.int64), len(items))) & chosen
        key = (fault, int(items["channel"][0]), int(items["line"][0]))
        open_run = self._runs.pop(key, None)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            bounds = _same(records[first:end])
            for a, b in zip([0, *bounds], [*bounds, end - first], strict=True):
                run = _one(records[first + a : first + b])
                if open_run is not None and first + a == 0 and _goes_on(open_run, run):
                    run = _one(np.concatenate([open_run, run]))
                elif open_run is not None:
                    self._lots.append(open_run)
                open_run = run
        if open_run is not None:
            if len(inside) and inside[-1]:
                self._runs[key] = open_run
            else:
                self._lots.append(open_run)

    def records(self) -> Records:
        """Return everything logged, RECORD[n], by fault and in the order in which it was done."""
        self._lots += self._runs.values()
        self._runs = {}
        done = np.concatenate(self._lots)
        self._lots = [done]
        return done[np.lexsort((done["ordinal"], done["recorded"], done["fault"]))]

    def _inside(self, items: Items, due: NDArray[np.int64]) -> NDArray[np.bool_]:
        when = np.where(due == NONE, items["when"], due)
        within: NDArray[np.bool_] = (when >= self._window[0]) & (when < self._window[1])
        return within

    def _records(
        self, fault: int, items: Items, due: NDArray[np.int64] | int, detail: Any, *, keep: bool = False
    ) -> Records:
        made = np.zeros(len(items), RECORD)
        for name in ("ordinal", "channel", "line", "stream", "session", "turn", "first", "last", "recorded"):
            made[name] = items[name]
        made["last"] = np.where(carries(items), items["last"], items["first"] - 1)
        made["fault"], made["due"], made["detail"], made["datagrams"] = fault, due, detail, 1
        return made if keep else made[self._inside(items, made["due"])]


def _same(records: Records) -> list[int]:
    """Return where a run has to be cut: another stream, session or turn."""
    changed = np.zeros(max(len(records) - 1, 0), np.bool_)
    for name in ("stream", "session", "turn"):
        changed |= np.diff(records[name]) != 0
    return (np.flatnonzero(changed) + 1).tolist()


def _goes_on(run: Records, more: Records) -> bool:
    return all(run[0][name] == more[0][name] for name in ("stream", "session", "turn"))


def _one(records: Records) -> Records:
    """Return one record for a run: the first one's, with all ranges and datagrams."""
    one = records[:1].copy()
    real = records[records["last"] >= records["first"]]
    if len(real):
        one["first"], one["last"] = real["first"].min(), real["last"].max()
    one["datagrams"] = records["datagrams"].sum()
    return one
