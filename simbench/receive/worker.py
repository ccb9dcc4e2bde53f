"""A receiver at work on a wire: the loop in its thread, and what it asks for in between."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simbench.capture.contract import DISSECT_SIGNATURE
from simbench.capture.dissect import Dissector, dissect
from simbench.feed.layout import REQUEST_NS
from simbench.feed.sequencer import want_all
from simbench.frame import FRAME
from simbench.kernel.pointer import pointer
from simbench.measure import telemetry as t
from simbench.receive import gate as g
from simbench.receive import live as w
from simbench.receive.gatekeeper import Gatekeeper
from simbench.receive.pipeline import CLOCK, NOW, SIGNATURE, STOPPED, TIMED, advance
from simbench.receive.receiver import FLOWS, Receiver
from simbench.receive.scheduling import scheduling, since
from simbench.replay import control as c
from simbench.wire.contract import UNMATCHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simbench.receive.recovery import Client
    from simbench.wire.contract import ReceiverEnd

    Words = NDArray[np.int64]

DRAIN_NS: Final = 200_000_000  # of silence after the last frame was sent: what has not come by then is lost
MOST_POLLED: Final = 64  # frames taken from the wire at once: their bytes stay in the nearest cache until they are done
PATIENCE_NS: Final = 250_000_000  # clock time without an answer after which one at speed max is not waited for
SLICE_S: Final = 0.02  # between looks at the stop flag while it is
REFRESH_S: Final = 0.25  # between looks at the counters that the kernel keeps
WIRE_DROPS: Final = ("rx_ring_full", "rx_dropped", "fill_empty", "socket_overflow", "link_dropped")


class Worker:
    """Runs a receiver on one end of a wire.

    Args:
        receiver: whose state it is.
        end: where frames come out; closed by the caller.
        control: the replayer's control block; a block of its own where there is no replayer.
        side: the side table, flat int64; empty where there is none.
        telemetry: what it publishes into.
        driven: whether a replayer says what time it is.
        block: wait in the kernel instead of spinning.
        cpu: core to run on; any where None.
        trace: frames whose stamps are kept for the proof of timing.
        client: who asks for what no line brought; None where nobody does. Closed by the caller.
        ready: called in the loop's thread when frames may come; None tells the replayer.
        gated: whether there is a gate, which needs a replayer.
    """

    def __init__(
        self,
        receiver: Receiver,
        end: ReceiverEnd,
        *,
        control: Words,
        side: Words,
        telemetry: Words,
        driven: bool,
        block: bool,
        cpu: int | None,
        trace: int,
        client: Client | None = None,
        ready: Callable[[], None] | None = None,
        gated: bool = False,
    ) -> None:
        self.receiver = receiver
        self.end = end
        self._control = control
        self._side = side
        self._telemetry = telemetry
        self._cpu = cpu
        self.live = np.zeros(w.LIVE, np.int64)
        self.live[w.BLOCK] = block
        self.live[w.DRIVEN] = driven
        self.live[w.WALL] = time.time_ns() - time.monotonic_ns()
        self.live[w.SIDE_ROWS] = len(side) // 8
        receiver.state.words[TIMED] = 1
        self.trace = np.zeros((trace, w.TRACE), np.int64)
        self.dissector = Dissector(capacity=FLOWS)
        self._frames = np.zeros(min(end.batch, MOST_POLLED), FRAME)
        self._ladders = np.zeros((4, t.SLOT_DEPTH, 4), np.int64)
        self._dissect = pointer(dissect, DISSECT_SIGNATURE)
        self._advance = pointer(advance, SIGNATURE)
        self.failure: BaseException | None = None
        self.scheduling: dict[str, int] = {}  # what befell the thread, once it has ended
        self._ended_at = 0  # clock when the replayer was first seen to have ended
        self._awaited_at = 0  # clock when frames were last left where they are, for an answer to come first
        self._client = client
        self._halted = False
        self._gated = gated
        self._ready = ready or self._tell_replayer
        if client is not None:
            self.live[w.SOCKETS] = len(client.descriptors)
            self.live[w.POLLFDS] = client.descriptors.ctypes.data
        self.live[w.MOST] = w.TURN if client is None else 1
        self._gate = Gatekeeper(
            receiver,
            self.live,
            control=control,
            telemetry=telemetry,
            publish=self._publish_held,
            lost=self.lost,
        )
        for row, group in enumerate(end.flows):
            receiver.routes[row] = receiver.router.of_group(group)
        self._name_lines()
        self._thread = threading.Thread(target=self._run, name="receive", daemon=True)

    def _name_lines(self) -> None:
        row = 0
        for number, channel in enumerate(self.receiver.feed.channels):
            for place in range(len(channel.lines)):
                if row < t.LINE_ROWS:
                    base = t.LINE_BASE + row * t.LINE_WORDS
                    self._telemetry[base + t.LINE_CHANNEL] = number
                    self._telemetry[base + t.LINE_NUMBER] = place
                    row += 1
        self._telemetry[t.LINES] = row
        self._telemetry[t.CHANNELS] = len(self.receiver.feed.channels)

    def start(self) -> None:
        """Start the loop; the replayer may send from now on."""
        self._telemetry[t.PID] = os.getpid()
        self._thread.start()

    def _run(self) -> None:
        try:
            if self._cpu is not None:
                os.sched_setaffinity(0, {self._cpu})
            self.live[w.STOP] = 1
            self._call()  # everything is loaded and touched before the first frame comes
            self.live[w.STOP] = 0
            if self._halted:  # while it was warming up
                self.live[w.STOP] = 1
            before = scheduling()
            self._telemetry[t.STATE] = t.RUNNING
            if self._gated:
                self._gate.begin()
            self._ready()
            while True:
                status = self._call()
                if status == w.ENDED:
                    break
                if status == w.NEW_EPOCH:
                    self._new_epoch()
                elif status == w.ANSWERED:
                    self._take_answers()
                elif status == w.AWAIT:
                    self._await_answers()
                elif status in {g.GATED, g.SHUT}:
                    self._gate.mind(status)
                else:
                    self.receiver.serve(status, self._frames, self.dissector.flows)
                self._hold()
            self.scheduling = since(before, scheduling())
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which tells the user
            self.failure = error

    def _tell_replayer(self) -> None:
        self._control[c.RECEIVER_PID] = os.getpid()
        self._control[c.RECEIVER_READY] = 1

    def _call(self) -> int:
        receiver, state = self.receiver, self.receiver.state
        return int(
            w.receive(
                self.live,
                self.end.poll,
                self.end.release,
                self.end.wait,
                self.end.words,
                self.end.memory,
                self._frames,
                self.dissector.flow_table,
                self.dissector.table,
                self.dissector.words,
                self.dissector.options,
                state.words,
                receiver.routes,
                receiver.channels,
                receiver.framers,
                receiver.decoders,
                state.protocols,
                state.sequencer.memory,
                state.sequencer.slab,
                state.books.memory,
                receiver.header,
                receiver.events,
                receiver.apply,
                self._control,
                self._side,
                self._telemetry,
                self.trace,
                self._ladders,
                self._dissect,
                self._advance,
            )
        )

    def _hold(self) -> None:
        """Let what comes as fast as it is taken wait for the answer to a request that has just been sent."""
        if self._client is not None and self._client.fresh:
            self._client.fresh = False
            self.live[w.HOLD] = 1

    def _take_answers(self) -> int:
        """Take the answers that have come; return how many."""
        assert self._client is not None
        live, clock = self.live, time.monotonic_ns()
        if not live[w.DRIVEN]:
            return self._client.take(int(live[w.WALL]) + clock)
        # As in the loop: while frames are under way, they say what time it is.
        quiet = live[w.RECEIVED] >= self._control[c.SENT] or clock - live[w.QUIET] > w.SILENT_NS
        now = int(self.receiver.state.words[NOW])
        if quiet and live[w.I] >= live[w.N]:
            now = max(now, int(self._control[c.REPLAY_NS]))
        return self._client.take(now)

    def _await_answers(self) -> None:
        """Wait until every request is answered, or nobody has answered for a while by the clock."""
        assert self._client is not None
        heard = time.monotonic_ns()
        while self.receiver.state.sequencer.outstanding() and not self.live[w.STOP]:
            self._awaited_at = time.monotonic_ns()
            if self._client.wait(SLICE_S) and self._take_answers():
                heard = time.monotonic_ns()
            elif time.monotonic_ns() - heard > PATIENCE_NS:
                break
        self._client.fresh = False
        self.live[w.HOLD] = 0

    def _settle(self) -> None:
        """Let outstanding requests end, answered or in vain; without frames, time goes on by the clock."""
        if self._client is None:
            return
        state, speed = self.receiver.state, int(self._control[c.SPEED])
        request_ns = int(state.sequencer.memory[REQUEST_NS])
        patience_ns = max(PATIENCE_NS, request_ns * c.PPM // speed if speed > 0 else 0)
        want_all(state.sequencer.memory)
        self._ask()
        while state.sequencer.outstanding():
            heard = time.monotonic_ns()
            while state.sequencer.outstanding() and (left := heard + patience_ns - time.monotonic_ns()) > 0:
                if self._client.wait(left / 1e9) and self._take_answers():
                    heard = time.monotonic_ns()
            if state.sequencer.outstanding():
                state.words[CLOCK] = state.words[NOW] + request_ns
                self._ask()

    def _ask(self) -> None:
        """Send the requests that are due."""
        nobody = np.zeros(0, FRAME)
        self.receiver.take(np.zeros(1, np.uint8), nobody, nobody)

    def _new_epoch(self) -> None:
        """Begin anew where the replayer did: what the last loop left behind is not continued."""
        self.live[w.EPOCH] = self.live[w.NEXT_EPOCH]
        self.receiver.begin_epoch(int(self.live[w.RECORDED]))

    def drained(self) -> bool:
        """Tell whether everything that was sent has been dealt with, or will never come."""
        if not self._control[c.PHASE] >= c.ENDED or self._gate.holds:
            return False
        sent = int(self._control[c.SENT])
        if int(self.live[w.RECEIVED]) + self.lost() >= sent and self.live[w.N] == 0:
            return True
        quiet = max(int(self.live[w.QUIET]), self._ended_at, self._awaited_at)
        return time.monotonic_ns() - quiet > DRAIN_NS

    def lost(self) -> int:
        """Return how many frames the wire lost on their way to this end."""
        counters = self.end.counters()
        return sum(counters[name] for name in WIRE_DROPS)

    def running(self) -> bool:
        """Tell whether the loop goes on."""
        return self._thread.is_alive()

    def watch(self, stopped: Callable[[], bool]) -> None:
        """Wait for the end: everything drained, a stop asked for, or a failure."""
        while self._thread.is_alive() and not stopped():
            if self._control[c.PHASE] >= c.ENDED:
                self._ended_at = self._ended_at or time.monotonic_ns()
                if self.live[w.DRIVEN] and self.drained():
                    break
            self.refresh()
            self._thread.join(0.005 if self._ended_at else REFRESH_S)
        self.stop()

    def refresh(self) -> None:
        """Publish the counters that the kernel keeps."""
        for name, count in self.end.counters().items():
            if name in WIRE_DROPS:
                self._telemetry[t.counter(f"drop_{name}")] = count
        self._telemetry[t.counter("unmatched")] = self.end.words[UNMATCHED]

    def halt(self) -> None:
        """Let the loop end within a millisecond."""
        self._halted = True
        self.live[w.STOP] = 1

    def stop(self) -> None:
        """End the loop, end the data, publish a last time."""
        self.halt()
        self._thread.join(5.0)
        if self.failure is not None:
            self._telemetry[t.STATE] = t.FAILED
            raise self.failure
        self._settle()
        while self.receiver.finish() == STOPPED:
            pass
        self.refresh()
        self.publish()
        self._telemetry[t.STATE] = t.ENDED
        self._control[c.RECEIVER_DONE] = 1

    def _publish_held(self) -> None:
        """Publish while the loop stands, and say that it is alive."""
        self.publish()
        self._control[c.RECEIVER_BEAT] = time.monotonic_ns()

    def publish(self) -> None:
        """Publish everything, while the loop stands."""
        from simbench.receive.publish import publish, publish_lags

        receiver, state = self.receiver, self.receiver.state
        w.publish_live(self._telemetry, self.live)
        publish(
            self._telemetry,
            state.words,
            receiver.channels,
            state.protocols,
            state.sequencer.memory,
            state.books.memory,
            self._ladders,
            time.monotonic_ns(),
        )
        publish_lags(self._telemetry, state.sequencer.memory, t.LINE_ROWS)

    def traced(self) -> NDArray[np.int64]:
        """Return the stamps of the first frames: int64[n, 4], recorded, T0, T1, T3."""
        return self.trace[: self.live[w.TRACED]]

    def stages(self) -> dict[str, Any]:
        """Return the latency of every stage as reports have it."""
        return {name: histogram.summary() for name, histogram in t.histograms(self._telemetry).items()}

    def hiccups(self) -> dict[str, Any]:
        """Return what the receiving core lost to others while it looked at an empty wire."""
        live = self.live
        return {
            "count": int(live[w.HICCUPS]),
            "longest_ns": int(live[w.LONGEST]),
            "lost_ns": int(live[w.AWAY]),
            "watched_ns": int(live[w.WATCHED]),
            "share": float(live[w.AWAY] / live[w.WATCHED]) if live[w.WATCHED] else 0.0,
        }
