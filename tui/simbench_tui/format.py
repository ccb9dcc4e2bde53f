"""Figures as text: exact where they are prices, of one width where they move."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, set_cell_size

DURATION_WIDTH: Final = 7
SECOND: Final = 1_000_000_000

_DURATIONS: Final = (
    (1, "ns"),
    (1_000, "us"),
    (1_000_000, "ms"),
    (SECOND, "s "),
    (3_600 * SECOND, "h "),
    (86_400 * SECOND, "d "),
)
_SPELT: Final = 4096  # prices and sizes kept as text: a ladder is the same ten times a second but for a few
_SCALES: Final = ("", "k", "M", "G", "T", "P", "E")


def number(text: str, width: int) -> str:
    """`text` at the right of `width` cells; one that does not fit becomes #, since a figure cut short is a lie."""
    return text.rjust(width) if len(text) <= width else "#" * width


def count(value: int, width: int) -> str:
    """An integer: in full with thousands marked, in full, or scaled to k, M, G, T, P, E, whichever fits first."""
    for text in (f"{value:,}", str(value)):
        if len(text) <= width:
            return text.rjust(width)
    return number(_scaled(float(value), width), width) if abs(value) < 10**21 else "#" * width


def rate(value: float, width: int) -> str:
    """A value per second: whole numbers, scaled where they do not fit; one decimal below ten."""
    if 0 < abs(value) < 9.95:
        return number(f"{value:.1f}", width)
    text = f"{value:,.0f}"
    if len(text) <= width:
        return text.rjust(width)
    return number(_scaled(value, width), width) if abs(value) < 1e21 else "#" * width


def duration(ns: int) -> str:
    """Nanoseconds as three digits and a unit, always seven cells: ` 812 ns`, `1.24 us`, `12.4 ms`, ` 124 s `."""
    size = abs(ns)
    scale, unit = _DURATIONS[0]
    for next_scale, next_unit in _DURATIONS[1:]:
        if size < next_scale - next_scale // 2_000:
            break
        scale, unit = next_scale, next_unit
    return number(f"{_three(ns / scale, whole=scale == 1)} {unit}", DURATION_WIDTH)


def factor(value: float) -> str:
    """A speed as seven cells: ` 1.00x`, ` 0.10x`, `  100x`."""
    return number(f"{_three(value, whole=False)}x", 7)


def percent(share: float) -> str:
    """A share of one as seven cells: ` 42.1 %`."""
    return number(f"{100 * share:.1f} %", 7)


@lru_cache(_SPELT)
def decimals(mantissa: int, exponent: int) -> int:
    """How many decimals mantissa x 10^exponent needs to be exact."""
    places = max(-exponent, 0)
    if mantissa == 0:
        return 0
    while places and mantissa % 10 == 0:
        mantissa //= 10
        places -= 1
    return places


@lru_cache(_SPELT)
def exact(mantissa: int, exponent: int, places: int = 0) -> str:
    """The product mantissa x 10^exponent, exact, with at least `places` decimals."""
    needed = decimals(mantissa, exponent)
    sign, digits = "-" if mantissa < 0 else "", abs(mantissa)
    if exponent >= 0:
        whole, fraction = str(digits * 10**exponent), ""
    else:
        text = str(digits).rjust(1 - exponent, "0")
        whole, fraction = text[:exponent], text[exponent:][:needed]
    fraction = fraction.ljust(places, "0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def time_of_day(ns: int, digits: int = 6) -> str:
    """Recorded time in UTC as `14:30:25.968272`; dashes where nothing was recorded yet."""
    seconds, rest = divmod(ns, SECOND)
    if ns <= 0:
        return "--:--:--" + ("." + "-" * digits if digits else "")
    minutes, second = divmod(seconds % 86_400, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{hour:02}:{minute:02}:{second:02}"
    return f"{text}.{rest:09}"[: len(text) + 1 + digits] if digits else text


def date(ns: int) -> str:
    """The day of a recorded time in UTC."""
    return datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y-%m-%d") if ns > 0 else "----------"


def elapsed(ns: int) -> str:
    """A span as `00:01:23.4`, ten cells; more than 99 hours in days."""
    tenths = max(ns, 0) // (SECOND // 10)
    minutes, rest = divmod(tenths, 600)
    hours, minute = divmod(minutes, 60)
    if hours > 99:
        return number(f"{hours // 24}d {hours % 24:02}h", 10)
    return f"{hours:02}:{minute:02}:{rest // 10:02}.{rest % 10}"


def printable(text: str) -> str:
    """`text` without what would move a cursor: the names in a feed are whatever was on the wire."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def fit(text: str, width: int, ellipsis: str = "~", *, right: bool = False) -> str:
    """Words in exactly `width` cells, cut with an ellipsis; counts wide characters as two cells."""
    if width <= 0:
        return ""
    text = printable(text)
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ellipsis
    pad = " " * (width - size)
    return pad + text if right else text + pad


def _three(value: float, *, whole: bool) -> str:
    """Three significant digits in four cells, a sign among them; more where there are more before the point."""
    size = abs(value)
    if whole or size >= 99.95:
        return f"{value:.0f}"
    places = 1 if size >= 9.995 else 2
    return f"{value:.{places - (value < 0)}f}"


def _scaled(value: float, width: int) -> str:
    """With a suffix, as many decimals as fit, two at most."""
    for suffix in _SCALES[1:]:
        value /= 1000
        if abs(value) < 999.5:
            for places in (2, 1, 0):
                text = f"{value:.{places}f}{suffix}"
                if len(text) <= width:
                    return text
            return text
    return f"{value:.0f}{_SCALES[-1]}"
