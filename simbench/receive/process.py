"""The receiver process: `python -m simbench.receive.process FD`, its settings as JSON behind that descriptor."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from simbench.errors import SimbenchError
from simbench.lifetime import end_with_parent
from simbench.replay.squeeze import Window, pace, squeeze
from simbench.wire.spec import WireSpec  # noqa: TC001 - msgspec reads the annotation when it decodes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from numpy.typing import NDArray

    from simbench.receive.worker import Worker
    from simbench.wire.contract import ReceiverEnd


STAY_S: Final = 0.05  # between two publications after the end


class ReceiverConfig(msgspec.Struct, frozen=True):
    """What a receiver process is told.

    Attributes:
        feed: the channels, as the text of a feed.toml.
        wire: where its frames come from.
        telemetry_fd: the block to publish into.
        result_fd: file to write the result to, as JSON.
        control_fd: the replayer's control block; -1 where there is no replayer.
        side_fd: the side table; -1 none.
        block: wait in the kernel instead of spinning.
        cpu: core of the loop; -1 any.
        verify: whether a wrong checksum is loss.
        first_ns: recorded time of the first frame, or now for a live feed: tells protocols the date.
        trace: frames whose stamps are kept for the proof of timing.
        speed: asked for, as a factor; 0 at max and flood.
        max_idle_ns: the replayer's cap on idle time; 0 none.
        windows: that the replayer lets pass faster than the rest.
        only_line: the one line of every channel that is listened to; "" all.
        owners: where there are several queues: the queue of each channel, by its number.
        cpus: likewise: core of each queue's thread; -1 any.
        handing: whether frames land on other queues than their channel's, and are handed over.
        slow_ns: that every frame is made to cost more, in ns: a slow handler.
    """

    feed: str
    wire: WireSpec
    telemetry_fd: int
    result_fd: int
    control_fd: int = -1
    side_fd: int = -1
    block: bool = False
    cpu: int = -1
    verify: bool = True
    first_ns: int = 0
    trace: int = 0
    speed: float = 1.0
    max_idle_ns: int = 0
    windows: tuple[Window, ...] = ()
    only_line: str = ""
    owners: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    handing: bool = False
    slow_ns: int = 0


def main() -> None:
    """Run until the replay has ended, or a signal came; write the result; exit 2 with one line on an error."""
    end_with_parent()
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        config = msgspec.json.decode(_read(int(sys.argv[1])), type=ReceiverConfig)
        take = receive_several if config.cpus else receive
        found, publish = take(config, lambda: stopped)
        _write(config.result_fd, msgspec.json.encode(found))
        stay(config, publish, lambda: stopped)
    except SimbenchError as error:
        sys.exit(_complain(str(error)))
    except (OSError, MemoryError) as error:
        sys.exit(_complain(f"receiver: {error}"))


def stay(config: ReceiverConfig, publish: Callable[[], None], stopped: Callable[[], bool]) -> None:
    """Go on publishing the books that somebody looks at, until nobody does: what was received may be looked through."""
    from simbench.measure import telemetry as t

    telemetry, pause = t.attach(config.telemetry_fd), threading.Event()
    while telemetry[t.STAY] and not stopped():
        publish()
        pause.wait(STAY_S)


def receive(config: ReceiverConfig, stopped: Callable[[], bool]) -> tuple[dict[str, Any], Callable[[], None]]:
    """Open the wire, receive until the end, return the result, and what publishes the books again."""
    from simbench.feed.definition import parse
    from simbench.feed.sequencer import Settings
    from simbench.measure import telemetry as t
    from simbench.receive import live, result
    from simbench.receive.receiver import Receiver
    from simbench.receive.recovery import Client, servers_of
    from simbench.receive.worker import Worker
    from simbench.replay.control import Control
    from simbench.wire.contract import UNMATCHED
    from simbench.wire.open import open_receiver

    feed = parse(config.feed)
    only_line = config.only_line or None
    servers = servers_of(feed)
    receiver = Receiver(
        feed,
        first_ns=config.first_ns,
        batch=1,
        verify=config.verify,
        only_line=only_line,
        settings=Settings(recover="retransmit" if servers else "none"),
    )
    control = Control.attach(config.control_fd) if config.control_fd >= 0 else Control.create()
    side = t.map_words(config.side_fd) if config.side_fd >= 0 else np.zeros(0, np.int64)
    with open_receiver(config.wire) as end, contextlib.ExitStack() as opened:
        client = opened.enter_context(Client(receiver, servers, config.wire.netns_fd)) if servers else None
        worker = Worker(
            receiver,
            end,
            control=control.words,
            side=side,
            telemetry=t.attach(config.telemetry_fd),
            driven=config.control_fd >= 0,
            block=config.block,
            cpu=config.cpu if config.cpu >= 0 else None,
            trace=config.trace,
            client=client,
            gated=config.control_fd >= 0,
        )
        worker.live[live.SLOWED] = config.slow_ns
        gc.freeze()
        gc.disable()  # nothing is made while frames come, and a collection would be a hiccup of our own
        worker.start()
        worker.watch(stopped)
        found = {
            "book": result.build(receiver, _capture(config, worker)),
            "stages": worker.stages(),
            "hiccups": worker.hiccups(),
            "scheduling": worker.scheduling,
            "received": int(worker.live[live.RECEIVED]),
            "drops": {name: count for name, count in end.counters().items() if count},
            "unstamped": int(worker.live[live.UNSTAMPED]),
            "polls": {"all": int(worker.live[live.POLLS]), "found": int(worker.live[live.FOUND])},
            "unmatched": int(end.words[UNMATCHED]),
            "wire": end.description,
            "held": int(worker.live[live.HELD]),
        }
        if client is not None:
            found["recovery"] = client.report()
        return {**found, **_proof(config, worker.traced())}, worker.publish


def receive_several(config: ReceiverConfig, stopped: Callable[[], bool]) -> tuple[dict[str, Any], Callable[[], None]]:
    """Likewise, the wire's queues with a thread for each."""
    from simbench.feed.definition import parse
    from simbench.measure import telemetry as t
    from simbench.receive import live
    from simbench.receive.receiver import Receiver
    from simbench.receive.several import Several
    from simbench.replay.control import Control
    from simbench.steering.table import owner_flows
    from simbench.wire.flowtable import new_table
    from simbench.wire.open import open_handing, open_receivers

    feed = parse(config.feed)
    control = Control.attach(config.control_fd)
    with contextlib.ExitStack() as opened:
        ends: Sequence[ReceiverEnd] = (
            open_handing(config.wire, new_table(owner_flows(feed, config.owners), by_source=False))
            if config.handing
            else open_receivers(config.wire)
        )
        for end in ends:
            opened.enter_context(end)
        several = Several(
            [
                Receiver(
                    feed,
                    first_ns=config.first_ns,
                    batch=1,
                    verify=config.verify,
                    only_line=config.only_line or None,
                )
                for _ in ends
            ],
            ends,
            config.owners,
            config.cpus,
            control=control.words,
            side=t.map_words(config.side_fd),
            telemetry=t.attach(config.telemetry_fd),
            block=config.block,
            trace=config.trace,
        )
        for worker in several.workers:
            worker.live[live.SLOWED] = config.slow_ns
        gc.freeze()
        gc.disable()  # as for one
        several.run(stopped)
        known = {"truncated": False, "backward_stamps": 0, "first_ns": str(config.first_ns), "notes": []}
        return {**several.report(known), **_proof(config, several.traced())}, several.publish


