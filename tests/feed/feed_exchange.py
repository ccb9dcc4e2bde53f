"""An exchange that sends everything on two lines, a network that does anything to it, and the naive reference beside.

What comes out is the truth without holes unless a gap record covers the hole, and all that can be seen equals what the
reference says.
"""

from collections import Counter, deque

from feed_driver import END_OF_SESSION, HEARTBEAT, SEQUENCE_RESET, Driver, Packet, Settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simbench.feed import layout as at
from simbench.feed.reference import Reference

LINES = 2
WAIT = 100
END = 1  # digest of a heartbeat that ends the session
line_numbers = st.integers(0, LINES - 1)


class Exchange(RuleBasedStateMachine):
    """An exchange that sends everything on two lines, and a network between it and the sequencer."""

    config = Settings(wait_ns=WAIT, count=6, distance=60)
    reference_of = Reference

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(LINES, self.config)
        self.reference = self.reference_of(LINES, self.config)
        self.now = 0
        self.sent = 1
        self.session = 0
        self.following = 1
        self.reset = False
        self.wires: list[deque[Packet]] = [deque() for _ in range(LINES)]

    @initialize(start=st.integers(1, 9))
    def join(self, start: int) -> None:
        """Start listening somewhere in the session."""
        self.following = start

    @rule(cuts=st.tuples(*[st.lists(st.integers(1, 4), min_size=1, max_size=4)] * LINES))
    def send(self, cuts: tuple[list[int], ...]) -> None:
        """Send the same units on both lines, cut into packets differently."""
        total = max(sum(cut) for cut in cuts)
        for wire, cut in zip(self.wires, cuts, strict=True):
            sizes = [*cut, total - sum(cut)] if sum(cut) < total else cut
            first = self.following
            for size in sizes:
                sent = self.sent + first - self.following
                reset = self.reset and first == self.following
                wire.append(Packet(first, size, self.session, sent, hash((self.session, first, size)), reset))
                first += size
        self.note_sent(self.following, total)
        self.reset = False
        self.following += total
        self.sent += total

    def note_sent(self, first: int, total: int) -> None:
        """Hear of units that are being sent."""

    @rule(line=line_numbers)
    def deliver(self, line: int) -> None:
        """Bring the next packet of a line."""
        if self.wires[line]:
            self.take(line, self.wires[line].popleft())

    @rule()
    def deliver_all(self) -> None:
        """Bring all that is under way, line by line."""
        for line, wire in enumerate(self.wires):
            while wire:
                self.take(line, wire.popleft())

    @rule(line=line_numbers)
    def drop(self, line: int) -> None:
        """Lose the next packet of a line; one that announces a restart arrives, since its loss would raise doubts."""
        if self.wires[line] and not self.wires[line][0].reset:
            self.wires[line].popleft()

    @rule(units=st.lists(st.integers(1, 3), min_size=1, max_size=3), to=st.sampled_from([(0,), (1,), (0, 1), (1, 0)]))
    def lose_on_both(self, units: list[int], to: tuple[int, ...]) -> None:
        """Lose some packets on both lines, and bring the one behind them on one or both, and all that was before."""
        if self.reset:
            return
        self.deliver_all()
        self.send((units, units))
        for wire in self.wires:
            wire.clear()
        self.send(([1], [1]))
        for line in to:
            self.deliver(line)

    @rule(line=line_numbers)
    def duplicate(self, line: int) -> None:
        """Bring the next packet of a line and leave it to come again."""
        if self.wires[line]:
            self.take(line, self.wires[line][0])

    @rule(line=line_numbers, by=st.integers(1, 3))
    def reorder(self, line: int, by: int) -> None:
        """Let a packet of a line overtake the one before it, within its session."""
        wire = self.wires[line]
        if len(wire) > by and wire[by].session == wire[0].session and not any(p.reset for p in list(wire)[: by + 1]):
            moved = wire[by]
            del wire[by]
            wire.appendleft(moved)

    @rule(line=line_numbers)
    def damage(self, line: int) -> None:
        """Bring a packet with other bytes under the same sequence."""
        if self.wires[line] and not self.wires[line][0].reset:
            self.take(line, self.wires[line].popleft()._replace(digest=7))

    @rule(line=line_numbers, broken=st.integers(0, 3), otherwise=st.booleans())
    def break_off(self, line: int, broken: int, otherwise: bool) -> None:
        """Bring a packet that cannot be decoded to its end; the other line may bring the same, or another."""
        wire = self.wires[line]
        if wire and not wire[0].reset and broken < wire[0].units:
            packet = wire.popleft()
            digest = hash((packet.digest, broken, otherwise))
            self.take(line, packet._replace(digest=digest, broken=broken))

    @rule(line=line_numbers)
    def heartbeat(self, line: int) -> None:
        """Say the next expected sequence, behind all that the line still has under way."""
        if not self.reset:
            self.wires[line].append(Packet(self.following, 0, self.session, self.sent))

    @rule(line=line_numbers)
    def end_session(self, line: int) -> None:
        """Say the next expected sequence, and that nothing follows it."""
        if not self.reset:
            self.wires[line].append(Packet(self.following, 0, self.session, self.sent, END))

    @rule(by=st.integers(1, 2 * WAIT))
    def wait(self, by: int) -> None:
        """Let time pass."""
        self.now += by
        self.driver.tick(self.now)
        self.reference.tick(self.now)

    @rule(by=st.integers(1, WAIT))
    def wait_unnoticed(self, by: int) -> None:
        """Let time pass without a tick."""
        self.now += by

    @rule()
    def restart(self) -> None:
        """Begin a session anew; the lines notice one after the other, as they come to it."""
        if not self.reset and self.driver.sequencer.epochs(0):
            self.session += 1
            self.following = 1
            self.sent += 1

    @rule()
    def announce_reset(self) -> None:
        """Reset the sequence within the session, by a flag in the next packet."""
        if self.driver.sequencer.epochs(0) and not any(self.wires):
            self.following = 1
            self.sent += 1
            self.reset = True

    def take(self, line: int, packet: Packet) -> None:
        """Give one packet to both."""
        flags = (SEQUENCE_RESET if packet.reset else 0) | (0 if packet.units else HEARTBEAT)
        flags |= END_OF_SESSION if packet.digest == END and not packet.units else 0
        self.driver.offer(
            line, packet.first, packet.units, now=self.now, session=packet.session, sent=packet.sent,
            digest=packet.digest, flags=flags, broken=packet.broken,
        )  # fmt: skip
        self.reference.offer(line, packet, self.now)

    @invariant()
    def nothing_is_stepped_over_silently(self) -> None:
        """Within an epoch units come out in order, and what is left out is a gap record."""
        epochs = self.driver.sequencer.epochs(0)
        lost = {
            (gap["epoch"], unit)
            for gap in self.driver.sequencer.gaps(0)
            if gap["outcome"] == "lost"
            for unit in range(gap["first"], gap["last"] + 1)
        }
        reached = {number: epoch["first"] for number, epoch in enumerate(epochs)}
        for epoch, unit in self.driver.out:
            assert all((epoch, skipped) in lost for skipped in range(reached[epoch], unit))
            assert reached[epoch] <= unit
            reached[epoch] = unit + 1

    @invariant()
    def everything_is_as_the_reference_has_it(self) -> None:
        """Output, how every hole ended, epochs, and per line what it won, repeated, and missed."""
        sequencer, reference = self.driver.sequencer, self.reference
        assert self.driver.out == [(epoch, unit) for epoch, unit, _ in reference.out]
        records = sequencer.records(0)
        units = [((r["epoch"], unit), r) for r in records for unit in range(r["first"], r["last"] + 1)]
        assert {unit: (r["outcome"], r["cause"]) for unit, r in units} == reference.ended
        assert len(units) == reference.endings
        late = Counter({(r["epoch"], r["first"]): r["late_units"] for r in records if r["late_units"]})
        assert late == self.late_by_record(records)
        assert [e["first"] for e in sequencer.epochs(0)] == [epoch.first for epoch in reference.epochs]
        for line, found in enumerate(sequencer.lines(0)):
            expected = reference.lines[line]
            for key in ("won", "duplicates", "late", "conflicts", "before_start", "heartbeats"):
                assert found[key] == getattr(expected, key), key
            missing = [unit for first, last in found["missing"] for unit in range(first, last + 1)]
            assert missing == [unit for _, unit in reference.missing(line)]

    def late_by_record(self, records: list[dict[str, object]]) -> Counter[tuple[int, int]]:
        """Return how many late units the reference has counted, by epoch and first unit of the record they are of."""
        lost = [(r["epoch"], r["first"], r["last"]) for r in records if r["outcome"] == "lost"]
        found: Counter[tuple[int, int]] = Counter()
        for (epoch, unit), count in self.reference.late.items():
            found[next((e, first) for e, first, last in lost if e == epoch and first <= unit <= last)] += count
        return found

    def teardown(self) -> None:
        """End the data, and compare for the last time."""
        self.driver.finish(self.now)
        self.reference.finish()
        self.nothing_is_stepped_over_silently()
        self.everything_is_as_the_reference_has_it()


