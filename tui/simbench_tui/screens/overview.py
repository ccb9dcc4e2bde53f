"""The first screen: the essence of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.counters import Counters
from simbench_tui.eventlog import EventLog
from simbench_tui.gaps import Gaps
from simbench_tui.history import History
from simbench_tui.ladder import Ladder
from simbench_tui.latency import Latency
from simbench_tui.lines import Lines
from simbench_tui.rates import Rates
from simbench_tui.screen import BenchScreen, Row, Stack, bindings
from simbench_tui.timeline import Timeline
from simbench_tui.trades import Trades

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class OverviewScreen(BenchScreen):
    """The capture's line; book at the left, feed and time at the right."""

    title_of = "overview"
    BINDINGS: ClassVar[list[BindingType]] = bindings("overview")

    def body(self) -> ComposeResult:
        """All that is most asked for."""
        glyphs = self.glyphs
        yield Timeline(glyphs, id="timeline")
        with Row(id="columns"):
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
