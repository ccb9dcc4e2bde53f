"""The one line of a headless run, and its closing summary."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from simbench.commands import show
from simbench.commands.faults import judgement
from simbench.commands.queues import queues
from simbench.measure.snapshot import Phase
from simbench.replay.switchboard import told
from simbench.times import iso, span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from simbench.measure.snapshot import Snapshot
    from simbench.session import Listening, Session
    from simbench.session.joined import Joined

EVERY_S = 0.5
QUIETLY_S = 10.0


def follow(session: Session | Listening | Joined, until: float | None = None, title: str = "") -> None:
    """Print where the run is until it ends; in place on a terminal, a line every ten seconds elsewhere.

    Args:
        session: the run.
        until: monotonic seconds at which to return although it goes on.
        title: before each line.
    """
    live = sys.stderr.isatty()
    reader = session.reader()
    said = 0.0
    while session.running() and (until is None or time.monotonic() < until):
        snapshot = reader.snapshot()
        now = time.monotonic()
        if live:
            sys.stderr.write("\r\x1b[K" + title + line(snapshot))
            sys.stderr.flush()
        elif now - said > QUIETLY_S:
            show.complain(title + line(snapshot))
            said = now
        session.wait(EVERY_S)
    if live:
        sys.stderr.write("\r\x1b[K")


def line(snapshot: Snapshot) -> str:
    """Return rate, position, gaps and p99 in one line."""
    if snapshot.phase is Phase.STARTING:
        return "starting"
    run = snapshot.run
    done = ""
    if run.last_ns > run.first_ns:
        share = (snapshot.position_ns - run.first_ns) / (run.last_ns - run.first_ns)
        done = f" {min(1.0, max(0.0, share)):4.0%}"
    tail = next((stage for stage in snapshot.stages if stage.name == "send_book" and stage.count), None)
    repaired = sum(channel.repaired for channel in snapshot.channels)
    recovered = f", {repaired:,} units recovered" if repaired else ""
    latency = f", wire to book p99 {span(tail.p99)}" if tail else ""
    return (
        f"{snapshot.phase.value}{done} {snapshot.rates.get('messages', 0.0):12,.0f} messages/s, "
        f"{snapshot.counters.get('messages', 0):,} in all, {snapshot.gaps_lost} gaps lost{recovered}{latency}"
    )


def summary(found: Mapping[str, Any]) -> RenderableType:
    """Lay out the closing summary of a run: what went over the wire, latency by stage, timing, lines."""
    head = f"{found['wire']}{' ' + found['stack'] if found['stack'] else ''}, {found['wait']}: {_frames(found)}"
    drops = ", ".join(f"{name} {count:,}" for name, count in found["drops"].items() if count)
    book = found["book"]
    totals = f"{book['messages']['total']:,} messages, {_gaps(book)}, drops: {drops or 'none'}{show.snapshots(book)}"
    parts: list[RenderableType] = [Text(head), Text(totals), stages(found["stages"])]
    if found.get("slow_handler_ns"):
        parts.append(Text(f"slowed on purpose: {found['slow_handler_ns']:,} ns busy-waited on every frame received"))
    if found.get("timing"):
        from simbench.measure.timing import table

        parts.append(Text(table(found["timing"]), no_wrap=True, overflow="crop"))
    if found["hiccups"]["watched_ns"]:
        parts.append(Text(hiccups(found["hiccups"])))
    if found["recovery"]:
        parts.append(Text(recovery(found["recovery"])))
    parts.append(show.lines(book["channels"]))
    if found.get("queues"):
        parts.append(queues(found))
    parts += [Text(live_fault(each)) for each in found.get("live_faults", ())]
    if found.get("replayer", {}).get("sent_early"):
        early = found["replayer"]["sent_early"]
        parts.append(Text(f"{early:,} delayed frames were sent before their time: there was no room to hold more"))
    if "faults" in found:
        parts.append(judgement(found["faults"]))
    return Group(*parts)


def live_fault(found: Mapping[str, Any]) -> str:
    """Say what a fault did that was switched on while the run went on."""
    first, last = int(found["first_ns"]), int(found["last_ns"] or 0)
    until = f"to {iso(last)}" if last else "to the end"
    return (
        f"switched on by hand: line {found['line']}: {told(found['kind'], found['value'])}, from {iso(first)} {until}: "
        f"{found['frames']:,} frames"
    )


def beside_tails(found: Mapping[str, Any]) -> str:
    """Say of a run, in one line, what its tails must not be read without."""
    lost = f"; {found['sent'] - found['received']:,} lost" if "replayer" in found else ""
    return f"{_frames(found)}{lost}; {hiccups(found['hiccups'])}"


def hiccups(found: Mapping[str, Any]) -> str:
    """Say what the receiving core lost to others."""
    if not found["watched_ns"]:
        return "hiccups are not watched by a receiver that sleeps"
    return (
        f"the receiving core was away {found['count']:,} times for more than 10 us, {found['share']:.2%} of the time "
        f"watched, at most {span(found['longest_ns'])}"
    )


def _frames(found: Mapping[str, Any]) -> str:
    if "replayer" not in found:
        return f"{found['received']:,} frames received"
    speed = found["speed"]
    return (
        f"{found['sent']:,} frames sent, {found['received']:,} received; speed {speed['asked']} asked, "
        f"{speed['achieved']:.6g} achieved"
    )


def _gaps(book: Mapping[str, Any]) -> str:
    outcomes = Counter(gap["outcome"] for channel in book["channels"] for gap in channel["gaps"])
    lost = f"{outcomes.pop('lost', 0):,} gaps lost"
    how = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(outcomes.items()))
    return f"{lost}, {outcomes.total():,} recovered ({how})" if how else lost


def recovery(found: Mapping[str, Any]) -> str:
    """Say what was asked for, and what came of it."""
    took = found["time_to_recover"]
    said = (
        f"{took['n']:,} gaps closed by retransmission: {found['requests']:,} requests, {found['answers']:,} answers, "
        f"{found['repaired_units']:,} messages"
    )
    if not took["n"]:
        return said
    return (
        f"{said}\ntime to recover p50 {span(took['p50'])}, p90 {span(took['p90'])}, p99 {span(took['p99'])}, "
        f"at most {span(took['max'])}"
    )


def stages(found: Mapping[str, Mapping[str, int]]) -> Table:
    """Lay out latency by stage."""
    from simbench.measure.telemetry import STAGES

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stage")
    for name in ("n", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    for name, title in STAGES:
        stage = found.get(name)
        if stage and stage["n"]:
            values = [span(stage[key]) for key in ("p50", "p90", "p99", "p999", "max")]
            table.add_row(title, f"{stage['n']:,}", *values)
    return table
