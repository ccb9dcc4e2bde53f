"""The one path from frames to books: routing, framing, arbitration, decoding, applying.

`advance` is a flat loop that can stop anywhere and go on later: what it needs from outside (a larger block, a route for
a flow it has not met, a look at the books at a given sequence) is a status code, and where it stood is in its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
from numba import types

from simbench.book.contract import APPLY_FUNCTION
from simbench.book.layout import DRAINING
from simbench.book.waiting import channel_drained, gather
from simbench.feed.layout import HOLES_OPENED, LOST_UNITS
from simbench.feed.sequencer import (
    DELIVER,
    DRAIN,
    NEED_ROOM,
    NIL,
    OUT_END,
    OUT_FIRST,
    OUT_LINE,
    OUT_MORE,
    OUT_RECORD,
    OUT_SENT,
    OUT_SKIP,
    OUT_START,
    OUT_STREAM,
    OUT_UNITS,
    RETRANSMITTED,
    WANTED,
    channel_of,
    due_stream,
    filled_record,
    malformed,
    nearest,
    next_request,
    note_messages,
    offer,
    offer_retransmitted,
    release,
    tick,
    unwrap,
)
from simbench.frame import BAD_IP_CHECKSUM, BAD_UDP_CHECKSUM, BROUGHT, FRAME, NO_PAYLOAD
from simbench.kernel.host import monotonic_ns
from simbench.kernel.pure import direct, direct_as, hash_bytes
from simbench.protocol.contract import (
    DATA,
    DECODE_FUNCTION,
    EVENT_BUFFER,
    EVENTS,
    FRAME_FUNCTION,
    HEADERS,
    MALFORMED,
    MESSAGES,
    SENT,
    SEQUENCE,
    SNAPSHOT_FLOW,
    UNITS,
    UNSEQUENCED,
    WORDS,
)
from simbench.receive.flows import FLOW_WORDS, NEXT, begin_anew, note_packet
from simbench.receive.losses import follow
from simbench.receive.marking import BEHIND_GAP, NOBODY, keep, mark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Records = NDArray[Any]

PROTOCOLS: Final = 8  # different protocols in one run

# Where it stands.
INDEX: Final = 0  # the frame at hand
AT: Final = 1  # the next packet header in its datagram
END: Final = 2  # of the datagram
DRAINED: Final = 3  # the stream whose held packets are released; NIL none
NOW: Final = 4  # replay time
FIRST: Final = 5  # events waiting to be applied: from here
LAST: Final = 6  # to here (a stop may be before the last one decoded)
DECODED: Final = 7
CHANNEL: Final = 8  # whose they are
FLUSH: Final = 25  # they have to be applied before anything else
STOPPING: Final = 26  # after them comes a stop
FRAMED: Final = 27  # the header at hand is that of the packet at AT
TAKEN: Final = 28  # the frame at INDEX is at work
CLOCK: Final = 29  # replay time without a frame, while a wire is silent; taken when later than NOW
# What it is asked.
BATCH: Final = 9  # events to gather before applying; 1 on a wire, more offline, where prefetching pays
VERIFY: Final = 10  # 1: a bad checksum is loss
UNTIL: Final = 11  # stop before the first frame later than this
STOP_CHANNEL: Final = 12  # stop after this channel's
STOP_SEQUENCE: Final = 13  # sequence, as it is on the wire; STOP_CHANNEL -1: never
PARANOID: Final = 14  # LOOK_FIRST: return LOOK before events are applied
STOP_WRAP: Final = 15  # the highest of that channel's sequences; 0 where they do not wrap
# What it counts.
DATAGRAMS: Final = 16  # of the feed
BYTES: Final = 17  # of their payloads
OTHER: Final = 18  # frames that are not of the feed
LOST_CHECKSUM: Final = 19  # datagrams dropped for a bad checksum
BAD_HEADERS: Final = 20  # datagrams whose packet header is malformed
PACKETS: Final = 21
EVENTS_APPLIED: Final = 22
DELIVERED: Final = 23  # packets delivered
UNASSIGNED: Final = 24  # datagrams of the feed's other flows, counted and left alone
SKIP: Final = 30  # units of the packet at hand that are delivered already
PACKET: Final = 31  # its first sequence
PACKET_UNITS: Final = 32
PACKET_SENT: Final = 33
DAMAGED: Final = 34  # first sequence of a packet that could not be decoded; NIL none
DAMAGED_LAST: Final = 35
DAMAGED_STREAM: Final = 36
SNAPSHOT_DATAGRAMS: Final = 37  # of the feed's snapshot flows that are decoded
ANSWERS: Final = 38  # datagrams that came for a request
TIMED: Final = 39  # 1: say how long the books take, for one reading of the clock a datagram that brings them something
MARK: Final = 40  # clock when the books' turn began; 0 while it is not theirs
APPLYING: Final = 41  # their earlier turns of the frame at hand, ns; set to 0 with MARK by whoever wants to know
PACKET_LINE: Final = 42  # line of the packet at hand; RETRANSMITTED; NIL where it carries no sequence
FILLING: Final = 43  # gap record that events waiting to be applied fill; NIL none
FILLING_FROM: Final = 44  # they are: from here
FILLING_TO: Final = 45  # to here
FILLING_LAST: Final = 46  # LAST, while those before them are applied alone; NIL
MARKING: Final = 47  # whose messages are told apart, see marking.py
MARKED_KEY: Final = 48  # of the instrument, where only its own are; or what was counted of gaps
SCRATCH: Final = 49  # where in these words two copies of a channel's state have room; 0 nowhere: MARKING is NOBODY then
PIPELINE: Final = 56  # words; behind them a row for every flow beside the lines (flows.py), and for every channel

# Routes: what a flow is, by its row in the flow table: channel << 16 | number << 8 | role. The number is the line's, or
# that of the flow beside the lines; that of answers to requests is RETRANSMITTED.
NOT_FEED: Final = -1
UNROUTED: Final = -2
ROLE_LINE: Final = 0
ROLE_SNAPSHOT: Final = 1
ROLE_OTHER: Final = 2
ROLE_RETRANSMISSION: Final = 3

# Statuses.
DONE: Final = 0
STOPPED: Final = 1  # at UNTIL or at STOP_SEQUENCE
NEW_FLOW: Final = 2  # routes[frames[INDEX]["flow"]] is UNROUTED
GROW_BOOK: Final = 3
GROW_SEQUENCER: Final = 4
LOOK: Final = 5  # events[words[FIRST]:words[LAST]] of words[CHANNEL] are about to be applied
# REQUEST: the sequencer's words say what to ask for (next_request). No frame is at work then, so that another batch may
# be taken before words[INDEX] is restored and this one goes on.
REQUEST: Final = 6
FILLS: Final = 8  # events[words[FILLING_FROM]:words[FILLING_TO]] fill gap record words[FILLING], and come next
RESTORED: Final = 7  # a book that waited is current again: the books' block says which

LOOK_FIRST: Final = 1
LOOKED: Final = 2

NEVER: Final = np.iinfo(np.int64).max

FRAMES_TYPE: Final = numba.from_dtype(FRAME)[::1]


def _several(function: Any) -> Any:
    """Return the type of a tuple of so many functions as there can be protocols."""
    make: Any = types.UniTuple
    return make(function, PROTOCOLS)


SIGNATURE: Final = types.int64(
    DATA,
    FRAMES_TYPE,
    types.int64,
    WORDS,
    WORDS,
    types.int64[:, ::1],
    _several(FRAME_FUNCTION),
    _several(DECODE_FUNCTION),
    WORDS,
    WORDS,
    DATA,
    WORDS,
    HEADERS,
    EVENTS,
    APPLY_FUNCTION,
)
FUNCTION: Final = types.FunctionType(SIGNATURE)


def retransmission_route(channel: int) -> int:
    """Return the route of the flow in which a channel's server answers."""
    return channel << 16 | RETRANSMITTED << 8 | ROLE_RETRANSMISSION