def _proof(config: ReceiverConfig, traced: NDArray[np.int64]) -> dict[str, Any]:
    """Return how well the traced frames kept to their times, and to the pace of the windows."""
    from simbench.measure.timing import proof

    found: dict[str, Any] = {}
    if len(traced):
        if config.windows:
            found["bursts"] = pace(traced, config.windows)
            traced = np.column_stack([squeeze(traced[:, 0], config.windows), traced[:, 1:]])
        found["timing"] = proof(traced, speed=config.speed, max_idle_ns=config.max_idle_ns)
    return found


def _capture(config: ReceiverConfig, worker: Worker) -> dict[str, Any]:
    from simbench.receive import live, pipeline

    return {
        "frames": int(worker.live[live.RECEIVED]),
        "truncated": False,
        "backward_stamps": 0,
        "first_ns": str(config.first_ns),
        "last_ns": str(worker.receiver.counter(pipeline.NOW)),
        "left_out": worker.dissector.left_out(),
        "notes": [],
    }


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _write(fd: int, data: bytes) -> None:
    os.ftruncate(fd, 0)
    view = memoryview(data)
    at = 0
    while at < len(view):
        at += os.pwrite(fd, view[at:], at)


def _complain(line: str) -> int:
    print(line, file=sys.stderr)  # noqa: T201 - the parent shows it to the user
    return 2


if __name__ == "__main__":
    main()
