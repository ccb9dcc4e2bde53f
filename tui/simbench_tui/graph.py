"""Areas drawn with characters: eighth blocks or braille dots, from the bottom up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Dots of a braille cell from the bottom up (Unicode 15, Braille Patterns): the left column, the right one.
_LEFT: Final = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT: Final = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_ROUND: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0)


def area(shares: Sequence[float], height: int, levels: str) -> list[str]:
    """One column a share of 0 to 1, `height` rows, top first; whatever is above nothing shows at least its foot."""
    steps = len(levels) - 1
    filled = [_filled(share, height * steps) for share in shares]
    return ["".join(levels[min(max(n - row * steps, 0), steps)] for n in filled) for row in range(height - 1, -1, -1)]


def braille(shares: Sequence[float], height: int) -> list[str]:
    """Two shares of 0 to 1 a cell, four dots a row, top first."""
    dots = [_filled(share, height * 4) for share in shares]
    if len(dots) % 2:
        dots.append(0)
    rows = []
    for row in range(height - 1, -1, -1):
        base = row * 4
        line = "".join(
            chr(0x2800 + _LEFT[min(max(a - base, 0), 4)] + _RIGHT[min(max(b - base, 0), 4)])
            for a, b in zip(dots[::2], dots[1::2], strict=True)
        )
        rows.append(line.replace("\u2800", " "))
    return rows


def stacked(lower: Sequence[float], upper: Sequence[float], height: int, levels: str, shade: str) -> list[str]:
    """As an area of `lower`, with `shade` from there up to `upper`; whole cells, top first."""
    steps = len(levels) - 1
    solid = [_filled(share, height * steps) for share in lower]
    whole = [-(-_filled(share, height * steps) // steps) for share in upper]
    return [
        "".join(
            levels[min(n - row * steps, steps)] if n > row * steps else shade if row < top else levels[0]
            for n, top in zip(solid, whole, strict=True)
        )
        for row in range(height - 1, -1, -1)
    ]


def bar(share: float, width: int, eighths: str) -> str:
    """A bar from the left of at most `width` cells; whatever is above nothing shows."""
    steps = len(eighths)
    full, rest = divmod(_filled(share, width * steps), steps)
    return eighths[-1] * full + (eighths[rest - 1] if rest else "")


def round_up(value: float) -> float:
    """The next round figure: a scale that seldom moves and leaves at most a third of the room empty."""
    if value <= 1:
        return 1.0
    step = 10.0 ** (len(str(int(value))) - 1)
    return next(times * step for times in _ROUND if value <= times * step)


def _filled(share: float, steps: int) -> int:
    if share <= 0 or not steps:
        return 0
    return max(1, min(round(share * steps), steps))
