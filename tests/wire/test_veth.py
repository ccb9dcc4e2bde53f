"""AF_XDP over veth, TAP and existing interfaces: bytes, serials, stamps, drops, and what is left behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from simbench.errors import SimbenchError
from simbench.wire import namespace
from simbench.wire.contract import TOO_LONG
from simbench.wire.open import (
    nic_receiver,
    nic_sender,
    open_receiver,
    open_receivers,
    open_sender,
    open_senders,
    open_wire,
)
from simbench.wire.spec import WireSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

    from simbench.wire.contract import ReceiverEnd, SenderEnd

    MakeFrame = Callable[..., bytes]

pytestmark = pytest.mark.wire

ENDLESS = """
import os, sys, time
from simbench.wire import namespace
from simbench.wire.open import open_receiver, open_sender, open_wire
mine = namespace.create()
namespace.create_veth(mine, int(sys.argv[1]), ("gone", "left"))
wire = open_wire("veth")
ends = open_sender(wire.sender), open_receiver(wire.receiver)
print("ready", flush=True)
time.sleep(60)
"""

CHILD = """
import sys, time
import msgspec
import numpy as np
from simbench.frame import FRAME
from simbench.wire.open import open_receiver
from simbench.wire.spec import WireSpec
end = open_receiver(msgspec.json.decode(sys.argv[1], type=WireSpec))
print("ready", flush=True)
frames, serials, deadline = np.zeros(64, FRAME), [], time.monotonic() + 20
while len(serials) < 100 and time.monotonic() < deadline:
    end.wait(end.words, 100_000_000)
    n = end.poll(end.words, end.memory, frames)
    serials += frames["ordinal"][:n].tolist()
    end.release(end.words, frames, n)
print(serials == list(range(100)))
"""


def interfaces(netns_fd: int) -> list[str]:
    """Return the interfaces of a namespace."""
    return namespace.inside(netns_fd, lambda: [name for _, name in socket.if_nameindex()])


def check_round_trip(sender: SenderEnd, receiver: ReceiverEnd, harness: Harness, frames: list[bytes]) -> None:
    """Send all frames in batches of 50, more than the 32 of one call, and demand them back equal and stamped."""
    before = time.monotonic_ns()
    for first in range(0, len(frames), 150):
        some = frames[first : first + 150]
        assert harness.send(sender, some, (3 << 35) + first) == len(some)
        arrived = harness.receive(receiver, len(some))
        assert [each.ordinal for each in arrived] == list(range((3 << 35) + first, (3 << 35) + first + len(some)))
        assert [each.data[:6] + each.data[12:] for each in arrived] == [frame[:6] + frame[12:] for frame in some]
        assert all(before < each.stamp < time.monotonic_ns() for each in arrived)
    assert sum(sender.counters().values()) == 0
    assert sum(receiver.counters().values()) == 0


@pytest.mark.parametrize("mode", ["generic", "native"])
def test_bytes_serials_and_stamps_survive_veth(
    can_veth: None, no_leak: None, harness: Harness, frames: list[bytes], mode: str
) -> None:
    """Every frame arrives equal, in order, with its serial and the time at the hook, and nothing is left open."""
    with open_wire("veth", mode=mode) as wire:
        with open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
            check_round_trip(sender, receiver, harness, frames)
        del sender, receiver


def test_bytes_serials_and_stamps_survive_a_tap(
    can_tap: None, can_veth: None, no_leak: None, harness: Harness, frames: list[bytes]
) -> None:
    """A TAP device carries the same."""
    with open_wire("tap") as wire:
        with open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
            check_round_trip(sender, receiver, harness, frames)
        del sender, receiver


@pytest.mark.parametrize("stack", ["packet", "xdp"])
def test_an_existing_interface_carries_multicast(
    can_veth: None, harness: Harness, make_frame: MakeFrame, stack: str
) -> None:
    """A nic wire over a veth end delivers the feed, and leaves what is none to the kernel."""
    with open_wire("veth") as pair:
        to = nic_sender(pair.sender.interface, stack=stack, netns_fd=pair.sender.netns_fd)
        of = nic_receiver(pair.receiver.interface, netns_fd=pair.receiver.netns_fd, serials=True)
        feed = [make_frame("239.1.2.3", 5000, b"%06d" % i) for i in range(40)]
        six = [make_frame("ff15::1:2", 5000, b"%06d" % i) for i in range(40)]
        unicast = b"\x02\x00\x00\x00\x00\x01" + make_frame("10.1.1.1", 5000, b"somebody's own")[6:]
        other = [unicast, make_frame("224.0.0.251", 5353, b"the network's own")]
        with open_sender(to) as sender, open_receiver(of) as receiver:
            assert harness.send(sender, feed + other + six) == 82
            arrived = harness.receive(receiver, 80)
            assert [each.data[42:48] for each in arrived[:40]] == [b"%06d" % i for i in range(40)]
            assert [each.ordinal for each in arrived] == [*range(40), *range(42, 82)]
            assert harness.drain(receiver) == []


def test_several_queues_keep_their_frames_apart(can_veth: None, harness: Harness, frames: list[bytes]) -> None:
    """In native mode what goes out on a queue arrives on the same one, each end with rings of its own."""
    with open_wire("veth", queues=3) as wire:
        senders, receivers = open_senders(wire.sender), open_receivers(wire.receiver)
        for queue, sender in enumerate(senders):
            harness.send(sender, frames[:40], 1000 * queue)
        for queue, receiver in enumerate(receivers):
            arrived = harness.receive(receiver, 40)
            assert [each.ordinal for each in arrived] == list(range(1000 * queue, 1000 * queue + 40))
        for end in (*senders, *receivers):
            end.close()


@pytest.mark.parametrize("mode", ["generic", "native"])
def test_what_a_silent_receiver_loses_is_counted_by_cause(
    can_veth: None, harness: Harness, frames: list[bytes], mode: str
) -> None:
    """Sent is received plus dropped, and the cause is the fill ring that nobody refilled."""
    wire = open_wire("veth", mode=mode, entries=64)
    with wire, open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
        sent = harness.send(sender, frames, batch=32)
        assert harness.until(lambda: sum(receiver.counters().values()) == sent - 64)
        assert receiver.counters()["fill_empty"] == sent - 64 > 0
        assert len(harness.drain(receiver)) == 64


def test_a_frame_beyond_the_links_size_is_refused_and_counted(can_veth: None) -> None:
    """Longer than MTU, header and tag is refused by prepare; that long arrives."""
    with open_wire("veth", mtu=3000) as wire, open_sender(wire.sender) as sender:
        assert sender.max_frame == 3018
        source = np.zeros(4096, np.uint8)
        assert sender.prepare(sender.words, sender.memory, source, 0, 3019, 0) == TOO_LONG
        assert sender.counters()["too_long"] == 1
        with open_receiver(wire.receiver) as receiver:
            assert sender.prepare(sender.words, sender.memory, source, 0, 3018, 0) == 1
            sender.commit(sender.words, 1)
            assert receiver.wait(receiver.words, 2_000_000_000) == 1


def test_a_queue_can_be_bound_again_at_once(can_veth: None, harness: Harness, frames: list[bytes]) -> None:
    """The kernel says EBUSY for a while after a close; opening waits for it."""
    with open_wire("veth") as wire:
        for _ in range(3):
            with open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
                harness.send(sender, frames[:5])
                assert len(harness.receive(receiver, 5)) == 5


def test_waiting_ends_with_a_frame_or_the_timeout(can_veth: None, harness: Harness, frames: list[bytes]) -> None:
    """wait() returns 0 when nothing comes and 1 when something has; the descriptor tells the same to poll(2)."""
    with open_wire("veth") as wire, open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
        assert receiver.wait(receiver.words, 1_000_000) == 0
        harness.send(sender, frames[:1])
        assert receiver.wait(receiver.words, 2_000_000_000) == 1
        assert select.select([receiver.fileno], [], [], 0)[0] == [receiver.fileno]


def test_another_process_opens_its_end_from_a_specification(
    can_veth: None, harness: Harness, frames: list[bytes]
) -> None:
    """A child that inherits the namespace and reads the specification receives."""
    with open_wire("veth") as wire, open_sender(wire.sender) as sender:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, msgspec.json.encode(wire.receiver).decode()],
            pass_fds=wire.receiver.descriptors,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        harness.send(sender, frames[:100])
        assert child.communicate(timeout=30)[0] == "True\n"


def test_kill_leaves_nothing_that_blocks_the_next_run(can_veth: None, harness: Harness, frames: list[bytes]) -> None:
    """A killed process's namespaces and links go with its descriptors, and the next wire works."""
    held = namespace.create()
    child = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(held)], pass_fds=[held], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    assert interfaces(held) == ["lo", "left"]
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=10)
    assert harness.until(lambda: interfaces(held) == ["lo"])
    os.close(held)
    with open_wire("veth") as wire, open_sender(wire.sender) as sender, open_receiver(wire.receiver) as receiver:
        harness.send(sender, frames[:5])
        assert len(harness.receive(receiver, 5)) == 5


