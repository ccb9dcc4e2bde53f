"""How evenly channels are spread over four queues, by hashing as cards do it and by planned rules."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simbench.bench.report import Range, Section, Target
from simbench.bench.venue import write_venue
from simbench.bench.wire_equality import differences
from simbench.receive.offline import Offline, open_source
from simbench.session import run_quietly
from simbench.steering.load import weigh
from simbench.steering.schemes import schemes
from simbench.steering.table import RSS, RULES
from simbench.steering.verification import VALUES, wrong
from simbench.wire.probe import probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simbench.receive.offline import Source
    from simbench.steering.rules import Rule
    from simbench.steering.schemes import Scheme

TITLE: Final = "Steering"
METHOD: Final = (
    "Generated captures of a venue with many ITCH channels, lines A and B each, whose sizes are as uneven as a Pareto "
    "distribution makes them and which the same news hits, are steered to four queues: by RSS (Toeplitz) over "
    "addresses and ports, by RSS over addresses, and by the rules that simbench steer plans, which keep channels "
    "whole. Over least is the datagrams of the busiest queue over what that queue has at least while channels are "
    "whole (the larger of the mean and the hottest channel), of the whole capture and of its busiest millisecond; RSS "
    "tears channels apart and may be below it. Over mean is the same over the mean of the queues. Cells are medians "
    "over captures with another seed each. Captures of the middle size are run as well: over a veth with four queues, "
    "at speed max, a thread and books for each queue, and the books are compared with those of one queue offline."
)
HEADER: Final = (
    "channels",
    "steering",
    "over least, mean",
    "over least, busiest ms",
    "over mean, mean",
    "over mean, busiest ms",
    "channels torn",
    "handed over",
    "books of four queues",
)
QUEUES: Final = 4
CHANNELS: Final = (16, 32, 64)
RUN_AT: Final = 32  # channels
MESSAGES: Final = 300_000
BOUND: Final = 1.1


@dataclass(frozen=True)
class Run:
    """A capture run over four queues.

    Attributes:
        handed: datagrams that a queue's thread handed to another.
        differing: what is not as it is offline; empty: equal.
    """

    handed: int
    differing: tuple[str, ...]


@dataclass
class Steering:
    """What each way of steering comes to, one entry a capture.

    Attributes:
        missing: why nothing was run; "" it was.
        hashes: verification values that are wrong.
        found: by channels and name of the scheme.
        runs: by name of the scheme.
    """

    missing: str = ""
    hashes: tuple[str, ...] = ()
    found: dict[int, dict[str, list[Scheme]]] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def add(self, channels: int, each: Sequence[Scheme]) -> None:
        """Take what all schemes make of a capture."""
        for scheme in each:
            self.found.setdefault(channels, {}).setdefault(scheme.name, []).append(scheme)

    def section(self) -> Section:
        """Return the table and what is demanded of it."""
        planned = [scheme.excess() for schemes_of in self.found.values() for scheme in schemes_of[RULES]]
        names = ("for the mean", "for the busiest ms")
        targets = [
            Target(f"rules: busiest queue over least, {name}", Range.of(values), BOUND, by="worst", digits=3)
            for name, values in zip(names, zip(*planned, strict=True), strict=True)
        ]
        targets.append(Target(f"Toeplitz: wrong of {VALUES} values", Range.of([len(self.hashes)]), 0, digits=0))
        datagrams = sum(scheme.loads[:, 0].sum() for each in self.found.values() for scheme in each[RULES])
        notes = [f"{len(planned)} captures, {int(datagrams):,} datagrams in all", *self.hashes]
        if self.missing:
            notes.append(f"not run over four queues: {self.missing}")
        else:
            differing = sum(bool(run.differing) for run in self.runs[RULES])
            targets.append(Target("runs under rules whose books differ", Range.of([differing]), 0, digits=0))
            notes.append(f"{len(self.runs[RULES])} captures run")
        rows = [
            self._row(channels, name, each)
            for channels, schemes_of in self.found.items()
            for name, each in schemes_of.items()
        ]
        return Section(TITLE, METHOD, HEADER, tuple(rows), tuple(targets), tuple(notes))

    def _row(self, channels: int, name: str, each: Sequence[Scheme]) -> tuple[str, ...]:
        ratios = (
            *zip(*(one.excess() for one in each), strict=True),
            *zip(*(one.imbalance() for one in each), strict=True),
        )
        torn = Range.of(len(one.split) for one in each)
        runs = self.runs.get(name, []) if channels == RUN_AT else []
        differing = sorted({name for run in runs for name in run.differing})
        return (
            str(channels),
            name,
            *(Range.of(values).text() for values in ratios),
            f"{torn.median:.0f}",
            f"{Range.of(run.handed for run in runs).median:,.0f}" if runs else "-",
            (", ".join(differing) or "equal") if runs else "-",
        )


def steering(*, quick: bool = False) -> Steering:
    """Measure: captures of each size, each with a seed of its own, weighed, steered, and some of them run."""
    found = Steering(probe().veth, tuple(wrong()))
    for seed in range(1, (2 if quick else 5) + 1):
        for channels in CHANNELS:
            with tempfile.TemporaryDirectory(prefix="simbench-") as folder:
                messages = MESSAGES // 10 if quick else MESSAGES
                source = open_source(write_venue(Path(folder), channels, messages, seed))
                each, rules = schemes(weigh(source.capture.path, source.feed), source.feed, QUEUES)
                found.add(channels, each)
                if channels == RUN_AT and not found.missing:
                    expected = _offline(source)
                    for name, plan in ((RSS, None), (RULES, tuple(rules))):
                        found.runs.setdefault(name, []).append(_run(source, plan, expected))
    return found


def _offline(source: Source) -> dict[str, Any]:
    run = Offline(source)
    while run.advance():
        pass
    return run.result()


def _run(source: Source, rules: tuple[Rule, ...] | None, expected: Mapping[str, Any]) -> Run:
    done = run_quietly(source, wire="veth", speed="max", queues=QUEUES, rules=rules)
    handed = sum(queue["handed_over"] for queue in done["queues"])
    return Run(handed, tuple(differences(expected, done["book"])))
