"""A run without a replayer: the receiver on an interface that carries somebody else's feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.measure.snapshot import RunInfo
from simbench.session.plan import cores, names
from simbench.session.processes import Processes
from simbench.session.replayed import looked_at, result

if TYPE_CHECKING:
    from simbench.feed.definition import Feed
    from simbench.measure.reader import Reader
    from simbench.wire.spec import WireSpec


class Listening(Processes):
    """Starts a receiver, tells how it goes, and ends it; a context manager.

    Args:
        feed: its channels.
        spec: what the receiver end is opened from.
        interface: its name, for the reports.
        wait: "spin" or "block".
        verify: whether a wrong checksum is loss.
        first_ns: ns since 1970, tells protocols the date.
    """

    def __init__(self, feed: Feed, spec: WireSpec, *, interface: str, wait: str, verify: bool, first_ns: int) -> None:
        super().__init__()
        self._feed = feed
        self._spec = spec
        self._interface = interface
        self._wait = wait
        self._verify = verify
        self._first_ns = first_ns

    def start(self) -> None:
        """Start the receiver."""
        from simbench.feed.definition import dump
        from simbench.receive.process import ReceiverConfig

        cpu = cores()[1]
        result_fd = self.result_memory("receive")
        config = ReceiverConfig(
            feed=dump(self._feed),
            wire=self._spec,
            telemetry_fd=self._telemetry_fd,
            result_fd=result_fd,
            block=self._wait == "block",
            cpu=-1 if cpu is None else cpu,
            verify=self._verify,
            first_ns=self._first_ns,
        )
        self.spawn("receive", config, (self._telemetry_fd, result_fd, *self._spec.descriptors))

    def reader(self) -> Reader:
        """Return who takes snapshots of this run."""
        if self._reader is None:
            from simbench.measure.reader import Reader

            run = RunInfo(
                capture=self._interface,
                wire=f"nic:{self._interface}",
                stack=self._spec.stack,
                wait=self._wait,
                speed="1",
                frames=0,
                first_ns=0,
                last_ns=0,
            )
            return self._informed(Reader(self.telemetry, names(self._feed), run, None))
        return self._reader

    def stop(self) -> None:
        """Ask for the end."""
        receiver = self.child("receive")
        if receiver is not None and receiver.poll() is None:
            receiver.terminate()

    def finish(self) -> dict[str, Any]:
        """Wait for the receiver and return the result, in the shape of `run --json`."""
        received = self.results()["receive"]
        found = result(received, wire=f"nic:{self._interface}", stack=self._spec.stack, wait=self._wait)
        return {**found, **looked_at(self.telemetry, names(self._feed))}
