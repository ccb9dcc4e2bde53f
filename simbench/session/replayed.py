"""A run with a replayer: its process, the receiver's process, the wire between them."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any, Final

from simbench.feed.definition import joined
from simbench.measure import stamps
from simbench.measure.background import FaultSpan, HostLine, QueueLine
from simbench.measure.snapshot import RunInfo
from simbench.measure.telemetry import STAY
from simbench.recovery.udp import bind, where
from simbench.replay import gating
from simbench.replay.control import LOOPS, SPEED, Control, parse_speed
from simbench.replay.replayer import AWAKE_NS, side_rows
from simbench.replay.schedule import FOREVER, UNBOUND, endpoints, line_endpoints, named_lines
from simbench.replay.switchboard import LINES
from simbench.session.plan import Plan, choice, cores, extent, names, title_of
from simbench.session.processes import Processes
from simbench.session.recovering import asking, recovering
from simbench.session.snapshotting import choosing, with_loops
from simbench.session.steered import check_queues, crowded, queues_told, receiving_cores, steering_of
from simbench.wire import namespace

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    import msgspec

    from simbench.measure.names import Names
    from simbench.measure.reader import Reader
    from simbench.measure.telemetry import Words
    from simbench.receive.offline import Source
    from simbench.replay.switchboard import Switched

CORES_WATCHED: Final = 3  # with fewer, a terminal preempts a replayer that never sleeps, for milliseconds
MOST_TRACED: Final = 1 << 22  # frames whose stamps are kept for the proof of timing: 128 MiB


class Session(Processes):
    """Starts a run, tells how it goes, and ends it; a context manager.

    Args:
        source: the capture and its feed.
        plan: what to do.
    """

    def __init__(self, source: Source, plan: Plan) -> None:
        from simbench.capture.reader import open_capture
        from simbench.wire.open import open_wire
        from simbench.wire.probe import need_veth, probe

        super().__init__()
        if plan.faults:
            check_faults(plan, source)
        self.source = source
        self.plan = plan
        speed = parse_speed(plan.speed)
        self.extent = extent(source)
        self.feed, self._looped = with_loops(choosing(source.feed, plan.recover))
        recovered = recovering(self.feed, plan.recover)
        self.steering = None
        self.waiting = plan.wait
        can = probe() if plan.queues > 1 else None
        if can is not None:
            check_queues(plan, recovered)
            need_veth("--queues needs a veth pair", can)
            self.steering = steering_of(plan, source, self.feed, self._looped)
            self.waiting = "block" if crowded(plan.queues) else plan.wait
        self.choice = choice(plan.wire, plan.stack, can)
        self.stack = "" if self.choice.wire == "ring" else self.choice.stack
        if plan.exchange is not None:
            open_capture(plan.exchange)  # a mistake in its name is said before anything starts
        self._wire = self._owned.enter_context(
            open_wire(
                self.choice.wire,
                stack=self.choice.stack,
                mode=plan.mode if plan.queues == 1 else "native",  # else queue q would arrive on q - 1
                queues=plan.queues,
                groups=joined(self.feed) if self.choice.stack == "udp" else (),
                entries=plan.entries,
                mtu=self.extent.mtu,
                unicast=bool(recovered),
            )
        )
        self._listening = {number: self._listen() for number in recovered}
        self.control = Control.create()
        self._owned.callback(os.close, self.control.fd)
        self.control.words[SPEED] = speed
        self.control.words[LOOPS] = plan.loops
        rows = side_rows(self.extent.frames * max(1, plan.loops))
        self._side_fd = self.memory("side", rows * stamps.ROW * 8)

    def _listen(self) -> socket.socket:
        """Return a socket for requests at the sender's side, to be answered by the replayer's process."""
        beside = self._wire.unicast
        assert beside is not None
        return self._owned.enter_context(namespace.inside(beside.server_fd, bind, beside.server, 0))

    def start(self) -> None:
        """Start both processes; the first frame goes out when the receiver is ready."""
        sender, receiver = cores() if self.plan.pinned else (None, None)
        self.telemetry[STAY] = self.plan.watched
        shared = (self.control.fd, self._side_fd)
        config = self._receiver_config(receiver, self.result_memory("receive"))
        mine = (*shared, self._telemetry_fd, self._results["receive"])
        self.spawn("receive", config, (*mine, *self._wire.receiver.descriptors))
        config = self._replayer_config(sender, self.result_memory("replay"))
        listening = (each.fileno() for each in self._listening.values())
        inherited = (*shared, self._results["replay"], *listening, *self._wire.sender.descriptors)
        self.spawn("replay", config, inherited)

    def _receiver_config(self, cpu: int | None, result_fd: int) -> msgspec.Struct:
        from simbench.feed.definition import dump
        from simbench.receive.process import ReceiverConfig

        speed = parse_speed(self.plan.speed)
        frames = self.extent.frames * max(1, self.plan.loops)
        servers = {number: where(each) for number, each in self._listening.items()}
        return ReceiverConfig(
            feed=dump(asking(self.feed, servers)),
            wire=self._wire.receiver,
            telemetry_fd=self._telemetry_fd,
            result_fd=result_fd,
            control_fd=self.control.fd,
            side_fd=self._side_fd,
            block=self.waiting == "block",
            cpu=-1 if cpu is None else cpu,
            verify=self.source.verify
            or bool(self.plan.faults),  # rebuilt frames have right ones: wrong ones are faults
            first_ns=self.source.first_ns,
            trace=min(frames, MOST_TRACED) if speed > 0 else 0,
            speed=max(0, speed) / 1e6,
            max_idle_ns=self.plan.max_idle_ns,
            windows=self.plan.windows,
            only_line=self.plan.only_line or "",
            owners=self.steering.owners if self.steering else (),
            cpus=receiving_cores(self.plan.queues, pinned=self.plan.pinned) if self.steering else (),
            handing=self.steering is not None and bool(self.steering.split),
            slow_ns=self.plan.slow_ns,
        )

    def _replayer_config(self, cpu: int | None, result_fd: int) -> msgspec.Struct:
        from simbench.feed.definition import dump
        from simbench.replay.process import Config, Serving

        plan = self.plan
        channels = self.feed.channels
        serving = [Serving(line_endpoints(channels[number]), each.fileno()) for number, each in self._listening.items()]
        return Config(
            capture=str(self.source.capture.path),
            wire=self._wire.sender,
            feeds=endpoints(self.feed),
            lines=tuple(named_lines(self.feed).values())[:LINES],
            looped=dump(self._looped) if self._looped else "",
            cycle_ns=plan.cycle_ns,
            control_fd=self.control.fd,
            side_fd=self._side_fd,
            result_fd=result_fd,
            faults=plan.faults,
            feed=dump(self.source.feed) if plan.faults else "",
            start_ns=self.source.first_ns,
            only_line=plan.only_line or "",
            order=plan.order,
            max_idle_ns=plan.max_idle_ns,
            windows=plan.windows,
            from_ns=UNBOUND if plan.from_ns is None else plan.from_ns,
            to_ns=FOREVER if plan.to_ns is None else plan.to_ns + 1,  # as `book --at`: what is of that time is in
            primed=plan.from_ns is not None and not plan.cold,
            everything=plan.everything,
            as_recorded=plan.as_recorded,
            verify=self.source.verify,
            serving=tuple(serving),
            exchange=str(plan.exchange or self.source.capture.path),
            conduct=plan.conduct,
            steering=self.steering.flows if self.steering else (),
            by_source=self.steering is not None and self.steering.by_source,
            cpu=cpu,
            awake_ns=0 if plan.watched and len(os.sched_getaffinity(0)) < CORES_WATCHED else AWAKE_NS,
        )

    def reader(self) -> Reader:
        """Return who takes snapshots of this run."""
        if self._reader is None:
            from simbench.measure.reader import Reader

            return self._informed(Reader(self.telemetry, names(self.source.feed), self._info(), self.control))
        return self._reader

    def _info(self) -> RunInfo:
        return RunInfo(
            capture=title_of(self.source.capture.path),
            wire=self.choice.wire,
            stack=self.stack,
            wait=self.waiting,
            speed=self.plan.speed,
            frames=self.extent.frames,
            first_ns=self.plan.from_ns or self.extent.first_ns,
            last_ns=min(self.extent.last_ns, self.plan.to_ns or self.extent.last_ns),
            strip=self.extent.strip,
            lines=self._line_names(),
            faults=self._spans(),
            host=host_lines() if self.plan.watched else (),
            queues=self._queues(),
        )

    def _line_names(self) -> tuple[str, ...]:
        return tuple(named_lines(self.feed))[:LINES]

    def _spans(self) -> tuple[FaultSpan, ...]:
        if not self.plan.faults:
            return ()
        from simbench.faults.choice import spans

        found = spans(self.plan.faults, self.source.feed, self.source.first_ns)
        return tuple(FaultSpan(words, max(first, 0), last) for words, first, last in found)

    def _queues(self) -> tuple[QueueLine, ...]:
        if self.steering is None:
            return ()
        cpus = receiving_cores(self.plan.queues, pinned=self.plan.pinned)
        names = [channel.name for channel in self.feed.channels]
        owned = [
            tuple(name for name, owner in zip(names, self.steering.owners, strict=True) if owner == queue)
            for queue in range(self.plan.queues)
        ]
        return tuple(QueueLine(queue, cpus[queue], owned[queue]) for queue in range(self.plan.queues))

    def stop(self) -> None:
        """Ask the replayer to end; the receiver ends when everything sent has come, or at once without a replayer."""
        held = self.control.gate_stands == gating.SHUT
        self.control.stop()
        if held:  # what it holds comes first
            self.control.gate(gating.OPEN)
            return
        receiver, replayer = self.child("receive"), self.child("replay")
        if receiver is not None and receiver.poll() is None and (replayer is None or replayer.poll() is not None):
            receiver.terminate()

    def finish(self) -> dict[str, Any]:
        """Wait for both processes and return the result, in the shape of `run --json`.

        Raises:
            SimbenchError: one of them failed; with its reason.
        """
        found = self.results()
        replayed, received = found["replay"], found["receive"]
        whole = result(received, wire=self.choice.wire, stack=self.stack, wait=self.waiting)
        if whole["recovery"]:
            whole["recovery"]["servers"] = replayed.pop("servers")
        if self.steering is not None:
            whole.update(queues_told(self.steering, replayed.pop("steered"), received["queues"]))
        done = replayed.pop("faults", None)
        joined = {
            **whole,
            "capture": title_of(self.source.capture.path),
            **looked_at(self.telemetry, names(self.feed)),
            "speed": replayed["speed"],
            "sent": replayed["sent"],
            "drops": {**replayed["drops"], **received["drops"]},
            "replayer": replayed,
            "phase": replayed["phase"],
            "reason": replayed["reason"],
        }
        if received.get("held"):
            joined["held"] = received["held"]
        if self.plan.slow_ns:
            joined["slow_handler_ns"] = self.plan.slow_ns
        live = [told_switch(each, self._line_names()) for each in self.control.switched()]
        if live:
            joined["live_faults"] = live
        if done is not None:
            from simbench.faults.report import report

            joined["faults"] = report(done, joined, self.source.feed)
        return joined


def check_faults(plan: Plan, source: Source) -> None:
    """Refuse a fault script that is wrong, or that cannot be applied to the frames of a plan, in one line."""
    from simbench.errors import SimbenchError
    from simbench.faults.script import CHANGED_AS_RECORDED, parse

    if plan.as_recorded:
        raise SimbenchError(CHANGED_AS_RECORDED)
    parse(plan.faults, source.feed)


def told_switch(window: Switched, lines: Sequence[str]) -> dict[str, Any]:
    """Return what a fault that was switched on while the run went on did, for a run's JSON."""
    return {
        "kind": window.kind,
        "line": lines[window.line] if window.line < len(lines) else str(window.line + 1),
        "value": window.value,
        "first_ns": str(window.since_ns),
        "last_ns": str(window.until_ns) if window.until_ns else None,
        "frames": window.frames,
    }


