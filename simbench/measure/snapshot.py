"""One moment of a run, frozen: all that the terminal, the progress line and JSON show comes from here.

Built by a reader of the telemetry at its own pace; nothing in it changes afterwards, and nothing in it refers to
shared memory. Times are int64 nanoseconds: `recorded` ones since 1970 on the capture's clock, durations plain.
Prices and quantities are integers at the exponents that stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simbench.measure.background import FaultSpan, HostLine, QueueLine, Strip


class Phase(Enum):
    """What a run is doing."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was asked for, fixed for the whole run.

    Attributes:
        capture: name of the capture as the user gave it.
        wire: "ring", "veth", "tap" or "nic:NAME".
        stack: "xdp", "udp" or "" on the ring.
        wait: "spin" or "block".
        speed: "1", "10", "max", "flood" as asked.
        frames: that will be sent, one loop; 0 where the receiver is alone.
        first_ns: recorded stamp of the first frame.
        last_ns: of the last.
        strip: how the capture's frames lie in recorded time; None where the receiver is alone.
        host: what the doctor says of how the host is set up; empty where it was not asked.
        queues: of the wire, where there are several.
        lines: names of the lines that faults can be switched on for.
        faults: of a script, those that have a time.
    """

    capture: str
    wire: str
    stack: str
    wait: str
    speed: str
    frames: int
    first_ns: int
    last_ns: int
    strip: Strip | None = None
    host: tuple[HostLine, ...] = ()
    queues: tuple[QueueLine, ...] = ()
    lines: tuple[str, ...] = ()
    faults: tuple[FaultSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Latency of one stage, from a log-linear histogram whose relative error is below 1 %.

    Attributes:
        name: of STAGES in measure/telemetry.py: "due_send", "send_hook", "hook_app", ...
        title: in words: "wire to application".
        count: values.
        p50, p90, p99, p999, highest: nanoseconds.
        buckets: (upper edge in ns, count) of the non-empty buckets, merged to at most 64 over the range.
    """

    name: str
    title: str
    count: int
    p50: int
    p90: int
    p99: int
    p999: int
    highest: int
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of one channel since the start.

    Attributes:
        state: "up", "stale" (silent for longer than it should be), "down" (for much longer), or "never" (nothing seen
            yet).
        missing: sequence units that this line did not carry.
        last_sequence: the highest seen.
        age_ns: replay time since its last datagram; -1 never.
        rate: datagrams a second over the last interval.
    """

    channel: str
    name: str
    group: str
    state: str
    datagrams: int
    won: int
    duplicates: int
    late: int
    missing: int
    last_sequence: int
    age_ns: int
    rate: float


@dataclass(frozen=True, slots=True)
class LagView:
    """How long after the first copy of a packet, which another line brought, a line's own came; see feed/lags.py.

    Attributes:
        count: copies that came second or later.
        p50, p99, highest: replay time, ns.
        buckets: (upper edge in ns, count) of the non-empty buckets, each at most an eighth of its value wide.
    """

    channel: str
    name: str
    count: int
    p50: int
    p99: int
    highest: int
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LoadView:
    """What a queue of the wire has done since the start.

    Attributes:
        frames: that its thread took.
        rate: of them a second over the last interval.
        p50, p99: of its handler, ns.
        hiccups: of its core.
        drops: frames lost at it.
    """

    number: int
    frames: int
    rate: float
    p50: int
    p99: int
    hiccups: int
    drops: int


@dataclass(frozen=True, slots=True)
class WorstView:
    """One of the frames that took longest.

    Attributes:
        stage: what `ns` is of: "hook_book" (T2 to T4), "send_book" (T1 to T4) where there is no hook.
        before_ns: of that, until the application had it (T3).
        handling_ns: and from then on; the frames of a turn wait for each other.
        away_ns: that the receiving core had not looked at the wire when it took the frame; 0 below a hiccup's length.
        recorded_ns: its stamp in the capture.
        line: its name; "answer" to a request; "" where it is of a flow beside the lines.
        sequence: its first, as on the wire; -1 unknown.
        size: bytes of its datagram.
        kinds: (key, count) of its messages, the most frequent first.
    """

    stage: str
    ns: int
    before_ns: int
    handling_ns: int
    away_ns: int
    recorded_ns: int
    channel: str
    line: str
    sequence: int
    size: int
    messages: int
    kinds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel.

    Attributes:
        state: "joining", "live", "waiting" (for what one line lacks), "retransmitting" (what was asked for),
            "snapshot" (is waited for), "reset" (begins anew) or "ended".
        requests: for retransmission.
        repaired: sequence units that came for them.
    """

    name: str
    state: str
    requests: int
    repaired: int


