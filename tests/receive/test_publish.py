"""What the receiver publishes of its sequencer and its books is what they say."""

import os

import numpy as np

from simbench import event
from simbench.book.books import Books
from simbench.book.layout import AWAITED, REASONS, STANDINGS, BookChannel
from simbench.feed import layout as f
from simbench.feed.sequencer import (
    NIL,
    OUT_MORE,
    Sequencer,
    Settings,
    next_request,
    offer,
    offer_retransmitted,
    release,
    tick,
)
from simbench.measure import telemetry as t
from simbench.protocol.contract import HEADER
from simbench.receive.publish import publish_channels, publish_gaps, publish_instruments, publish_lines, publish_slot

WAIT = 10_000_000
SECOND = 1_000_000_000


def test_states_of_lines_and_channels_and_open_holes_are_published() -> None:
    """A line that is silent, a channel that retransmits, a hole that was asked for: each in its own words."""
    sequencer = Sequencer.create([2, 1], Settings(recover="retransmit"))
    header, data = np.zeros(1, HEADER), np.zeros(8, np.uint8)
    for channel, line, first, now in ((0, 0, 1, 0), (0, 1, 1, 0), (1, 0, 1, 0), (0, 0, 4, 3 * SECOND)):
        header[0] = (0, 0, first, 1, 0, 0, 0, 1)
        assert offer(sequencer.memory, sequencer.slab, channel, line, header, data, 1, now) > 0
        while sequencer.memory[OUT_MORE] and release(sequencer.memory, channel) != NIL:
            pass
    now = 3 * SECOND + WAIT
    tick(sequencer.memory, now)
    assert next_request(sequencer.memory, now) == 1

    fd, words = t.create()
    os.close(fd)
    rows = [t.LINE_BASE + row * t.LINE_WORDS for row in range(3)]
    for row, (channel, line) in zip(rows, ((0, 0), (0, 1), (1, 0)), strict=True):
        words[row + t.LINE_CHANNEL], words[row + t.LINE_NUMBER] = channel, line
    words[t.LINES] = len(rows)
    publish_lines(words, sequencer.memory, now)
    publish_channels(words, sequencer.memory, now)
    publish_gaps(words, sequencer.memory)

    assert [f.LINE_STATES[words[row + t.LINE_STATE]] for row in rows] == ["up", "stale", "stale"]
    channels = [t.CHANNEL_BASE + channel * t.CHANNEL_WORDS for channel in range(2)]
    states = [f.CHANNEL_STATES[words[row + t.CHANNEL_STATE]] for row in channels]
    assert states == ["retransmitting", "live"]
    assert [words[row + t.CHANNEL_REQUESTS] for row in channels] == [1, 0]
    assert words[t.GAPS_OPEN] == 1
    assert words[t.OPEN_BASE + t.GAP_ATTEMPTS] == 1


def test_a_gap_that_answers_close_piece_by_piece_is_one_at_last() -> None:
    """Out of order: first two pieces, then what is between them; readers see what the records say now."""
    sequencer = Sequencer.create([1], Settings(recover="retransmit"))
    header, data = np.zeros(1, HEADER), np.zeros(8, np.uint8)
    fd, words = t.create()
    os.close(fd)

    def take(first: int, line: int, now: int) -> list[tuple[int, int, int]]:
        header[0] = (0, 0, first, 1, 0, 0, 0, 1)
        if line < 0:
            offer_retransmitted(sequencer.memory, sequencer.slab, 0, header, data, first, now)
        else:
            offer(sequencer.memory, sequencer.slab, 0, line, header, data, first, now)
        while sequencer.memory[OUT_MORE] and release(sequencer.memory, 0) != NIL:
            pass
        publish_gaps(words, sequencer.memory)
        rows = words[t.GAP_BASE : t.OPEN_BASE].reshape(-1, t.GAP_WORDS)[: words[t.GAPS]]
        return [(int(row[t.GAP_FIRST]), int(row[t.GAP_LAST]), int(row[t.GAP_UNITS])) for row in rows]

    take(1, 0, 0)
    take(5, 0, 1)  # 2 to 4 are missing
    tick(sequencer.memory, 2 * WAIT)
    assert next_request(sequencer.memory, 2 * WAIT) == 1

    assert take(2, -1, 2 * WAIT + 1) == [(2, 2, 1)]
    assert take(4, -1, 2 * WAIT + 2) == [(2, 2, 1), (4, 4, 1)]
    assert words[t.GAPS_FILLED] == 2
    told = take(3, -1, 2 * WAIT + 3)

    assert [row for row in told if row[2]] == [(2, 4, 3)]
    assert (words[t.GAPS_FILLED], words[t.GAPS_LOST], words[t.GAPS_OPEN]) == (1, 0, 0)


