"""Loops of snapshots alone: those that a run sends beside its lines, once each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from small_feeds import finish, ladders, levels, rebuilt

from simbench.capture.reader import open_capture
from simbench.feed.definition import dump, parse
from simbench.frame import FRAME
from simbench.receive.offline import Offline, Source, open_source
from simbench.receive.result import build
from simbench.recovery.broadcast import COUNTERS, Broadcast
from simbench.recovery.snapshot_loop import FIRST_ORDINAL, Accompanied, Loops
from simbench.session.snapshotting import loops_alone
from simbench.wire import ring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.feed.definition import Feed

CYCLE_NS = 100_000_000


@pytest.fixture
def looped(mdp3: Path) -> Feed:
    """Return the channel of the generated capture with the snapshot feed that it would have."""
    found = loops_alone(open_source(mdp3).feed)
    assert found is not None
    return found


@pytest.fixture
def loops(mdp3: Path, looped: Feed) -> Loops:
    """Return its loops."""
    return Loops(open_capture(mdp3), looped, cycle_ns=CYCLE_NS, verify=True)


@pytest.fixture
def ring_fd() -> Iterator[int]:
    """Return a ring with room for all of them."""
    fd = ring.create(1024)
    yield fd
    os.close(fd)


def read(capture: Any, first: int = 0) -> list[tuple[int, bytes]]:
    """Return (stamp, group, port and payload) of what a capture holds from an ordinal on."""
    return [
        (int(row["stamp"]), content(block.data[row["offset"] : row["offset"] + row["captured"]].tobytes()))
        for block in capture.blocks()
        for row in block.frames
        if row["ordinal"] >= first
    ]


def content(frame: bytes) -> bytes:
    """Return what of a frame does not change when it is rebuilt: where it goes, and the payload."""
    return frame[30:34] + frame[36:38] + frame[42:]


def test_loops_alone_are_those_that_a_run_sends(mdp3: Path, looped: Feed, loops: Loops) -> None:
    """The same packets at the same times, and as often as one reads them."""
    beside = Accompanied(open_capture(mdp3), open_capture(mdp3), looped, cycle_ns=CYCLE_NS, verify=True)
    found = read(loops)
    assert found == read(loops) == read(beside, FIRST_ORDINAL)
    assert len(found) == loops.frames > 20
    assert (found[0][0] - open_source(mdp3).first_ns) == CYCLE_NS


def test_who_hears_only_the_last_loop_knows_the_final_books(mdp3: Path, looped: Feed) -> None:
    """A cycle longer than the capture has one loop, behind its last frame: every level and quantity is in it."""
    loops = Loops(open_capture(mdp3), looped, cycle_ns=2_000_000_000, verify=True)
    waiting = tuple(msgspec.structs.replace(channel, recover="snapshot") for channel in looped.channels)
    source: Any = Source(loops, msgspec.structs.replace(looped, channels=waiting), True, 0, ())  # type: ignore[arg-type]
    run = Offline(source)
    finish(run)
    found, expected = build(run.receiver, {}), rebuilt(mdp3)
    assert levels(expected) > 50
    assert ladders(found) == ladders(expected)
    assert found["channels"][0]["lines"][0]["datagrams"] == 0


def test_every_packet_is_sent_once_in_its_order(loops: Loops, ring_fd: int) -> None:
    """What comes out of the wire is what was read, and then the server has nothing more to do."""
    receiver = ring.attach_receiver(ring_fd)
    server = Broadcast(loops, ring.attach_sender(ring_fd), cycle_ns=CYCLE_NS, where="ring")
    polled = np.zeros(1024, FRAME)
    found: list[bytes] = []
    server.start()
    while not server.done or len(found) < server.counters[COUNTERS[0]]:
        count = receiver.poll(receiver.words, receiver.memory, polled)
        spans = [(int(row["offset"]), int(row["offset"] + row["captured"])) for row in polled[:count]]
        found += [content(receiver.memory[first:last].tobytes()) for first, last in spans]
        receiver.release(receiver.words, polled, count)
        receiver.wait(receiver.words, 10_000_000)
    counters = server.counters
    server.stop()
    receiver.close()
    assert found == [sent for _, sent in read(loops)]
    assert counters == {"snapshot_packets": len(found), "snapshot_packets_dropped": 0}
    assert server.packets == len(found) > 20


def test_a_server_that_is_ended_before_its_first_loop_sends_nothing(mdp3: Path, looped: Feed, ring_fd: int) -> None:
    """However early: before it was started too."""
    loops = Loops(open_capture(mdp3), looped, cycle_ns=900_000_000, verify=True)
    for begin in (False, True):
        server = Broadcast(loops, ring.attach_sender(ring_fd), cycle_ns=3_600_000_000_000, where="ring")
        if begin:
            server.start()
        assert not server.done
        assert server.counters == dict.fromkeys(COUNTERS, 0)
        server.stop()


def test_a_feed_names_its_snapshot_group(mdp3: Path, itch: Path) -> None:
    """The first of the channel; without one the next free port beside line A; nothing where there are no loops."""
    feed = open_source(mdp3).feed
    text = dump(feed)
    groups = ("239.1.1.1:7000", "239.1.1.2:7000")
    named = parse(text + "".join(f'[[channel.feed]]\nrole = "snapshot"\ngroup = "{group}"\n' for group in groups))
    beside, own = loops_alone(feed), loops_alone(named)
    assert beside is not None
    assert own is not None
    assert [flow.group for flow in own.channels[0].feeds] == ["239.1.1.1:7000"]
    assert [flow.group for flow in beside.channels[0].feeds] == ["239.192.31.1:15000"]
    assert loops_alone(open_source(itch).feed) is None
