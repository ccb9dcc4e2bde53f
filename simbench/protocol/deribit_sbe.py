"""Deribit: books by price, trades and snapshots in SBE, over multicast.

A frame is a head of 8 bytes and messages; one frame is one sequence unit, and the sequence belongs to the channel that
the head names. Messages have no length of their own: they are walked by the lengths of block, groups and strings, so
messages of a version that gained fields still decode, and unknown ones are stepped over. Sources: deribit_layout.py.

What a message becomes:

    book (1001)            a LEVEL an entry, CHAINED by the change ids; END with the last message of a change; NOTE for
                           a change without entries
    snapshot (1004)        SNAPSHOT, then a LEVEL an entry, all FROM_SNAPSHOT; END with the last message of a book. NOTE
                           where it is not complete, where its beginning may be missing, and on a line
    trades (1002)          a TRADE an entry; order: number of the instrument's trade, other: trade id
    ticker (1003)          STATISTIC; price: of the last trade
    instrument (1000, 1010) DEFINE
    the others             nothing; they are counted

Prices and amounts are doubles on the wire, and integers at the instrument's scale in events: deribit_scale.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simbench.kernel.pure import kernel, kernel_as, load_le16, load_le32
from simbench.protocol.contract import (
    BAD_LENGTH,
    DECODE_SIGNATURE,
    ERROR,
    FLOW_MISSING,
    FRAME_SIGNATURE,
    MESSAGES,
    SNAPSHOT_FLOW,
    TRUNCATED,
    UNITS,
    UNKNOWN,
    Message,
    Options,
    Protocol,
)
from simbench.protocol.deribit_layout import (
    COUNTER,
    FLOW_ROWS,
    FLOW_WORDS,
    FLOWS,
    FRAME_SIZE,
    GROUP_SIZE,
    HEAD_SIZE,
    INSTRUMENT,
    KNOWN,
    LAYOUTS,
    OPEN,
    ROOT,
    ROW,
    ROWS,
    SCHEMA,
    SNAPSHOT,
    SNAPSHOT_END,
    SNAPSHOT_START,
    STATE_SIZE,
    TABLE,
    TORN,
)
from simbench.protocol.deribit_messages import message
from simbench.protocol.deribit_scale import DEFAULT_DIGITS
from simbench.protocol.deribit_walk import step_over_groups, step_over_strings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Records = NDArray[Any]

MOST_VERSIONS: Final = 64  # for guessing: more than versions will ever be
MOST_PARTS: Final = 4  # more groups or strings than a message has


@kernel_as(FRAME_SIGNATURE)
def frame(data: Bytes, start: int, end: int, state: Words, header: Records) -> int:
    """Read a frame's head, see protocol/contract.py. All datagrams seen are one frame; more in one would be read."""
    behind = start + FRAME_SIZE
    if behind <= end:
        behind += load_le16(data, start)
    if behind > end or end - start < FRAME_SIZE:
        state[ERROR] = TRUNCATED
        return TRUNCATED
    out = header[0]
    out["stream"] = load_le16(data, start + 2)
    out["session"] = 0
    out["first"] = load_le32(data, start + 4)
    out["units"] = 1
    out["flags"] = 0
    out["sent"] = 0
    out["start"] = start + FRAME_SIZE
    out["end"] = behind
    return 0


@kernel
def _row(data: Bytes, at: int) -> int:
    """Return the row of a message's template; of an unknown one a row without a counter."""
    template = load_le16(data, at + 2) - INSTRUMENT
    known = 0 <= template < KNOWN and load_le16(data, at + 4) == SCHEMA
    return (template if known else KNOWN - 1) * ROW


@kernel
def _fail(state: Words, flow: int, code: int, count: int) -> int:
    """Note what was wrong behind so many events: the frame is one unit, and that is lost."""
    state[ERROR] = code
    state[UNITS] = 0
    state[flow + OPEN] = 0
    state[flow + TORN] = 1
    return -1 - count


