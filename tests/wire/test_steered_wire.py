"""Several queues as one wire: who gets which frame, in which order, and how frames change hands between threads."""

from __future__ import annotations

import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from udp_frames import udp_frame

from simbench.errors import SimbenchError
from simbench.frame import FRAME
from simbench.wire.contract import NO_ROOM, TOO_LONG
from simbench.wire.flowtable import ELSEWHERE, FlowQueue, new_table, queue_of_frame
from simbench.wire.open import open_handing, open_receivers, open_steered, open_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Arrived, Harness

GROUPS = ("239.1.0.1", "239.1.0.2", "ff15::7")
FLOWS = [FlowQueue(group, 5000, queue) for queue, group in enumerate(GROUPS)]
QUEUES = len(GROUPS)


def queue_of(table: np.ndarray[Any, Any], frame: bytes) -> int:
    """Look a frame up that stands somewhere in a buffer."""
    data = np.frombuffer(bytearray(b"\xff" * 7 + frame), np.uint8)
    return int(queue_of_frame(table, data, 7, len(frame)))


def feed(count: int, groups: Sequence[str] = GROUPS) -> list[bytes]:
    """Return frames of each group in turn, numbered."""
    return [udp_frame(groups[i % len(groups)], 5000, b"%06d" % i) for i in range(count)]


def numbers(arrived: Sequence[Arrived]) -> list[int]:
    """Return what the frames were numbered with."""
    return [each.ordinal for each in arrived]


KEYS = st.sampled_from([4, 6]).flatmap(
    lambda version: st.tuples(
        st.ip_addresses(v=version), st.integers(0, 65535), st.ip_addresses(v=version), st.integers(0, 65535)
    )
)


@settings(deadline=None)  # the first call compiles
@given(st.lists(KEYS, max_size=60), st.booleans())
def test_a_table_finds_what_was_put_in(keys: list[tuple[Any, int, Any, int]], by_source: bool) -> None:
    """Every flow has its queue, the first one of a key that is there twice; others have none."""
    flows = [
        FlowQueue(str(group), port, queue, str(source), source_port)
        for queue, (source, source_port, group, port) in enumerate(keys)
    ]
    table = new_table(flows, by_source=by_source)
    expected: dict[tuple[Any, ...], int] = {}
    for flow in flows:
        expected.setdefault(key_of(flow, by_source), flow.queue)
    for flow in flows:
        frame = from_source(udp_frame(flow.group, flow.port, b"some"), flow)
        assert queue_of(table, frame) == expected[key_of(flow, by_source)]
    assert queue_of(new_table([], by_source=by_source), udp_frame("239.1.2.3", 5000, b"")) == ELSEWHERE


def key_of(flow: FlowQueue, by_source: bool) -> tuple[Any, ...]:
    """Return what a table tells flows apart by."""
    return (flow.group, flow.port, *((flow.source, flow.source_port) if by_source else ()))


def from_source(frame: bytes, flow: FlowQueue) -> bytes:
    """Return a frame as the flow's source would send it."""
    packed = ip_address(flow.source).packed
    at, udp = (26, 34) if len(packed) == 4 else (22, 54)
    return frame[:at] + packed + frame[at + len(packed) : udp] + flow.source_port.to_bytes(2) + frame[udp + 2 :]


def test_what_has_no_flow_is_elsewhere() -> None:
    """A tag is stepped over; a fragment, another protocol and a frame that is cut have no queue."""
    table = new_table(FLOWS, by_source=False)
    frame = udp_frame(GROUPS[1], 5000, b"whole")

    assert queue_of(table, frame) == 1
    assert queue_of(table, frame[:12] + b"\x81\x00\x00\x05" + frame[12:]) == 1
    assert queue_of(table, frame[:12] + b"\x88\xa8\x00\x05\x81\x00\x00\x05" + frame[12:]) == 1
    assert queue_of(table, frame[:20] + b"\x20\x00" + frame[22:]) == ELSEWHERE
    assert queue_of(table, frame[:23] + b"\x06" + frame[24:]) == ELSEWHERE
    assert [queue_of(table, frame[:length]) for length in range(37)] == [ELSEWHERE] * 37
    six = udp_frame(GROUPS[2], 5000, b"whole")
    assert queue_of(table, six) == 2
    assert [queue_of(table, six[:length]) for length in range(57)] == [ELSEWHERE] * 57


