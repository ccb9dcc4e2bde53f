"""What the receive loop copies into telemetry every few milliseconds, and the books that readers have leased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.book import layout as b
from simbench.book.ladder import ladder, standing
from simbench.book.levels import address, find_level
from simbench.feed import layout as f
from simbench.feed.lags import lag_base
from simbench.feed.status import channel_state, line_state
from simbench.feed.streams import channel_base, stream_words
from simbench.feed.wrap import on_wire
from simbench.kernel.pure import kernel, load_acquire, store_release
from simbench.measure import telemetry as t
from simbench.protocol.contract import MALFORMED, MESSAGES, UNKNOWN
from simbench.receive import pipeline as p

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

FRAMES: Final = t.counter("frames")
DATAGRAMS: Final = t.counter("datagrams")
BYTES: Final = t.counter("bytes")
OTHER_FRAMES: Final = t.counter("other_frames")
CHECKSUM_LOST: Final = t.counter("checksum_lost")
BAD_HEADERS: Final = t.counter("bad_headers")
PACKETS: Final = t.counter("packets")
DELIVERED: Final = t.counter("delivered")
MESSAGE_COUNT: Final = t.counter("messages")
UNKNOWN_COUNT: Final = t.counter("unknown_messages")
MALFORMED_COUNT: Final = t.counter("malformed")
EVENT_COUNT: Final = t.counter("events")
GAPS_AGAIN: Final = 32  # of the newest gap records: answers may still lengthen or join them
INSTRUMENTS_A_TIME: Final = 512  # rows of the directory that one publication refreshes: a bounded share of time
LAGS_A_TIME: Final = 8  # lines whose lags one publication looks at, likewise
ANOMALIES: Final = len(b.ANOMALIES)
SIDES: Final = 2  # that have orders: bids and asks


@kernel
def publish(
    telemetry: Words,
    words: Words,
    channels: NDArray[np.int64],
    states: Words,
    sequencer: Words,
    book: Words,
    ladders: NDArray[np.int64],
    now: int,
) -> None:
    """Copy counters, lines, gaps, instruments and leased books.

    Args:
        telemetry: the block, see measure/telemetry.py.
        words: the pipeline's.
        channels: int64[c, 5], see `advance`.
        states: the channels' protocol states.
        sequencer: its block.
        book: the books' block.
        ladders: int64[4, SLOT_DEPTH, 4], scratch.
        now: CLOCK_MONOTONIC.
    """
    telemetry[t.REPLAY_NOW] = words[p.NOW]
    telemetry[DATAGRAMS] = words[p.DATAGRAMS]
    telemetry[BYTES] = words[p.BYTES]
    telemetry[OTHER_FRAMES] = words[p.OTHER]
    telemetry[CHECKSUM_LOST] = words[p.LOST_CHECKSUM]
    telemetry[BAD_HEADERS] = words[p.BAD_HEADERS]
    telemetry[PACKETS] = words[p.PACKETS]
    telemetry[DELIVERED] = words[p.DELIVERED]
    telemetry[EVENT_COUNT] = words[p.EVENTS_APPLIED]
    messages = 0
    unknown = 0
    damaged = 0
    for channel in range(len(channels)):
        base = channels[channel, 1]
        messages += states[base + MESSAGES]
        unknown += states[base + UNKNOWN]
        damaged += states[base + MALFORMED]
    telemetry[MESSAGE_COUNT] = messages
    telemetry[UNKNOWN_COUNT] = unknown
    telemetry[MALFORMED_COUNT] = damaged
    for kind in range(ANOMALIES):
        total = 0
        for channel in range(len(channels)):
            total += book[book[b.CHANNELS] + channel * b.CHANNEL_WORDS + b.CHANNEL_ANOMALIES + 3 * kind]
        telemetry[t.ANOMALY_BASE + kind] = total
    publish_lines(telemetry, sequencer, words[p.NOW])
    publish_lags(telemetry, sequencer, LAGS_A_TIME)
    publish_channels(telemetry, sequencer, words[p.NOW])
    publish_gaps(telemetry, sequencer)
    publish_instruments(telemetry, book)
    for slot in range(t.SLOTS):
        publish_slot(telemetry, book, ladders, t.SLOT_BASE + slot * t.SLOT_WORDS, now)
    store_release(telemetry, t.BEAT, now)


@kernel
def publish_lags(telemetry: Words, sequencer: Words, most: int) -> None:
    """Copy the lags of the next so many lines, those that have new ones."""
    lines = telemetry[t.LINES]
    for _ in range(min(lines, most)):
        row = telemetry[t.LAGGED] % lines
        telemetry[t.LAGGED] = row + 1
        line = t.LINE_BASE + row * t.LINE_WORDS
        source = lag_base(sequencer, telemetry[line + t.LINE_CHANNEL], telemetry[line + t.LINE_NUMBER])
        target = t.LAG_BASE + row * f.LAG_WORDS
        if telemetry[target + f.LAG_COUNT] != sequencer[source + f.LAG_COUNT]:
            for word in range(f.LAG_WORDS):
                telemetry[target + word] = sequencer[source + word]


@kernel
def publish_channels(telemetry: Words, sequencer: Words, now: int) -> None:
    """Say what each channel is doing at replay time `now`, and what it asked for."""
    for channel in range(min(sequencer[f.CHANNEL_COUNT], t.CHANNEL_ROWS)):
        row = t.CHANNEL_BASE + channel * t.CHANNEL_WORDS
        base = channel_base(sequencer, channel)
        telemetry[row + t.CHANNEL_STATE] = channel_state(sequencer, channel, now)
        telemetry[row + t.CHANNEL_REQUESTS] = sequencer[base + f.C_REQUESTS]
        telemetry[row + t.CHANNEL_REPAIRED] = sequencer[base + f.C_REPAIRED]


@kernel
def publish_lines(telemetry: Words, sequencer: Words, now: int) -> None:
    """Copy what was counted of each line, over all streams of its channel, and its state at replay time `now`."""
    for row in range(telemetry[t.LINES]):
        base = t.LINE_BASE + row * t.LINE_WORDS
        datagrams = won = duplicates = late = missing = 0
        highest = seen = 0
        for stream in range(sequencer[f.STREAM + f.T_USED]):
            at = sequencer[f.STREAM + f.T_BASE] + stream * stream_words(sequencer)
            if sequencer[at + f.S_CHANNEL] != telemetry[base + t.LINE_CHANNEL]:
                continue
            line = at + f.LINES_AT + telemetry[base + t.LINE_NUMBER] * f.LINE_WORDS
            datagrams += sequencer[line + f.L_DATAGRAMS]
            won += sequencer[line + f.L_WON]
            duplicates += sequencer[line + f.L_DUPLICATES]
            late += sequencer[line + f.L_LATE]
            missing += sequencer[line + f.L_MISSING_UNITS]
            if sequencer[line + f.L_DATAGRAMS] > 0:
                highest = max(highest, sequencer[line + f.L_NEXT] - 1)
                seen = max(seen, sequencer[line + f.L_LAST_AT])
        telemetry[base + t.LINE_DATAGRAMS] = datagrams
        telemetry[base + t.LINE_WON] = won
        telemetry[base + t.LINE_DUPLICATES] = duplicates
        telemetry[base + t.LINE_LATE] = late
        telemetry[base + t.LINE_MISSING] = missing
        telemetry[base + t.LINE_HIGHEST] = on_wire(sequencer, telemetry[base + t.LINE_CHANNEL], highest)
        telemetry[base + t.LINE_SEEN] = seen
        telemetry[base + t.LINE_STATE] = line_state(
            sequencer, telemetry[base + t.LINE_CHANNEL], telemetry[base + t.LINE_NUMBER], now
        )


@kernel
def publish_range(telemetry: Words, sequencer: Words, row: int, channel: int, first: int, last: int) -> None:
    """Say in a gap's row which sequences of which channel it is of."""
    telemetry[row + t.GAP_CHANNEL] = channel
    telemetry[row + t.GAP_FIRST] = on_wire(sequencer, channel, first)
    telemetry[row + t.GAP_LAST] = on_wire(sequencer, channel, last)
    telemetry[row + t.GAP_UNITS] = last - first + 1


