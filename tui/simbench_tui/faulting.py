"""Faults to switch on as a user writes them, and those that are on in a few words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbench.measure.snapshot import SwitchView

EXAMPLES: Final = "dark A, lose 2%, corrupt 1% B for 2s, delay B 300us, lose off, off"
PPM: Final = 10_000  # of a percent
KINDS: Final = {
    "dark": "dark",
    "darken": "dark",
    "lose": "lose",
    "corrupt": "corrupt",
    "delay": "delay",
    "skew": "delay",
}
FILLING: Final = frozenset({"line", "lines", "of", "by", "and", "both", "all", "on"})
UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
LONGEST_NS: Final = 1 << 46  # 19 hours
_DURATION: Final = r"(\d+\.?\d*|\.\d+)\s*(ns|us|ms|s)\b"
_FOR: Final = re.compile(r"\bfor\s+" + _DURATION)
_NS: Final = re.compile(r"(?<!\S)" + _DURATION)
_PERCENT: Final = re.compile(r"(?<!\S)(\d+\.?\d*|\.\d+)\s*%")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be switched.

    Attributes:
        kind: "dark", "lose", "corrupt" or "delay"; "" everything that is on.
        lines: numbers of the lines.
        value: parts per million, ns, or 1; 0: off.
        for_ns: how long, of the schedule at speed 1; 0 until it is switched off.
    """

    kind: str
    lines: tuple[int, ...] = ()
    value: int = 0
    for_ns: int = 0


def parse_order(text: str, lines: Sequence[str]) -> Order:
    """Read what a user wrote, such as `corrupt 1% B for 2s`; of no line means of all.

    Args:
        text: what was written.
        lines: the names that there are.

    Raises:
        SimbenchError: it is no fault.
    """
    rest = text.strip()
    rest, for_ns = _cut(_FOR, rest)
    rest, share = _cut(_PERCENT, rest)
    rest, ns = _cut(_NS, rest)
    names = {name.lower(): number for number, name in enumerate(lines)}
    kind, off, chosen = "", False, []
    for word in re.split(r"[\s,]+", rest.lower()):
        if word in names:
            chosen.append(names[word])
        elif word in KINDS and not kind:
            kind = KINDS[word]
        elif word == "off":
            off = True
        elif word and word not in FILLING:
            raise SimbenchError(f"{word!r} is no fault, and no line ({', '.join(lines)}); write {EXAMPLES}")
    if not kind:
        if off and not chosen:
            return Order("")
        raise SimbenchError(f"which fault? write {EXAMPLES}")
    if not lines:
        raise SimbenchError("there is no line that a fault could be switched on for")
    return Order(kind, tuple(chosen) or tuple(range(len(lines))), 0 if off else _value(kind, share, ns), for_ns or 0)


def _value(kind: str, share: int | None, ns: int | None) -> int:
    if kind == "dark":
        return 1
    if kind == "delay":
        if not ns:
            raise SimbenchError("by how long? write delay B 300us")
        return ns
    if not share or share > 100 * PPM:
        raise SimbenchError(f"how many of a hundred? write {kind} 2%; from 0.0001 to 100")
    return share


def _cut(pattern: re.Pattern[str], text: str) -> tuple[str, int | None]:
    """Return a text without what matches, and that as a whole number: ns, or parts per million; None where nothing."""
    found = pattern.search(text)
    if found is None:
        return text, None
    scale = PPM if pattern is _PERCENT else UNITS[found[2]]
    return text[: found.start()] + " " + text[found.end() :], min(round(float(found[1]) * scale), LONGEST_NS)


def in_words(switches: Sequence[SwitchView], room: int) -> str:
    """What is switched on, for a badge: `A DARK, B LOSE 2 %`; how many there are where that is too long; "" nothing."""
    on: dict[str, list[str]] = {}
    for switch in switches:
        if not switch.until_ns:
            on.setdefault(switch.words, []).append(switch.line)
    text = ", ".join(f"{'+'.join(lines)} {words}" for words, lines in on.items()).upper()
    count = sum(len(lines) for lines in on.values())
    return text if len(text) <= room else f"{count} FAULT{'S' if count > 1 else ''} ON"
