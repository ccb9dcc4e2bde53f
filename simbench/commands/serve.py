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

    from simbench.feed.definition import Channel, Feed
    from simbench.receive.offline import Source
    from simbench.recovery.conduct import Conduct
    from simbench.recovery.servers import Servers

MOST_PORT = (1 << 16) - 1
LOOK_S = 0.1  # between looks whether everything has been sent


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
    interface: str | None,
    cycle: str,
    allow_physical: bool,
) -> int:
    """Serve what the capture holds until Ctrl-C, or until it has all been sent; then say what was asked for."""
    compilation.for_replaying()
    from simbench.receive.offline import open_source
    from simbench.recovery.conduct import Conduct
    from simbench.recovery.servers import Servers, resends
    from simbench.session.snapshotting import loops_alone

    conduct = Conduct(
        limit=limit,
        partial=partial or 0,
        refuse=refuse,
        seed=seed,
        quota=quota or 0,
        delay_ns=0 if delay is None else duration_ns(delay),
    )
    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    asked = [channel for channel in source.feed.channels if resends(channel)]
    looped = loops_alone(source.feed) if interface else None
    if not asked and looped is None:
        raise SimbenchError(_nothing(source.feed, interface))
    console = show.console()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Servers() as servers:
        if asked:
            _rerequests(servers, source, asked, conduct, bind, console, allow_physical=allow_physical)
        if looped is not None and interface:
            _snapshots(servers, source, looped, interface, duration_ns(cycle), console, allow_physical=allow_physical)
        servers.start()
        console.print("Ctrl-C ends")
        console.file.flush()  # whoever reads this through a pipe waits for the addresses
        while not servers.done and not stopped.wait(LOOK_S):
            pass
        counters = servers.counters()
    said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counters.items() if count)
    console.print(said or ("nobody asked" if asked else "nothing was sent"))
    return 0


def _nothing(feed: Feed, interface: str | None) -> str:
    """Return why there is nothing to serve."""
    from simbench.session.snapshotting import loops_alone

    spoken = ", ".join(sorted({channel.protocol for channel in feed.channels}))
    said = f"nothing to serve: messages of {spoken} cannot be asked for again; MoldUDP64's can"
    if interface:
        return f"{said}, and snapshots of cme.mdp3 and cme.mdp3.orders can be sent"
    return said + ("" if loops_alone(feed) is None else "; their snapshots are sent with --on INTERFACE")


def _rerequests(
    servers: Servers,
    source: Source,
    channels: list[Channel],
    conduct: Conduct,
    bind: str,
    console: Console,
    *,
    allow_physical: bool,
) -> None:
    """Open a re-request server for each of some channels, at ports one behind the other."""
    from simbench.recovery.udp import bind as open_socket
    from simbench.replay.schedule import line_endpoints
    from simbench.wire.nic import check_may_answer

    address, port = _split(bind)
    check_may_answer(address, allow_physical=allow_physical)
    if port and port + len(channels) - 1 > MOST_PORT:
        raise SimbenchError(f"{len(channels)} channels need ports from {port} on, which ends at {MOST_PORT}")
    with contextlib.ExitStack() as owned:
        sockets = [owned.enter_context(open_socket(address, port and port + number)) for number in range(len(channels))]
        listening = [(line_endpoints(channel), bound) for channel, bound in zip(channels, sockets, strict=True)]
        answers = servers.add_rerequests(source.capture, listening, verify=source.verify, conduct=conduct)
        owned.pop_all()
    for channel, server, one in zip(channels, servers.servers, answers, strict=True):
        console.print(f"{channel.venue} {channel.name}: re-requests on {server.where}; {one.describe()}")


def _snapshots(
    servers: Servers,
    source: Source,
    looped: Feed,
    interface: str,
    cycle_ns: int,
    console: Console,
    *,
    allow_physical: bool,
) -> None:
    """Make ready to send the loops of some channels on an interface."""
    from simbench.recovery.broadcast import Broadcast
    from simbench.recovery.snapshot_loop import Loops
    from simbench.wire.open import nic_sender, open_sender

    if cycle_ns == 0:
        raise SimbenchError("--cycle 0s: a loop takes some time; write 1s or 500ms")
    loops = Loops(source.capture, looped, cycle_ns=cycle_ns, verify=source.verify)
    with contextlib.ExitStack() as owned:
        end = open_sender(nic_sender(interface, allow_physical=allow_physical))
        owned.callback(end.close)
        server = Broadcast(loops, end, cycle_ns=cycle_ns, where=interface)
        owned.pop_all()
    servers.add(server)
    for channel in looped.channels:
        to = channel.feeds[0].group
        console.print(
            f"{channel.venue} {channel.name}: snapshots to {to} on {server.where}, every {cycle_ns / 1e9:g} s"
        )


def _split(bind: str) -> tuple[str, int]:
    """Return address and port to listen on; port 0 is one that is free."""
    from simbench.feed.definition import split_group

    free = bind.endswith(":0")
    try:
        address, port = split_group(f"{bind[:-1]}1" if free else bind)
    except SimbenchError:
        raise SimbenchError(f"{bind!r} is no address and port; write 127.0.0.1:31000 or [::1]:31000") from None
    return str(address), 0 if free else port
