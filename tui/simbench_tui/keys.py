"""Every key and what it does: the footer, the help, the command palette and the bindings all come from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """One action.

    Attributes:
        keys: as textual names them, separated by commas.
        action: name of the app's action, with its arguments.
        shown: the key as the footer and the help show it.
        label: a word or two for the footer; "" keeps it out of the footer.
        title: for the palette.
        meaning: a sentence for help and palette.
        steers: whether it needs a replayer.
    """

    keys: str
    action: str
    shown: str
    label: str
    title: str
    meaning: str
    steers: bool = False


KEYS: Final = (
    Key("space", "pause", "space", "pause", "Pause or go on", "Stop the replay where it is, or let it go on.", True),
    Key("full_stop,s", "step", ".", "step", "Step one datagram", "Send exactly the next datagram (also s).", True),
    Key("plus,equals_sign", "faster", "+", "faster", "Faster", "Raise the replay's speed by one notch.", True),
    Key("minus", "slower", "-", "slower", "Slower", "Lower the replay's speed by one notch.", True),
    Key("n,tab", "instrument(1)", "n", "next", "Next instrument", "Show the book of the next instrument (also tab)."),
    Key("slash", "find", "/", "find", "Find an instrument", "Search by symbol, id or channel."),
    Key(
        "f", "freeze", "f", "freeze", "Freeze the view", "Hold the view still while the replay goes on, or let it move."
    ),
    Key("question_mark", "help", "?", "help", "Help", "Explain the keys, every figure and its unit."),
    Key("q", "quit", "q", "quit", "Quit", "Leave the terminal as it was."),
    Key("l", "stage(1)", "l", "stage", "Next latency stage", "Draw the histogram of the next stage."),
    Key("1", "view('overview')", "1", "overview", "View: overview", "The essence of everything."),
    Key("2", "view('book')", "2", "book", "View: book", "The ladder and the trades alone."),
    Key("3", "view('feed')", "3", "feed", "View: feed", "Lines, gaps and the log alone."),
    Key("4", "view('latency')", "4", "latency", "View: latency", "Histogram, percentiles and rates alone."),
    Key("5", "view('counters')", "5", "counters", "View: counters", "Every named counter, rates and the log."),
    Key(
        "N,shift+tab", "instrument(-1)", "N", "previous", "Previous instrument", "Show the one before (also shift+tab)."
    ),
    Key("a", "follow", "a", "busiest", "Follow the busiest", "Show the busiest instrument, as at the start."),
    Key("r", "speed(1)", "r", "recorded", "Speed: as recorded", "Replay as fast as it was recorded.", True),
    Key("L", "stage(-1)", "L", "", "Previous latency stage", "Draw the histogram of the stage before."),
    Key("w", "pane", "w", "", "Next pane", "Give the arrow keys to the next table, to scroll it."),
    Key("t", "colours", "t", "", "Next theme", "Night, day, or clear for every colour vision."),
    Key("S", "picture", "S", "", "Save a picture", "Write what is seen to an SVG file in the working directory."),
)
