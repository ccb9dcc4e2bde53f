"""Messages into packets of CME MDP 3.0: a sequence a packet, and heartbeats in silence, which take one too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.kernel.pure import copy_bytes, kernel, store_le16, store_le32, store_le64
from simbench.synth.packing import LIMIT, WINDOW_NS, Datagrams, Messages, Packer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]

HEAD: Final = 12  # sequence, sent time
BEAT: Final = HEAD + 10  # a heartbeat is a message without a body
BEAT_TEMPLATE: Final = 12
HEARTBEAT_NS: Final = 30_000_000_000  # of silence before one, as recorded
MAX_HEARTBEATS: Final = 65_536

SEQUENCE: Final = 0  # of the next packet
LAST: Final = 1  # when the last one was sent; 0 before the first


def packets(
    blocks: Iterator[Messages], *, window_ns: int = WINDOW_NS, limit: int = LIMIT, first: int = 1
) -> Iterator[Datagrams]:
    """Yield the datagrams of a channel.

    Args:
        blocks: messages, each with its size in front.
        window_ns: see packing.
        limit: see packing.
        first: sequence of the first packet.
    """
    packer = Packer(HEAD, window_ns, limit)
    words = np.array([first, 0], np.int64)
    for block in blocks:
        yield _frame(packer, block, words)
    yield _frame(packer, None, words)


def _frame(packer: Packer, block: Messages | None, words: Words) -> Datagrams:
    messages, firsts, sent = packer.pack(block)
    gaps = np.diff(sent, prepend=words[LAST] or (sent[0] if len(sent) else 0))
    heartbeats = np.clip((gaps - 1) // HEARTBEAT_NS, 0, MAX_HEARTBEATS)
    beats = int(heartbeats.sum())
    size = int(messages.starts[firsts[-1]] - messages.starts[0]) + len(sent) * HEAD + beats * BEAT
    count = len(sent) + beats
    out = Datagrams(
        np.zeros(size, np.uint8), np.empty(count + 1, np.int64), np.empty(count, np.int64), messages=int(firsts[-1])
    )
    fill(messages.data, messages.starts, firsts, sent, heartbeats, words, out.data, out.starts, out.sent)
    return out


@kernel
def write_head(data: Bytes, at: int, words: Words, sent: int) -> int:
    """Write a packet's head with the next sequence; return where its messages start."""
    store_le32(data, at, words[SEQUENCE])
    store_le64(data, at + 4, sent)
    words[SEQUENCE] += 1
    return at + HEAD


@kernel
def fill(
    messages: Bytes,
    starts: Words,
    firsts: Words,
    sent: Words,
    heartbeats: Words,
    words: Words,
    data: Bytes,
    out_starts: Words,
    out_sent: Words,
) -> None:
    """Write the packets of a block, and before each the heartbeats of the silence that it ends.

    Args:
        messages: uint8[m], with their sizes in front.
        starts: int64[n + 1].
        firsts: int64[d + 1], the first message of each packet.
        sent: int64[d].
        heartbeats: int64[d].
        words: SEQUENCE and LAST, kept from block to block.
        data: out, zeroed, as long as the packets are.
        out_starts: out, int64[e + 1].
        out_sent: out, int64[e].
    """
    at = 0
    out = 0
    for packet in range(len(sent)):
        for beat in range(heartbeats[packet]):
            out_starts[out] = at
            out_sent[out] = words[LAST] + (beat + 1) * HEARTBEAT_NS
            at = write_head(data, at, words, out_sent[out])
            store_le16(data, at, BEAT - HEAD)
            store_le16(data, at + 4, BEAT_TEMPLATE)
            store_le16(data, at + 6, 1)
            store_le16(data, at + 8, 9)
            at += BEAT - HEAD
            out += 1
        first, last = firsts[packet], firsts[packet + 1]
        out_starts[out] = at
        out_sent[out] = sent[packet]
        out += 1
        at = write_head(data, at, words, sent[packet])
        size = starts[last] - starts[first]
        copy_bytes(data, at, messages, starts[first], size)
        at += size
        words[LAST] = sent[packet]
    out_starts[out] = at
