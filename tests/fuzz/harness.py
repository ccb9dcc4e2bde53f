"""Damaged datagrams through a protocol's two functions, in two places at once, each against a page nobody may touch.

The same datagram lies in an area of zeros and in one of ones. Every other one ends where its area ends, so that a load
behind it is a fault; the others begin where their area begins, with the fill behind them. Whatever comes out, header,
count, events and what the protocol remembers, has to be the same in both: then nothing hangs on bytes that are not
the datagram's. In the checked build a load outside of the area is an exception.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from mutations import ANY, ROOM, damage
from numba.core import config

from simbench.event import EVENT
from simbench.kernel.pointer import pointer
from simbench.kernel.pure import kernel
from simbench.protocol.contract import (
    DECODE_SIGNATURE,
    EVENT_BUFFER,
    FRAME_SIGNATURE,
    HEADER,
    MALFORMED,
    SENT,
    SEQUENCE,
    UNITS,
    Options,
    Protocol,
    new_state,
)

if TYPE_CHECKING:
    from simbench.kernel.pure import Bytes, Words

PAGE: Final = mmap.PAGESIZE
PROT_NONE: Final = 0
FORGET: Final = 256  # datagrams after which a state begins anew: tables of names fill up
MOST_PACKETS: Final = 2 * ROOM  # of one datagram

# What a run of the loop leaves in its words.
AT: Final = 0  # number of the datagram at work: of the guilty one after a fault
PACKETS: Final = 1  # decoded
BROKEN: Final = 2  # datagrams with a malformed header or message
EVENTS_MADE: Final = 3
WORDS: Final = 8

# What it says of a datagram, and where in one the last good header's body began.
BODY: Final = 4
SAID: Final = 5

# Findings.
NOTHING: Final = 0
HANGS_ON_SURROUNDINGS: Final = 1
NO_PROGRESS: Final = 2  # a header that ends where it begins, or behind the datagram
TOO_MANY: Final = 3  # more events than the buffer holds
STATE_DIFFERS: Final = 4
FINDINGS: Final = {
    HANGS_ON_SURROUNDINGS: "the result depends on bytes outside of the datagram",
    NO_PROGRESS: "a header that does not move on, or ends outside of the datagram",
    TOO_MANY: "more events than the buffer holds",
    STATE_DIFFERS: "what the protocol remembers depends on bytes outside of the datagram",
}


def guarded(fill: int) -> Bytes:
    """Return uint8[ROOM rounded up to pages] between two pages without any access."""
    size = -(-ROOM // PAGE) * PAGE
    area = mmap.mmap(-1, size + 2 * PAGE)
    whole = np.frombuffer(area, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    for page in (0, PAGE + size):
        if libc.mprotect(ctypes.c_void_p(whole.ctypes.data + page), ctypes.c_size_t(PAGE), PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    inside: Bytes = whole[PAGE : PAGE + size]
    inside[:] = fill
    return inside


@kernel
def one(
    data: Bytes, start: int, end: int, frame: Any, decode: Any, state: Words, header: Any, events: Any, said: Words
) -> int:
    """Frame and decode data[start:end]; return a finding; said: packets, events, a digest of all results."""
    at = start
    said[0] = said[1] = said[2] = said[3] = 0
    while at < end and said[0] < MOST_PACKETS:
        status = frame(data, at, end, state, header)
        said[2] = said[2] * 31 + status
        if status < 0:
            said[3] += 1
            # A decoder believes no length itself: it gets what the framing refuses, from where bodies begin.
            count = decode(data, min(at + said[BODY], end), end, 0, state, events[said[1] :])
            said[2] = said[2] * 31 + count
            said[1] += max(count, -1 - count)
            return NOTHING if said[1] <= len(events) else TOO_MANY
        what = header[0]
        if what.end <= at or what.end > end or what.start < at or what.start > what.end:
            return NO_PROGRESS
        for word in (what.stream, what.session, what.first, what.units, what.flags, what.sent):
            said[2] = said[2] * 31 + word
        said[2] = said[2] * 31 + (what.start - start) * 65_536 + what.end - start
        state[SEQUENCE] = what.first
        state[SENT] = what.sent
        state[UNITS] = what.units
        said[BODY] = what.start - at
        count = decode(data, what.start, what.end, 0, state, events[said[1] :])
        said[2] = said[2] * 31 + count
        if count < 0:
            count = -1 - count
            state[MALFORMED] += 1
            said[3] += 1
        if count > len(events) - said[1]:
            return TOO_MANY
        said[0] += 1
        said[1] += count
        at = what.end
        if len(events) - said[1] < EVENT_BUFFER:
            return NOTHING
    return NOTHING


@kernel
def loop(
    seed: int,
    count: int,
    corpus: Bytes,
    starts: Words,
    areas: tuple[Bytes, Bytes],
    scratch: Bytes,
    frame: Any,
    decode: Any,
    fresh: Words,
    states: tuple[Words, Words],
    header: Any,
    events: tuple[Any, Any],
    raw: tuple[Bytes, Bytes],
    said: tuple[Words, Words],
    words: Words,
) -> int:
    """Take datagrams words[AT] to count - 1; return a finding, that of datagram words[AT].

    Args:
        seed: of the run.
        count: datagrams of the run.
        corpus: of damage().
        starts: likewise.
        areas: of zeros and of ones.
        scratch: uint8[ROOM].
        frame: of the protocol.
        decode: likewise.
        fresh: its state, as set up.
        states: one for each area.
        header: HEADER[1].
        events: EVENT[2 * EVENT_BUFFER] for each area.
        raw: their bytes.
        said: int64[SAID] for each area.
        words: int64[WORDS].
    """
    while words[AT] < count:
        number = words[AT]
        if number % FORGET == 0:
            for side in range(2):
                for i in range(len(fresh)):
                    states[side][i] = fresh[i]
        length = damage(seed + number, ANY, corpus, starts, scratch)
        for side in range(2):
            area = areas[side]
            start = len(area) - length if number & 1 else 0
            for i in range(length):
                area[start + i] = scratch[i]
            found = one(area, start, start + length, frame, decode, states[side], header, events[side], said[side])
            for i in range(length):
                area[start + i] = 0 if side == 0 else 255
            if found != NOTHING:
                return found
        for i in range(4):
            if said[0][i] != said[1][i]:
                return HANGS_ON_SURROUNDINGS
        for i in range(said[0][1] * EVENT_SIZE):
            if raw[0][i] != raw[1][i]:
                return HANGS_ON_SURROUNDINGS
        if number % FORGET == FORGET - 1:
            for i in range(len(fresh)):
                if states[0][i] != states[1][i]:
                    return STATE_DIFFERS
        words[PACKETS] += said[0][0]
        words[EVENTS_MADE] += said[0][1]
        words[BROKEN] += said[0][3] > 0
        words[AT] = number + 1
    return NOTHING


EVENT_SIZE: Final = EVENT.itemsize


class Harness:
    """A protocol under damage.

    Args:
        protocol: whose functions are tried.
        corpus: whole datagrams of it.
        seed: of the run.
        words: int64[WORDS], in memory that outlives this process where the caller wants to know what was at work.
    """

    def __init__(self, protocol: Protocol, corpus: list[bytes], seed: int, words: Words | None = None) -> None:
        self.words = np.zeros(WORDS, np.int64) if words is None else words
        self.seed = seed
        self._corpus = np.frombuffer(b"".join(corpus), np.uint8).copy()
        self._starts = np.cumsum([0, *map(len, corpus)]).astype(np.int64)
        self._areas = (guarded(0), guarded(255))
        # Called by its pointer a function cannot raise: in the checked build it has to be called directly.
        self._frame, self._decode = protocol.frame, protocol.decode
        if not config.BOUNDSCHECK:
            self._frame = pointer(protocol.frame, FRAME_SIGNATURE)
            self._decode = pointer(protocol.decode, DECODE_SIGNATURE)
        self._fresh = new_state(protocol, Options())
        self._states = (self._fresh.copy(), self._fresh.copy())
        self._events = tuple(np.zeros(2 * EVENT_BUFFER, EVENT) for _ in range(2))
        self._said = (np.zeros(SAID, np.int64), np.zeros(SAID, np.int64))

    def run(self, until: int) -> int:
        """Go on to datagram number `until`; return a finding."""
        raw = tuple(events.view(np.uint8) for events in self._events)
        return int(
            loop(
                self.seed, until, self._corpus, self._starts, self._areas, np.zeros(ROOM, np.uint8), self._frame,
                self._decode, self._fresh, self._states, np.zeros(1, HEADER), self._events, raw, self._said, self.words,
            )
        )  # fmt: skip

    def datagram(self, number: int) -> bytes:
        """Return a damaged datagram of this run by its number."""
        scratch = np.zeros(ROOM, np.uint8)
        return scratch[: damage(self.seed + number, ANY, self._corpus, self._starts, scratch)].tobytes()
