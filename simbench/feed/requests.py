"""What is asked for: which holes, when, how often, and when nobody answers.

A hole that no line has filled while it waited is wanted; next_request() hands it out, and until its deadline it waits
for the answer. Then it is wanted again, and after the last attempt it is spent. A spent hole is given up as soon as it
is the first: while one before it is open nothing behind it could be delivered, so a late answer is still of use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.feed.gaps import give_up
from simbench.feed.holes import change, end_wait, hole_row
from simbench.feed.layout import (
    ASKED,
    ASKING,
    ATTEMPTS,
    C_ASKS,
    C_REQUESTS,
    LIVE,
    NEVER,
    NIL,
    O_DEADLINE,
    O_DETECTED,
    O_FIRST,
    O_LAST,
    O_NEXT,
    O_REQUESTS,
    O_STATE,
    O_TRIES,
    OUT_ATTEMPT,
    OUT_CHANNEL,
    OUT_FIRST,
    OUT_SESSION,
    OUT_STREAM,
    OUT_UNITS,
    REQUEST_NS,
    S_ANSWER_DUE,
    S_CHANNEL,
    S_DUE,
    S_HOLE,
    S_SESSION,
    S_STATE,
    S_WAITING,
    SPENT,
    STREAM,
    T_USED,
    UNANSWERED,
    WAIT_NS,
    WANTED,
    WANTING,
)
from simbench.feed.streams import channel_base, set_due, stream_base
from simbench.feed.wrap import on_wire
from simbench.kernel.pure import kernel

if TYPE_CHECKING:
    from simbench.feed.layout import Words


@kernel
def asks(memory: Words, stream: int) -> bool:
    """Tell whether the holes of a stream are asked for before they are given up."""
    return bool(memory[channel_base(memory, memory[stream + S_CHANNEL]) + C_ASKS] != 0)


@kernel
def next_deadline(memory: Words, stream: int) -> int:
    """Return when the next wait in an asking stream ends; not later, but perhaps earlier."""
    due: int = memory[stream + S_ANSWER_DUE]
    first = hole_row(memory, memory[stream + S_HOLE])
    if memory[first + O_STATE] == SPENT:
        due = min(due, memory[first + O_DEADLINE])
    if memory[stream + S_WAITING] != NIL:
        due = min(due, memory[hole_row(memory, memory[stream + S_WAITING]) + O_DETECTED] + memory[WAIT_NS])
    return due


@kernel
def end_waits(memory: Words, stream: int, now: int) -> None:
    """Let time take effect on the holes of an asking stream."""
    wait = memory[WAIT_NS]
    while (
        memory[stream + S_WAITING] != NIL
        and now >= memory[hole_row(memory, memory[stream + S_WAITING]) + O_DETECTED] + wait
    ):
        end_wait(memory, stream)
    if now >= memory[stream + S_ANSWER_DUE]:
        due = NEVER
        hole = memory[stream + S_HOLE]
        while hole != memory[stream + S_WAITING]:
            row = hole_row(memory, hole)
            if memory[row + O_STATE] == ASKING:
                if now < memory[row + O_DEADLINE]:
                    due = min(due, memory[row + O_DEADLINE])
                else:
                    change(memory, row, SPENT if memory[row + O_TRIES] >= memory[ATTEMPTS] else WANTING)
            hole = memory[row + O_NEXT]
        memory[stream + S_ANSWER_DUE] = due
    while memory[stream + S_HOLE] != NIL:
        row = hole_row(memory, memory[stream + S_HOLE])
        if memory[row + O_STATE] != SPENT:
            break
        give_up(memory, stream, UNANSWERED, memory[row + O_DEADLINE])


@kernel
def next_request(memory: Words, now: int) -> int:
    """Take the next wanted hole as asked for; 1 where there was one, and then the words say what to ask for.

    OUT_CHANNEL, OUT_STREAM and OUT_SESSION say of what, OUT_FIRST and OUT_UNITS the whole hole. A request may name
    less: what an answer leaves open is wanted again at once. OUT_ATTEMPT counts from 1.
    """
    if memory[WANTED] == 0:
        return 0
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        hole = memory[stream + S_HOLE]
        while hole != memory[stream + S_WAITING]:
            row = hole_row(memory, hole)
            if memory[row + O_STATE] == WANTING:
                _ask(memory, stream, row, now)
                memory[OUT_STREAM] = number
                return 1
            hole = memory[row + O_NEXT]
    return 0


@kernel
def _ask(memory: Words, stream: int, row: int, now: int) -> None:
    deadline = now + memory[REQUEST_NS]
    change(memory, row, ASKING)
    memory[row + O_DEADLINE] = deadline
    memory[row + O_TRIES] += 1
    memory[row + O_REQUESTS] += 1
    memory[stream + S_ANSWER_DUE] = min(memory[stream + S_ANSWER_DUE], deadline)
    set_due(memory, stream, min(memory[stream + S_DUE], deadline))
    channel = memory[stream + S_CHANNEL]
    memory[channel_base(memory, channel) + C_REQUESTS] += 1
    memory[OUT_CHANNEL] = channel
    memory[OUT_SESSION] = memory[stream + S_SESSION]
    memory[OUT_FIRST] = on_wire(memory, channel, memory[row + O_FIRST])
    memory[OUT_UNITS] = memory[row + O_LAST] - memory[row + O_FIRST] + 1
    memory[OUT_ATTEMPT] = memory[row + O_TRIES]


@kernel
def outstanding(memory: Words) -> int:
    """Return how many holes are wanted or have been asked for, and may still be filled by an answer."""
    holes: int = memory[WANTED] + memory[ASKED]
    return holes


@kernel
def want_all(memory: Words) -> None:
    """End every wait for another line, as at the end of the data: what can be asked for is wanted now."""
    for number in range(memory[STREAM + T_USED]):
        stream = stream_base(memory, number)
        if memory[stream + S_STATE] == LIVE and asks(memory, stream):
            while memory[stream + S_WAITING] != NIL:
                end_wait(memory, stream)
