"""A receiver behind a gate, driven by hand: its loop in its thread, a ring, and a replayer that is this test."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from small_feeds import ITCH, digests, frames

from simbench.book.books import Books
from simbench.capture.dissect import Dissector
from simbench.capture.reader import open_capture
from simbench.measure import stamps
from simbench.measure import telemetry as t
from simbench.receive import live, pipeline, result
from simbench.receive.offline import open_source
from simbench.receive.receiver import FLOWS, Receiver, book_channels
from simbench.receive.worker import Worker
from simbench.replay import control as c
from simbench.replay import gating
from simbench.wire import ring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from small_feeds import Frame

PATIENCE_S = 60.0
ROWS = 1 << 14
MESSAGES_AT = {ITCH: 20}  # of a payload; elsewhere:
CME_MESSAGES_AT = 12
KNOWN = {"truncated": False, "backward_stamps": 0, "first_ns": "0", "last_ns": "0", "left_out": {}, "notes": []}


class Gated:
    """A context manager around a receiver at work.

    Args:
        path: of the capture.
        protocol: of its only channel.
        sent: frames that the replayer has, in their order; at most ROWS.

    Attributes:
        control: of the replay, paused at the start.
        worker: the receiver's.
        steps: frames that the gate asked for.
        pauses: how often it paused the replay.
    """

    def __init__(self, path: Path, protocol: str, sent: list[Frame]) -> None:
        self._sent = sent
        self._next = self.steps = self.pauses = 0
        self.control = c.Control.create()
        self.control.words[c.PHASE] = c.PAUSED
        self._side = np.zeros(ROWS * stamps.ROW, np.int64)
        self._owned = ExitStack()
        fd = ring.create(1 << 12)
        self._sender = self._owned.enter_context(ring.attach_sender(fd))
        end = self._owned.enter_context(ring.attach_receiver(fd))
        os.close(fd)
        source = open_source(path, protocol=protocol)
        self.telemetry = np.zeros(t.WORDS, np.int64)
        receiver = Receiver(source.feed, first_ns=source.first_ns, batch=1, verify=False)
        # Hardly any room, so that books grow between the messages of a packet too, with the gate armed.
        receiver.state.books = Books.create(book_channels(source.feed), instruments=1, orders=1, levels=1)
        self.worker = Worker(
            receiver,
            end,
            control=self.control.words,
            side=self._side,
            telemetry=self.telemetry,
            driven=True,
            block=True,
            cpu=None,
            trace=0,
            gated=True,
        )

    def __enter__(self) -> Self:
        self.worker.start()
        self.until(lambda: self.control.words[c.RECEIVER_READY] == 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        self._owned.close()
        os.close(self.control.fd)

    def send(self, count: int) -> None:
        """Send the next frames."""
        for serial in range(self._next, min(self._next + count, len(self._sent))):
            frame = self._sent[serial]
            now = time.monotonic_ns()
            row = self._side[serial * stamps.ROW :]
            row[stamps.RECORDED], row[stamps.DUE], row[stamps.SENT] = frame.stamp, now, now
            row[stamps.SERIAL] = serial + 1
            data = np.frombuffer(frame.data, np.uint8)
            assert self._sender.prepare(self._sender.words, self._sender.memory, data, 0, len(data), serial) == 1
            self.control.words[c.SENT] += 1
            self._sender.commit(self._sender.words, 1)
            self._next += 1

    def obey(self) -> None:
        """Do what a replayer does with the commands that the gate gives."""
        words = self.control.words
        while words[c.HEAD] < words[c.TAIL]:
            slot = c.QUEUE + int(words[c.HEAD]) % c.SLOTS * c.SLOT
            if words[slot + 1] == c.STEP:
                self.steps += 1
                self.send(1)
            elif words[slot + 1] == c.PAUSE:
                self.pauses += 1
                words[c.PHASE] = c.PAUSED
            words[c.HEAD] += 1

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, and do meanwhile what the replayer is told."""
        over = time.monotonic() + PATIENCE_S
        never = threading.Event()
        while not condition():
            self.obey()
            assert self.worker.failure is None, self.worker.failure
            assert time.monotonic() < over
            never.wait(0.000_2)

    def ask(self, way: int, count: int = 0) -> None:
        """Ask something of the gate, and wait until that is done."""
        assert self.control.gate(way, count)
        word = int(self.control.words[c.GATE])
        seen = self.worker.live
        wanted = gating.IS_OPEN if way == gating.OPEN else gating.SHUT
        self.until(lambda: seen[live.gate.SEEN] == word and self.control.gate_stands == wanted)

    def drain(self) -> None:
        """Wait until everything that was sent is done with."""
        self.until(lambda: self.control.words[c.CONSUMED] == self._next)

    def found(self) -> dict[str, Any]:
        """Return what the receiver has now, in the shape of `book --json`."""
        return result.build(self.worker.receiver, {**KNOWN, "frames": 0})

    def digests(self) -> list[tuple[str, str]]:
        """Return both digests of every channel, as the books are now."""
        return digests(self.found())


def line_a(path: Path, protocol: str) -> list[Frame]:
    """Return the frames of a capture's first line."""
    every = frames(path, protocol)
    first = every[0].port
    return [frame for frame in every if frame.port == first]


def split(sent: list[Frame], protocol: str) -> list[Frame]:
    """Return the same messages, a datagram each, numbered from 1 on: what comes without any gate or stop."""
    found = []
    sequence = 1
    for frame in sent:
        at = frame.payload + MESSAGES_AT.get(protocol, CME_MESSAGES_AT)
        while at < len(frame.data):
            big = protocol == ITCH
            size = int.from_bytes(frame.data[at : at + 2], "big" if big else "little") + 2 * big
            if size == 0:
                break
            data = frame.data[: frame.payload + MESSAGES_AT.get(protocol, CME_MESSAGES_AT)] + frame.data[at : at + size]
            if big:
                head = sequence.to_bytes(8, "big") + b"\0\1"
                data[frame.payload + 10 : frame.payload + 20] = head
            else:
                data[frame.payload : frame.payload + 4] = sequence.to_bytes(4, "little")
            data[16:18] = (len(data) - 14).to_bytes(2, "big")
            data[38:40] = (len(data) - 34).to_bytes(2, "big")
            data[40:42] = b"\0\0"
            one = type(frame)(frame.stamp, bytes(data), frame.payload, frame.port, protocol)
            found.append(one)
            sequence += 1
            at += size
    return found


def one_by_one(path: Path, protocol: str) -> list[list[tuple[str, str]]]:
    """Return the digests after each datagram of a capture that had something for the books."""
    source = open_source(path, protocol=protocol)
    receiver = Receiver(source.feed, first_ns=source.first_ns, batch=1, verify=False)
    dissector = Dissector(capacity=FLOWS)
    found = []
    for block in open_capture(path).blocks():
        dissector.dissect(block)
        for i in range(len(block.frames)):
            before = receiver.counter(pipeline.EVENTS_APPLIED)
            receiver.take(block.data, block.frames[i : i + 1], dissector.flows)
            if receiver.counter(pipeline.EVENTS_APPLIED) > before:
                found.append(digests(result.build(receiver, {**KNOWN, "frames": 0})))
    return found
