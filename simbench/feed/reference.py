"""The sequencer once more, for tests: one stream, one unit at a time, sets and lists, slow and obvious.

It knows joining, arbitration, holes and their ends, a full slab, and epochs that announce themselves by a new session
with a sent time or by a reset; of doubts it knows nothing, so tests that compare with it do not raise any. Requests and
their answers are in reference_requests.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from simbench.feed.layout import RETRANSMITTED
from simbench.feed.state import Settings

START_SESSIONS_AT = 1


class Packet(NamedTuple):
    """What one line brings: units 0 is a heartbeat that names the next sequence."""

    first: int
    units: int
    session: int = 0
    sent: int = 0
    digest: int = 0
    reset: bool = False
    broken: int | None = None  # which of its units, from 0, and all behind it, cannot be decoded


@dataclass
class Hole:
    """A range that is waited for, without a unit in between that is not, and the line that revealed it."""

    units: list[int]
    detected: int
    line: int
    damaged: bool = False
    state: str = "waiting"
    deadline: int = 0
    tries: int = 0
    requests: int = 0


@dataclass
class Line:
    """What one line brought in the epoch it is in, and what it missed in those before."""

    epoch: int = -1
    brought: set[int] = field(default_factory=set)
    start: int = 0
    following: int = 0
    missed: dict[int, set[int]] = field(default_factory=dict)
    won: int = 0
    duplicates: int = 0
    late: int = 0
    conflicts: int = 0
    before_start: int = 0
    heartbeats: int = 0


@dataclass
class Epoch:
    """A run of one sequence: which units came out, and which were given up."""

    session: int
    first: int
    delivered: list[int] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)


class Reference:
    """A stream of so many lines.

    Args:
        lines: how many.
        settings: as the sequencer's.
    """

    def __init__(self, lines: int, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.lines = [Line() for _ in range(lines)]
        self.epochs: list[Epoch] = []
        self.out: list[tuple[int, int, Packet]] = []
        self.ended: dict[tuple[int, int], tuple[str, str]] = {}  # (outcome, cause) of each unit that was missing
        self.late: Counter[tuple[int, int]] = Counter()  # how often each lost unit came after all
        self._joining = False
        self._joined = 0
        self._expected = 0
        self._top = 0
        self._sent = 0
        self._before = 0  # sent time of the last that was delivered before the epoch
        self.endings = 0  # units that ended so: more than once where what filled them could not be decoded
        self._now = 0
        self._held: list[tuple[Packet, int]] = []  # and the line that brought it, or RETRANSMITTED
        self._broken: tuple[Packet, int] | None = None  # delivered, but not to its end
        self._holes: list[Hole] = []
        self._digests: dict[int, tuple[int, int]] = {}

    @property
    def epoch(self) -> Epoch:
        """Return the epoch at hand."""
        return self.epochs[-1]

    def offer(self, number: int, packet: Packet, now: int) -> None:
        """Take one packet of a line."""
        self.tick(now)
        line = self.lines[number]
        if not self.epochs or self._begins(packet):
            self._begin(packet, now)
        elif packet.session != self.epoch.session:
            self._be_late(line, packet)
            return
        self._make_room(packet)
        if line.epoch != len(self.epochs) - 1:
            self._enter(line, packet.first)
        line.brought |= set(range(packet.first, packet.first + packet.units))
        line.start = min(line.start, packet.first) if packet.units and self._joining else line.start
        line.following = max(line.following, packet.first + packet.units)
        if packet.units == 0:
            line.heartbeats += 1
            self._reveal(packet.first, now, number)
        elif packet.first + packet.units <= self.epoch.first and not self._joining:
            line.before_start += 1
        else:
            self._arrive(number, packet, now)
        if self.epoch.first == START_SESSIONS_AT:
            self._joining = False
        self._limit()
        self._limit_waits()
        self._break_off()
        self._move_on()

    def tick(self, now: int) -> None:
        """Let time pass."""
        self._now = now
        if self._joining and now >= self._joined + self.settings.wait_ns:
            self._joining = False
        if not self._joining:
            self._end_waits(now)
        self._move_on()

    def _end_waits(self, now: int) -> None:
        while self._holes and now >= self._holes[0].detected + self.settings.wait_ns:
            self._give_up("time")

    def finish(self) -> None:
        """End the data."""
        self._joining = False
        self._end_all("end of data")
        for line in self.lines:
            if line.epoch == len(self.epochs) - 1:
                line.following = max(line.following, self._top)

    def _end_all(self, cause: str) -> None:
        """Let everything go on; what turns out to be damaged then is lost as well."""
        self._move_on()
        while self._holes:
            while self._holes:
                self._give_up(cause)
            self._move_on()

    def missing(self, number: int) -> list[tuple[int, int]]:
        """Return (epoch, unit) of all that a line missed so far."""
        line = self.lines[number]
        missed = dict(line.missed)
        if line.epoch >= 0:
            start = (
                line.start if self._joining and line.epoch == len(self.epochs) - 1 else self.epochs[line.epoch].first
            )
            missed[line.epoch] = set(range(start, line.following)) - line.brought
        return sorted((epoch, unit) for epoch, units in missed.items() for unit in units)

    def _begins(self, packet: Packet) -> bool:
        if packet.reset:
            return packet.sent > self._sent
        known = any(packet.session == epoch.session for epoch in self.epochs)
        return not known and packet.sent > self._sent

    def _begin(self, packet: Packet, now: int) -> None:
        if self.epochs:
            self._joining = False
            self._end_all("restart")
            self._before = self._sent
        near = START_SESSIONS_AT <= packet.first <= START_SESSIONS_AT + self.settings.distance
        known = bool(self.epochs) and (near or packet.reset)
        first = START_SESSIONS_AT if known and not packet.reset else packet.first
        self.epochs.append(Epoch(packet.session, first))
        self._joining = not known and first != START_SESSIONS_AT
        self._joined = now
        self._expected = self._top = first
        self._sent = packet.sent
        self._digests = {}

    def _enter(self, line: Line, first: int) -> None:
        if line.epoch >= 0:
            former = self.epochs[line.epoch]
            last = max([*former.delivered, *former.lost, former.first - 1])
            line.missed[line.epoch] = set(range(former.first, max(line.following, last + 1))) - line.brought
        line.epoch = len(self.epochs) - 1
        line.brought = set()
        line.start = first if self._joining else self.epoch.first
        line.following = first

    def _be_late(self, line: Line, packet: Packet) -> None:
        if line.epoch >= 0 and self.epochs[line.epoch].session == packet.session:
            line.brought |= set(range(packet.first, packet.first + packet.units))
            self._note_late(line.epoch, packet)
            line.following = max(line.following, packet.first + packet.units)
        if packet.units == 0:
            line.heartbeats += 1
        else:
            line.late += 1

    def _note_late(self, epoch: int, packet: Packet) -> bool:
        units = self.epochs[epoch].lost & set(range(packet.first, packet.first + packet.units))
        self.late.update((epoch, unit) for unit in units)
        return bool(units)

    def _make_room(self, packet: Packet) -> None:
        """Give up what this packet would have to wait for, while no slot is free for it."""
        while packet.units and len(self._held) >= self.settings.room:
            self._joining = False
            self._move_on()
            if len(self._held) < self.settings.room:
                return
            units = range(packet.first, packet.first + packet.units)
            fresh = {unit for unit in units if unit >= self._top} | self._missing() & set(units)
            if not fresh or packet.first <= self._expected or not self._holes:
                return
            self._give_up("slab full")

    def _missing(self) -> set[int]:
        return {unit for hole in self._holes for unit in hole.units}

    def _arrive(self, number: int, packet: Packet, now: int) -> None:
        line = self.lines[number]
        units = range(packet.first, packet.first + packet.units)
        if self._joining and packet.first < self._expected:
            between = list(range(packet.first + packet.units, self._expected))
            self._holes[:0] = [Hole(between, now, number)] if between else []
            fresh = set(units) & set(range(packet.first, self._expected))
            self._expected = self.epoch.first = packet.first
        else:
            fresh = set()
        again = self._digests.get(packet.first) == (packet.units, packet.digest)
        waited = set() if again else self._missing()
        fresh |= {unit for unit in units if unit in waited or unit >= self._top}
        self._reveal(packet.first, now, number)
        self._top = max(self._top, packet.first + packet.units)
        if not again:
            self._fill(set(units), number)
        if fresh:
            line.won += 1
            self._digests[packet.first] = packet.units, packet.digest
            self._take(packet, number)
        elif self._note_late(len(self.epochs) - 1, packet):
            line.late += 1
        elif self._conflicts(packet):
            line.conflicts += 1
        else:
            line.duplicates += 1

    def _take(self, packet: Packet, number: int) -> None:
        """Deliver a packet, or hold it until what is before it has come."""
        if self._joining or packet.first > self._expected:
            self._held.append((packet, number))
        else:
            self._deliver(packet, number)

    def _deliver(self, packet: Packet, number: int) -> None:
        while self._expected < packet.first + packet.units:
            if packet.broken is not None and self._expected >= packet.first + packet.broken:
                self._broken = packet._replace(broken=self._expected), number
                self._expected = packet.first + packet.units
                break
            self.out.append((len(self.epochs) - 1, self._expected, packet))
            self.epoch.delivered.append(self._expected)
            self._expected += 1
        self._sent = self._sent if number == RETRANSMITTED else packet.sent

    def _break_off(self) -> None:
        """Miss what could not be decoded of the packet that was just delivered."""
        if self._broken is None:
            return
        packet, number = self._broken
        self._broken = None
        bad = list(range(packet.broken or 0, packet.first + packet.units))
        current = len(self.epochs) - 1
        if number == RETRANSMITTED:
            self.epoch.lost |= set(bad)
            self._end(bad, "lost", "malformed")
            return
        if self.lines[number].epoch == current:
            self.lines[number].brought -= set(bad)
        hole = Hole(bad, self._now, number, damaged=True)
        if self._holes and self._holes[0].state != "waiting":
            hole.state = "wanted"
        self._holes.insert(0, hole)
        self._expected = bad[0]
        for held, line in sorted(self._held, key=lambda one: one[0].first):
            if held.first <= bad[-1]:
                self._fill(set(range(held.first, held.first + held.units)), line)
        self._limit_waits()

    def _conflicts(self, packet: Packet) -> bool:
        units, digest = self._digests.get(packet.first, (0, 0))
        return units == packet.units and digest != packet.digest

    def _reveal(self, following: int, now: int, number: int) -> None:
        if following > self._top:
            self._holes.append(Hole(list(range(self._top, following)), now, number))
            self._top = following

    def _fill(self, units: set[int], number: int) -> None:
        holes = []
        for hole in self._holes:
            filled = set(hole.units) & units
            for unit in filled:
                self._end([unit], self._outcome(hole, number), "filled")
            runs: list[list[int]] = []
            for unit in hole.units:
                if unit in units:
                    continue
                if runs and runs[-1][-1] == unit - 1:
                    runs[-1].append(unit)
                else:
                    runs.append([unit])
            holes += [self._rest(replace(hole, units=run), number) if filled else hole for run in runs]
        self._holes = holes

    def _end(self, units: list[int], outcome: str, cause: str) -> None:
        for unit in units:
            self.ended[len(self.epochs) - 1, unit] = outcome, cause
            self.endings += 1

    def _outcome(self, hole: Hole, number: int) -> str:
        return "reorder" if number == hole.line else "other line"

    def _rest(self, hole: Hole, _number: int) -> Hole:
        return hole

    def _limit_waits(self) -> None:
        """End waits that have become too long, where what is missing is asked for."""

    def _limit(self) -> None:
        blocked = self._blocked()
        if self._joining:
            self._joining = len(self._held) <= self.settings.count
            return
        while self._holes and self._top - self._holes[0].units[0] > self.settings.distance:
            self._give_up("distance")
        if self._holes and max(blocked, len(self._holes)) > self.settings.count:
            self._give_up("count")

    def _blocked(self) -> int:
        """Return how many packets are held once those that can go on directly have gone."""
        start = self._holes[0].units[0] if self._holes else self._top
        return sum(packet.first > start for packet, _ in self._held)

    def _give_up(self, cause: str) -> None:
        hole = self._holes.pop(0)
        units, cause = hole.units, "malformed" if hole.damaged else cause
        self.epoch.lost |= set(units)
        self._end(units, "lost", cause)

    def _move_on(self) -> None:
        while not self._joining and self.epochs:
            while self._expected in self.epoch.lost:
                self._expected += 1
            ready = sorted((one for one in self._held if one[0].first <= self._expected), key=lambda one: one[0].first)
            if not ready:
                return
            packet, number = ready[0]
            self._held.remove(ready[0])
            if packet.first + packet.units > self._expected:
                self._deliver(packet, number)
                self._break_off()
