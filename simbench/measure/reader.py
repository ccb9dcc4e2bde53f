"""The reader's side of telemetry: turns shared words into frozen snapshots, at the reader's own pace."""

from __future__ import annotations

import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from simbench.measure import telemetry as t
from simbench.measure.books import Books
from simbench.measure.budget import budget, title
from simbench.measure.gate import look
from simbench.measure.loads import Loads
from simbench.measure.processor import Shares
from simbench.measure.skew import Skew
from simbench.measure.snapshot import (
    ChannelView,
    GapView,
    GateView,
    LineView,
    LogLine,
    PartView,
    Phase,
    ProcessView,
    RunInfo,
    SenderView,
    Snapshot,
    Stage,
    SwitchView,
)
from simbench.measure.ticks import Ticks
from simbench.measure.worst import Worst
from simbench.replay import control as c
from simbench.replay.gating import SHUT
from simbench.replay.switchboard import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.histogram import Histogram
    from simbench.measure.names import Names
    from simbench.replay.control import Control

    Words = NDArray[np.int64]

HISTORY: Final = 120
LOG: Final = 200
BUCKETS: Final = 64  # of a stage's histogram
DEAD_NS: Final = 2_000_000_000  # of clock time without a publication: the receiver is gone
STAGES_NS: Final = 250_000_000  # between reckonings of percentiles, which the terminal draws every half second
SHARES_NS: Final = 1_000_000_000  # between looks at processor time: cores are counted in ticks of 10 ms


