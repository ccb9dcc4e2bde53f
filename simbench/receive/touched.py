"""How many instruments each gap touched, as far as the protocol can tell.

Of a gap that was filled: the instruments of what filled it. Of a lost one: those whose own sequence shows that they
missed something, between an event before the gap and one behind it. Where instruments have no sequence of their own,
what was lost may have been of any, and nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.book import layout
from simbench.feed.layout import NIL, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.book.books import Books
    from simbench.feed.sequencer import Sequencer

LOST: Final = OUTCOMES[0]


def tell_touched(gaps: Sequence[dict[str, Any]], sequencer: Sequencer, books: Books, channel: int) -> None:
    """Complete the records of a channel's gaps: how many instruments they touched, None where nobody knows.

    Args:
        gaps: of the sequencer, in the shape of `book --json`; changed.
        sequencer: of the receiver.
        books: of the receiver.
        channel: its number.
    """
    memory = books.memory
    base, count = int(memory[layout.TOUCHES]), int(memory[layout.TOUCH_TOP])
    rows = memory[base : base + count * layout.TOUCH_WORDS].reshape(count, layout.TOUCH_WORDS)
    missed = rows[rows[:, 0] == channel]
    named: dict[int, set[int]] = {}
    for key, record in rows[rows[:, 0] == ~channel][:, 1:3].tolist():
        named.setdefault(record, set()).add(key)
    shown = memory[layout.UNTOLD_MISSED] == 0 and _shows(gaps, sequencer, books, channel)
    for gap, (first, last, messages, records) in zip(gaps, sequencer.gap_rows(channel), strict=True):
        if gap["outcome"] == LOST:
            if shown:
                gap["instruments"] = len(set(missed[(missed[:, 2] < first) & (missed[:, 3] > last), 1].tolist()))
        elif messages != NIL and memory[layout.UNTOLD_FILLED] == 0:
            gap["instruments"] = len(set().union(*(named.get(record, set()) for record in records)))


def _shows(gaps: Sequence[dict[str, Any]], sequencer: Sequencer, books: Books, channel: int) -> bool:
    """Tell whether instruments show what they missed, and sequences say where: in one stream that never restarted."""
    if not gaps or len(sequencer.epochs(channel)) != 1:
        return False
    mine = books.instruments[books.instruments["channel"] == channel]
    return bool((mine["confirmed"] > 0).any())