@kernel
def publish_gaps(telemetry: Words, sequencer: Words) -> None:
    """Copy the gap records that are new or may have grown since, and the holes that are open now."""
    total = sequencer[f.RECORD + f.T_USED]
    for number in range(max(0, min(telemetry[t.GAPS], total - GAPS_AGAIN), total - t.GAP_ROWS), total):
        record = sequencer[f.RECORD + f.T_BASE] + number * f.RECORD_WORDS
        row = t.GAP_BASE + number % t.GAP_ROWS * t.GAP_WORDS
        if sequencer[record + f.G_JOINED] != f.NIL:  # another record tells of it by now
            telemetry[t.GAPS_FILLED] -= number < telemetry[t.GAPS] and telemetry[row + t.GAP_UNITS] != 0
            telemetry[row + t.GAP_UNITS] = 0
            continue
        telemetry[row + t.GAP_EPOCH] = sequencer[record + f.G_EPOCH]
        publish_range(
            telemetry,
            sequencer,
            row,
            sequencer[record + f.G_CHANNEL],
            sequencer[record + f.G_FIRST],
            sequencer[record + f.G_LAST],
        )
        telemetry[row + t.GAP_DETECTED] = sequencer[record + f.G_DETECTED]
        telemetry[row + t.GAP_CLOSED] = sequencer[record + f.G_CLOSED]
        telemetry[row + t.GAP_OUTCOME] = sequencer[record + f.G_OUTCOME]
        telemetry[row + t.GAP_ATTEMPTS] = sequencer[record + f.G_REQUESTS]
    for number in range(telemetry[t.GAPS], total):
        record = sequencer[f.RECORD + f.T_BASE] + number * f.RECORD_WORDS
        lost = sequencer[record + f.G_OUTCOME] == f.LOST
        telemetry[t.GAPS_LOST] += lost
        telemetry[t.GAPS_FILLED] += not lost and sequencer[record + f.G_JOINED] == f.NIL
    store_release(telemetry, t.GAPS, total)
    count = 0
    for stream in range(sequencer[f.STREAM + f.T_USED]):
        at = sequencer[f.STREAM + f.T_BASE] + stream * stream_words(sequencer)
        hole = sequencer[at + f.S_HOLE]
        while hole != f.NIL and count < t.OPEN_ROWS:
            words = sequencer[f.HOLE + f.T_BASE] + hole * f.HOLE_WORDS
            row = t.OPEN_BASE + count * t.GAP_WORDS
            publish_range(
                telemetry,
                sequencer,
                row,
                sequencer[at + f.S_CHANNEL],
                sequencer[words + f.O_FIRST],
                sequencer[words + f.O_LAST],
            )
            telemetry[row + t.GAP_EPOCH] = sequencer[
                sequencer[f.EPOCH + f.T_BASE] + sequencer[at + f.S_EPOCH] * f.EPOCH_WORDS + f.E_NUMBER
            ]
            telemetry[row + t.GAP_DETECTED] = sequencer[words + f.O_DETECTED]
            telemetry[row + t.GAP_CLOSED] = 0
            telemetry[row + t.GAP_ATTEMPTS] = sequencer[words + f.O_REQUESTS]
            count += 1
            hole = sequencer[words + f.O_NEXT]
    store_release(telemetry, t.GAPS_OPEN, count)


