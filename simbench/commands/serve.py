"""simbench serve: what the exchange would offer to those who missed something, for a handler of the user's own."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import duration_ns

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from simbench.receive.offline import Source
    from simbench.recovery.conduct import Conduct
    from simbench.recovery.servers import Servers

MOST_PORT = (1 << 16) - 1


def serve(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    bind: str,
    limit: int,
    partial: int | None,
    refuse: float,
    seed: int,
    quota: int | None,
    delay: str | None,
    allow_physical: bool,
) -> int:
    """Serve what the capture holds until Ctrl-C; then say what was asked for."""
    compilation.for_replaying()
    from simbench.receive.offline import open_source
    from simbench.recovery.conduct import Conduct
    from simbench.recovery.servers import Servers

    conduct = Conduct(
        limit=limit,
        partial=partial or 0,
        refuse=refuse,
        seed=seed,
        quota=quota or 0,
        delay_ns=0 if delay is None else duration_ns(delay),
    )
    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    console = show.console()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Servers() as servers:
        _rerequests(servers, source, conduct, bind, console, allow_physical=allow_physical)
        servers.start()
        console.print("Ctrl-C ends")
        console.file.flush()  # whoever reads this through a pipe waits for the addresses
        stopped.wait()
        counters = servers.counters()
    said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counters.items() if count)
    console.print(said or "nobody asked")
    return 0


def _rerequests(
    servers: Servers, source: Source, conduct: Conduct, bind: str, console: Console, *, allow_physical: bool
) -> None:
    """Open a re-request server for each channel that can have one, at ports one behind the other."""
    from simbench.recovery.servers import resends
    from simbench.recovery.udp import bind as open_socket
    from simbench.replay.schedule import line_endpoints
    from simbench.wire.nic import check_may_answer

    address, port = _split(bind)
    check_may_answer(address, allow_physical=allow_physical)
    channels = [channel for channel in source.feed.channels if resends(channel)]
    if not channels:
        spoken = ", ".join(sorted({channel.protocol for channel in source.feed.channels}))
        raise SimbenchError(f"nothing to serve: messages of {spoken} cannot be asked for again; MoldUDP64's can")
    if port and port + len(channels) - 1 > MOST_PORT:
        raise SimbenchError(f"{len(channels)} channels need ports from {port} on, which ends at {MOST_PORT}")
    with contextlib.ExitStack() as owned:
        sockets = [owned.enter_context(open_socket(address, port and port + number)) for number in range(len(channels))]
        listening = [(line_endpoints(channel), bound) for channel, bound in zip(channels, sockets, strict=True)]
        answers = servers.add_rerequests(source.capture, listening, verify=source.verify, conduct=conduct)
        owned.pop_all()
    for channel, server, one in zip(channels, servers.servers, answers, strict=True):
        console.print(f"{channel.venue} {channel.name}: re-requests on {server.where}; {one.describe()}")


def _split(bind: str) -> tuple[str, int]:
    """Return address and port to listen on; port 0 is one that is free."""
    from simbench.feed.definition import split_group

    free = bind.endswith(":0")
    try:
        address, port = split_group(f"{bind[:-1]}1" if free else bind)
    except SimbenchError:
        raise SimbenchError(f"{bind!r} is no address and port; write 127.0.0.1:31000 or [::1]:31000") from None
    return str(address), 0 if free else port
