"""The panes on one screen: which of them are seen, and where, is the style sheet's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from simbench_tui.constants import NARROW_BELOW, TALL_FROM, WIDE_FROM
from simbench_tui.counters import Counters
from simbench_tui.eventlog import EventLog
from simbench_tui.gaps import Gaps
from simbench_tui.history import History
from simbench_tui.keybar import KeyBar
from simbench_tui.keys import KEYS
from simbench_tui.ladder import Ladder
from simbench_tui.latency import Latency
from simbench_tui.lines import Lines
from simbench_tui.pane import Pane
from simbench_tui.position import Position
from simbench_tui.rates import Rates
from simbench_tui.trades import Trades

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.glyphs import Glyphs
    from simbench_tui.health import Verdict

VIEWS = ("overview", "book", "feed", "latency", "counters")


class Row(Horizontal):
    """Panes side by side; nothing of its own, which Textual paints in no time."""

    BLANK = True


class Stack(Vertical):
    """Panes one below the other; likewise."""

    BLANK = True


class BenchScreen(Screen[None]):
    """The panes.

    Args:
        glyphs: to draw with.
        steering: whether there is a replayer to drive.
    """

    BLANK = True
    AUTO_FOCUS: ClassVar[str | None] = ""  # no table has the arrow keys until it is given them
    BINDINGS: ClassVar[list[BindingType]] = [(key.keys, f"app.{key.action}", key.title) for key in KEYS]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  textual declares no class variable
        (0, "-narrow"),
        (NARROW_BELOW, "-normal"),
        (WIDE_FROM, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL_FROM, "-tall")]  # noqa: RUF012  likewise

    def __init__(self, glyphs: Glyphs, *, steering: bool) -> None:
        super().__init__(classes="-overview")
        self._glyphs = glyphs
        self._steering = steering

    def compose(self) -> ComposeResult:
        """Book at the left, feed and time at the right."""
        glyphs = self._glyphs
        yield Position(glyphs, id="position")
        with Row(id="body"):
            with Stack(id="market"):
                yield Ladder(glyphs, id="ladder")
                yield Trades(glyphs, id="trades")
            with Stack(id="bench"):
                with Stack(id="feed"):
                    yield Lines(glyphs, id="lines")
                    yield Gaps(glyphs, id="gaps")
                    yield EventLog(glyphs, id="log")
                with Stack(id="time"):
                    yield Latency(glyphs, id="latency")
                    with Row(id="flow"):
                        yield Rates(glyphs, id="rates")
                        yield History(glyphs, id="history")
                    yield Counters(glyphs, id="counters")
        yield KeyBar(steering=self._steering)

    def show(self, snapshot: Snapshot) -> None:
        """Hand a snapshot to every pane below the strip."""
        for pane in self.query("#body Pane").results(Pane):
            pane.show(snapshot)

    def tell(self, snapshot: Snapshot | None, verdict: Verdict, frozen_ns: int | None) -> None:
        """Tell the strip, which moves even while the view is frozen."""
        self.query_one(Position).state(snapshot, verdict, frozen_ns)

    def view(self, name: str) -> None:
        """Change which panes are seen."""
        for other in VIEWS:
            self.set_class(other == name, f"-{other}")