def new_words(*, batch: int, verify: bool, flows: int = 0) -> Words:
    """Return the words of a pipeline before its first frame, with rows for so many flows and channels."""
    words = np.zeros(PIPELINE + flows * FLOW_WORDS, np.int64)
    words[DRAINED] = NIL
    words[DAMAGED] = NIL
    words[FILLING] = NIL
    words[FILLING_LAST] = NIL
    words[BATCH] = batch
    words[VERIFY] = int(verify)
    words[UNTIL] = NEVER
    words[STOP_CHANNEL] = -1
    begin_anew(words, PIPELINE)
    return words


@direct
def deliver(
    data: Bytes,
    start: int,
    end: int,
    channel: int,
    stream: int,
    words: Words,
    channels: NDArray[np.int64],
    decode: Any,
    states: Words,
    sequencer: Words,
    events: Records,
) -> None:
    """Decode a packet that arbitration let through, behind the events that wait already; stream NIL: a snapshot's.

    Where the channel's books are told what is lost, that comes in front of it.
    """
    state = states[channels[channel, 1] : channels[channel, 2]]
    first = words[PACKET]
    last = first + words[PACKET_UNITS] - 1
    state[SEQUENCE] = first
    state[SENT] = words[PACKET_SENT]
    state[UNITS] = words[PACKET_UNITS]
    base = words[DECODED]
    messages = state[MESSAGES]
    marking = words[MARKING]
    if marking == BEHIND_GAP and sequencer[HOLES_OPENED] + sequencer[LOST_UNITS] == words[MARKED_KEY]:
        marking = NOBODY
    if marking != NOBODY:
        keep(state, words[words[SCRATCH] :])
    row = channels[channel, 4] if stream != NIL else 0
    told = 0
    if row != 0:
        told = follow(words, row, first + words[SKIP], last, words[PACKET_SENT], events[base:])
    count = decode(data, start, end, words[SKIP], state, events[base + told :])
    if count < 0:
        count = -1 - count
        state[MALFORMED] += 1
        if stream != NIL and words[PACKET_LINE] != NIL:
            # Nothing of a unit is applied that is not whole: it may come again.
            words[DAMAGED] = first + max(state[UNITS], words[SKIP])
            words[DAMAGED_LAST] = last
            while count > 0 and np.int64(events[base + told + count - 1]["sequence"]) >= words[DAMAGED]:
                count -= 1
            if row != 0:
                words[row + NEXT] = words[DAMAGED]
            words[DAMAGED_STREAM] = stream
    if stream != NIL and sequencer[OUT_RECORD] != NIL:
        if count > 0:
            words[FILLING] = filled_record(sequencer)
            words[FILLING_FROM] = base + told
            words[FILLING_TO] = base + told + count
        note_messages(sequencer, state[MESSAGES] - messages)
    if marking != NOBODY:
        mark(
            data, start, end, words[SKIP], decode, state, words[words[SCRATCH] :], events, base + told, count,
            marking, words[MARKED_KEY],
        )  # fmt: skip
    count += told
    words[CHANNEL] = channel
    words[DECODED] = base + count
    words[LAST] = base + count
    if stream == NIL:
        return
    words[DELIVERED] += 1
    if words[STOP_CHANNEL] != channel:
        return
    target = words[STOP_SEQUENCE]
    if words[STOP_WRAP] != 0:
        target = nearest(words[STOP_WRAP], target, first)
    if last >= target:
        stop = base
        while stop < base + count and np.int64(events[stop]["sequence"]) <= target:
            stop += 1
        words[LAST] = stop
        words[STOP_CHANNEL] = -1
        words[STOPPING] = 1


