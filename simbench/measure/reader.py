"""The reader's side of telemetry: turns shared words into frozen snapshots, at the reader's own pace."""

from __future__ import annotations

import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from simbench.measure import telemetry as t
from simbench.measure.books import Books
from simbench.measure.gaplist import GapList
from simbench.measure.gate import look
from simbench.measure.loads import Loads
from simbench.measure.processor import Shares
from simbench.measure.reckoning import Reckoning
from simbench.measure.snapshot import (
    ChannelView,
    GateView,
    LineView,
    LogLine,
    Phase,
    ProcessView,
    RunInfo,
    SenderView,
    Snapshot,
    SwitchView,
)
from simbench.measure.worst import Worst
from simbench.replay import control as c
from simbench.replay.gating import SHUT
from simbench.replay.switchboard import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simbench.measure.names import Names
    from simbench.replay.control import Control

    Words = NDArray[np.int64]

HISTORY: Final = 120
LOG: Final = 200
DEAD_NS: Final = 2_000_000_000  # of clock time without a publication: the receiver is gone
PACE_NS: Final = 250_000_000  # between looks at what nobody reads faster: percentiles, the directory, books beside
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
        self._reckoning = Reckoning(words, names, control)
        self._gaps = GapList(words, names)
        self._worst = Worst(words, names)
        self._loads = Loads(words)
        self._shares = Shares(os.sched_getaffinity(0))
        self._busy: tuple[dict[int, float], dict[int, float]] = ({}, {})
        self._busy_at = 0
        self._before: dict[str, int] = {}
        self._line_before: dict[int, int] = {}
        self._down: set[int] = set()
        self._taken = 0
        self._reckoned = 0
        self._history: list[float] = []
        self._log: list[LogLine] = []
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
        counters = t.counters(words)
        control = self._control
        position = control.replay_ns if control is not None else int(words[t.REPLAY_NOW])
        seconds = (now - self._taken) / 1e9 if self._taken else 0.0
        phase, reason = self._where(now)
        due = now - self._reckoned > PACE_NS or phase is not self._phase
        self._reckoned = now if due else self._reckoned
        instruments, states = self._books.directory(due=due)
        self._note(phase, reason, position)
        if instrument_index is None and instruments:
            instrument_index = instruments[0].index
        gaps, told = self._gaps.look(position)
        self._log = [*self._log, *told][-LOG:]
        rates = self._rates(counters, seconds)
        lines = self._lines(position, seconds)
        gaps_total = int(words[t.GAPS_LOST] + words[t.GAPS_FILLED] + words[t.GAPS_OPEN])
        book, beside = self._books.look(instrument_index, others, now, level, due=due)
        self._taken = now
        if phase is Phase.RUNNING:
            self._history = [*self._history, rates["messages"]][-HISTORY:]
        started = int(words[t.STARTED])
        reckoned = self._reckoning.see(now, position, counters, gaps_total, due=due, stands=phase is not Phase.RUNNING)
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
            lateness_p50_ns=reckoned.lateness[0],
            lateness_p99_ns=reckoned.lateness[1],
            rates=MappingProxyType(rates),
            counters=MappingProxyType(counters),
            drops=MappingProxyType(self._drops(counters)),
            anomalies=MappingProxyType(self._anomalies()),
            hiccups=(
                counters["hiccups"],
                counters["hiccup_longest_ns"],
                counters["hiccup_total_ns"] / watched if watched else 0.0,
            ),
            stages=reckoned.stages,
            channels=self._channels(),
            lines=lines,
            gaps=gaps,
            gaps_total=gaps_total,
            gaps_lost=int(words[t.GAPS_LOST]),
            book=book,
            instruments=instruments,
            states=MappingProxyType(states),
            log=tuple(self._log[-LOG:]),
            rate_history=tuple(self._history),
            others=beside,
            budget=reckoned.budget,
            ticks=reckoned.ticks,
            sender=_sender(control) if control is not None else None,
            switches=self._switched(position),
            processes=self._processes(now),
            cores=MappingProxyType(self._busy[1]),
            lags=reckoned.lags,
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
