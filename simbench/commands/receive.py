"""simbench receive: the receiver alone, on an interface that carries a feed."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

from simbench.commands import compilation, show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from pathlib import Path


def receive(
    *,
    interface: str,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    wire: str,
    stack: str,
    wait: str,
    mode: str,
    recover: str | None,
    seconds: float | None,
    headless: bool,
    json_file: Path | None,
    hgrm: Path | None,
    hlog: Path | None,
) -> int:
    """Receive until the time is up or Ctrl-C; 1 where gaps were lost."""
    if feed is None:
        raise SimbenchError("receive needs to know the feed: give it a definition with --feed feed.toml")
    if wire not in {"auto", interface}:
        raise SimbenchError("receive listens on the interface given by --on; --wire belongs to run")
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        raise SimbenchError(f"there is no interface {interface}; there are {', '.join(names)}")
    from simbench.commands import progress
    from simbench.commands.exports import check_targets, exported
    from simbench.commands.run import aside, interruptible, outcome
    from simbench.commands.series import sampled
    from simbench.commands.targets import check_target, write_json

    check_target(json_file)
    check_targets(hgrm, hlog)
    compilation.for_replaying()
    from simbench.feed.definition import joined
    from simbench.receive.discover import adapted, read
    from simbench.session import Listening, cores
    from simbench.session.recovering import asking, own_servers, recovering
    from simbench.session.registry import noted
    from simbench.session.snapshotting import choosing
    from simbench.wire.open import nic_receiver

    definition = choosing(adapted(read(feed), protocol, schema), recover)
    definition = asking(definition, own_servers(definition, recovering(definition, recover)))
    spec = nic_receiver(interface, stack=stack, mode=mode, groups=joined(definition))
    session = Listening(
        definition, spec, interface=interface, wait=wait, verify=checksum != "ignore", first_ns=time.time_ns()
    )
    with session:
        session.wait_until_ready()  # Ctrl-C before that ends at once: there is nothing to report
        with interruptible(session), noted(session), aside(cores()[1]), exported(session, hgrm, hlog) as notes:
            with sampled(session, wanted=json_file is not None) as course:
                if headless or not (sys.stdout.isatty() and sys.stderr.isatty()):  # the terminal is drawn on stderr
                    if session.running():
                        show.complain(f"listening on {interface}")
                    progress.follow(session, until=None if seconds is None else time.monotonic() + seconds)
                else:
                    from simbench_tui import run as show_terminal

                    show_terminal(session, None)
                session.stop()
                found = session.finish()
            notes.append(progress.beside_tails(found))
    if json_file is not None:
        write_json(json_file, {**found, **course})
    show.console().print(progress.summary(found))
    return outcome(found)
