"""The servers that a capture's channels would have: which there are, opened together, closed together."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Protocol, Self

from simbench.protocol.registry import load
from simbench.recovery.rerequest import Rerequest
from simbench.recovery.store import gather
from simbench.recovery.udp import UdpServer
from simbench.replay.schedule import chooser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from simbench.capture.reader import Capture
    from simbench.feed.definition import Channel
    from simbench.recovery.conduct import Conduct
    from simbench.replay.schedule import Endpoint

RESENT: Final = frozenset({"moldudp64"})  # framings whose re-request server is here


class Server(Protocol):
    """What runs beside a feed."""

    @property
    def where(self) -> str:
        """Return its address."""

    @property
    def counters(self) -> dict[str, int]:
        """Return what was counted, by name."""

    @property
    def done(self) -> bool:
        """Tell whether there is nothing more that it could do."""

    def start(self) -> None:
        """Start."""

    def stop(self) -> None:
        """End."""


def resends(channel: Channel) -> bool:
    """Tell whether what a channel sent can be asked for again, here and at its exchange."""
    protocol = load(channel.protocol, channel.schema)
    return protocol.framing in RESENT and protocol.request is not None


class Servers:
    """Servers that are started and ended together; a context manager."""

    def __init__(self) -> None:
        self._owned = contextlib.ExitStack()
        self.servers: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_rerequests(
        self,
        capture: Capture,
        listening: Sequence[tuple[Sequence[Endpoint], socket.socket]],
        *,
        verify: bool,
        conduct: Conduct,
        sent: Callable[[], int] | None = None,
        delay_ns: Callable[[], int] | None = None,
    ) -> list[Rerequest]:
        """Read the capture and add a re-request server for each of some channels.

        Args:
            capture: opened.
            listening: for each channel its lines, and the bound socket.
            verify: whether a wrong checksum is loss.
            conduct: how they behave.
            sent: up to which recorded time the capture has been sent; all of it where None.
            delay_ns: clock time from a request to its answer; the conduct's where None.
        """
        stores = gather(capture, [chooser(lines) for lines, _ in listening], verify=verify)
        added = []
        for store, (_, bound) in zip(stores, listening, strict=True):
            self._owned.callback(store.close)
            answers = Rerequest(store, conduct, *(() if sent is None else (sent,)))
            self.add(UdpServer(bound, answers, delay_ns or (lambda: conduct.delay_ns)))
            added.append(answers)
        return added

    def add(self, server: Server) -> None:
        """Take a server that is not started yet."""
        self._owned.callback(server.stop)
        self.servers.append(server)

    @property
    def done(self) -> bool:
        """Tell whether none of them has anything more to do."""
        return all(server.done for server in self.servers)

    def start(self) -> None:
        """Start all of them."""
        for server in self.servers:
            server.start()

    def counters(self) -> dict[str, int]:
        """Return what all of them counted together."""
        total: dict[str, int] = {}
        for server in self.servers:
            for name, count in server.counters.items():
                total[name] = total.get(name, 0) + count
        return total

    def close(self) -> None:
        """End all of them; harmless when repeated."""
        self._owned.close()
