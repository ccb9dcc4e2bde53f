"""Every kind of fault with every recovery of a protocol: what of it was on the wire, noticed, and made good.

What was injected is counted by comparing what came out of the wire with the capture; the log of the faults has no part
in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

from ring_bench import Carried, carried, recorded
from small_feeds import digests

from simbench.capture.reader import open_capture
from simbench.errors import SimbenchError
from simbench.faults.report import FILLED
from simbench.faults.script import KINDS, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simbench.feed.definition import Feed
    from simbench.receive.offline import Source

    Datagrams = list[tuple[int, bytes]]

# What each kind does: on all lines alike, wherever the kind can do harm at all, so that no line makes up for another.
# Damage under right checksums is on one line, so that copies show it, or make up for it. {number} is a share of the
# capture's time.
SCRIPTS = {
    "drop": 'from = "{0.2}"\nto = "{0.5}"\nevery = 30',
    "dark": 'from = "{0.45}"\nto = "{0.5}"',
    "duplicate": 'from = "{0.2}"\nevery = 20\ncopies = 2\ndelay = "1ms"',
    "reorder": 'from = "{0.2}"\nto = "{0.5}"\nevery = 40\nby = 40',
    "delay": 'from = "{0.2}"\nto = "{0.5}"\nevery = 30\ndelay = "30ms"',
    "skew": 'line = "{line}"\nfrom = "{0.2}"\ndelay = "30ms"',
    "corrupt": 'from = "{0.2}"\nto = "{0.5}"\nevery = 30\nbits = 2',
    "corrupt, unseen": 'line = "{line}"\nfrom = "{0.2}"\nto = "{0.5}"\nevery = 30\nbits = 2\nfix_checksum = true',
    "truncate": 'from = "{0.2}"\nto = "{0.5}"\nevery = 30\nbytes = 8',
    "truncate, one line": 'line = "{line}"\nfrom = "{0.2}"\nto = "{0.5}"\nevery = 30\nbytes = 8',
    "split": "pieces = 2",
    "merge": "every = 4\ndatagrams = 3",
    "restart": 'at = "{0.5}"',
    "session": 'at = "{0.5}"\nname = "NEXT"',
}
OWN = "snapshots of the capture"  # that books of a protocol need, and take without being asked to
SHARES = ("0.2", "0.45", "0.5")
NOTICES = {  # and how one of them is called
    "gaps": "gap",
    "checksums": "checksum",
    "malformed": "malformed",
    "conflicts": "conflict",
    "epochs": "epoch",
    "late": "late",
    "reordered": "reordered",
    "copies": "copy",
    "missed": "missed",
}
SIGNS = {"gaps", "checksums", "malformed", "conflicts", "epochs"}  # that something may be wrong with the books
COLUMNS = ("fault", "recovery", "injected", "noticed", "recovered", "time to recover", "books")


@dataclass(frozen=True)
class Cell:
    """What a fault came to.

    Attributes:
        kind: of the fault, as SCRIPTS names it.
        recover: as `run --recover` has it.
        injected: datagrams that are not on the wire as they are in the capture, or only there.
        noticed: by NOTICES, what the receiver says and does not say of the clean run.
        times: ns of replay time from a gap's detection to its end, of the gaps that were made good.
        refilled: books that a snapshot of the capture's own filled again.
        equal: whether the books are those of the clean run.
    """

    kind: str
    recover: str
    injected: int
    noticed: dict[str, int]
    times: list[int]
    refilled: int
    equal: bool

    def row(self) -> str:
        """Return it as a row of a table."""
        noticed = ", ".join(
            f"{count:,} {NOTICES[name] if count == 1 else name}" for name, count in self.noticed.items()
        )
        gaps = self.noticed.get("gaps", 0)
        times = f"{median(self.times) / 1e6:,.1f} ms, {max(self.times) / 1e6:,.1f} ms" if self.times else ""
        recovered = f"{len(self.times):,} of {gaps:,}" if gaps else ""
        if self.recover == OWN:
            recovered = f"{self.refilled:,} {'book' if self.refilled == 1 else 'books'}" if gaps else ""
        books = "equal" if self.equal else "differ"
        return _row(self.kind, self.recover, f"{self.injected:,}", noticed or "nothing", recovered, times, books)


def cells(source: Source, recoveries: tuple[str, ...]) -> Iterator[Cell]:
    """Yield what every kind of fault that a feed can have comes to with each of some recoveries.

    Args:
        source: a capture without holes of its own.
        recoveries: as `run --recover` has them, or OWN.
    """
    lines = {line.group for channel in source.feed.channels for line in channel.lines}
    before = {group: sent for group, sent in recorded(source).items() if group in lines}
    clean = carried(source)
    usual = notices(clean.book)
    assert changed(before, clean) == 0
    assert {name for name, count in usual.items() if count} <= {"copies"}
    for name in possible(source.feed):
        for recover in recoveries:
            found = carried(source, script(name, source), "none" if recover == OWN else recover)
            said = notices(found.book)
            yield Cell(
                name,
                recover,
                changed(before, found),
                {what: said[what] - usual[what] for what in NOTICES if said[what] > usual[what]},
                times(found.book),
                taken(found) - taken(clean) if recover == OWN else 0,
                digests(found.book) == digests(clean.book),
            )


def table(found: list[Cell]) -> str:
    """Return cells as a table."""
    return _table(COLUMNS, [cell.row() for cell in found])


def scripts() -> str:
    """Return what each kind does as a table, times as shares of the capture."""
    rows = []
    for kind, keys in SCRIPTS.items():
        said = keys.replace("{line}", "A").replace("\n", ", ")
        for share in SHARES:
            said = said.replace(f'"{{{share}}}"', f"{round(100 * float(share))} %")
        rows.append(_row(kind, f"`{said}`"))
    return _table(("fault", "its keys"), rows)


def script(name: str, source: Source) -> str:
    """Return the fault script of a row for a capture."""
    kind = name.partition(",")[0]
    rows = SCRIPTS[name].replace("{line}", source.feed.channels[0].lines[0].name)
    span = last_ns(source.capture.path) - source.first_ns
    for share in SHARES:
        rows = rows.replace(f"{{{share}}}", f"+{float(share) * span / 1e9:.4f}s")
    return f'seed = 4\n[[fault]]\nkind = "{kind}"\n{rows}\n'


@cache
def last_ns(path: Path) -> int:
    """Return the latest stamp of a capture."""
    return max(int(block.frames["stamp"].max()) for block in open_capture(path).blocks())


def possible(feed: Feed) -> list[str]:
    """Return the rows of SCRIPTS, which has every kind, that a feed's protocols can have."""
    assert set(KINDS) == {name.partition(",")[0] for name in SCRIPTS}
    least = {"delay": 'delay = "1ms"', "skew": 'delay = "1ms"', "restart": "sequence = 1"}
    least["session"] = 'sequence = 1\nname = "NEXT"'
    alone = all(len(channel.lines) == 1 for channel in feed.channels)
    found = []
    for name in SCRIPTS:
        kind, _, one_line = name.partition(",")
        if one_line and alone:  # no other line shows it, or makes up for it
            continue
        try:
            parse(f'[[fault]]\nkind = "{kind}"\n{least.get(kind, "")}', feed)
        except SimbenchError:
            continue
        found.append(name)
    return found


