"""UDP sockets: payloads by flow, and serials and stamps by matching, through loss and without a guess."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from simbench.errors import SimbenchError
from simbench.wire.contract import UNMATCHED
from simbench.wire.datagrams import PASSAGE_NS
from simbench.wire.open import open_receiver, open_sender, open_wire
from simbench.wire.udp import split_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Harness

    from simbench.wire.contract import ReceiverEnd, SenderEnd

    MakeFrame = Callable[..., bytes]
    OpenPair = Callable[..., tuple[SenderEnd, ReceiverEnd]]

pytestmark = pytest.mark.wire

GROUPS = ("224.0.31.64:14340", "239.9.8.7:15000", "[ff15::99]:777")
A, B, SIX = (split_group(group) for group in GROUPS)


@pytest.fixture
def open_pair(can_veth: None) -> Iterator[OpenPair]:
    """Return a function that opens a veth wire with UDP sockets at the end."""
    opened = []

    def open_it(**options: object) -> tuple[SenderEnd, ReceiverEnd]:
        wire = open_wire("veth", stack="udp", groups=GROUPS, **options)
        ends = open_sender(wire.sender), open_receiver(wire.receiver)
        opened.extend((*ends, wire))
        return ends

    yield open_it
    for each in opened:
        each.close()


@pytest.mark.parametrize("mode", ["generic", "native"])
def test_every_flow_gets_its_payloads_serials_and_stamps(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame, mode: str
) -> None:
    """IPv4 and IPv6 datagrams, short and long, arrive on their flow with the serial they were sent with."""
    sender, receiver = open_pair(mode=mode)
    payloads = [b"%d:" % i + bytes([i]) * (i * 13) for i in range(60)]
    frames = [make_frame(*(A, B, SIX)[i % 3], payload) for i, payload in enumerate(payloads)]
    harness.send(sender, frames, 1 << 38)
    arrived = sorted(harness.receive(receiver, 60), key=lambda each: each.ordinal)
    assert [each.ordinal for each in arrived] == list(range(1 << 38, (1 << 38) + 60))
    assert [each.data for each in arrived] == payloads
    assert [each.flow for each in arrived] == [i % 3 for i in range(60)]
    assert all(each.stamp > 0 for each in arrived)
    assert receiver.words[UNMATCHED] == 0


def test_an_overflowing_socket_counts_and_the_rest_still_matches(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame
) -> None:
    """Even datagrams that are all equal keep their serials over a loss, since the socket says how many it lost."""
    sender, receiver = open_pair(receive_buffer=1 << 14)
    same = [make_frame(*A, b"the same")] * 300
    harness.send(sender, same)
    kept = harness.drain(receiver)
    lost = receiver.counters()["socket_overflow"]
    assert 0 < lost == 300 - len(kept)
    assert [each.ordinal for each in kept] == list(range(len(kept)))
    harness.send(sender, same[:5], 1000)
    assert [each.ordinal for each in harness.receive(receiver, 5)] == list(range(1000, 1005))
    assert receiver.words[UNMATCHED] == 0


def test_a_datagram_that_the_kernel_dropped_does_not_shift_the_others(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame
) -> None:
    """A wrong checksum is dropped before the socket and not counted there: the next ones find their own records."""
    sender, receiver = open_pair()
    frames = [make_frame(*A, b"%04d" % i, broken=i % 3 == 0) for i in range(30)]
    harness.send(sender, frames)
    arrived = harness.receive(receiver, 20)
    assert [(each.ordinal, each.data) for each in arrived] == [(i, b"%04d" % i) for i in range(30) if i % 3]
    assert receiver.words[UNMATCHED] == 0


def test_what_could_be_either_of_two_is_counted_and_not_guessed(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame
) -> None:
    """After an uncounted drop, equal datagrams are nobody's for sure; different ones after them match again."""
    sender, receiver = open_pair()
    frames = [make_frame(*A, b"bad", broken=True), *[make_frame(*A, b"same")] * 2, make_frame(*A, b"after")]
    harness.send(sender, frames)
    arrived = harness.receive(receiver, 3)
    assert [each.ordinal for each in arrived] == [-1, -1, 3]
    assert [each.stamp > 0 for each in arrived] == [False, False, True]
    assert receiver.words[UNMATCHED] == 2


def test_records_of_what_never_came_are_forgotten(open_pair: OpenPair, harness: Harness, make_frame: MakeFrame) -> None:
    """Some time after the socket was found empty, equal datagrams match again."""
    sender, receiver = open_pair()
    harness.send(sender, [make_frame(*A, b"bad", broken=True), *[make_frame(*A, b"same")] * 2])
    assert [each.ordinal for each in harness.receive(receiver, 2)] == [-1, -1]
    quiet_until = time.monotonic_ns() + 3 * PASSAGE_NS
    assert harness.until(lambda: harness.drain(receiver) == [] and time.monotonic_ns() > quiet_until)
    harness.send(sender, [make_frame(*A, b"same")], 77)
    assert [each.ordinal for each in harness.receive(receiver, 1)] == [77]


