"""The whole report: what can be done here, how the host is set up, and what its cores lose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simbench.doctor import hiccups, rights, tuning, wires
from simbench.doctor.check import Verdict

if TYPE_CHECKING:
    from simbench.doctor.check import Check

SECTIONS: Final = {
    "can": "Can it do what is asked",
    "set_up": "Is it set up to be measured on",
    "measured": "Is it quiet now",
}


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        can: wires, stacks, modes and rights.
        set_up: how the host is set up.
        measured: what its cores lose.
        fit: whether medians of latency mean something here.
    """

    can: list[Check]
    set_up: list[Check]
    measured: list[Check]
    fit: bool

    @property
    def verdict(self) -> str:
        """The report in one line."""
        missing = sum(check.verdict is Verdict.MISSING for check in self.can)
        changes = sum(check.verdict is Verdict.CHANGE for check in (*self.can, *self.set_up, *self.measured))
        able = "everything works here" if not missing else f"{missing} of {len(self.can)} cannot be done here"
        fit = "medians mean something, tails as far as hiccups let them" if self.fit else "it is too busy to measure"
        return f"{able}; {fit}; {changes} changes advised"

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        sections = {name: [check.told() for check in getattr(self, name)] for name in SECTIONS}
        return {"schema": 1, "verdict": self.verdict, "fit": self.fit, **sections}


def examine(seconds: float = 2.0, root: Path = Path("/")) -> Report:
    """Look at everything; takes `seconds` a core and about four more where there are wires to try.

    Args:
        seconds: for which each core is watched.
        root: of the files that say how the host is set up.
    """
    cores = sorted(os.sched_getaffinity(0))
    can = [*rights.look(), *wires.look()]
    watched = [hiccups.watch(core, round(seconds * 1e9)) for core in cores]
    return Report(
        can=can,
        set_up=tuning.read(root, cores),
        measured=[each.check() for each in watched],
        fit=len(cores) > 1 and sum(each.share <= hiccups.NOISY for each in watched) > 1,
    )
