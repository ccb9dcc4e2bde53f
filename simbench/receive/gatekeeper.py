"""The gate's slow side: takes requests, arms and opens it, and keeps the receiver alive while it is shut.

While it is shut nothing is taken from the wire: what is on its way waits there. The replay is paused, and asked for a
frame at a time where somebody wants the next message and none is there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from simbench.measure import telemetry as t
from simbench.receive import gate as g
from simbench.receive import live as w
from simbench.receive import marking, pipeline
from simbench.replay import control as c
from simbench.replay import gating

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simbench.receive.receiver import Receiver

    Words = NDArray[np.int64]

PUBLISH_S: Final = 0.02  # between publications while it is shut
LOOK_S: Final = 0.001  # between looks at the requests
IDLE_S: Final = 0.000_1  # between looks at the wire while a message is waited for
QUIET_NS: Final = 50_000_000  # so long after a frame was asked for, or came, it is taken for lost
MARKED: Final = {
    gating.MESSAGES: marking.ALL,
    gating.GAP: marking.BEHIND_GAP,
    gating.CHANGE: marking.OF_INSTRUMENT,
}


class Gatekeeper:
    """Minds the gate of one receive loop, in the loop's thread.

    Args:
        receiver: whose loop it is.
        live: the loop's words.
        control: the replayer's control block.
        telemetry: what is published into.
        publish: publishes everything at once.
        lost: tells how many frames the wire lost.
    """

    def __init__(
        self,
        receiver: Receiver,
        live: Words,
        *,
        control: Words,
        telemetry: Words,
        publish: Callable[[], None],
        lost: Callable[[], int],
    ) -> None:
        self._receiver = receiver
        self._live = live
        self._control = control
        self._telemetry = telemetry
        self._publish = publish
        self._lost = lost
        self._most = int(live[w.MOST])
        self._asked = 0  # ticket of the frame that was asked for last
        self._asked_ns = 0

    def begin(self) -> None:
        """Say that there is a gate, and make ready what it needs at once."""
        c.push.compile("(int64[::1], int64, int64, int64)")
        self._live[g.SEEN] = self._control[c.GATE]
        self._telemetry[t.GATE_TAKEN] = self._live[g.SEEN]
        self._telemetry[t.GATE_CHANNEL] = -1
        self._control[c.GATE_STANDS] = gating.IS_OPEN

    @property
    def holds(self) -> bool:
        """Whether it is shut, so that what was sent may be kept from the books."""
        return bool(self._control[c.GATE_STANDS] == gating.SHUT)

    def mind(self, status: int) -> None:
        """Do what the loop returned for, GATED or SHUT; returns when the loop may go on."""
        if status == g.SHUT:
            self._shut()
            self._wait()
        request = int(self._control[c.GATE])
        if request != self._live[g.SEEN]:
            self._obey(gating.way_of(request), gating.count_of(request))
            self._telemetry[t.GATE_TAKEN] = request
            self._live[g.SEEN] = request  # after it: whoever sees this knows how the gate stands by then
        elif self._live[g.WATCH]:
            self._want_frame()
            time.sleep(IDLE_S)

    def open(self) -> None:
        """Let everything through from now on."""
        if self._live[g.WATCH]:
            words = self._receiver.state.words
            words[pipeline.PARANOID] = words[pipeline.MARKING] = 0
            self._live[g.WATCH] = gating.OPEN
            self._live[w.MOST] = self._most
            self._live[w.OPENED] = time.monotonic_ns()
        self._control[c.GATE_STANDS] = gating.IS_OPEN

    def _obey(self, way: int, count: int) -> None:
        receiver, live, words = self._receiver, self._live, self._receiver.state.words
        if way == gating.OPEN:
            self.open()
            return
        if way == gating.CHANGE and count >= len(receiver.state.books.instruments):
            return  # whoever asked saw it in another run
        self._asked = self._asked_ns = 0
        live[g.WATCH] = way
        live[g.LEFT] = max(1, count)
        live[g.INSTRUMENT] = count if way == gating.CHANGE else 0
        live[g.BASE] = (
            g.changes(receiver.state.books.memory, count)
            if way == gating.CHANGE
            else g.gaps(receiver.state.sequencer.memory)
        )
        live[g.SHUT_CHANNEL] = -1
        live[w.MOST] = live[w.ASIDE] = 1
        self._make_room()
        words = receiver.state.words
        words[pipeline.PARANOID] = pipeline.LOOK_FIRST
        words[pipeline.MARKING] = MARKED.get(way, marking.NOBODY)
        words[pipeline.MARKED_KEY] = (
            receiver.state.books.instruments[count]["key"] if way == gating.CHANGE else live[g.BASE]
        )
        self._tell()
        self._control[c.GATE_STANDS] = gating.ARMED

    def _make_room(self) -> None:
        """Let the pipeline's words have room for two copies of a protocol's state."""
        state = self._receiver.state
        if state.words[pipeline.SCRATCH] == 0:
            room = 2 * max(int(last - first) for _, first, last, *_ in self._receiver.channels)
            state.words[pipeline.SCRATCH] = len(state.words)
            state.words = np.concatenate([state.words, np.zeros(room, np.int64)])

    def _tell(self) -> None:
        live, telemetry = self._live, self._telemetry
        telemetry[t.GATE_CAUSE] = live[g.WATCH]
        telemetry[t.GATE_CHANNEL] = live[g.SHUT_CHANNEL]
        telemetry[t.GATE_SEQUENCE] = live[g.SHUT_SEQUENCE]
        telemetry[t.GATE_INSTRUMENT] = live[g.INSTRUMENT]

    def _shut(self) -> None:
        if self._control[c.PHASE] == c.RUNNING:
            c.push(self._control, c.PAUSE, 0, 0)
        self._tell()
        self._publish()  # before it says so: whoever hears of it finds books and gaps as they are
        self._control[c.GATE_STANDS] = gating.SHUT

    def _wait(self) -> None:
        """Stay shut until there is another request, or the run is ended."""
        live, control = self._live, self._control
        published = time.monotonic()
        while control[c.GATE] == live[g.SEEN]:
            ended = control[c.PHASE] >= c.ENDED and control[c.REASON] != c.AT_END
            if ended or live[w.STOP]:
                self.open()
                break
            if time.monotonic() - published > PUBLISH_S:
                published = time.monotonic()
                self._publish()
            time.sleep(LOOK_S)
        live[w.LOOKED] = 0

    def _want_frame(self) -> None:
        """Ask the paused replay for the next frame, if none is on its way."""
        live, control = self._live, self._control
        if live[g.WATCH] not in {gating.MESSAGES, gating.FRAMES} or control[c.PHASE] != c.PAUSED:
            return
        now = time.monotonic_ns()
        if control[c.HEAD] < self._asked:
            return
        waits = live[w.RECEIVED] + self._lost() < control[c.SENT]
        if waits and now - max(self._asked_ns, int(live[w.QUIET])) < QUIET_NS:
            return
        self._asked = int(c.push(control, c.STEP, 1, 0))
        self._asked_ns = now
