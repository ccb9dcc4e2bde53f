"""One telemetry block for several workers: what readers look at, gathered from a block of each worker's own.

Counters, histograms and anomalies are added up; lines and channels are those of the channel's owner; gaps, instruments
and leased books are joined. Whoever reads it sees one receiver.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.feed.layout import LAG_WORDS
from simbench.kernel.pure import kernel, store_release
from simbench.measure import telemetry as t
from simbench.measure.histogram import SIZE, Histogram
from simbench.measure.worst import kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

FRAMES: Final = t.counter("frames")
HICCUPS: Final = t.counter("hiccups")
DROPS: Final = [t.counter(name) for name in t.COUNTER_NAMES if name.startswith("drop_")]
LONGEST: Final = t.counter("hiccup_longest_ns")
COUNTERS: Final = slice(t.COUNTER_BASE, t.STAGE_BASE)  # the anomalies are behind the counters
GAPS_AGAIN: Final = 64  # of the newest rows: a part may still have changed them


class Whole:
    """Gathers.

    Args:
        whole: the block that readers have.
        parts: one of each worker's own, by queue.
        owners: the queue of each channel, by its number.
    """

    def __init__(self, whole: Words, parts: Sequence[Words], owners: Sequence[int]) -> None:
        self._whole = whole
        self._parts = parts
        self._owners = owners
        self._gaps: list[tuple[int, int]] = []  # queue and number there of every gap, in the order of their sight
        self._seen = [0 for _ in parts]  # gaps of each part
        self._instruments: list[tuple[int, int]] = []  # queue and row there
        self._rows: list[list[int]] = [[] for _ in parts]  # row here of each of a part's instruments
        whole[t.PID] = os.getpid()
        for word in (t.LINES, t.CHANNELS):
            whole[word] = parts[0][word]

    def gather(self) -> None:
        """Bring the whole up to date."""
        whole, parts = self._whole, self._parts
        started = [int(part[t.STARTED]) for part in parts if part[t.STARTED]]
        whole[t.STARTED] = min(started, default=0)
        for word in (t.LATEST, t.REPLAY_NOW):
            whole[word] = max(int(part[word]) for part in parts)
        whole[COUNTERS] = sum(part[COUNTERS] for part in parts)
        whole[LONGEST] = max(int(part[LONGEST]) for part in parts)
        for name, _ in t.STAGES:
            base = t.stage(name)
            merged = Histogram.merged(Histogram(part[base : base + SIZE]) for part in parts)
            whole[base : base + SIZE] = merged.words
        self._gather_lines()
        self._gather_gaps()
        self._gather_instruments()
        self._gather_worst()
        self._gather_loads()
        for slot in range(t.SLOTS):
            self._gather_slot(t.SLOT_BASE + slot * t.SLOT_WORDS)
        _release(whole, t.BEAT, time.monotonic_ns())

    def _gather_lines(self) -> None:
        whole = self._whole
        for row in range(int(whole[t.LINES])):
            base = t.LINE_BASE + row * t.LINE_WORDS
            channel = int(self._parts[0][base + t.LINE_CHANNEL])
            part = self._parts[self._owners[channel]]
            whole[base : base + t.LINE_WORDS] = part[base : base + t.LINE_WORDS]
            base = t.LAG_BASE + row * LAG_WORDS
            whole[base : base + LAG_WORDS] = part[base : base + LAG_WORDS]
        for channel, owner in enumerate(self._owners[: t.CHANNEL_ROWS]):
            base = t.CHANNEL_BASE + channel * t.CHANNEL_WORDS
            whole[base : base + t.CHANNEL_WORDS] = self._parts[owner][base : base + t.CHANNEL_WORDS]

    def _gather_gaps(self) -> None:
        whole, known = self._whole, self._gaps
        for queue, part in enumerate(self._parts):
            count = int(part[t.GAPS])
            known += [(queue, number) for number in range(self._seen[queue], count)]
            self._seen[queue] = count
        first = max(0, min(int(whole[t.GAPS]), len(known) - GAPS_AGAIN), len(known) - t.GAP_ROWS)
        for number in range(first, len(known)):
            queue, there = known[number]
            source = t.GAP_BASE + there % t.GAP_ROWS * t.GAP_WORDS
            row = t.GAP_BASE + number % t.GAP_ROWS * t.GAP_WORDS
            if there >= self._parts[queue][t.GAPS] - t.GAP_ROWS:
                whole[row : row + t.GAP_WORDS] = self._parts[queue][source : source + t.GAP_WORDS]
        for word in (t.GAPS_LOST, t.GAPS_FILLED):
            whole[word] = sum(int(part[word]) for part in self._parts)
        _release(whole, t.GAPS, len(known))
        rows = [part[t.OPEN_BASE : t.OPEN_BASE + int(part[t.GAPS_OPEN]) * t.GAP_WORDS].copy() for part in self._parts]
        opened = np.concatenate(rows)[: t.OPEN_ROWS * t.GAP_WORDS]
        whole[t.OPEN_BASE : t.OPEN_BASE + len(opened)] = opened
        _release(whole, t.GAPS_OPEN, len(opened) // t.GAP_WORDS)

    def _gather_instruments(self) -> None:
        whole = _directory(self._whole)
        for queue, part in enumerate(self._parts):
            rows, count = self._rows[queue], int(part[t.INSTRUMENTS])
            for row in range(len(rows), count):
                if len(self._instruments) == t.INSTRUMENT_ROWS:
                    break
                rows.append(len(self._instruments))
                self._instruments.append((queue, row))
            whole[rows] = _directory(part)[: len(rows)]
        _release(self._whole, t.INSTRUMENTS, len(self._instruments))

    def _gather_worst(self) -> None:
        """Keep those that took longest of any queue; those of a queue that is writing its own come the next time."""
        found = [rows for part in self._parts if (rows := kept(part)) is not None]
        if len(found) < len(self._parts):
            return
        rows = np.concatenate(found)
        rows = rows[(-rows[:, t.WORST_NS]).argsort(kind="stable")][: t.WORST_ROWS]
        whole, start = self._whole, t.WORST_BASE + t.WORST_HEAD
        if np.array_equal(rows.reshape(-1), whole[start : start + rows.size]):
            return
        _release(whole, t.WORST_BASE + t.WORST_LOCK, int(whole[t.WORST_BASE + t.WORST_LOCK]) + 1)
        whole[start : start + rows.size] = rows.reshape(-1)
        whole[t.WORST_BASE + t.WORST_KEPT] = len(rows)
        _release(whole, t.WORST_BASE + t.WORST_LOCK, int(whole[t.WORST_BASE + t.WORST_LOCK]) + 1)

    def _gather_loads(self) -> None:
        whole, base = self._whole, t.stage("app_book")
        for queue, part in enumerate(self._parts[: t.LOAD_ROWS]):
            p50, p99 = Histogram(part[base : base + SIZE].copy()).percentiles(50, 99)
            row = t.LOAD_BASE + queue * t.LOAD_WORDS
            whole[row + t.LOAD_FRAMES] = part[FRAMES]
            whole[[row + t.LOAD_P50, row + t.LOAD_P99]] = p50, p99
            whole[row + t.LOAD_HICCUPS] = part[HICCUPS]
            whole[row + t.LOAD_DROPS] = part[DROPS].sum()
        whole[t.QUEUES] = min(len(self._parts), t.LOAD_ROWS)

    def _gather_slot(self, base: int) -> None:
        """Lease a book where its instrument is, and copy it from there when all of it is of one version."""
        whole = self._whole
        wanted = int(whole[base + t.SLOT_WANTED])
        place = self._instruments[wanted - 1] if 0 < wanted <= len(self._instruments) else None
        for queue, part in enumerate(self._parts):
            if place is None or queue != place[0]:
                part[base + t.SLOT_WANTED] = 0
        if place is None:
            return
        queue, row = place
        slot = self._parts[queue][base : base + t.SLOT_WORDS]
        slot[t.SLOT_LEASED] = whole[base + t.SLOT_LEASED]
        slot[t.SLOT_WANTED] = row + 1
        slot[t.QUEUE_WANTED : t.QUEUE_AT + 1] = whole[base + t.QUEUE_WANTED : base + t.QUEUE_AT + 1]
        copy = slot.copy()
        if copy[t.SLOT_LOCK] % 2 or slot[t.SLOT_LOCK] != copy[t.SLOT_LOCK] or copy[t.SLOT_SHOWN] != row + 1:
            return
        _release(whole, base + t.SLOT_LOCK, int(whole[base + t.SLOT_LOCK]) + 1)
        whole[base + t.SLOT_SHOWN] = wanted
        whole[base + t.SLOT_SHOWN + 1 : base + t.SLOT_QUEUE] = copy[t.SLOT_SHOWN + 1 : t.SLOT_QUEUE]
        whole[base + t.QUEUE_SHOWN : base + t.SLOT_WORDS] = copy[t.QUEUE_SHOWN :]  # what is asked is the reader's
        _release(whole, base + t.SLOT_LOCK, int(whole[base + t.SLOT_LOCK]) + 1)


@kernel
def _release(words: Words, index: int, value: int) -> None:
    """Store words[index] after everything that was stored before it."""
    store_release(words, index, value)


def _directory(block: Words) -> Words:
    rows = block[t.INSTRUMENT_BASE : t.INSTRUMENT_BASE + t.INSTRUMENT_ROWS * t.INSTRUMENT_WORDS]
    return rows.reshape(t.INSTRUMENT_ROWS, t.INSTRUMENT_WORDS)