def test_a_book_that_becomes_stale_is_published_although_it_did_not_change() -> None:
    """An event behind a gap waits and changes no level: the state alone tells; before its first event it is empty."""
    books = Books.create([BookChannel("340", -2, kind="level", depth=2, implied_depth=2, snapshots=AWAITED)])
    row = np.zeros(1, event.EVENT)
    row["kind"], row["instrument"], row["level"], row["quantity"], row["flags"] = event.LEVEL_NEW, 7, 1, 5, event.END
    fd, words = t.create()
    os.close(fd)
    words[t.SLOT_BASE + t.SLOT_WANTED] = 1
    seen = []
    for kind, sequence in ((event.RESET, 0), (event.NOTE, 0), (event.LEVEL_NEW, 1), (event.LEVEL_NEW, 5)):
        row["kind"], row["instrument_sequence"], row["time"] = kind, sequence, 100 + sequence
        books.apply(0, row)
        publish_instruments(words, books.memory)
        publish_slot(words, books.memory, np.zeros((4, t.SLOT_DEPTH, 4), np.int64), t.SLOT_BASE, 0)
        if words[t.INSTRUMENTS]:
            state, since, reason = (int(words[t.SLOT_BASE + at]) for at in (t.SLOT_STATE, t.SLOT_SINCE, t.SLOT_REASON))
            assert words[t.INSTRUMENT_BASE + t.INSTRUMENT_STATE] == state
            seen.append((STANDINGS[state], since, REASONS[reason]))

    assert [state for state, _, _ in seen] == ["empty", "current", "stale"]
    assert seen[-1] == ("stale", 105, "instrument_gap")


def test_the_queue_of_the_level_that_is_asked_for_is_published() -> None:
    """As it stands in the book, the first 32 orders of it; and again when only the question changed."""
    books = Books.create([BookChannel("itch", -4, kind="order")])
    rows = np.zeros(50, event.EVENT)
    rows["kind"], rows["instrument"], rows["flags"] = event.ADD, 7, event.END
    rows["order"], rows["quantity"] = np.arange(1, 51), np.arange(100, 150)
    rows["price"] = np.where(np.arange(50) % 10 == 0, 90, 100)
    rows["side"] = event.BID
    books.apply(0, rows)
    words, ladders = np.zeros(t.WORDS, np.int64), np.zeros((4, t.SLOT_DEPTH, 4), np.int64)
    publish_instruments(words, books.memory)
    base = t.SLOT_BASE
    slot = words[base : base + t.SLOT_WORDS]
    slot[t.SLOT_WANTED] = 1
    found = {}
    for side, price in ((1, 100), (1, 90), (2, 100), (1, 80), (0, 0)):
        slot[t.QUEUE_WANTED], slot[t.QUEUE_AT] = side, price
        publish_slot(words, books.memory, ladders, base, 0)
        assert slot[t.SLOT_LOCK] % 2 == 0
        assert [slot[t.QUEUE_SHOWN], slot[t.QUEUE_PRICE]] == [side, price]
        listed = slot[t.QUEUE_BASE :].reshape(t.QUEUE_ROWS, t.QUEUE_ROW)[: slot[t.QUEUE_LISTED]]
        found[side, price] = (int(slot[t.QUEUE_ORDERS]), listed[:, :2].tolist())
    adds = list(zip(rows["order"].tolist(), rows["quantity"].tolist(), rows["price"].tolist(), strict=True))
    at = {price: [[order, size] for order, size, own in adds if own == price] for price in (90, 100)}
    assert found[1, 100] == (45, at[100][: t.QUEUE_ROWS])
    assert found[1, 90] == (5, at[90])
    assert found[2, 100] == found[1, 80] == (0, [])


def test_a_book_of_levels_says_that_it_has_no_orders() -> None:
    """Whether the price is in it or not."""
    books = Books.create([BookChannel("340", -2, kind="price")])
    row = np.zeros(1, event.EVENT)
    row["kind"], row["instrument"], row["price"], row["quantity"], row["orders"] = event.LEVEL, 7, 100, 5, 3
    row["flags"] = event.END
    books.apply(0, row)
    words, ladders = np.zeros(t.WORDS, np.int64), np.zeros((4, t.SLOT_DEPTH, 4), np.int64)
    publish_instruments(words, books.memory)
    for price in (100, 200):
        slot = words[t.SLOT_BASE : t.SLOT_BASE + t.SLOT_WORDS]
        slot[t.SLOT_WANTED], slot[t.QUEUE_WANTED], slot[t.QUEUE_AT] = 1, 1, price
        publish_slot(words, books.memory, ladders, t.SLOT_BASE, 0)
        assert (slot[t.QUEUE_ORDERS], slot[t.QUEUE_LISTED]) == (-1, 0)
