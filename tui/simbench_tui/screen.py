"""What the screens have in common: the strip at the top, a body of panes, the footer with the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from simbench_tui.constants import NARROW_BELOW, TALL_FROM, WIDE_FROM
from simbench_tui.keybar import KeyBar
from simbench_tui.keys import keys_of
from simbench_tui.pane import Pane
from simbench_tui.position import Position

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.geometry import Region

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.glyphs import Glyphs
    from simbench_tui.health import Verdict
    from simbench_tui.look import Look


class Row(Horizontal):
    """Panes side by side; nothing of its own, which Textual paints in no time."""

    BLANK = True


class Stack(Vertical):
    """Panes one below the other; likewise."""

    BLANK = True


class Body(Vertical):
    """All of them; it asks for what changed to be painted."""

    BLANK = True


def bindings(screen: str) -> list[BindingType]:
    """The bindings of one screen."""
    return [(key.keys, f"app.{key.action}", key.title) for key in keys_of(screen)]


class BenchScreen(Screen[None]):
    """A screen of panes; which of them are seen at which size, and where, is its style sheet's business.

    Args:
        glyphs: to draw with.
        steering: whether there is a replayer to drive.
    """

    BLANK = True
    AUTO_FOCUS: ClassVar[str | None] = ""  # no table has the arrow keys until it is given them
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  textual declares no class variable
        (0, "-narrow"),
        (NARROW_BELOW, "-normal"),
        (WIDE_FROM, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL_FROM, "-tall")]  # noqa: RUF012  likewise
    title_of: ClassVar[str] = ""  # one of SCREENS

    def __init__(self, glyphs: Glyphs, *, steering: bool) -> None:
        super().__init__()
        self.glyphs = glyphs
        self._steering = steering
        self._panes: list[Pane] = []
        self._strips: list[Position] = []
        self._body = Body(id="body")

    def compose(self) -> ComposeResult:
        """Strip, body, footer."""
        yield Position(self.glyphs, id="position")
        with self._body:
            yield from self.body()
        yield KeyBar(self.title_of, steering=self._steering)

    def body(self) -> ComposeResult:
        """The panes below the strip."""
        raise NotImplementedError

    def show(self, snapshot: Snapshot, look: Look) -> None:
        """Hand a snapshot to every pane below the strip, and have what changed painted in one go.

        A pane that asks for itself costs three messages; so all ask as one, the body that holds them, unless one of
        them fills the screen in its place.
        """
        changed: list[Region] = []
        for pane in self._panes or self._find():
            regions = pane.show(snapshot, look)
            if not regions:
                continue
            if self.maximized is None:
                offset = pane.region.offset - self._body.region.offset
                changed += [region.translate(offset) for region in regions]
            else:
                pane.refresh(*regions)
        if changed:
            self._body.refresh(*changed)

    def tell(self, snapshot: Snapshot | None, look: Look, verdict: Verdict, frozen_ns: int | None) -> None:
        """Tell the strip, which moves even while the view is frozen."""
        for strip in self._strips or self._find_strips():
            strip.state(snapshot, look, verdict, frozen_ns)

    def _find(self) -> list[Pane]:
        """Look for the panes once: they stay what they are, and a search costs more than a pane that rests."""
        self._panes = list(self.query("#body Pane").results(Pane))
        return self._panes

    def _find_strips(self) -> list[Position]:
        """Likewise for the strip."""
        self._strips = list(self.query(Position).results(Position))
        return self._strips
