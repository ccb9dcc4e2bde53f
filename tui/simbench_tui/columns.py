"""Columns of a table that has to fit: the important ones stay, one stretches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: of its head.
        width: cells; the least of them where it stretches.
        rank: 0 always stays; the higher, the earlier it goes where there is no room.
        right: figures stand at the right, words at the left.
        stretch: takes the cells that are left over, up to `most`.
        most: cells that a stretching column is widened to.
    """

    title: str
    width: int
    rank: int = 0
    right: bool = True
    stretch: bool = False
    most: int = 1000


def choose(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Which columns fit into `width` cells with a gap of one between them: (index, cells) in their order."""
    kept = sorted(range(len(columns)), key=lambda i: columns[i].rank)
    while len(kept) > 1 and _cells(columns, kept) > width:
        kept.pop()
    kept.sort()
    spare = width - _cells(columns, kept)
    chosen = []
    for i in kept:
        cells = columns[i].width
        if columns[i].stretch and spare:
            extra = max(min(spare, columns[i].most - cells), -cells + 1)
            cells, spare = cells + extra, spare - extra
        chosen.append((i, cells))
    return chosen


def _cells(columns: Sequence[Column], kept: list[int]) -> int:
    return sum(columns[i].width for i in kept) + len(kept) - 1
