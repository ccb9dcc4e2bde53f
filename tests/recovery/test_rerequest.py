"""The re-request server: what it answers, what it leaves unanswered, and that each is counted under its name."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mold_packets import SESSION, ask, block, packet, read

from simbench.errors import SimbenchError
from simbench.recovery.conduct import Conduct
from simbench.recovery.rerequest import Rerequest
from simbench.recovery.store import Store
from simbench.recovery.udp import UdpServer, bind
from simbench.wire.nic import check_may_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGES = [b"message %04d" % n for n in range(1, 201)]
PATIENCE_S = 30.0


@pytest.fixture
def make() -> Iterator[Callable[..., Rerequest]]:
    """Return what makes a server of 200 messages, ten a datagram, with a conduct."""
    stores = []

    def made(sent: Callable[[], int] | None = None, **conduct: Any) -> Rerequest:
        store = Store()
        stores.append(store)
        payloads = [(n, packet(1 + n, MESSAGES[n : n + 10])) for n in range(0, 200, 10)]
        data, rows = block(payloads)
        store.take(data, rows, np.ones(1, np.uint8), verify=True)
        store.finish()
        return Rerequest(store, Conduct(**conduct), *(() if sent is None else (sent,)))

    yield made
    for store in stores:
        store.close()


def counted(server: Rerequest) -> dict[str, int]:
    """Return the counters that moved."""
    return {name: count for name, count in server.counters.items() if count}


def test_answer_is_a_packet_of_what_was_asked_for(make: Callable[..., Rerequest]) -> None:
    """Session, sequence and messages as asked, across the datagrams that they came in."""
    server = make()

    assert read(server.answer(ask(8, 5), "10.0.0.1") or b"") == (SESSION, 8, MESSAGES[7:12])
    assert counted(server) == {"requests": 1, "answered": 1, "resent": 5}


def test_what_does_not_fit_is_asked_for_again(make: Callable[..., Rerequest]) -> None:
    """Packet by packet a requester gets all of it."""
    server, got = make(limit=300), []

    while len(got) < 200:
        session, first, messages = read(server.answer(ask(1 + len(got), 200 - len(got)), "10.0.0.1") or b"")
        assert (session, first) == (SESSION, 1 + len(got))
        got += messages

    assert got == MESSAGES
    assert counted(server) == {"requests": 10, "answered": 10, "resent": 200}


def test_what_there_is_not_has_no_answer(make: Callable[..., Rerequest]) -> None:
    """Another session, a sequence beyond the last, and requests that are none: counted apart."""
    server = make()
    requests = [
        ask(1, 1, b"OTHER     "),
        ask(201, 1),
        b"",
        ask(1, 1)[:-1],
        ask(1, 1) + b"\0",
        ask(1, 0),
        ask(0, 1),
        struct.pack(">10sQH", SESSION, 1 << 63, 1),
    ]

    assert [server.answer(request, "10.0.0.1") for request in requests] == [None] * len(requests)
    assert counted(server) == {"requests": 8, "unknown": 2, "malformed": 6}


def test_future_has_no_answer(make: Callable[..., Rerequest]) -> None:
    """While a replay runs, what it has not sent is not there; then it is."""
    now = 99
    server = make(lambda: now)

    assert len(read(server.answer(ask(91, 50), "10.0.0.1") or b"")[2]) == 10
    assert server.answer(ask(101, 50), "10.0.0.1") is None
    now = 100
    assert len(read(server.answer(ask(101, 50), "10.0.0.1") or b"")[2]) == 10
    assert counted(server) == {"requests": 3, "answered": 2, "resent": 20, "early": 1}


def test_partial_answers_have_so_many_messages(make: Callable[..., Rerequest]) -> None:
    """A part is a whole packet of the first messages."""
    server = make(partial=3)

    assert read(server.answer(ask(8, 5), "10.0.0.1") or b"")[2] == MESSAGES[7:10]
    assert read(server.answer(ask(8, 2), "10.0.0.1") or b"")[2] == MESSAGES[7:9]


def test_refusals_follow_the_seed(make: Callable[..., Rerequest]) -> None:
    """The same seed refuses the same requests, another one others; all or none at the ends of the scale."""

    def refused(**conduct: Any) -> list[bool]:
        server = make(**conduct)
        return [server.answer(ask(1, 1), "10.0.0.1") is None for _ in range(100)]

    assert refused(refuse=0.5, seed=1) == refused(refuse=0.5, seed=1) != refused(refuse=0.5, seed=2)
    assert 20 < sum(refused(refuse=0.5)) < 80
    assert not any(refused(refuse=0.0))
    assert all(refused(refuse=1.0))


def test_quota_is_each_requesters_own(make: Callable[..., Rerequest]) -> None:
    """So many are answered, and the next one only to somebody else."""
    server = make(quota=2)

    assert [server.answer(ask(1, 1), "10.0.0.1") is None for _ in range(4)] == [False, False, True, True]
    assert server.answer(ask(1, 1), "10.0.0.2") is not None
    assert counted(server) == {"requests": 5, "answered": 3, "resent": 3, "over_quota": 2}


@pytest.mark.parametrize("delay_ns", [0, 2_000_000])
def test_answers_go_to_who_asked(make: Callable[..., Rerequest], delay_ns: int) -> None:
    """Over a socket: each requester gets its own answers, at once or after a delay, in order."""
    server = UdpServer(bind("127.0.0.1", 0), make(), lambda: delay_ns)
    host, port = server.where.split(":")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for each in (one, two):
            each.settimeout(PATIENCE_S)
        server.start()
        try:
            for n in range(1, 50):
                one.sendto(ask(n, 1), (host, int(port)))
                two.sendto(ask(n, 2), (host, int(port)))
            singles = [read(one.recv(2000)) for _ in range(1, 50)]
            pairs = [read(two.recv(2000)) for _ in range(1, 50)]
        finally:
            server.stop()

    assert singles == [(SESSION, n, MESSAGES[n - 1 : n]) for n in range(1, 50)]
    assert pairs == [(SESSION, n, MESSAGES[n - 1 : n + 1]) for n in range(1, 50)]
    assert server.counters["answered"] == 98


def test_taken_port_is_one_line() -> None:
    """An address that cannot be listened on is the user's to change."""
    with bind("127.0.0.1", 0) as taken, pytest.raises(SimbenchError, match=r"cannot listen on 127\.0\.0\.1, port"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_addresses_that_others_reach_need_permission() -> None:
    """Loopback is always allowed; every interface, and an address that is not here, are not."""
    check_may_answer("127.0.0.1", allow_physical=False)
    check_may_answer("::1", allow_physical=False)
    check_may_answer("0.0.0.0", allow_physical=True)  # noqa: S104 - nothing is bound
    with pytest.raises(SimbenchError, match="--allow-physical"):
        check_may_answer("0.0.0.0", allow_physical=False)  # noqa: S104 - likewise
    with pytest.raises(SimbenchError, match=r"no interface of this machine has the address 192\.0\.2\.1"):
        check_may_answer("192.0.2.1", allow_physical=False)
