"""The proof of timing: how well frames arrived when the capture says, beside what two replayers without a clock score.

lateness   |(T3 - T0) - median| of each frame: what is constant (the wire) is no error of timing.
gap_error  |gap as received - gap as scheduled| between neighbours whose scheduled gap is 5 us or more: below that
           a replayer that sends everything back to back would look good.
drift      slope of T3 over the schedule, Theil-Sen: the median of the slopes between pairs of frames half a piece
           apart, each a median of a few neighbours, so that neither stalls nor bursts bend it.
null       the same scores, computed, for "back to back" (every frame at the wire's cost per frame) and "constant rate"
           (evenly over the same span), on the same schedule.

A piece is a stretch in which due times move with the schedule: no pause, jump, change of speed within. Scores compare
frames within a piece only; frames of piece 0 (stepped, primed, unpaced) are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Times = NDArray[np.int64]

GAP_NS: Final = 5_000  # shortest scheduled gap that counts
CLOSE_NS: Final = 1_000  # "in time"
LATE_NS: Final = 10_000  # "late": ten times that
CUT_NS: Final = 1_000_000  # due and recorded gap part by more: the schedule was cut there
PAIRS: Final = 20_000  # most pairs whose slopes are taken
SMOOTH: Final = 9  # frames whose median is one point of the slope
FEW: Final = 32  # frames sent because they were already due, from which the cost per frame can be told


class Trace:
    """Keeps the stamps of a run in bounded memory.

    Frames come in runs of RUN neighbours. When the memory is full, every second run is given up and from then on only
    every second is kept, and so on: what is kept is spread evenly over the run, and neighbours stay neighbours.

    Args:
        limit: frames kept at most.
    """

    RUN: Final = 4096

    def __init__(self, limit: int = 1 << 20) -> None:
        self._runs = max(2, limit // self.RUN)
        self._kept: list[NDArray[np.int64]] = []
        self._open: list[NDArray[np.int64]] = []
        self._filled = 0
        self._number = 0
        self._stride = 1
        self.frames = 0

    def add(self, due: Times, seen: Times, recorded: Times, piece: Times | None = None) -> None:
        """Take the stamps of the next frames, in the order in which they were sent.

        Args:
            due: T0, ns.
            seen: T3, or T1 where there is no receiver, ns on the same clock.
            recorded: ns since 1970.
            piece: number of the piece of schedule; all one piece where None.
        """
        pieces = np.ones(len(due), np.int64) if piece is None else piece
        index = np.arange(self.frames, self.frames + len(due))
        rows = np.stack([due, seen, recorded, pieces, index], axis=1).astype(np.int64, copy=False)
        self.frames += len(due)
        while len(rows):
            room = self.RUN - self._filled
            self._open.append(rows[:room])
            self._filled += len(rows[:room])
            rows = rows[room:]
            if self._filled == self.RUN:
                self._close()

    def _close(self) -> None:
        if self._number % self._stride == 0:
            self._kept.append(np.concatenate(self._open))
            if len(self._kept) > self._runs:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._number += 1
        self._open = []
        self._filled = 0

    def rows(self) -> NDArray[np.int64]:
        """Return what was kept: int64[n, 5] of due, seen, recorded, piece, position."""
        return np.concatenate([*self._kept, *self._open, np.zeros((0, 5), np.int64)])

    def prove(self, **options: Any) -> dict[str, Any]:
        """Score what was kept, with the options of the function of this name."""
        due, seen, recorded, piece, index = self.rows().T
        return prove(due, seen, recorded, piece=piece, index=index, **options)


def prove(
    due: Times,
    seen: Times,
    recorded: Times,
    *,
    piece: Times | None = None,
    index: Times | None = None,
    speed: float = 1.0,
    achieved: float | None = None,
    cost_ns: float | None = None,
    max_idle_ns: int = 0,
) -> dict[str, Any]:
    """Score a run's timing and that of the null replayers; JSON types only.

    The schedule is taken from the recorded stamps and the asked speed wherever they tell it (a replayer that computes
    its due times wrongly must not be able to prove itself right); due times only say where it was cut.

    Args:
        due: T0 of each frame in the order sent, ns; 0 for frames without.
        seen: T3, or T1 where there is no receiver.
        recorded: ns since 1970.
        piece: see the module; all one piece where None.
        index: position in the run; frames are neighbours where it moves by one. All neighbours where None.
        speed: asked, as a factor; 0.0 for max and flood, whose frames are not scored.
        achieved: schedule time over clock time as the replayer counted it; computed from the stamps where None.
        cost_ns: the wire's cost per frame; told from the stamps where None.
        max_idle_ns: gaps were capped at, at speed 1; 0 not.
    """
    due, seen, recorded = (np.asarray(values, np.int64) for values in (due, seen, recorded))
    pieces = np.ones(len(due), np.int64) if piece is None else np.asarray(piece, np.int64)
    places = np.arange(len(due)) if index is None else np.asarray(index, np.int64)
    use = (pieces > 0) & (due > 0) & (seen > 0)
    if speed <= 0 or np.count_nonzero(use) < 2:
        return _nothing(speed, achieved)
    due, seen, recorded, pieces, places = due[use], seen[use], recorded[use], pieces[use], places[use]
    joined = (np.diff(pieces) == 0) & (np.diff(places) == 1)
    wanted = asked(due, recorded, joined, speed, max_idle_ns)
    cost = frame_cost(due, seen) if cost_ns is None else cost_ns
    result = score(wanted, due, seen, pieces, joined)
    if achieved is None:
        achieved = _achieved(wanted, seen, pieces, speed)
    result["achieved"] = {"asked": speed, "achieved": achieved}
    result["cost_ns"] = cost
    back_to_back = seen[0] + np.round((places - places[0]) * max(cost, 0.0)).astype(np.int64)
    span = int(wanted[-1] - wanted[0])
    even = seen[0] + np.round((places - places[0]) * (span / max(1, int(places[-1] - places[0])))).astype(np.int64)
    result["null"] = {
        "back_to_back": score(wanted, wanted, back_to_back, pieces, joined),
        "constant_rate": score(wanted, wanted, even, pieces, joined),
    }
    best = max(null["within_1us"] for null in result["null"].values())
    result["above_null"] = result["within_1us"] - best
    return result


def proof(stamps: NDArray[np.int64], *, speed: float = 1.0, max_idle_ns: int = 0) -> dict[str, Any]:
    """Score stamps that do not say where the schedule was cut: a piece ends where due and recorded gaps part.

    They part where idle time was skipped, the replay paused or its speed changed, by more than CUT_NS; less is an
    error of the replayer's and is scored as such. `cuts` counts them.

    Args:
        stamps: int64[n, 4] of recorded (ns since 1970), T0, T1 and T3 (CLOCK_MONOTONIC; 0: T1 is taken).
        speed: asked, as a factor; 0.0 for max and flood.
        max_idle_ns: gaps were capped at, at speed 1; 0 not, or not known.
    """
    recorded, due, sent, seen = np.asarray(stamps, np.int64).T
    if speed <= 0 or len(due) == 0:
        return {**prove(due, due, recorded, speed=0.0), "cuts": 0}
    everywhere = np.ones(max(0, len(due) - 1), np.bool_)
    parted = np.abs(np.diff(due) - np.diff(asked(due, recorded, everywhere, speed, max_idle_ns))) > CUT_NS
    piece = 1 + np.concatenate([[0], np.cumsum(parted)])
    result = prove(due, np.where(seen > 0, seen, sent), recorded, piece=piece, speed=speed, max_idle_ns=max_idle_ns)
    return {**result, "cuts": int(np.count_nonzero(parted))}


def asked(due: Times, recorded: Times, joined: NDArray[np.bool_], speed: float, max_idle_ns: int) -> Times:
    """Return when each frame should have been sent, from the recorded gaps; the due time's gap where they cannot tell.

    Args:
        due: T0, ns.
        recorded: ns since 1970.
        joined: bool[n - 1], whether a frame and the next are neighbours of one piece.
        speed: asked.
        max_idle_ns: at speed 1; 0 none.
    """
    gaps = np.maximum(np.diff(np.maximum.accumulate(recorded)), 0)
    if max_idle_ns > 0:
        gaps = np.minimum(gaps, max_idle_ns)
    gaps = np.where(joined, np.round(gaps / speed).astype(np.int64), np.diff(due))
    return np.concatenate([due[:1], due[0] + np.cumsum(gaps)])


def score(wanted: Times, due: Times, seen: Times, pieces: Times, joined: NDArray[np.bool_]) -> dict[str, Any]:
    """Score stamps against a schedule.

    Args:
        wanted: when each frame should have been sent, by the recorded stamps.
        due: T0 as the replayer says.
        seen: T3.
        pieces: piece of each frame.
        joined: bool[n - 1], whether a frame and the next are neighbours of one piece.
    """
    late = seen - due
    late -= np.int64(np.median(late))
    error = np.abs(late)
    scheduled = np.diff(wanted)
    counted = joined & (scheduled >= GAP_NS)
    gaps = np.abs(np.diff(seen) - scheduled)[counted]
    return {
        "frames": len(seen),
        "lateness": _percentiles(error),
        "within_1us": float(np.mean(error <= CLOSE_NS)),
        "late_frames": int(np.count_nonzero(late > LATE_NS)),
        "gap_error": _percentiles(gaps),
        "drift_ppm": drift(wanted, seen, pieces),
    }


def drift(wanted: Times, seen: Times, pieces: Times) -> float | None:
    """Return by how much time passed slower than asked, in parts per million; None where too few frames tell.

    The schedule's error is what is fitted, not the time itself, so that nanoseconds are not lost in the size of the
    numbers. Pieces contribute pairs by their length.
    """
    slopes: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    bounds = np.flatnonzero(np.diff(pieces)) + 1
    for first, last in zip([0, *bounds.tolist()], [*bounds.tolist(), len(seen)], strict=True):
        group = SMOOTH if last - first >= 4 * SMOOTH else 1
        count = (last - first) // group
        if count < 2:
            continue
        end = first + count * group
        x = (wanted[first:end] - wanted[first]).reshape(count, group)
        y = (seen[first:end] - wanted[first:end] - (seen[first] - wanted[first])).reshape(count, group)
        places, errors = np.median(x, axis=1), np.median(y, axis=1)
        half = count // 2
        step = max(1, half // PAIRS)
        low = np.arange(0, count - half, step)
        distance = places[low + half] - places[low]
        good = distance > 0
        slopes.append((errors[low + half] - errors[low])[good] / distance[good])
        weights.append(distance[good])
    if not slopes or not sum(len(part) for part in slopes):
        return None
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    order = np.argsort(slope)
    reached = np.cumsum(weight[order])
    return float(slope[order][int(np.searchsorted(reached, reached[-1] / 2))] * 1e6)


def frame_cost(due: Times, seen: Times) -> float:
    """Return the wire's cost per frame in ns: the mean gap before frames that were due before the last one came.

    A mean, since frames that are polled together share a stamp; of the shorter 95 %, since a stall of the host is not
    the wire's. Where too few frames waited, the first percentile of all gaps: no wire is slower than it has shown.
    """
    gaps = np.diff(seen)
    waiting = np.sort(gaps[(due[1:] <= seen[:-1]) & (gaps >= 0)])
    if len(waiting) >= FEW:
        return float(np.mean(waiting[: len(waiting) - len(waiting) // 20]))
    return float(np.percentile(gaps, 1))


def table(proof: Mapping[str, Any]) -> str:
    """Return the proof as a small text table; times in microseconds."""
    rows = [("this run", proof), *((name.replace("_", " "), null) for name, null in proof["null"].items())]
    cells = [["us", "lateness p50", "p90", "p99", "max", "within 1 us", "gap error p50", "p99", "drift ppm"]]
    for name, entry in rows:
        late, gap, ppm = entry["lateness"], entry["gap_error"], entry["drift_ppm"]
        times = [f"{value / 1e3:,.2f}" for value in (late["p50"], late["p90"], late["p99"], late["max"])]
        gaps = [f"{value / 1e3:,.2f}" for value in (gap["p50"], gap["p99"])]
        drifted = "-" if ppm is None else f"{ppm:,.2f}"
        cells.append([name, *times, f"{entry['within_1us']:.1%}", *gaps, drifted])
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        row[0].ljust(widths[0]) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in cells
    ]
    speeds = proof["achieved"]
    lines.append(
        f"speed asked {speeds['asked']:g}, achieved {speeds['achieved']:.6g}; {proof['late_frames']:,} of "
        f"{proof['frames']:,} frames more than 10 us late; a frame costs this wire {proof['cost_ns'] / 1e3:.2f} us"
    )
    return "\n".join(lines)


def _achieved(wanted: Times, seen: Times, pieces: Times, speed: float) -> float:
    """Return the speed at which the pieces passed, first frame to last."""
    bounds = np.flatnonzero(np.diff(pieces)) + 1
    firsts = np.concatenate([[0], bounds])
    lasts = np.concatenate([bounds - 1, [len(seen) - 1]])
    passed = int(np.sum(seen[lasts] - seen[firsts]))
    return float(speed * int(np.sum(wanted[lasts] - wanted[firsts])) / passed) if passed > 0 else 0.0


def _percentiles(values: Times) -> dict[str, int]:
    if len(values) == 0:
        return {"n": 0, "p50": 0, "p90": 0, "p99": 0, "max": 0}
    p50, p90, p99 = np.percentile(values, [50, 90, 99], method="inverted_cdf")
    return {"n": len(values), "p50": int(p50), "p90": int(p90), "p99": int(p99), "max": int(values.max())}


def _nothing(speed: float, achieved: float | None) -> dict[str, Any]:
    none = {
        "frames": 0,
        "lateness": _percentiles(np.zeros(0, np.int64)),
        "within_1us": 0.0,
        "late_frames": 0,
        "gap_error": _percentiles(np.zeros(0, np.int64)),
        "drift_ppm": None,
    }
    return {
        **none,
        "achieved": {"asked": speed, "achieved": achieved or 0.0},
        "cost_ns": 0.0,
        "null": {"back_to_back": dict(none), "constant_rate": dict(none)},
        "above_null": 0.0,
    }