@dataclass(frozen=True, slots=True)
class GapView:
    """A hole in a channel's sequence: open ones first, then the latest.

    Attributes:
        outcome: "open", "asked" (open, and asked for), "lost", or how it was filled: "other line", "reorder",
            "retransmission".
        open_ns: replay time it was or has been open.
        detected_ns: recorded time.
        units: how many; first may be above last where sequences wrap.
        attempts: how often it was asked for.
    """

    channel: str
    epoch: int
    first: int
    last: int
    outcome: str
    detected_ns: int
    open_ns: int
    units: int
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class LevelView:
    """One level; `known` is false for one that was never sent (joined mid-stream); orders -1 where nobody says."""

    price: int
    quantity: int
    orders: int
    known: bool = True


@dataclass(frozen=True, slots=True)
class TradeView:
    """One trade print; side is "buy", "sell" or "" by the aggressor."""

    price: int
    quantity: int
    side: str
    recorded_ns: int


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order in its queue; priority is what the feed says of its place, 0 where it says nothing."""

    order: int
    quantity: int
    priority: int


@dataclass(frozen=True, slots=True)
class QueueView:
    """The queue of orders at a level, first in the queue first.

    Attributes:
        side: "bid" or "ask".
        orders: in all; -1 where the feed names no single orders there.
        first: the first 32 of them.
    """

    side: str
    price: int
    orders: int
    first: tuple[OrderView, ...]


@dataclass(frozen=True, slots=True)
class BookView:
    """The book of the chosen instrument, best levels first.

    Attributes:
        state: "current", "stale", "unsynchronised", "naturally refreshed", or "empty": nothing of it has come yet.
        since_ns: exchange time at which it ceased to be current; 0 where it is, or never was.
        reason: why, in the words of docs/json.md; "" where it is current.
        queue: of the level that was asked for; None where none was, or the receiver has not answered yet.
    """

    index: int
    channel: str
    key: str
    symbol: str
    price_exponent: int
    quantity_exponent: int
    state: str
    bids: tuple[LevelView, ...]
    asks: tuple[LevelView, ...]
    implied_bids: tuple[LevelView, ...] = ()
    implied_asks: tuple[LevelView, ...] = ()
    trades: tuple[TradeView, ...] = ()
    updates: int = 0
    since_ns: int = 0
    reason: str = ""
    queue: QueueView | None = None


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """One instrument for choosing: dense index, names, and how many events touched it."""

    index: int
    channel: str
    key: str
    symbol: str
    updates: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the event log, by recorded time; level is "info", "warning" or "error"."""

    recorded_ns: int
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class PartView:
    """What a stage adds to the mean of the whole, from when a frame is due to its book; see measure/budget.py.

    Attributes:
        name: of the stage.
        title: in words.
        a_frame: ns.
        share: of the whole.
    """

    name: str
    title: str
    a_frame: float
    share: float


@dataclass(frozen=True, slots=True)
class Tick:
    """What happened in one of the equal intervals of clock time that lie behind a snapshot.

    Attributes:
        recorded_ns: where the replay was at its end, ns since 1970.
        span_ns: its length.
        stages: (count, p50, p99, highest) of the values of a stage within it, ns, by name; stages without any left out.
        hiccups: of the receiving core within it.
        away_ns: that the core lost to them.
        gaps: holes found within it.
    """

    recorded_ns: int
    span_ns: int
    stages: Mapping[str, tuple[int, int, int, int]]
    hiccups: int
    away_ns: int
    gaps: int


