"""The sender end of several queues: it does what a card's steering does at the other end, and picks each frame's queue.

On a veth in native mode a frame that is sent on a queue arrives on the same queue of the peer. So the sender looks a
frame's flow up when it is prepared, and what is due together goes out with one call for each queue that has some of it.
Within a queue frames keep their order; between queues there is none, as on a card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.kernel.pure import kernel_as
from simbench.wire import xdp
from simbench.wire.contract import (
    COMMIT_SIGNATURE,
    DROPS,
    MAX_FRAME,
    PREPARE_SIGNATURE,
    PRIVATE,
    RING_FULL,
    SENT,
    WORDS_SIZE,
    SenderEnd,
    new_words,
)
from simbench.wire.flowtable import ELSEWHERE, queue_of_frame
from simbench.wire.xsk import frame_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.kernel.pure import Bytes, Words

QUEUES: Final = PRIVATE
PART: Final = PRIVATE + 1  # bytes of a queue's frames
MINE: Final = PRIVATE + 2  # frames prepared
OWN: Final = PRIVATE + 3  # frames committed
MASK: Final = PRIVATE + 4  # of the ring of queue numbers
ORDER: Final = PRIVATE + 5  # where it begins
COUNTS: Final = PRIVATE + 6  # where a word for each queue begins: frames of the commit at hand
TABLE: Final = PRIVATE + 7  # where the flow table begins, the rest of the words
LATEST: Final = PRIVATE + 8  # queue of the frame committed last
UNNAMED: Final = PRIVATE + 9  # counter: frames that the table does not name; they go to queue 0


@dataclass(kw_only=True)
class SteeredEnd(SenderEnd):
    """Where frames go in, and from there to their queues.

    Attributes:
        queues: the end of each.
    """

    queues: list[SenderEnd] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return what went to each queue, for a report."""
        return {"sent": [int(end.words[SENT]) for end in self.queues], "unnamed": int(self.words[UNNAMED])}


def open_sender(interface: str, queues: Sequence[int], table: Words, *, entries: int, frame_size: int) -> SteeredEnd:
    """Open a sender end over some queues of an interface of the calling thread's namespace.

    Args:
        interface: its name.
        queues: tx queues; the table's queue n is the n-th of these.
        table: of flowtable.
        entries: frames that may be prepared or under way on each queue.
        frame_size: 2048 or 4096 bytes.
    """
    part, count = entries * frame_size, len(queues)
    memory = frame_memory(count * part)
    counts = WORDS_SIZE * (1 + count)
    order = counts + count
    ring = 1 << (entries * count - 1).bit_length()
    words = np.zeros(order + ring + len(table), np.int64)
    ends: list[SenderEnd] = []
    try:
        for place, queue in enumerate(queues):
            mine = words[WORDS_SIZE * (1 + place) : WORDS_SIZE * (2 + place)]
            room = memory[place * part : (place + 1) * part]
            ends.append(
                xdp.open_sender(interface, queue, entries=entries, frame_size=frame_size, words=mine, memory=room)
            )
    except BaseException:
        for end in ends:
            end.close()
        raise
    new_words(words[:WORDS_SIZE], ends[0].max_frame)
    words[[QUEUES, PART, MASK, ORDER, COUNTS, TABLE]] = count, part, ring - 1, order, counts, order + ring
    words[order + ring :] = table
    steered = SteeredEnd(words, memory, int(words[MAX_FRAME]), ends[0].fileno, prepare=prepare, commit=commit)
    steered.queues = ends
    steered.description = f"AF_XDP, copied, {count} queues of {interface}"

    def refresh() -> None:
        for slot in DROPS.values():
            if slot != RING_FULL:  # what the pacing loop counts here itself
                words[slot] = sum(int(end.words[slot]) for end in ends)

    def shut() -> None:
        words[[QUEUES, MINE, OWN]] = 0
        for end in ends:
            end.close()

    steered.refresh, steered.shut = refresh, shut
    return steered


@kernel_as(PREPARE_SIGNATURE)
def prepare(words: Words, memory: Bytes, source: Bytes, offset: int, length: int, serial: int) -> int:
    """Copy a frame into the next free one of its queue; see contract. A queue without room is the wire without room."""
    queue = queue_of_frame(words[words[TABLE] :], source, offset, length)
    named = queue != ELSEWHERE
    queue = max(queue, 0)
    first, part = WORDS_SIZE * (1 + queue), words[PART]
    room = memory[queue * part : (queue + 1) * part]
    result = xdp.prepare(words[first : first + WORDS_SIZE], room, source, offset, length, serial)
    if result == 1:
        mine = words[MINE]
        words[words[ORDER] + (mine & words[MASK])] = queue
        words[MINE] = mine + 1
        words[UNNAMED] += not named
    return int(result)


@kernel_as(COMMIT_SIGNATURE)
def commit(words: Words, count: int) -> int:
    """Send the oldest `count` prepared frames, with one call for each queue that has some of them; see contract."""
    own = words[OWN]
    count = min(count, int(words[MINE] - own))
    queues, counts = words[QUEUES], words[COUNTS]
    if count <= 0:
        if queues > 0:  # a call that only warms the way into the kernel
            first = WORDS_SIZE * (1 + words[LATEST])
            xdp.commit(words[first : first + WORDS_SIZE], 0)
        return 0
    for queue in range(queues):
        words[counts + queue] = 0
    for k in range(count):
        queue = words[words[ORDER] + ((own + k) & words[MASK])]
        words[counts + queue] += 1
        words[LATEST] = queue
    for queue in range(queues):
        if words[counts + queue] > 0:
            first = WORDS_SIZE * (1 + queue)
            xdp.commit(words[first : first + WORDS_SIZE], words[counts + queue])
    words[OWN] = own + count
    words[SENT] += count
    return count
