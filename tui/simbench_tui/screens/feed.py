"""The third screen: which packets came on which line, and what became of those that did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.channels import Channels
from simbench_tui.eventlog import EventLog
from simbench_tui.gaps import Gaps
from simbench_tui.lines import Lines
from simbench_tui.screen import BenchScreen, Row, bindings
from simbench_tui.skew import Skew

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class FeedScreen(BenchScreen):
    """Channels and lines above, the lives of the gaps, the log, how lines lag."""

    title_of = "feed"
    BINDINGS: ClassVar[list[BindingType]] = bindings("feed")

    def body(self) -> ComposeResult:
        """From the wire's side to what was lost."""
        glyphs = self.glyphs
        yield Lines(glyphs, id="lines")
        yield Gaps(glyphs, id="gaps")
        with Row(id="below"):
            yield Channels(glyphs, id="channels")
            yield EventLog(glyphs, id="log")
        yield Skew(glyphs, id="skew")
