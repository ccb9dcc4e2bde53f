"""The sequencer's state as a whole: its settings, a fresh one, a larger one, a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from simbench.errors import SimbenchError
from simbench.feed import layout as at
from simbench.feed.streams import bucket, rows_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.feed.layout import Bytes, Words

SLOT_BYTES: Final = 2048  # an Ethernet frame; larger packets make the slots grow
MAX_SLOT_BYTES: Final = 65_536  # a UDP datagram
ROWS: Final = {  # words a row, rows at first, rows at most
    at.CHANNEL: (at.CHANNEL_WORDS, 0, 0),
    at.BUCKET: (1, 16, 1 << 13),
    at.SLOT: (at.SLOT_WORDS, 0, 0),
    at.HOLE: (at.HOLE_WORDS, 512, 1 << 22),
    at.RANGE: (at.RANGE_WORDS, 512, 1 << 22),
    at.EPOCH: (at.EPOCH_WORDS, 16, 1 << 16),
    at.RECORD: (at.RECORD_WORDS, 512, 1 << 20),
    at.STREAM: (0, 4, 1 << 12),
    at.LAG: (at.LAG_WORDS, 0, 0),
}
POOLS: Final = (at.SLOT, at.HOLE, at.RANGE)


@dataclass(frozen=True)
class Settings:
    """When a hole is given up, and what else the arbitration needs to know.

    Attributes:
        wait_ns: time since it was noticed. 10 ms: lines lag each other by microseconds and at worst by a few
            milliseconds, and what a trading system learns later than this it has to recover anyway.
        count: packets held above it. 512: half the slab, so that one stream cannot starve the others.
        distance: units that the sequence has run ahead. 65,536: farther than 512 full datagrams reach, so that it
            ends what count cannot see; a jump beyond it is only believed when `run` packets of a line agree.
        run: packets in a row that must agree on a restart or a jump where one alone may be damage. 3.
        stale_ns: without a packet for so long a line is stale. 2 s: twice the heartbeat interval of most feeds, so
            that one heartbeat may be lost.
        down_ns: and for so long it is down. 10 s.
        slots: packets that can be held in all. 1,024, or 2 MiB; where holes are asked for 16,384, or 32 MiB, since an
            answer takes longer than another line.
        recover: "retransmit": a hole whose wait has ended is asked for instead of given up; "none".
        request_ns: until a request without an answer is repeated. 1 s.
        attempts: requests in a row without an answer after which a hole is given up. 3.
    """

    wait_ns: int = 10_000_000
    count: int = 512
    distance: int = 65_536
    run: int = 3
    stale_ns: int = 2_000_000_000
    down_ns: int = 10_000_000_000
    slots: int = 0
    recover: Literal["none", "retransmit"] = "none"
    request_ns: int = 1_000_000_000
    attempts: int = 3

    @property
    def room(self) -> int:
        """Return how many packets can be held."""
        return self.slots or (16_384 if self.recover == "retransmit" else 1024)


def new_sequencer(
    lines: Sequence[int],
    settings: Settings | None = None,
    servers: Sequence[bool] | None = None,
    wraps: Sequence[int] | None = None,
) -> tuple[Words, Bytes]:
    """Return the state of the channels: memory int64[n] and slab uint8[m].

    Args:
        lines: how many each channel has.
        settings: of all channels.
        servers: whether a channel has a server to ask, where holes are asked for at all; each has where None.
        wraps: the highest sequence of each channel, which 1 follows; 0 where it does not wrap, as none does where None.

    Raises:
        SimbenchError: a channel has more lines than a gap record can tell of.
    """
    chosen = settings or Settings()
    if max(lines, default=1) > at.MAX_LINES:
        raise SimbenchError(f"a channel has {max(lines)} lines; at most {at.MAX_LINES} are possible")
    front = np.zeros(at.FRONT, np.int64)
    front[[at.WAIT_NS, at.COUNT, at.DISTANCE]] = chosen.wait_ns, chosen.count, chosen.distance
    front[[at.RUN, at.STALE_NS, at.DOWN_NS, at.DUE]] = chosen.run, chosen.stale_ns, chosen.down_ns, at.NEVER
    front[[at.REQUEST_NS, at.ATTEMPTS]] = chosen.request_ns, chosen.attempts
    front[at.OUT_RECORD] = at.NIL
    front[[at.SLOT_BYTES, at.CHANNEL_COUNT]] = SLOT_BYTES, len(lines)
    capacities = {table: rows for table, (_, rows, _) in ROWS.items()}
    capacities |= {at.CHANNEL: len(lines), at.SLOT: chosen.room, at.LAG: sum(lines)}
    for table, (_, _, limit) in ROWS.items():
        front[table + at.T_LIMIT] = limit or capacities[table]
        front[table + at.T_FREE] = at.NIL
    memory = _rebuild(front, capacities, max(lines, default=1))
    base = memory[at.CHANNEL + at.T_BASE]
    for channel, count in enumerate(lines):
        memory[base + channel * at.CHANNEL_WORDS + at.C_LAGS] = sum(lines[:channel])
        memory[base + channel * at.CHANNEL_WORDS + at.C_LINES] = count
        memory[base + channel * at.CHANNEL_WORDS + at.C_ASKS] = chosen.recover == "retransmit" and (
            servers is None or servers[channel]
        )
        memory[base + channel * at.CHANNEL_WORDS + at.C_WRAP] = 0 if wraps is None else wraps[channel]
    return memory, np.zeros(chosen.room * SLOT_BYTES, np.uint8)


def grow_memory(memory: Words) -> Words:
    """Return a larger array with the same content in it: every table that is short of rows, doubled up to its limit."""
    lines = _most_lines(memory)
    streams = int(memory[at.STREAM + at.T_USED])
    need = rows_for(lines, int(memory[at.RUN])) * (1 + streams)
    needs = {
        at.HOLE: need,
        at.RANGE: need,
        at.RECORD: need + int(memory[at.HOLE + at.T_USED]),
        at.EPOCH: 2 + streams,
        at.STREAM: 1,
    }
    capacities = {table: int(memory[table + at.T_CAPACITY]) for table in ROWS}
    for table, rows in needs.items():
        limit = int(memory[table + at.T_LIMIT])
        wanted = int(memory[table + at.T_USED]) + rows
        while capacities[table] < min(wanted, limit):
            capacities[table] = min(2 * capacities[table], limit)
    capacities[at.BUCKET] = max(capacities[at.BUCKET], 4 * capacities[at.STREAM])
    return _rebuild(memory, capacities, lines)


def grow_slab(memory: Words, slab: Bytes) -> Bytes:
    """Return a slab whose slots hold the packet that was too large (memory[NEEDED_BYTES]); changes the slots' size."""
    before, needed = int(memory[at.SLOT_BYTES]), int(memory[at.NEEDED_BYTES])
    if needed <= before:
        return slab
    after = before
    while after < min(needed, MAX_SLOT_BYTES):
        after *= 2
    slots = int(memory[at.SLOT + at.T_CAPACITY])
    larger = np.zeros((slots, after), np.uint8)
    larger[:, :before] = slab.reshape(slots, before)
    memory[at.SLOT_BYTES] = after
    return larger.reshape(-1)


