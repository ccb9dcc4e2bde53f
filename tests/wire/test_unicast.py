"""Sockets beside the frames: the receiver's side reaches the sender's, and no frame of the feed is missed for it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from simbench.wire import namespace
from simbench.wire.open import open_receiver, open_sender, open_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

PATIENCE_S = 5.0


def bound(address: str) -> socket.socket:
    """Return a socket at an address of the calling thread's namespace."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE_S)
    made.bind((address, 0))
    return made


@pytest.mark.parametrize(
    ("kind", "stack", "mode"),
    [
        ("ring", "xdp", None),
        pytest.param("veth", "xdp", "generic", marks=pytest.mark.wire),
        pytest.param("veth", "xdp", "native", marks=pytest.mark.wire),
        pytest.param("veth", "udp", "generic", marks=pytest.mark.wire),
        pytest.param("tap", "xdp", "generic", marks=pytest.mark.wire),
    ],
)
def test_requests_and_answers_pass_beside_the_feed(
    request: pytest.FixtureRequest,
    kind: str,
    stack: str,
    mode: str | None,
    no_leak: None,
    harness: Harness,
    make_frame: Callable[..., bytes],
) -> None:
    """A datagram goes there and its answer comes back, between frames that all arrive, and as no frame of the wire."""
    if kind != "ring":
        request.getfixturevalue(f"can_{kind}")
    frames = [make_frame("239.1.1.1", 5001, b"frame %03d" % n) for n in range(100)]
    groups = ["239.1.1.1:5001"] if stack == "udp" else []
    with (
        open_wire(kind, stack=stack, mode=mode, groups=groups, unicast=True) as wire,
        open_sender(wire.sender) as sender,
        open_receiver(wire.receiver) as receiver,
    ):
        beside = wire.unicast
        assert beside is not None
        with (
            namespace.inside(beside.server_fd, bound, beside.server) as server,
            namespace.inside(beside.client_fd, bound, beside.client) as client,
        ):
            here, there = server.getsockname(), client.getsockname()
            harness.send(sender, frames[:50])
            client.sendto(b"request", here)
            asked, requester = server.recvfrom(100)
            server.sendto(b"answer", requester)
            answer, answerer = client.recvfrom(100)
            harness.send(sender, frames[50:], first_serial=50)
            arrived = harness.receive(receiver, 100)
            arrived += harness.drain(receiver)

        assert (asked, requester) == (b"request", there)
        assert (answer, answerer) == (b"answer", here)
        assert [one.ordinal for one in arrived] == list(range(100))


def test_a_wire_has_no_such_way_unless_it_is_wanted() -> None:
    """Nothing is added to a wire that carries frames only."""
    with open_wire("ring") as wire:
        assert wire.unicast is None