@dataclass(frozen=True, slots=True)
class SenderView:
    """How the replayer works; see the words of replay/control.py.

    Attributes:
        sent: frames handed to the wire since the start, all loops.
        bytes: of them.
        consumed: of them, that the receiver has done with.
        dropped: frames that found no room on the wire when they were due.
        given_up: frames that the receiver never gave back, written off.
        batches: of frames handed over at once.
        largest: of them, in frames.
        sleeps: times it slept towards a deadline.
        margin_ns: how long before a deadline it stops sleeping.
        starved_ns: time in which the file was read too slowly.
        loop: laps completed.
        epoch: moves with a loop or a jump.
    """

    sent: int
    bytes: int
    consumed: int
    dropped: int
    given_up: int
    batches: int
    largest: int
    sleeps: int
    margin_ns: int
    starved_ns: int
    loop: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A fault of one line, from when it was switched on while the replay went on until it was off.

    Attributes:
        kind: "dark", "lose", "corrupt" or "delay".
        line: name of the line.
        value: parts per million of the datagrams for "lose" and "corrupt", ns for "delay", 1 for "dark".
        words: it with its value, as a user reads it: "lose 1 %".
        since_ns: recorded stamp of the first frame that it could hit.
        until_ns: of the last; 0 while it is on.
        frames: that it hit.
    """

    kind: str
    line: str
    value: int
    words: str
    since_ns: int
    until_ns: int
    frames: int


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process of the run: its name, its number, and the share of a core that it had lately; -1.0 where it is gone."""

    name: str
    pid: int
    share: float


@dataclass(frozen=True, slots=True)
class GateView:
    """The receiver's gate at one moment; see replay/gating.py.

    Attributes:
        stands: "none" where there is no gate, "open", "armed" or "shut".
        waits_for: what it waits for, or waited for: of gating.WAYS.
        request: of the last one that was made; another number, another request.
        words: how it stands, for a user; "" while it is open.
    """

    stands: str = "none"
    waits_for: str = "open"
    request: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a run.

    Attributes:
        phase: what the run is doing; `reason` says why where it ended or failed.
        taken_ns: CLOCK_MONOTONIC when it was taken.
        elapsed_ns: since the run's first frame.
        position_ns: recorded time of the replay, ns since 1970.
        cursor: frames sent so far in this loop.
        speed_asked: factor; 0.0 for "max" and "flood".
        speed_achieved: recorded time passed over elapsed time.
        lateness_p50_ns, lateness_p99_ns: of the replayer against its schedule.
        rates: per second over the last interval: "frames", "datagrams", "messages", "events", "bytes".
        counters: every named counter since the start, as documented in docs/counters.md.
        drops: by cause.
        anomalies: of the books, by name.
        hiccups: (count, longest ns, share of time lost) of the receiving core.
        rate_history: messages per second, one value an interval of running, oldest first, at most 120.
        instruments: the most active first, at most 200.
        states: how many instruments are in each state, of those that the directory has room for.
        others: books that were asked for beside the chosen one, in that order; those that are not there yet left out.
        budget: where the time goes, from when a frame is due to its book.
        ticks: the last intervals of half a second, oldest first, at most 120.
        sender: how the replayer works; None where the receiver is alone.
        switches: faults that were switched on while the replay went on, in that order; those that are on among them.
        processes: of the run, the one that takes snapshots among them.
        cores: share of its time that each core was busy lately, by number.
        lags: of the lines, in their order.
        worst: the frames that took longest, the longest first, at most 16.
        gate: of the receiver.
        loads: of the queues, by number; none where the wire has one.
    """

    phase: Phase
    reason: str
    run: RunInfo
    taken_ns: int
    elapsed_ns: int
    position_ns: int
    cursor: int
    speed_asked: float
    speed_achieved: float
    lateness_p50_ns: int
    lateness_p99_ns: int
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    drops: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    anomalies: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    hiccups: tuple[int, int, float] = (0, 0, 0.0)
    stages: tuple[Stage, ...] = ()
    channels: tuple[ChannelView, ...] = ()
    lines: tuple[LineView, ...] = ()
    gaps: tuple[GapView, ...] = ()
    gaps_total: int = 0
    gaps_lost: int = 0
    book: BookView | None = None
    instruments: tuple[InstrumentRow, ...] = ()
    states: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    log: tuple[LogLine, ...] = ()
    rate_history: tuple[float, ...] = ()
    others: tuple[BookView, ...] = ()
    budget: tuple[PartView, ...] = ()
    ticks: tuple[Tick, ...] = ()
    sender: SenderView | None = None
    switches: tuple[SwitchView, ...] = ()
    processes: tuple[ProcessView, ...] = ()
    cores: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    lags: tuple[LagView, ...] = ()
    worst: tuple[WorstView, ...] = ()
    gate: GateView = GateView()
    loads: tuple[LoadView, ...] = ()
