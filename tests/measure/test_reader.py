"""Snapshots are whole: a book is read under its seqlock, and what the receiver says is what is shown."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simbench.book.layout import EMPTY, KNOWN
from simbench.errors import SimbenchError
from simbench.measure import telemetry as t
from simbench.measure.books import symbol_of
from simbench.measure.histogram import record
from simbench.measure.names import Names
from simbench.measure.reader import SHARES_NS, Reader
from simbench.measure.snapshot import ChannelView, Phase, RunInfo
from simbench.measure.ticks import TICK_NS, Ticks
from simbench.protocol.contract import pack_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

NAMES = Names(
    channels=("itch",),
    lines=((("A", "239.0.0.1:1"), ("B", "239.0.0.2:2")),),
    text_keys=(True,),
    outcomes=("lost", "filled"),
    line_states=("never", "up", "stale", "down"),
    channel_states=("joining", "live"),
    states=("current", "stale", "unsynchronised", "naturally refreshed", "empty"),
    reasons=("no_snapshot", "instrument_gap"),
    anomalies=("crossed", "unknown_order"),
)
RUN = RunInfo("c.pcap", "ring", "", "spin", "1", frames=10, first_ns=1000, last_ns=2000)
SLOT = t.SLOT_BASE


@pytest.fixture
def words() -> Iterator[Words]:
    """Return a block as a receiver has it that is at work: one instrument, two lines."""
    fd, block = t.create()
    os.close(fd)
    block[t.STATE] = t.RUNNING
    block[t.BEAT] = time.monotonic_ns()
    block[t.CHANNELS], block[t.LINES] = 1, 2
    block[t.LINE_BASE + t.LINE_WORDS + t.LINE_NUMBER] = 1
    row = t.INSTRUMENT_BASE
    block[row + t.INSTRUMENT_KEY] = pack_text("ABC")
    block[row + t.INSTRUMENT_UPDATES] = 5
    block[t.INSTRUMENTS] = 1
    return block


@pytest.fixture
def reader(words: Words) -> Reader:
    """Return a reader without a replayer."""
    return Reader(words, NAMES, RUN, None)


def show(words: Words, number: int) -> None:
    """Publish a book in which every figure is the same number, as a receiver does: the version is odd meanwhile."""
    words[SLOT + t.SLOT_LOCK] += 1
    levels = words[SLOT + t.SLOT_LADDER : SLOT + t.SLOT_QUEUE].reshape(4, t.SLOT_DEPTH, 4)
    levels[:, :, 3] = EMPTY
    for side in range(4):
        for level in range(3):
            levels[side, level] = number, number, number, KNOWN
    words[SLOT + t.SLOT_SHOWN] = 1
    words[SLOT + t.SLOT_LOCK] += 1


def test_book_is_shown_as_it_was_published(words: Words, reader: Reader) -> None:
    """The reader leases a slot for the instrument; from the next publication on its book is there."""
    first = reader.snapshot()
    show(words, 7)
    book = reader.snapshot().book

    assert first.book is None
    assert words[SLOT + t.SLOT_WANTED] == 1
    assert book is not None
    assert (book.channel, book.key, book.updates) == ("itch", "ABC", 5)
    assert [(level.price, level.quantity, level.orders, level.known) for level in book.bids] == [(7, 7, 7, True)] * 3
    assert len(book.asks) == len(book.implied_bids) == len(book.implied_asks) == 3


def test_a_book_says_since_when_it_is_stale_and_why(words: Words, reader: Reader) -> None:
    """Until it is current again; what the slot still holds of that time is not shown then."""
    reader.snapshot()
    words[SLOT + t.SLOT_STATE], words[SLOT + t.SLOT_SINCE], words[SLOT + t.SLOT_REASON] = 1, 1500, 1
    show(words, 7)
    stale = reader.snapshot().book
    words[SLOT + t.SLOT_STATE] = 0
    current = reader.snapshot().book

    assert stale is not None
    assert (stale.state, stale.since_ns, stale.reason) == ("stale", 1500, "instrument_gap")
    assert current is not None
    assert (current.state, current.since_ns, current.reason) == ("current", 0, "")


def test_instruments_are_counted_by_state(words: Words, reader: Reader) -> None:
    """States that no instrument is in are left out."""
    for index, state in enumerate((0, 4, 1, 4)):
        words[t.INSTRUMENT_BASE + index * t.INSTRUMENT_WORDS + t.INSTRUMENT_STATE] = state
    words[t.INSTRUMENTS] = 4

    assert dict(reader.snapshot().states) == {"current": 1, "stale": 1, "empty": 2}


def test_book_that_is_being_written_is_not_shown(words: Words, reader: Reader) -> None:
    """While the version is odd there is no book; when the writer is done there is."""
    show(words, 7)
    words[SLOT + t.SLOT_LOCK] += 1
    meanwhile = reader.snapshot().book
    words[SLOT + t.SLOT_LOCK] += 1

    assert meanwhile is None
    assert reader.snapshot().book is not None


def test_book_is_never_torn(words: Words, reader: Reader) -> None:
    """Against a writer that never rests, every book that is shown is of one publication."""
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.wait(1e-5):
            show(words, number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    try:
        for _ in range(400):
            book = reader.snapshot().book
            if book is not None:
                figures = {
                    figure
                    for side in (book.bids, book.asks, book.implied_bids, book.implied_asks)
                    for level in side
                    for figure in (level.price, level.quantity, level.orders)
                }
                assert len(figures) == 1
                seen |= figures
    finally:
        stop.set()
        writer.join()

    assert len(seen) > 1


def test_book_of_another_instrument_is_not_shown(words: Words, reader: Reader) -> None:
    """What the slot holds until the writer has seen the new wish is nobody's book."""
    show(words, 7)
    words[SLOT + t.SLOT_SHOWN] = 2

    assert reader.snapshot(0).book is None


