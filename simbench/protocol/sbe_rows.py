"""Encodes SBE messages of many entries: a block is a numpy record, so that a group is filled by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.protocol.sbe import FORMATS, LITTLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simbench.protocol.sbe import Leaf, Schema

    Records = NDArray[Any]


class RowTemplate:
    """A template whose only group is filled by column.

    Args:
        schema: with the template.
        number: of a template with one group, neither of them with variable-length data.
        version: to write into the header.

    Attributes:
        number: of the template.
        head: bytes of a message without entries, its SBE header included.
        size: bytes of an entry.
        most: entries that one message can count.
    """

    def __init__(self, schema: Schema, number: int, version: int) -> None:
        template = schema.templates[number]
        (group,) = template.groups
        order = "<" if schema.byte_order == LITTLE else ">"
        self._header = _blank(schema.header, max(leaf.end for leaf in schema.header), order)
        self._header["blockLength"], self._header["templateId"] = template.block_length, number
        self._header["schemaId"], self._header["version"] = schema.number, version
        self._root = _blank(template.fields, template.block_length, order)
        self._count = _blank((group.block, group.number), group.head, order)
        self._count[group.block.name] = group.block_length
        self._number = group.number.name
        self._entry = _blank(group.fields, group.block_length, order)
        self.number: Final = number
        self.head: Final = self._header.itemsize + self._root.itemsize + self._count.itemsize
        self.size: Final = group.block_length
        self.most: Final = int(np.iinfo(self._count.dtype[self._number]).max)

    def rows(self, count: int) -> Records:
        """Return so many entries with every field null, or zero where it has no null: records by the schema's names."""
        return np.full(count, self._entry)

    def message(self, fields: Mapping[str, Any], rows: Records) -> bytes:
        """Return a message from its SBE header on.

        Args:
            fields: of the root block by name; what is left out or None is null, or zero where it has none.
            rows: as `rows` makes them, at most `most`.
        """
        root, count = self._root.copy(), self._count.copy()
        for name, value in fields.items():
            if value is not None:
                root[name] = value
        count[self._number] = len(rows)
        return self._header.tobytes() + root.tobytes() + count.tobytes() + rows.tobytes()


def _blank(leaves: Sequence[Leaf], length: int, order: str) -> Records:
    """Return a block without values: a record of no dimension, as long as the block."""
    there = [leaf for leaf in leaves if leaf.offset >= 0]
    kind = np.dtype(
        {
            "names": [leaf.name for leaf in there],
            "formats": [_format(leaf, order) for leaf in there],
            "offsets": [leaf.offset for leaf in there],
            "itemsize": length,
        }
    )
    blank = np.zeros((), kind)
    for leaf in there:
        if leaf.null is not None and leaf.primitive != "char":
            blank[leaf.name] = leaf.null
    return blank


def _format(leaf: Leaf, order: str) -> str:
    if leaf.primitive == "char":
        return f"S{leaf.length}"
    return (
        f"{order}{FORMATS[leaf.primitive]}" if leaf.length == 1 else f"({leaf.length},){order}{FORMATS[leaf.primitive]}"
    )
