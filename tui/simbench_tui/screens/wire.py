"""The fifth screen: the wire, what it lost, the processors, the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simbench_tui.counters import Counters
from simbench_tui.drops import Drops
from simbench_tui.host import Host
from simbench_tui.processors import Processors
from simbench_tui.queues import Queues
from simbench_tui.screen import BenchScreen, Row, Stack, bindings
from simbench_tui.wire import Wire

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class WireScreen(BenchScreen):
    """Wire and losses at the left, processors and queues at the right; the host and all counters below."""

    title_of = "wire"
    BINDINGS: ClassVar[list[BindingType]] = bindings("wire")

    def body(self) -> ComposeResult:
        """What the machine does with the frames."""
        glyphs = self.glyphs
        with Row(id="columns"):
            with Stack(id="left"):
                yield Wire(glyphs, id="wire")
                yield Drops(glyphs, id="drops")
            with Stack(id="right"):
                yield Processors(glyphs, id="processors")
                yield Queues(glyphs, id="queues")
        yield Host(glyphs, id="host")
        yield Counters(glyphs, id="counters")
