"""Every key and what it does: the footers, the help, the command palette and the bindings all come from this table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SCREENS: Final = ("overview", "book", "feed", "latency", "wire")
"""The screens by name, in the order of their keys."""


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
        screens: on which it is bound; none: on all.
    """

    keys: str
    action: str
    shown: str
    label: str
    title: str
    meaning: str
    steers: bool = False
    screens: tuple[str, ...] = ()


# What stands elsewhere in the footer of the screen that it is for.
NEXT: Final = Key(
    "n,tab",
    "instrument(1)",
    "n",
    "next",
    "Next instrument",
    "Show the book of the next instrument (also tab).",
)
STAGE: Final = Key(
    "l",
    "stage(1)",
    "l",
    "stage",
    "Next latency stage",
    "Draw the histogram of the next stage.",
)

KEYS: Final = (
    Key("question_mark", "help", "?", "help", "Help", "Explain the keys, every figure and its unit."),
    Key("q", "quit", "q", "quit", "Quit", "Leave the terminal as it was."),
    Key("space", "pause", "space", "pause", "Pause or go on", "Stop the replay where it is, or let it go on.", True),
    Key("full_stop,s", "step", ".", "step", "Step one datagram", "Send exactly the next datagram (also s).", True),
    replace(NEXT, screens=("book",)),
    Key(
        "p",
        "pin",
        "p",
        "pin",
        "Pin the instrument",
        "Keep the shown instrument side by side with the next ones, or no longer.",
        screens=("book",),
    ),
    Key(
        "down",
        "level(1)",
        "down",
        "level",
        "Queue of the level below",
        "Show the queue of orders at the best bid, then one level down the ladder; up goes up.",
        screens=("book",),
    ),
    Key(
        "up",
        "level(-1)",
        "up",
        "",
        "Queue of the level above",
        "Show the queue of orders at the best ask, then one level up the ladder.",
        screens=("book",),
    ),
    Key("escape", "level(0)", "esc", "", "Leave the level", "Show no queue of orders any more.", screens=("book",)),
    Key(
        "v",
        "loudness",
        "v",
        "filter log",
        "Filter the log",
        "Show everything in the log, warnings and errors, or errors alone.",
        screens=("feed",),
    ),
    replace(STAGE, screens=("latency",)),
    Key("plus,equals_sign", "faster", "+", "faster", "Faster", "Raise the replay's speed by one notch.", True),
    Key("minus", "slower", "-", "slower", "Slower", "Lower the replay's speed by one notch.", True),
    Key(
        "g",
        "errand('gap')",
        "g",
        "to gap",
        "Go on to the next gap",
        "Let it go on, and stop where the next gap opens or is given up.",
        True,
    ),
    Key("b", "errand('burst')", "b", "burst", "Go on to the next burst", "Let it go on, and pause before it.", True),
    Key("j", "jump", "j", "jump", "Jump to a time", "Go on at a recorded time, a bookmark, a burst or a gap.", True),
    replace(NEXT, screens=("overview", "feed", "latency", "wire")),
    Key("slash", "find", "/", "find", "Find an instrument", "Search by symbol, id or channel."),
    Key(
        "f", "freeze", "f", "freeze", "Freeze the view", "Hold the view still while the replay goes on, or let it move."
    ),
    Key("m", "bookmark", "m", "mark", "Bookmark", "Remember this recorded time, with a note."),
    Key("r", "speed(1)", "r", "recorded", "Speed: as recorded", "Replay as fast as it was recorded.", True),
    Key("x", "speed('max')", "x", "max", "Speed: maximum", "Replay as fast as the receiver takes it.", True),
    Key("a", "follow", "a", "busiest", "Follow the busiest", "Show the busiest instrument, as at the start."),
    Key(
        "u",
        "errand('change')",
        "u",
        "to change",
        "Go on to the next change",
        "Let it go on, and stop behind the message that changes the shown instrument.",
        True,
    ),
    Key(
        "o",
        "window",
        "o",
        "loop",
        "Loop a window",
        "Set where a window begins, then where it ends, then leave it: between these the replay is repeated.",
        True,
    ),
    Key(
        "comma",
        "step_message",
        ",",
        "message",
        "Step one message",
        "Let exactly the next message through to the books, and hold the rest.",
        True,
    ),
    Key("A", "darken(0)", "A", "dark 1st", "Darken the first line", "Send nothing of line A, or send it again.", True),
    Key("B", "darken(1)", "B", "dark 2nd", "Darken the second line", "Send nothing of line B, or send it again.", True),
    Key(
        "F",
        "faults",
        "F",
        "faults",
        "Switch faults on and off",
        "Darken, lose, corrupt or delay what is sent of a line, for a time or until it is switched off.",
        True,
    ),
    Key("0", "faults_off", "0", "no faults", "Switch all faults off", "Send everything as it was recorded.", True),
    Key("w", "pane", "w", "pane", "Next pane", "Give the arrow keys to the next table, or to the capture's line."),
    Key(
        "S", "picture", "S", "picture", "Save a picture", "Write what is seen to an SVG file in the working directory."
    ),
    Key("J", "save", "J", "JSON", "Save as JSON", "Write the snapshot and the bookmarks to a JSON file there."),
    Key(
        "G",
        "golden",
        "G",
        "golden",
        "Save as a golden capture",
        "Write the capture up to here, or the looped window, with its expectation to a new folder.",
    ),
    Key("t", "colours", "t", "theme", "Next theme", "Night, day, or clear for every colour vision."),
    Key(
        "N,shift+tab", "instrument(-1)", "N", "previous", "Previous instrument", "Show the one before (also shift+tab)."
    ),
    replace(STAGE, screens=("overview", "book", "feed", "wire")),
    Key("L", "stage(-1)", "L", "", "Previous latency stage", "Draw the histogram of the stage before."),
    Key("1", "view('overview')", "1", "", "Screen: overview", "The essence of everything."),
    Key("2", "view('book')", "2", "", "Screen: book", "The ladder, other instruments beside it, spread and trades."),
    Key("3", "view('feed')", "3", "", "Screen: feed", "Channels, lines, the life of every gap, and the log."),
    Key("4", "view('latency')", "4", "", "Screen: latency", "Histogram, the last minute, and the budget of a frame."),
    Key("5", "view('wire')", "5", "", "Screen: wire and host", "Sender, wire, drops, processors, host and counters."),
)


def keys_of(screen: str) -> list[Key]:
    """The keys of one screen, in the order of its footer."""
    return [key for key in KEYS if not key.screens or screen in key.screens]


def actions() -> list[Key]:
    """Every action once."""
    return list({key.action: key for key in reversed(KEYS)}.values())[::-1]
