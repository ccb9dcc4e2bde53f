"""The receiver's side of retransmission: asks a channel's server for what no line brought, and takes the answers."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from simbench.errors import SimbenchError
from simbench.feed.definition import split_group
from simbench.measure.histogram import Histogram
from simbench.protocol.contract import HEADER
from simbench.receive import pipeline
from simbench.wire import namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simbench.feed.definition import Feed
    from simbench.feed.sequencer import Request
    from simbench.receive.receiver import Receiver

    Words = NDArray[np.int64]

ANSWERS: Final = 64  # taken at once
LONGEST: Final = 65_535  # bytes of a datagram
BUFFER: Final = 4 << 20  # bytes of a socket: answers to many requests may come while a batch of frames is at work
POLLIN: Final = 1
RETRANSMISSION: Final = "retransmission"  # outcome of a gap
SO_RCVBUFFORCE: Final = 33


def servers_of(feed: Feed) -> dict[int, str]:
    """Return the address of each channel's retransmission server, by the channel's number."""
    return {
        number: channel.server
        for number, channel in enumerate(feed.channels)
        if channel.recover == "retransmit" and channel.server is not None
    }


class Client:
    """Asks for the receiver, over a socket for each channel that has a server; a context manager.

    Args:
        receiver: whose holes are to be filled; its requests are sent from now on.
        servers: "address:port" by the channel's number.
        netns_fd: namespace that they are reached from; -1 the process's own.

    Attributes:
        unsent: requests that the system did not take.
        fresh: whether a request has gone out since somebody last set this to False.
        round_trip: of the requests that were answered, ns of clock time from a request to its first answer.
    """

    def __init__(self, receiver: Receiver, servers: Mapping[int, str], netns_fd: int = -1) -> None:
        self._receiver = receiver
        self._owned = contextlib.ExitStack()
        self._sockets = {
            channel: self._owned.enter_context(namespace.inside(netns_fd, _connect, server))
            for channel, server in servers.items()
        }
        self._header = np.zeros(1, HEADER)
        self._poll = select.poll()
        for each in self._sockets.values():
            self._poll.register(each, select.POLLIN)
        self.descriptors: Words = np.array([each.fileno() | POLLIN << 32 for each in self._sockets.values()], np.int64)
        self._asked: dict[tuple[int, int], int] = {}
        self.unsent = 0
        self.fresh = False
        self.round_trip = Histogram()
        # These kernels are loaded now, not while the first hole waits.
        receiver.state.sequencer.outstanding()
        Histogram().record(0)
        receiver.on_request = self.ask

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    def ask(self, request: Request) -> None:
        """Send a request; one that cannot be sent is as one that nobody answers."""
        make = self._receiver.protocol(request.channel).request
        assert make is not None
        state = self._receiver.channel_state(request.channel)
        self.fresh = True
        try:
            self._sockets[request.channel].send(make(state, request.session, request.first, request.units))
        except OSError:
            self.unsent += 1
            return
        self._asked[request.channel, request.first] = time.monotonic_ns()

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to take; tell whether there is."""
        return bool(self._poll.poll(timeout_s * 1000))

    def take(self, now: int) -> int:
        """Take the answers that have come to the books; return how many.

        The pipeline must have no frame at work. What it asks for meanwhile is sent.

        Args:
            now: replay time, ns.
        """
        count = 0
        arrived = time.monotonic_ns()
        for channel, each in self._sockets.items():
            answers = _drain(each)
            if answers:
                for answer in answers:
                    self._note(channel, answer, arrived)
                self._receiver.state.words[pipeline.CLOCK] = now
                self._receiver.take_answers(channel, answers)
            count += len(answers)
        return count

    def _note(self, channel: int, answer: bytes, arrived: int) -> None:
        """Record how long the request was under way that this answers."""
        data = np.frombuffer(bytearray(answer) or bytearray(1), np.uint8)
        frame, state = self._receiver.protocol(channel).frame, self._receiver.channel_state(channel)
        if frame(data, 0, len(answer), state, self._header) >= 0:
            asked = self._asked.pop((channel, int(self._header[0]["first"])), None)
            if asked is not None:
                self.round_trip.record(arrived - asked)

    def report(self) -> dict[str, Any]:
        """Return what was asked for and what came of it, in the shape of `run --json`."""
        sequencer = self._receiver.state.sequencer
        closed = Histogram()
        for channel in self._sockets:
            for gap in sequencer.gaps(channel):
                if gap["outcome"] == RETRANSMISSION:
                    closed.record(int(gap["closed_ns"]) - int(gap["detected_ns"]))
        totals: dict[str, int] = {}
        for channel in self._sockets:
            for name, count in sequencer.answers(channel).items():
                totals[name] = totals.get(name, 0) + count
        return {
            "channels": [self._receiver.feed.channels[channel].name for channel in self._sockets],
            **totals,
            "unsent": self.unsent,
            "time_to_recover": closed.summary(),
            "round_trip": self.round_trip.summary(),
        }


def _drain(client: socket.socket) -> list[bytes]:
    """Return what has come to a socket, as much as is taken at once."""
    found: list[bytes] = []
    with contextlib.suppress(OSError):  # nothing more; or a request was not delivered, which is as good as no answer
        while len(found) < ANSWERS:
            found.append(client.recv(LONGEST))
    return found


def _connect(server: str) -> socket.socket:
    """Return a socket that talks to one server and hears no other."""
    address, port = split_group(server)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    client = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        client.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    try:
        client.connect((str(address), port))
    except OSError as error:
        client.close()
        raise SimbenchError(f"cannot reach the re-request server at {server}: {error.strerror}") from None
    return client
