"""What all live panes share: rows of cells made from a snapshot, of which only the changed ones are painted again.

A row is a tuple of cells, a cell a text and the names of its styles; a pane's first row is its title. Rows are compared
before they become strips, so that a moment in which nothing happened costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from simbench.measure.snapshot import Phase
from simbench_tui.format import fit
from simbench_tui.look import Look
from simbench_tui.strips import RowStrip

if TYPE_CHECKING:
    from textual.events import Blur, Focus, Hide, Resize, Show

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.glyphs import Glyphs

Cell = tuple[str, str]
Row = tuple[Cell, ...]


class Pane(Widget):
    """A pane that shows one side of a snapshot.

    A subclass has a `title`, and a `calm_ns` where figures that change faster than that could not be read.

    Args:
        glyphs: to draw with.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "pane--text",
        "pane--dim",
        "pane--rule",
        "pane--title",
        "pane--title-focus",
        "pane--strong",
        "pane--mid",
        "pane--accent",
        "pane--good",
        "pane--warn",
        "pane--bad",
        "pane--bid",
        "pane--ask",
        "pane--bid-bar",
        "pane--ask-bar",
        "pane--flash",
        "pane--badge-good",
        "pane--badge-warn",
        "pane--badge-bad",
        "pane--badge-dim",
        "pane--badge-accent",
    }
    title: ClassVar[str] = ""
    calm_ns: ClassVar[int] = 0

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(id=id)
        self.glyphs = glyphs
        self.snapshot: Snapshot | None = None
        self.look = Look()
        self._rows: list[Row] = []
        self._strips: dict[int, Strip] = {}
        self._inks: dict[str, Style] = {}
        self._shown = True
        self._painted_ns = 0

    def show(self, snapshot: Snapshot, look: Look) -> list[Region]:
        """Show this moment from now on; a calm pane of a running replay leaves some moments out.

        Returns:
            What has to be painted again of this pane, which is left to the caller.
        """
        asked = look.choices != self.look.choices or _whose(snapshot) != _whose(self.snapshot)
        self.snapshot, self.look = snapshot, look
        early = 0 <= snapshot.taken_ns - self._painted_ns < self.calm_ns
        if snapshot.phase is Phase.RUNNING and early and not asked:
            return []
        self._painted_ns = snapshot.taken_ns
        return self._renew()

    def caption(self, snapshot: Snapshot) -> str:
        """What stands at the left of the title: the pane's name."""
        del snapshot
        return self.title

    def heading(self, snapshot: Snapshot) -> str:
        """What stands at the right of the title: the pane's figure at a glance."""
        del snapshot
        return ""

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The rows below the title, at most `height`, each at most `width` cells."""
        raise NotImplementedError

    def update_rows(self) -> None:
        """Make the rows again and paint those that are not what they were."""
        changed = self._renew()
        if changed:
            self.refresh(*changed)

    def _renew(self) -> list[Region]:
        """Make the rows again; return where they are not what they were."""
        width, height = self.size
        if self.snapshot is None or not self._shown or width < 3 or not height:
            return []
        rows = self.make_rows(self.snapshot, width - 2, height)[:height]
        rows += [()] * (height - len(rows))
        before = self._rows
        self._rows = rows
        changed = [y for y, row in enumerate(rows) if y >= len(before) or row != before[y]]
        for y in changed:
            self._strips.pop(y, None)
        return [Region(0, y, width, 1) for y in changed]

    def make_rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """Title and content; a pane without a title draws over the whole."""
        rows = self.paint(snapshot, width, height - 1)
        # Last, since a heading tells what of the rows is in view.
        return [self._title_row(snapshot, width), *rows]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual: lines of a region; panes have no border or padding of Textual's, so each is one strip, kept."""
        width = self.size.width
        kept = self._strips
        missing = [y for y in crop.line_range if y not in kept]
        if missing:
            # Inks are true colours already: what remains is NO_COLOR and the like.
            filters = [it for it in self.get_line_filters() if not isinstance(it, ANSIToTruecolor)]
            ground = self.background_colors[1]
            for y in missing:
                strip = self._strip(y, width)
                for line_filter in filters:
                    strip = strip.apply_filter(line_filter, ground)
                kept[y] = strip
        strips = [kept[y] for y in crop.line_range]
        first, last = crop.column_span
        return strips if (first, last) == (0, width) else [strip.crop(first, last) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """Line API: one row as a strip, with a cell of air at both ends."""
        return self._strip(y, self.size.width)

    def ink(self, names: str) -> Style:
        """The style of one component class, or of two, ground and weight by the first: "dim", "flash bid"."""
        style = self._inks.get(names)
        if style is None:
            first, *more = (self.get_component_rich_style(f"pane--{name}") for name in names.split())
            style = first
            for other in more:
                style = other + Style(bold=first.bold or other.bold, bgcolor=first.bgcolor)
            self._inks[names] = style
        return style

    def notify_style_update(self) -> None:
        """Forget the inks of the former theme."""
        super().notify_style_update()
        self._inks.clear()
        self._strips.clear()

    def on_resize(self, _event: Resize) -> None:
        """Make the rows for the new size."""
        self._strips.clear()
        self.update_rows()

    def on_show(self, _event: Show) -> None:
        """Catch up with what happened while nobody looked."""
        self._shown = True
        self.update_rows()

    def on_hide(self, _event: Hide) -> None:
        """Rest while nobody looks."""
        self._shown = False

    def on_focus(self, _event: Focus) -> None:
        """Mark the title."""
        self.update_rows()

    def on_blur(self, _event: Blur) -> None:
        """Unmark the title."""
        self.update_rows()

    def centred(self, text: str, width: int, height: int) -> list[Row]:
        """One line of words in the middle, where there is nothing to show yet."""
        text = fit(text, min(len(text), width), self.glyphs.ellipsis)
        pad = " " * ((width - len(text)) // 2)
        return [()] * (max(height - 1, 0) // 2) + [((pad, "dim"), (text, "dim"))]

    def _title_row(self, snapshot: Snapshot, width: int) -> Row:
        rule = self.glyphs.rule
        heading = self.heading(snapshot)
        title = self.caption(snapshot)
        title = fit(title, min(cell_len(title), max(width - 6, 0)), self.glyphs.ellipsis)
        title_cells = cell_len(title)
        room = width - title_cells - 8
        # A figure cut short would be a lie: the last of them goes.
        separator = f" {self.glyphs.dot} "
        while heading and len(heading) > room:
            heading = heading.rpartition(separator)[0]
        middle = width - 4 - title_cells - (len(heading) + 4 if heading else 0)
        return (
            (rule * 2, "rule"),
            (f" {title} ", "title-focus" if self.has_focus else "title"),
            (rule * middle, "rule"),
            *(((f" {heading} ", "dim"), (rule * 2, "rule")) if heading else ()),
        )

    def _strip(self, y: int, width: int) -> Strip:
        base = self.ink("text")
        if y >= len(self._rows) or width < 3:
            return Strip.blank(width, base)
        inks, segments, room = self._inks, [Segment(" ", base)], width - 2
        for text, names in self._rows[y]:
            if text:
                segments.append(Segment(text, inks.get(names) or self.ink(names)))
                room -= len(text) if text.isascii() else cell_len(text)
        # A strip that is told its length does not measure its segments again.
        if room < 0:
            return Strip(segments, width - 1 - room).crop(0, width - 1).extend_cell_length(width, base)
        segments.append(Segment(" " * (room + 1), base))
        return RowStrip(segments, width)


def _whose(snapshot: Snapshot | None) -> int | None:
    """The instrument that is shown: another one is shown at once."""
    return snapshot.book.index if snapshot is not None and snapshot.book is not None else None
