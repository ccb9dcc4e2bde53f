"""The same exchange and network, with a server that answers rightly, in part, differently, late, or not at all."""

from dataclasses import replace

from feed_driver import Packet, Request, Settings
from feed_exchange import STEPS, WAIT, Damaged, Exchange
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from simbench.feed import layout as at
from simbench.feed.reference_requests import AskingReference

TIMEOUT = 3 * WAIT


class Asking(Exchange):
    """An exchange with a retransmission server, and a network to and from it."""

    config = Settings(
        wait_ns=WAIT, count=6, distance=60, slots=12, recover="retransmit", request_ns=TIMEOUT, attempts=2
    )
    reference_of = AskingReference

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[Request] = []
        self.answered: list[Packet] = []
        self.times: dict[tuple[int, int], int] = {}  # sent time of each (session, unit)

    @rule()
    def ask(self) -> None:
        """Send what is wanted; both want the same, in the same order, at the same attempt."""
        requests = self.driver.requests(self.now)
        assert [(r.first, r.units, r.attempt) for r in requests] == self.reference.requests(self.now)
        self.pending += requests

    @rule()
    def wait_and_ask(self) -> None:
        """Let the wait for the other line pass, and ask."""
        self.wait(WAIT)
        self.ask()

    @rule()
    def time_out(self) -> None:
        """Let requests go without an answer, and ask again."""
        self.pending.clear()
        self.wait(TIMEOUT)
        self.ask()

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 5), data=st.data())
    def answer(self, which: int, data: st.DataObject) -> None:
        """Answer a request: all of it, what fits, or some of it; in one packet."""
        request = self.pending.pop(which % len(self.pending))
        skip = data.draw(st.integers(0, request.units - 1) if data.draw(st.booleans()) else st.just(0))
        units = data.draw(st.just(request.units - skip) | st.integers(1, request.units - skip))
        self.bring(self.packet(request.session, request.first + skip, units))

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 5), size=st.integers(1, 4))
    def answer_in_pieces(self, which: int, size: int) -> None:
        """Answer a request whole, in several packets, the last first."""
        request = self.pending.pop(which % len(self.pending))
        for skip in reversed(range(0, request.units, size)):
            self.bring(self.packet(request.session, request.first + skip, min(size, request.units - skip)))

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 5))
    def refuse(self, which: int) -> None:
        """Leave a request without an answer."""
        self.pending.pop(which % len(self.pending))

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 5), broken=st.integers(0, 5))
    def answer_broken(self, which: int, broken: int) -> None:
        """Answer a request with what cannot be decoded to its end."""
        request = self.pending.pop(which % len(self.pending))
        packet = self.packet(request.session, request.first, request.units)
        at_unit = min(broken, packet.units - 1)
        self.bring(packet._replace(digest=hash((packet.digest, at_unit)), broken=at_unit))

    @precondition(lambda self: self.answered)
    @rule(which=st.integers(0, 9), damaged=st.booleans())
    def answer_again(self, which: int, damaged: bool) -> None:
        """Bring an answer once more, however late, perhaps with other bytes."""
        packet = self.answered[which % len(self.answered)]
        self.bring(packet._replace(digest=9) if damaged else packet)

    @rule(back=st.integers(-4, 12), units=st.integers(0, 3))
    def answer_nobody(self, back: int, units: int) -> None:
        """Bring units that somebody else asked for, or nobody."""
        if self.following - back > 0:
            self.bring(self.packet(self.session, self.following - back, units))

    @invariant()
    def answers_are_counted_as_the_reference_has_it(self) -> None:
        """Requests, and what became of each answer."""
        counts = self.driver.sequencer.answers(0)
        assert {name: count for name, count in counts.items() if count} == {
            name: count for name, count in self.reference.answers.items() if count
        }

    def packet(self, session: int, first: int, units: int) -> Packet:
        """Return what the server has under a sequence: the same as the lines sent."""
        return Packet(first, units, session, self.times.get((session, first), 0), hash((session, first, units)))

    def bring(self, packet: Packet) -> None:
        """Give one answer to both."""
        self.driver.answer(
            packet.first, packet.units, now=self.now, session=packet.session, sent=packet.sent, digest=packet.digest,
            broken=packet.broken,
        )  # fmt: skip
        self.reference.answer(packet, self.now)
        self.answered.append(packet)

    def note_sent(self, first: int, total: int) -> None:
        """Note when what is sent now was sent."""
        for unit in range(first, first + total):
            self.times[self.session, unit] = self.sent + unit - first


class DamagedAsking(Damaged):
    """Any packet from the lines, and any answer: to what was asked, or to nothing at all."""

    config = replace(Damaged.config, recover="retransmit", request_ns=TIMEOUT, attempts=2)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    @rule()
    def ask(self) -> None:
        """Send what is wanted."""
        self.asked += self.driver.requests(self.now)

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 9), skip=st.integers(-2, 2), units=st.integers(0, 6), sent=st.sampled_from([0, 0, 6]))
    def answer(self, which: int, skip: int, units: int, sent: int) -> None:
        """Answer one of the requests, more or less."""
        request = self.asked[which % len(self.asked)]
        first = max(0, request.first + skip)
        self.driver.answer(first, units, now=self.now, session=request.session, sent=sent)

    @rule(
        first=st.integers(0, 60) | st.sampled_from([1000, 1 << 59]),
        units=st.integers(0, 5),
        session=st.integers(0, 2),
    )
    def answer_anything(self, first: int, units: int, session: int) -> None:
        """Bring an answer that may be damage."""
        self.driver.answer(first, units, now=self.now, session=session)

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        """However much is open, the slab is what it was made for."""
        assert self.driver.sequencer.memory[at.SLOT + at.T_USED] <= self.config.slots


TestAsking = Asking.TestCase
TestAsking.settings = STEPS

TestDamagedAsking = DamagedAsking.TestCase
TestDamagedAsking.settings = STEPS
