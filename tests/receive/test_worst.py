"""The frames that took longest are kept, with what they carried, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simbench.measure import telemetry as t
from simbench.measure.names import Names
from simbench.measure.worst import Worst, kept, told
from simbench.receive.pipeline import NOT_FEED, ROLE_LINE, ROLE_SNAPSHOT
from simbench.receive.whole import Whole
from simbench.receive.worst import keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.int64]

ITCH = Names(
    channels=("itch",),
    lines=((("A", "239.0.0.1:1"), ("B", "239.0.0.2:2")),),
    text_keys=(True,),
    outcomes=(),
    line_states=(),
    channel_states=(),
    states=(),
    reasons=(),
    anomalies=(),
    protocols=(("nasdaq.itch50", ""),),
)
LINE_B = 1 << 8 | ROLE_LINE
HOOK = 1_000_000


def offer(words: Words, floor: int, ns: int, payload: bytes = b"", route: int = LINE_B, *, hook: bool = True) -> int:
    """Offer a frame that took so long, as the loop does; return what the next one must exceed."""
    if ns <= floor:
        return floor
    data = np.frombuffer(b"\xff" * 3 + payload + b"\xff", np.uint8)
    begun = (HOOK, 0) if hook else (0, HOOK)
    return int(keep(words, data, 3, len(payload), route, 77, *begun, HOOK + ns // 4, HOOK + ns, 0))


def lasting(words: Words) -> list[int]:
    """Return how long the kept ones took."""
    rows = kept(words)
    assert rows is not None
    return rows[:, t.WORST_NS].tolist()


@settings(deadline=None)
@given(st.lists(st.integers(1, 1 << 30), max_size=100))
def test_the_longest_are_kept(values: list[int]) -> None:
    """Whatever the order in which they come: as many as there is room for, the longest first."""
    words = np.zeros(t.WORDS, np.int64)
    floor = 0
    for value in values:
        floor = offer(words, floor, value)
    assert lasting(words) == sorted(values, reverse=True)[: t.WORST_ROWS]


@settings(deadline=None)
@given(st.binary(max_size=t.WORST_BYTES + 20))
def test_the_datagram_is_kept_as_it_was(payload: bytes) -> None:
    """Byte by byte, as far as there is room."""
    words = np.zeros(t.WORDS, np.int64)
    offer(words, 0, 5, payload)
    rows = kept(words)
    assert rows is not None
    assert rows[0, t.WORST_LENGTH] == len(payload)
    assert rows[0, t.WORST_DATA :].tobytes()[: len(payload)] == payload[: t.WORST_BYTES]


def test_a_frame_that_is_not_the_feeds_is_not_kept() -> None:
    """However long it took; and what is beside the lines has no line."""
    words = np.zeros(t.WORDS, np.int64)
    assert offer(words, 0, 900, route=NOT_FEED) == 0
    assert lasting(words) == []
    offer(words, 0, 10, route=ROLE_SNAPSHOT)
    assert [each["line"] for each in told(words, ITCH)] == [""]


def test_what_it_carried_is_told() -> None:
    """Sequence, messages and kinds of a MoldUDP64 datagram, and where the time went."""
    words = np.zeros(t.WORDS, np.int64)
    system = b"S" + bytes(10) + b"O"
    trading = b"H" + bytes(10) + b"ABC     T " + bytes(4)
    blocks = b"".join(len(each).to_bytes(2, "big") + each for each in (system, trading, trading))
    payload = b"SESSION001" + (4711).to_bytes(8, "big") + (3).to_bytes(2, "big") + blocks
    offer(words, 0, 1000, payload, hook=False)
    (found,) = told(words, ITCH)
    assert (found["channel"], found["line"], found["sequence"]) == ("itch", "B", 4711)
    assert (found["messages"], found["kinds"], found["bytes"]) == (3, {"H": 2, "S": 1}, len(payload))
    assert (found["stage"], found["ns"], found["before_ns"], found["handling_ns"]) == ("send_book", 1000, 250, 750)


def test_damage_is_told_as_unknown() -> None:
    """A datagram that nothing can be read from, and a channel whose protocol is not named."""
    words = np.zeros(t.WORDS, np.int64)
    offer(words, 0, 1000, b"?")
    (found,) = told(words, ITCH)
    assert (found["sequence"], found["messages"], found["kinds"]) == (-1, 0, {})


def test_a_reader_looks_again_only_when_something_changed() -> None:
    """And shows what it had while one is written."""
    words = np.zeros(t.WORDS, np.int64)
    reader = Worst(words, ITCH)
    offer(words, 0, 1000)
    before = reader.look()
    assert reader.look() is before
    words[t.WORST_BASE + t.WORST_LOCK] += 1
    assert reader.look() is before
    words[t.WORST_BASE + t.WORST_LOCK] += 1
    offer(words, 0, 2000)
    assert [view.ns for view in reader.look()] == [2000, 1000]


def test_of_several_queues_the_longest_of_all_are_kept() -> None:
    """A queue that is writing is waited for."""
    parts = [np.zeros(t.WORDS, np.int64) for _ in range(2)]
    whole = np.zeros(t.WORDS, np.int64)
    values: Sequence[range] = (range(100, 2000, 100), range(150, 2000, 100))
    for part, own in zip(parts, values, strict=True):
        floor = 0
        for value in own:
            floor = offer(part, floor, value)
    gatherer = Whole(whole, parts, (0,))
    parts[0][t.WORST_BASE + t.WORST_LOCK] += 1
    gatherer.gather()
    assert lasting(whole) == []
    parts[0][t.WORST_BASE + t.WORST_LOCK] += 1
    gatherer.gather()
    assert lasting(whole) == sorted((*values[0], *values[1]), reverse=True)[: t.WORST_ROWS]