@kernel
def publish_instruments(telemetry: Words, book: Words) -> None:
    """Refresh the directory: new instruments at once, how busy the others are a share at a time."""
    count = min(book[b.INSTRUMENT_COUNT], t.INSTRUMENT_ROWS)
    known = telemetry[t.INSTRUMENTS]
    for index in range(known, count):
        publish_instrument(telemetry, book, index)
    if count > 0:
        start = telemetry[t.REFRESHED] % count
        for step in range(min(count, INSTRUMENTS_A_TIME)):
            publish_instrument(telemetry, book, (start + step) % count)
        telemetry[t.REFRESHED] = start + min(count, INSTRUMENTS_A_TIME)
    store_release(telemetry, t.INSTRUMENTS, count)


@kernel
def publish_instrument(telemetry: Words, book: Words, index: int) -> None:
    """Copy one row of the directory."""
    row = t.INSTRUMENT_BASE + index * t.INSTRUMENT_WORDS
    at = book[b.INSTRUMENTS] + index * b.INSTRUMENT_WORDS
    telemetry[row + t.INSTRUMENT_CHANNEL] = book[at + b.CHANNEL]
    telemetry[row + t.INSTRUMENT_KEY] = book[at + b.KEY]
    for word in range(3):
        telemetry[row + t.INSTRUMENT_SYMBOL + word] = book[at + b.SYMBOL + word]
    telemetry[row + t.INSTRUMENT_PRICE_EXPONENT] = book[at + b.PRICE_EXPONENT]
    telemetry[row + t.INSTRUMENT_QUANTITY_EXPONENT] = book[at + b.QUANTITY_EXPONENT]
    telemetry[row + t.INSTRUMENT_UPDATES] = book[at + b.EVENTS]
    telemetry[row + t.INSTRUMENT_STATE] = standing(book, at)


