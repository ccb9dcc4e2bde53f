"""Messages filled by column are those that the slow encoder writes field by field."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simbench.protocol.cme_layout import shipped
from simbench.protocol.sbe_codec import encode_generic
from simbench.protocol.sbe_rows import RowTemplate

if TYPE_CHECKING:
    from simbench.protocol.sbe import Leaf


def drawn(leaf: Leaf, chance: random.Random) -> Any:
    """Return a value for a field, None for one in four: null, or zero where there is none."""
    if chance.random() < 0.25:
        return None
    if leaf.primitive == "char":
        return chance.choice("01EF")
    limits = np.iinfo(leaf.primitive)
    return chance.randint(int(limits.min), int(limits.max))


@pytest.mark.parametrize("number", [38, 44, 52, 53])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_messages_by_column_are_those_field_by_field(number: int, count: int) -> None:
    """Whatever the values and nulls, the bytes are the same; one changed entry is seen."""
    template = shipped().templates[number]
    (group,) = template.groups
    by_column = RowTemplate(shipped(), number, 8)
    chance = random.Random(number + count)
    fields = {leaf.name: drawn(leaf, chance) for leaf in template.fields}
    entries = [{leaf.name: drawn(leaf, chance) for leaf in group.fields} for _ in range(count)]
    rows = by_column.rows(count)
    for row, entry in zip(rows, entries, strict=True):
        for name, value in entry.items():
            if value is not None:
                row[name] = value
    wanted = encode_generic(shipped(), number, {**fields, group.name: entries}, 8)
    assert wanted == by_column.message(fields, rows)
    assert len(wanted) == by_column.head + count * by_column.size
    assert by_column.most == 255
    if count:
        rows["MDEntryPx"][0] ^= 1
        assert wanted != by_column.message(fields, rows)
