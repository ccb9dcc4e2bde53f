"""The frames that took longest: kept with their datagram in the published block, so that a reader can tell what it was.

Called for a frame that took longer than the fastest of those kept, which soon is rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.kernel.pure import kernel, load_le64, load_u8, store_release
from simbench.measure import telemetry as t
from simbench.receive.pipeline import ROLE_LINE, ROLE_RETRANSMISSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

ROWS_AT: Final = t.WORST_BASE + t.WORST_HEAD


@kernel
def keep(
    telemetry: Words,
    memory: Bytes,
    payload: int,
    length: int,
    route: int,
    recorded: int,
    hook: int,
    sent: int,
    taken: int,
    done: int,
    away: int,
) -> int:
    """Keep a frame in place of the one that took least; return what the next one to be kept must exceed, ns.

    Args:
        telemetry: the block.
        memory: the frames' bytes.
        payload: where the datagram begins in them.
        length: of it.
        route: of its flow, see `pipeline`; below 0 one that is not the feed's, which is not kept.
        recorded: ns since 1970.
        hook: T2; 0 where there is no hook.
        sent: T1; 0 unknown.
        taken: T3.
        done: T4.
        away: ns that the core had not looked at the wire when it took the frame.
    """
    kept = telemetry[t.WORST_BASE + t.WORST_KEPT]
    least = 0
    for place in range(1, kept):
        if telemetry[ROWS_AT + place * t.WORST_WORDS] < telemetry[ROWS_AT + least * t.WORST_WORDS]:
            least = place
    if route >= 0:
        if kept < t.WORST_ROWS:
            least = kept
        lock = t.WORST_BASE + t.WORST_LOCK
        role = route & 0xFF
        line = route >> 8 & 0xFF
        if role not in (ROLE_LINE, ROLE_RETRANSMISSION):
            line = -1
        row = ROWS_AT + least * t.WORST_WORDS
        # A release for each word keeps all of them between the two versions of the lock.
        store_release(telemetry, lock, telemetry[lock] + 1)
        store_release(telemetry, row + t.WORST_NS, done - (hook if hook != 0 else sent))
        store_release(telemetry, row + t.WORST_HOOK, hook)
        store_release(telemetry, row + t.WORST_SENT, sent)
        store_release(telemetry, row + t.WORST_TAKEN, taken)
        store_release(telemetry, row + t.WORST_DONE, done)
        store_release(telemetry, row + t.WORST_RECORDED, recorded)
        store_release(telemetry, row + t.WORST_CHANNEL, route >> 16)
        store_release(telemetry, row + t.WORST_LINE, line)
        store_release(telemetry, row + t.WORST_LENGTH, length)
        store_release(telemetry, row + t.WORST_AWAY, away)
        _copy(telemetry, row + t.WORST_DATA, memory, payload, min(length, t.WORST_BYTES))
        if kept < t.WORST_ROWS:
            kept += 1
            store_release(telemetry, t.WORST_BASE + t.WORST_KEPT, kept)
        store_release(telemetry, lock, telemetry[lock] + 1)
    if kept < t.WORST_ROWS:
        return 0
    floor: int = telemetry[ROWS_AT]
    for place in range(1, kept):
        floor = min(floor, telemetry[ROWS_AT + place * t.WORST_WORDS])
    return floor


@kernel
def _copy(words: Words, at: int, data: Bytes, start: int, length: int) -> None:
    """Copy bytes into words, the last one padded with zeros."""
    whole = length >> 3
    for k in range(whole):
        store_release(words, at + k, load_le64(data, start + 8 * k))
    last = 0
    for k in range(length & 7):
        last |= load_u8(data, start + 8 * whole + k) << (8 * k)
    if length & 7:
        store_release(words, at + whole, last)
