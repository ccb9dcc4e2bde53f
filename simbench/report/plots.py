"""The figures. Each takes its data and a canvas; meaning is in line, mark and label, and colour repeats it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from simbench.report.style import HATCHES, INK, LINES, MARKS, SERIES, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simbench.report.files import Bucket, Run, Steering
    from simbench.report.style import Canvas

S: Final = 1e9
LEAST_NS: Final = 1  # on a logarithmic axis 0 is drawn here
CURVES: Final = {  # stages that a percentile plot has, by what they are called there
    "due_send": "due to send (replayer)",
    "send_hook": "send to hook (wire)",
    "hook_app": "hook to application (stack)",
    "send_app": "send to application",
    "app_book": "application to book (handler)",
    "due_book": "due to book (everything)",
}
COURSE: Final = ("due_send", "send_app", "app_book", "due_book")
SHARES: Final = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999)


def rates(course: Sequence[Bucket], canvas: Canvas) -> Figure:
    """Draw rates, gaps and what the host took, over clock time."""
    figure = Figure(figsize=(canvas.width, 5.6), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.2, 1.2))
    edges = [course[0].at_ns / S, *((each.at_ns + each.span_ns) / S for each in course)]
    for place, name in enumerate(("frames", "messages")):
        values = [getattr(each, name) * S / each.span_ns for each in course]
        top.stairs(values, edges, color=SERIES[place], linestyle=LINES[place], label=name, linewidth=1.5)
    top.set_ylim(bottom=0)
    top.set_title("rate, 1/s")
    top.yaxis.set_major_formatter(FuncFormatter(_thousands))
    _legend(figure, top, canvas)
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    for place, (name, label) in enumerate((("gaps_lost", "lost"), ("gaps_filled", "filled"), ("drops", "drops"))):
        here = [(x, getattr(each, name)) for x, each in zip(middles, course, strict=True) if getattr(each, name)]
        middle.plot(*zip(*here, strict=True) if here else ([], []), MARKS[place], color=SERIES[place + 1], label=label)
    counts = [value for each in course for value in (each.gaps_lost, each.gaps_filled, each.drops)]
    middle.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    middle.set_ylim(0, max(1, *counts) * 1.2)
    middle.set_title("gaps that ended, frames dropped" if any(counts) else "gaps that ended, frames dropped: none")
    if any(counts):
        middle.legend(fontsize="small", ncols=3)
    _host(bottom, course, edges)
    return figure


def percentiles(run: Run, canvas: Canvas) -> Figure:
    """Draw latency over 1/(1 - q), both logarithmic, and the longest hiccup as a line across."""
    figure = Figure(figsize=(canvas.width, 5.0), layout="constrained")
    axes = figure.subplots()
    longest = 1.0
    for place, (name, label) in enumerate(CURVES.items()):
        curve = [(share, value) for share, value in run.curves.get(name, ()) if share < 1]
        if not curve:
            continue
        odds = [1 / (1 - share) for share, _ in curve]
        values = [max(value, LEAST_NS) for _, value in curve]
        longest = max(longest, odds[-1])
        every = max(1, len(odds) // 6)
        look: Any = {"color": SERIES[place], "linestyle": LINES[place], "marker": MARKS[place], "markersize": 4.5}
        axes.plot(odds, values, markevery=(place, every), label=label, **look)
    if run.hiccups.watched_ns and run.hiccups.longest_ns:
        axes.axhline(run.hiccups.longest_ns, color=INK, linewidth=0.9, label="longest hiccup of the host")
    axes.set_xscale("log")
    _times(axes.yaxis, axes.set_yscale)
    shown = [share for share in SHARES if 1 / (1 - share) <= longest * 1.5]
    axes.set_xticks([1 / (1 - share) for share in shown], [f"{100 * share:.9g} %" for share in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("percentile, by 1/(1 - q)")
    axes.set_title("latency")
    if canvas.narrow:
        axes.tick_params(axis="x", rotation=45)
    _legend(figure, axes, canvas)
    return figure


def course(buckets: Sequence[Bucket], canvas: Canvas) -> Figure:
    """Draw p50, p99 and the largest of each stage over clock time, and what the host took below."""
    names = [name for name in COURSE if any(name in each.stages for each in buckets)]
    figure = Figure(figsize=(canvas.width, 1.7 * len(names) + 1.4), layout="constrained")
    panels = figure.subplots(len(names) + 1, 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=False):
        there = [each for each in buckets if name in each.stages]
        times = [(each.at_ns + each.span_ns / 2) / S for each in there]
        for place, label in enumerate(("p50", "p99", "largest")):
            values = [max(each.stages[name][place + 1], LEAST_NS) for each in there]
            style = LINES[place] if label != "largest" else "none"
            look = {"color": SERIES[place], "linestyle": style, "marker": MARKS[place], "markersize": 2.5}
            axes.plot(times, values, label=label, **look)
        _times(axes.yaxis, axes.set_yscale)
        axes.set_title(CURVES[name])
    _legend(figure, panels[0], canvas)
    edges = [buckets[0].at_ns / S, *((each.at_ns + each.span_ns) / S for each in buckets)]
    _host(panels[-1], buckets, edges)
    return figure


def dots(rows: Mapping[str, Mapping[str, int]], canvas: Canvas) -> Figure:
    """Draw several times of each row on one logarithmic axis.

    Args:
        rows: ns by what they are called, by name of the row.
        canvas: to draw on.
    """
    names = [plain(name, 30 if canvas.narrow else 48) for name in rows]
    figure = Figure(figsize=(canvas.width, 1.4 + 0.36 * len(names)), layout="constrained")
    axes = figure.subplots()
    series = list(dict.fromkeys(key for row in rows.values() for key in row))
    for place, key in enumerate(series):
        here = [(max(row[key], LEAST_NS), at) for at, row in enumerate(rows.values()) if key in row]
        look: Any = {"color": SERIES[place % 6], "markersize": 7, "fillstyle": "full" if place == 0 else "none"}
        axes.plot(*zip(*here, strict=True), MARKS[place % 6], label=plain(key), **look)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _times(axes.xaxis, axes.set_xscale)
    axes.set_xlabel("time, logarithmic")
    _legend(figure, axes, canvas)
    return figure


def queues(found: Steering, canvas: Canvas) -> Figure:
    """Draw the load of each queue under each scheme, and an even load as a line."""
    figure = Figure(figsize=(canvas.width, 5.2), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    count = max(len(scheme.queues) for scheme in found.schemes)
    wide = 0.8 / len(found.schemes)
    titles = {"mean": "datagrams of the whole capture", "busiest": "datagrams of its busiest millisecond"}
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for place, scheme in enumerate(found.schemes):
            places = [queue + (place + 0.5) * wide - 0.4 for queue in range(len(scheme.queues))]
            values = [queue.get(key, 0) for queue in scheme.queues]
            look = {"facecolor": SERIES[place % 6], "hatch": HATCHES[place % 6], "edgecolor": INK, "linewidth": 0.6}
            axes.bar(places, values, wide, label=plain(scheme.name), **look)
        total = sum(queue.get(key, 0) for queue in found.schemes[0].queues)
        axes.axhline(total / count, color=INK, linestyle="--", linewidth=0.9, label="even load")
        axes.set_title(title)
        axes.yaxis.set_major_formatter(FuncFormatter(_thousands))
        axes.grid(visible=False, axis="x")
    panels[1].set_xlabel("queue")
    panels[1].set_xticks(range(0, count, 1 + count // 16))
    _legend(figure, panels[0], canvas)
    return figure


def _host(axes: Any, course: Sequence[Bucket], edges: Sequence[float]) -> None:
    """Draw which share of each bucket others had the receiving core."""
    values = [min(100.0, 100 * each.away_ns / each.span_ns) for each in course]
    axes.stairs(values, edges, color=INK, fill=True, alpha=0.35)
    axes.set_ylim(0, max(1.0, *values) * 1.1)
    axes.set_title("hiccups of the host: share of time, %")
    axes.set_xlabel("clock time since the first frame, s")


def _times(axis: Any, scale: Any) -> None:
    """Make an axis of ns logarithmic, with a unit at each power of ten."""
    scale("log")
    axis.set_major_formatter(FuncFormatter(_time))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def _time(value: float, _place: object = None) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value >= size:
            return f"{value / size:,.4g} {unit}"
    return f"{value:.4g} ns"


def _legend(figure: Figure, axes: Any, canvas: Canvas) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = 4 if not canvas.narrow else 3 if all(len(label) < 16 for label in labels) else 1
    figure.legend(handles, labels, ncols=columns, fontsize="small", loc="outside upper left")


def _thousands(value: float, _place: object = None) -> str:
    return f"{value:,.10g}"
