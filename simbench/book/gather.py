"""Kernels that gather the books of many instruments into tables, for digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book.ladder import count_levels, fill_levels
from simbench.book.layout import (
    BEHIND,
    ID,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    KNOWN,
    LAST,
    NODE_CHILD,
    NODE_SIZE,
    NODE_WORDS,
    NODE_WORSE,
    NODES,
    ORDERS,
    PRICE_EXPONENT,
    QUANTITY,
    QUANTITY_EXPONENT,
    SIDE_WORDS,
    SIDES,
)
from simbench.book.levels import address
from simbench.kernel.pure import direct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.kernel.pure import Words


@direct
def sizes(memory: Words, chosen: Words, out: NDArray[np.int64]) -> None:
    """Count the levels and the orders of instruments, given by index, into out: int64[n, 2]."""
    for row in range(len(chosen)):
        at = memory[INSTRUMENTS] + chosen[row] * INSTRUMENT_WORDS
        for side in range(4):
            out[row, 0] += count_levels(memory, at, side)
            leaf = memory[at + SIDES + side * SIDE_WORDS + LAST]
            while leaf >= 0:
                node = memory[NODES] + leaf * NODE_WORDS
                for position in range(memory[node + NODE_SIZE]):
                    record = memory[node + NODE_CHILD + position]
                    if memory[address(memory, record) + BEHIND] != record:
                        out[row, 1] += memory[address(memory, record) + ORDERS]
                leaf = memory[node + NODE_WORSE]


@direct
def gather_levels(
    memory: Words, chosen: Words, first: int, last: int, scratch: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Write every level of instruments chosen[first:last] in order: bids, asks, implied bids, implied asks, best first.

    Args:
        memory: the block.
        chosen: indices of instruments.
        first: of the ones to write.
        last: behind the last of them.
        scratch: int64[1, n, 4], n levels of the largest book at least.
        out: int64[levels, 9]: row in chosen, side, level from 1, known, orders, price as mantissa without trailing
            zeros and exponent, quantity likewise. All zero from `known` on where the level is not known.
    """
    row = 0
    for which in range(first, last):
        at = memory[INSTRUMENTS] + chosen[which] * INSTRUMENT_WORDS
        for side in range(4):
            count = fill_levels(memory, at, side, count_levels(memory, at, side), scratch, 0, 0)
            for level in range(count):
                out[row, 0] = which
                out[row, 1] = side
                out[row, 2] = level + 1
                known = scratch[0, level, 3] == KNOWN
                out[row, 3] = 1 if known else 0
                out[row, 4] = scratch[0, level, 2] if known else 0
                strip(scratch[0, level, 0] if known else 0, memory[at + PRICE_EXPONENT], out, row, 5)
                strip(scratch[0, level, 1] if known else 0, memory[at + QUANTITY_EXPONENT], out, row, 7)
                row += 1


@direct
def gather_orders(memory: Words, chosen: Words, first: int, last: int, out: NDArray[np.int64]) -> None:
    """Write every order of instruments chosen[first:last], by level as `gather_levels`, then in queue order.

    Args:
        memory: the block.
        chosen: indices of instruments.
        first: of the ones to write.
        last: behind the last of them.
        out: int64[orders, 6]: row in chosen, side, level from 1, id, quantity as mantissa and exponent.
    """
    row = 0
    for which in range(first, last):
        at = memory[INSTRUMENTS] + chosen[which] * INSTRUMENT_WORDS
        for side in range(4):
            number = 0
            leaf = memory[at + SIDES + side * SIDE_WORDS + LAST]
            while leaf >= 0:
                node = memory[NODES] + leaf * NODE_WORDS
                for position in range(memory[node + NODE_SIZE] - 1, -1, -1):
                    number += 1
                    level = memory[node + NODE_CHILD + position]
                    order = memory[address(memory, level) + BEHIND]
                    while order != level:
                        record = address(memory, order)
                        out[row, 0] = which
                        out[row, 1] = side
                        out[row, 2] = number
                        out[row, 3] = memory[record + ID]
                        strip(memory[record + QUANTITY], memory[at + QUANTITY_EXPONENT], out, row, 4)
                        row += 1
                        order = memory[record + BEHIND]
                leaf = memory[node + NODE_WORSE]


@direct
def strip(mantissa: int, exponent: int, out: NDArray[np.int64], row: int, column: int) -> None:
    """Write a decimal number without trailing zeros as mantissa and exponent; zero has exponent 0."""
    if mantissa == 0:
        exponent = 0
    else:
        while mantissa % 10 == 0:
            mantissa //= 10
            exponent += 1
    out[row, column] = mantissa
    out[row, column + 1] = exponent
