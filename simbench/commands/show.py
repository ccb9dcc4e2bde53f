"""Results as tables: what `book` and the closing summary of `run` print, from the same dictionaries as their JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from simbench.times import iso, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

MOST_GAPS = 20
PIPED_WIDTH = 140  # columns where nobody says how wide it may be: no line of a table is folded
MOST_BOOKS = 8


def console() -> Console:
    """Return the console that results go to."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    return console


def result(found: Mapping[str, Any], *, depth: int, instrument: bool) -> RenderableType:
    """Lay out a result of the shape of `book --json`: capture, lines, gaps, counters, books.

    Args:
        found: the result.
        depth: levels a side.
        instrument: whether the books were chosen by the user, so that all of them are shown.
    """
    parts: list[RenderableType] = [_capture(found), lines(found["channels"])]
    gaps = [(channel["name"], gap) for channel in found["channels"] for gap in channel["gaps"]]
    if gaps:
        parts.append(_gaps(gaps))
    parts.append(_counters(found))
    books = found["books"]
    shown = books if instrument else _fullest(books)
    parts.extend(ladder(book, depth) for book in shown)
    if len(shown) < len(books):
        parts.append(Text(f"{len(books)} books in all; --instrument shows one of them, --json all", style="dim"))
    return Group(*parts)


def _capture(found: Mapping[str, Any]) -> RenderableType:
    capture = found["capture"]
    first, last = int(capture["first_ns"]), int(capture["last_ns"])
    lines = [
        (
            f"{capture['frames']:,} frames, {capture['datagrams']:,} datagrams of the feed, "
            f"{capture['other_frames']:,} others; {iso(first)} and {span(last - first)} on"
        ),
    ]
    if capture["backward_stamps"]:
        lines.append(f"{capture['backward_stamps']:,} stamps lie before the one in front of them in the file")
    lines.extend(capture.get("notes", ()))
    return Text("\n".join(lines))


def lines(channels: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out the lines of all channels."""
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("channel", "protocol", "line", "group"):
        table.add_column(name)
    for name in ("datagrams", "won", "duplicates", "missing"):
        table.add_column(name, justify="right")
    for channel in channels:
        for line in channel["lines"]:
            missing = sum(last - first + 1 for first, last in line["missing"])
            table.add_row(
                channel["name"],
                channel["protocol"],
                line["name"],
                line["group"],
                f"{line['datagrams']:,}",
                f"{line['won']:,}",
                f"{line['duplicates']:,}",
                f"{missing:,}",
            )
    return table


def _gaps(gaps: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("gap in", "first", "last", "messages", "instruments", "outcome"):
        table.add_column(name, justify="left" if name in {"gap in", "outcome"} else "right")
    for channel, gap in gaps[:MOST_GAPS]:
        touched = (_known(gap["messages"]), _known(gap["instruments"]))
        table.add_row(channel, f"{gap['first']}", f"{gap['last']}", *touched, gap["outcome"])
    if len(gaps) > MOST_GAPS:
        table.add_row(f"and {len(gaps) - MOST_GAPS:,} more", "", "", "", "", "")
    return table


def _known(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _counters(found: Mapping[str, Any]) -> RenderableType:
    messages, anomalies = found["messages"], found["anomalies"]
    odd = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in anomalies.items() if count)
    return Text(
        f"{messages['total']:,} messages, {messages['unknown']:,} unknown, {messages['malformed']:,} bad packets; "
        f"anomalies: {odd or 'none'}{snapshots(found)}"
    )


def snapshots(found: Mapping[str, Any]) -> str:
    """Say in a line of its own what became of snapshots; "" where there were none."""
    counts = sum((Counter(channel["snapshots"]) for channel in found["channels"]), Counter[str]())
    differ = found["anomalies"]["snapshot_differs"]
    if not counts.total() + differ:
        return ""
    return (
        f"\nsnapshots: {counts['taken']:,} filled a book, {counts['equal']:,} equal the book, {differ:,} differ, "
        f"{counts['old'] + counts['unfinished']:,} left out"
    )


def _fullest(books: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return sorted(books, key=lambda book: -(len(book["bids"]) + len(book["asks"])))[:MOST_BOOKS]


def ladder(book: Mapping[str, Any], depth: int) -> Table:
    """Lay out one book, bids on the left, best first; a level that was never sent is a question mark."""
    symbol = f"{book['symbol']} " if book.get("symbol") and book["symbol"] != book["key"] else ""
    title = f"{symbol}{book['key']} on {book['channel']} ({book['state']})"
    table = Table(box=None, title=title, title_justify="left", header_style="bold", pad_edge=False)
    for name in ("orders", "quantity", "bid", "offer", "quantity", "orders"):
        table.add_column(name, justify="right")
    bids, asks = book["bids"][:depth], book["asks"][:depth]
    for row in range(max(len(bids), len(asks))):
        bid = _level(bids, row)
        ask = _level(asks, row)
        table.add_row(bid[2], bid[1], bid[0], ask[0], ask[1], ask[2])
    return table


def _level(side: Sequence[Any], row: int) -> tuple[str, str, str]:
    if row >= len(side):
        return "", "", ""
    level = side[row]
    if level is None:
        return "?", "?", "?"
    return level[0], level[1], "" if level[2] is None else str(level[2])


def complain(line: str) -> None:
    """Print a line that is not the result itself."""
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)


def damaged(found: Mapping[str, Any]) -> bool:
    """Tell whether sequences were lost, packets malformed, books left incomplete, or a snapshot differed from its book.

    Args:
        found: a result in the shape of `book --json`.
    """
    lost = any(gap["outcome"] == "lost" for channel in found["channels"] for gap in channel["gaps"])
    if lost or found["messages"]["malformed"]:
        return True
    return bool(found["anomalies"]["snapshot_differs"] or found["anomalies"]["no_room"])
