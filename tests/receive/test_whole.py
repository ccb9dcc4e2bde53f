"""Telemetry of several workers as that of one: sums, owners' rows, joined gaps and instruments, leased books."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simbench.measure import telemetry as t
from simbench.measure.histogram import SIZE, Histogram
from simbench.measure.loads import Loads
from simbench.measure.snapshot import LoadView
from simbench.receive.whole import Whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]


def blocks(count: int = 2) -> tuple[Words, list[Words]]:
    """Return an empty whole and its parts, which know a line of each of two channels."""
    parts = [np.zeros(t.WORDS, np.int64) for _ in range(count)]
    for part in parts:
        part[t.LINES] = part[t.CHANNELS] = 2
        for channel in range(2):
            part[t.LINE_BASE + channel * t.LINE_WORDS + t.LINE_CHANNEL] = channel
    return np.zeros(t.WORDS, np.int64), parts


def add_gap(part: Words, first: int) -> None:
    """Write the next gap record of a part."""
    row = t.GAP_BASE + int(part[t.GAPS]) % t.GAP_ROWS * t.GAP_WORDS
    part[row + t.GAP_FIRST] = first
    part[t.GAPS] += 1
    part[t.GAPS_LOST] += 1


def gaps(whole: Words) -> list[int]:
    """Return the first sequences of the newest gaps, in their order."""
    total = int(whole[t.GAPS])
    rows = range(max(0, total - t.GAP_ROWS), total)
    return [int(whole[t.GAP_BASE + row % t.GAP_ROWS * t.GAP_WORDS + t.GAP_FIRST]) for row in rows]


def test_counters_and_histograms_are_added_up() -> None:
    """The longest hiccup is the longest of all; the first frame is that of the queue that had it first."""
    whole, parts = blocks()
    for number, part in enumerate(parts, 1):
        part[t.counter("frames")] = 10 * number
        part[t.counter("hiccup_longest_ns")] = 100 * number
        part[t.ANOMALY_BASE] = number
        part[[t.STARTED, t.LATEST, t.REPLAY_NOW]] = 5 * number, 7 * number, 9 * number
        base = t.stage("app_book")
        Histogram(part[base : base + SIZE]).record(1000 * number)
    Whole(whole, parts, (0, 1)).gather()

    assert whole[t.counter("frames")] == 30
    assert whole[t.counter("hiccup_longest_ns")] == 200
    assert whole[t.ANOMALY_BASE] == 3
    assert whole[[t.STARTED, t.LATEST, t.REPLAY_NOW]].tolist() == [5, 14, 18]
    assert t.histograms(whole)["app_book"].percentiles(0, 100) == [1003, 2000]
    assert whole[t.BEAT] > 0


def test_lines_and_channels_are_their_owners() -> None:
    """What the other queue's receiver says of a channel that is not its own is not looked at."""
    whole, parts = blocks()
    for number, part in enumerate(parts):
        for channel in range(2):
            part[t.LINE_BASE + channel * t.LINE_WORDS + t.LINE_DATAGRAMS] = 100 * number + channel
            part[t.CHANNEL_BASE + channel * t.CHANNEL_WORDS + t.CHANNEL_STATE] = 10 * number + channel
    Whole(whole, parts, (1, 0)).gather()

    assert [whole[t.LINE_BASE + c * t.LINE_WORDS + t.LINE_DATAGRAMS] for c in range(2)] == [100, 1]
    assert [whole[t.CHANNEL_BASE + c * t.CHANNEL_WORDS + t.CHANNEL_STATE] for c in range(2)] == [10, 1]


