"""How figures look: SVG whose colours are the page's, drawn once for wide and once for narrow screens."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

# Stand-ins that matplotlib writes and the page's CSS gives a meaning, in light and in dark.
INK: Final = "#010101"
GRID: Final = "#020202"
SERIES: Final = tuple(f"#0300{number:02x}" for number in range(6))
VARIABLES: Final = {INK: "var(--ink)", GRID: "var(--grid)"} | {
    color: f"var(--s{number})" for number, color in enumerate(SERIES)
}
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKS: Final = ("o", "s", "^", "D", "v", "P")
HATCHES: Final = ("", "///", "...", "xx", "\\\\\\", "++")
RC: Final[dict[str, Any]] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "svg.hashsalt": "simbench",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": INK,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
}


@dataclass(frozen=True)
class Canvas:
    """What a figure is drawn on.

    Attributes:
        name: class of the SVG in the page.
        width: inches.
        font: points.
    """

    name: str
    width: float
    font: float

    @property
    def narrow(self) -> bool:
        """Whether there is room for little."""
        return self.name == "narrow"


CANVASES: Final = (Canvas("wide", 11.0, 10.5), Canvas("narrow", 4.6, 9.5))


def svg(draw: Callable[[Canvas], Figure], key: str, title: str, description: str) -> str:
    """Return a figure as SVG, for both widths, to stand in a page.

    Args:
        draw: makes it.
        key: makes its ids the page's only ones.
        title: of it, HTML.
        description: for those who do not see it, HTML.
    """
    from matplotlib import rc_context

    parts = []
    for canvas in CANVASES:
        look: Any = {**RC, "font.size": canvas.font}
        with rc_context(look):
            buffer = io.StringIO()
            draw(canvas).savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.05)
        parts.append(_embedded(buffer.getvalue(), f"{key}-{canvas.name}", canvas.name, title, description))
    return "\n".join(parts)


def _embedded(text: str, key: str, name: str, title: str, description: str) -> str:
    """Return an SVG without what a page has once, with ids of its own, and with the page's colours."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{key}-\1"', body)
    for stand_in, variable in VARIABLES.items():
        body = body.replace(stand_in, variable)
    box = re.search(r'viewBox="([^"]+)"', body)
    assert box is not None
    head = (
        f'<svg class="{name}" role="img" aria-labelledby="{key}-t {key}-d" viewBox="{box[1]}">'
        f'<title id="{key}-t">{title}</title><desc id="{key}-d">{description}</desc>'
    )
    return head + body[body.index(">") + 1 :]


def plain(text: str, most: int = 48) -> str:
    r"""Return a name that every font has: printable ASCII, not too long.

    >>> plain("caf\u00e9\n")
    'caf??'
    """
    kept = "".join(each if " " <= each <= "~" else "?" for each in text)
    return kept if len(kept) <= most else kept[: most - 3] + "..."