def test_a_name_instead_of_an_address_is_one_line() -> None:
    """Whoever makes the table hears of it."""
    with pytest.raises(SimbenchError, match="'nasdaq' is no address"):
        new_table([FlowQueue("nasdaq", 1, 0)], by_source=False)


def test_each_queue_gets_its_flows_in_their_order(can_veth: None, no_leak: None, harness: Harness) -> None:
    """One sender end, three receivers: as the table says; what it does not name comes on queue 0 and is counted."""
    frames = [*feed(200), udp_frame("239.9.9.9", 5000, b"nobody's")]
    with open_wire("veth", queues=QUEUES) as wire:
        receivers = open_receivers(wire.receiver)
        with open_steered(wire.sender, new_table(FLOWS, by_source=False)) as sender:
            assert harness.send(sender, frames) == len(frames)
            arrived = [numbers(harness.receive(end, count)) for end, count in zip(receivers, (68, 67, 66), strict=True)]
            assert arrived == [[*range(0, 200, 3), 200], list(range(1, 200, 3)), list(range(2, 200, 3))]
            assert sender.told() == {"sent": [68, 67, 66], "unnamed": 1}
            assert sum(sender.counters().values()) == 0
        for end in receivers:
            end.close()
        del sender, receivers, end


def test_a_queue_without_room_is_the_wire_without_room(can_veth: None, harness: Harness) -> None:
    """A full queue refuses, also where another one has room; too long is too long on all; a closed end refuses."""
    with open_wire("veth", queues=2, entries=64) as wire:
        sender = open_steered(wire.sender, new_table(FLOWS[:2], by_source=False))
        source = np.frombuffer(bytearray(udp_frame(GROUPS[1], 5000, b"full").ljust(4000, b"\0")), np.uint8)
        other = np.frombuffer(bytearray(udp_frame(GROUPS[0], 5000, b"full")), np.uint8)

        def prepare(data: Any, length: int) -> int:
            return int(sender.prepare(sender.words, sender.memory, data, 0, length, 0))

        assert [prepare(source, 60) for _ in range(65)] == [1] * 64 + [NO_ROOM]
        assert prepare(other, len(other)) == 1
        assert prepare(source, 4000) == TOO_LONG
        assert sender.counters()["too_long"] == 1
        assert sender.commit(sender.words, 100) == 65
        sender.close()
        assert prepare(other, len(other)) == NO_ROOM
        assert sender.commit(sender.words, 1) == 0


def test_what_is_anothers_is_handed_over(can_veth: None, no_leak: None, harness: Harness) -> None:
    """All lands on queue 0; each thread gets its own, equal and stamped, and queue 0 gets its frames back for ever."""
    with open_wire("veth", queues=QUEUES, entries=64) as wire:
        ends = open_handing(wire.receiver, new_table(FLOWS, by_source=False))
        with open_steered(wire.sender, new_table([], by_source=False)) as sender:
            for turn in range(30):
                frames = feed(48)
                harness.send(sender, frames, 48 * turn)
                kept = harness.receive(ends[0], 16)
                arrived = [kept, *(harness.receive(end, 16) for end in ends[1:])]
                for queue, some in enumerate(arrived):
                    assert numbers(some) == [48 * turn + number for number in range(queue, 48, 3)]
                    assert [each.data[12:] for each in some] == [frame[12:] for frame in frames[queue::3]]
                    assert all(each.stamp > 0 for each in some)
                assert harness.drain(ends[0]) == []  # the poll that takes the others' frames back
            assert sum(ends[0].counters().values()) == 0
        assert [end.landed for end in ends] == [30 * 48, 0, 0]
        assert [end.handed_over for end in ends] == [30 * 32, 0, 0]
        assert [end.taken_over for end in ends] == [0, 30 * 16, 30 * 16]
        assert [end.times.count for end in ends] == [0, 30 * 16, 30 * 16]
        for end in ends:
            end.close()
            assert end.poll(end.words, end.memory, np.zeros(4, FRAME)) == 0
        del sender, ends, end


