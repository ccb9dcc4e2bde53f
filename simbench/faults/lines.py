"""What frames carry: of which channel and line each is, and the packet headers in it, as its protocol reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
from numba import types

from simbench.capture.seal import UDP, fits, is_sound, udp_at
from simbench.faults.lot import ITEM, NONE, SHORT, SOUND, WRONG, Lot
from simbench.kernel.pointer import pointer
from simbench.kernel.pure import hash_bytes, kernel_as
from simbench.protocol.contract import (
    DATA,
    FRAME_FUNCTION,
    FRAME_SIGNATURE,
    HEADER,
    HEADERS,
    SEQUENCE_RESET,
    UNSEQUENCED,
    WORDS,
    Options,
    new_state,
)
from simbench.protocol.registry import load
from simbench.replay.schedule import Endpoint, chooser

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.feed.definition import Feed
    from simbench.protocol.contract import Protocol

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

DISTANCE: Final = 65_536  # a line whose sequence falls by more has started again
AGAIN: Final = 512  # or one that is back at 1 from above this

PACKET: Final = np.dtype(
    [
        ("item", "i8"),  # index of its frame
        ("at", "i8"),  # of its header in the data
        ("start", "i8"),  # of its messages
        ("end", "i8"),
        ("stream", "i8"),
        ("session", "i8"),
        ("first", "i8"),
        ("units", "i8"),
        ("flags", "i8"),
        ("sent", "i8"),
        ("digest", "i8"),
    ],
    align=True,
)

READ_SIGNATURE: Final = types.int64(
    FRAME_FUNCTION,
    WORDS,
    HEADERS,
    DATA,
    numba.from_dtype(ITEM)[::1],
    types.int64[::1],
    types.int64,
    numba.from_dtype(PACKET)[::1],
)


@kernel_as(READ_SIGNATURE)
def read_packets(
    frame: Any, state: Words, header: Records, data: Bytes, items: Records, which: Words, least: int, packets: Records
) -> int:
    """Read the packet headers of frames; return how many, or -1 where there is no room for all.

    Args:
        frame: the protocol's.
        state: the channel's.
        header: HEADER[1], scratch.
        data: uint8[n].
        items: ITEM[m]; payload, packets, body and sound are filled.
        which: int64[k], the frames to read, all of one channel.
        least: bytes of a packet header, where the protocol says so; its messages may start with the end of it.
        packets: PACKET[l], filled. Those of a frame that no receiver takes are left out.
    """
    count = 0
    for k in range(len(which)):
        item = items[which[k]]
        begin = item["source"]
        end = begin + item["length"]
        at = udp_at(data, begin) + UDP
        item["payload"] = at - begin
        item["packets"] = 0
        item["body"] = item["length"]
        if not is_sound(data, begin, item["length"]):
            item["sound"] = WRONG if fits(data, begin, item["length"]) else SHORT
            continue
        item["sound"] = SOUND
        while at < end and frame(data, at, end, state, header) >= 0:
            if count == len(packets):
                return -1
            head = header[0]
            packet = packets[count]
            packet["item"] = which[k]
            packet["at"] = at
            packet["start"] = head["start"]
            packet["end"] = head["end"]
            packet["stream"] = head["stream"]
            packet["session"] = head["session"]
            packet["first"] = head["first"]
            packet["units"] = head["units"]
            packet["flags"] = head["flags"]
            packet["sent"] = head["sent"]
            packet["digest"] = hash_bytes(data, head["start"], head["end"])
            if item["packets"] == 0:
                item["body"] = min(max(head["start"], at + least), end) - begin
            item["packets"] += 1
            count += 1
            at = max(head["end"], at + 1)
    return count


class Lines:
    """The channels of a feed, as far as faults have to understand them.

    Args:
        feed: the channels and their lines.
        first_ns: stamp of the first frame; tells protocols the date.
    """

    def __init__(self, feed: Feed, first_ns: int = 0) -> None:
        self.feed = feed
        self.protocols: list[Protocol] = [load(channel.protocol, channel.schema) for channel in feed.channels]
        self.states: list[Words] = [
            new_state(
                protocol,
                Options(
                    schema=channel.schema,
                    timezone=channel.timezone,
                    session_start=channel.session_start,
                    first_ns=first_ns,
                ),
            )
            for protocol, channel in zip(self.protocols, feed.channels, strict=True)
        ]
        self._framers = [pointer(protocol.frame, FRAME_SIGNATURE) for protocol in self.protocols]
        self._choosers = [
            (number, place, chooser([Endpoint(line.group, line.source, line.interface, line.capture)]))
            for number, channel in enumerate(feed.channels)
            for place, line in enumerate(channel.lines)
        ]
        self._header = np.zeros(1, HEADER)

    def places(self, flows: Records) -> NDArray[np.int64]:
        """Return channel and line of each flow, NONE where it is no line: int64[n, 2]."""
        found = np.full((len(flows), 2), NONE, np.int64)
        for row, flow in enumerate(flows):
            for number, place, chosen in self._choosers:
                if chosen(flow):
                    found[row] = number, place
                    break
        return found

    def packets(self, lot: Lot) -> list[tuple[int, Records]]:
        """Return (channel, PACKET[n]) of a lot's frames, in their order; of damaged frames nothing.

        Fills payload, packets, body and sound of the items of all lines.
        """
        found = []
        for channel in np.unique(lot.items["channel"]):
            if channel == NONE:
                continue
            which = np.flatnonzero(lot.items["channel"] == channel)
            found.append((int(channel), self._read(int(channel), lot, which)))
        return found

    def _read(self, channel: int, lot: Lot, which: NDArray[np.int64]) -> Records:
        room = 2 * len(which) + 64
        rewriting = self.protocols[channel].rewriting
        least = 0 if rewriting is None else rewriting.header
        lot.items = np.ascontiguousarray(lot.items)
        while True:
            packets = np.zeros(room, PACKET)
            count = int(
                read_packets(
                    self._framers[channel], self.states[channel], self._header, lot.data, lot.items, which, least,
                    packets,
                )
            )  # fmt: skip
            if count >= 0:
                return packets[:count]
            room *= 4


class Reading:
    """Turns rows of a schedule into lots: one pass over a capture.

    Args:
        lines: of the feed.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._places: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self._latest = -(1 << 62)
        self._next: dict[
            tuple[int, int, int, int], tuple[int, int]
        ] = {}  # (next sequence, turn) of what one line sends

    def lot(self, rows: Records, data: Bytes, flows: Records) -> Lot:
        """Return the frames of rows, which are in the order of the schedule.

        Args:
            rows: ROW[n].
            data: uint8[m].
            flows: FLOW[k], the dissector's as far as it is known.
        """
        if len(flows) > len(self._places):
            self._places = np.concatenate([self._places, self.lines.places(flows[len(self._places) :])])
        items = np.zeros(len(rows), ITEM)
        for name in ("recorded", "ordinal", "source", "length", "flow"):
            items[name] = rows[name]
        items["when"] = np.maximum.accumulate(np.maximum(items["recorded"], self._latest))
        self._latest = int(items["when"][-1]) if len(items) else self._latest
        known = np.append(self._places, [[NONE, NONE]], axis=0)
        items["channel"], items["line"] = known[items["flow"]].T  # flow -1 is the last row
        items["last"] = NONE
        items["sound"] = SOUND
        lot = Lot(items, data)
        for channel, packets in self.lines.packets(lot):
            self._describe(channel, lot.items, packets)
        return lot

    def _describe(self, channel: int, items: Records, packets: Records) -> None:
        """Fill stream, session, turn and the range of sequences from the packets."""
        if not len(packets):
            return
        units = np.where(packets["flags"] & UNSEQUENCED, 0, packets["units"])
        heads = np.flatnonzero(np.diff(packets["item"], prepend=-1))
        frames = packets["item"][heads]
        items["stream"][frames] = packets["stream"][heads]
        items["session"][frames] = packets["session"][heads]
        items["first"][frames] = packets["first"][heads]
        same = packets["stream"] == items["stream"][packets["item"]]
        ends = np.where(same, packets["first"] + units - 1, np.iinfo(np.int64).min)
        items["last"][frames] = np.maximum.reduceat(ends, heads)
        resets = packets["flags"][heads] & SEQUENCE_RESET != 0
        keys = np.stack([items["line"][frames], items["stream"][frames], items["session"][frames]], axis=1)
        kinds, members = np.unique(keys, axis=0, return_inverse=True)
        for kind in range(len(kinds)):
            mine = members.reshape(-1) == kind
            line, stream, session = kinds[kind].tolist()
            self._turns((channel, line, stream, session), items, frames[mine], resets[mine])

    def _turns(self, key: tuple[int, int, int, int], items: Records, frames: Any, resets: NDArray[np.bool_]) -> None:
        """Count how often a line's sequence starts again, and say it of its frames."""
        firsts, ends = items["first"][frames], items["last"][frames] + 1
        reached, turn = self._next.get(key, (0, 0))
        at = 0
        while at < len(frames):
            tops = np.maximum.accumulate(np.maximum(ends[at:], reached))
            before = np.concatenate([[reached], tops[:-1]])
            back = (
                (before - firsts[at:] > DISTANCE)
                | (resets[at:] & (firsts[at:] < before))
                | ((firsts[at:] == 1) & (ends[at:] > 1) & (before > AGAIN))
            )
            stop = int(np.argmax(back)) if back.any() else len(tops)
            items["turn"][frames[at : at + stop]] = turn
            if stop == len(tops):
                reached = int(tops[-1])
                break
            at, turn, reached = at + stop, turn + 1, 0
        self._next[key] = reached, turn
