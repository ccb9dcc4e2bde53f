"""Strips that a pane makes and keeps: Textual's without the caches that nobody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.strip import Strip

if TYPE_CHECKING:
    from rich.segment import Segment


class _Nothing:
    """A cache that holds nothing."""

    def get(self, _key: object, default: object = None) -> Any:
        """Return what is returned where there is nothing."""
        return default

    def __setitem__(self, _key: object, _value: object) -> None:
        """Keep nothing."""


_NOTHING: Any = _Nothing()


class RowStrip(Strip):
    """A row of a pane.

    A strip has seven caches of what was made of it. Making them costs more than the strip, and of a row that a pane
    keeps until it changes nothing is made but its text.

    Args:
        segments: of the row; taken as it is.
        cells: their width.
    """

    __slots__ = ()

    def __init__(self, segments: list[Segment], cells: int) -> None:
        self._segments = segments
        self._cell_length = cells
        self._divide_cache = _NOTHING
        self._crop_cache = _NOTHING
        self._style_cache = _NOTHING
        self._filter_cache = _NOTHING
        self._line_length_cache = _NOTHING
        self._crop_extend_cache = _NOTHING
        self._offsets_cache = _NOTHING
        self._render_cache = None
        self._link_ids = None
        self._cell_count = None
