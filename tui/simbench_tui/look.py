"""What the user chose to see, frozen: handed to the panes beside each snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOUDNESS: Final = ("everything", "warnings and errors", "errors")
"""What the log shows, in the order in which a key goes through them."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A recorded time, ns since 1970, with a note."""

    recorded_ns: int
    note: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The touch of a book at one moment; None where a side has no known level.

    Attributes:
        spread: best ask less best bid, at the instrument's price exponent.
        imbalance: best bid's size less best ask's, of both together: -1 to 1.
    """

    spread: int | None
    imbalance: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """The user's choices, and what was noted for them.

    Attributes:
        stage: name of the latency stage that is drawn; "" the first.
        loudness: of LOUDNESS.
        pinned: indices of instruments that stay beside the shown one.
        bookmarks: in the order in which they were made.
        quotes: of the shown instrument, one a snapshot, oldest first.
        errand: what the terminal waits for, in words; "" nothing.
        level: side ("bid" or "ask") and price of the level whose queue is shown; None none.
        window: recorded times between which the replay is looped, ns; the second None until it is chosen.
    """

    stage: str = ""
    loudness: str = LOUDNESS[0]
    pinned: tuple[int, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    quotes: tuple[Quote, ...] = ()
    errand: str = ""
    window: tuple[int, int | None] | None = None
    level: tuple[str, int] | None = None

    @property
    def choices(self) -> tuple[object, ...]:
        """What only a key changes: a pane that rests between moments shows at once what was asked of it."""
        return self.stage, self.loudness, self.pinned, self.bookmarks, self.window, self.level
