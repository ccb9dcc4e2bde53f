"""What a receiver publishes while it runs: one block of shared memory, one writer, any number of readers.

int64 words, a layout version first. The receiver's loop copies its counters here every few milliseconds; a reader
copies them out at its own pace and never makes the receiver wait. A plain counter may be one publication old. A book
slot is under a seqlock: its version is odd while it is written, and a reader tries again.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.errors import SimbenchError
from simbench.feed.layout import LAG_WORDS
from simbench.measure.histogram import SIZE as HISTOGRAM
from simbench.measure.histogram import Histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]

LAYOUT: Final = 0x73696D62_0000_0007  # "simb" and the version

# Head.
VERSION: Final = 0
PID: Final = 1
BEAT: Final = 2  # CLOCK_MONOTONIC of the last publication
STATE: Final = 3  # of the receiver: STARTING, ...
STARTED: Final = 4  # CLOCK_MONOTONIC of the first frame; 0 none yet
LATEST: Final = 5  # of the last frame
REPLAY_NOW: Final = 6  # replay time of the last frame or tick, ns since 1970
INSTRUMENTS: Final = 7  # rows filled
LINES: Final = 8
CHANNELS: Final = 9
GAPS: Final = 10  # gap records ever written; row n of the ring is n % GAP_ROWS
GAPS_LOST: Final = 11
GAPS_FILLED: Final = 12
GAPS_OPEN: Final = 13  # rows of the open holes
REFRESHED: Final = 14  # the writer's own: where the directory is refreshed next
LAGGED: Final = 20  # likewise: the line whose lags are refreshed next
QUEUES: Final = 21  # of a receiver on several: rows filled
STAY: Final = 22  # by the session: whether a receiver that has ended stays, for books to be looked at
# The gate, of a receiver that has one; how it stands is in the control block.
GATE_CAUSE: Final = 15  # what it waits for, or waited for: of gating.WAYS
GATE_CHANNEL: Final = 16  # whose message it let through last; -1 none
GATE_SEQUENCE: Final = 17  # of that message
GATE_INSTRUMENT: Final = 18  # index of the one that it waits for
GATE_TAKEN: Final = 19  # the request that was taken last
HEAD_WORDS: Final = 64

STARTING: Final = 0
RUNNING: Final = 1
ENDED: Final = 2
FAILED: Final = 3

COUNTERS: Final = (
    ("frames", "frames taken from the wire"),
    ("datagrams", "datagrams of the feed's lines"),
    ("bytes", "bytes of their payloads"),
    ("other_frames", "frames that are not of the feed"),
    ("checksum_lost", "datagrams dropped for a wrong IP or UDP checksum, as a kernel would"),
    ("bad_headers", "datagrams whose packet header is malformed, or says that there is more than they hold"),
    ("packets", "packets framed (MIAX packs several into a datagram)"),
    ("delivered", "packets delivered after arbitration"),
    ("messages", "messages decoded after arbitration"),
    ("unknown_messages", "messages of a type that the protocol does not know"),
    ("malformed", "packets malformed; the messages before the damage were delivered, the rest is missing"),
    ("events", "events applied to the books"),
    ("polls", "times the wire was asked for frames"),
    ("polls_found", "times it had some"),
    ("unstamped", "frames without a row in the side table: no serial, or read too late"),
    ("hiccups", "times the receiving core was away for longer than 10 us"),
    ("hiccup_longest_ns", "longest of them"),
    ("hiccup_total_ns", "time lost to them"),
    ("watched_ns", "time in which hiccups were looked for"),
    ("drop_rx_ring_full", "frames dropped because the receive ring was full"),
    ("drop_rx_dropped", "frames that the receiving socket refused"),
    ("drop_fill_empty", "frames dropped because no free frame was at hand"),
    ("drop_socket_overflow", "datagrams dropped by a full socket buffer"),
    ("drop_link_dropped", "frames dropped by the interface"),
    ("held_frames", "frames left out of the latency, since the gate held them or let them through one by one"),
    ("unmatched", "datagrams behind a UDP socket that could not be matched with their frame"),
)
COUNTER_NAMES: Final = tuple(name for name, _ in COUNTERS)
COUNTER_BASE: Final = HEAD_WORDS
COUNTER_WORDS: Final = 64

STAGES: Final = (
    ("due_send", "due to send: the replayer's lateness (T0 to T1)"),
    ("send_hook", "send to driver hook: the wire (T1 to T2)"),
    ("hook_app", "driver hook to application: the stack (T2 to T3)"),
    ("app_decoded", "application to decoded: dissect, arbitrate, decode (T3 to D)"),
    ("decoded_book", "decoded to book: the books' own time (D to T4)"),
    ("app_done", "application to done: nothing for the books (T3 to T4)"),
    ("app_book", "application to book: the handler (T3 to T4)"),
    ("hook_book", "driver hook to book: stack and handler (T2 to T4)"),
    ("send_app", "send to application: wire and stack (T1 to T3)"),
    ("send_book", "send to book: wire to book (T1 to T4)"),
    ("due_app", "due to application: all but the handler (T0 to T3)"),
    ("due_book", "due to book: everything (T0 to T4)"),
)
ANOMALY_BASE: Final = COUNTER_BASE + COUNTER_WORDS  # the books' anomalies, in their order
ANOMALY_WORDS: Final = 32
STAGE_BASE: Final = ANOMALY_BASE + ANOMALY_WORDS

# A line: its channel, its number in it, and what the sequencer counted.
LINE_ROWS: Final = 128
LINE_WORDS: Final = 16
LINE_BASE: Final = STAGE_BASE + len(STAGES) * HISTOGRAM
LINE_CHANNEL: Final = 0
LINE_NUMBER: Final = 1
LINE_DATAGRAMS: Final = 2
LINE_WON: Final = 3
LINE_DUPLICATES: Final = 4
LINE_LATE: Final = 5
LINE_MISSING: Final = 6
LINE_HIGHEST: Final = 7
LINE_SEEN: Final = 8  # replay time of its last datagram; 0 never
LINE_STATE: Final = 9

# A channel: what it is doing, and what it asked a server for.
CHANNEL_ROWS: Final = 64
CHANNEL_WORDS: Final = 8
CHANNEL_BASE: Final = LINE_BASE + LINE_ROWS * LINE_WORDS
CHANNEL_STATE: Final = 0
CHANNEL_REQUESTS: Final = 1
CHANNEL_REPAIRED: Final = 2

# A gap record, as the sequencer wrote it.
GAP_ROWS: Final = 256
GAP_WORDS: Final = 16
GAP_BASE: Final = CHANNEL_BASE + CHANNEL_ROWS * CHANNEL_WORDS
GAP_CHANNEL: Final = 0
GAP_EPOCH: Final = 1
GAP_FIRST: Final = 2
GAP_LAST: Final = 3
GAP_DETECTED: Final = 4
GAP_CLOSED: Final = 5
GAP_OUTCOME: Final = 6
GAP_ATTEMPTS: Final = 7  # how often it was asked for
GAP_UNITS: Final = 8

OPEN_ROWS: Final = 32  # holes that are open now, in the same words
OPEN_BASE: Final = GAP_BASE + GAP_ROWS * GAP_WORDS

# A book slot: a reader leases it by storing the instrument's index + 1 in WANTED and its own time in LEASED.
SLOTS: Final = 16
SLOT_DEPTH: Final = 20
SLOT_BASE: Final = OPEN_BASE + OPEN_ROWS * GAP_WORDS
SLOT_LOCK: Final = 0  # seqlock version
SLOT_WANTED: Final = 1  # by the reader
SLOT_LEASED: Final = 2  # by the reader: CLOCK_MONOTONIC of its last look
SLOT_SHOWN: Final = 3  # instrument index + 1 whose book this is
SLOT_CHANGE: Final = 4  # the book's version
SLOT_TRADE_PRICE: Final = 5
SLOT_TRADE_QUANTITY: Final = 6
SLOT_TRADE_TIME: Final = 7
SLOT_STATE: Final = 8  # of STANDINGS in book/layout.py
SLOT_SINCE: Final = 9  # exchange time; 0 where the book never was current
SLOT_REASON: Final = 10
SLOT_LADDER: Final = (
    16  # int64[4 sides, SLOT_DEPTH, 4]: price, quantity, orders, known : 1 yes, 0 never sent, 2 no level
)
# The queue of orders at one level of it: a reader says which, and what is shown says of which it is.
SLOT_QUEUE: Final = SLOT_LADDER + 4 * SLOT_DEPTH * 4
QUEUE_WANTED: Final = SLOT_QUEUE  # by the reader: side + 1; 0 none
QUEUE_AT: Final = SLOT_QUEUE + 1  # by the reader: its price
QUEUE_SHOWN: Final = SLOT_QUEUE + 2
QUEUE_PRICE: Final = SLOT_QUEUE + 3
QUEUE_ORDERS: Final = SLOT_QUEUE + 4  # in all; -1 where the book has no order of its own there
QUEUE_LISTED: Final = SLOT_QUEUE + 5  # the first so many are listed
QUEUE_ROWS: Final = 32
QUEUE_ROW: Final = 3  # words: order, quantity, priority (0 where the feed says none)
QUEUE_BASE: Final = SLOT_QUEUE + 8
SLOT_WORDS: Final = QUEUE_BASE + QUEUE_ROWS * QUEUE_ROW
LEASE_NS: Final = 3_000_000_000  # a slot that no reader looked at for so long may be taken by another

# The instrument directory, by dense index.
INSTRUMENT_ROWS: Final = 16_384
INSTRUMENT_WORDS: Final = 9
INSTRUMENT_BASE: Final = SLOT_BASE + SLOTS * SLOT_WORDS
INSTRUMENT_CHANNEL: Final = 0
INSTRUMENT_KEY: Final = 1
INSTRUMENT_SYMBOL: Final = 2  # three words
INSTRUMENT_PRICE_EXPONENT: Final = 5
INSTRUMENT_QUANTITY_EXPONENT: Final = 6
INSTRUMENT_UPDATES: Final = 7
INSTRUMENT_STATE: Final = 8  # of STANDINGS

# How far each line lags behind the first copy of a packet: the sequencer's row (feed/layout.py) for each row of LINE.
LAG_BASE: Final = INSTRUMENT_BASE + INSTRUMENT_ROWS * INSTRUMENT_WORDS

# The frames that took longest, in no order, under a seqlock of their own.
WORST_ROWS: Final = 16
WORST_BASE: Final = LAG_BASE + LINE_ROWS * LAG_WORDS
WORST_LOCK: Final = 0
WORST_KEPT: Final = 1  # rows filled
WORST_HEAD: Final = 8
WORST_NS: Final = 0  # what it took: T2 to T4, or T1 to T4 where there is no hook
WORST_HOOK: Final = 1  # T2; 0 none
WORST_SENT: Final = 2  # T1; 0 unknown
WORST_TAKEN: Final = 3  # T3
WORST_DONE: Final = 4  # T4
WORST_RECORDED: Final = 5  # in the capture, ns since 1970
WORST_CHANNEL: Final = 6
WORST_LINE: Final = 7  # 255: an answer to a request; -1: of a flow beside the lines
WORST_LENGTH: Final = 8  # bytes of the datagram
WORST_AWAY: Final = 9  # so long, ns, the core had not looked at the wire when it took the frame; 0 below a hiccup's
WORST_DATA: Final = 16  # the datagram, as much of it as there is room for
WORST_BYTES: Final = 1536
WORST_WORDS: Final = WORST_DATA + WORST_BYTES // 8

# What each queue has done, where there are several.
LOAD_ROWS: Final = 64
LOAD_WORDS: Final = 8
LOAD_BASE: Final = WORST_BASE + WORST_HEAD + WORST_ROWS * WORST_WORDS
LOAD_FRAMES: Final = 0
LOAD_P50: Final = 1  # of the handler (T3 to T4), ns
LOAD_P99: Final = 2
LOAD_HICCUPS: Final = 3
LOAD_DROPS: Final = 4

WORDS: Final = LOAD_BASE + LOAD_ROWS * LOAD_WORDS


def counter(name: str) -> int:
    """Return the word of a named counter."""
    return COUNTER_BASE + COUNTER_NAMES.index(name)


def counters(words: Words) -> dict[str, int]:
    """Return every named counter."""
    values = words[COUNTER_BASE : COUNTER_BASE + len(COUNTER_NAMES)].tolist()
    return dict(zip(COUNTER_NAMES, values, strict=True))


def stage(name: str) -> int:
    """Return the first word of a stage's histogram."""
    return STAGE_BASE + [key for key, _ in STAGES].index(name) * HISTOGRAM


def histograms(words: Words) -> dict[str, Histogram]:
    """Return a copy of every stage's histogram, by its name."""
    found = {}
    for name, _ in STAGES:
        base = stage(name)
        found[name] = Histogram(words[base : base + HISTOGRAM].copy())
    return found


def create() -> tuple[int, Words]:
    """Make an empty block; return its file descriptor and its words."""
    fd = os.memfd_create("simbench-telemetry", os.MFD_CLOEXEC)
    os.ftruncate(fd, WORDS * 8)
    words = map_words(fd)
    words[VERSION] = LAYOUT
    return fd, words


def attach(fd: int) -> Words:
    """Map a block that another process made; a block of another version is refused."""
    if os.fstat(fd).st_size != WORDS * 8:
        raise SimbenchError("the run to look at was started by another version of simbench")
    words = map_words(fd)
    if words[VERSION] != LAYOUT:
        raise SimbenchError("the run to look at was started by another version of simbench")
    return words


def map_words(fd: int) -> Words:
    """Map a whole file descriptor as int64 words, shared; every page is there before a loop needs it."""
    return np.frombuffer(mmap.mmap(fd, os.fstat(fd).st_size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE), np.int64)