def result(received: dict[str, Any], *, wire: str, stack: str, wait: str) -> dict[str, Any]:
    """Return what a receiver alone tells, in the shape of `run --json`."""
    return {
        "schema": 1,
        "host": host(),
        "wire": wire,
        "stack": stack,
        "wait": wait,
        "speed": {"asked": "live", "achieved": 1.0},
        "sent": 0,
        "received": received["received"],
        "drops": received["drops"],
        "stages": received["stages"],
        "timing": received.get("timing", {}),
        "bursts": received.get("bursts"),
        "hiccups": received["hiccups"],
        "scheduling": received["scheduling"],
        "polls": received["polls"],
        "unstamped": received["unstamped"],
        "unmatched": received["unmatched"],
        "recovery": received.get("recovery", {}),
        "book": received["book"],
    }


def looked_at(telemetry: Words, called: Names) -> dict[str, Any]:
    """Return what results say out of a run's telemetry: how lines lag, and which frames took longest."""
    from simbench.measure import skew, worst

    return {"skew": skew.told(telemetry, called), "worst": worst.told(telemetry, called)}


def host() -> dict[str, Any]:
    """Return what results say of the machine that they come from."""
    return {"kernel": platform.release(), "machine": platform.machine(), "cores": os.cpu_count()}


def host_lines() -> tuple[HostLine, ...]:
    """Return what the doctor reads of how the host is set up; nothing is tried and no core is watched."""
    from pathlib import Path

    from simbench.doctor import tuning

    checks = tuning.read(Path("/"), sorted(os.sched_getaffinity(0)))
    return tuple(HostLine(check.name, str(check.verdict), check.found, check.advice) for check in checks)


def run_quietly(source: Source, **plan: Any) -> dict[str, Any]:
    """Carry a plan out to its end without showing anything; return the result of `run --json`."""
    with Session(source, Plan(**plan)) as session:
        return session.finish()