class Reader:
    """Takes snapshots of one run.

    Args:
        words: the telemetry block.
        names: what the numbers in it are called: channels, lines, outcomes, book states.
        run: what was asked for.
        control: the replayer's control block; None where the receiver is alone.
    """

    def __init__(self, words: Words, names: Names, run: RunInfo, control: Control | None) -> None:
        self._words = words
        self._names = names
        self._run = run
        self._control = control
        self._books = Books(words, names)
        self._skew = Skew(words, names)
        self._worst = Worst(words, names)
        self._loads = Loads(words)
        self._ticks = Ticks()
        self._stages: dict[str, Stage] = {}  # as they were: one without a new value is what it was
        self._latest_stages: tuple[Stage, ...] = ()
        self._stages_at = 0
        self._shares = Shares(os.sched_getaffinity(0))
        self._busy: tuple[dict[int, float], dict[int, float]] = ({}, {})
        self._busy_at = 0
        self._before: dict[str, int] = {}
        self._line_before: dict[int, int] = {}
        self._down: set[int] = set()
        self._taken = 0
        self._history: list[float] = []
        self._log: list[LogLine] = []
        self._gaps_seen = 0
        self._gap_views: list[tuple[list[int], GapView] | None] = [None] * t.GAP_ROWS  # of closed ones, as they were
        self._switches: dict[int, bool] = {}  # windows that were logged: whether their end was
        self._phase = Phase.STARTING
        self._failure = ""

    @property
    def run(self) -> RunInfo:
        """What was asked for."""
        return self._run

    @property
    def names(self) -> Names:
        """What the numbers in telemetry are called."""
        return self._names

    def fail(self, reason: str) -> None:
        """Note that a process of the run has ended that should not have."""
        self._failure = self._failure or reason

    def snapshot(
        self, instrument_index: int | None = None, others: Sequence[int] = (), level: tuple[str, int] | None = None
    ) -> Snapshot:
        """Copy one moment out of the shared words.

        Args:
            instrument_index: whose book to show; None that of the most active instrument.
            others: whose books to show beside it.
            level: "bid" or "ask", and the price, of its level whose queue to show.
        """
        now = time.monotonic_ns()
        words = self._words
        counters = {name: int(words[t.counter(name)]) for name in t.COUNTER_NAMES}
        control = self._control
        position = control.replay_ns if control is not None else int(words[t.REPLAY_NOW])
        seconds = (now - self._taken) / 1e9 if self._taken else 0.0
        instruments = self._books.instruments()
        if instrument_index is None and instruments:
            instrument_index = instruments[0].index
        phase, reason = self._where(now)
        self._note(phase, reason, position)
        gaps = self._gaps(position)
        rates = self._rates(counters, seconds)
        lines = self._lines(position, seconds)
        histograms = t.histograms(words)
        gaps_total = int(words[t.GAPS_LOST] + words[t.GAPS_FILLED] + words[t.GAPS_OPEN])
        book, beside = self._books.look(instrument_index, others, now, level)
        self._taken = now
        self._history = [*self._history, rates["messages"]][-HISTORY:]
        started = int(words[t.STARTED])
        p50, p99 = control.lateness.percentiles(50, 99) if control is not None else (0, 0)
        watched = counters["watched_ns"]
        return Snapshot(
            phase=phase,
            reason=reason,
            run=self._run,
            taken_ns=now,
            elapsed_ns=max(0, (int(words[t.LATEST]) if phase is Phase.ENDED else now) - started) if started else 0,
            position_ns=position,
            cursor=control.cursor if control is not None else counters["frames"],
            speed_asked=control.speed if control is not None else 1.0,
            speed_achieved=control.achieved if control is not None else 1.0,
            lateness_p50_ns=p50,
            lateness_p99_ns=p99,
            rates=MappingProxyType(rates),
            counters=MappingProxyType(counters),
            drops=MappingProxyType(self._drops(counters)),
            anomalies=MappingProxyType(self._anomalies()),
            hiccups=(
                counters["hiccups"],
                counters["hiccup_longest_ns"],
                counters["hiccup_total_ns"] / watched if watched else 0.0,
            ),
            stages=self._latency(now, phase, histograms),
            channels=self._channels(),
            lines=lines,
            gaps=gaps,
            gaps_total=gaps_total,
            gaps_lost=int(words[t.GAPS_LOST]),
            book=book,
            instruments=tuple(instruments),
            states=MappingProxyType(self._books.states()),
            log=tuple(self._log[-LOG:]),
            rate_history=tuple(self._history),
            others=beside,
            budget=_budget(histograms),
            ticks=self._ticks.see(now, position, histograms, counters, gaps_total),
            sender=_sender(control) if control is not None else None,
            switches=self._switched(position),
            processes=self._processes(now),
            cores=MappingProxyType(self._busy[1]),
            lags=self._skew.look(),
            worst=self._worst.look(),
            gate=look(words, control.words, self._names, instruments) if control is not None else GateView(),
            loads=self._loads.look(seconds),
        )

    def close(self) -> None:
        """Give the book slots back."""
        self._books.close()

    def _where(self, now: int) -> tuple[Phase, str]:
        if self._failure:
            return Phase.FAILED, self._failure
        state = int(self._words[t.STATE])
        if state == t.FAILED:
            return Phase.FAILED, "the receiver failed"
        if state == t.ENDED:
            return Phase.ENDED, self._control.reason if self._control is not None else "stopped"
        beat = int(self._words[t.BEAT])
        if state == t.RUNNING and now - beat > DEAD_NS:
            return Phase.FAILED, f"the receiver has said nothing for {(now - beat) / 1e9:.0f} s"
        if self._control is None:
            return (Phase.RUNNING if state == t.RUNNING else Phase.STARTING), ""
        phase = self._control.phase
        if phase is Phase.ENDED:
            if self._control.gate_stands == SHUT:
                return Phase.PAUSED, "everything is sent; the gate holds what has not been let through"
            return Phase.RUNNING, "draining"
        return phase, self._control.reason

    def _note(self, phase: Phase, reason: str, position: int) -> None:
        if phase is not self._phase:
            level = "error" if phase is Phase.FAILED else "info"
            self._log.append(LogLine(position, level, f"{phase.value}{': ' if reason else ''}{reason}"))
            self._phase = phase

    def _switched(self, position: int) -> tuple[SwitchView, ...]:
        if self._control is None:
            return ()
        views = []
        for window in self._control.switched():
            line = self._run.lines[window.line] if window.line < len(self._run.lines) else str(window.line + 1)
            words = told(window.kind, window.value)
            views.append(
                SwitchView(
                    window.kind, line, window.value, words, window.since_ns, window.until_ns, window.frames
                )
            )  # fmt: skip
            if window.number not in self._switches:
                self._switches[window.number] = False
                self._log.append(LogLine(window.since_ns or position, "warning", f"line {line}: {words}, from here on"))
            if window.until_ns and not self._switches[window.number]:
                self._switches[window.number] = True
                text = f"line {line}: {words} no longer; {window.frames:,} frames hit"
                self._log.append(LogLine(window.until_ns, "info", text))
        return tuple(views)

    def _rates(self, counters: dict[str, int], seconds: float) -> dict[str, float]:
        rates = {}
        for name in ("frames", "datagrams", "messages", "events", "bytes"):
            moved = counters[name] - self._before.get(name, 0)
            rates[name] = moved / seconds if seconds > 0 else 0.0
            self._before[name] = counters[name]
        return rates

    def _drops(self, counters: dict[str, int]) -> dict[str, int]:
        drops = {name.removeprefix("drop_"): count for name, count in counters.items() if name.startswith("drop_")}
        if self._control is not None:
            drops["no_room"] = self._control.dropped
        return drops

    def _anomalies(self) -> dict[str, int]:
        base = t.ANOMALY_BASE
        return {name: int(self._words[base + i]) for i, name in enumerate(self._names.anomalies)}

    def _latency(self, now: int, phase: Phase, histograms: Mapping[str, Histogram]) -> tuple[Stage, ...]:
        """Reckon the stages while the run goes on only as often as anybody could read them; what ended is exact."""
        if now - self._stages_at > STAGES_NS or phase is not Phase.RUNNING:
            self._stages_at = now
            self._latest_stages = tuple(self._stage(name, title, histograms[name]) for name, title in t.STAGES)
        return self._latest_stages

    def _stage(self, name: str, title: str, histogram: Histogram) -> Stage:
        known = self._stages.get(name)
        if known is None or known.count != histogram.count:
            p50, p90, p99, p999 = histogram.percentiles(50, 90, 99, 99.9)
            buckets = tuple(histogram.buckets(BUCKETS))
            known = Stage(name, title, histogram.count, p50, p90, p99, p999, histogram.highest, buckets)
            self._stages[name] = known
        return known

    def _processes(self, now: int) -> tuple[ProcessView, ...]:
        pids = {"replayer": int(self._control.words[c.REPLAYER_PID])} if self._control is not None else {}
        pids |= {"receiver": int(self._words[t.PID]), "terminal": os.getpid()}
        if now - self._busy_at > SHARES_NS:
            self._busy = self._shares.look(now, {pid for pid in pids.values() if pid})
            self._busy_at = now
        shares = self._busy[0]
        return tuple(ProcessView(name, pid, shares.get(pid, -1.0)) for name, pid in pids.items() if pid)

    def _lines(self, position: int, seconds: float) -> tuple[LineView, ...]:
        views = []
        for row in range(int(self._words[t.LINES])):
            base = t.LINE_BASE + row * t.LINE_WORDS
            line = [int(value) for value in self._words[base : base + t.LINE_WORDS]]
            channel, name, group = self._names.line(line[t.LINE_CHANNEL], line[t.LINE_NUMBER])
            seen, datagrams = line[t.LINE_SEEN], line[t.LINE_DATAGRAMS]
            age = max(0, position - seen) if datagrams else -1
            moved = datagrams - self._line_before.get(row, 0)
            self._line_before[row] = datagrams
            state = self._names.line_states[line[t.LINE_STATE]]
            if (state == "down") != (row in self._down) and state != "stale":
                self._down ^= {row}
                level = "warning" if state == "down" else "info"
                self._log.append(LogLine(position, level, f"{channel}: line {name} is {state}"))
            views.append(
                LineView(
                    channel=channel,
                    name=name,
                    group=group,
                    state=state,
                    datagrams=datagrams,
                    won=line[t.LINE_WON],
                    duplicates=line[t.LINE_DUPLICATES],
                    late=line[t.LINE_LATE],
                    missing=line[t.LINE_MISSING],
                    last_sequence=line[t.LINE_HIGHEST],
                    age_ns=age,
                    rate=moved / seconds if seconds > 0 else 0.0,
                )
            )
        return tuple(views)

    def _channels(self) -> tuple[ChannelView, ...]:
        views = []
        for number in range(min(int(self._words[t.CHANNELS]), t.CHANNEL_ROWS)):
            base = t.CHANNEL_BASE + number * t.CHANNEL_WORDS
            views.append(
                ChannelView(
                    name=self._names.channel(number),
                    state=self._names.channel_states[int(self._words[base + t.CHANNEL_STATE])],
                    requests=int(self._words[base + t.CHANNEL_REQUESTS]),
                    repaired=int(self._words[base + t.CHANNEL_REPAIRED]),
                )
            )
        return tuple(views)

    def _gaps(self, position: int) -> tuple[GapView, ...]:
        total = int(self._words[t.GAPS])
        views = []
        rows = self._words[t.GAP_BASE : t.GAP_BASE + t.GAP_ROWS * t.GAP_WORDS].reshape(t.GAP_ROWS, -1).tolist()
        for number in range(max(0, total - t.GAP_ROWS), total):
            place = number % t.GAP_ROWS
            row = rows[place]
            if row[t.GAP_UNITS] == 0:  # joined to another
                continue
            known = self._gap_views[place]
            if known is None or known[0] != row or not row[t.GAP_CLOSED]:
                view = self._gap(row, self._names.outcome(row[t.GAP_OUTCOME]), position)
                known = self._gap_views[place] = (row, view)
            view = known[1]
            views.append(view)
            if number >= self._gaps_seen:
                level = "warning" if view.outcome == "lost" else "info"
                text = f"{view.channel}: gap {view.first}-{view.last} {view.outcome}"
                self._log.append(LogLine(view.detected_ns, level, text))
        self._gaps_seen = total
        self._log = self._log[-LOG:]
        holes = []
        for number in range(int(self._words[t.GAPS_OPEN])):
            base = t.OPEN_BASE + number * t.GAP_WORDS
            row = [int(value) for value in self._words[base : base + t.GAP_WORDS]]
            holes.append(self._gap(row, "asked" if row[t.GAP_ATTEMPTS] else "open", position))
        return (*holes, *reversed(views))

    def _gap(self, row: list[int], outcome: str, position: int) -> GapView:
        return GapView(
            channel=self._names.channel(row[t.GAP_CHANNEL]),
            epoch=row[t.GAP_EPOCH],
            first=row[t.GAP_FIRST],
            last=row[t.GAP_LAST],
            outcome=outcome,
            detected_ns=row[t.GAP_DETECTED],
            open_ns=max(0, (row[t.GAP_CLOSED] or position) - row[t.GAP_DETECTED]),
            units=row[t.GAP_UNITS],
            attempts=row[t.GAP_ATTEMPTS],
        )


def _budget(histograms: Mapping[str, Histogram]) -> tuple[PartView, ...]:
    parts = budget(histograms).parts
    return tuple(PartView(part.name, title(part.name), part.a_frame, part.share) for part in parts)


def _sender(control: Control) -> SenderView:
    words = control.words
    return SenderView(
        sent=int(words[c.SENT]),
        bytes=int(words[c.BYTES]),
        consumed=int(words[c.CONSUMED]),
        dropped=int(words[c.DROPPED]),
        given_up=int(words[c.GIVEN_UP]),
        batches=int(words[c.BATCHES]),
        largest=int(words[c.LARGEST]),
        sleeps=int(words[c.SLEEPS]),
        margin_ns=int(words[c.MARGIN_NS]),
        starved_ns=int(words[c.STARVED_NS]),
        loop=int(words[c.LOOP]),
        epoch=int(words[c.EPOCH]),
    )
