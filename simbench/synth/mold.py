"""Messages into MoldUDP64 packets: sequences, heartbeats in silence, and the end of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from simbench.kernel.pure import copy_bytes, store_be16, store_be64
from simbench.protocol.moldudp64 import COUNT_AT, END_COUNT, HEADER_SIZE
from simbench.synth.packing import LIMIT, WINDOW_NS, Datagrams, Messages, Packer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

HEARTBEAT_NS: Final = 1_000_000_000  # of silence before each, as Nasdaq does
END_NS: Final = 1_000_000  # from the last packet to the end of the session
MAX_HEARTBEATS: Final = 65_536  # in one silence: 18 hours, more than any day has

SEQUENCE: Final = 0  # of the next message
LAST: Final = 1  # when the last packet was sent; 0 before the first


def packets(
    blocks: Iterator[Messages], session: str, *, window_ns: int = WINDOW_NS, limit: int = LIMIT
) -> Iterator[Datagrams]:
    """Yield the datagrams of a whole session: its messages from 1 on, heartbeats, and its end.

    Args:
        blocks: messages, each with its 16-bit length in front as BinaryFILE has it.
        session: its name, up to 10 characters, padded with spaces on the left.
        window_ns: see packing.
        limit: see packing.
    """
    packer = Packer(HEADER_SIZE, window_ns, limit)
    name = np.frombuffer(session.encode("ascii").rjust(10)[:10], np.uint8).copy()
    words = np.array([1, 0], np.int64)
    for block in blocks:
        yield _frame(packer, block, name, words)
    yield _frame(packer, None, name, words)
    data = np.zeros(HEADER_SIZE, np.uint8)
    write_header(data, 0, name, int(words[SEQUENCE]), END_COUNT)
    yield Datagrams(data, np.array([0, HEADER_SIZE], np.int64), np.array([words[LAST] + END_NS], np.int64))


def _frame(packer: Packer, block: Messages | None, name: Bytes, words: Words) -> Datagrams:
    messages, firsts, sent = packer.pack(block)
    gaps = np.diff(sent, prepend=words[LAST] or (sent[0] if len(sent) else 0))
    heartbeats = np.clip((gaps - 1) // HEARTBEAT_NS, 0, MAX_HEARTBEATS)
    count = len(sent) + int(heartbeats.sum())
    size = int(messages.starts[firsts[-1]] - messages.starts[0]) + count * HEADER_SIZE
    out = Datagrams(
        np.empty(size, np.uint8), np.empty(count + 1, np.int64), np.empty(count, np.int64), messages=int(firsts[-1])
    )
    fill(messages.data, messages.starts, firsts, sent, heartbeats, name, words, out.data, out.starts, out.sent)
    return out


@njit(cache=True, nogil=True)
def write_header(data: Bytes, at: int, name: Bytes, sequence: int, count: int) -> None:
    """Store a MoldUDP64 header at data[at:at + 20]."""
    copy_bytes(data, at, name, 0, 10)
    store_be64(data, at + 10, sequence)
    store_be16(data, at + COUNT_AT, count)


@njit(cache=True, nogil=True)
def fill(
    messages: Bytes,
    starts: Words,
    firsts: Words,
    sent: Words,
    heartbeats: Words,
    name: Bytes,
    words: Words,
    data: Bytes,
    out_starts: Words,
    out_sent: Words,
) -> None:
    """Write the packets of a block, and before each the heartbeats of the silence that it ends.

    Args:
        messages: uint8[m], with their lengths in front.
        starts: int64[n + 1].
        firsts: int64[d + 1], the first message of each datagram.
        sent: int64[d].
        heartbeats: int64[d].
        name: of the session, uint8[10].
        words: SEQUENCE and LAST, kept from block to block.
        data: out, as long as the packets are.
        out_starts: out, int64[e + 1].
        out_sent: out, int64[e].
    """
    at = 0
    out = 0
    for datagram in range(len(sent)):
        for beat in range(heartbeats[datagram]):
            write_header(data, at, name, words[SEQUENCE], 0)
            out_starts[out] = at
            out_sent[out] = words[LAST] + (beat + 1) * HEARTBEAT_NS
            out += 1
            at += HEADER_SIZE
        first, last = firsts[datagram], firsts[datagram + 1]
        write_header(data, at, name, words[SEQUENCE], last - first)
        out_starts[out] = at
        out_sent[out] = sent[datagram]
        out += 1
        size = starts[last] - starts[first]
        copy_bytes(data, at + HEADER_SIZE, messages, starts[first], size)
        at += HEADER_SIZE + size
        words[SEQUENCE] += last - first
        words[LAST] = sent[datagram]
    out_starts[out] = at
