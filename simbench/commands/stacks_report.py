"""What `simbench stacks` prints and writes: the cells, what they cost, the effects apart, and the two ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from simbench.doctor.hiccups import NOISY
from simbench.session.effects import BYPASS, CLAIM_NS, FEED, WAITING, effects, ends
from simbench.session.stacks import FEEDS, SHARES, same_digests, same_tops
from simbench.times import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from simbench.session.effects import Effect, Ends
    from simbench.session.stacks import Row

NAMES: Final = ("p50", "p90", "p99", "p99.9", "max")
METHOD: Final = (
    "spread: the highest run less the lowest, over the median run. away: how long others had the receiving core at",
    "most, and their share of the time, while it spun; a receiver that sleeps cannot watch. Percentiles are at most",
    "0.8 % above the true ones, and of all frames, also of those that another line had brought first. us/frame:",
    "processor time of both processes while frames were sent; cores: of their two cores, with interrupts and whatever",
    "else ran there. ratios: the median of the turns (lowest to highest), each of two runs of one turn.",
)
KINDS: Final = {
    BYPASS: "bypass: udp / xdp",
    WAITING: "waiting: block / spin",
    FEED: "feed: snapshots / increments",
}
QUESTION: Final = {True: "yes", False: "NO", None: "-"}


def layout(rows: Sequence[Row]) -> RenderableType:
    """Lay out everything, within 120 columns."""
    ran = [row for row in rows if row.runs]
    parts: list[RenderableType] = []
    if ran:
        parts += [
            _headed("wire to application: driver hook to application (T2 to T3)", stage_table(rows, "hook_app")),
            _headed("wire to book: driver hook to book (T2 to T4)", stage_table(rows, "hook_book")),
            _headed("from when a frame was due (T0), the sender's lateness included", due_table(rows)),
            _headed("cost, a run", cost_table(rows)),
            _headed("effects apart: how many times as long", effect_table(effects(rows))),
        ]
    parts += [Text(failure(row)) for row in rows if row.why]
    found = ends(rows)
    if found is not None:
        title = f"the two ends: {found.traditional.cell.title} : {found.optimised.cell.title}"
        parts += [_headed(title, end_table(found)), *(Text(line) for line in claim(found))]
    parts += [Text(line) for line in (*equality(rows), *warnings(rows))]
    parts += [Text(line, style="dim") for line in METHOD]
    return Group(*parts)


def failure(row: Row) -> str:
    """Say why a cell did not run, or not as often as the others."""
    if not row.runs:
        return f"{row.cell.title} is not to be had here: {row.why}"
    return f"{row.cell.title} failed after {len(row.runs)} good runs: {row.why}"


def stage_table(rows: Sequence[Row], stage: str) -> Table:
    """Lay out one stage of every cell, what its runs differ by, and the hiccups beside its tail."""
    table = _table("cell", *NAMES, "p50 spread", "p99 spread", "away", "share")
    for row in rows:
        if not row.runs:
            table.add_row(row.cell.title, "not available")
            continue
        histogram = row.stage(stage)
        if not histogram.count:
            table.add_row(row.cell.title, "not seen")
            continue
        values = [*histogram.percentiles(*SHARES.values()), histogram.highest]
        spreads = [f"{row.spread(stage, share):.0%}" for share in (50.0, 99.0)] if len(row.runs) > 1 else ["-", "-"]
        away = ("-", "-") if row.away is None else (span(row.away[0]), f"{row.away[1]:.2%}")
        table.add_row(row.cell.title, *(span(value) for value in values), *spreads, *away)
    return table


def due_table(rows: Sequence[Row]) -> Table:
    """Lay out what every cell took from the due time, to the application and to the book."""
    table = _table("cell", *(f"{end} {name}" for end in ("app", "book") for name in ("p50", "p99", "p99.9", "max")))
    for row in rows:
        if not row.runs:
            table.add_row(row.cell.title, "not available")
            continue
        texts = []
        for stage in ("due_app", "due_book"):
            histogram = row.stage(stage)
            texts += [span(value) for value in (*histogram.percentiles(50, 99, 99.9), histogram.highest)]
        table.add_row(row.cell.title, *texts)
    return table


def cost_table(rows: Sequence[Row]) -> Table:
    """Lay out what went over the wire, what was lost, and the processor time of a frame."""
    table = _table("cell", "frames", "MB", "lost", "us/frame", "sender", "receiver", "cores", "receiver busy", "books")
    for row in rows:
        if not row.runs:
            table.add_row(row.cell.title, "not available")
            continue
        found = row.runs[0].measured.found
        spent = row.spent
        each = [f"{value / 1_000 / max(1, spent.frames):.1f}" for value in row.costs().values()]
        table.add_row(
            row.cell.title,
            f"{found['sent']:,}",
            f"{found['replayer']['bytes'] / 1e6:.2f}",
            f"{sum(run.lost for run in row.runs):,}",
            *(each if spent.frames else ["-"] * len(each)),
            f"{spent.receiver_ns / max(1, spent.elapsed_ns):.0%}" if spent.frames else "-",
            {1: "equal"}.get(len(row.digests), f"{len(row.digests)} kinds") if len(row.runs) > 1 else "-",
        )
    return table


def effect_table(found: Sequence[Effect]) -> Table:
    """Lay out what each change does by itself, by what is changed."""
    table = _table("", "to application p50", "to book p50", "to book p99")
    for kind, title in KINDS.items():
        effects_of = [effect for effect in found if effect.kind == kind]
        if effects_of:
            table.add_row(title, style="bold")
        for effect in effects_of:
            slow, fast = effect.slow.cell.title.split(), effect.fast.cell.title.split()
            same = " ".join(word for word in fast if word in slow)
            way = f"{same}, {effect.fast.cell.mode}" if kind == BYPASS else same
            texts = [_ratio(effect, *what) for what in (("hook_app", 50.0), ("hook_book", 50.0), ("hook_book", 99.0))]
            table.add_row(f"  {way}", *texts)
    return table


def _ratio(effect: Effect, stage: str, share: float) -> str:
    if not effect.ratios(stage, share):
        return "-"
    found = effect.ratio(stage, share)
    spread = f" ({times(found['lowest'])} to {times(found['highest'])})" if len(effect.ratios(stage, share)) > 1 else ""
    return f"{times(found['ratio'])}{spread}"


def times(ratio: float) -> str:
    """Return a ratio with two or three digits, one far below 1 as a fraction.

    >>> times(3.14159), times(0.012), times(1234.5)
    ('3.14', '1/83', '1,234')
    """
    if 0 < ratio < 0.1:
        return f"1/{1 / ratio:,.0f}"
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def end_table(found: Ends) -> Table:
    """Lay out the two ends, one against the other."""
    figures = found.to_json()["found"]
    table = _table("", "p50", "p99", "p99.9")
    titles = {"hook_app": "wire to application", "hook_book": "wire to book", "due_book": "due to book"}
    for stage, title in titles.items():
        pairs = [figures[stage][name] for name in ("p50", "p99", "p999")]
        table.add_row(title, *(f"{span(slow)} : {span(fast)} ({times(slow / max(1, fast))} x)" for slow, fast in pairs))
    return table


def claim(found: Ends) -> list[str]:
    """Say what is claimed of the two ends, what was lost here, and which step between them does how much."""
    lost = [sum(run.lost for run in row.runs) for row in (found.traditional, found.optimised)]
    steps = [f"{step.kind} {times(step.ratio('hook_book', 50.0)['ratio'])} x" for step in found.steps]
    return [
        f"published comparisons: {span(CLAIM_NS[0])} against {span(CLAIM_NS[1])}, and collapse against calm",
        f"frames lost here: {lost[0]:,} against {lost[1]:,}",
        f"one step after the other, wire to book p50: {', '.join(steps)}",
    ]


def warnings(rows: Sequence[Row]) -> list[str]:
    """Say which figures are not what they seem, a line each."""
    lines = []
    noisy = [row.cell.title for row in rows if row.away is not None and row.away[1] > NOISY]
    if noisy:
        lines.append(
            f"others had the receiving core for more than {NOISY:.1%} of the time in {len(noisy)} spinning cells:"
        )
        lines.append("  these figures say more of the host than of the stack; simbench doctor says what to change")
    for row in rows:
        unmatched = sum(run.measured.found["unmatched"] + run.measured.found["unstamped"] for run in row.runs)
        if unmatched:
            lines.append(f"{row.cell.title}: {unmatched:,} frames without all stamps are in no stage that needs them")
    return lines


def equality(rows: Sequence[Row]) -> list[str]:
    """Say whether books that should be equal were."""
    same = ", ".join(f"{feed} {QUESTION[same_digests(rows, feed)]}" for feed in FEEDS)
    return [
        f"books equal over all cells and runs: {same}; ten best levels equal over both: {QUESTION[same_tops(rows)]}"
    ]


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _headed(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table, Text())