def test_a_second_program_on_an_interface_is_one_line(can_veth: None) -> None:
    """Where another receiver is attached, the user reads what to do."""
    with open_wire("veth", queues=2) as wire:
        first, second = (msgspec.structs.replace(wire.receiver, queues=(queue,)) for queue in range(2))
        with open_receiver(first), pytest.raises(SimbenchError, match="another XDP program"):
            open_receiver(second)


def test_namespaces_are_quiet_and_hear_ipv6(can_veth: None) -> None:
    """Router solicitations and path filters are off, IPv6 is on."""

    def read(name: str) -> str:
        return Path("/proc/sys/net", name).read_text(encoding="ascii").strip()

    with open_wire("veth") as wire:
        fd = wire.receiver.netns_fd
        assert namespace.inside(fd, read, "ipv4/conf/simrx/rp_filter") == "0"
        assert namespace.inside(fd, read, "ipv6/conf/simrx/router_solicitations") == "0"
        assert namespace.inside(fd, read, "ipv6/conf/simrx/disable_ipv6") == "0"


def test_sending_on_a_physical_interface_has_to_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real device, or what is built on one, is refused in one line; lo is not."""
    monkeypatch.setattr("simbench.wire.nic.link_kind", {"eth9": "", "bond9": "bond", "lo": "loopback"}.__getitem__)
    assert nic_sender("lo") == WireSpec(kind="nic", stack="packet", interface="lo")
    for name in ("eth9", "bond9"):
        with pytest.raises(SimbenchError, match="--allow-physical"):
            nic_sender(name)
    assert nic_sender("eth9", allow_physical=True).allow_physical


def test_an_interface_that_is_not_there_is_one_line(can_veth: None) -> None:
    """A misspelt name is told as such."""
    with open_wire("veth") as wire, pytest.raises(SimbenchError, match="no interface eth77"):
        nic_sender("eth77", netns_fd=wire.sender.netns_fd)
