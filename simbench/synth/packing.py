"""Messages into datagrams: the packing rule that every generated or converted feed follows.

A datagram opens with a message and is sent WINDOW_NS after that message was due, with all that were due meanwhile. When
the next message would make it longer than LIMIT bytes it is sent at once, at the due time of the last one in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

WINDOW_NS: Final = 10_000  # a few messages share a datagram in a busy moment, most are alone in a calm one
LIMIT: Final = 1_400  # bytes of UDP payload, so that no tunnel on the way fragments it


@dataclass(frozen=True)
class Messages:
    """A block of messages.

    Attributes:
        data: their bytes, one behind the other, each with the framing it has in a datagram: uint8[m].
        starts: where each starts in data, and behind the last where it ends: int64[n + 1].
        due: when each is due, ns since 1970, never falling: int64[n].
    """

    data: Bytes
    starts: Words
    due: Words

    def __len__(self) -> int:
        return len(self.due)

    def after(self, first: int) -> Messages:
        """Return the messages from `first` on, copied: the block's buffers are their maker's to use again."""
        begin = int(self.starts[first])
        data = self.data[begin : int(self.starts[-1])].copy()
        return Messages(data, self.starts[first:] - begin, self.due[first:].copy())


@dataclass(frozen=True)
class Datagrams:
    """A block of datagrams.

    Attributes:
        data: their payloads, one behind the other: uint8[m].
        starts: where each starts in data, and behind the last where it ends: int64[n + 1].
        sent: when each is sent, ns since 1970, never falling: int64[n].
        messages: in all of them.
        feed: number of the feed beside the lines that sends them; None where the lines do.
    """

    data: Bytes
    starts: Words
    sent: Words
    messages: int = 0
    feed: int | None = None

    def __len__(self) -> int:
        return len(self.sent)


class Packer:
    """Cuts a stream of messages into datagrams; what is still open at the end of a block waits for the next.

    Args:
        overhead: bytes of a packet's own header in a datagram.
        window_ns: how long a datagram stays open.
        limit: bytes of payload at most; a message that is longer alone goes alone.
    """

    def __init__(self, overhead: int, window_ns: int = WINDOW_NS, limit: int = LIMIT) -> None:
        self._room = limit - overhead
        self._window = window_ns
        self._waiting: Messages | None = None

    def pack(self, block: Messages | None) -> tuple[Messages, Words, Words]:
        """Cut the next block; None for the end of the stream.

        Returns:
            The messages, with those that waited in front; the first message of each datagram and behind the last the
            number of messages: int64[n + 1]; when each datagram is sent: int64[n].
        """
        waiting, self._waiting = self._waiting, None
        messages = _join(waiting, block)
        firsts = np.empty(len(messages) + 1, np.int64)
        sent = np.empty(len(messages), np.int64)
        final = block is None
        count = cut(messages.starts, messages.due, final, self._window, self._room, firsts, sent)
        packed = int(firsts[count])
        if packed < len(messages):
            self._waiting = messages.after(packed)
        return messages, firsts[: count + 1], sent[:count]


def _join(first: Messages | None, second: Messages | None) -> Messages:
    parts = [part for part in (first, second) if part is not None and len(part)]
    if not parts:
        return Messages(np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int64))
    if len(parts) == 1:
        return parts[0]
    front, back = parts
    data = np.concatenate([front.data[: int(front.starts[-1])], back.data[int(back.starts[0]) : int(back.starts[-1])]])
    starts = np.concatenate([front.starts[:-1], back.starts - back.starts[0] + front.starts[-1]])
    return Messages(data, starts, np.concatenate([front.due, back.due]))


@njit(cache=True, nogil=True)
def cut(starts: Words, due: Words, final: bool, window: int, room: int, firsts: Words, sent: Words) -> int:  # noqa: FBT001
    """Find the datagrams; return how many are complete, with firsts[count] the first message that is not in one.

    Args:
        starts: int64[n + 1].
        due: int64[n].
        final: whether nothing follows, so that the last datagram is complete as well.
        window: ns.
        room: bytes for messages in a datagram.
        firsts: out, int64[n + 1].
        sent: out, int64[n].
    """
    total = len(due)
    count = 0
    first = 0
    firsts[0] = 0
    for message in range(1, total + 1):
        closes = due[first] + window
        if message == total:
            if final:
                sent[count] = closes
                count += 1
                firsts[count] = total
            break
        if due[message] > closes:
            sent[count] = closes
        elif starts[message + 1] - starts[first] > room:
            sent[count] = due[message - 1]
        else:
            continue
        count += 1
        firsts[count] = message
        first = message
    return count
