"""The memory of the next events, asked for before their turn: a line from memory takes longer than ten events.

Each event of a batch is looked at four times before it is applied, each look reading what the one before has asked for:

    slots     of its order, of its level, of its instrument, in their tables
    records   that the slots name: the order, or the level of a new one; the instrument
    links     what the record names: level, neighbours in the queue, instrument
    level     where one ends or begins: its slot, and the nodes of the tree that it leaves or enters

No look changes anything but the scratch behind AHEAD, and any word may be prefetched: an event before it may still move
what was found, and then nothing is lost but the hint. What is named as the instrument is verified by whoever uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench import event
from simbench.book.instruments import find_or_new, instrument_of
from simbench.book.layout import (
    AHEAD,
    AHEAD_HASH,
    AHEAD_INSTRUMENT,
    AHEAD_LEVEL,
    AHEAD_MASK,
    AHEAD_ORDER,
    AHEAD_PLACE,
    AHEAD_WORDS,
    BEFORE,
    BEHIND,
    CHANNEL,
    INSTRUMENT_MASK,
    INSTRUMENT_ROOM,
    INSTRUMENT_SLOTS,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    KEY,
    LAST,
    LEVEL,
    LEVEL_MASK,
    LEVEL_SLOTS,
    LINE,
    LOW,
    NODE_WORDS,
    NODES,
    ORDER_MASK,
    ORDER_SLOTS,
    ORDERS,
    PLACE,
    PRICE,
    RECORDS,
    ROOT,
    RUNG_WORDS,
    SIDE_WORDS,
    SIDES,
    TRADES,
)
from simbench.book.levels import address
from simbench.book.rungs import rungs
from simbench.book.table import hash_key, hash_order, hash_price, home
from simbench.kernel.pure import direct_inlined, prefetch, signed

if TYPE_CHECKING:
    from simbench.kernel.pure import Words

# How many events ahead each look is: far enough for a line from memory, near enough to be in the cache still.
SLOTS_AHEAD = 24
RECORDS_AHEAD = 17
LINKS_AHEAD = 10
LEVEL_AHEAD = 4
PROBES = 4  # slots from its home on in which a look expects to find a key


@direct_inlined
def look_for_slots(memory: Words, channel: int, what: Any, at: int) -> None:
    """Ask for the slots that an event of an order or of a level by price will look at."""
    kind = signed(what["kind"])
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    h = hash_order(memory, channel, signed(what["order"]))
    slot = memory[ORDER_SLOTS] + home(h, memory[ORDER_MASK])
    prefetch(memory, slot)
    prefetch(memory, slot + 2)  # the next line, if the probe may go there
    memory[ahead + AHEAD_ORDER] = h
    if kind in (event.ADD, event.LEVEL):
        key, side, price = signed(what["instrument"]), signed(what["side"]), signed(what["price"])
        h = hash_price(memory, channel, key, side, price)
        slot = memory[LEVEL_SLOTS] + home(h, memory[LEVEL_MASK])
        prefetch(memory, slot)
        look_for_instrument_slot(memory, channel, key, at)
    elif kind == event.REPLACE:
        new = hash_order(memory, channel, signed(what["other"]))
        prefetch(memory, memory[ORDER_SLOTS] + home(new, memory[ORDER_MASK]))
    memory[ahead + AHEAD_PLACE] = slot
    memory[ahead + AHEAD_HASH] = h


@direct_inlined
def look_for_instrument_slot(memory: Words, channel: int, key: int, at: int) -> None:
    """Ask for the slot of an event's instrument."""
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    h = hash_key(memory, channel, key)
    slot = memory[INSTRUMENT_SLOTS] + home(h, memory[INSTRUMENT_MASK])
    prefetch(memory, slot)
    memory[ahead + AHEAD_INSTRUMENT] = slot
    memory[ahead + AHEAD_LEVEL] = h


@direct_inlined
def look_for_records(memory: Words, what: Any, at: int) -> None:
    """Ask for the record of the key: the order, or the level of a new order; and for the instrument, if it is named."""
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    record = address(memory, _probe(memory, memory[ahead + AHEAD_PLACE], memory[ahead + AHEAD_HASH]))
    prefetch(memory, record)
    memory[ahead + AHEAD_PLACE] = record
    if signed(what["kind"]) in (event.ADD, event.LEVEL):
        look_for_instrument(memory, at)


@direct_inlined
def look_for_instrument(memory: Words, at: int) -> None:
    """Ask for the instrument that is in the slot asked for before, and for its sides; the first where there is none."""
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    index = _probe(memory, memory[ahead + AHEAD_INSTRUMENT], memory[ahead + AHEAD_LEVEL])
    index = min(max(index, 1), memory[INSTRUMENT_ROOM])  # beside its table lie slots of other things
    instrument = memory[INSTRUMENTS] + (index - 1) * INSTRUMENT_WORDS
    prefetch(memory, instrument)
    prefetch(memory, instrument + SIDES)
    memory[ahead + AHEAD_INSTRUMENT] = instrument


