"""The ring: frames through shared memory, in order, with nothing lost that was not refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simbench.errors import SimbenchError
from simbench.frame import FRAME
from simbench.wire import ring
from simbench.wire.contract import NO_ROOM, TOO_LONG, WORDS_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness

    from simbench.wire.contract import ReceiverEnd, SenderEnd

    Pair = tuple[SenderEnd, ReceiverEnd]

CHILD = """
import sys, time
import numpy as np
from simbench.frame import FRAME
from simbench.wire import ring
end = ring.attach_receiver(int(sys.argv[1]))
frames, total, seen, deadline = np.zeros(64, FRAME), 0, 0, time.monotonic() + 20
ring.beat(end)
while seen < int(sys.argv[2]) and time.monotonic() < deadline:
    end.wait(end.words, 100_000_000)
    n = end.poll(end.words, end.memory, frames)
    for frame in frames[:n]:
        total += int(frame["ordinal"]) + int(end.memory[frame["offset"] + 12])
    end.release(end.words, frames, n)
    seen += n
print(seen, total)
"""


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return both ends of a ring of 64 frames."""
    fd = ring.create(64)
    sender, receiver = ring.attach_sender(fd), ring.attach_receiver(fd)
    os.close(fd)
    with sender, receiver:
        yield sender, receiver


def test_bytes_arrive_as_they_were_sent_but_for_the_serial(pair: Pair, harness: Harness, frames: list[bytes]) -> None:
    """Each frame comes out equal and in order, its source MAC holding the serial."""
    sender, receiver = pair
    for first in range(0, 300, 50):
        assert harness.send(sender, frames[first : first + 50], (1 << 39) + first) == 50
        for i, arrived in enumerate(harness.drain(receiver), first):
            assert arrived.ordinal == (1 << 39) + i
            assert arrived.data[:6] + arrived.data[12:] == frames[i][:6] + frames[i][12:]
            assert arrived.data[6] == 2


def test_no_serial_leaves_the_frame_untouched(pair: Pair, harness: Harness) -> None:
    """A frame that is sent as recorded keeps its source MAC and has no serial."""
    sender, receiver = pair
    frame = np.frombuffer(bytes(range(1, 101)), np.uint8).copy()
    assert sender.prepare(sender.words, sender.memory, frame, 0, 100, -1) == 1
    sender.commit(sender.words, 1)
    (arrived,) = harness.drain(receiver)
    assert arrived.data == frame.tobytes()
    assert arrived.ordinal == -1


def test_a_full_ring_has_no_room_until_the_receiver_gives_frames_back(
    pair: Pair, harness: Harness, frames: list[bytes]
) -> None:
    """The 65th frame of 64 is refused; room comes back with release, not with poll."""
    sender, receiver = pair
    assert harness.send(sender, frames[:65]) == 64
    one = np.frombuffer(bytearray(frames[0]), np.uint8)
    assert sender.prepare(sender.words, sender.memory, one, 0, 60, 0) == NO_ROOM
    assert len(harness.drain(receiver)) == 64
    assert sender.prepare(sender.words, sender.memory, one, 0, 60, 0) == 1


def test_prepared_frames_are_invisible_until_committed(pair: Pair, harness: Harness, frames: list[bytes]) -> None:
    """A frame prepared ahead of its deadline does not arrive before its commit."""
    sender, receiver = pair
    source = np.frombuffer(bytearray(b"".join(frames[:2])), np.uint8)
    for i in range(2):
        sender.prepare(sender.words, sender.memory, source, 60 * i, 60, i)
    assert harness.drain(receiver) == []
    assert sender.commit(sender.words, 1) == 1
    assert [arrived.ordinal for arrived in harness.drain(receiver)] == [0]
    assert sender.commit(sender.words, 5) == 1


def test_a_frame_too_long_is_refused_and_counted(pair: Pair) -> None:
    """What can never fit says so, instead of asking for patience."""
    sender, _ = pair
    source = np.zeros(4096, np.uint8)
    assert sender.prepare(sender.words, sender.memory, source, 0, sender.max_frame + 1, 0) == TOO_LONG
    assert sender.prepare(sender.words, sender.memory, source, 0, sender.max_frame, 0) == 1
    assert sender.counters()["too_long"] == 1


