"""Sequences that begin again: a restart within a session, or a new session, on every line from the same unit on.

Where it begins is told by what the lines have sent: the unit that becomes 1 is the first that none of them has sent
before. So a line that is behind goes on with its old numbers until it has come that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.capture.seal import seal
from simbench.faults.lot import SOUND, Lot, carries
from simbench.faults.script import Restart, Session
from simbench.faults.stage import Setting, Stage
from simbench.kernel.pure import kernel, store_be16, store_be32, store_be64, store_le16, store_le32, store_le64
from simbench.times import time_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simbench.faults.stage import Items
    from simbench.protocol.rewriting import Rewriting

    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]


@kernel
def _store(data: Bytes, at: int, size: int, big: int, value: int) -> None:
    if size == 2:
        if big:
            store_be16(data, at, value)
        else:
            store_le16(data, at, value)
    elif size == 4:
        if big:
            store_be32(data, at, value)
        else:
            store_le32(data, at, value)
    elif big:
        store_be64(data, at, value)
    else:
        store_le64(data, at, value)


@kernel
def rewrite(
    data: Bytes,
    packets: Records,
    firsts: NDArray[np.int64],
    number: NDArray[np.int64],
    name: Bytes,
    name_at: int,
) -> None:
    """Write sequences, and a session's name, into packet headers.

    Args:
        data: uint8[n].
        packets: PACKET[m].
        firsts: int64[m], their sequences.
        number: int64[3]: offset, size and byte order of the field.
        name: of the session, padded; uint8[0] where it stays.
        name_at: its offset.
    """
    for k in range(len(packets)):
        at = packets[k]["at"]
        _store(data, at + number[0], number[1], number[2], firsts[k])
        for i in range(len(name)):
            data[at + name_at + i] = name[i]


@kernel
def seal_all(data: Bytes, items: Items) -> None:
    """Write the lengths and checksums of frames that were sound."""
    for k in range(len(items)):
        if items[k]["sound"] == SOUND:
            seal(data, items[k]["source"], items[k]["length"])


class Renumbering(Stage):
    """Lets the sequence begin again.

    Attributes:
        began: (session, turn, sequence) as recorded of the unit that became 1, by channel and stream.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.fault, Restart | Session)
        fault = setting.fault
        self._name = fault.name.encode("ascii") if isinstance(fault, Session) else b""
        self._at = None if fault.at is None else time_ns(fault.at, setting.start_ns)
        self._sequence = fault.sequence
        self._tops: dict[tuple[int, int], int] = {}
        self.began: dict[tuple[int, int], tuple[int, int, int]] = {}

    def take(self, lot: Lot) -> Lot:
        """Take the next frames; return them, numbered anew from where it begins."""
        mine = np.zeros(len(lot), np.bool_)
        for channel, line in self.choice.lines:
            mine |= (lot.items["channel"] == channel) & (lot.items["line"] == line)
        mine &= lot.items["packets"] > 0
        if mine.any():
            lot.items = lot.items.copy()
            kinds = np.unique(np.stack([lot.items["channel"][mine], lot.items["stream"][mine]], axis=1), axis=0)
            for channel, stream in kinds.tolist():
                of_stream = mine & (lot.items["channel"] == channel) & (lot.items["stream"] == stream)
                self._take(channel, stream, lot, np.flatnonzero(of_stream))
        return lot

    def _take(self, channel: int, stream: int, lot: Lot, mine: NDArray[np.int64]) -> None:
        if (channel, stream) not in self.began:
            self._begin(channel, stream, lot, mine)
        if (channel, stream) not in self.began:
            return
        session, turn, first = self.began[channel, stream]
        items = lot.items[mine]
        affected = mine[(items["first"] >= first) & (items["session"] == session) & (items["turn"] == turn)]
        if len(affected):
            self._renumber(channel, stream, lot, affected, first)

    def _begin(self, channel: int, stream: int, lot: Lot, mine: NDArray[np.int64]) -> None:
        """Look for the unit that becomes 1."""
        items = lot.items[mine]
        top = self._tops.get((channel, stream), 0)
        tops = np.maximum.accumulate(np.maximum(items["last"] + 1, top))
        self._tops[channel, stream] = int(tops[-1])
        before = np.concatenate([[top], tops[:-1]])
        if self._at is not None:
            begins = carries(items) & (items["recorded"] >= self._at) & (items["first"] >= before)
        else:
            begins = carries(items) & (items["first"] >= self._sequence)
        if begins.any():
            item = items[np.argmax(begins) : np.argmax(begins) + 1]
            first = int(item[0]["first"])
            self.began[channel, stream] = int(item[0]["session"]), int(item[0]["turn"]), first
            self.note(item, item["when"], first)

    def _renumber(self, channel: int, stream: int, lot: Lot, affected: NDArray[np.int64], first: int) -> None:
        rewriting = self.setting.lines.protocols[channel].rewriting
        assert rewriting is not None
        assert rewriting.sequence is not None
        lot.items["generation"][affected] = self.setting.number
        part = lot.only(affected)
        for _, packets in self.setting.lines.packets(part):
            heads = np.flatnonzero(np.diff(packets["item"], prepend=-1))
            leading = np.repeat(packets["first"][heads], np.diff(heads, append=len(packets)))
            moved = part.items["first"][packets["item"]] - first + 1 + packets["first"] - leading
            own = packets["stream"] == stream
            number = rewriting.sequence
            rewrite(
                lot.data,
                packets[own],
                moved[own],
                np.array([number.at, number.size, number.big], np.int64),
                self._padded(rewriting),
                0 if rewriting.session is None else rewriting.session[0],
            )
        seal_all(lot.data, part.items)

    def _padded(self, rewriting: Rewriting) -> Bytes:
        """Return the session's name as the field holds it."""
        if not self._name or rewriting.session is None:
            return np.zeros(0, np.uint8)
        return np.frombuffer(self._name.ljust(rewriting.session[1]), np.uint8).copy()
