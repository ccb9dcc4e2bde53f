"""Open addressing for the three tables of a block: instruments, orders and levels.

A slot is one word: the upper half of the key's hash above the index of what has the key; 0 is free. So a probe leaves
the table only for a key that is almost certainly the right one, and a slot's home is known without its key. Removal
shifts back what stands behind: no tombstones, probes stay as short as the table is empty.

    h         the key's hash, 64 bits
    at        the word of memory that a key's slot is in, or the free one where it would go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.book.layout import HIGH, SECRET_1, SECRET_2, SEED
from simbench.kernel.pure import direct, direct_inlined, mix, multiply, shift_right

if TYPE_CHECKING:
    from simbench.kernel.pure import Words


@direct_inlined
def hash_key(memory: Words, channel: int, key: int) -> int:
    """Hash the native key of an instrument."""
    return mix(key ^ multiply(channel + 1, memory[SECRET_1]), memory[SEED])


@direct_inlined
def hash_order(memory: Words, channel: int, order: int) -> int:
    """Hash an order id; the eight ids that differ in their last bits alone begin in one cache line.

    Exchanges count ids up, so the slots of new orders are at hand. Which line it is, nobody can choose.
    """
    h = hash_key(memory, channel, order >> 3)
    return h ^ (order & 7) << 32


@direct_inlined
def hash_price(memory: Words, channel: int, key: int, side: int, price: int) -> int:
    """Hash a price of one side of the instrument with a native key."""
    book = multiply(key, memory[SECRET_1]) ^ multiply(4 * channel + side + 1, memory[SECRET_2])
    return mix(price ^ book, memory[SEED])


@direct_inlined
def home(h: int, mask: int) -> int:
    """Return the first position that a key with this hash tries."""
    return shift_right(h, 32) & mask


@direct_inlined
def occupy(memory: Words, at: int, h: int, index: int) -> None:
    """Put an index into a free slot that a search has found."""
    memory[at] = (h & HIGH) | index


@direct_inlined
def vacate(memory: Words, base: int, mask: int, at: int) -> None:
    """Free a slot and close the hole in the probes that went over it."""
    hole = at - base
    here = hole
    while True:
        here = (here + 1) & mask
        slot = memory[base + here]
        if slot == 0:
            break
        if ((here - home(slot, mask)) & mask) >= ((here - hole) & mask):
            memory[base + hole] = slot
            hole = here
    memory[base + hole] = 0


@direct
def fill(slots: Words, table: Words) -> None:
    """Put all slots of one table into a larger empty one, without a look at the keys."""
    mask = len(table) - 1
    for slot in slots:
        if slot != 0:
            at = home(slot, mask)
            while table[at] != 0:
                at = (at + 1) & mask
            table[at] = slot