def test_readers_take_different_slots_and_give_them_back(words: Words) -> None:
    """Two windows on one run do not disturb each other, and with all slots taken there is no book but no error."""
    readers = [Reader(words, NAMES, RUN, None) for _ in range(t.SLOTS + 1)]
    for one in readers:
        one.snapshot()
    leased = [int(words[SLOT + slot * t.SLOT_WORDS + t.SLOT_LEASED]) for slot in range(t.SLOTS)]
    readers[3].close()
    readers[-1].snapshot()

    assert all(leased)
    assert words[SLOT + 3 * t.SLOT_WORDS + t.SLOT_LEASED] > max(leased[:3])


def test_counters_lines_stages_and_anomalies_are_what_the_receiver_says(words: Words, reader: Reader) -> None:
    """Each figure arrives under its own name."""
    words[t.COUNTER_BASE : t.COUNTER_BASE + len(t.COUNTER_NAMES)] = np.arange(100, 100 + len(t.COUNTER_NAMES))
    words[t.ANOMALY_BASE : t.ANOMALY_BASE + 2] = 3, 4
    second = t.LINE_BASE + t.LINE_WORDS
    words[second + t.LINE_DATAGRAMS : second + t.LINE_STATE + 1] = 9, 5, 4, 1, 2, 77, 1, 1
    words[t.CHANNEL_BASE + t.CHANNEL_STATE : t.CHANNEL_BASE + t.CHANNEL_REPAIRED + 1] = 1, 6, 8
    record(words, t.stage("app_book"), 500)

    found = reader.snapshot()

    assert list(found.counters.values()) == list(range(100, 100 + len(t.COUNTER_NAMES)))
    assert found.anomalies == {"crossed": 3, "unknown_order": 4}
    line = found.lines[1]
    assert (line.name, line.group, line.datagrams, line.won, line.duplicates) == ("B", "239.0.0.2:2", 9, 5, 4)
    assert (line.late, line.missing, line.last_sequence) == (1, 2, 77)
    assert (found.lines[0].state, line.state) == ("never", "up")
    assert found.channels == (ChannelView("itch", "live", requests=6, repaired=8),)
    assert {stage.name: (stage.count, stage.highest) for stage in found.stages if stage.count} == {"app_book": (1, 500)}