def changed(before: dict[str, Datagrams], found: Carried) -> int:
    """Count the datagrams that are not on the wire as the capture has them, with their bytes and at their time."""
    return sum(_changed(sent, found.datagrams.get(group, [])) for group, sent in before.items())


def _changed(before: Datagrams, after: Datagrams) -> int:
    gone, new = Counter(before), Counter(after)
    gone, new = gone - new, new - gone
    payloads, made = (Counter(payload for _, payload in which.elements()) for which in (gone, new))
    moved = (payloads & made).total()
    return moved + ((payloads - made).total() or (made - payloads).total())


def taken(found: Carried) -> int:
    """Count the snapshots that filled a book."""
    return sum(channel["snapshots"]["taken"] for channel in found.book["channels"])


def notices(book: dict[str, Any]) -> dict[str, int]:
    """Return what a receiver says of what came, by NOTICES."""
    channels = book["channels"]
    lines = [line for channel in channels for line in channel["lines"]]
    gaps = [gap for channel in channels for gap in channel["gaps"] if gap["outcome"] not in FILLED]
    found = {
        "gaps": len(gaps),
        "checksums": book["capture"]["checksum_lost"],
        "malformed": book["messages"]["malformed"] + book["messages"]["bad_headers"],
        "conflicts": sum(line["conflicts"] for line in lines),
        "epochs": sum(channel["resets"] for channel in channels),
        "late": sum(line["late"] for line in lines),
        "reordered": sum(line["reordered"] for line in lines),
        "copies": sum(line["duplicates"] for line in lines),
        "missed": sum(line["missing_units"] for line in lines),
    }
    assert list(found) == list(NOTICES)
    return found


def times(book: dict[str, Any]) -> list[int]:
    """Return how long it took to make each gap good that was: ns of replay time."""
    return [
        int(gap["closed_ns"]) - int(gap["detected_ns"])
        for channel in book["channels"]
        for gap in channel["gaps"]
        if gap["outcome"] in {"retransmission", "snapshot", "natural refresh"}
    ]


def _table(columns: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([_row(*columns), "|---" * len(columns) + "|", *rows])


def _row(*columns: str) -> str:
    return f"| {' | '.join(columns)} |"
