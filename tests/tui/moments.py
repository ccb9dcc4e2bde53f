"""Fixed snapshots of an invented run, and a source and a control that record what is asked of them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from simbench.measure.background import HostLine, Strip
from simbench.measure.snapshot import (
    BookView,
    ChannelView,
    GapView,
    GateView,
    InstrumentRow,
    LagView,
    LevelView,
    LineView,
    LogLine,
    PartView,
    Phase,
    ProcessView,
    RunInfo,
    SenderView,
    Snapshot,
    Stage,
    Tick,
    TradeView,
    WorstView,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_NS = 1_478_961_025_968_272_358
SECOND = 1_000_000_000
TICK = 250_000_000  # a quarter at exponent -9
NAMES = ("ESZ6", "NQZ6", "CLF7")

RUN = RunInfo(
    capture="captures/announcement.pcapng",
    wire="veth",
    stack="xdp",
    wait="spin",
    speed="1",
    frames=10_000,
    first_ns=FIRST_NS,
    last_ns=FIRST_NS + 120 * SECOND,
    lines=("A", "B"),
    strip=Strip(
        first_ns=FIRST_NS,
        width_ns=SECOND // 2,
        counts=tuple(40 + 25 * (k % 7) + (900 if k in {9, 118, 119, 190} else 0) + 11 * (k % 13) for k in range(240)),
        bursts=tuple(FIRST_NS + k * SECOND // 2 for k in (9, 118, 190)),
    ),
    host=(
        HostLine("kernel", "good", "Linux 6.1.0", ""),
        HostLine("isolated cores", "change", "of 0,1 isolated: none", "kernel command line: isolcpus=0,1"),
        HostLine("turbo", "note", "on", "speed follows temperature: switch it off to compare runs"),
        HostLine("swap", "good", "none", ""),
    ),
)


def book(index: int = 0, **changes: Any) -> BookView:
    """A dozen levels a side around 1025.50, one of them unknown, two implied."""
    sizes = (38, 4, 14, 75, 104, 21, 9, 62, 180, 33, 5, 41)
    bids = [LevelView(4102 * TICK - k * TICK, size, 1 + size // 15) for k, size in enumerate(sizes)]
    asks = [LevelView(4104 * TICK + k * TICK, size + 3, -1) for k, size in enumerate(reversed(sizes))]
    bids[4] = LevelView(0, 0, -1, known=False)
    view = BookView(
        index=index,
        channel="340",
        key=str(411_873 + index),
        symbol=NAMES[index % len(NAMES)],
        price_exponent=-9,
        quantity_exponent=0,
        state="current",
        bids=tuple(bids),
        asks=tuple(asks),
        implied_bids=(LevelView(4103 * TICK, 5, -1), LevelView(4102 * TICK, 20, -1)),
        trades=(
            TradeView(4103 * TICK, 8, "sell", FIRST_NS + 50_000_000),
            TradeView(4104 * TICK, 12, "buy", FIRST_NS + 40_000_000),
            TradeView(4103 * TICK, 1, "", FIRST_NS + 10_000_000),
        ),
        updates=6_159,
    )
    return replace(view, **changes)


def stage(name: str, title: str, middle: int) -> Stage:
    """A stage with a body around `middle` and a thin tail."""
    counts = (2, 9, 40, 160, 420, 700, 610, 330, 150, 60, 22, 9, 5, 3, 2, 1)
    buckets = tuple((int(middle * 1.25 ** (k - 5)), count) for k, count in enumerate(counts))
    return Stage(name, title, sum(counts), middle, middle * 2, middle * 3, middle * 5, buckets[-1][0], buckets)


def lag(name: str, middle: int, count: int) -> LagView:
    """A line that is second by about `middle`; a line that never was where it is nought."""
    counts = (1, 4, 11, 30, 52, 47, 29, 14, 6, 2, 1) if middle else ()
    buckets = tuple((int(middle * 1.4 ** (k - 4)), each * count // 197 + 1) for k, each in enumerate(counts))
    return LagView("340", name, count, middle, middle * 5, middle * 7, buckets)


def worst(k: int) -> WorstView:
    """One of five frames; the core was away before the second one."""
    kinds = (("32", 4 + k), ("42", 1))
    return WorstView(
        stage="hook_book",
        ns=84_000 - 13_100 * k,
        before_ns=80_000 - 13_000 * k,
        handling_ns=4_000 - 100 * k,
        away_ns=61_000 if k == 1 else 0,
        recorded_ns=FIRST_NS + 7 * k * SECOND,
        channel="340",
        line="AB"[k % 2],
        sequence=6_100 + k,
        size=412 + 8 * k,
        messages=5 + k,
        kinds=kinds,
    )


def tick(k: int) -> Tick:
    """A half second of which every tenth lost a part of the core, and two have a gap."""
    stages = dict.fromkeys(("due_send", "app_book"), (700, 800 + 13 * (k % 7), 2600 + 900 * (k % 11), 9000))
    return Tick(
        recorded_ns=FIRST_NS + k * SECOND // 2,
        span_ns=SECOND // 2,
        stages=MappingProxyType(stages),
        hiccups=int(k % 10 == 0),
        away_ns=400_000 * (k % 30 // 10) if k % 10 == 0 else 0,
        gaps=int(k in {18, 60}),
    )


def moment(**changes: Any) -> Snapshot:
    """A moment of a run that goes well but for one lost gap and a few drops."""
    snapshot = Snapshot(
        phase=Phase.RUNNING,
        reason="",
        run=RUN,
        taken_ns=50 * SECOND,
        elapsed_ns=42 * SECOND,
        position_ns=FIRST_NS + 42 * SECOND,
        cursor=3_517,
        speed_asked=1.0,
        speed_achieved=0.998,
        lateness_p50_ns=812,
        lateness_p99_ns=3_210,
        rates=MappingProxyType(
            {"frames": 10_432.0, "datagrams": 10_230.0, "messages": 11_253.0, "events": 14_322.0, "bytes": 2_168_760.0}
        ),
        counters=MappingProxyType({"receive.frames": 3_517, "receive.datagrams": 3_510, "capture.arp": 0}),
        drops=MappingProxyType({"ring full": 0, "socket overflow": 128}),
        anomalies=MappingProxyType({"unknown_order": 0, "unknown_level": 2, "crossed": 0}),
        hiccups=(12, 84_000, 0.0013),
        stages=(
            stage("due_send", "due to send", 900),
            stage("send_hook", "send to hook", 640),
            stage("hook_app", "hook to application", 1_240),
            stage("app_book", "application to book", 310),
        ),
        lines=(
            LineView("340", "A", "224.0.31.64:14340", "up", 1_758, 1_090, 668, 0, 0, 7_373, 535_000, 5_120.0),
            LineView("340", "B", "224.0.32.64:15340", "stale", 1_752, 662, 1_090, 3, 6, 7_367, 17_900_000, 0.0),
            LineView("341", "A", "224.0.31.65:14341", "never", 0, 0, 0, 0, 0, 0, -1, 0.0),
        ),
        gaps=(
            GapView("340", 0, 7_374, 7_376, "open", FIRST_NS + 42 * SECOND, 862_000, 3, 1),
            GapView("340", 0, 6_101, 6_105, "lost", FIRST_NS + 30 * SECOND, 8_140_000, 5, 2),
            GapView("340", 0, 5_902, 5_902, "other line", FIRST_NS + 9 * SECOND, 293_000, 1),
        ),
        gaps_total=3,
        gaps_lost=1,
        book=book(),
        instruments=tuple(InstrumentRow(i, "340", str(411_873 + i), NAMES[i], 6_159 - 900 * i) for i in range(3)),
        states=MappingProxyType({"current": 82, "stale": 2}),
        log=(
            LogLine(FIRST_NS + 30 * SECOND, "warning", "gap 6101-6105 of 340 given up after 8.14 ms"),
            LogLine(FIRST_NS + 41 * SECOND, "info", "line B of 340 silent"),
        ),
        channels=(ChannelView("340", "retransmitting", 3, 7), ChannelView("341", "joining", 0, 0)),
        budget=(
            PartView("due_send", "due to send", 1_020.0, 0.31),
            PartView("send_hook", "send to driver hook", 690.0, 0.21),
            PartView("hook_app", "driver hook to application", 1_310.0, 0.4),
            PartView("app_book", "application to book", 262.0, 0.08),
        ),
        ticks=tuple(tick(k) for k in range(84)),
        lags=(lag("A", 640, 668), lag("B", 3_300, 1_090), replace(lag("A", 0, 0), channel="341")),
        worst=tuple(worst(k) for k in range(5)),
        sender=SenderView(3_517, 731_536, 3_509, 0, 0, 3_102, 17, 2_988, 61_000, 0, 0, 1),
        processes=(
            ProcessView("replayer", 4_101, 0.42),
            ProcessView("receiver", 4_100, 0.998),
            ProcessView("terminal", 4_099, 0.031),
        ),
        cores=MappingProxyType({0: 0.47, 1: 1.0}),
        gate=GateView("open"),
        rate_history=tuple(float(2_000 + 700 * (k % 9) + (40_000 if k == 50 else 0)) for k in range(80)),
    )
    return replace(snapshot, **changes)


class FixedSource:
    """Gives the moment it was given, with the book of the instrument that is asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.now = snapshot
        self.asked: list[int | None] = []
        self.beside: list[tuple[int, ...]] = []
        self.levels: list[tuple[str, int] | None] = []

    def snapshot(
        self, instrument_index: int | None, others: Sequence[int] = (), level: tuple[str, int] | None = None
    ) -> Snapshot:
        """The fixed moment, with the others' books where they are asked for."""
        self.asked.append(instrument_index)
        self.beside.append(tuple(others))
        self.levels.append(level)
        if instrument_index is None or self.now.book is None:
            return self.now
        found = replace(self.now.book, index=instrument_index, symbol=NAMES[instrument_index % 3])
        return replace(self.now, book=found, others=tuple(book(index) for index in others))


class RecordingControl:
    """Records the calls; answers as a queue with room, or as a full one."""

    def __init__(self, *, full: bool = False) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.keywords: list[dict[str, object]] = []  # of those that had any
        self._full = full

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: object, **keywords: object) -> int:
            self.calls.append((name, *arguments))
            self.keywords += [keywords] if keywords else []
            return 0 if self._full else len(self.calls)

        return call


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.ns = 100 * SECOND

    def __call__(self) -> int:
        """The time it was told."""
        return self.ns
