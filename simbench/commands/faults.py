"""What a fault script did, as a table, and what does not fit in lines: the end of a run's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

MOST_FAILURES = 20


def faults_table(found: Mapping[str, Any]) -> Table:
    """Lay out what each fault of a script did, and how much of it was noticed where a receiver was there.

    Args:
        found: the section "faults" of a run's or of a replay's JSON.
    """
    heard = "judged" in found
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("fault", "kind", "channel", "line"):
        table.add_column(name)
    numbers = ["datagrams", "noticeable", *(["noticed"] if heard else []), "masked", "undetectable"]
    for name in numbers:
        table.add_column(name, justify="right")
    for fault in found["faults"]:
        table.add_row(
            str(fault["fault"]),
            fault["kind"],
            fault["channel"] or "all",
            fault["line"] or "all",
            *(f"{fault[name]:,}" for name in numbers),
        )
    return table


def judgement(found: Mapping[str, Any]) -> RenderableType:
    """Lay out the section "faults" of a run: the faults, and what does not fit."""
    gaps = found["gaps"]
    parts: list[RenderableType] = [faults_table(found)]
    own = f", {gaps['of_the_capture']:,} of them the capture's own" if gaps["of_the_capture"] else ""
    damage = f", {gaps['of_damage']:,} more possible where packets were damaged" if gaps["of_damage"] else ""
    parts.append(Text(f"gaps: {gaps['expected']:,} expected{own}{damage}; {gaps['noticed']:,} noticed"))
    if not found["judged"]:
        parts.append(Text(f"not judged: {found['why']}"))
        return Group(*parts)
    failures = found["failures"]
    for failure in failures[:MOST_FAILURES]:
        channel = f"{failure['channel']}: " if "channel" in failure else ""
        parts.append(Text(f"failure: {channel}{failure['said']}"))
    more = len(failures) - MOST_FAILURES + found["failures_unlisted"]
    if more > 0:
        parts.append(Text(f"and {more:,} more failures"))
    if not failures:
        parts.append(Text("every fault that had to be noticed was, and every gap was caused"))
    return Group(*parts)
