"""What a protocol is: two compiled functions of fixed signatures, and a table of what it calls things.

The functions are called from compiled loops as first-class functions, so a protocol of a user's own runs at native
speed without a change or a recompile of any loop.

frame(data, start, end, state, header) -> status
    Fill header[0] with the next packet header of the datagram data[start:end]. Called again with start = header.end
    while header.end < end. 0, or a negative code for a header that is malformed.

decode(data, start, end, skip, state, events) -> count
    Turn the messages of data[start:end] (header.start, header.end) after the first `skip` sequence units into events.
    The count of events; or -1 - count when the packet is malformed after so many events, with the code in
    state[ERROR] and the number of units that were good (skipped ones included) in state[UNITS].
    The caller has set state[SEQUENCE] to the packet's first sequence, state[SENT] to its sent time and state[UNITS] to
    the units that its header promised.

state is int64[n] per channel: the slots below, then a counter per message type from COUNTS on, then what the protocol
wants. The pipeline owns it and checkpoints copy it: everything a protocol remembers between packets is in there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
from numba import types

from simbench.event import EVENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from simbench.protocol.rewriting import Rewriting

HEADER: Final = np.dtype(
    [
        ("stream", "i8"),  # what a sequence belongs to besides the channel: unit, segment, partition; 0 where none
        ("session", "i8"),  # index of the session's name in the protocol's state; 0 where there are no sessions
        ("first", "i8"),  # sequence of the first unit; in a heartbeat the next expected one
        ("units", "i8"),  # how far the sequence moves
        ("flags", "i8"),
        ("sent", "i8"),  # ns since 1970; 0 where the protocol does not say
        ("start", "i8"),  # of the messages in the datagram's buffer
        ("end", "i8"),  # behind the last of them: where the next header starts
    ],
    align=True,
)

# Flags of a header.
HEARTBEAT: Final = 1 << 0  # no messages; first is the next expected sequence
SEQUENCE_RESET: Final = 1 << 1  # the sequence starts again with this packet
END_OF_SESSION: Final = 1 << 2
UNSEQUENCED: Final = 1 << 3  # carries no sequence: delivered as it comes, once per line

# Slots of a channel's state that every protocol has.
SEQUENCE: Final = 0  # in: sequence of the packet's first unit
SENT: Final = 1  # in: the packet's sent time
MIDNIGHT: Final = 2  # in: ns since 1970 of the local midnight, for protocols that count from there
ERROR: Final = 3  # out: the last malformation's code
UNITS: Final = 4  # in: units that the packet's header promised; out: good units of the packet that was malformed
MESSAGES: Final = 5  # counter: messages decoded
UNKNOWN: Final = 6  # counter: messages of a type that the protocol does not know
MALFORMED: Final = 7  # counter: packets malformed
INEXACT: Final = 8  # counter: prices or quantities that the exponents could not hold
SNAPSHOT_FLOW: Final = 9  # in: 0 for a packet of a line, n for one of the channel's n-th flow beside the lines
FLOW_MISSING: Final = 10  # in, of such a flow: units that are missing before the packet; below 0 where it begins anew
COUNTS: Final = 16  # first of the counters by message type

# Codes of malformation.
TRUNCATED: Final = -1  # a length points behind the end
BAD_LENGTH: Final = -2  # a length contradicts the layout
BAD_HEADER: Final = -3
TOO_MANY_EVENTS: Final = -4  # more than the event buffer holds

EVENT_BUFFER: Final = 16_384  # events; more than any datagram of 64 KiB can carry in any of the protocols

DATA: Final = types.uint8[::1]
WORDS: Final = types.int64[::1]
HEADERS: Final = numba.from_dtype(HEADER)[::1]
EVENTS: Final = numba.from_dtype(EVENT)[::1]
FRAME_SIGNATURE: Final = types.int64(DATA, types.int64, types.int64, WORDS, HEADERS)
DECODE_SIGNATURE: Final = types.int64(DATA, types.int64, types.int64, types.int64, WORDS, EVENTS)
FRAME_FUNCTION: Final = types.FunctionType(FRAME_SIGNATURE)
DECODE_FUNCTION: Final = types.FunctionType(DECODE_SIGNATURE)


@dataclass(frozen=True)
class Message:
    """A message type.

    Attributes:
        key: as the exchange writes it and as JSON shows it: "A", "32".
        name: in words.
        counter: its slot in the state, COUNTS or above.
    """

    key: str
    name: str
    counter: int


@dataclass(frozen=True)
class Options:
    """What a channel of feed.toml says to its protocol.

    Attributes:
        schema: path of a schema of the user's own.
        timezone: IANA name of the zone whose midnight times count from.
        session_start: of the day that times count from, as "HH:MM" in that zone.
        first_ns: the capture's first stamp, ns since 1970: tells the date. 0 for a live feed: today.
    """

    schema: str | None = None
    timezone: str | None = None
    session_start: str | None = None
    first_ns: int = 0


@dataclass(frozen=True)
class Protocol:
    """A protocol as the pipeline and the reports see it.

    Attributes:
        name: "venue.protocol".
        frame: compiled with FRAME_SIGNATURE.
        decode: compiled with DECODE_SIGNATURE.
        state_size: int64 words of a channel's state.
        setup: fills a zeroed state from the channel's options.
        messages: every message type it knows.
        sequence_unit: what one sequence number counts: "packet" or "message".
        sequence_wrap: the highest sequence, which 1 follows; 0 where sequences do not wrap. Inside, and in events, they
            go on and on; reports say them as they are on the wire.
        book: how its books are kept: "order", "price" or "level".
        text_key: whether a native key is characters (ITCH symbols) or a number.
        price_exponent: of prices in events, where no definition says otherwise; 10**exponent.
        quantity_exponent: likewise.
        depth: levels a side in books by number; 0 unlimited.
        implied_depth: likewise on the implied sides.
        versions: that it was checked against.
        snapshots: whether a book is only known from a snapshot on (book/snapshots.py), and snapshot flows are decoded;
            those of other protocols are counted and left alone. Not for books that are kept order by order.
        is_snapshot: whether a payload comes from a snapshot flow; for guessing.
        recovery: how books that missed something can be made right, in the words of feed.toml: "snapshot", "natural".
            Books order by order wait for snapshots by the packets of their channel, whose sequence is one then.
        sessions: reads the names of the sessions seen out of a state, by index.
        detect: sure signs in a payload that this is, or is not, the protocol; for guessing.
        layouts: every block of the wire by name, as rows of (field, offset, type); for documentation and tests.
        with_schema: the protocol as a schema of the user's own has it (path): its messages and layouts.
        framing: the session layer under it, where recovery servers know it by a name of its own: "moldudp64".
        request: makes the datagram that asks for units again, of (state, session, first, units); None where the
            exchange has no server that is asked in this way.
        rewriting: how its packets are numbered anew and cut, for fault scripts; None: they cannot be.
    """

    name: str
    frame: Any
    decode: Any
    state_size: int
    setup: Callable[[NDArray[np.int64], Options], None]
    messages: Sequence[Message]
    sequence_unit: str
    book: str
    text_key: bool
    price_exponent: int
    quantity_exponent: int = 0
    depth: int = 0
    implied_depth: int = 0
    versions: str = ""
    snapshots: bool = False
    recovery: Sequence[str] = ()
    is_snapshot: Callable[[bytes], bool] = lambda _payload: False
    sessions: Callable[[NDArray[np.int64]], Sequence[str]] = lambda _state: ()
    detect: Callable[[bytes], bool] = lambda _payload: False
    layouts: Mapping[str, Sequence[tuple[str, int, str]]] = field(default_factory=dict)
    sequence_wrap: int = 0
    with_schema: Callable[[Protocol, str], Protocol] | None = None
    framing: str = ""
    request: Callable[[NDArray[np.int64], int, int, int], bytes] | None = None
    rewriting: Rewriting | None = None


def new_state(protocol: Protocol, options: Options) -> NDArray[np.int64]:
    """Return the state of one channel, set up: int64[protocol.state_size]."""
    state = np.zeros(protocol.state_size, np.int64)
    protocol.setup(state, options)
    return state


def pack_text(text: str) -> int:
    """Pack up to 8 ASCII characters big-endian, as ITCH stocks are in events; trailing spaces are dropped.

    >>> pack_text("AB") == (65 << 8 | 66) << 48
    True
    """
    return int.from_bytes(text.rstrip().encode("ascii")[:8].ljust(8, b"\0"), "big")


def unpack_text(key: int) -> str:
    """Return the characters of a packed key."""
    return (key & (1 << 64) - 1).to_bytes(8, "big").rstrip(b"\0 ").decode("ascii", "replace")


# DEFINE events carry an instrument's definition in fields that have no use there:
# order, other, priority: the symbol, 24 bytes, each 8 of them packed big-endian; zero-padded
# price: display factor, 1e-9 (0 not said)
# quantity: price exponent (int8) | quantity exponent (int8) << 8 | 1 << 16 where these two are said |
#   implied depth << 24
# level: depth (0 not said)
# orders: what else the protocol keeps of an instrument: ITCH its stock locate, CME the schema version it came in
