"""What each change does by itself: bypass at equal waiting, waiting at equal stack, increments at equal both.

An effect is how many times as long the one takes as the other, of two runs of the same turn; its spread is that of the
turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from simbench.session.stacks import INCREMENTS, SHARES, SNAPSHOTS, STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.session.repeats import Cell
    from simbench.session.stacks import Row

BYPASS, WAITING, FEED = "bypass", "waiting", "feed"
CLAIM_NS: Final = (20_000, 1_100)  # of published comparisons, for the traditional and for the optimised end


@dataclass(frozen=True)
class Effect:
    """One change, everything else equal.

    Attributes:
        kind: of BYPASS, WAITING and FEED.
        slow: the row that is changed.
        fast: into this one.
    """

    kind: str
    slow: Row
    fast: Row

    def ratios(self, stage: str, share: float) -> list[float]:
        """Return in each turn that both ran: a percentile of the one divided by that of the other."""
        mine, theirs = (
            {run.measured.repeat: run.measured.histograms[stage].percentiles(share)[0] for run in row.runs}
            for row in (self.slow, self.fast)
        )
        return [mine[turn] / max(1, theirs[turn]) for turn in sorted(mine.keys() & theirs.keys())]

    def ratio(self, stage: str, share: float) -> dict[str, float]:
        """Return the median of the turns, and the lowest and the highest."""
        found = self.ratios(stage, share)
        return {"ratio": median(found), "lowest": min(found), "highest": max(found)}


def effects(rows: Sequence[Row]) -> list[Effect]:
    """Return every pair of rows between which one thing changes, and both ran."""
    ran = [row for row in rows if row.runs]
    return [
        Effect(kind, slow, fast)
        for kind in (BYPASS, WAITING, FEED)
        for slow in ran
        for fast in ran
        if _changes(kind, slow.cell, fast.cell)
    ]


def _changes(kind: str, slow: Cell, fast: Cell) -> bool:
    """Tell whether two cells differ in that alone, and the first is the traditional one."""
    stacks = (slow.stack, slow.mode) == (fast.stack, fast.mode)
    waits, feeds = slow.wait == fast.wait, slow.feed == fast.feed
    if kind == BYPASS:
        return (slow.stack, fast.stack) == ("udp", "xdp") and waits and feeds
    if kind == WAITING:
        return stacks and (slow.wait, fast.wait) == ("block", "spin") and feeds
    return stacks and waits and (slow.feed, fast.feed) == (SNAPSHOTS, INCREMENTS)


@dataclass(frozen=True)
class Ends:
    """The two ends that published comparisons set against each other, and the way from one to the other.

    Attributes:
        traditional: UDP sockets, blocking, full snapshots.
        optimised: AF_XDP, spinning, increments; the mode with the lower median where both ran.
        steps: one change at a time: the feed, then the waiting, then the bypass.
    """

    traditional: Row
    optimised: Row
    steps: tuple[Effect, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `stacks --json` has it."""
        return {
            "claimed_ns": list(CLAIM_NS),
            "traditional": self.traditional.cell.title,
            "optimised": self.optimised.cell.title,
            "found": {
                stage: {
                    name: [row.stage(stage).percentiles(share)[0] for row in (self.traditional, self.optimised)]
                    for name, share in SHARES.items()
                    if name != "p90"
                }
                for stage in STAGES
            },
            "lost": [sum(run.lost for run in row.runs) for row in (self.traditional, self.optimised)],
            "steps": [{"effect": step.kind, **step.ratio("hook_book", 50.0)} for step in self.steps],
        }


def ends(rows: Sequence[Row]) -> Ends | None:
    """Return the two ends and the way between them; None where one of the cells on it did not run."""
    found = {(row.cell.stack, row.cell.mode, row.cell.wait, row.cell.feed): row for row in rows if row.runs}
    way = [
        found.get(("udp", "generic", *rest))
        for rest in (("block", SNAPSHOTS), ("block", INCREMENTS), ("spin", INCREMENTS))
    ]
    fast = [found[key] for mode in ("generic", "native") if (key := ("xdp", mode, "spin", INCREMENTS)) in found]
    if None in way or not fast:
        return None
    best = min(fast, key=lambda row: row.stage("hook_book").percentiles(50)[0])
    path = [row for row in (*way, best) if row is not None]
    steps = tuple(Effect(kind, *pair) for kind, pair in zip((FEED, WAITING, BYPASS), pairwise(path), strict=True))
    return Ends(path[0], best, steps)
