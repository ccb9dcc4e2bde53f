"""Where the sequencer's state lies: one array of int64 words, and a slab of bytes for packets that wait.

Everything is reached by index, tables lie behind each other and rows name rows by number, so that a copy is a
checkpoint and a table can move to a larger array. A stream is what one sequence belongs to: a channel, or a unit,
segment or partition of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int64]
    Headers = NDArray[Any]

NIL: Final = -1
NEVER: Final = 1 << 62
SEQUENCE_LIMIT: Final = 1 << 60  # sequences and units above are damage; sums of two stay inside int64
MAX_LINES: Final = 16  # a gap record keeps two bits for each
RETRANSMITTED: Final = 0xFF  # number of the line of a packet that was asked for

# Verdicts of offer().
DELIVER: Final = 1  # decode it now, without its first memory[OUT_SKIP] units
SEEN: Final = 2  # every unit is delivered or held already
HELD: Final = 3  # copied into the slab: above a hole, or in doubt
LATE: Final = 4  # of a gap already given up, or of an epoch that is over
BEFORE_START: Final = 5  # older than the first of the epoch
HEARTBEAT: Final = 6  # taken note of; nothing to decode
CONFLICT: Final = 7  # seen, cut alike, but with other bytes
INVALID: Final = 8  # a sequence or a count that cannot be; counted, nothing else changed
REFUSED: Final = 9  # no room: a new stream or epoch, or an answer to be held, beyond the limit; nothing else changed
UNASKED: Final = 10  # an answer to a question that nobody asked; counted, nothing else changed
NEED_ROOM: Final = -1  # nothing changed: grow, and offer the same again
DRAIN: Final = -2  # not taken yet: release this stream until NIL, and offer the same again

VERDICTS: Final = {
    DELIVER: "delivered",
    SEEN: "duplicate",
    HELD: "held",
    LATE: "late",
    BEFORE_START: "before the start",
    HEARTBEAT: "heartbeat",
    CONFLICT: "conflict",
    INVALID: "invalid",
    REFUSED: "refused",
    UNASKED: "not asked for",
}

# Words at the front. What the pipeline gives and reads:
IN_ORDINAL: Final = 0  # of the frame that is offered next; comes back with a held packet
OUT_STREAM: Final = 1  # the packet's stream
OUT_SKIP: Final = 2  # units of it that are delivered already
OUT_MORE: Final = 3  # 1 when release() has something of this stream
OUT_FIRST: Final = 4  # what its header said
OUT_UNITS: Final = 5
OUT_SENT: Final = 6
OUT_START: Final = 7  # of a released packet's messages in the slab; from here on only release() sets them
OUT_END: Final = 8
OUT_LINE: Final = 9
OUT_CHANNEL: Final = 10
OUT_ORDINAL: Final = 11
OUT_ARRIVED: Final = 12  # `now` of its offer
OUT_SESSION: Final = 13
OUT_FLAGS: Final = 14
OUT_ATTEMPT: Final = 15  # which request for this range it is, from 1
# Settings:
WAIT_NS: Final = 16
COUNT: Final = 17
DISTANCE: Final = 18
RUN: Final = 19
STALE_NS: Final = 20
REQUEST_NS: Final = 21
ATTEMPTS: Final = 22
DOWN_NS: Final = 23
# Counters of the whole:
INVALIDS: Final = 24
REFUSALS: Final = 25
UNLOGGED: Final = 26  # gap records, and missing ranges, that found their table at its limit
UNLOGGED_UNITS: Final = 27
LOST_UNITS: Final = 28
UNRANGED: Final = 29
UNPLACED: Final = 30  # arrivals out of order too far back to find the missing range they fill
DUE: Final = 31  # the earliest deadline of any stream
NEEDED_BYTES: Final = 32  # of a packet for which the slab's slots are too small
SLOT_BYTES: Final = 33
CHANNEL_COUNT: Final = 34
STREAM_SIZE: Final = 35  # words of a stream with its window and its lines
WANTED: Final = 36  # holes to be asked for
ASKED: Final = 37  # holes that have been asked for and wait for the answer
OUT_RECORD: Final = 38  # of the gap that the packet to be delivered filled; NIL
HOLES_OPENED: Final = 39  # counter of the whole
# Tables: base, used rows, capacity, limit, and for pools the first free row.
TABLES: Final = 48
TABLE_WORDS: Final = 5
T_BASE: Final = 0
T_USED: Final = 1
T_CAPACITY: Final = 2
T_LIMIT: Final = 3
T_FREE: Final = 4
CHANNEL: Final = TABLES
BUCKET: Final = TABLES + TABLE_WORDS
SLOT: Final = TABLES + 2 * TABLE_WORDS
HOLE: Final = TABLES + 3 * TABLE_WORDS
RANGE: Final = TABLES + 4 * TABLE_WORDS
EPOCH: Final = TABLES + 5 * TABLE_WORDS
RECORD: Final = TABLES + 6 * TABLE_WORDS
STREAM: Final = TABLES + 7 * TABLE_WORDS
LAG: Final = TABLES + 8 * TABLE_WORDS
FRONT: Final = TABLES + 9 * TABLE_WORDS  # words before the first table

# A channel.
C_LINES: Final = 0
C_RECENT: Final = 1  # base of the stream that was offered last, 0 none
C_EPOCHS: Final = 2  # epochs so far
C_ASKS: Final = 3  # 1: its holes are asked for
C_REQUESTS: Final = 4  # counters of what came of that: requests,
C_ANSWERS: Final = 5  # packets that came for them, and of these:
C_REPAIRED: Final = 6  # units that they filled
C_REPEATED: Final = 7  # packets that brought nothing new,
C_CONFLICTS: Final = 8  # or other bytes,
C_LATE: Final = 9  # or what had been given up,
C_UNASKED: Final = 10  # or what nobody had asked for,
C_CROWDED: Final = 11  # or found no slot: asked for again
C_SNAPSHOT: Final = 12  # 1 while it waits for a snapshot
C_WRAP: Final = 13  # the highest sequence, which 1 follows; 0 where sequences do not wrap
C_LAGS: Final = 14  # row of its first line's lags; those of the others follow
CHANNEL_WORDS: Final = 15

# What a line lags behind: how long after the first copy of a packet, from another line, its own came. The largest, how
# many, and a log-linear histogram (lags.py).
LAG_HIGHEST: Final = 0
LAG_COUNT: Final = 1
LAG_HEAD: Final = 2
LAG_SUB: Final = 8  # buckets for each power of two: one is at most an eighth of its value wide
LAG_BITS: Final = 36  # values from 0 to 2**36 - 1 ns, a minute; above is counted at the end
LAG_BUCKETS: Final = (LAG_BITS - 3) * LAG_SUB + LAG_SUB
LAG_WORDS: Final = LAG_HEAD + LAG_BUCKETS

# A slot: a packet that waits. Held ones are a list by sequence; those in doubt hang on their line.
K_NEXT: Final = 0
K_PREVIOUS: Final = 1
K_FIRST: Final = 2
K_UNITS: Final = 3
K_LENGTH: Final = 4
K_SENT: Final = 5
K_LINE: Final = 6
K_ORDINAL: Final = 7
K_SESSION: Final = 8
K_FLAGS: Final = 9
K_ARRIVED: Final = 10
K_DIGEST: Final = 11
K_RECORD: Final = 12  # of the gap that it filled; NIL
SLOT_WORDS: Final = 13

# A hole: a range that is open, in a list by sequence.
O_NEXT: Final = 0
O_FIRST: Final = 1
O_LAST: Final = 2
O_DETECTED: Final = 3
O_LINE: Final = 4  # that revealed it
O_STATE: Final = 5
O_DEADLINE: Final = 6  # of the answer, once asked for
O_TRIES: Final = 7  # requests since something of it came
O_REQUESTS: Final = 8  # requests in all
O_BEFORE: Final = 9  # record of what was filled before it, as far as it begins; NIL
O_BEHIND: Final = 10  # and of what was filled behind its end
O_DAMAGED: Final = 11  # 1: it came, and could not be decoded
HOLE_WORDS: Final = 12

# States of a hole. In the list those that wait are behind all others.
WAITING: Final = 0  # for another line, or for its line's reordered packet
WANTING: Final = 1  # to be asked for
ASKING: Final = 2  # for the answer
SPENT: Final = 3  # asked for in vain: given up as soon as it is the first, since until then an answer still helps

# A missing range of one line, in a list from the newest back.
M_PREVIOUS: Final = 0
M_FIRST: Final = 1
M_LAST: Final = 2
M_EPOCH: Final = 3  # row
RANGE_WORDS: Final = 4

# An epoch.
E_CHANNEL: Final = 0
E_STREAM: Final = 1
E_NUMBER: Final = 2  # in its channel, from 0
E_SESSION: Final = 3
E_RESTART: Final = 4  # which epoch of this session, from 0
E_FIRST: Final = 5
E_LAST: Final = 6  # once it is over
E_OPENED: Final = 7
E_CLOSED: Final = 8  # NIL while it lasts
E_CAUSE: Final = 9
E_SENT: Final = 10  # sent time of its first packet
E_PREVIOUS: Final = 11  # row of the stream's epoch before it
E_AFTER: Final = 12  # sent time of the last that was delivered before it; 0 where sent times do not tell them apart
E_LOST: Final = 13  # its newest lost record, once it is over
E_BEGAN: Final = 14  # sequence of its first packet
EPOCH_WORDS: Final = 15

# A gap record.
G_CHANNEL: Final = 0
G_STREAM: Final = 1
G_EPOCH: Final = 2  # number in the channel
G_FIRST: Final = 3
G_LAST: Final = 4
G_DETECTED: Final = 5
G_CLOSED: Final = 6
G_OUTCOME: Final = 7
G_CAUSE: Final = 8
G_REVEALED: Final = 9  # line that revealed it
G_FILLED: Final = 10  # line that filled it, NIL
G_LATE: Final = 11  # units of it that came after it was given up, on any line
G_LINES: Final = 12  # two bits a line: how each stood when it was closed
G_PREVIOUS: Final = 13  # the stream's lost record before it
G_REQUESTS: Final = 14  # how often it was asked for
G_STATES: Final = 15  # two bits a line: the state it was in then
G_MESSAGES: Final = 16  # decoded from the packets that filled it; NIL while nobody has told
G_JOINED: Final = 17  # the record that tells of it too, since what lay between them was filled; NIL: it tells itself
RECORD_WORDS: Final = 18

# A stream: the words below, then the window of digests, then its lines.
S_KEY: Final = 0
S_CHANNEL: Final = 1
S_LINES: Final = 2
S_SESSION: Final = 3
S_EPOCH: Final = 4  # row
S_STATE: Final = 5
S_EXPECTED: Final = 6  # everything below is delivered or given up
S_FAST: Final = 7  # the same while nothing waits, else NIL
S_SURE: Final = 8  # everything above and below the expected is delivered
S_TOP: Final = 9  # the next sequence above all that is known of
S_SENT: Final = 10  # sent time of the last delivered
S_HEAD: Final = 11  # held packets
S_TAIL: Final = 12
S_HELD: Final = 13
S_HOLE: Final = 14  # open holes
S_HOLE_TAIL: Final = 15
S_HOLES: Final = 16
S_LOST: Final = 17  # newest lost record of this epoch
S_JOINED: Final = 18  # when the epoch's first packet came
S_ENDED: Final = 19  # 1 after the end of the session
S_DUE: Final = 20
S_RUNS: Final = 21  # lines with packets in doubt
S_ID: Final = 22
S_PENDING: Final = 23  # 1 when the next packet begins an epoch because the replayer said so
S_WAITING: Final = 24  # the first open hole that waits
S_ANSWER_DUE: Final = 25  # no answer is due before
STREAM_WORDS: Final = 26

WINDOW: Final = 512  # packets whose digests are remembered: what lines lag behind each other
W_FIRST: Final = 0
W_UNITS: Final = 1
W_DIGEST: Final = 2
W_AT: Final = 3  # `now` of the first copy; NIL where that was asked for
WINDOW_WORDS: Final = 4
LINES_AT: Final = STREAM_WORDS + WINDOW * WINDOW_WORDS

# States of a stream.
EMPTY: Final = 0  # no epoch; the next packet begins one
JOINING: Final = 1  # holds what comes as long as older packets may come, so that it starts with the oldest
LIVE: Final = 2

# A line of a stream.
L_FAST: Final = 0  # its next while it is in the stream's epoch and nothing of it is in doubt, else NIL
L_NEXT: Final = 1
L_EPOCH: Final = 2  # row, NIL before its first
L_FIRST: Final = 3
L_SENT: Final = 4
L_DATAGRAMS: Final = 5
L_WON: Final = 6
L_DUPLICATES: Final = 7
L_LATE: Final = 8
L_CONFLICTS: Final = 9
L_HEARTBEATS: Final = 10
L_BEFORE: Final = 11
L_REORDERED: Final = 12
L_IMPLAUSIBLE: Final = 13  # claimed a jump or a restart that its line did not confirm
L_UNSEQUENCED: Final = 14
L_FIRST_AT: Final = 15
L_LAST_AT: Final = 16
L_MISSING: Final = 17  # newest missing range
L_MISSING_UNITS: Final = 18
L_RUN: Final = 19  # packets in doubt that agree with each other
L_RUN_KIND: Final = 20
L_RUN_FIRST: Final = 21
L_RUN_NEXT: Final = 22
L_RUN_SESSION: Final = 23
L_RUN_EPOCH: Final = 24  # the stream's when the doubt began
L_RUN_AT: Final = 25
L_RUN_SLOT: Final = 26
L_RUN_SENT: Final = 27  # sent time of the newest of them
L_RUN_BEGAN: Final = 28  # and of the oldest
LINE_WORDS: Final = 29

# What a packet in doubt may be: one alone may be damage. Numbers above those of where a packet belongs.
DOUBT: Final = 3
DOUBT_RESTART: Final = 3
DOUBT_SESSION: Final = 4
DOUBT_JUMP: Final = 5

# How a hole ended.
LOST: Final = 0
OTHER_LINE: Final = 1
REORDER: Final = 2
RETRANSMISSION: Final = 3
SNAPSHOT: Final = 4
NATURAL: Final = 5
OUTCOMES: Final = ("lost", "other line", "reorder", "retransmission", "snapshot", "natural refresh")

# Why it ended there.
FILLED: Final = 0
BY_TIME: Final = 1
BY_COUNT: Final = 2
BY_DISTANCE: Final = 3
BY_OVERFLOW: Final = 4
BY_RESTART: Final = 5
BY_END: Final = 6
BY_DAMAGE: Final = 7
UNANSWERED: Final = 8
CAUSES: Final = (
    "filled",
    "time",
    "count",
    "distance",
    "slab full",
    "restart",
    "end of data",
    "malformed",
    "unanswered",
)

# How a line stood to a hole when it was closed.
UNSEEN: Final = 0
BEHIND: Final = 1
PASSED: Final = 2
SILENT: Final = 3
STANDS: Final = ("unseen", "behind", "passed", "silent")

# State of a line, by how long it has been silent.
UNHEARD: Final = 0
UP: Final = 1
STALE: Final = 2
DOWN: Final = 3
LINE_STATES: Final = ("never", "up", "stale", "down")

# State of a channel. Of several streams' the highest is the channel's.
JOINING_IN: Final = 0  # nothing yet, or older packets may still come
ENDED: Final = 1
ON_AIR: Final = 2
RESETTING: Final = 3  # a line begins anew, or has not followed the one that did
WAITING_FOR_LINE: Final = 4  # for what one line lacks
RETRANSMITTING: Final = 5  # for what all lines lack and was asked for
SNAPSHOT_AWAITED: Final = 6
CHANNEL_STATES: Final = ("joining", "ended", "live", "reset", "waiting", "retransmitting", "snapshot")

# Why an epoch began.
BY_START: Final = 0
BY_SESSION: Final = 1
BY_RESET: Final = 2
BY_SEQUENCE: Final = 3
BY_REPLAYER: Final = 4
BEGINNINGS: Final = ("start", "session", "reset", "restart", "replayer")
