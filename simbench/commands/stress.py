"""simbench stress: bursts compressed, the whole compressed, or the rate raised until something is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import duration_ns, iso, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.receive.offline import Source
    from simbench.replay.squeeze import Window
    from simbench.stress.sweep import Step


def stress(
    *,
    capture: Path,
    others: tuple[Path, ...],
    align: str,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    burst: str | None,
    factor: float | None,
    sweep_steps: str | None,
    bound: str,
    refine: int,
    repeat: int,
    json_file: Path | None,
    **wire: str,
) -> int:
    """Run the steps, show each when it is done, and say where the knee is; 0 whatever was lost: that is the answer."""
    from simbench.commands.targets import check_target, write_json
    from simbench.receive.offline import open_source
    from simbench.stress import find
    from simbench.stress.align import merge
    from simbench.stress.sweep import knee, parse

    check_target(json_file)
    if factor is not None and sweep_steps is not None:
        raise SimbenchError("--factor is one step, --sweep many: say one of them")
    wanted = None if burst is None else find.parse(burst)
    steps = parse(sweep_steps) if sweep_steps is not None else (factor or 1.0,)
    bound_ns = duration_ns(bound)
    compilation.for_replaying()
    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
        if others:
            sources = [source, *(open_source(other, protocol=protocol, checksum=checksum) for other in others)]
            source = open_source(merge(sources, align, Path(folder)), checksum=checksum)
        windows = find.windows(source.capture, wanted) if wanted else ()
        done, cell = _run(source, windows, steps, bound_ns, refine, repeat, wire)
    if json_file is not None:
        write_json(json_file, _told(capture, others, windows, done, bound_ns, cell))
    show.console().print(f"{cell}; late is a p99 from due to book beyond {span(bound_ns)}", highlight=False)
    if windows:
        show.console().print(_windows(windows), highlight=False)
    show.console().print(table(done))
    if len(steps) > 1:
        show.console().print(_said(knee(done, bound_ns), done, bound_ns), highlight=False)
    return 0


def _run(
    source: Source,
    windows: tuple[Window, ...],
    steps: Sequence[float],
    bound_ns: int,
    refine: int,
    repeat: int,
    wire: dict[str, str],
) -> tuple[list[Step], str]:
    from simbench.session.plan import choice
    from simbench.session.repeats import Cell
    from simbench.stress.sweep import running, sweep

    chosen = choice(wire["wire"], wire["stack"])
    stack = "" if chosen.wire == "ring" else chosen.stack
    cell = Cell(stack=stack, wait=wire["wait"], mode=wire["mode"], wire=chosen.wire)
    done = []
    for step in sweep(running(source, cell, repeat, windows=windows), steps, bound_ns=bound_ns, refine=refine):
        done.append(step)
        show.complain(f"x{step.asked:g}: {step.offered:,.0f} frames/s offered, {_lost(step)}")
    return done, cell.title


def table(steps: Sequence[Step]) -> Any:
    """Lay out what became of each step."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    bursts = any(step.bursts for step in steps)
    burst_titles = ("bursts asked", "sent") if bursts else ()
    for name in ("asked", "offered/s", "achieved", *burst_titles, "lost", "p50", "p99", "p99.9", "max", "busy", "away"):
        table.add_column(name, justify="right")
    for step in sorted(steps, key=lambda step: step.asked):
        late = step.latency
        inside = (f"x{step.bursts['due']:.4g}", f"x{step.bursts['sent']:.4g}") if step.bursts else ("-", "-")
        table.add_row(
            f"x{step.asked:g}",
            f"{step.offered:,.0f}",
            f"x{step.achieved:.4g}",
            *(inside if bursts else ()),
            _lost(step),
            *(span(late[name]) for name in ("p50", "p99", "p999", "max")),
            f"{step.busy:.0%}",
            span(step.hiccups),
        )
    table.caption = (
        "lost: frames, by place. p50 to max: from due to book. busy: time that decoding and books took. "
        "away: longest hiccup of the receiving core"
    )
    table.caption_justify = "left"
    return table


def _lost(step: Step) -> str:
    return ", ".join(f"{place} {count:,}" for place, count in step.lost.items()) or "nothing lost"


def _windows(windows: Sequence[Window]) -> str:
    total = sum(window.end_ns - window.start_ns for window in windows)
    first = windows[0]
    return (
        f"{len(windows):,} windows of {span(total)} in all pass {first.factor:g} times as fast, "
        f"the first at {iso(first.start_ns)}"
    )


def _said(found: Step | None, steps: Sequence[Step], bound_ns: int) -> str:
    from simbench.measure.telemetry import STAGES

    failed = [step for step in sorted(steps, key=lambda step: step.asked) if not step.borne(bound_ns)]
    if not failed:
        return "no knee: every step was borne"
    first = failed[0]
    titles = dict(STAGES)
    if first.lost:
        why = f"lost at the {next(iter(first.lost))}: {_lost(first)}"
    else:
        why = f"late: p99 {span(first.latency['p99'])}, most of it {titles.get(first.slowest, 'nowhere')}"
    if first.busy > BUSY:
        why += f"; the handler was at work {first.busy:.0%} of the time"
    if first.missing is not None:
        gap = first.missing
        why += f"; first gap: channel {gap['channel']}, {gap['first']} to {gap['last']}, {iso(int(gap['detected_ns']))}"
    knee = f"x{found.asked:g}, {found.offered:,.0f} frames/s" if found else "below the first step"
    return f"knee: {knee}. At x{first.asked:g} {why}"


BUSY = 0.9  # of the time: then a full ring or socket is the handler's doing


def _told(
    capture: Path,
    others: Sequence[Path],
    windows: Sequence[Window],
    steps: Sequence[Step],
    bound_ns: int,
    cell: str,
) -> dict[str, Any]:
    from dataclasses import asdict

    from simbench.session.replayed import host
    from simbench.stress.sweep import knee

    found = knee(steps, bound_ns)
    return {
        "schema": 1,
        "host": host(),
        "captures": [str(capture), *(str(other) for other in others)],
        "wire": cell,
        "bound_ns": bound_ns,
        "windows": [
            {"start_ns": str(window.start_ns), "end_ns": str(window.end_ns), "factor": window.factor}
            for window in windows
        ],
        "steps": [{**asdict(step), "borne": step.borne(bound_ns)} for step in steps],
        "knee": None if found is None else found.asked,
    }
