"""From a capture file to the sender's rings: everything before the start where it fits, else a thread that stays ahead.

A first reading surveys the capture: how many frames, from when to when, and how far a stamp lies behind the highest
before it. That distance makes sorting exact in bounded memory: a frame can go out as soon as the file is so much
further, since nothing that comes later can be earlier.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.address import address_of
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.kernel.pure import copy_bytes, kernel, load_acquire, store_release
from simbench.replay import control as c
from simbench.replay import rebuild as r
from simbench.replay import schedule as s
from simbench.replay.rows import CAPACITY, CROWDED, END, FAILED, LOADED, NEVER, ROW, TAKEN, join, new_feed
from simbench.replay.squeeze import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from simbench.capture.block import Block
    from simbench.capture.reader import Capture
    from simbench.faults.faults import Faults
    from simbench.recovery.snapshot_loop import Accompanied, Loops

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

RING_ROWS: Final = 1 << 18
RING_BYTES: Final = 1 << 26
LOOK_S: Final = 0.001  # how often a loader without room looks again

# Words of the filling side.
POSITION: Final = 0  # of the next row
WRITTEN: Final = 1  # bytes of the ring used since the start, what was left free at its end included
MARKS: Final = 2


def available_bytes() -> int:
    """Return the memory that this machine can give without swapping."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 30