def test_the_log_tells_when_a_line_goes_down_and_comes_up_again(words: Words, reader: Reader) -> None:
    """Once each; that a line is only stale is to be seen in its row."""
    state = t.LINE_BASE + t.LINE_STATE
    for value in (1, 2, 3, 3, 2, 1, 1, 2):
        words[state] = value
        found = reader.snapshot()
    told = [(line.level, line.text) for line in found.log if "line" in line.text]
    assert told == [("warning", "itch: line A is down"), ("info", "itch: line A is up")]


def test_a_hole_that_was_asked_for_is_told_from_one_that_waits(words: Words, reader: Reader) -> None:
    """Both are open; the second has been asked for twice."""
    for row, attempts in enumerate((0, 2)):
        words[t.OPEN_BASE + row * t.GAP_WORDS + t.GAP_ATTEMPTS] = attempts
    words[t.GAPS_OPEN] = 2
    assert [gap.outcome for gap in reader.snapshot().gaps] == ["open", "asked"]


def test_newest_gaps_survive_a_ring_that_has_gone_round(words: Words, reader: Reader) -> None:
    """More records than rows: the latest ones are shown, newest first, and the total counts all."""
    total = t.GAP_ROWS + 10
    for number in range(total):
        row = t.GAP_BASE + number % t.GAP_ROWS * t.GAP_WORDS
        words[row + t.GAP_FIRST] = words[row + t.GAP_LAST] = number
        words[row + t.GAP_UNITS] = 1
    words[t.GAPS] = words[t.GAPS_LOST] = total

    found = reader.snapshot()

    assert [gap.first for gap in found.gaps] == list(range(total - 1, total - t.GAP_ROWS - 1, -1))
    assert found.gaps_total == total


def test_failure_is_said_once_and_stays(words: Words, reader: Reader) -> None:
    """The first reason is the reason."""
    reader.fail("the receiver was killed by SIGKILL")
    reader.fail("something that followed from it")

    found = reader.snapshot()

    assert (found.phase, found.reason) == (Phase.FAILED, "the receiver was killed by SIGKILL")
    assert sum(line.level == "error" for line in (*found.log, *reader.snapshot().log)) == 2


def test_silent_receiver_is_a_failure(words: Words, reader: Reader) -> None:
    """A receiver that publishes nothing for long is gone, whatever its state says."""
    words[t.BEAT] = time.monotonic_ns() - 10 * 1_000_000_000

    assert reader.snapshot().phase is Phase.FAILED


def test_block_of_another_version_is_refused() -> None:
    """A reader of today does not read words that mean something else."""
    fd, block = t.create()
    block[t.VERSION] += 1
    with pytest.raises(SimbenchError, match="another version"):
        t.attach(fd)
    block[t.VERSION] -= 1
    assert t.attach(fd)[t.VERSION] == t.LAYOUT
    os.ftruncate(fd, t.WORDS * 8 + 8)
    with pytest.raises(SimbenchError, match="another version"):
        t.attach(fd)
    os.close(fd)


def test_symbol_of_three_words() -> None:
    """24 characters, 8 to a word, without what pads them."""
    assert symbol_of([pack_text("ESH6-ESM"), pack_text("6"), 0]) == "ESH6-ESM6"
    assert symbol_of(np.zeros(3, np.int64)) == ""


