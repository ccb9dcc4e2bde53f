"""What the page says of each kind of document: figures with their method, tables, and what had to be left out."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Final

from simbench.report import plots
from simbench.report.style import svg
from simbench.times import span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.figure import Figure

    from simbench.report.files import Cells, Hiccups, Percentiles, Run, Steering
    from simbench.report.style import Canvas

NAMES: Final = ("p50", "p90", "p99", "p999", "max")
HEADS: Final = ("p50", "p90", "p99", "p99.9", "max")
OLD: Final = "The file has no {}: it was written by an older version, or no frame came. Run it again with --json."


def stretch(run: Run, key: str) -> str:
    """Lay out a run: rate and gaps, latency as percentiles and over time, timing."""
    asked = escape(str(run.speed.get("asked", "?")))
    achieved = run.speed.get("achieved")
    told = f", {achieved:.6g} achieved" if isinstance(achieved, int | float) else ""
    drops = ", ".join(f"{escape(name)} {count:,}" for name, count in run.drops.items() if count) or "none"
    way = escape(" ".join(filter(None, (run.wire, run.stack, run.wait))))
    noise = _noise([run.hiccups])
    what = f"{escape(run.capture)} over" if run.capture else "Over"
    head = (
        f"{what} {way}: {run.sent:,} frames sent, {run.received:,} received; speed {asked} asked{told}; drops: {drops}."
    )
    parts = [f"<p>{head} {_host(run.host)}</p>"]
    if run.timeline:
        parts += [
            _figure(
                partial(plots.rates, run.timeline),
                f"{key}-rate",
                "Rate and gaps over time",
                "Frames taken from the wire and messages after arbitration, in at most 240 buckets of clock time; a "
                "bucket's rate is its count over its length, so bursts shorter than a bucket are flattened. Gaps are "
                "counted where they ended: lost, or filled by a later copy.",
                noise,
            )
        ]
    else:
        parts.append(_left_out("Rate and gaps over time", OLD.format("timeline")))
    if any(name in run.curves for name in plots.CURVES):
        parts.append(
            _figure(
                partial(plots.percentiles, run),
                f"{key}-percentiles",
                "Latency by stage",
                "Percentiles of the whole run from log-linear histograms that count every frame. The axis is "
                "1/(1 - q): each step to the right has a tenth of the frames beyond it. Due times come from the "
                "recorded schedule, so stages from due on hide no delay of the sender; 0 is drawn at 1 ns.",
                noise,
            )
        )
    else:
        parts.append(_left_out("Latency by stage", OLD.format("percentile curves")))
    parts.append(_stages(run))
    if any(name in bucket.stages for bucket in run.timeline for name in plots.COURSE):
        parts.append(
            _figure(
                partial(plots.course, run.timeline),
                f"{key}-course",
                "Latency over time",
                "Percentiles of the frames of each bucket of clock time, not of the run. The largest is that of its "
                "histogram's bucket, at most 0.8 % too high.",
                noise,
            )
        )
    else:
        parts.append(_left_out("Latency over time", OLD.format("latency in its timeline")))
    return "\n".join([*parts, _timing(run, key, noise)])


def _stages(run: Run) -> str:
    rows = [(name, [f"{each.n:,}", *_times(each)]) for name, each in run.stages.items() if each.n]
    caption = "Every stage between due (T0), sent (T1), driver hook (T2), application (T3) and book (T4)"
    return _table(caption, ("stage", "frames", *HEADS), rows)


def _timing(run: Run, key: str, noise: str) -> str:
    proof = run.proof()
    title = "Timing error of the replay"
    if proof is None:
        return _left_out(title, "At --speed max and flood, and without a replayer, nothing is due at any time.")
    scores = {"this run": proof, **{name.replace("_", " "): null for name, null in proof.null.items()}}
    rows: dict[str, dict[str, int]] = {}
    for measure, label in (("lateness", "lateness"), ("gap_error", "gap error")):
        for share in ("p50", "p90", "p99", "max"):
            rows[f"{label} {share}"] = {
                name: getattr(getattr(score, measure), share)
                for name, score in scores.items()
                if getattr(score, measure).n
            }
    shown = {name: row for name, row in rows.items() if row}
    figure = _figure(
        partial(plots.dots, shown),
        f"{key}-timing",
        title,
        "Lateness is |(T3 - T0) - median| of each frame against the recorded schedule; gap error is |gap received - "
        "gap scheduled| between neighbours due 5 us or more apart. Beside the run stands what two replayers without a "
        "clock would have scored on the same schedule: one sends back to back, one at a constant rate. "
        "0 is drawn at 1 ns.",
        noise,
    )
    lines = [
        (
            name,
            [
                f"{score.within_1us:.1%}",
                f"{score.late_frames:,}",
                "-" if score.drift_ppm is None else f"{score.drift_ppm:,.2f}",
            ],
        )
        for name, score in scores.items()
    ]
    heads = ("replayer", "within 1 us", "more than 10 us late", "drift, ppm")
    return figure + _table(f"Of {proof.frames:,} frames", heads, lines)


def cells(found: Cells, kind: str, key: str) -> str:
    """Lay out the stacks' comparison, or a budget: a figure and the table."""
    stage, title = ("hook_book", "Wire to book") if kind == "stacks" else ("", "Where the nanoseconds go")
    rows: dict[str, dict[str, int]] = {}
    for cell in found.cells:
        for name, each in cell.stages.items():
            if each.n and (not stage or name == stage):
                label = cell.title if stage else f"{cell.title}: {name}"
                rows[label] = {"p50": each.p50, "p90": each.p90, "p99": each.p99, "max": each.max}
    parts = [f"<p>Capture {escape(found.capture)}. {_host(found.host or {})}</p>"]
    noise = _noise([run.hiccups for cell in found.cells for run in cell.runs])
    method = (
        "From the driver hook (T2) to the book (T4), over all runs of a cell, taken in turns. The hook is the same "
        "place for all stacks."
        if stage
        else "Each stage of each cell over all runs. Stages add up in the mean, not in percentiles."
    )
    if rows:
        parts.append(_figure(partial(plots.dots, rows), f"{key}-cells", title, method, noise))
    else:
        parts.append(_left_out(title, "No cell has a frame of it."))
    table = _cost_table(found) if stage else _parts_table(found)
    missing = "".join(
        f'<p class="left-out">{escape(cell.title)} is not to be had there: {escape(cell.why)}</p>'
        for cell in found.cells
        if not cell.available
    )
    return "\n".join([*parts, table, missing])


