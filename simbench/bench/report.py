"""What a figure hands back, and how it is shown: a rich table for the terminal, Markdown for the README."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console


@dataclass(frozen=True)
class Range:
    """A figure over repeats.

    Attributes:
        low: smallest.
        median: likewise.
        high: largest.
        repeats: how many.
    """

    low: float
    median: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return the range of some repeats, at least one."""
        each = [float(value) for value in values]
        return cls(min(each), float(np.median(each)), max(each), len(each))

    @classmethod
    def of_ratios(cls, ours: Sequence[float], theirs: Sequence[float]) -> Self:
        """Return the range of our figure over the peer's, repeat by repeat: what disturbed the host disturbed both."""
        return cls.of(one / other for one, other in zip(ours, theirs, strict=True))

    def text(self, digits: int = 2) -> str:
        """Return "median (low to high)"."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


@dataclass(frozen=True)
class Target:
    """A figure and what it has to be.

    Attributes:
        name: what is measured.
        found: over repeats; its median is what counts.
        bound: of the target.
        at_most: whether smaller is better.
        unit: behind the numbers.
        digits: behind the point.
        by: "median"; "best" where it is enough that the better end is on the right side (no worse than a peer), "worst"
            where the other end has to be, too.
    """

    name: str
    found: Range
    bound: float
    at_most: bool = True
    unit: str = ""
    digits: int = 2
    by: Literal["median", "best", "worst"] = "median"

    @property
    def met(self) -> bool:
        """Whether what counts is on the right side."""
        ends = self.found.low, self.found.high
        best, worst = ends if self.at_most else reversed(ends)
        value = {"median": self.found.median, "best": best, "worst": worst}[self.by]
        return value <= self.bound if self.at_most else value >= self.bound

    def cells(self) -> tuple[str, ...]:
        """Return a row: name, found, target, verdict."""
        unit = f" {self.unit}" if self.unit else ""
        asked = f"at {'most' if self.at_most else 'least'} {self.bound:,.{self.digits}f}{unit}"
        return self.name, self.found.text(self.digits) + unit, asked, "met" if self.met else "missed"


@dataclass(frozen=True)
class Section:
    """One figure, ready to be shown.

    Attributes:
        title: of the section.
        method: how it was measured, a few sentences.
        header: names of the columns; the first holds names, the others numbers.
        rows: as many cells each.
        targets: what is demanded of it.
        notes: what else has to be known: a peer that is missing, what was compared.
    """

    title: str
    method: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()


def interval(values: Sequence[float], *, draws: int = 10_000) -> Range:
    """Return the median of some values with its 95 % interval, by the bootstrap; seeded, so the same for the same."""
    each = np.asarray(values, np.float64)
    drawn = np.random.default_rng(1).choice(each, (draws, len(each)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return Range(float(low), float(np.median(each)), float(high), len(each))


TARGETS = ("target", "median (low to high)", "asked", "")


@dataclass
class Report:
    """All sections of a run, under a line about the host.

    Attributes:
        host: the line.
        command: that takes these figures again.
        sections: in order.
    """

    host: str
    command: str
    sections: list[Section] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the report as the README has it."""
        blocks = [self.host, f"Taken by `{self.command}`.", *(markdown(section) for section in self.sections)]
        return "\n\n".join(blocks) + "\n"


def markdown(section: Section) -> str:
    """Return a section as Markdown: heading, method, table, targets, notes."""
    blocks = [f"### {section.title}", section.method, _pipes(section.header, section.rows)]
    if section.targets:
        blocks.append(_pipes(TARGETS, [target.cells() for target in section.targets]))
    if section.notes:
        blocks.append("\n".join(f"- {note}" for note in section.notes))
    return "\n\n".join(block for block in blocks if block)


def show(section: Section, console: Console) -> None:
    """Print a section to a terminal."""
    console.print()
    console.print(Text(section.title, style="bold"))
    console.print(Text(section.method, style="dim"))
    if section.rows:
        console.print(_table(section.header, section.rows))
    if section.targets:
        console.print(_table(TARGETS, [target.cells() for target in section.targets]))
    for note in section.notes:
        console.print(Text(f"- {note}"))


def _pipes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def microseconds(ns: float) -> str:
    """Return nanoseconds as microseconds.

    >>> microseconds(1234)
    '1.23'
    """
    return f"{ns / 1e3:,.2f}"
