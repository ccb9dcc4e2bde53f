"""A replay over the ring without processes: sender, wire and receiver of a run, and no clock but replay time.

What the loops of a run do by the clock is done here by what frames say: an answer comes a fixed replay time after its
request, so that everything in the result is the same in every run. What comes out of the wire is kept.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import numpy as np

from simbench.address import address_of
from simbench.capture.block import Block
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.faults.faults import Faults
from simbench.feed.sequencer import Settings, want_all
from simbench.frame import FRAME
from simbench.measure import stamps
from simbench.receive import pipeline, result
from simbench.receive.receiver import FLOWS, Receiver
from simbench.recovery.conduct import Conduct
from simbench.recovery.rerequest import Rerequest
from simbench.recovery.snapshot_loop import Accompanied
from simbench.recovery.store import gather
from simbench.replay import control as c
from simbench.replay.control import Control
from simbench.replay.loader import Loader
from simbench.replay.replayer import Replayer, side_rows
from simbench.replay.replayer import Settings as Pace
from simbench.replay.schedule import FOREVER, UNBOUND, Options, chooser, endpoints, line_endpoints
from simbench.session.recovering import asking, recovering
from simbench.session.snapshotting import choosing, with_loops
from simbench.wire import ring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simbench.feed.sequencer import Request
    from simbench.receive.offline import Source

ANSWER_NS = 2_000_000  # from a request to its answer
CYCLE_NS = 200_000_000  # of the snapshot loop
ENTRIES = 4096  # of the ring
HEADERS = 42  # bytes before the payload of a rebuilt frame
NOBODY = np.zeros(0, FRAME)


@dataclass
class Carried:
    """What came out of the wire, and what the receiver made of it.

    Attributes:
        datagrams: by group, "address:port": (recorded time at which it is sent, payload) in the order of the wire.
        book: in the shape of `book --json`.
    """

    datagrams: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    book: dict[str, Any] = field(default_factory=dict)


def recorded(source: Source) -> dict[str, list[tuple[int, bytes]]]:
    """Return what a capture holds of each flow, in the shape of Carried.datagrams, as it lies in the file."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    dissector = Dissector(checksums="ignore")
    for block in source.capture.blocks():
        dissector.dissect(block)
        for row in block.frames[block.frames["flow"] >= 0]:
            flow = dissector.flows[int(row["flow"])]
            first = int(row["payload"])
            payload = block.data[first : first + int(row["payload_length"])].tobytes()
            sent_to = f"{address_of(flow, 'group')}:{flow['port']}"
            found.setdefault(sent_to, []).append((int(row["stamp"]), payload))
    return found


def carried(source: Source, faults: str = "", recover: str = "none") -> Carried:
    """Replay a capture over the ring into a receiver.

    Args:
        source: the capture.
        faults: text of a script; "" none.
        recover: as `run --recover` has it.
    """
    feed, looped = with_loops(choosing(source.feed, recover))
    asked = recovering(feed, recover)
    capture: Any = open_capture(source.capture.path)
    if looped is not None:
        exchange = open_capture(source.capture.path)
        capture = Accompanied(capture, exchange, looped, cycle_ns=CYCLE_NS, verify=source.verify)
    script = Faults(faults, source.feed, source.first_ns, window=(UNBOUND, FOREVER)) if faults else None
    options = Options(verify=source.verify, max_frame=2048)
    loader = Loader(capture, options, endpoints(feed), faults=script)
    receiver = Receiver(
        asking(feed, dict.fromkeys(asked, "127.0.0.1:1")),
        first_ns=source.first_ns,
        batch=1,
        verify=source.verify or bool(faults),
        settings=Settings(recover="retransmit" if asked else "none"),
    )
    with ExitStack() as opened:
        stores = gather(
            source.capture, [chooser(line_endpoints(feed.channels[n])) for n in asked], verify=source.verify
        )
        for store in stores:
            opened.enter_context(store)
        exchange_side = Exchange(receiver, {n: Rerequest(s, Conduct()) for n, s in zip(asked, stores, strict=True)})
        return _carry(loader, receiver, exchange_side, opened)


