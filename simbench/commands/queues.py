"""What each queue of a run had, for its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from simbench.times import span

if TYPE_CHECKING:
    from collections.abc import Mapping


def queues(found: Mapping[str, Any]) -> Table:
    """Lay out frames, channels, hand-overs and latency by queue.

    Args:
        found: the result of a run over several queues.
    """
    steering = found["steering"]
    split = len(steering["split"])
    torn = f"{split:,} channels torn apart" if split else "every channel whole"
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.title, table.title_justify = f"queues by {steering['name']}: {torn}", "left"
    table.title_style = ""
    for name in ("queue", "core", "channels", "frames", "handed over", "taken over"):
        table.add_column(name, justify="right")
    for name in ("a hand-over p50", "p99", "wire to book p50", "p99"):
        table.add_column(name, justify="right")
    for queue in found["queues"]:
        over, book = queue["hand_over"], queue["stages"]["send_book"]
        table.add_row(
            str(queue["queue"]),
            "any" if queue["cpu"] is None else str(queue["cpu"]),
            f"{len(queue['channels']):,}",
            f"{queue['frames']:,}",
            f"{queue['handed_over']:,}",
            f"{queue['taken_over']:,}",
            *(span(over[share]) if over and over["n"] else "" for share in ("p50", "p99")),
            *(span(book[share]) if book["n"] else "" for share in ("p50", "p99")),
        )
    return table
