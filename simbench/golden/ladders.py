"""Two books of one instrument as text, level beside level, so that the eye finds what differs."""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIDES: Final = (("asks", "offer"), ("bids", "bid"), ("implied_asks", "implied offer"), ("implied_bids", "implied bid"))
DEPTH: Final = 5  # levels of a side: so many, and so many from the first one that differs
MOST_ORDERS: Final = 6  # orders of a queue, from the first that differs
ABSENT: Final = ("", "", "")
WIDTHS: Final = (12, 10, 7)  # price, quantity, orders


def beside(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None, names: tuple[str, str]) -> list[str]:
    """Return the lines of two books, ours on the left; a level that differs is marked.

    Args:
        ours: a book in the shape of `book --json`, with or without its queues; None where there is none.
        theirs: likewise.
        names: what stands above each.
    """
    known = ours or theirs or {}
    symbol = f" {known['symbol']}" if known.get("symbol") not in {None, known.get("key")} else ""
    room = sum(WIDTHS)
    lines = [
        f"{known.get('key')}{symbol} on {known.get('channel')}",
        f"{'':16}{names[0]:>{room}}    {names[1]:>{room}}",
        f"{'':16}{_columns(('price', 'quantity', 'orders'))}    {_columns(('price', 'quantity', 'orders'))}",
    ]
    for side, name in SIDES:
        lines += _side(_levels(ours, side), _levels(theirs, side), name)
    for what in ("state", "symbol"):
        said = [book[what] if book else "no book" for book in (ours, theirs)]
        if said[0] != said[1]:
            lines.append(f"{what}: {names[0]} {said[0]}, {names[1]} {said[1]}")
    lines.extend(_queues(ours, theirs, names))
    return [line.rstrip() for line in lines]


def _levels(book: Mapping[str, Any] | None, side: str) -> Sequence[Any]:
    levels: Sequence[Any] = book[side] if book else ()
    return levels


def _side(ours: Sequence[Any], theirs: Sequence[Any], name: str) -> list[str]:
    rows = _paired(ours, theirs, best_is_highest="bid" in name)
    first = next((number for number, (one, other) in enumerate(rows) if one != other), 0)
    lines = [
        f"{name:<16}{_columns(one)} {'  ' if one == other else '<>'} {_columns(other)}"
        for number, (one, other) in enumerate(rows)
        if number < max(DEPTH, first + DEPTH)
    ]
    if len(lines) < len(rows):
        lines.append(f"{name:<16}{len(rows) - len(lines):>{WIDTHS[0]}} more")
    return lines if "bid" in name else lines[::-1]


def _paired(ours: Sequence[Any], theirs: Sequence[Any], *, best_is_highest: bool) -> list[tuple[Any, Any]]:
    """Pair levels of the same price, so that one level more or less shifts no other; by number where prices cannot."""
    by_price = [{level[0]: level for level in levels if level is not None} for levels in (ours, theirs)]
    order = sorted({**by_price[0], **by_price[1]}, key=Decimal, reverse=best_is_highest)
    for levels, found in zip((ours, theirs), by_price, strict=True):
        if [price for price in order if price in found] != [level and level[0] for level in levels]:
            return list(zip_longest(ours, theirs, fillvalue=ABSENT))
    return [(by_price[0].get(price, ABSENT), by_price[1].get(price, ABSENT)) for price in order]


def _columns(level: Sequence[Any] | None) -> str:
    said = ("?", "?", "?") if level is None else ["" if one is None else str(one) for one in level]
    return "".join(f"{one:>{width}}" for one, width in zip(said, WIDTHS, strict=True))


def _queues(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None, names: tuple[str, str]) -> Iterator[str]:
    """Yield the first queues that differ; their sums may be the same."""
    for side, name in SIDES:
        key = f"{side[:-1]}_orders"
        queues = [dict(book.get(key, ())) if book else {} for book in (ours, theirs)]
        for price in [price for price in queues[0] if price in queues[1]]:
            one, other = queues[0][price], queues[1][price]
            if one != other:
                place = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
                for whose, queue in zip(names, (one, other), strict=True):
                    orders = ", ".join(f"{left} of {order}" for order, left in queue[place : place + MOST_ORDERS])
                    yield f"{name} {price}, {whose}, from place {place + 1} of {len(queue)}: {orders or 'nobody'}"
                return
