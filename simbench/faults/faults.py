"""A fault script, applied to what a loader is about to send.

The script is a function of the capture alone: the loader runs it once to foresee what it comes to, and again for every
pass over the capture, and each time the same frames come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.faults.chain import Chain
from simbench.faults.foresight import Foresight
from simbench.faults.lines import Lines, Reading
from simbench.faults.log import Log
from simbench.faults.outcome import outcome
from simbench.faults.script import parse
from simbench.replay.rows import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from simbench.faults.lot import Lot
    from simbench.feed.definition import Feed

    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]
    Pieces = Iterable[tuple[Records, Bytes]]
    Flows = Callable[[], Records]


class Faults:
    """A script for the channels of a feed.

    Args:
        text: of the script.
        feed: whose channels and lines it names.
        start_ns: stamp of the capture's first frame: what "+1.5s" counts from.
        only_line: the one line of every channel that the receiver listens to; all where None.
        window: recorded times from which and before which frames are sent: what is cut out of the faulted schedule.
    """

    def __init__(
        self, text: str, feed: Feed, start_ns: int, *, only_line: str | None = None, window: tuple[int, int]
    ) -> None:
        self._script = parse(text, feed)
        self._lines = Lines(feed, start_ns)
        self._start_ns = start_ns
        self._only_line = only_line
        self._window = window

    def applied(self, pieces: Pieces, flows: Flows) -> Iterator[tuple[Records, Bytes]]:
        """Yield what is sent, in its order, as rows and the bytes they point into; valid until the next.

        Args:
            pieces: ROW[n] and uint8[m] of the schedule, in its order.
            flows: returns the flow table as far as it is known.
        """
        chain = Chain(self._script, self._lines, self._start_ns)
        yield from self._rows(chain.run(self._lots(pieces, flows)))

    def foresee(self, pieces: Pieces, flows: Flows, take: Callable[[Records], None]) -> dict[str, Any]:
        """Go through a capture once; return what is done and what has to be noticed of it, in JSON types only.

        Args:
            pieces: as in applied().
            flows: likewise.
            take: is given the rows of what is sent.
        """
        log = Log(*self._window)
        chain = Chain(self._script, self._lines, self._start_ns, log)
        clean, faulted = (Foresight(self._lines, only_line=self._only_line) for _ in range(2))

        def read() -> Iterator[Lot]:
            for lot in self._lots(pieces, flows):
                clean.take(self._cut(lot))
                yield lot

        def looked(lots: Iterable[Lot]) -> Iterator[Lot]:
            for lot in lots:
                faulted.take(self._cut(lot))
                yield lot

        for rows, _ in self._rows(looked(chain.run(read()))):
            take(rows)
        return outcome(self._script, log.records(), chain, clean, faulted)

    def _lots(self, pieces: Pieces, flows: Flows) -> Iterator[Lot]:
        reading = Reading(self._lines)
        for rows, data in pieces:
            yield reading.lot(rows, data, flows())

    def _cut(self, lot: Lot) -> Lot:
        """Return the part of a lot that lies in the window."""
        when = lot.items["when"]
        first, last = self._window
        if not len(when) or (first <= when[0] and when[-1] < last):
            return lot
        return lot.only((when >= first) & (when < last))

    def _rows(self, lots: Iterable[Lot]) -> Iterator[tuple[Records, Bytes]]:
        for whole in lots:
            lot = self._cut(whole)
            if len(lot):
                items = lot.items
                rows = np.zeros(len(lot), ROW)
                rows["recorded"] = np.where(items["moved"], items["when"], items["recorded"])
                for name in ("ordinal", "source", "length", "flow"):
                    rows[name] = items[name]
                yield rows, lot.data
