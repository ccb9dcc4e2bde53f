"""Raise the offered rate step by step until something is lost or late, and say where it was lost first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from simbench.errors import SimbenchError
from simbench.session.repeats import Cell, Measured, merged, run_cell
from simbench.times import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from simbench.receive.offline import Source

    Run = Callable[[float], Sequence[Measured]]

# Where a frame can be lost, in the order of its way, by the counter of the wire that says so.
PLACES: Final = {
    "too_long": "replayer",
    "ring_full": "replayer",  # its own ring towards the wire had no room at the deadline
    "send_failed": "wire",
    "device_full": "wire",
    "link_dropped": "wire",
    "rx_dropped": "ring",
    "rx_ring_full": "ring",
    "fill_empty": "ring",
    "socket_overflow": "socket",
}
UNSEEN: Final = "wire"  # sent, not received and counted by nobody
CLOSE: Final = 0.98  # of the rate asked: less has not been offered
MOST_STEPS: Final = 64
STAGES: Final = ("due_send", "send_hook", "hook_app", "send_app", "app_book")  # one behind the other, or instead of two
STAGE: Final = "due_book"  # from the schedule, so that what waits for a late sender is late: no coordinated omission


@dataclass(frozen=True)
class Step:
    """What became of one offered rate.

    Attributes:
        asked: multiple of the recorded pace.
        offered: frames a second, asked.
        achieved: multiple of the recorded pace at which the schedule passed; the least of the repeats.
        sent: frames of all repeats.
        received: likewise.
        lost: likewise, by place, in the order of a frame's way; those with none are left out.
        latency: percentiles of due to book of all repeats; ns.
        bursts: multiples in the windows that are compressed besides, of the worst repeat; None without any.
        slowest: the stage whose p99 is the largest.
        busy: share of the time that the receiver's own work (T3 to T4) took, the largest of the repeats.
        hiccups: longest time that the receiving core was away; ns.
        missing: the first gap of the books: channel, first and last sequence, and when it was noticed; None without.
    """

    asked: float
    offered: float
    achieved: float
    sent: int
    received: int
    lost: dict[str, int]
    latency: dict[str, int]
    bursts: dict[str, float | int] | None
    slowest: str
    busy: float
    hiccups: int
    missing: dict[str, Any] | None

    def late(self, bound_ns: int) -> bool:
        """Whether p99 is beyond a bound."""
        return self.latency["p99"] > bound_ns

    def borne(self, bound_ns: int) -> bool:
        """Whether all of it was offered, nothing lost, and p99 within a bound."""
        return not self.lost and self.achieved >= CLOSE * self.asked and not self.late(bound_ns)


def parse(text: str) -> tuple[float, ...]:
    """Return the multiples of "1,2,5" or "1..64", which doubles.

    >>> parse("1..10")
    (1.0, 2.0, 4.0, 8.0, 10.0)

    Raises:
        SimbenchError: it is neither.
    """
    try:
        if ".." in text:
            low, high = (float(part) for part in text.split(".."))
            steps = [low] if low <= high else []
            while steps and 0 < steps[-1] < high and len(steps) <= MOST_STEPS:
                steps.append(min(2 * steps[-1], high))
        else:
            steps = sorted({float(part) for part in text.split(",")})
    except ValueError:
        steps = []
    if not steps or not all(0 < step < math.inf for step in steps) or len(steps) > MOST_STEPS:
        raise SimbenchError(f"{text!r} is no sweep; write 1,2,5,10 or 1..64, at most {MOST_STEPS} steps")
    return tuple(steps)


def running(source: Source, cell: Cell, repeats: int, **plan: Any) -> Run:
    """Return what runs one step: the capture so many times, at a multiple of its pace."""

    def run(asked: float) -> list[Measured]:
        here = replace(cell, speed=f"{asked:.6f}".rstrip("0").rstrip("."))
        return [run_cell(source, here, repeat=repeat, **plan) for repeat in range(repeats)]

    return run


def sweep(run: Run, steps: Sequence[float], *, bound_ns: int, refine: int) -> Iterator[Step]:
    """Yield the steps from the least on, up to the first that is not borne, then some between it and the last that is.

    Args:
        run: carries a step out.
        steps: multiples, ascending.
        bound_ns: of p99.
        refine: steps between, each in the middle (geometrically) of what is known.
    """
    good = bad = 0.0
    for asked in steps:
        step = measure(asked, run(asked))
        yield step
        if not step.borne(bound_ns):
            bad = asked
            break
        good = asked
    for _ in range(refine if good and bad else 0):
        middle = round(math.sqrt(good * bad), 3)
        if not good < middle < bad:
            return
        step = measure(middle, run(middle))
        yield step
        good, bad = (middle, bad) if step.borne(bound_ns) else (good, middle)


def knee(steps: Sequence[Step], bound_ns: int) -> Step | None:
    """Return the highest step below the first that was not borne; None where the lowest one was not."""
    found = None
    for step in sorted(steps, key=lambda step: step.asked):
        if not step.borne(bound_ns):
            break
        found = step
    return found


def measure(asked: float, runs: Sequence[Measured]) -> Step:
    """Reduce the repeats of a step to what became of it."""
    found = [run.found for run in runs]
    bursts = [one["bursts"] for one in found if one["bursts"]]
    histograms = merged(runs)
    tails = {name: histograms[name].summary()["p99"] for name in STAGES if histograms[name].count}
    return Step(
        asked=asked,
        offered=_offered(found[0], asked),
        achieved=min(one["speed"]["achieved"] for one in found),
        sent=sum(one["sent"] for one in found),
        received=sum(one["received"] for one in found),
        lost=lost(found),
        latency=histograms[STAGE].summary(),
        bursts=min(bursts, key=lambda one: float(one["sent"]), default=None),
        slowest=max(tails, key=lambda name: tails[name], default=""),
        busy=max(_busy(run) for run in runs),
        hiccups=max(one["hiccups"]["longest_ns"] for one in found),
        missing=next((first for one in found if (first := _first_gap(one)) is not None), None),
    )


def lost(found: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many frames were lost at which place, in the order of a frame's way."""
    counts = dict.fromkeys(("replayer", "wire", "ring", "socket"), 0)
    for one in found:
        named = 0
        for name, count in one["drops"].items():
            place = "ring" if one["wire"] == "ring" and name == "ring_full" else PLACES[name]
            counts[place] += count
            named += count if place != "replayer" else 0
        counts[UNSEEN] += max(0, one["sent"] - one["received"] - named)
    return {place: count for place, count in counts.items() if count}


def _offered(found: Mapping[str, Any], asked: float) -> float:
    tried = found["sent"] + found["drops"].get("ring_full", 0)
    replayed_ns = found["replayer"]["replayed_ns"]
    return float(tried * asked * UNITS["s"] / replayed_ns) if replayed_ns > 0 else 0.0


def _busy(run: Measured) -> float:
    active_ns = run.found["replayer"]["active_ns"]
    return min(1.0, run.histograms["app_book"].total / active_ns) if active_ns > 0 else 0.0


def _first_gap(found: Mapping[str, Any]) -> dict[str, Any] | None:
    gaps = [
        {"channel": channel["name"], "first": gap["first"], "last": gap["last"], "detected_ns": gap["detected_ns"]}
        for channel in found["book"]["channels"]
        for gap in channel["gaps"]
        if gap["outcome"] == "lost"
    ]
    return min(gaps, key=lambda gap: int(gap["detected_ns"]), default=None)