def test_gaps_are_joined_in_the_order_of_their_sight() -> None:
    """Also beyond what a ring holds, and a record that changes later is changed here; holes stand side by side."""
    whole, parts = blocks()
    gatherer = Whole(whole, parts, (0, 1))
    add_gap(parts[0], 1)
    gatherer.gather()
    add_gap(parts[0], 2)
    add_gap(parts[1], 3)
    gatherer.gather()
    add_gap(parts[0], 4)
    parts[0][t.GAP_BASE + t.GAP_WORDS + t.GAP_FIRST] = 20
    for part in parts:
        part[t.GAPS_OPEN] = 1
        part[t.OPEN_BASE + t.GAP_FIRST] = 70 + int(part is parts[1])
    gatherer.gather()

    assert gaps(whole) == [1, 20, 3, 4]
    assert whole[t.GAPS_LOST] == 4
    assert whole[t.GAPS_OPEN] == 2
    assert [whole[t.OPEN_BASE + row * t.GAP_WORDS + t.GAP_FIRST] for row in range(2)] == [70, 71]

    for first in range(100, 100 + t.GAP_ROWS + 10):
        add_gap(parts[1], first)
        if first % 40 == 0:
            gatherer.gather()
    gatherer.gather()
    assert gaps(whole) == list(range(110, 100 + t.GAP_ROWS + 10))


def test_a_book_is_leased_where_its_instrument_is() -> None:
    """A reader asks by the row here; the part is asked by its own, and others of them are no longer."""
    whole, parts = blocks()
    gatherer = Whole(whole, parts, (0, 1))
    for number, part in enumerate(parts):
        for row in range(2):
            part[t.INSTRUMENT_BASE + row * t.INSTRUMENT_WORDS + t.INSTRUMENT_KEY] = 100 * number + row
        part[t.INSTRUMENTS] = 2 - number
    gatherer.gather()
    parts[1][t.INSTRUMENTS] = 2
    gatherer.gather()
    rows = [int(whole[t.INSTRUMENT_BASE + row * t.INSTRUMENT_WORDS + t.INSTRUMENT_KEY]) for row in range(4)]
    assert rows == [0, 1, 100, 101]

    slot = t.SLOT_BASE + 3 * t.SLOT_WORDS
    for wanted, queue, row in ((3, 1, 0), (2, 0, 1)):
        whole[slot + t.SLOT_WANTED], whole[slot + t.SLOT_LEASED] = wanted, 77
        gatherer.gather()
        assert [part[slot + t.SLOT_WANTED] for part in parts] == [row + 1 if each == queue else 0 for each in range(2)]
        assert parts[queue][slot + t.SLOT_LEASED] == 77
        parts[queue][slot + t.SLOT_SHOWN] = row + 1
        parts[queue][slot + t.SLOT_LADDER] = 5000 + wanted
        parts[queue][slot + t.SLOT_LOCK] = 1  # it is being written
        gatherer.gather()
        assert whole[slot + t.SLOT_SHOWN] != wanted
        parts[queue][slot + t.SLOT_LOCK] = 2
        gatherer.gather()
        assert (whole[slot + t.SLOT_SHOWN], whole[slot + t.SLOT_LADDER]) == (wanted, 5000 + wanted)
        assert whole[slot + t.SLOT_LOCK] % 2 == 0


def test_each_queue_says_what_it_did() -> None:
    """Beside the sums: frames, its handler's percentiles, hiccups and drops, and its rate to whoever looks twice."""
    whole, parts = blocks()
    gatherer, loads = Whole(whole, parts, (0, 1)), Loads(whole)
    assert loads.look(0.0) == ()
    base = t.stage("app_book")
    for number, part in enumerate(parts, 1):
        part[t.counter("frames")] = 10 * number
        part[t.counter("hiccups")] = number
        part[[t.counter("drop_fill_empty"), t.counter("drop_link_dropped")]] = number, 5
        Histogram(part[base : base + SIZE]).record(100 * number)
    gatherer.gather()
    assert loads.look(0.0) == (LoadView(0, 10, 0.0, 100, 100, 1, 6), LoadView(1, 20, 0.0, 200, 200, 2, 7))
    parts[1][t.counter("frames")] = 80
    gatherer.gather()
    assert [view.rate for view in loads.look(0.5)] == [0.0, 120.0]