def test_an_owner_that_is_behind_is_a_full_socket(can_veth: None, harness: Harness) -> None:
    """What it does not take stays in the frames of the queue that it landed on, whose socket then counts a drop."""
    with open_wire("veth", queues=2, entries=64) as wire:
        ends = open_handing(wire.receiver, new_table(FLOWS[:2], by_source=False))
        with open_steered(wire.sender, new_table([], by_source=False)) as sender:
            frames = feed(100, GROUPS[1:2])
            for first in range(0, 100, 25):
                harness.send(sender, frames[first : first + 25], first)
                harness.drain(ends[0])
            assert harness.until(lambda: ends[0].counters()["fill_empty"] == 36)
            assert numbers(harness.drain(ends[1])) == list(range(64))
            harness.drain(ends[0])  # takes its frames back
            harness.send(sender, frames[:20], 100)
            harness.drain(ends[0])
            assert numbers(harness.receive(ends[1], 20)) == list(range(100, 120))
        for end in ends:
            end.close()


def test_a_hand_over_wakes_an_owner_that_sleeps(can_veth: None, harness: Harness) -> None:
    """An owner that waits in the kernel wakes for what others hand it, and sleeps again after that."""
    with open_wire("veth", queues=2) as wire:
        ends = open_handing(wire.receiver, new_table(FLOWS[:2], by_source=False))
        woken: list[int] = []
        sleeper = threading.Thread(target=lambda: woken.append(ends[1].wait(ends[1].words, 20_000_000_000)))
        with open_steered(wire.sender, new_table([], by_source=False)) as sender:
            sleeper.start()
            while not woken and sleeper.is_alive():
                harness.send(sender, feed(1, GROUPS[1:2]))
                harness.drain(ends[0])
                sleeper.join(0.01)
            assert woken == [1]
            assert harness.receive(ends[1], 1)
            harness.drain(ends[1])
            ends[1].wait(ends[1].words, 1_000_000)  # what was written before it woke is read here
            assert ends[1].wait(ends[1].words, 1_000_000) == 0
        for end in ends:
            end.close()


def test_two_threads_hand_over_all_of_it(can_veth: None, harness: Harness) -> None:
    """Frames that land on either queue and belong to the other's thread come through whole, and once."""
    count = 20_000
    table = new_table(FLOWS[:2], by_source=False)
    crossed = new_table([FlowQueue(flow.group, flow.port, 1 - flow.queue) for flow in FLOWS[:2]], by_source=False)
    with open_wire("veth", queues=2, entries=1024) as wire:
        ends = open_handing(wire.receiver, table)
        got: list[list[int]] = [[], []]
        enough = threading.Event()

        def take(queue: int) -> None:
            end, frames = ends[queue], np.zeros(64, FRAME)
            while not enough.is_set():
                n = end.poll(end.words, end.memory, frames)
                got[queue] += frames["ordinal"][:n].tolist()
                end.release(end.words, frames, n)
                if n == 0:
                    end.wait(end.words, 1_000_000)

        threads = [threading.Thread(target=take, args=(queue,)) for queue in range(2)]
        for thread in threads:
            thread.start()
        with open_steered(wire.sender, crossed) as sender:
            for first in range(0, count, 100):
                harness.send(sender, feed(100, GROUPS[:2]), first, batch=20)
                assert harness.until(lambda first=first: sum(map(len, got)) == first + 100)
        enough.set()
        for thread in threads:
            thread.join()
        assert got == [list(range(0, count, 2)), list(range(1, count, 2))]
        assert [end.handed_over for end in ends] == [count // 2, count // 2]
        for end in ends:
            assert sum(end.counters().values()) == 0
            end.close()
