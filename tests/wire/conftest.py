"""What the tests of the wires share: capabilities, frames that a kernel accepts, and loops that end."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

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


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(group: str, port: int, payload: bytes, *, broken: bool = False) -> bytes:
    """Return an Ethernet frame that a kernel delivers to the group's sockets, or drops for its UDP checksum."""
    six = ":" in group
    family = socket.AF_INET6 if six else socket.AF_INET
    target = socket.inet_pton(family, group)
    source = socket.inet_pton(family, "2001:db8::5" if six else "10.1.2.3")
    length = 8 + len(payload)
    udp = struct.pack(">HHHH", 5000, port, length, 0)
    checksum = _checksum(source + target + struct.pack(">IHBB", length, 0, 0, 17) + udp + payload) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", checksum ^ (0x1111 if broken else 0))
    if six:
        ip = struct.pack(">IHBB", 0x60000000, length, 17, 64) + source + target
        return b"\x33\x33" + target[-4:] + bytes(6) + b"\x86\xdd" + ip + udp + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + source + target
    ip = ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:]
    mac = b"\x01\x00\x5e" + bytes([target[1] & 0x7F]) + target[2:]
    return mac + bytes(6) + b"\x08\x00" + ip + udp + payload


@pytest.fixture
def make_frame() -> Callable[..., bytes]:
    """Return udp_frame()."""
    return udp_frame


@pytest.fixture
def frames() -> list[bytes]:
    """Return 300 frames of 60 to 1500 bytes, all different."""
    random = np.random.default_rng(1)
    return [random.integers(0, 256, 60 + 1440 * i // 299, dtype=np.uint8).tobytes() for i in range(300)]