@kernel_as(DECODE_SIGNATURE)
def decode(data: Bytes, start: int, end: int, skip: int, state: Words, events: Records) -> int:
    """Turn a frame's messages into events, see protocol/contract.py. A frame is one unit: skipped, it is nothing."""
    if skip > 0:
        return 0
    flow = FLOWS + state[SNAPSHOT_FLOW] % FLOW_ROWS * FLOW_WORDS
    if state[SNAPSHOT_FLOW] > 0 and state[FLOW_MISSING] != 0:
        state[flow + OPEN] = 0
        state[flow + TORN] = 1
    count = 0
    at = start
    while at < end:
        body = at + HEAD_SIZE
        if body > end:
            return _fail(state, flow, TRUNCATED, count)
        block = load_le16(data, at)
        groups = load_le16(data, at + 8)
        row = _row(data, at)
        counter = ROWS[row + COUNTER]
        if counter != 0 and block < ROWS[row + ROOT]:
            return _fail(state, flow, BAD_LENGTH, count)
        strings = step_over_groups(data, body + block, end, groups, state)
        behind = step_over_strings(data, strings, end, load_le16(data, at + 10)) if strings >= 0 else strings
        if behind < 0:
            return _fail(state, flow, behind, count)
        if counter == 0:
            state[UNKNOWN] += 1
        else:
            after = message(data, at, block, row, strings, behind, flow, state, events, count)
            if after < 0:
                return _fail(state, flow, after, count)
            state[counter] += 1
            count = after
        state[MESSAGES] += 1
        at = behind
    return count


def setup(state: Words, options: Options) -> None:
    """Leave a zeroed state as it is: nothing depends on the channel."""


def is_snapshot(payload: bytes) -> bool:
    """Tell whether a payload comes from a snapshot flow: it has a message of those that only such a flow has."""
    return bool({SNAPSHOT, SNAPSHOT_START, SNAPSHOT_END}.intersection(_templates(payload)))


def detect(payload: bytes) -> bool:
    """Tell whether a payload can only be this: a frame filled by messages of known templates and their least sizes."""
    found = _templates(payload)
    return bool(found) and None not in found


def _templates(payload: bytes) -> list[int | None]:
    """Return the templates of a frame's messages; None, and no more, where something cannot be this protocol's."""

    def word(at: int) -> int:
        return int.from_bytes(payload[at : at + 2], "little")

    end, at = FRAME_SIZE + word(0), FRAME_SIZE
    found: list[int | None] = []
    while at < end == len(payload):
        block, template, schema, version, groups, strings = (word(at + 2 * i) for i in range(6))
        known = TABLE.get(template)
        likely = schema == SCHEMA and 0 < version < MOST_VERSIONS and groups <= MOST_PARTS and strings <= MOST_PARTS
        if known is None or block < known[1] or not likely:
            break
        at += HEAD_SIZE + block
        for _ in range(groups):
            at += GROUP_SIZE + word(at) * word(at + 2)
        for _ in range(strings):
            at += 1 + int.from_bytes(payload[at : at + 1], "little")
        found.append(template)
    return found if at == end == len(payload) else [*found, None]


PROTOCOL: Final = Protocol(
    name="deribit.sbe",
    frame=frame,
    decode=decode,
    state_size=STATE_SIZE,
    setup=setup,
    messages=tuple(
        Message(str(template), TABLE[template][0], int(ROWS[(template - INSTRUMENT) * ROW]))
        for template in sorted(TABLE)
    ),
    sequence_unit="packet",
    book="price",
    text_key=False,
    price_exponent=-DEFAULT_DIGITS,
    quantity_exponent=-DEFAULT_DIGITS,
    versions="multicast SBE schema 1, template versions 2 and 3",
    snapshots=True,
    is_snapshot=is_snapshot,
    detect=detect,
    layouts=LAYOUTS,
)
