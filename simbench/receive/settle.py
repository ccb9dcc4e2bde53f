"""What lost gaps came to where books wait for snapshots, or refresh naturally: told by the instruments they touched.

The arbitration gives a gap up as lost, for no line brings it any more. Whether a book missed something by it shows
later, at the instrument's own sequence, and what makes the book right again is a snapshot at a place behind the gap. A
gap has ended by it when every instrument of the channel is known to be right beyond the gap: by a change that followed
its last one, or by a snapshot. What neither has confirmed yet keeps the gap lost. Books that wait by packet are told of
every gap, so one that is current is right beyond all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.book.layout import AWAITED, AWAITED_BY_PACKET, CURRENT, INT64_MAX, REFRESHED, REFRESHES
from simbench.feed.layout import NATURAL, OUTCOMES, SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.book.books import Books
    from simbench.receive.receiver import Restored


def settle(gaps: Sequence[dict[str, Any]], books: Books, channel: int, restored: Sequence[Restored]) -> None:
    """Complete the records of a channel's lost gaps: outcome, end, and how many instruments they touched.

    Args:
        gaps: in the shape of `book --json`; changed.
        books: of the receiver.
        channel: its number.
        restored: every book that a snapshot made right again, of all channels.
    """
    policy = books.channels[channel].snapshots
    if policy not in {AWAITED, REFRESHES, AWAITED_BY_PACKET}:
        return
    rows = books.instruments[books.instruments["channel"] == channel]
    right = np.isin(rows["state"], (CURRENT, REFRESHED))
    confirmed = np.where(right & (policy == AWAITED_BY_PACKET), INT64_MAX, rows["confirmed"])
    mine = [one for one in restored if one.channel == channel]
    for gap in gaps:
        if gap["outcome"] != OUTCOMES[0]:
            continue
        spanning = [one for one in mine if one.after < gap["first"] and one.until >= gap["last"]]
        unsure = ~right | (confirmed < gap["last"])
        waiting = ~right & (confirmed < gap["first"])
        gap["instruments"] = len({one.key for one in spanning} | set(rows["key"][waiting].tolist()))
        if not unsure.any():
            gap["outcome"] = OUTCOMES[NATURAL if policy == REFRESHES else SNAPSHOT]
            ends = [int(gap["closed_ns"]), *(one.at_ns for one in spanning)]
            gap["closed_ns"] = str(max(ends))
