"""Names and figures in as many columns as fit, down the first and then the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench_tui.format import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench_tui.glyphs import Glyphs
    from simbench_tui.pane import Cell, Row

Figure = tuple[str, str, str]
"""Name, figure as it is shown, and the name of its ink."""


def grid(
    figures: Sequence[Figure], width: int, height: int, glyphs: Glyphs, *, name: int = 24, figure: int = 13
) -> list[Row]:
    """As many figures as fit; how many do not, in the last row.

    Args:
        figures: to show.
        width: cells.
        height: rows.
        glyphs: to draw with.
        name: cells of a name.
        figure: cells of a figure, which is at their right.
    """
    across = max(1, (width + 2) // (name + figure + 3))
    down = max(1, min(height, -(-len(figures) // across)))
    hidden = len(figures) - across * down
    if hidden > 0 and down > 1:
        down -= 1
        hidden = len(figures) - across * down
    rows: list[Row] = []
    for y in range(down):
        cells: list[Cell] = []
        for title, text, ink in figures[y : across * down : down]:
            cells += [(fit(title, name, glyphs.ellipsis), "dim"), (f" {text:>{figure}}  ", ink)]
        rows.append(tuple(cells))
    if hidden > 0:
        rows.append(((f"and {hidden} more", "dim"),))
    return rows
