"""What is foreseen of a schedule before it is replayed: what is lost, stream by stream, and what is counted.

Two of these look at a run with faults, one at what the capture says and one at what is sent; what the capture loses by
itself is not the faults' doing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.event import EVENT
from simbench.faults import units as u
from simbench.faults.lot import HEADER, NONE, SHORT, SOUND, UNALTERED, WRONG, Lot
from simbench.faults.oracle import finish, watch
from simbench.feed.state import Settings
from simbench.protocol.contract import EVENT_BUFFER, SENT, SEQUENCE, UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.lines import Lines
    from simbench.protocol.contract import Protocol

    Records = NDArray[Any]
    Words = NDArray[np.int64]

Era = tuple[int, int, int]  # session, turn, generation
MOST_ERAS: Final = 1 << 12


@dataclass
class Stretch:
    """An era of a stream that a receiver takes note of.

    Attributes:
        key: its session, its turn in the capture, and the fault that numbered it anew.
        first: sequence of the first unit.
        last: of the last that the receiver knows of.
        lost: ranges that nobody brings in time.
        late: parts of them that come afterwards.
    """

    key: Era
    first: int
    last: int
    lost: list[tuple[int, int]] = field(default_factory=list)
    late: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Altered:
    """What becomes of a packet that was damaged under right checksums.

    Attributes:
        channel: its number.
        stream: of the packet.
        fresh: it is the first to bring some of its units.
        decoded: and surely is decoded; one that waits may be overtaken by another that holds its units.
        damage: its units that cannot be decoded, first and last; None where all can.
        compared: a copy with other bytes is seen beside it.
    """

    channel: int
    stream: int
    fresh: bool
    decoded: bool
    damage: tuple[int, int] | None
    compared: bool = False


class Decoding:
    """Tries whether a packet can be decoded, in a copy of a channel's state.

    Args:
        protocol: of the channel.
        state: of the channel, as it was set up.
    """

    def __init__(self, protocol: Protocol, state: Words) -> None:
        self._protocol = protocol
        self._state = state
        self._events: Records | None = None

    def look(self, data: NDArray[np.uint8], packet: Any) -> tuple[int, int] | None:
        """Return the first and the last unit that cannot be decoded; None where all can."""
        if self._events is None:
            self._events = np.zeros(EVENT_BUFFER, EVENT)
        state = self._state.copy()
        first, units = int(packet["first"]), int(packet["units"])
        state[SEQUENCE], state[SENT] = first, packet["sent"]
        start, end = int(packet["start"]), int(packet["end"])
        if units == 0 or int(self._protocol.decode(data, start, end, 0, state, self._events)) >= 0:
            return None
        return first + int(state[UNITS]), first + units - 1


class _Stream:
    """The oracle of one stream, and the names of its eras."""

    def __init__(self, lines: int, settings: Settings) -> None:
        self.words = np.zeros(u.WORDS, np.int64)
        self.words[[u.LINES, u.WAIT_NS]] = lines, settings.wait_ns
        self.words[[u.COUNT, u.DISTANCE, u.RUN]] = settings.count, settings.distance, settings.run
        self.eras: dict[Era, int] = {}
        self._known = np.zeros(MOST_ERAS * u.ERA_WORDS, np.int64)
        self._have = np.zeros(u.MAP, np.uint8)
        self._since = np.zeros(u.MAP, np.int64)
        self._marks = np.zeros(u.MAP, np.uint8)
        self._recent = np.full(u.RECENT * u.RECENT_WORDS, NONE, np.int64)
        self._lines = np.zeros(u.MOST_LINES * u.LINE_WORDS, np.int64)
        self._scratch = np.zeros(1, u.SEEN)
        self._lost: list[Words] = []
        self._late: list[Words] = []

    def watch(self, packets: Records, keys: NDArray[np.int64]) -> None:
        """Take the next packets; keys are int64[n, 3], the Era of each."""
        kinds, places, members = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        numbers = np.zeros(len(kinds), np.int64)
        for kind in np.argsort(places).tolist():
            numbers[kind] = self._era(tuple(kinds[kind].tolist()))
        packets["era"] = numbers[members.reshape(-1)]
        lost, late = self._room(len(packets))
        watch(
            self.words, self._have, self._since, self._marks, self._recent, self._known, self._lines, packets, lost,
            late, self._scratch,
        )  # fmt: skip
        self._keep(lost, late)

    def finish(self) -> list[Stretch]:
        """End the data; return the eras that began, in their order."""
        lost, late = self._room(0)
        finish(
            self.words, self._have, self._since, self._marks, self._recent, self._known, self._lines, lost, late,
            self._scratch,
        )  # fmt: skip
        self._keep(lost, late)
        known = self._known.reshape(-1, u.ERA_WORDS)
        began = [(key, number) for key, number in self.eras.items() if known[number, u.E_BEGAN]]
        began.sort(key=lambda era: int(known[era[1], u.E_ORDER]))
        found = {
            number: Stretch(key, int(known[number, u.E_START]), int(known[number, u.E_TOP]) - 1)
            for key, number in began
        }
        for number, first, last in np.concatenate([*self._lost, np.zeros((0, u.RANGE), np.int64)]).tolist():
            found[number].lost.append((first, last))
        for number, first, last in np.concatenate([*self._late, np.zeros((0, u.RANGE), np.int64)]).tolist():
            found[number].late.append((first, last))
        return list(found.values())

    def _era(self, key: Any) -> int:
        if key not in self.eras:
            # Beyond the last one that there is room for they are one: a capture of thousands of sessions is none.
            number = min(len(self.eras), MOST_ERAS - 1)
            row = number * u.ERA_WORDS
            self._known[row + u.E_SESSION] = key[0]
            self._known[row + u.E_NEW] = all(key[0] != other[0] for other in self.eras)
            self.eras[key] = number
        return self.eras[key]

    def _room(self, packets: int) -> tuple[Words, Words]:
        """Return room for what so many packets can cause: each open hole and each packet may be a range."""
        open_units = self._have[np.arange(self.words[u.LOW], self.words[u.TOP]) & (u.MAP - 1)] == u.MISSING
        holes = 1 + int(np.count_nonzero(open_units))
        rows = holes + 4 * packets + 4096
        self.words[[u.LOSSES, u.LATES]] = 0
        return np.zeros(rows * u.RANGE, np.int64), np.zeros(rows * u.RANGE, np.int64)

    def _keep(self, lost: Words, late: Words) -> None:
        self._lost.append(lost.reshape(-1, u.RANGE)[: self.words[u.LOSSES]].copy())
        self._late.append(late.reshape(-1, u.RANGE)[: self.words[u.LATES]].copy())


class Foresight:
    """Looks at a schedule.

    Args:
        lines: of the feed.
        only_line: the one line of every channel that the receiver listens to; all where None.
        settings: when a hole is given up.

    Attributes:
        frames: of the lines.
        wrong: of them, whose checksum is wrong.
        short: of them, whose lengths promise more than there is.
        unreadable: of those that a receiver takes, whose packet header cannot be read.
        conflicts: packets that have come already with other bytes, by channel.
        altered: what becomes of packets that were damaged under right checksums, by ordinal.
        lies: whether a packet header was.
    """

    def __init__(self, lines: Lines, *, only_line: str | None = None, settings: Settings | None = None) -> None:
        self.lines = lines
        self._settings = settings or Settings()
        self._listened = [[only_line in {None, line.name} for line in channel.lines] for channel in lines.feed.channels]
        self._streams: dict[tuple[int, int], _Stream] = {}
        self._decoders = [
            Decoding(protocol, state) for protocol, state in zip(lines.protocols, lines.states, strict=True)
        ]
        self.frames = 0
        self.wrong = 0
        self.short = 0
        self.unreadable = 0
        self.conflicts = [0] * len(lines.feed.channels)
        self.altered: dict[int, Altered] = {}
        self.lies = False

    def take(self, lot: Lot) -> None:
        """Take the next frames of the schedule."""
        lot = Lot(lot.items.copy(), lot.data)
        found = self.lines.packets(lot)
        items = lot.items
        heard = self._heard(items)
        self.frames += int(np.count_nonzero(heard))
        self.wrong += int(np.count_nonzero(heard & (items["sound"] == WRONG)))
        self.short += int(np.count_nonzero(heard & (items["sound"] == SHORT)))
        self.unreadable += int(np.count_nonzero(heard & (items["sound"] == SOUND) & (items["packets"] == 0)))
        self.lies |= bool(np.any(heard & (items["altered"] == HEADER)))
        for channel, packets in found:
            self._watch(channel, lot, packets[heard[packets["item"]]])

    def _heard(self, items: Records) -> NDArray[np.bool_]:
        heard: NDArray[np.bool_] = items["channel"] != NONE
        for channel, lines in enumerate(self._listened):
            for line, listened in enumerate(lines):
                if not listened:
                    heard &= (items["channel"] != channel) | (items["line"] != line)
        return heard

    def _watch(self, channel: int, lot: Lot, packets: Records) -> None:
        items = lot.items[packets["item"]]
        seen = np.zeros(len(packets), u.SEEN)
        for name in ("first", "units", "flags", "sent", "digest"):
            seen[name] = packets[name]
        for name in ("when", "ordinal", "line"):
            seen[name] = items[name]
        seen["rival"] = NONE
        keys = np.stack([packets["session"], items["turn"], items["generation"]], axis=1)
        for stream in np.unique(packets["stream"]).tolist():
            of_stream = np.flatnonzero(packets["stream"] == stream)
            own = seen[of_stream]
            if (channel, stream) not in self._streams:
                self._streams[channel, stream] = _Stream(len(self._listened[channel]), self._settings)
            self._streams[channel, stream].watch(own, keys[of_stream])
            seen[of_stream] = own
        for index in np.flatnonzero(items["altered"] != UNALTERED).tolist():
            damage = self._decoders[channel].look(lot.data, packets[index])
            decoded = bool(seen[index]["verdict"] == u.FRESH)
            fresh = int(seen[index]["verdict"]) in {u.FRESH, u.WAITS, u.DOUBTED}
            stream = int(packets[index]["stream"])
            self.altered[int(seen[index]["ordinal"])] = Altered(channel, stream, fresh, decoded, damage)
        for ordinal, rival in seen[seen["verdict"] == u.CONFLICT][["ordinal", "rival"]].tolist():
            if rival in self.altered and self.altered[rival].damage is not None:
                continue  # it is no copy of what could not be decoded: it fills that, if it comes in time
            self.conflicts[channel] += 1
            for one in (ordinal, rival):
                if one in self.altered:
                    self.altered[one].compared = True

    def finish(self) -> dict[tuple[int, int], list[Stretch]]:
        """End the schedule; return the eras of each (channel, stream) that a receiver takes note of."""
        return {key: stream.finish() for key, stream in self._streams.items()}
