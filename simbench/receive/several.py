"""A receiver on several queues: a thread for each, pinned, with books of its own, and one report of all.

Every channel has one owner, the queue whose thread frames, arbitrates and books it. Where steering keeps channels whole
the threads share nothing; where it does not, the ends hand over what is another's (wire/handover.py).
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.measure import telemetry as t
from simbench.measure.hiccups import added
from simbench.receive import joined, live, pipeline
from simbench.receive.whole import Whole
from simbench.receive.worker import DRAIN_NS, REFRESH_S, Worker
from simbench.replay import control as c
from simbench.wire.contract import RECEIVED, UNMATCHED
from simbench.wire.handover import HandingEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from simbench.receive.receiver import Receiver
    from simbench.wire.contract import ReceiverEnd

    Words = NDArray[np.int64]

GATHER_S = 0.1  # between gatherings of what readers look at


@dataclass(frozen=True)
class Queue:
    """One of several.

    Attributes:
        number: of the queue.
        cpu: core of its thread; None any.
        end: of its wire.
        worker: its thread, receiver and counters.
        telemetry: of its own.
    """

    number: int
    cpu: int | None
    end: ReceiverEnd
    worker: Worker
    telemetry: Words


class Several:
    """Runs a worker for each queue.

    Args:
        receivers: one of the whole feed for each queue.
        ends: of the wire, by queue.
        owners: the queue of each channel, by its number.
        cpus: core of each queue's thread; -1 any.
        control: the replayer's control block.
        side: the side table, flat int64.
        telemetry: the block that readers have.
        block: wait in the kernel instead of spinning.
        trace: frames whose stamps are kept, of each queue.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        ends: Sequence[ReceiverEnd],
        owners: Sequence[int],
        cpus: Sequence[int],
        *,
        control: Words,
        side: Words,
        telemetry: Words,
        block: bool,
        trace: int,
    ) -> None:
        self._owners = owners
        self._control = control
        self._telemetry = telemetry
        self._unready = len(ends)
        self._lock = threading.Lock()
        self._ended_at = 0
        self.queues = []
        for number, (receiver, end) in enumerate(zip(receivers, ends, strict=True)):
            own = np.zeros(t.WORDS, np.int64)
            cpu = cpus[number] if cpus[number] >= 0 else None
            worker = Worker(
                receiver,
                end,
                control=control,
                side=side,
                telemetry=own,
                driven=True,
                block=block,
                cpu=cpu,
                trace=trace,
                ready=self._one_ready,
            )
            self.queues.append(Queue(number, cpu, end, worker, own))
        self._whole = Whole(telemetry, [queue.telemetry for queue in self.queues], owners)

    @property
    def workers(self) -> list[Worker]:
        """The workers, by queue."""
        return [queue.worker for queue in self.queues]

    def _one_ready(self) -> None:
        """Tell the replayer when the last of them takes frames."""
        with self._lock:
            self._unready -= 1
            if self._unready == 0:
                self._telemetry[t.STATE] = t.RUNNING
                self._control[c.RECEIVER_PID] = os.getpid()
                self._control[c.RECEIVER_READY] = 1

    def run(self, stopped: Callable[[], bool]) -> None:
        """Receive until everything is drained, a stop is asked for, or one of the threads has failed."""
        for worker in self.workers:
            worker.start()
        refreshed = 0.0
        pause = threading.Event()
        while all(worker.running() for worker in self.workers) and not stopped():
            if self._control[c.PHASE] >= c.ENDED:
                self._ended_at = self._ended_at or time.monotonic_ns()
                if self._drained():
                    break
            now = time.monotonic()
            if now - refreshed > REFRESH_S:
                refreshed = now
                for worker in self.workers:
                    worker.refresh()
            self._whole.gather()
            pause.wait(0.005 if self._ended_at else GATHER_S)
        self._stop()

    def _drained(self) -> bool:
        """Tell whether everything that was sent has been dealt with, or will never come."""
        lost = sum(worker.lost() for worker in self.workers)
        if int(self._control[c.CONSUMED]) + lost >= int(self._control[c.SENT]):
            return True
        quiet = max(self._ended_at, *(int(worker.live[live.QUIET]) for worker in self.workers))
        return time.monotonic_ns() - quiet > DRAIN_NS

    def _stop(self) -> None:
        for worker in self.workers:
            worker.halt()
        try:
            for worker in self.workers:
                worker.stop()
        except BaseException:
            self._telemetry[t.STATE] = t.FAILED
            raise
        self._whole.gather()
        self._telemetry[t.STATE] = t.ENDED

    def publish(self) -> None:
        """Publish everything, while no loop runs."""
        for worker in self.workers:
            worker.publish()
        self._whole.gather()

    def report(self, capture: dict[str, Any]) -> dict[str, Any]:
        """Return what was found, in the shape of one receiver's, and what each queue had of it.

        Args:
            capture: what is known of the wire.
        """
        workers = self.workers
        received = sum(int(worker.live[live.RECEIVED]) for worker in workers)
        left_out = _added([worker.dissector.left_out() for worker in workers])
        last = max(worker.receiver.counter(pipeline.NOW) for worker in workers)
        capture = {**capture, "frames": received, "last_ns": str(last), "left_out": left_out}
        stages = {name: histogram.summary() for name, histogram in t.histograms(self._telemetry).items()}
        return {
            "book": joined.build([worker.receiver for worker in workers], self._owners, capture),
            "stages": stages,
            "hiccups": added([worker.hiccups() for worker in workers]),
            "scheduling": _added([worker.scheduling for worker in workers]),
            "received": received,
            "drops": _drops([queue.end for queue in self.queues]),
            "unstamped": sum(int(worker.live[live.UNSTAMPED]) for worker in workers),
            "polls": {
                "all": sum(int(worker.live[live.POLLS]) for worker in workers),
                "found": sum(int(worker.live[live.FOUND]) for worker in workers),
            },
            "unmatched": sum(int(queue.end.words[UNMATCHED]) for queue in self.queues),
            "wire": self.queues[0].end.description,
            "queues": [self._queue(queue) for queue in self.queues],
        }

    def traced(self) -> NDArray[np.int64]:
        """Return the stamps of the first frames of all queues, in the order in which they were sent: int64[n, 4]."""
        rows = np.concatenate([worker.traced() for worker in self.workers])
        return np.ascontiguousarray(rows[np.argsort(rows[:, 2], kind="stable")])

    def _queue(self, queue: Queue) -> dict[str, Any]:
        worker, end = queue.worker, queue.end
        channels = worker.receiver.feed.channels
        handing = end if isinstance(end, HandingEnd) else None
        return {
            "queue": queue.number,
            "cpu": queue.cpu,
            "channels": [
                channel.name for channel, owner in zip(channels, self._owners, strict=True) if owner == queue.number
            ],
            "frames": int(end.words[RECEIVED]) if handing is None else handing.landed,
            "received": int(worker.live[live.RECEIVED]),
            "handed_over": 0 if handing is None else handing.handed_over,
            "taken_over": 0 if handing is None else handing.taken_over,
            "hand_over": None if handing is None else handing.times.summary(),
            "stale": int(worker.live[live.STALE]),
            "drops": _drops([end]),
            "stages": worker.stages(),
            "hiccups": worker.hiccups(),
            "scheduling": worker.scheduling,
        }


def _drops(ends: Sequence[ReceiverEnd]) -> dict[str, int]:
    return _added([{name: count for name, count in end.counters().items() if count} for end in ends])


def _added(each: Sequence[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in each:
        for name, count in counts.items():
            found[name] = found.get(name, 0) + count
    return found
