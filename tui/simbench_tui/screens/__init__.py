"""The five screens, one a file, each with its style sheet beside it."""

from typing import TYPE_CHECKING, Final

from simbench_tui.screens.book import BookScreen
from simbench_tui.screens.feed import FeedScreen
from simbench_tui.screens.latency import LatencyScreen
from simbench_tui.screens.overview import OverviewScreen
from simbench_tui.screens.wire import WireScreen

if TYPE_CHECKING:
    from simbench_tui.screen import BenchScreen

BY_NAME: Final[dict[str, type["BenchScreen"]]] = {
    screen.title_of: screen for screen in (OverviewScreen, BookScreen, FeedScreen, LatencyScreen, WireScreen)
}
"""The screens by name, in the order of their keys."""

__all__ = ["BY_NAME", "BookScreen", "FeedScreen", "LatencyScreen", "OverviewScreen", "WireScreen"]
