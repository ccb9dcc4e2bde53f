"""Servers that are asked by datagrams: a thread that takes requests off a socket and sends what is answered."""

from __future__ import annotations

import heapq
import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbench.address import Address

REQUEST_BYTES: Final = 2048  # more than any request has; what is longer is malformed all the same
BUFFER: Final = 1 << 20  # bytes of a socket


class Answers(Protocol):
    """What decides; called by the server's thread alone."""

    counters: dict[str, int]

    def answer(self, request: bytes, requester: str) -> bytes | None:
        """Return the answer to a request, None where there is none."""


def bind(address: Address | str, port: int) -> socket.socket:
    """Return a socket for requests in the calling thread's namespace; port 0 is one that is free."""
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        server.bind((str(address), port))
    except (OSError, OverflowError) as error:
        server.close()
        raise SimbenchError(f"cannot listen on {address}, port {port}: {_reason(error)}") from None
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return server


def where(bound: socket.socket) -> str:
    """Return the address that a socket is bound to: "127.0.0.1:31001"."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


class UdpServer:
    """Answers what comes to a socket, in a thread of its own.

    Args:
        listening: the bound socket, not blocking; closed with this server.
        answers: what decides.
        delay_ns: from a request to its answer, clock time; asked at every request.
    """

    def __init__(self, listening: socket.socket, answers: Answers, delay_ns: Callable[[], int] = lambda: 0) -> None:
        self._socket = listening
        self._answers = answers
        self._delay_ns = delay_ns
        self._later: list[tuple[int, int, bytes, tuple[str, int]]] = []  # due, number, answer, to whom
        self._number = 0
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    @property
    def where(self) -> str:
        """Return its address: "127.0.0.1:31001"."""
        return where(self._socket)

    @property
    def counters(self) -> dict[str, int]:
        """Return what was counted, by name."""
        return self._answers.counters

    @property
    def done(self) -> bool:
        """Return False: somebody may always ask."""
        return False

    def start(self) -> None:
        """Start answering."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is to be answered later is not answered any more."""
        os.eventfd_write(self._stop, 1)
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._stop)
        self._socket.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while True:
            ready = dict(poll.poll(self._timeout_ms()))
            if self._stop in ready:
                return
            self._send_due()
            if ready:
                self._take()

    def _timeout_ms(self) -> float | None:
        if not self._later:
            return None
        return max(0.0, (self._later[0][0] - time.monotonic_ns()) / 1e6)

    def _take(self) -> None:
        """Answer what has arrived."""
        while True:
            try:
                request, requester = self._socket.recvfrom(REQUEST_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an earlier answer could not be delivered: said once, and no request
                return
            answer = self._answers.answer(request, requester[0])
            if answer is None:
                continue
            delay = self._delay_ns()
            if delay <= 0:
                self._send(answer, requester)
                continue
            self._number += 1
            heapq.heappush(self._later, (time.monotonic_ns() + delay, self._number, answer, requester))

    def _send_due(self) -> None:
        now = time.monotonic_ns()
        while self._later and self._later[0][0] <= now:
            _, _, answer, requester = heapq.heappop(self._later)
            self._send(answer, requester)

    def _send(self, answer: bytes, requester: tuple[str, int]) -> None:
        try:
            self._socket.sendto(answer, requester)
        except OSError:
            self._answers.counters["send_failed"] += 1