def test_books_that_are_asked_for_beside_the_chosen_one_have_slots_of_their_own(words: Words, reader: Reader) -> None:
    """In the order in which they are asked for; one that is no longer wanted gives its slot back."""
    words[t.INSTRUMENTS] = 3
    reader.snapshot(0, others=(2, 1))
    wanted = [int(words[SLOT + slot * t.SLOT_WORDS + t.SLOT_WANTED]) for slot in range(3)]
    for slot, index in enumerate(wanted):
        words[SLOT + slot * t.SLOT_WORDS + t.SLOT_SHOWN] = index

    found = reader.snapshot(0, others=(2, 1))
    fewer = reader.snapshot(1)

    assert wanted == [1, 3, 2]
    assert found.book is not None
    assert (found.book.index, [book.index for book in found.others]) == (0, [2, 1])
    assert fewer.book is not None
    assert fewer.others == ()
    assert [bool(words[SLOT + slot * t.SLOT_WORDS + t.SLOT_LEASED]) for slot in range(3)] == [False, False, True]


def test_ticks_say_what_happened_within_each(words: Words) -> None:
    """Not since the start; an interval that is not over yet is not among them."""
    ticks = Ticks()
    counters = dict.fromkeys(t.COUNTER_NAMES, 0)
    record(words, t.stage("app_book"), 100)
    ticks.see(1, 5, t.histograms(words), counters, 0)
    for _ in range(3):
        record(words, t.stage("app_book"), 700)
    counters |= {"hiccups": 2, "hiccup_total_ns": 50_000}
    ticks.see(1 + TICK_NS, 6, t.histograms(words), counters, 1)
    found = ticks.see(2 + TICK_NS, 7, t.histograms(words), counters, 9)

    (tick,) = found
    assert (tick.recorded_ns, tick.span_ns, tick.hiccups, tick.away_ns, tick.gaps) == (6, TICK_NS, 2, 50_000, 1)
    assert {name: (count, highest) for name, (count, _, _, highest) in tick.stages.items()} == {"app_book": (3, 700)}


def test_an_interval_ends_where_the_run_begins_to_stand(words: Words) -> None:
    """However short it is; while it stands there are none, and the next one begins when it goes on."""
    ticks = Ticks()
    counters = dict.fromkeys(t.COUNTER_NAMES, 0)
    assert ticks.see(1, 5, t.histograms(words), counters, 0, last=True) == ()
    ticks.see(2, 5, t.histograms(words), counters, 0)
    ticks.see(9, 6, t.histograms(words), counters, 0, last=True)
    stood = ticks.see(9 + 5 * TICK_NS, 6, t.histograms(words), counters, 0, last=True)
    assert [tick.span_ns for tick in stood] == [7]
    ticks.see(9 + 6 * TICK_NS, 6, t.histograms(words), counters, 0)
    found = ticks.see(9 + 7 * TICK_NS, 7, t.histograms(words), counters, 0)
    assert [tick.span_ns for tick in found] == [7, TICK_NS]


def test_time_stands_when_the_run_has_ended(words: Words, reader: Reader) -> None:
    """The rate's course and the intervals of latency are what they were; the last figures are exact."""
    for _ in range(3):
        reader.snapshot()
    record(words, t.stage("app_book"), 100)
    words[t.STATE] = t.ENDED
    ended = reader.snapshot()
    later = reader.snapshot()
    assert len(ended.rate_history) == len(later.rate_history) == 3
    assert next(stage for stage in ended.stages if stage.name == "app_book").count == 1
    assert later.ticks == ended.ticks


def test_processes_of_the_run_are_told_with_their_share_of_a_core(words: Words, reader: Reader) -> None:
    """This one is among them; a process that is gone has a share below nought."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    words[t.PID] = child
    first = reader.snapshot()
    deadline = time.monotonic_ns() + 2 * SHARES_NS
    while time.monotonic_ns() < deadline and reader.snapshot().processes == first.processes:
        sum(range(100_000))
    shares = {process.name: process.share for process in reader.snapshot().processes}

    assert shares["receiver"] < 0
    assert 0 < shares["terminal"] < os.cpu_count() + 1