def test_a_new_receiver_starts_with_what_the_last_one_did_not_release(harness: Harness, frames: list[bytes]) -> None:
    """A receiver that dies between poll and release loses nothing for its successor."""
    fd = ring.create(64)
    with ring.attach_sender(fd) as sender, ring.attach_receiver(fd) as first:
        harness.send(sender, frames[:10])
        polled = np.zeros(64, FRAME)
        assert first.poll(first.words, first.memory, polled) == 10
        with ring.attach_receiver(fd) as second:
            assert [arrived.ordinal for arrived in harness.drain(second)] == list(range(10))
    os.close(fd)


def test_two_processes_share_a_ring(harness: Harness, frames: list[bytes]) -> None:
    """A child that inherits the descriptor receives every frame, sleeping in between, and gives a sign of life."""
    fd = ring.create(64)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(fd), "600"], pass_fds=[fd], stdout=subprocess.PIPE, text=True
    )
    expected = 0
    with ring.attach_sender(fd) as sender:
        os.close(fd)
        for i in range(600):
            source = np.frombuffer(bytearray(frames[i % 300]), np.uint8)
            expected += i + frames[i % 300][12]
            assert harness.until(lambda i=i, s=source: sender.prepare(sender.words, sender.memory, s, 0, 60, i) == 1)
            sender.commit(sender.words, 1)
        output, _ = child.communicate(timeout=30)
        assert output.split() == ["600", str(expected)]
        assert ring.last_beat(sender) > 0


def test_waiting_ends_with_a_frame_or_the_timeout(pair: Pair, harness: Harness, frames: list[bytes]) -> None:
    """A sleeping receiver is woken by the commit; without one it returns 0."""
    sender, receiver = pair
    assert receiver.wait(receiver.words, 1_000_000) == 0
    started = time.monotonic()
    sleeper = []
    thread = threading.Thread(target=lambda: sleeper.append(receiver.wait(receiver.words, 4_000_000_000)))
    thread.start()
    harness.send(sender, frames[:1])
    thread.join(5)
    assert sleeper == [1]
    assert time.monotonic() - started < 4


def test_counters_can_live_in_shared_memory(harness: Harness, frames: list[bytes]) -> None:
    """The control words may be the caller's own, where another process reads them."""
    fd = ring.create(64)
    words = np.zeros(WORDS_SIZE, np.int64)
    with ring.attach_sender(fd, words) as sender:
        os.close(fd)
        harness.send(sender, frames[:7])
    assert words[8] == 7


def test_a_closed_end_is_harmless(pair: Pair, harness: Harness, frames: list[bytes]) -> None:
    """After close there is no room, nothing arrives and nothing is touched."""
    sender, receiver = pair
    sender.close()
    receiver.close()
    assert harness.send(sender, frames[:3]) == 0
    assert harness.drain(receiver) == []


@pytest.mark.parametrize(("entries", "size"), [(0, 2048), (100, 2048), (64, 100), (64, 1 << 20)])
def test_a_ring_of_no_sense_is_refused(entries: int, size: int) -> None:
    """Entries are a power of two and frames of a sane size, or one line says so."""
    with pytest.raises(SimbenchError):
        ring.create(entries, size)


def test_another_versions_memory_is_refused() -> None:
    """Memory that is no ring of this version is told apart before it is used."""
    fd = os.memfd_create("foreign")
    os.ftruncate(fd, 1 << 16)
    with pytest.raises(SimbenchError, match="version"):
        ring.attach_receiver(fd)
    os.close(fd)


def test_nothing_is_left_open(no_leak: None, harness: Harness, frames: list[bytes]) -> None:
    """A ring that was closed leaves no descriptor."""
    fd = ring.create(64)
    with ring.attach_sender(fd) as sender, ring.attach_receiver(fd) as receiver:
        harness.send(sender, frames[:3])
        assert len(harness.drain(receiver)) == 3
    os.close(fd)
    del sender, receiver