def copy_slab(memory: Words, slab: Bytes) -> Bytes:
    """Return a copy of the slab that costs only what is held in it."""
    size, base = int(memory[at.SLOT_BYTES]), int(memory[at.SLOT + at.T_BASE])
    free = np.zeros(int(memory[at.SLOT + at.T_CAPACITY]), bool)
    slot = int(memory[at.SLOT + at.T_FREE])
    while slot != at.NIL:
        free[slot] = True
        slot = int(memory[base + slot * at.SLOT_WORDS + at.K_NEXT])
    copied = np.zeros(len(slab), np.uint8)
    for used in np.flatnonzero(~free):
        copied[used * size : (used + 1) * size] = slab[used * size : (used + 1) * size]
    return copied


def _most_lines(memory: Words) -> int:
    base, count = int(memory[at.CHANNEL + at.T_BASE]), int(memory[at.CHANNEL_COUNT])
    return max((int(memory[base + i * at.CHANNEL_WORDS + at.C_LINES]) for i in range(count)), default=1)


def _rebuild(memory: Words, capacities: dict[int, int], lines: int) -> Words:
    words = {table: width for table, (width, _, _) in ROWS.items()}
    words[at.STREAM] = at.LINES_AT + lines * at.LINE_WORDS
    bases, end = {}, at.FRONT
    for table in ROWS:
        bases[table] = end
        end += capacities[table] * words[table]
    larger = np.zeros(end, np.int64)
    larger[: at.FRONT] = memory[: at.FRONT]
    larger[at.STREAM_SIZE] = words[at.STREAM]
    for table, width in words.items():
        old, had, base = int(memory[table + at.T_BASE]), int(memory[table + at.T_CAPACITY]), bases[table]
        if table != at.BUCKET:
            larger[base : base + had * width] = memory[old : old + had * width]
        larger[table + at.T_BASE] = base
        larger[table + at.T_CAPACITY] = capacities[table]
        if table in POOLS:
            _chain(larger, table, width, had)
    _forget_bases(larger)
    _hash_streams(larger, words[at.STREAM])
    return larger


def _chain(memory: Words, table: int, width: int, first: int) -> None:
    """Put the rows of a pool from `first` on in front of its free ones."""
    base, capacity = int(memory[table + at.T_BASE]), int(memory[table + at.T_CAPACITY])
    if first < capacity:
        rows = np.arange(first, capacity)
        following = rows + 1
        following[-1] = memory[table + at.T_FREE]
        memory[base + rows * width] = following
        memory[table + at.T_FREE] = first


def _forget_bases(memory: Words) -> None:
    base = int(memory[at.CHANNEL + at.T_BASE])
    for channel in range(int(memory[at.CHANNEL_COUNT])):
        memory[base + channel * at.CHANNEL_WORDS + at.C_RECENT] = 0


def _hash_streams(memory: Words, width: int) -> None:
    base, buckets = int(memory[at.STREAM + at.T_BASE]), int(memory[at.BUCKET + at.T_BASE])
    mask = int(memory[at.BUCKET + at.T_CAPACITY]) - 1
    memory[buckets : buckets + mask + 1] = 0
    for stream in range(int(memory[at.STREAM + at.T_USED])):
        row = base + stream * width
        i = bucket(int(memory[row + at.S_CHANNEL]), int(memory[row + at.S_KEY])) & mask
        while memory[buckets + i]:
            i = (i + 1) & mask
        memory[buckets + i] = stream + 1
