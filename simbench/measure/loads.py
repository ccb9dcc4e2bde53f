"""What each queue of a receiver on several has done, as a reader sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.measure import telemetry as t
from simbench.measure.snapshot import LoadView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]


class Loads:
    """Looks at the queues.

    Args:
        words: the telemetry block.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._before: dict[int, int] = {}

    def look(self, seconds: float) -> tuple[LoadView, ...]:
        """Return every queue, by number; none where there is one receiver.

        Args:
            seconds: since the last look; 0 at the first.
        """
        count = int(self._words[t.QUEUES])
        rows = self._words[t.LOAD_BASE : t.LOAD_BASE + count * t.LOAD_WORDS].reshape(count, t.LOAD_WORDS).tolist()
        return tuple(self._view(number, row, seconds) for number, row in enumerate(rows))

    def _view(self, number: int, row: list[int], seconds: float) -> LoadView:
        frames = row[t.LOAD_FRAMES]
        moved = frames - self._before.get(number, 0)
        self._before[number] = frames
        return LoadView(
            number=number,
            frames=frames,
            rate=moved / seconds if seconds > 0 else 0.0,
            p50=row[t.LOAD_P50],
            p99=row[t.LOAD_P99],
            hiccups=row[t.LOAD_HICCUPS],
            drops=row[t.LOAD_DROPS],
        )