@kernel
def publish_queue(telemetry: Words, book: Words, base: int, instrument: int, side: int, price: int) -> None:
    """Copy the first orders at a price, within the slot's seqlock; `instrument` is the word where it begins."""
    record = find_level(book, instrument, side, price)
    level = address(book, record)
    kind = book[book[b.CHANNELS] + book[instrument + b.CHANNEL] * b.CHANNEL_WORDS + b.CHANNEL_KIND]
    total = 0 if kind == b.BY_ORDER else -1
    listed = 0
    if record != 0 and book[level + b.BEHIND] != record:
        total = book[level + b.ORDERS]
        order = book[level + b.BEHIND]
        while order != record and listed < t.QUEUE_ROWS:
            word = address(book, order)
            row = base + t.QUEUE_BASE + listed * t.QUEUE_ROW
            store_release(telemetry, row, book[word + b.ID])
            store_release(telemetry, row + 1, book[word + b.QUANTITY])
            store_release(telemetry, row + 2, book[word + b.PRIORITY])
            listed += 1
            order = book[word + b.BEHIND]
    store_release(telemetry, base + t.QUEUE_ORDERS, total)
    store_release(telemetry, base + t.QUEUE_LISTED, listed)


@kernel
def publish_slot(telemetry: Words, book: Words, ladders: NDArray[np.int64], base: int, now: int) -> None:
    """Copy a leased book where it, or its state, changed since it was last copied, under the slot's seqlock."""
    wanted = load_acquire(telemetry, base + t.SLOT_WANTED)
    if wanted <= 0 or wanted > book[b.INSTRUMENT_COUNT] or now - telemetry[base + t.SLOT_LEASED] > t.LEASE_NS:
        return
    at = book[b.INSTRUMENTS] + (wanted - 1) * b.INSTRUMENT_WORDS
    state = standing(book, at)
    same = telemetry[base + t.SLOT_CHANGE] == book[at + b.EVENTS] and telemetry[base + t.SLOT_STATE] == state
    asked, price = telemetry[base + t.QUEUE_WANTED], telemetry[base + t.QUEUE_AT]
    same = same and telemetry[base + t.QUEUE_SHOWN] == asked and telemetry[base + t.QUEUE_PRICE] == price
    if telemetry[base + t.SLOT_SHOWN] == wanted and same:
        return
    store_release(telemetry, base + t.SLOT_LOCK, telemetry[base + t.SLOT_LOCK] + 1)
    ladder(book, wanted - 1, t.SLOT_DEPTH, ladders)
    for side in range(4):
        for level in range(t.SLOT_DEPTH):
            for word in range(4):
                cell = base + t.SLOT_LADDER + (side * t.SLOT_DEPTH + level) * 4 + word
                # A release for each word keeps all of them between the two versions of the lock.
                store_release(telemetry, cell, ladders[side, level, word])
    store_release(telemetry, base + t.SLOT_SHOWN, wanted)
    store_release(telemetry, base + t.SLOT_CHANGE, book[at + b.EVENTS])
    store_release(telemetry, base + t.SLOT_TRADE_PRICE, book[at + b.LAST_PRICE])
    store_release(telemetry, base + t.SLOT_TRADE_QUANTITY, book[at + b.LAST_QUANTITY])
    store_release(telemetry, base + t.SLOT_TRADE_TIME, book[at + b.LAST_TIME])
    store_release(telemetry, base + t.SLOT_STATE, state)
    store_release(telemetry, base + t.SLOT_SINCE, book[at + b.STALE_SINCE])
    store_release(telemetry, base + t.SLOT_REASON, book[at + b.REASON])
    store_release(telemetry, base + t.QUEUE_SHOWN, asked)
    store_release(telemetry, base + t.QUEUE_PRICE, price)
    if 0 < asked <= SIDES:
        publish_queue(telemetry, book, base, at, asked - 1, price)
    store_release(telemetry, base + t.SLOT_LOCK, telemetry[base + t.SLOT_LOCK] + 1)