def _cost_table(found: Cells) -> str:
    rows = []
    for cell in found.cells:
        if not cell.runs:
            continue
        for name, label in (("hook_app", "to application"), ("hook_book", "to book"), ("due_book", "due to book")):
            each = cell.stages.get(name)
            if each is None or not each.n:
                continue
            frames, both = cell.cpu.get("frames") or 0, cell.cpu.get("both_ns") or 0
            cost = f"{both / frames / 1000:.1f}" if frames else "-"
            told = [f"{each.n:,}", *_times(each), f"{cell.lost:,}", cost, *_away([run.hiccups for run in cell.runs])]
            rows.append((f"{cell.title}, {label}", told))
    heads = ("cell", "frames", *HEADS, "lost", "us a frame", "host away at most", "of the time")
    caption = (
        "us a frame: processor time of sender and receiver; away: hiccups, which a receiver that sleeps cannot watch"
    )
    return _table(caption, heads, rows)


def _parts_table(found: Cells) -> str:
    rows = [
        (
            f"{cell.title}: {name}",
            [
                f"{each.n:,}",
                *_times(each),
                span(round(each.a_frame)),
                f"{each.share:.1%}",
                *_away([run.hiccups for run in cell.runs]),
            ],
        )
        for cell in found.cells
        for name, each in cell.stages.items()
        if each.n
    ]
    heads = ("cell: stage", "frames", *HEADS, "a frame", "share", "host away at most", "of the time")
    return _table("a frame, share: what a stage adds to the mean, tails and hiccups included", heads, rows)


def steering(found: Steering, key: str) -> str:
    """Lay out the balance of queues under each scheme."""
    rows = [
        (
            scheme.name,
            [
                *(f"{scheme.imbalance.get(name, 0):.2f}" for name in ("mean", "busiest")),
                *(f"{scheme.over_least.get(name, 0):.2f}" for name in ("mean", "busiest")),
                ", ".join(scheme.channels_split) or "none",
            ],
        )
        for scheme in found.schemes
    ]
    figure = _figure(
        partial(plots.queues, found),
        f"{key}-queues",
        "Steering balance",
        "Datagrams that each queue gets, counted on the capture: RSS is a Toeplitz hash over each flow, rules are "
        "planned so that a channel stays whole on one queue. Counts, not latencies: the host's noise is not in them.",
        "",
    )
    heads = ("scheme", "busiest / mean", "in the busiest ms", "busiest / least", "in the busiest ms", "torn apart")
    caption = (
        "least: what the busiest queue must carry while channels are whole; torn apart: channels on several queues"
    )
    return figure + _table(caption, heads, rows)


def _figure(draw: Callable[[Canvas], Figure], key: str, title: str, method: str, noise: str) -> str:
    beside = f'<p class="noise">{noise}</p>' if noise else ""
    return (
        f'<figure id="{key}"><h3>{title}</h3>{svg(draw, key, title, escape(method))}'
        f"<figcaption><strong>Method.</strong> {escape(method)}{beside}</figcaption></figure>"
    )


def _left_out(title: str, why: str) -> str:
    return f'<h3>{title}</h3><p class="left-out">Left out. {escape(why)}</p>'


def _table(caption: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(text)}</td>" for text in texts)}</tr>'
        for name, texts in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _times(each: Percentiles) -> list[str]:
    values = [getattr(each, name) for name in NAMES]
    return ["-" if value is None else span(value) for value in values]


def _away(hiccups: Sequence[Hiccups]) -> list[str]:
    watched = [each for each in hiccups if each.watched_ns]
    if not watched:
        return ["-", "-"]
    total = sum(each.watched_ns for each in watched)
    share = sum(each.share * each.watched_ns for each in watched) / total
    return [span(max(each.longest_ns for each in watched)), f"{share:.2%}"]


def _noise(hiccups: Sequence[Hiccups]) -> str:
    """Say what others took of the receiving core, beside a tail."""
    longest, share = _away(hiccups)
    if longest == "-":
        return "The host's noise is not known: a receiver that sleeps cannot watch for hiccups."
    count = sum(each.count for each in hiccups)
    return (
        f"The host's noise: the receiving core was away {count:,} times for more than 10 us, {share} of the time "
        f"watched, {longest} at most."
    )


def _host(host: dict[str, object]) -> str:
    said = ", ".join(f"{escape(str(name))} {escape(str(value))[:80]}" for name, value in host.items())
    return f"Host: {said}." if said else ""