class Exchange:
    """Answers the receiver's requests, each after a fixed replay time.

    Args:
        receiver: who asks.
        servers: by the channel's number.
    """

    def __init__(self, receiver: Receiver, servers: dict[int, Rerequest]) -> None:
        self._receiver = receiver
        self._servers = servers
        self._due: list[tuple[int, int, bytes]] = []
        receiver.on_request = self._ask

    def _ask(self, request: Request) -> None:
        receiver, number = self._receiver, request.channel
        make = receiver.protocol(number).request
        assert make is not None
        wanted = make(receiver.channel_state(number), request.session, request.first, request.units)
        answer = self._servers[number].answer(wanted, "198.19.255.2")
        if answer is not None:
            self._due.append((receiver.counter(pipeline.NOW) + ANSWER_NS, number, answer))

        self._stop()

    def take(self, data: Any, frames: Any, flows: Any) -> None:
        """Hand frames to the receiver, and each answer before the first frame that is not earlier."""
        while self._receiver.take(data, frames, flows) == pipeline.STOPPED:
            self._answer()

    def settle(self) -> None:
        """Let time go on behind the last frame, until every request is answered or has been in vain."""
        state = self._receiver.state
        want_all(state.sequencer.memory)
        self._pass(0)
        while state.sequencer.outstanding():
            while self._due:
                self._answer()
            self._pass(Settings().request_ns if state.sequencer.outstanding() else 0)

    def _answer(self) -> None:
        due, number, answer = self._due.pop(0)
        self._receiver.state.words[pipeline.CLOCK] = due
        self._receiver.take_answers(number, [answer])
        self._stop()

    def _stop(self) -> None:
        self._receiver.state.words[pipeline.UNTIL] = self._due[0][0] - 1 if self._due else pipeline.NEVER

    def _pass(self, time_ns: int) -> None:
        words = self._receiver.state.words
        words[pipeline.CLOCK] = words[pipeline.NOW] + time_ns
        self._receiver.take(np.zeros(1, np.uint8), NOBODY, NOBODY)


def _carry(loader: Loader, receiver: Receiver, exchange: Exchange, opened: ExitStack) -> Carried:
    fd = ring.create(ENTRIES)
    opened.callback(os.close, fd)
    control = Control.create()
    opened.callback(os.close, control.fd)
    control.words[c.SPEED] = c.parse_speed("max")
    control.words[c.LOOPS] = 1
    side = np.zeros(side_rows(loader.plan.frames) * stamps.ROW, np.int64)
    sender = opened.enter_context(ring.attach_sender(fd))
    replayer = Replayer(loader, sender, control, side, Pace())
    table = side.reshape(-1, stamps.ROW)
    dissector = Dissector(capacity=FLOWS)
    out = Carried()
    replayer.start()
    opened.callback(replayer.join, 10)
    opened.callback(control.stop)
    control.words[c.RECEIVER_READY] = 1
    count = 0
    for data, frames in _polled(fd, replayer, control, opened):
        rows = table[frames["ordinal"] & (len(table) - 1)]
        assert (rows[:, stamps.SERIAL] == frames["ordinal"] + 1).all()
        frames["stamp"] = rows[:, stamps.RECORDED]
        dissector.dissect(Block(data, frames))
        for frame in frames:
            raw = data[frame["offset"] : frame["offset"] + frame["captured"]].tobytes()
            out.datagrams.setdefault(group(raw[30:34], raw[36:38]), []).append((int(frame["stamp"]), raw[HEADERS:]))
        exchange.take(data, frames, dissector.flows)
        count += len(frames)
    assert replayer.join(60)
    assert count == loader.plan.frames == control.sent
    exchange.settle()
    receiver.finish()
    out.book = result.build(receiver, {})
    return out


@cache
def group(address: bytes, port: bytes) -> str:
    """Return what feed.toml calls the destination of a frame: "address:port"."""
    return f"{ip_address(address)}:{int.from_bytes(port, 'big')}"


def _polled(fd: int, replayer: Replayer, control: Control, opened: ExitStack) -> Iterator[tuple[Any, Any]]:
    """Yield what comes out of the ring, bytes and FRAME[n], until everything that is sent has come."""
    end = opened.enter_context(ring.attach_receiver(fd))
    frames = np.zeros(512, FRAME)
    taken = 0
    while not (replayer.join(0) and taken == control.sent):
        count = end.poll(end.words, end.memory, frames)
        if count:
            yield end.memory, frames[:count]
            end.release(end.words, frames, count)
            taken += count
            control.words[c.CONSUMED] = taken
        else:
            end.wait(end.words, 1_000_000)
        control.words[c.RECEIVER_BEAT] = control.words[c.REPLAYER_BEAT]
