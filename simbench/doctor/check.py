"""A line of the doctor's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a line comes to."""

    GOOD = "good"
    NOTE = "note"  # it costs or changes something, and nothing has to be done
    CHANGE = "change"  # figures suffer from it; the advice says what to do
    MISSING = "missing"  # something cannot be done here


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of it.
        verdict: what it comes to.
        found: as it is here.
        advice: what to change; "" nothing.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""

    def told(self) -> dict[str, str]:
        """Return it for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}