def test_without_the_hook_there_are_payloads_and_no_stamps(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame
) -> None:
    """The bare sockets cost nothing extra and know no serial."""
    sender, receiver = open_pair(hook=False)
    harness.send(sender, [make_frame(*A, b"one"), make_frame(*B, b"two")])
    arrived = harness.receive(receiver, 2)
    assert sorted((each.flow, each.data, each.ordinal, each.stamp) for each in arrived) == [
        (0, b"one", -1, 0),
        (1, b"two", -1, 0),
    ]


def test_a_group_that_is_named_twice_is_one_flow(can_veth: None, harness: Harness, make_frame: MakeFrame) -> None:
    """Two lines of one group share its socket, and every datagram comes once."""
    wire = open_wire("veth", stack="udp", groups=(GROUPS[0], GROUPS[1], GROUPS[0]))
    with wire, open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
        assert receiver.flows == GROUPS[:2]
        harness.send(sender, [make_frame(*A, b"x"), make_frame(*B, b"y")])
        assert sorted(each.flow for each in harness.receive(receiver, 2)) == [0, 1]
        assert harness.drain(receiver) == []


def test_waiting_covers_all_sockets(open_pair: OpenPair, harness: Harness, make_frame: MakeFrame) -> None:
    """wait() returns 0 when nothing comes, and 1 whichever socket has something."""
    sender, receiver = open_pair()
    assert receiver.wait(receiver.words, 1_000_000) == 0
    for group in (A, B, SIX):
        harness.send(sender, [make_frame(*group, b"x")])
        assert receiver.wait(receiver.words, 2_000_000_000) == 1
        assert len(harness.receive(receiver, 1)) == 1


@pytest.mark.parametrize("runs", [(150, 5, 1, 100, 70, 1, 40), (1,) * 90, (64, 64, 64, 128, 128, 128)])
def test_datagrams_of_all_sockets_come_in_the_order_of_the_wire(
    open_pair: OpenPair, harness: Harness, make_frame: MakeFrame, runs: tuple[int, ...]
) -> None:
    """However many of one flow come in a row, more than a call reads or fewer, none goes before what came earlier."""
    sender, receiver = open_pair()
    groups = [(A, B, SIX)[turn % 3] for turn, run in enumerate(runs) for _ in range(run)]
    harness.send(sender, [make_frame(*group, b"%d" % i) for i, group in enumerate(groups)])
    arrived = harness.receive(receiver, len(groups))
    assert [each.ordinal for each in arrived] == list(range(len(groups)))
    assert receiver.words[UNMATCHED] == 0


@pytest.mark.parametrize("hook", [True, False])
def test_few_slots_hold_up_nobody(can_veth: None, harness: Harness, make_frame: MakeFrame, *, hook: bool) -> None:
    """With slots for fewer datagrams than one socket has, every flow still gets all of its own, in order."""
    wire = open_wire("veth", stack="udp", groups=GROUPS, hook=hook)
    few = msgspec.structs.replace(wire.receiver, entries=8)
    with wire, open_sender(wire.sender) as sender, open_receiver(few) as receiver:
        payloads = [b"%d" % i for i in range(120)]
        harness.send(sender, [make_frame(*(A, B, B, SIX)[i % 4], payload) for i, payload in enumerate(payloads)])
        arrived = harness.receive(receiver, 120)
        for flow, turns in enumerate([(0,), (1, 2), (3,)]):
            mine = [payload for i, payload in enumerate(payloads) if i % 4 in turns]
            assert [each.data for each in arrived if each.flow == flow] == mine


def test_nothing_is_left_open(can_veth: None, no_leak: None, harness: Harness, make_frame: MakeFrame) -> None:
    """Sockets, maps, program, link and namespaces go with their owners."""
    with open_wire("veth", stack="udp", groups=GROUPS) as wire:
        with open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
            harness.send(sender, [make_frame(*A, b"x")])
            assert len(harness.receive(receiver, 1)) == 1
        assert harness.drain(receiver) == []
        del sender, receiver


@pytest.mark.parametrize("group", ["224.0.0.1", "x:1", "[::1", "1.2.3:4"])
def test_a_group_that_is_none_is_one_line(group: str) -> None:
    """What cannot be read says how it is written."""
    with pytest.raises(SimbenchError, match="224"):
        split_group(group)