class Loader:
    """Reads, chooses, rebuilds and orders the frames of a capture and hands them to the sender.

    Attributes:
        plan: what of the capture is sent, known after construction.
        resident: whether the whole schedule is in memory.
        rows: ROW[capacity], the ring of rows.
        data: uint8[n], the ring of bytes.
        feed: int64[FEED_WORDS] between this and the sender.
        line_of: by flow, the number of its line's name from 1; 0 none. Known after construction.
        foreseen: what the faults do and what has to be noticed of it; {} without faults.
    """

    def __init__(
        self,
        capture: Capture | Accompanied | Loops | str | PathLike[str],
        options: s.Options,
        endpoints: Sequence[s.Endpoint] = (),
        *,
        loops: int = 1,
        budget: int | None = None,
        faults: Faults | None = None,
        lines: Sequence[Sequence[s.Endpoint]] = (),
    ) -> None:
        """Survey the capture and load it where it fits.

        Args:
            capture: to replay, or its path.
            options: how it becomes a schedule.
            endpoints: whose frames are sent; none: all datagrams.
            loops: how often; 0 endless.
            budget: bytes that may be loaded; a quarter of the available memory where None.
            faults: what is done to the frames; nothing where None.
            lines: of each line's name, where its datagrams are sent to: what faults can be switched on for.
        """
        self.options = options
        self._faults = faults
        self._lines = lines
        self._choose = s.chooser(endpoints)
        self._capture = open_capture(capture) if isinstance(capture, str | PathLike) else capture
        path = str(self._capture.path)
        self.plan = self._survey(path)
        self.line_of = self._numbered()
        budget = available_bytes() // 4 if budget is None else budget
        self._pending_limit = max(budget, 1 << 22)
        self.resident = self._size() <= budget
        self.foreseen = {} if faults is None else self._foresee(faults)
        self.resident = self._size() <= budget
        share = max(budget // 2, 1 << 16)
        capacity = self.plan.frames if self.resident else max(1024, min(RING_ROWS, share // (ROW.itemsize + 8)))
        room = self.plan.bytes if self.resident else max(4 * options.max_frame, min(RING_BYTES, share))
        self.rows: Records = np.zeros(capacity, ROW)
        self.data: Bytes = np.zeros(max(room, 1), np.uint8)
        self.feed = new_feed(capacity, loops=loops, resident=self.resident)
        self._starts = np.zeros(capacity, np.int64)
        self._marks = np.zeros(MARKS, np.int64)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: Exception | None = None
        if self.resident:
            table = s.new_timetable()
            for rows, arena in self._scheduled():
                self._tell_times(rows, table)
                self._give(rows, arena)
            self.plan = replace(self.plan, span_ns=int(table[s.DUE]))
            if self._marks[POSITION] != self.plan.frames:
                raise SimbenchError(f"{path} changed while it was read: start again")

    def start(self, control: Words, *, position: int = 0, from_ns: int = s.UNBOUND, loop: int = 0) -> None:
        """Start the thread that stays ahead of the sender, at a recorded time; nothing to do for a resident one.

        Args:
            control: int64, the control block: how many loops are asked for.
            position: of the first row.
            from_ns: recorded ns; what is earlier is passed over in the first loop.
            loop: laps completed.
        """
        if self.resident:
            return
        self.stop()
        self._stop.clear()
        self._marks[:] = position, 0
        self.feed[[LOADED, TAKEN]] = position
        self.feed[END] = NEVER
        self.feed[CROWDED] = 0
        self._thread = threading.Thread(target=self._run, args=(control, from_ns, loop), name="loader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def find(self, recorded_ns: int) -> int:
        """Return the index of the first frame of this recorded time or later; the last one's where there is none.

        A schedule that is not resident is searched by reading; start() does that, and 0 is returned here.
        """
        if not self.resident:
            return 0
        later = self.rows["recorded"] >= recorded_ns
        return int(np.argmax(later)) if later.any() else len(self.rows) - 1

    def _run(self, control: Words, from_ns: int, loop: int) -> None:
        try:
            from_ns = min(from_ns, self.plan.last_ns)
            while not self._stop.is_set():
                table = s.new_timetable()
                for rows, arena in self._scheduled():
                    self._tell_times(rows, table)
                    # The first frame of that time or later and all that follow, as in a resident schedule.
                    first = int(np.argmax(rows["recorded"] >= from_ns)) if from_ns != s.UNBOUND else 0
                    if from_ns != s.UNBOUND and rows["recorded"][first] < from_ns:
                        continue
                    from_ns = s.UNBOUND
                    self._give(rows[first:], arena)
                    if self._stop.is_set():
                        return
                loop += 1
                while 0 < control[c.LOOPS] <= loop and not self._stop.wait(LOOK_S):
                    self.feed[END] = self._marks[POSITION]
                self.feed[END] = NEVER
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender has to hear of it
            self.error = error
            self.feed[FAILED] = 1

    def _give(self, rows: Records, arena: Bytes) -> None:
        done = fill(rows, arena, 0, self.rows, self.data, self._starts, self.feed, self._marks)
        while done < len(rows):
            self.feed[CROWDED] = 1
            if self._stop.wait(LOOK_S):
                return
            done = fill(rows, arena, done, self.rows, self.data, self._starts, self.feed, self._marks)
        self.feed[CROWDED] = 0

    def _tell_times(self, rows: Records, table: Words) -> None:
        """Fill in when the next rows are due."""
        stamps = squeeze(np.ascontiguousarray(rows["recorded"]), self.options.windows)
        s.timetable(rows, stamps, table, self.options.max_idle_ns)

    def _size(self) -> int:
        """Return the bytes that the whole schedule takes."""
        return self.plan.frames * (ROW.itemsize + 8) + self.plan.bytes

    def _survey(self, path: str) -> s.Plan:
        words = s.new_survey()
        counters = np.zeros(r.COUNTERS, np.int64)
        self._dissector = Dissector()
        for rows, _ in self._chosen(counters):
            s.survey(rows, words)
        if words[s.SEEN] == 0:
            left = ", ".join(f"{n:,} {k}" for k, n in _named(counters, r.LEFT_OUT).items()) or "no frames at all"
            raise SimbenchError(f"{path} has nothing to replay ({left}): look at simbench info, or replay with --all")
        flows = self._dissector.flows
        changed = r.sources(flows)
        moved = [
            (
                f"{address_of(was, 'group')}:{was['port']}",
                str(address_of(was, "source")),
                str(address_of(now, "source")),
            )
            for was, now in zip(flows, changed, strict=True)
            if self._choose(was) and address_of(was, "source") != address_of(now, "source")
        ]
        return s.Plan(
            frames=int(counters[r.CHOSEN]),
            bytes=int(counters[r.BYTES]),
            captured=self._capture.frames,
            first_ns=int(words[s.FIRST]),
            last_ns=int(words[s.HIGHEST]),
            moved=int(words[s.MOVED]) if self.options.order == "time" else 0,
            backward=int(words[s.BACKWARD]),
            farthest_ns=int(words[s.FARTHEST]),
            left_out=_named(counters, r.LEFT_OUT),
            kept_wrong=int(counters[r.KEPT_WRONG]),
            unseen=_named(counters, r.UNSEEN),
            sources=() if self.options.as_recorded else tuple(moved),
            problem=self._capture.problem,
        )

    def _numbered(self) -> list[int]:
        choosers = [s.chooser(ends) for ends in self._lines]
        return [
            next((number for number, chosen in enumerate(choosers, 1) if chosen(flow)), 0)
            for flow in self._dissector.flows
        ]

    def _chosen(self, counters: Words) -> Iterator[tuple[Records, Bytes]]:
        """Yield what is sent of each block, in file order; valid until the next."""
        options = self.options.words()
        if self._faults is not None:  # what they do does not depend on the window, which is cut out of it
            options[[r.FROM, r.TO]] = s.UNBOUND, s.FOREVER
        out = np.empty(0, np.uint8)
        rows = np.zeros(0, ROW)
        wanted = np.zeros(0, np.uint8)
        changed = self._dissector.flows[:0]
        for block in self._capture.blocks():
            known = self._dissector.dissect(block)
            flows = self._dissector.flows
            if known != len(wanted):
                wanted = np.array([self._choose(flow) for flow in flows], np.uint8)
                changed = r.sources(flows)
            need = _room(block)
            if need > len(out):
                out = np.empty(need, np.uint8)
            if len(block.frames) > len(rows):
                rows = np.zeros(len(block.frames), ROW)
            count = r.rebuild(block.data, block.frames, flows, changed, wanted, options, counters, rows, out)
            if count:
                yield rows[:count], out

    def _scheduled(self) -> Iterator[tuple[Records, Bytes]]:
        """Yield what is sent, in the order in which it is; valid until the next."""
        if self._faults is None:
            return self._ordered()
        return self._faults.applied(self._ordered(), lambda: self._dissector.flows)

    def _foresee(self, faults: Faults) -> dict[str, Any]:
        """Find out what the faults come to, and make it the plan."""
        words = s.new_survey()
        sent = np.zeros(2, np.int64)

        def take(rows: Records) -> None:
            s.survey(rows, words)
            sent[:] += len(rows), int(rows["length"].sum())

        found = faults.foresee(self._ordered(), lambda: self._dissector.flows, take)
        if sent[0] == 0:
            raise SimbenchError("nothing is left to replay: all of it is lost to the faults, or outside the window")
        self.plan = replace(
            self.plan,
            frames=int(sent[0]),
            bytes=int(sent[1]),
            first_ns=int(words[s.FIRST]),
            last_ns=int(words[s.HIGHEST]),
        )
        return found

    def _ordered(self) -> Iterator[tuple[Records, Bytes]]:
        """Yield what the capture holds of it, in the order in which it is sent; valid until the next."""
        counters = np.zeros(r.COUNTERS, np.int64)
        if self.options.order == "file" or self.plan.farthest_ns == 0:
            yield from self._chosen(counters)
            return
        rows, arena = np.zeros(0, ROW), np.zeros(0, np.uint8)
        highest = s.UNBOUND
        for more, out in self._chosen(counters):
            rows, arena = join(rows, arena, more, out)
            highest = max(highest, int(more["recorded"].max()))
            rows = rows[np.argsort(rows["recorded"], kind="stable")]
            final = int(np.searchsorted(rows["recorded"], highest - self.plan.farthest_ns, side="right"))
            if arena.nbytes > self._pending_limit and not self.resident:
                raise SimbenchError(
                    "the capture's stamps are too far out of order to sort it in the memory there is: use --order file"
                )
            if final:
                yield rows[:final], arena
                rows = rows[final:]
        if len(rows):
            yield rows, arena


def _room(block: Block) -> int:
    """Return the bytes that the frames of a block take at most once they are rebuilt."""
    return int(block.frames["captured"].sum(dtype=np.int64)) + r.HEADERS_6 * len(block.frames)


def _named(counters: Words, names: dict[str, int]) -> dict[str, int]:
    return {name: int(counters[word]) for name, word in names.items() if counters[word]}


@kernel
def fill(
    rows: Records, arena: Bytes, start: int, ring: Records, data: Bytes, starts: Words, feed: Words, marks: Words
) -> int:
    """Copy rows[start:] and their bytes into the rings as far as there is room; return the index of the first left.

    Args:
        rows: ROW[n], source points into arena.
        arena: uint8, their bytes.
        start: the first to copy.
        ring: ROW[capacity].
        data: uint8, the ring of bytes; a frame is never split.
        starts: int64[capacity]: bytes written before each row.
        feed: int64[FEED_WORDS].
        marks: int64[MARKS].
    """
    capacity = feed[CAPACITY]
    taken = load_acquire(feed, TAKEN)
    position = marks[POSITION]
    written = marks[WRITTEN]
    size = len(data)
    k = start
    while k < len(rows) and position - taken < capacity:
        length = int(rows[k]["length"])
        place = written % size
        begin = written
        if place + length > size:
            begin += size - place
            place = 0
        oldest = starts[taken % capacity] if taken < position else begin
        if begin + length - oldest > size:
            break
        copy_bytes(data, place, arena, rows[k]["source"], length)
        slot = position % capacity
        ring[slot] = rows[k]
        ring[slot]["source"] = place
        starts[slot] = written
        written = begin + length
        position += 1
        k += 1
    marks[POSITION] = position
    marks[WRITTEN] = written
    if feed[LOADED] != NEVER:
        store_release(feed, LOADED, position)
    return k