class Damaged(RuleBasedStateMachine):
    """Any packet at all, from anywhere: sequences, sessions and times that no exchange would send."""

    config = Settings(wait_ns=WAIT, count=4, distance=20, slots=6)

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(LINES, self.config)
        self.now = 0
        self.following = [10] * LINES

    @rule(
        line=line_numbers,
        first=st.integers(0, 60) | st.sampled_from([1000, 1001, 1002, 1 << 59]),
        units=st.integers(0, 5),
        session=st.integers(0, 2),
        sent=st.sampled_from([0, 0, 0, 5, 6, 7]),
        flags=st.sampled_from([0, 0, 0, 0, SEQUENCE_RESET]),
    )
    def bring_anything(self, line: int, first: int, units: int, session: int, sent: int, flags: int) -> None:
        """Bring a packet that may be damage."""
        self.driver.offer(line, first, units, now=self.now, session=session, sent=sent, flags=flags)

    @rule(line=line_numbers, skip=st.integers(0, 2), packets=st.integers(1, 4), session=st.integers(0, 1))
    def go_on(self, line: int, skip: int, packets: int, session: int) -> None:
        """Bring some packets in order."""
        self.following[line] += skip
        for _ in range(packets):
            self.driver.offer(line, self.following[line], now=self.now, session=session)
            self.following[line] += 1

    @rule(line=line_numbers, to=st.sampled_from([1, 10, 500]))
    def move(self, line: int, to: int) -> None:
        """Let a line restart, or jump."""
        self.following[line] = to

    @rule(by=st.integers(1, 2 * WAIT))
    def wait(self, by: int) -> None:
        """Let time pass."""
        self.now += by
        self.driver.tick(self.now)

    @rule()
    def loop(self) -> None:
        """Let the replayer publish a new epoch."""
        self.driver.sequencer.new_epoch(0, self.now)
        self.driver.drain_all()

    @invariant()
    def nothing_is_stepped_over_silently(self) -> None:
        """Every step over a sequence is inside a gap record, and nothing comes twice."""
        reached = {number: epoch["first"] for number, epoch in enumerate(self.driver.sequencer.epochs(0))}
        gaps = [
            (gap["epoch"], gap["first"], gap["last"])
            for gap in self.driver.sequencer.gaps(0)
            if gap["outcome"] == "lost"
        ]
        for epoch, unit in self.driver.out:
            assert reached[epoch] <= unit
            covered = sum(
                max(0, min(last, unit - 1) - max(first, reached[epoch]) + 1) for e, first, last in gaps if e == epoch
            )
            assert covered == unit - reached[epoch]
            reached[epoch] = unit + 1

    def teardown(self) -> None:
        """End the data: nothing stays held."""
        self.driver.finish(self.now)
        self.nothing_is_stepped_over_silently()
        assert all(number == 0 for number in (self.driver.sequencer.memory[[at.SLOT + at.T_USED, at.HOLE + at.T_USED]]))


STEPS = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
