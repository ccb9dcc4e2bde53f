"""The reader's side of telemetry: turns shared words into frozen snapshots, at the reader's own pace."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from simbench.book.layout import EMPTY, KNOWN
from simbench.measure import telemetry as t
from simbench.measure.histogram import SIZE, Histogram
from simbench.measure.snapshot import (
    BookView,
    ChannelView,
    GapView,
    InstrumentRow,
    LevelView,
    LineView,
    LogLine,
    Phase,
    RunInfo,
    Snapshot,
    Stage,
    TradeView,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simbench.measure.names import Names
    from simbench.replay.control import Control

    Words = NDArray[np.int64]

HISTORY = 120
TRADES = 50
LOG = 200
DEAD_NS = 2_000_000_000  # of clock time without a publication: the receiver is gone


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
        self._slot = -1
        self._before: dict[str, int] = {}
        self._line_before: dict[int, int] = {}
        self._down: set[int] = set()
        self._taken = 0
        self._history: list[float] = []
        self._trades: list[TradeView] = []
        self._traded = (0, 0)
        self._log: list[LogLine] = []
        self._gaps_seen = 0
        self._phase = Phase.STARTING
        self._failure = ""

    def fail(self, reason: str) -> None:
        """Note that a process of the run has ended that should not have."""
        self._failure = self._failure or reason

    def snapshot(self, instrument_index: int | None = None) -> Snapshot:
        """Copy one moment out of the shared words; the book of that instrument, or of the most active one."""
        now = time.monotonic_ns()
        words = self._words
        counters = {name: int(words[t.counter(name)]) for name in t.COUNTER_NAMES}
        control = self._control
        position = control.replay_ns if control is not None else int(words[t.REPLAY_NOW])
        seconds = (now - self._taken) / 1e9 if self._taken else 0.0
        instruments = self._instruments()
        if instrument_index is None and instruments:
            instrument_index = instruments[0].index
        phase, reason = self._where(now)
        self._note(phase, reason, position)
        gaps = self._gaps(position)
        rates = self._rates(counters, seconds)
        lines = self._lines(position, seconds)
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
            stages=tuple(self._stage(name, title) for name, title in t.STAGES),
            channels=self._channels(),
            lines=lines,
            gaps=gaps,
            gaps_total=int(words[t.GAPS_LOST] + words[t.GAPS_FILLED] + words[t.GAPS_OPEN]),
            gaps_lost=int(words[t.GAPS_LOST]),
            book=self._book(instrument_index, now) if instrument_index is not None else None,
            instruments=tuple(instruments[:200]),
            states=MappingProxyType(self._states()),
            log=tuple(self._log[-LOG:]),
            rate_history=tuple(self._history),
        )

    def close(self) -> None:
        """Give the book slot back."""
        if self._slot >= 0:
            self._words[t.SLOT_BASE + self._slot * t.SLOT_WORDS + t.SLOT_LEASED] = 0

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
            return Phase.RUNNING, "draining"
        return phase, self._control.reason

    def _note(self, phase: Phase, reason: str, position: int) -> None:
        if phase is not self._phase:
            level = "error" if phase is Phase.FAILED else "info"
            self._log.append(LogLine(position, level, f"{phase.value}{': ' if reason else ''}{reason}"))
            self._phase = phase

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

    def _stage(self, name: str, title: str) -> Stage:
        base = t.stage(name)
        histogram = Histogram(self._words[base : base + SIZE].copy())
        p50, p90, p99, p999 = histogram.percentiles(50, 90, 99, 99.9)
        return Stage(name, title, histogram.count, p50, p90, p99, p999, histogram.highest, tuple(histogram.buckets(64)))

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
        for number in range(max(0, total - t.GAP_ROWS), total):
            base = t.GAP_BASE + number % t.GAP_ROWS * t.GAP_WORDS
            row = [int(value) for value in self._words[base : base + t.GAP_WORDS]]
            if row[t.GAP_UNITS] == 0:  # joined to another
                continue
            view = self._gap(row, self._names.outcome(row[t.GAP_OUTCOME]), position)
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
        )

    def _directory(self) -> Words:
        count = min(int(self._words[t.INSTRUMENTS]), t.INSTRUMENT_ROWS)
        rows = self._words[t.INSTRUMENT_BASE : t.INSTRUMENT_BASE + count * t.INSTRUMENT_WORDS]
        return rows.reshape(count, t.INSTRUMENT_WORDS)

    def _states(self) -> dict[str, int]:
        counts = np.bincount(self._directory()[:, t.INSTRUMENT_STATE], minlength=len(self._names.states))
        return {name: count for name, count in zip(self._names.states, counts.tolist(), strict=False) if count}

    def _instruments(self) -> list[InstrumentRow]:
        rows = self._directory()
        order = np.argsort(-rows[:, t.INSTRUMENT_UPDATES], kind="stable")[:200]
        return [self._instrument(int(index), rows[index]) for index in order]

    def _instrument(self, index: int, row: Words) -> InstrumentRow:
        channel = int(row[t.INSTRUMENT_CHANNEL])
        return InstrumentRow(
            index=index,
            channel=self._names.channel(channel),
            key=self._names.key(channel, int(row[t.INSTRUMENT_KEY])),
            symbol=symbol_of(row[t.INSTRUMENT_SYMBOL : t.INSTRUMENT_SYMBOL + 3]),
            updates=int(row[t.INSTRUMENT_UPDATES]),
        )

    def _book(self, index: int, now: int) -> BookView | None:
        slot = self._lease(index, now)
        if slot is None or index >= int(self._words[t.INSTRUMENTS]):
            return None
        shown = self._read(slot)
        if shown is None or int(shown[t.SLOT_SHOWN]) != index + 1:
            return None
        row = self._words[t.INSTRUMENT_BASE + index * t.INSTRUMENT_WORDS :][: t.INSTRUMENT_WORDS].copy()
        who = self._instrument(index, row)
        state = self._names.state(int(shown[t.SLOT_STATE]))
        current = state in {"current", "empty"}
        sides = shown[t.SLOT_LADDER :].reshape(4, t.SLOT_DEPTH, 4)
        if (index, int(shown[t.SLOT_TRADE_TIME])) != self._traded:
            if index != self._traded[0]:
                self._trades = []
            self._traded = (index, int(shown[t.SLOT_TRADE_TIME]))
            if shown[t.SLOT_TRADE_TIME]:
                price, quantity = int(shown[t.SLOT_TRADE_PRICE]), int(shown[t.SLOT_TRADE_QUANTITY])
                self._trades.insert(0, TradeView(price, quantity, "", int(shown[t.SLOT_TRADE_TIME])))
                del self._trades[TRADES:]
        return BookView(
            index=index,
            channel=who.channel,
            key=who.key,
            symbol=who.symbol,
            price_exponent=int(row[t.INSTRUMENT_PRICE_EXPONENT]),
            quantity_exponent=int(row[t.INSTRUMENT_QUANTITY_EXPONENT]),
            state=state,
            since_ns=0 if current else int(shown[t.SLOT_SINCE]),
            reason="" if current else self._names.reasons[int(shown[t.SLOT_REASON])],
            bids=_levels(sides[0]),
            asks=_levels(sides[1]),
            implied_bids=_levels(sides[2]),
            implied_asks=_levels(sides[3]),
            trades=tuple(self._trades),
            updates=who.updates,
        )

    def _lease(self, index: int, now: int) -> int | None:
        words = self._words
        if self._slot < 0:
            for slot in range(t.SLOTS):
                base = t.SLOT_BASE + slot * t.SLOT_WORDS
                if now - int(words[base + t.SLOT_LEASED]) > t.LEASE_NS:
                    self._slot = slot
                    break
            else:
                return None
        base = t.SLOT_BASE + self._slot * t.SLOT_WORDS
        words[base + t.SLOT_LEASED] = now
        words[base + t.SLOT_WANTED] = index + 1
        return self._slot

    def _read(self, slot: int) -> Words | None:
        base = t.SLOT_BASE + slot * t.SLOT_WORDS
        for _ in range(8):
            before = int(self._words[base + t.SLOT_LOCK])
            copy = self._words[base : base + t.SLOT_WORDS].copy()
            if before % 2 == 0 and before == int(self._words[base + t.SLOT_LOCK]):
                return copy
        return None


def symbol_of(words: Sequence[int] | Words) -> str:
    """Return the symbol that three words hold, 8 characters each."""
    raw = b"".join((int(word) & (1 << 64) - 1).to_bytes(8, "big") for word in words)
    return raw.rstrip(b"\0 ").decode("ascii", "replace")


def _levels(side: Words) -> tuple[LevelView, ...]:
    levels = []
    for price, quantity, orders, known in side.tolist():
        if known == EMPTY:
            break
        levels.append(LevelView(price, quantity, orders, known == KNOWN))
    return tuple(levels)
