"""A fault script at work in one pass over a capture: each fault takes what the one before it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.faults.cutting import Merging, Splitting
from simbench.faults.damage import Corrupting, Truncating
from simbench.faults.losing import Darkness, Dropping
from simbench.faults.renumber import Renumbering
from simbench.faults.stage import Setting, Stage
from simbench.faults.timing import Delaying, Duplicating, Reordering, Skewing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from simbench.faults.lines import Lines
    from simbench.faults.log import Log
    from simbench.faults.lot import Lot
    from simbench.faults.script import Script

STAGES: Final[dict[str, type[Stage]]] = {
    "drop": Dropping,
    "dark": Darkness,
    "duplicate": Duplicating,
    "reorder": Reordering,
    "delay": Delaying,
    "skew": Skewing,
    "corrupt": Corrupting,
    "truncate": Truncating,
    "split": Splitting,
    "merge": Merging,
    "restart": Renumbering,
    "session": Renumbering,
}


class Chain:
    """The faults of a script, in their order.

    Args:
        script: whose faults.
        lines: of the feed.
        start_ns: stamp of the capture's first frame.
        log: takes note of what is done; nobody does where None.
    """

    def __init__(self, script: Script, lines: Lines, start_ns: int, log: Log | None = None) -> None:
        self._stages = [
            STAGES[fault.kind](Setting(fault, number, script.seed, lines, start_ns, log))
            for number, fault in enumerate(script.faults, 1)
        ]

    def run(self, lots: Iterable[Lot]) -> Iterator[Lot]:
        """Yield what is sent of these frames, in its order."""
        for stage in self._stages:
            lots = _through(stage, lots)
        yield from lots

    def renumbered(self, fault: int, channel: int, stream: int) -> tuple[int, int, int]:
        """Return session, turn and sequence, as recorded, of the unit that a fault made number 1."""
        stage = self._stages[fault - 1]
        assert isinstance(stage, Renumbering)
        return stage.began[channel, stream]


def _through(stage: Stage, lots: Iterable[Lot]) -> Iterator[Lot]:
    for lot in lots:
        taken = stage.take(lot)
        if len(taken):
            yield taken
    rest = stage.end()
    if len(rest):
        yield rest
