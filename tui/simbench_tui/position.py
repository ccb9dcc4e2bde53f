"""The strip at the top: what the run is doing, where in the capture it is, and how well it keeps time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.measure.snapshot import Phase, RunInfo, Snapshot
from simbench_tui.faulting import in_words
from simbench_tui.format import count, date, duration, elapsed, factor, fit, percent, printable, rate, time_of_day
from simbench_tui.health import Verdict
from simbench_tui.pane import Cell, Pane, Row
from simbench_tui.timescale import RatePicture, column_at

if TYPE_CHECKING:
    from simbench_tui.glyphs import Glyphs
    from simbench_tui.look import Look

_BADGE_CELLS = 10
_NOTHING_YET = Snapshot(
    phase=Phase.STARTING,
    reason="",
    run=RunInfo(capture="", wire="", stack="", wait="", speed="1", frames=0, first_ns=0, last_ns=0),
    taken_ns=0,
    elapsed_ns=0,
    position_ns=0,
    cursor=0,
    speed_asked=1.0,
    speed_achieved=0.0,
    lateness_p50_ns=0,
    lateness_p99_ns=0,
)


class Position(Pane):
    """Three rows: state and set-up, the capture's rate over its recorded time, and figures or a reason."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002  textual's name
        super().__init__(glyphs, id=id)
        self._verdict = Verdict("STARTING", "waiting for the first snapshot", "dim")
        self._frozen_ns: int | None = None
        self._rates = RatePicture(glyphs.levels)
        self.snapshot = _NOTHING_YET

    def state(self, snapshot: Snapshot | None, look: Look, verdict: Verdict, frozen_ns: int | None) -> None:
        """Show this state; `frozen_ns` is the recorded time at which the panes below were frozen."""
        self.snapshot, self.look = snapshot or _NOTHING_YET, look
        self._verdict = verdict
        self._frozen_ns = frozen_ns
        self.update_rows()

    def make_rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The strip has no title of its own."""
        return self.paint(snapshot, width, height)

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The three rows."""
        del height
        verdict = self._verdict
        notes = []
        if self._frozen_ns is not None:
            notes.append(f"view frozen at {time_of_day(self._frozen_ns, 3)}, the replay goes on: f shows it again")
        if snapshot.gate.words:
            notes.append(printable(snapshot.gate.words))
        if verdict.reason:
            notes.append(printable(verdict.reason))
        last = (
            ((fit(f" {self.glyphs.dot} ".join(notes), width, self.glyphs.ellipsis), self._tone()),)
            if notes
            else _figures(snapshot, width)
        )
        return [self._set_up(snapshot, width), self._time_line(snapshot, width), last]

    def _tone(self) -> str:
        return {"dim": "text", "good": "text"}.get(self._verdict.tone, self._verdict.tone)

    def _set_up(self, snapshot: Snapshot, width: int) -> Row:
        run, verdict = snapshot.run, self._verdict
        unpaced = run.speed if run.speed == "flood" else "max"
        asked = factor(snapshot.speed_asked) if snapshot.speed_asked > 0 else unpaced.rjust(7)
        right: list[Cell] = [
            ("asked", "dim"),
            (asked, "strong"),
            ("  got", "dim"),
            (factor(snapshot.speed_achieved), "strong"),
        ]
        left: list[Cell] = [(f"{verdict.word:^{_BADGE_CELLS}}", f"badge-{verdict.tone}")]
        if self._frozen_ns is not None:
            left.append((" FROZEN ", "badge-accent"))
        if self.look.errand:
            left.append((f" {self.look.errand} ", "badge-warn"))
        faults = in_words(snapshot.switches, max(width // 4, 16))
        if faults:
            left.append((f" {faults} ", "badge-bad"))
        how = f" {self.glyphs.dot} ".join(word for word in (run.wire, run.stack, run.wait) if word)
        room = width - sum(len(text) for text, _ in (*left, *right)) - len(how) - 6
        name = fit(run.capture, room, self.glyphs.ellipsis) if room > 0 else ""
        return (*left, ("  ", "text"), (name, "strong"), ("  ", "text"), (how, "dim"), ("  ", "text"), *right)

    def _time_line(self, snapshot: Snapshot, width: int) -> Row:
        run = snapshot.run
        day = f"{date(snapshot.position_ns)} " if width >= 100 else ""
        clock = f"{time_of_day(snapshot.position_ns, 6)} UTC  "
        share = progress(run, snapshot)
        tail = percent(share) if share >= 0 else "  live "
        room = max(width - len(day) - len(clock) - len(tail) - 1, 0)
        picture = self._rates.rows(run, room, 1)
        if picture and share >= 0:
            cursor, line = column_at(snapshot.position_ns, run, room), picture[0]
            return (
                (day, "dim"),
                (clock, "text"),
                (line[:cursor], "title"),
                (self.glyphs.cursor, "accent"),
                (line[cursor + 1 :], "dim"),
                (" " + tail, "text"),
            )
        cells = round(max(share, 0.0) * room)
        glyphs = self.glyphs
        done = (glyphs.done * (cells - 1) + (glyphs.edge if cells < room else glyphs.done)) if cells else ""
        return (
            (day, "dim"),
            (clock, "text"),
            (done, "title"),
            (glyphs.todo * (room - cells), "rule"),
            (" " + tail, "text"),
        )


def progress(run: RunInfo, snapshot: Snapshot) -> float:
    """How far the replay is on the recorded time line, 0 to 1; -1 where nobody knows the end."""
    span = run.last_ns - run.first_ns
    if span > 0 and snapshot.position_ns > 0:
        return min(max((snapshot.position_ns - run.first_ns) / span, 0.0), 1.0)
    return min(snapshot.cursor / run.frames, 1.0) if run.frames else -1.0


def _figures(snapshot: Snapshot, width: int) -> Row:
    """As many figures as fit, the most important first, each of a width that does not change."""
    run = snapshot.run
    total = f"{run.frames:,}"
    sent = f"{snapshot.cursor:,}".rjust(len(total)) + f"/{total}" if run.frames else count(snapshot.cursor, 9)
    figures = [
        ("elapsed", elapsed(snapshot.elapsed_ns), "text"),
        ("frame", sent, "text"),
        ("late p50", duration(snapshot.lateness_p50_ns), "text"),
        ("p99", duration(snapshot.lateness_p99_ns), "text"),
        ("lost gaps", count(snapshot.gaps_lost, 5), "bad" if snapshot.gaps_lost else "text"),
        ("messages/s", rate(snapshot.rates.get("messages", 0.0), 6), "text"),
        ("drops", count(sum(snapshot.drops.values()), 6), "bad" if any(snapshot.drops.values()) else "text"),
    ]
    cells: list[Cell] = []
    used = 0
    for name, figure, ink in figures:
        size = len(name) + len(figure) + 1 + (3 if cells else 0)
        if used + size > width:
            break
        if cells:
            cells.append(("   ", "text"))
        cells += [(f"{name} ", "dim"), (figure, ink)]
        used += size
    return tuple(cells)
