"""A cursor on the ladder: which level comes next, down or up, also when the one it stood on is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simbench.measure.snapshot import BookView

Level = tuple[str, int]


def next_level(book: BookView, level: Level | None, by: int) -> Level | None:
    """Return the side and price so many levels further down the ladder; the nearest one where it is gone.

    Args:
        book: whose ladder it is.
        level: where the cursor is; None: down begins with the best bid, up with the best ask.
        by: levels; below 0 up.
    """
    asks = [("ask", level.price) for level in reversed(book.asks) if level.known]
    bids = [("bid", level.price) for level in book.bids if level.known]
    rungs = asks + bids
    if not rungs:
        return None
    if level in rungs:
        place = rungs.index(level) + by
    elif level is None:
        place = len(asks) if by > 0 else len(asks) - 1
    else:  # the first rung below where it was, or the last one above
        side, price = level
        own = range(len(asks)) if side == "ask" else range(len(asks), len(rungs))
        below = next((i for i in own if rungs[i][1] < price), own.stop)
        place = below if by > 0 else below - 1
    return rungs[min(max(place, 0), len(rungs) - 1)]
