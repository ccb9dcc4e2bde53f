"""How the packets of a protocol are numbered anew and cut, in plain words: what fault scripts need, and nobody else.

It is optional. A protocol that says nothing can still lose, delay and damage datagrams; only what has to understand
its header (split, merge, restart, session) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Number:
    """An unsigned integer of a packet header.

    Attributes:
        at: its offset in the packet.
        size: bytes: 2, 4 or 8.
        big: whether it is big-endian.
    """

    at: int
    size: int
    big: bool

    def read(self, packet: bytes) -> int:
        """Return it."""
        return int.from_bytes(packet[self.at : self.at + self.size], "big" if self.big else "little")

    def written(self, packet: bytes, value: int) -> bytes:
        """Return the packet with another value in it, modulo its size."""
        value &= (1 << 8 * self.size) - 1
        raw = value.to_bytes(self.size, "big" if self.big else "little")
        return packet[: self.at] + raw + packet[self.at + self.size :]


@dataclass(frozen=True)
class Rewriting:
    """A packet header as far as a fault changes it.

    Attributes:
        header: bytes before the first message.
        sequence: of the first unit; None where a packet is not numbered by one field.
        session: offset and size of the session's name, ASCII padded with spaces behind; None where there is none.
        count: of the messages; None where the header does not say.
        length: bytes of the messages; None where the header does not say.
        position: bytes of messages before these in the stream; None where the header does not say.
        bounds: where each message of a packet starts, and where the last one ends; empty where they do not fill it.
            None where a packet is one unit and cannot be cut.
    """

    header: int
    sequence: Number | None = None
    session: tuple[int, int] | None = None
    count: Number | None = None
    length: Number | None = None
    position: Number | None = None
    bounds: Callable[[bytes], Sequence[int]] | None = None

    def cut(self, packet: bytes, pieces: int) -> list[tuple[bytes, int, int]]:
        """Return the packet in so many pieces, or fewer: of each its bytes, its first message and how many.

        Nothing where it has less than two messages, or its messages do not fill it.

        Args:
            packet: header and messages.
            pieces: as evenly as messages allow, the longer ones first.
        """
        bounds = self.bounds(packet) if self.bounds is not None else ()
        messages = len(bounds) - 1
        if messages < 2 or self.sequence is None:
            return []
        pieces = min(pieces, messages)
        found, first = [], 0
        for piece in range(pieces):
            units = messages // pieces + (piece < messages % pieces)
            head = self.sequence.written(packet[: self.header], self.sequence.read(packet) + first)
            if self.position is not None:
                head = self.position.written(head, self.position.read(packet) + bounds[first] - bounds[0])
            found.append((self._headed(head, packet[bounds[first] : bounds[first + units]], units), first, units))
            first += units
        return found

    def joined(self, packets: Sequence[bytes], units: int) -> bytes:
        """Return packets that go on from one another as one.

        Args:
            packets: each with its header.
            units: messages of all of them.
        """
        return self._headed(packets[0][: self.header], b"".join(packet[self.header :] for packet in packets), units)

    def _headed(self, head: bytes, messages: bytes, units: int) -> bytes:
        if self.count is not None:
            head = self.count.written(head, units)
        if self.length is not None:
            head = self.length.written(head, len(messages))
        return head + messages
