"""Kernels that see which books a packet has changed, and write what has changed of their best levels as snapshots.

A packet's events are listed before they are applied, by the instruments that they name and by those of the orders that
they name; once they are in the books, each listed instrument is looked at. One that is still inside of an exchange
event stays listed until the packet that ends it: the book between was never one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from numba import types

from simbench import event
from simbench.book.instruments import find_instrument, instrument_of
from simbench.book.ladder import fill_levels
from simbench.book.layout import (
    CHANNEL,
    CURRENT,
    INSTRUMENT_COUNT,
    INSTRUMENT_WORDS,
    INSTRUMENTS,
    INT64_MAX,
    KEY,
    KNOWN,
    LOW,
    NO_PRICE,
    PLACE,
    PRICE_EXPONENT,
    QUANTITY_EXPONENT,
    STATE,
    TOUCHED,
)
from simbench.book.levels import address
from simbench.book.orders import seek_order
from simbench.book.table import hash_order
from simbench.kernel.pure import direct, direct_as, load_u8, signed, store_le16, store_le32, store_le64
from simbench.protocol.contract import DATA, EVENTS
from simbench.protocol.contract import WORDS as WORDS_TYPE
from simbench.protocol.mbp10_layout import (
    ASKS,
    BIDS,
    BODY_SIZE,
    DEPTH,
    DEPTH_AT,
    EXPONENT,
    HEADER_SIZE,
    LEVEL_SIZE,
    LEVELS,
    MAGIC,
    ORDERS,
    QUANTITY,
    SENT_AT,
    SEQUENCE_AT,
    SIZE,
    TIME,
    VERSION,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simbench.kernel.pure import Bytes, Words

    Events = NDArray[np.void]
    Table = NDArray[np.int64]

# Words of a channel.
LISTED: Final = 0  # instruments in its list
SEQUENCE: Final = 1  # of its last packet
BEYOND: Final = 2  # books that changed to what a packet cannot hold
SYMBOLS: Final = 3  # 1: its instruments are characters
WORDS: Final = 8

KEPT: Final = BODY_SIZE - BIDS  # bytes of a body that are compared: which levels are known, and the levels
LARGEST_ORDERS: Final = (1 << 31) - 1
MOST_DIGITS: Final = 18


_WORD: Final = types.int64
CHANGES_SIGNATURE: Final = types.void(WORDS_TYPE, _WORD, EVENTS, WORDS_TYPE, DATA, WORDS_TYPE, _WORD)
NEW_SIGNATURE: Final = types.void(WORDS_TYPE, _WORD, WORDS_TYPE, DATA, WORDS_TYPE, _WORD)
WRITE_SIGNATURE: Final = types.int64(
    WORDS_TYPE, WORDS_TYPE, DATA, WORDS_TYPE, DATA, _WORD, _WORD, types.int64[:, :, ::1], DATA
)


@direct
def _list(words: Words, listed: Bytes, rows: Words, row: int) -> None:
    if listed[row] == 0:
        listed[row] = 1
        rows[words[LISTED]] = row
        words[LISTED] += 1


@direct
def _list_word(memory: Words, words: Words, listed: Bytes, rows: Words, instrument: int) -> None:
    if instrument >= 0:
        _list(words, listed, rows, (instrument - memory[INSTRUMENTS]) // INSTRUMENT_WORDS)


@direct
def _power(digits: int) -> int:
    power = 1
    for _ in range(digits):
        power *= 10
    return power


@direct
def _fits(value: int, exponent: int) -> bool:
    """Tell whether a value at an exponent can be said exactly at that of the packets."""
    digits = exponent - EXPONENT
    if abs(digits) > MOST_DIGITS:
        return value == 0
    if digits < 0:
        return bool(value % _power(-digits) == 0)
    return bool(abs(value) < INT64_MAX // _power(digits))


@direct
def _scaled(value: int, exponent: int) -> int:
    """Return a value that fits at the exponent of the packets."""
    digits = exponent - EXPONENT
    if abs(digits) > MOST_DIGITS:
        return 0
    return int(value // _power(-digits) if digits < 0 else value * _power(digits))


@direct
def _write_body(memory: Words, instrument: int, levels: Table, out: Bytes, body: int) -> bool:
    """Write the best levels of a book; return whether a packet can hold them."""
    for at in range(body, body + BODY_SIZE):
        out[at] = 0
    fits = True
    for side in range(2):
        count = fill_levels(memory, instrument, side, DEPTH, levels, 0, 0)
        known = 0
        for number in range(count):
            if levels[0, number, 3] != KNOWN:
                continue
            known |= 1 << number
            at = body + LEVELS + (side * DEPTH + number) * LEVEL_SIZE
            price, quantity = levels[0, number, 0], levels[0, number, 1]
            if price != NO_PRICE:
                fits = fits and _fits(price, memory[instrument + PRICE_EXPONENT])
                price = _scaled(price, memory[instrument + PRICE_EXPONENT])
            fits = fits and _fits(quantity, memory[instrument + QUANTITY_EXPONENT])
            store_le64(out, at, price)
            store_le64(out, at + QUANTITY, _scaled(quantity, memory[instrument + QUANTITY_EXPONENT]))
            store_le32(out, at + ORDERS, min(levels[0, number, 2], LARGEST_ORDERS))
        store_le16(out, body + (BIDS if side == 0 else ASKS), known)
    return fits


@direct
def _keep(last: Bytes, at: int, out: Bytes, body: int) -> bool:
    """Put what a body says of the levels in the place of what was said last; return whether that is something else."""
    changed = False
    for byte in range(KEPT):
        changed |= load_u8(last, at + byte) != load_u8(out, body + byte)
        last[at + byte] = out[body + byte]
    return changed


@direct_as(CHANGES_SIGNATURE)
def list_changes(
    memory: Words, channel: int, events: Events, words: Words, listed: Bytes, rows: Words, known: int
) -> None:
    """List the instruments of a channel whose books events are about to change.

    Args:
        memory: the books' block, before the events are applied.
        channel: whose they are.
        events: EVENT[n].
        words: int64[WORDS], of the channel.
        listed: uint8 per instrument, 1 where it is in the list.
        rows: int64 per instrument: the list.
        known: instruments that list_new() has been told of.
    """
    for at in range(len(events)):
        what = events[at]
        kind = signed(what["kind"])
        if kind == event.RESET:
            for index in range(known):
                if memory[memory[INSTRUMENTS] + index * INSTRUMENT_WORDS + CHANNEL] == channel:
                    _list(words, listed, rows, index)
        if kind > event.DEFINE:
            continue
        key = signed(what["instrument"])
        if key != 0:
            _list_word(memory, words, listed, rows, find_instrument(memory, channel, key))
        if event.ADD <= kind <= event.MODIFY:
            order = signed(what["order"])
            slot = memory[seek_order(memory, hash_order(memory, channel, order), channel, order)]
            if slot != 0:
                place = memory[address(memory, slot & LOW) + PLACE]
                _list_word(memory, words, listed, rows, instrument_of(memory, place))


@direct_as(NEW_SIGNATURE)
def list_new(memory: Words, channel: int, words: Words, listed: Bytes, rows: Words, known: int) -> None:
    """List the instruments of a channel that events have brought; `known` is how many there were before."""
    for index in range(known, memory[INSTRUMENT_COUNT]):
        if memory[memory[INSTRUMENTS] + index * INSTRUMENT_WORDS + CHANNEL] == channel:
            _list(words, listed, rows, index)


@direct_as(WRITE_SIGNATURE)
def write_changed(
    memory: Words,
    words: Words,
    listed: Bytes,
    rows: Words,
    last: Bytes,
    sent: int,
    time: int,
    levels: Table,
    out: Bytes,
) -> int:
    """Write a packet for each listed instrument whose best levels are others than in its last one; return how many.

    Args:
        memory: the books' block.
        words: int64[WORDS], of the channel.
        listed: as list_changes().
        rows: likewise.
        last: uint8[instruments * KEPT], the levels of each instrument's last packet.
        sent: time of the recorded packet, ns since 1970.
        time: of the exchange event, likewise.
        levels: int64[1, DEPTH, 4], scratch.
        out: uint8[n], room for a packet of each listed instrument.
    """
    made = 0
    kept = 0
    for place in range(words[LISTED]):
        row = rows[place]
        instrument = memory[INSTRUMENTS] + row * INSTRUMENT_WORDS
        if memory[instrument + TOUCHED] != 0:
            rows[kept] = row
            kept += 1
            continue
        listed[row] = 0
        if memory[instrument + STATE] != CURRENT:
            continue
        at = made * SIZE
        body = at + HEADER_SIZE
        if not _write_body(memory, instrument, levels, out, body):
            words[BEYOND] += 1
            continue
        if _keep(last, row * KEPT, out, body + BIDS):
            words[SEQUENCE] += 1
            store_le32(out, at, MAGIC)
            store_le16(out, at + 4, VERSION | words[SYMBOLS] << 8)
            store_le16(out, at + DEPTH_AT, DEPTH)
            store_le64(out, at + SEQUENCE_AT, words[SEQUENCE])
            store_le64(out, at + SENT_AT, sent)
            store_le64(out, body, memory[instrument + KEY])
            store_le64(out, body + TIME, time)
            made += 1
    words[LISTED] = kept
    return made
