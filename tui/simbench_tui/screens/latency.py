"""The fourth screen: how long it takes, over the whole run, over the last minute, and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.budget import Budget
from simbench_tui.latency import Latency
from simbench_tui.overtime import OverTime
from simbench_tui.rates import Rates
from simbench_tui.screen import BenchScreen, Row, bindings
from simbench_tui.worst import Worst

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class LatencyScreen(BenchScreen):
    """Histogram and percentiles above, then time, then the budget and the worst frames."""

    title_of = "latency"
    BINDINGS: ClassVar[list[BindingType]] = bindings("latency")

    def body(self) -> ComposeResult:
        """One stage drawn, all in figures."""
        glyphs = self.glyphs
        yield Latency(glyphs, id="latency")
        yield OverTime(glyphs, id="overtime")
        with Row(id="below"):
            yield Budget(glyphs, id="budget")
            yield Worst(glyphs, id="worst")
            yield Rates(glyphs, id="rates")
