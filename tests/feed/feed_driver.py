"""Drives a sequencer as the pipeline does, and keeps what comes out."""

from __future__ import annotations

import numpy as np

from simbench.feed import layout as at
from simbench.feed.reference import Packet
from simbench.feed.sequencer import (
    DELIVER,
    DRAIN,
    IN_ORDINAL,
    NEED_ROOM,
    NIL,
    OUT_END,
    OUT_FIRST,
    OUT_LINE,
    OUT_MORE,
    OUT_SKIP,
    OUT_START,
    OUT_STREAM,
    OUT_UNITS,
    VERDICTS,
    Request,
    Sequencer,
    Settings,
    malformed,
    next_request,
    note_messages,
    offer,
    offer_retransmitted,
    release,
    unwrap,
)
from simbench.feed.wrap import on_wire
from simbench.protocol.contract import END_OF_SESSION, HEADER, HEARTBEAT, SEQUENCE_RESET, UNSEQUENCED

__all__ = ["END_OF_SESSION", "HEARTBEAT", "SEQUENCE_RESET", "UNSEQUENCED", "Driver", "Packet", "Settings"]

START = 5  # of the messages in a datagram


class Driver:
    """One sequencer; a packet's messages are its units' numbers, a byte each.

    Args:
        lines: of the only channel.
        settings: of the sequencer.
        wrap: the highest sequence; 0 where they do not wrap.
        checked: assert every invariant after every step.
    """

    def __init__(
        self, lines: int = 2, settings: Settings | None = None, *, wrap: int = 0, checked: bool = True
    ) -> None:
        self.sequencer = Sequencer.create([lines], settings, wraps=[wrap])
        self.out: list[tuple[int, int]] = []  # (epoch, unit) as delivered
        self.grown = 0
        self._lines = lines
        self._checked = checked
        self._now = 0
        self._header = np.zeros(1, HEADER)

    def join(self, first: int, *, channel: int = 0, stream: int = 0, sent: int = 0, lines: int = 0) -> None:
        """Let the lines, or the first so many, bring `first` so early that at 0 the stream has started with it."""
        for line in range(lines or self._lines):
            self.offer(
                line, first, now=-int(self.sequencer.memory[at.WAIT_NS]), channel=channel, stream=stream, sent=sent
            )
        self.tick(0)

    def offer(
        self, line: int, first: int, units: int = 1, *, now: int = 0, channel: int = 0, stream: int = 0, flags: int = 0,
        session: int = 0, sent: int = 0, digest: int | None = None, size: int | None = None, ordinal: int = 0,
        broken: int | None = None,
    ) -> str:  # fmt: skip
        """Offer one packet, grow and drain as asked, and return the verdict in words."""
        return self._offer(
            line, (stream, session, first, units, flags, sent), size or units, channel, digest, now, ordinal, broken
        )

    def answer(
        self, first: int, units: int = 1, *, now: int = 0, channel: int = 0, stream: int = 0, session: int = 0,
        sent: int = 0, digest: int | None = None, broken: int | None = None,
    ) -> str:  # fmt: skip
        """Offer one packet as a retransmission server sends it, and return the verdict in words."""
        return self._offer(None, (stream, session, first, units, 0, sent), units, channel, digest, now, 0, broken)

    def requests(self, now: int) -> list[Request]:
        """Return what is to be asked for now."""
        found = []
        while next_request(self.sequencer.memory, now):
            found.append(self.sequencer.request())
            assert len(found) <= at.WINDOW, "it is asked without an end"
        self.check()
        return found

    def asked(self, now: int) -> list[tuple[int, int, int]]:
        """Return (first, units, attempt) of what is to be asked for now."""
        return [(request.first, request.units, request.attempt) for request in self.requests(now)]

    def _offer(
        self, line: int | None, header: tuple[int, ...], size: int, channel: int, digest: int | None, now: int,
        ordinal: int, broken: int | None = None,
    ) -> str:  # fmt: skip
        first, units = header[2:4]
        self._now = now
        size += broken is not None
        data = np.zeros(START + max(size, 1), np.uint8)
        self._header[0] = (*header, START, START + size)
        unwrap(self.sequencer.memory, channel, self._header)
        for unit in range(min(units, size)):
            data[START + unit] = self._on_wire(channel, int(self._header[0]["first"]) + unit) & 0xFF
        if broken is not None:
            data[START + size - 1] = 1 + broken
        own = hash((first, units)) if digest is None else digest
        while True:
            memory, slab = self.sequencer.memory, self.sequencer.slab
            memory[IN_ORDINAL] = ordinal
            if line is None:
                verdict = int(offer_retransmitted(memory, slab, channel, self._header, data, own, now))
            else:
                verdict = int(offer(memory, slab, channel, line, self._header, data, own, now))
            data[:START] = 0
            if verdict == NEED_ROOM:
                self.grow()
            elif verdict == DRAIN:
                self.drain(int(memory[OUT_STREAM]))
            else:
                break
        if verdict == DELIVER:
            self._deliver(data[START : START + size], int(self._header[0]["first"]), units, line)
        data[:] = 0xEE
        memory = self.sequencer.memory
        if memory[OUT_MORE]:
            self.drain(int(memory[OUT_STREAM]))
        self.check()
        return VERDICTS[verdict]

    def grow(self) -> None:
        """Give the sequencer what it asked for."""
        self.sequencer.grow()
        self.grown += 1

    def drain(self, stream: int = 0) -> None:
        """Release what can go on."""
        while release(self.sequencer.memory, stream) != NIL:
            memory = self.sequencer.memory
            assert memory[OUT_STREAM] == stream
            first, units = int(memory[OUT_FIRST]), int(memory[OUT_UNITS])
            assert memory[OUT_END] - memory[OUT_START] >= units
            held = self.sequencer.slab[int(memory[OUT_START]) : int(memory[OUT_END])]
            self._deliver(held, first, units, int(memory[OUT_LINE]))

    def tick(self, now: int) -> int:
        """Let time pass and release; return how many streams had something."""
        self._now = now
        ready = self.sequencer.tick(now)
        self.drain_all()
        return ready

    def finish(self, now: int = 0) -> None:
        """End the data."""
        self._now = now
        while self.sequencer.finish(now):
            self.drain_all()
        self.check()

    def drain_all(self) -> None:
        """Release what can go on, in every stream."""
        while (stream := self.sequencer.due_stream()) != NIL:
            self.drain(stream)
        self.check()

    def check(self) -> None:
        """Assert every invariant."""
        if self._checked:
            self.sequencer.check()

    def lost(self) -> list[tuple[int, int]]:
        """Return (first, last) of the gaps that are lost."""
        return [(gap["first"], gap["last"]) for gap in self.sequencer.gaps(0) if gap["outcome"] == "lost"]

    def line(self, number: int) -> dict[str, object]:
        """Return what a line brought."""
        return self.sequencer.lines(0)[number]

    def units(self) -> list[int]:
        """Return the units delivered."""
        return [unit for _, unit in self.out]

    def _deliver(self, data: np.ndarray, first: int, units: int, line: int | None) -> None:
        """Take what is delivered; a byte behind the units says from which one on they cannot be decoded."""
        memory = self.sequencer.memory
        broken = int(data[-1]) - 1 if len(data) > units and data[-1] else units
        skip = int(memory[OUT_SKIP])
        stream = int(memory[at.STREAM + at.T_BASE]) + int(memory[OUT_STREAM]) * int(memory[at.STREAM_SIZE])
        row = int(memory[at.EPOCH + at.T_BASE]) + int(memory[stream + at.S_EPOCH]) * at.EPOCH_WORDS
        channel = int(memory[stream + at.S_CHANNEL])
        for unit in range(skip, max(skip, broken)):
            sequence = self._on_wire(channel, first + unit)
            assert data[unit] == sequence & 0xFF, "the messages are not those that were offered"
            self.out.append((int(memory[row + at.E_NUMBER]), sequence))
        if memory[at.OUT_RECORD] != NIL:
            note_messages(memory, max(skip, broken) - skip)
        if broken < units:
            where = int(memory[OUT_STREAM]), first + max(skip, broken), first + units - 1
            number = at.RETRANSMITTED if line is None else line
            while malformed(self.sequencer.memory, *where, number, self._now) == NEED_ROOM:
                self.grow()

    def _on_wire(self, channel: int, sequence: int) -> int:
        return int(on_wire(self.sequencer.memory, channel, sequence))