@direct_inlined
def look_for_links(memory: Words, channel: int, what: Any, at: int) -> None:
    """Ask for what the record names: level, neighbours in the queue, instrument; where an order moves, its new slot."""
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    record = memory[ahead + AHEAD_PLACE]
    kind = signed(what["kind"])
    prefetch(memory, address(memory, memory[record + BEFORE]))
    if kind == event.ADD:
        return
    place = max(memory[record + PLACE], 0)
    level = address(memory, memory[record + LEVEL])
    instrument = instrument_of(memory, place)
    prefetch(memory, level)
    prefetch(memory, address(memory, memory[record + BEHIND]))
    prefetch(memory, instrument)
    prefetch(memory, instrument + SIDES)
    memory[ahead + AHEAD_LEVEL] = level
    if kind == event.REPLACE:
        h = hash_price(memory, channel, memory[instrument + KEY], place & 3, signed(what["price"]))
        slot = memory[LEVEL_SLOTS] + home(h, memory[LEVEL_MASK])
        prefetch(memory, slot)
        memory[ahead + AHEAD_PLACE] = slot
        memory[ahead + AHEAD_HASH] = h
    elif kind <= event.EXECUTE_AT:
        prefetch(memory, instrument + TRADES)


@direct_inlined
def look_for_level(memory: Words, channel: int, what: Any, at: int) -> None:
    """Ask for the level that an order moves to, and for what one that ends or begins touches."""
    ahead = AHEAD + AHEAD_WORDS * (at & AHEAD_MASK)
    kind = signed(what["kind"])
    if kind == event.ADD:
        if memory[ahead + AHEAD_PLACE] == memory[RECORDS]:  # nobody: there is no such level yet
            _look_for_nodes(memory, memory[ahead + AHEAD_INSTRUMENT], signed(what["side"]) & 3)
        return
    level = memory[ahead + AHEAD_LEVEL]
    if kind == event.REPLACE:
        prefetch(memory, address(memory, _probe(memory, memory[ahead + AHEAD_PLACE], memory[ahead + AHEAD_HASH])))
    if memory[level + ORDERS] == 1:
        place = max(memory[level + PLACE], 0)
        instrument = instrument_of(memory, place)
        h = hash_price(memory, channel, memory[instrument + KEY], place & 3, memory[level + PRICE])
        prefetch(memory, memory[LEVEL_SLOTS] + home(h, memory[LEVEL_MASK]))
        _look_for_nodes(memory, instrument, place & 3)


@direct_inlined
def look_for_rung(memory: Words, what: Any, at: int) -> None:
    """Ask for the level by number that an event changes."""
    instrument = memory[AHEAD + AHEAD_WORDS * (at & AHEAD_MASK) + AHEAD_INSTRUMENT]
    rung = rungs(memory, instrument, signed(what["side"])) + (signed(what["level"]) - 1) * RUNG_WORDS
    prefetch(memory, rung)


@direct_inlined
def found_ahead(memory: Words, channel: int, key: int, at: int) -> int:
    """Return the word where an instrument begins, from the looks at its event; new where it was never seen."""
    instrument = memory[AHEAD + AHEAD_WORDS * (at & AHEAD_MASK) + AHEAD_INSTRUMENT]
    if memory[instrument + KEY] == key and memory[instrument + CHANNEL] == channel:
        return int(instrument)
    return find_or_new(memory, channel, key)


@direct_inlined
def order_hash_ahead(memory: Words, at: int) -> int:
    """Return the hash of an event's order."""
    return int(memory[AHEAD + AHEAD_WORDS * (at & AHEAD_MASK) + AHEAD_ORDER])


@direct_inlined
def level_hash_ahead(memory: Words, at: int) -> int:
    """Return the hash of the level that an ADD names."""
    return int(memory[AHEAD + AHEAD_WORDS * (at & AHEAD_MASK) + AHEAD_HASH])


@direct_inlined
def _look_for_nodes(memory: Words, instrument: int, side: int) -> None:
    """Ask for the node of a side's best prices, and for the one that leads to the others."""
    words = instrument + SIDES + side * SIDE_WORDS
    leaf, root = memory[words + LAST], memory[words + ROOT]
    for line in range(0, NODE_WORDS, LINE):
        prefetch(memory, memory[NODES] + leaf * NODE_WORDS + line)
    if root != leaf:
        for line in range(0, NODE_WORDS, LINE):
            prefetch(memory, memory[NODES] + root * NODE_WORDS + line)


@direct_inlined
def _probe(memory: Words, slot: int, h: int) -> int:
    """Return the index in the first slot that has the key's hash, 0 where there is none nearby."""
    word = memory[slot]
    end = slot + PROBES
    while word != 0 and (word ^ h) >> 32 != 0:
        slot += 1
        if slot == end:
            return 0
        word = memory[slot]
    return int(word & LOW)