@direct
def note_brought(frames: Records, words: Words, before: int) -> None:
    """Flag the frame at work, if events have been added behind those that there were before."""
    if words[DECODED] > before and words[TAKEN] != 0:
        frames[words[INDEX]]["flags"] |= BROUGHT


@direct_as(SIGNATURE)
def advance(
    data: Bytes,
    frames: Records,
    count: int,
    words: Words,
    routes: Words,
    channels: NDArray[np.int64],
    framers: tuple[Any, ...],
    decoders: tuple[Any, ...],
    states: Words,
    sequencer: Words,
    slab: Bytes,
    book: Words,
    header: Records,
    events: Records,
    apply: Any,
) -> int:
    """Take frames[words[INDEX]:count] to the books; return why it stopped.

    Args:
        data: the batch's bytes.
        frames: FRAME[n], dissected.
        count: frames in the batch.
        words: int64[n], see new_words.
        routes: int64 per flow.
        channels: int64[c, 5]: protocol, first and last word of its state, where in words its rows of other flows are,
            and where its own is, if its books are told what is lost, else 0.
        framers: each protocol's frame function.
        decoders: each protocol's decode function.
        states: the channels' protocol states, one behind the other.
        sequencer: the sequencer's block.
        slab: its held payloads.
        book: the books' block.
        header: HEADER[1], scratch.
        events: EVENT[2 * EVENT_BUFFER], scratch; holds decoded events between calls.
        apply: takes them to the books.
    """
    if words[CLOCK] > words[NOW]:
        due = tick(sequencer, words[CLOCK])
        if due == NEED_ROOM:
            return GROW_SEQUENCER
        words[NOW] = words[CLOCK]
        if due > 0 and words[DRAINED] == NIL:
            words[DRAINED] = due_stream(sequencer)
    while True:
        # What is decoded goes to the books: when enough has gathered, or something else has to wait for it.
        waiting = words[LAST] - words[FIRST]
        if waiting > 0 and (
            waiting >= words[BATCH]
            or words[FLUSH] != 0
            or words[STOPPING] != 0
            or words[FILLING] != NIL
            or len(events) - words[DECODED] < EVENT_BUFFER
        ):
            # What fills a gap names orders that the books have until it is applied: it is looked at just before.
            filling = words[FILLING] != NIL
            if filling and words[FIRST] == words[FILLING_FROM]:
                return FILLS
            if filling and words[FILLING_LAST] == NIL:
                words[FILLING_LAST] = words[LAST]
                words[LAST] = words[FILLING_FROM]
            if words[PARANOID] == LOOK_FIRST:
                words[PARANOID] = LOOKED
                return LOOK
            if words[TIMED] != 0 and words[MARK] == 0:
                words[MARK] = monotonic_ns()
            reached = apply(book, words[CHANNEL], events, words[FIRST], words[LAST])
            words[EVENTS_APPLIED] += reached - words[FIRST]
            words[FIRST] = reached
            if reached < words[LAST]:
                return GROW_BOOK
            if words[PARANOID] == LOOKED:
                words[PARANOID] = LOOK_FIRST
            if words[MARK] != 0 and (words[AT] < words[END] or words[DRAINED] != NIL):  # more is to be decoded
                words[APPLYING] += monotonic_ns() - words[MARK]
                words[MARK] = 0
            if filling:
                words[LAST] = words[FILLING_LAST]
                words[FILLING_LAST] = NIL
                continue
            waiting = 0
        words[FLUSH] = 0
        if words[STOPPING] != 0 and waiting == 0:
            words[STOPPING] = 0
            words[LAST] = words[DECODED]
            return STOPPED
        if waiting == 0:
            words[FIRST] = words[LAST] = words[DECODED] = 0
            if book[DRAINING] != 0:
                count = gather(book, events, EVENT_BUFFER)
                if count < 0:
                    return RESTORED
                words[CHANNEL] = channel_drained(book)
                words[DECODED] = words[LAST] = count
                words[FLUSH] = 1
                if words[PARANOID] == LOOK_FIRST:  # they were looked at when they came
                    words[PARANOID] = LOOKED
                continue

        if words[DAMAGED] != NIL:
            if (
                malformed(
                    sequencer, words[DAMAGED_STREAM], words[DAMAGED], words[DAMAGED_LAST], words[PACKET_LINE],
                    words[NOW],
                )
                == NEED_ROOM
            ):  # fmt: skip
                return GROW_SEQUENCER
            words[DAMAGED] = NIL

        # Packets that were held and can go on come before anything new.
        stream = words[DRAINED]
        if stream != NIL:
            channel = channel_of(sequencer, stream)
            if waiting > 0 and words[CHANNEL] != channel:
                words[FLUSH] = 1
                continue
            if release(sequencer, stream) == NIL:
                words[DRAINED] = due_stream(sequencer)
                continue
            words[SKIP] = sequencer[OUT_SKIP]
            words[PACKET] = sequencer[OUT_FIRST]
            words[PACKET_UNITS] = sequencer[OUT_UNITS]
            words[PACKET_SENT] = sequencer[OUT_SENT]
            words[PACKET_LINE] = sequencer[OUT_LINE]
            before = words[DECODED]
            deliver(
                slab, sequencer[OUT_START], sequencer[OUT_END], channel, stream, words, channels,
                decoders[channels[channel, 0]], states, sequencer, events,
            )  # fmt: skip
            note_brought(frames, words, before)
            continue

        # The next packet of the datagram at hand.
        if words[AT] < words[END]:
            route = routes[frames[words[INDEX]]["flow"]]
            channel = route >> 16
            if waiting > 0 and words[CHANNEL] != channel:
                words[FLUSH] = 1
                continue
            protocol = channels[channel, 0]
            state = states[channels[channel, 1] : channels[channel, 2]]
            if words[FRAMED] == 0:
                if framers[protocol](data, words[AT], words[END], state, header) < 0:
                    words[BAD_HEADERS] += 1
                    words[AT] = words[END]
                    continue
                unwrap(sequencer, channel, header)
                words[PACKETS] += 1
                words[FRAMED] = 1
            if route & 0xFF == ROLE_SNAPSHOT:
                note_packet(words, channels[channel], route >> 8 & 0xFF, header, states)
                words[FRAMED] = 0
                words[AT] = max(header[0]["end"], words[AT] + 1)
                words[SKIP] = 0
                words[PACKET] = header[0]["first"]
                words[PACKET_UNITS] = header[0]["units"]
                words[PACKET_SENT] = header[0]["sent"]
                before = words[DECODED]
                deliver(
                    data, header[0]["start"], header[0]["end"], channel, NIL, words, channels,
                    decoders[protocol], states, sequencer, events,
                )  # fmt: skip
                note_brought(frames, words, before)
                words[FLUSH] = 1  # what waits for this snapshot comes before anything new
                state[SNAPSHOT_FLOW] = 0
                continue
            digest = hash_bytes(data, header[0]["start"], header[0]["end"])
            line = route >> 8 & 0xFF
            if line == RETRANSMITTED:
                verdict = offer_retransmitted(sequencer, slab, channel, header, data, digest, words[NOW])
            else:
                verdict = offer(sequencer, slab, channel, line, header, data, digest, words[NOW])
            if verdict == NEED_ROOM:
                return GROW_SEQUENCER
            if verdict == DRAIN:
                words[DRAINED] = sequencer[OUT_STREAM]
                continue
            words[FRAMED] = 0
            words[AT] = max(header[0]["end"], words[AT] + 1)
            if verdict == DELIVER:
                words[PACKET_LINE] = NIL if header[0]["flags"] & UNSEQUENCED else line
                words[SKIP] = sequencer[OUT_SKIP]
                words[PACKET] = header[0]["first"]
                words[PACKET_UNITS] = header[0]["units"]
                words[PACKET_SENT] = header[0]["sent"]
                before = words[DECODED]
                deliver(
                    data, header[0]["start"], header[0]["end"], channel, sequencer[OUT_STREAM], words, channels,
                    decoders[protocol], states, sequencer, events,
                )  # fmt: skip
                note_brought(frames, words, before)
            if sequencer[OUT_MORE] != 0:
                words[DRAINED] = sequencer[OUT_STREAM]
            continue

        # The next frame.
        if words[TAKEN] != 0:
            words[TAKEN] = 0
            words[INDEX] += 1
        if sequencer[WANTED] != 0 and next_request(sequencer, words[NOW]) != 0:
            return REQUEST
        i = words[INDEX]
        if i >= count:
            if waiting > 0:
                words[FLUSH] = 1
                continue
            return DONE
        flags = frames[i]["flags"]
        flow = frames[i]["flow"]
        if flags & NO_PAYLOAD or flow < 0:
            words[OTHER] += 1
            words[INDEX] += 1
            continue
        route = routes[flow]
        if route == UNROUTED:
            return NEW_FLOW
        if frames[i]["stamp"] > words[UNTIL]:
            if waiting > 0:
                words[FLUSH] = 1
                continue
            return STOPPED
        if route < 0:
            words[OTHER] += 1
            words[INDEX] += 1
            continue
        role = route & 0xFF
        if role == ROLE_OTHER:
            words[UNASSIGNED] += 1
            words[INDEX] += 1
            continue
        if words[VERIFY] != 0 and flags & (BAD_IP_CHECKSUM | BAD_UDP_CHECKSUM):
            words[LOST_CHECKSUM] += 1
            words[INDEX] += 1
            continue
        now = max(words[NOW], frames[i]["stamp"])
        due = tick(sequencer, now)
        if due == NEED_ROOM:
            return GROW_SEQUENCER
        words[NOW] = now
        if due > 0:
            words[DRAINED] = due_stream(sequencer)
        if role == ROLE_LINE:
            words[DATAGRAMS] += 1
            words[BYTES] += frames[i]["payload_length"]
        elif role == ROLE_SNAPSHOT:
            words[SNAPSHOT_DATAGRAMS] += 1
        else:
            words[ANSWERS] += 1
        words[BAD_HEADERS] += frames[i]["payload_length"] == 0
        words[TAKEN] = 1
        words[AT] = frames[i]["payload"]
        words[END] = words[AT] + frames[i]["payload_length"]
