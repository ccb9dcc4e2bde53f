"""The second screen: one book as deep as it fits, and others beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.ladder import Ladder
from simbench_tui.market import Market
from simbench_tui.queue import Queue
from simbench_tui.quotes import Touch
from simbench_tui.screen import BenchScreen, Row, Stack, bindings
from simbench_tui.trades import Trades

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class BookScreen(BenchScreen):
    """Ladder at the left; with room two more beside it; below, queue, trades, other instruments."""

    title_of = "book"
    BINDINGS: ClassVar[list[BindingType]] = bindings("book")

    def body(self) -> ComposeResult:
        """The shown instrument's, then the others'."""
        glyphs = self.glyphs
        with Row(id="columns"):
            yield Ladder(glyphs, id="ladder")
            yield Ladder(glyphs, which=1, id="second")
            yield Ladder(glyphs, which=2, id="third")
            with Stack(id="beside"):
                yield Touch(glyphs, id="touch")
                yield Queue(glyphs, id="queue")
                yield Trades(glyphs, id="trades")
        yield Market(glyphs, id="market")
