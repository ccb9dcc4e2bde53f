"""Requests and their answers once more, for tests: what the naive reference does where a channel has a server."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from simbench.feed.layout import RETRANSMITTED
from simbench.feed.reference import Hole, Packet, Reference

if TYPE_CHECKING:
    from simbench.feed.state import Settings


class AskingReference(Reference):
    """A stream of so many lines, and a server.

    Args:
        lines: how many.
        settings: as the sequencer's, with recovery by retransmission.
    """

    def __init__(self, lines: int, settings: Settings) -> None:
        super().__init__(lines, settings)
        self.answers: Counter[str] = Counter()

    def requests(self, now: int) -> list[tuple[int, int, int]]:
        """Return (first, units, attempt) of what is to be asked for now."""
        asked = []
        for hole in self._holes:
            if hole.state == "wanted":
                hole.state, hole.deadline = "asked", now + self.settings.request_ns
                hole.tries += 1
                hole.requests += 1
                asked.append((hole.units[0], len(hole.units), hole.tries))
        self.answers["requests"] += len(asked)
        return asked

    def answer(self, packet: Packet, now: int) -> None:
        """Take one packet that a server sent."""
        self.tick(now)
        self.answers["answers"] += 1
        what = self._judge(packet)
        if what != "good":
            self.answers[what] += 1
            return
        units = set(range(packet.first, packet.first + packet.units))
        self.answers["repaired_units"] += len(self._missing() & units)
        self._fill(units, RETRANSMITTED)
        self._top = max(self._top, packet.first + packet.units)
        self._digests[packet.first] = packet.units, packet.digest
        self._take(packet, RETRANSMITTED)
        self._limit_waits()
        self._break_off()
        self._move_on()
        self._limit_waits()

    def _judge(self, packet: Packet) -> str:
        """Return the counter of an answer that is of no use; "good" for one that is."""
        units = set(range(packet.first, packet.first + packet.units))
        if not self.epochs:
            return "unasked_answers"
        current = len(self.epochs) - 1
        if packet.session != self.epoch.session or (current > 0 and 0 < packet.sent <= self._before):
            former = [number for number in range(current) if self.epochs[number].session == packet.session]
            if former:
                self._note_late(former[-1], packet)
            return "late_answers"
        if not units & {unit for hole in self._holes if hole.requests for unit in hole.units}:
            if self._note_late(current, packet):
                return "late_answers"
            if not units or units & self._missing() or max(units) >= self._top:
                return "unasked_answers"
            return "conflicting_answers" if self._conflicts(packet) else "repeated_answers"
        crowded = packet.first > self._expected and len(self._held) >= self.settings.room
        return "crowded_answers" if crowded else "good"

    def offer(self, number: int, packet: Packet, now: int) -> None:
        """Take one packet of a line."""
        super().offer(number, packet, now)
        self._limit_waits()

    def tick(self, now: int) -> None:
        """Let time pass."""
        super().tick(now)
        self._limit_waits()

    def _end_waits(self, now: int) -> None:
        for hole in self._waiting():
            if now < hole.detected + self.settings.wait_ns:
                break
            hole.state = "wanted"
        for hole in self._holes:
            if hole.state == "asked" and now >= hole.deadline:
                hole.state = "spent" if hole.tries >= self.settings.attempts else "wanted"
        while self._holes and self._holes[0].state == "spent":
            self._give_up("unanswered")

    def _limit(self) -> None:
        if self._joining:
            super()._limit()

    def _limit_waits(self) -> None:
        if self._joining:
            return
        ready = any(packet.first <= self._expected for packet, _ in self._held)
        for hole in self._waiting():
            if self._top - hole.units[0] > self.settings.distance:
                hole.state = "wanted"
        first_waits = self._holes and self._holes[0].state == "waiting"
        if first_waits and len(self._held) > self.settings.count and not ready:
            self._holes[0].state = "wanted"

    def _waiting(self) -> list[Hole]:
        return [hole for hole in self._holes if hole.state == "waiting"]

    def _outcome(self, hole: Hole, number: int) -> str:
        return "retransmission" if number == RETRANSMITTED else super()._outcome(hole, number)

    def _rest(self, hole: Hole, number: int) -> Hole:
        if number == RETRANSMITTED and hole.requests:
            return replace(hole, state="wanted", tries=0)
        return hole
