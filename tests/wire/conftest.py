"""What the tests of the wires share: capabilities, frames that a kernel accepts, and loops that end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from udp_frames import udp_frame

from simbench.frame import FRAME
from simbench.wire.probe import Capabilities, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simbench.wire.contract import ReceiverEnd, SenderEnd

PATIENCE_S = 5.0  # before a condition that should come true counts as a failure


@pytest.fixture(scope="session")
def _capabilities() -> Capabilities:
    return probe()


@pytest.fixture
def can_veth(_capabilities: Capabilities) -> None:
    """Skip where this user can have no veth pair with AF_XDP, and say why."""
    if _capabilities.veth:
        pytest.skip(_capabilities.veth)


@pytest.fixture
def can_tap(_capabilities: Capabilities) -> None:
    """Skip where this user can have no TAP device, and say why."""
    if _capabilities.tap:
        pytest.skip(_capabilities.tap)


def _descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.fixture
def no_leak() -> Iterator[None]:
    """Fail when a test leaves a file descriptor open."""
    before = _descriptors()
    yield
    assert _descriptors() == before


@dataclass
class Arrived:
    """A frame as it came out of a wire."""

    ordinal: int
    stamp: int
    flow: int
    data: bytes


class Harness:
    """Sends and receives whole lists of frames in one thread, batch by batch."""

    def send(self, end: SenderEnd, frames: Sequence[bytes], first_serial: int = 0, batch: int = 50) -> int:
        """Send frames with serials from first_serial on; return how many the wire had room for."""
        source = np.frombuffer(bytearray(b"".join(frames)), np.uint8)
        at = sent = 0
        for i, frame in enumerate(frames):
            sent += end.prepare(end.words, end.memory, source, at, len(frame), first_serial + i) == 1
            at += len(frame)
            if i % batch == batch - 1:
                end.commit(end.words, batch)
        end.commit(end.words, batch)
        return sent

    def receive(self, end: ReceiverEnd, count: int) -> list[Arrived]:
        """Receive so many frames, or those that come within the patience of a failure."""
        arrived: list[Arrived] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(arrived) < count and time.monotonic() < deadline:
            arrived += self._poll(end)
        return arrived

    def drain(self, end: ReceiverEnd) -> list[Arrived]:
        """Receive what has arrived already."""
        arrived: list[Arrived] = []
        while some := self._poll(end):
            arrived += some
        return arrived

    def until(self, condition: Callable[[], bool]) -> bool:
        """Wait for a condition; tell whether it came true."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _poll(self, end: ReceiverEnd) -> list[Arrived]:
        frames = np.zeros(64, FRAME)
        n = end.poll(end.words, end.memory, frames)
        arrived = []
        for frame in frames[:n]:
            data = end.memory[frame["offset"] : frame["offset"] + frame["captured"]].tobytes()
            arrived.append(Arrived(int(frame["ordinal"]), int(frame["stamp"]), int(frame["flow"]), data))
        end.release(end.words, frames, n)
        return arrived


@pytest.fixture
def harness() -> Harness:
    """Return the loops."""
    return Harness()


@pytest.fixture
def make_frame() -> Callable[..., bytes]:
    """Return udp_frame()."""
    return udp_frame


@pytest.fixture
def frames() -> list[bytes]:
    """Return 300 frames of 60 to 1500 bytes, all different."""
    random = np.random.default_rng(1)
    return [random.integers(0, 256, 60 + 1440 * i // 299, dtype=np.uint8).tobytes() for i in range(300)]
