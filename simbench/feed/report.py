"""What can be read out of a sequencer: lines, gaps, epochs and counters, in the shape of `book --json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.feed import layout as at
from simbench.feed.lags import lag_base
from simbench.feed.layout import NIL
from simbench.feed.status import channel_state, line_state
from simbench.feed.streams import channel_base, stream_base
from simbench.feed.wrap import on_wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from simbench.feed.layout import Bytes, Words

COUNTERS: Final = {
    "datagrams": at.L_DATAGRAMS,
    "won": at.L_WON,
    "duplicates": at.L_DUPLICATES,
    "late": at.L_LATE,
    "before_start": at.L_BEFORE,
    "conflicts": at.L_CONFLICTS,
    "heartbeats": at.L_HEARTBEATS,
    "reordered": at.L_REORDERED,
    "implausible": at.L_IMPLAUSIBLE,
    "unsequenced": at.L_UNSEQUENCED,
}


ANSWERS: Final = {
    "requests": at.C_REQUESTS,
    "answers": at.C_ANSWERS,
    "repaired_units": at.C_REPAIRED,
    "repeated_answers": at.C_REPEATED,
    "conflicting_answers": at.C_CONFLICTS,
    "late_answers": at.C_LATE,
    "unasked_answers": at.C_UNASKED,
    "crowded_answers": at.C_CROWDED,
}


@dataclass
class Report:
    """The state of all channels' arbitration, to be read.

    Attributes:
        memory: int64[n], see `layout`.
        slab: uint8[m], the messages of packets that wait.
    """

    memory: Words
    slab: Bytes

    def lines(
        self, channel: int, names: Sequence[tuple[str, str]] = (), now: int | None = None
    ) -> list[dict[str, Any]]:
        """Return what each line of a channel brought, over all streams and epochs, in the shape of `book --json`.

        Args:
            channel: its number.
            names: (name, group) of each line; numbers where there are none.
            now: the time for which its state is told; that of the last packet where None.
        """
        then = self._latest() if now is None else now
        streams = list(self._streams(channel))
        found = []
        for line in range(self._lines(channel)):
            rows = [stream + at.LINES_AT + line * at.LINE_WORDS for stream in streams]
            name, group = names[line] if names else (str(line), "")
            stamps = [int(self.memory[row + at.L_FIRST_AT]) for row in rows]
            ranges = [pair for row in rows for pair in self._missing(row)]
            units = sum(last - first + 1 for first, last in ranges)
            found.append(
                {
                    "name": name,
                    "group": group,
                    "state": at.LINE_STATES[line_state(self.memory, channel, line, then)],
                    **{key: sum(int(self.memory[row + word]) for row in rows) for key, word in COUNTERS.items()},
                    "missing": [[self._wire(channel, end) for end in pair] for pair in ranges],
                    "missing_units": units,
                    "first_ns": _stamp(min((stamp for stamp in stamps if stamp != NIL), default=NIL)),
                    "last_ns": _stamp(
                        max((int(self.memory[row + at.L_LAST_AT]) for row in rows), default=NIL)
                        if any(stamp != NIL for stamp in stamps)
                        else NIL
                    ),
                }
            )
        return found

    def lags(self, channel: int) -> list[Words]:
        """Return how far each line of a channel lags behind the first copy of a packet: int64[LAG_WORDS], lags.py."""
        bases = (int(lag_base(self.memory, channel, line)) for line in range(self._lines(channel)))
        return [self.memory[base : base + at.LAG_WORDS] for base in bases]

    def gaps(self, channel: int, names: Sequence[str] = (), unit: str = "packet") -> list[dict[str, Any]]:
        """Return what no line brought in time: lost, or brought by recovery, in the order in which it ended.

        Args:
            channel: its number.
            names: of its lines.
            unit: what a sequence counts, "packet" or "message".
        """
        return [self._gap(row, names, unit) for row in self._listed(channel)]

    def gap_rows(self, channel: int) -> list[tuple[int, int, int, set[int]]]:
        """Return (first, last, messages, records) of each of gaps(): sequences that do not wrap, messages told or NIL.

        The records are the numbers of those that were joined to it, its own among them.
        """
        rows = self._table(at.RECORD, at.RECORD_WORDS)
        telling = np.arange(len(rows))
        for number in range(len(rows)):
            while (further := rows[telling[number], at.G_JOINED]) != NIL:
                telling[number] = further
        members: dict[int, set[int]] = {}
        for number, told in enumerate(telling.tolist()):
            members.setdefault(told, set()).add(number)
        numbers = np.flatnonzero(self._is_listed(rows, channel)).tolist()
        words = (at.G_FIRST, at.G_LAST, at.G_MESSAGES)
        found = [(*rows[number, words].tolist(), members[number]) for number in numbers]
        return [(int(first), int(last), int(messages), records) for first, last, messages, records in found]

    def _listed(self, channel: int) -> Words:
        rows = self._table(at.RECORD, at.RECORD_WORDS)
        listed: Words = rows[self._is_listed(rows, channel)]
        return listed

    def _is_listed(self, rows: Words, channel: int) -> NDArray[np.bool_]:
        quiet = np.isin(rows[:, at.G_OUTCOME], (at.OTHER_LINE, at.REORDER)) & (rows[:, at.G_REQUESTS] == 0)
        listed: NDArray[np.bool_] = (rows[:, at.G_CHANNEL] == channel) & (rows[:, at.G_JOINED] == NIL) & ~quiet
        return listed

    def records(self, channel: int, names: Sequence[str] = (), unit: str = "packet") -> list[dict[str, Any]]:
        """Return every hole of a channel that ended, the filled ones too, in the order in which they ended."""
        return [self._gap(row, names, unit) for row in self._records(channel)]

    def open_holes(self, channel: int) -> list[tuple[int, int]]:
        """Return the ranges of a channel that are waited for."""
        found = []
        for stream in self._streams(channel):
            hole = int(self.memory[stream + at.S_HOLE])
            while hole != NIL:
                row = int(self.memory[at.HOLE + at.T_BASE]) + hole * at.HOLE_WORDS
                first, last = (self._wire(channel, self.memory[row + word]) for word in (at.O_FIRST, at.O_LAST))
                found.append((first, last))
                hole = int(self.memory[row + at.O_NEXT])
        return found

    def outcomes(self, channel: int) -> dict[str, int]:
        """Return how many holes of a channel ended in which way."""
        ends = [int(row[at.G_OUTCOME]) for row in self._records(channel)]
        return {name: ends.count(number) for number, name in enumerate(at.OUTCOMES) if number in ends}

    def epochs(self, channel: int, sessions: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return a channel's epochs in their order, in the shape of `book --json`.

        Args:
            channel: its number.
            sessions: their names by index, as the protocol interned them.
        """
        found = []
        for row in self._table(at.EPOCH, at.EPOCH_WORDS):
            if row[at.E_CHANNEL] != channel:
                continue
            stream = stream_base(self.memory, int(row[at.E_STREAM]))
            closed = int(row[at.E_CLOSED])
            last = int(row[at.E_LAST]) if closed != NIL else int(self.memory[stream + at.S_EXPECTED]) - 1
            session = int(row[at.E_SESSION])
            found.append(
                {
                    "session": sessions[session] if session < len(sessions) else None,
                    "restart": int(row[at.E_RESTART]),
                    "stream": int(self.memory[stream + at.S_KEY]),
                    "first": self._wire(channel, row[at.E_FIRST]),
                    "last": self._wire(channel, last),
                    "cause": at.BEGINNINGS[int(row[at.E_CAUSE])],
                    "opened_ns": _stamp(int(row[at.E_OPENED])),
                    "closed_ns": _stamp(closed),
                }
            )
        return found

    def answers(self, channel: int) -> dict[str, int]:
        """Return what a channel asked for and what came of it, in the shape of `book --json`."""
        row = channel_base(self.memory, channel)
        return {name: int(self.memory[row + word]) for name, word in ANSWERS.items()}

    def counters(self) -> dict[str, int]:
        """Return what was refused, and what found its table at its limit."""
        words = {
            "invalid": at.INVALIDS,
            "refused": at.REFUSALS,
            "unlogged": at.UNLOGGED,
            "unlogged_units": at.UNLOGGED_UNITS,
            "lost_units": at.LOST_UNITS,
            "unranged_units": at.UNRANGED,
            "unplaced": at.UNPLACED,
        }
        return {name: int(self.memory[word]) for name, word in words.items()}

    def expected(self, channel: int, key: int = 0) -> int | None:
        """Return the next sequence of a stream, None before its first packet."""
        for stream in self._streams(channel):
            if self.memory[stream + at.S_KEY] == key and self.memory[stream + at.S_STATE] != at.EMPTY:
                return self._wire(channel, self.memory[stream + at.S_EXPECTED])
        return None

    def state(self, channel: int, now: int | None = None) -> str:
        """Return what a channel is doing: joining, live, waiting, retransmitting, snapshot, reset or ended.

        Args:
            channel: its number.
            now: the time for which that is told; that of the last packet where None.
        """
        return at.CHANNEL_STATES[channel_state(self.memory, channel, self._latest() if now is None else now)]

    def _latest(self) -> int:
        """Return when the last packet of any line came."""
        streams = self._table(at.STREAM, int(self.memory[at.STREAM_SIZE]))
        return int(streams[:, at.LINES_AT + at.L_LAST_AT :: at.LINE_WORDS].max(initial=0))

    def _wire(self, channel: int, sequence: int) -> int:
        return int(on_wire(self.memory, channel, int(sequence)))

    def _lines(self, channel: int) -> int:
        base = int(self.memory[at.CHANNEL + at.T_BASE])
        return int(self.memory[base + channel * at.CHANNEL_WORDS + at.C_LINES])

    def _streams(self, channel: int) -> Iterator[int]:
        for number in range(int(self.memory[at.STREAM + at.T_USED])):
            stream = int(stream_base(self.memory, number))
            if self.memory[stream + at.S_CHANNEL] == channel:
                yield stream

    def _table(self, table: int, width: int) -> Words:
        base, used = int(self.memory[table + at.T_BASE]), int(self.memory[table + at.T_USED])
        rows: Words = self.memory[base : base + used * width].reshape(used, width)
        return rows

    def _records(self, channel: int) -> Words:
        rows = self._table(at.RECORD, at.RECORD_WORDS)
        chosen: Words = rows[(rows[:, at.G_CHANNEL] == channel) & (rows[:, at.G_JOINED] == NIL)]
        return chosen

    def _gap(self, row: Words, names: Sequence[str], unit: str) -> dict[str, Any]:
        stream = stream_base(self.memory, int(row[at.G_STREAM]))
        lines = int(self.memory[stream + at.S_LINES])
        names = names or [str(line) for line in range(lines)]
        units = int(row[at.G_LAST] - row[at.G_FIRST] + 1)
        filled, revealed = int(row[at.G_FILLED]), int(row[at.G_REVEALED])
        return {
            "epoch": int(row[at.G_EPOCH]),
            "stream": int(self.memory[stream + at.S_KEY]),
            "first": self._wire(int(row[at.G_CHANNEL]), row[at.G_FIRST]),
            "last": self._wire(int(row[at.G_CHANNEL]), row[at.G_LAST]),
            "units": units,
            "messages": units if unit == "message" else _told(row[at.G_MESSAGES]),
            "instruments": None,  # the books know (receive/touched.py)
            "outcome": at.OUTCOMES[int(row[at.G_OUTCOME])],
            "cause": at.CAUSES[int(row[at.G_CAUSE])],
            "detected_ns": str(int(row[at.G_DETECTED])),
            "closed_ns": str(int(row[at.G_CLOSED])),
            "revealed_by": None if revealed == NIL else names[revealed],
            "filled_by": None if filled in (NIL, at.RETRANSMITTED) else names[filled],
            "attempts": int(row[at.G_REQUESTS]),
            "late_units": int(row[at.G_LATE]),
            "lines": {names[i]: at.STANDS[int(row[at.G_LINES]) >> 2 * i & 3] for i in range(lines)},
            "line_states": {names[i]: at.LINE_STATES[int(row[at.G_STATES]) >> 2 * i & 3] for i in range(lines)},
        }

    def _missing(self, row: int) -> list[list[int]]:
        base = int(self.memory[at.RANGE + at.T_BASE])
        found: list[list[int]] = []
        node = int(self.memory[row + at.L_MISSING])
        while node != NIL:
            at_node = base + node * at.RANGE_WORDS
            found.append([int(self.memory[at_node + at.M_FIRST]), int(self.memory[at_node + at.M_LAST])])
            node = int(self.memory[at_node + at.M_PREVIOUS])
        return found[::-1]


def _stamp(value: int) -> str | None:
    return None if value == NIL else str(value)


def _told(count: int) -> int | None:
    return None if count == NIL else int(count)
