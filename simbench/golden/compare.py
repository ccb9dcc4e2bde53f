"""Compare an outcome with an expectation: what differs, in words, the first differing checkpoint named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANYWHERE: Final = ("messages", "anomalies", "books")  # equal over every wire and at every speed
MOST: Final = 10  # differences shown


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], *, wire: bool) -> list[str]:
    """Return what differs, at most MOST lines of it.

    Args:
        expected: an expectation.
        found: an outcome, offline or of a run.
        wire: it came over a wire: which line won is then a matter of the moment, and there are no checkpoints.
    """
    lines = list(_differences(expected, found, wire=wire))
    return lines if len(lines) <= MOST else [*lines[:MOST], f"and {len(lines) - MOST} more differences"]


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any], *, wire: bool) -> Iterator[str]:
    if not wire:
        for before, now in zip(expected["checkpoints"], found["checkpoints"], strict=False):
            if before != now:
                yield (
                    f"{before['channel']}: the books differ at sequence {before['sequence']}, the first checkpoint "
                    f"that does: expected {before['digest']}, got {now['digest']}"
                )
                break
        if len(expected["checkpoints"]) != len(found["checkpoints"]):
            yield f"{len(found['checkpoints'])} checkpoints were reached, {len(expected['checkpoints'])} expected"
        yield from _fields("capture", expected["capture"], found["capture"])
    for key in ANYWHERE[:2]:
        yield from _fields(key, expected[key], found[key])
    names = [[channel["name"] for channel in one["channels"]] for one in (expected, found)]
    if names[0] != names[1]:
        yield f"channels are {names[1]}, expected {names[0]}"
        return
    for before, now in zip(expected["channels"], found["channels"], strict=True):
        keys = before.keys() if not wire else ("digest", "digest_orders", "resets")
        yield from (
            f"{before['name']}: {key} is {now[key]}, expected {before[key]}"
            for key in keys
            if not _holds(before[key], now[key])
        )
        if wire and _lost(before) != _lost(now):
            yield f"{before['name']}: lost {_lost(now)}, expected {_lost(before)}"
    yield from _books(expected["books"], found["books"])


def _holds(expected: Any, found: Any) -> bool:
    """Tell whether everything that was expected is there; a later version may say more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _holds(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_holds, expected, found))
    return bool(expected == found)


def _lost(channel: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [(gap["first"], gap["last"]) for gap in channel["gaps"] if gap["outcome"] == "lost"]


def _fields(name: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for key, value in expected.items():
        if found.get(key) != value:
            yield f"{name}: {key} is {found.get(key)}, expected {value}"


def _books(expected: list[Any], found: list[Any]) -> Iterator[str]:
    ours = {(book["channel"], book["key"]): book for book in found}
    for book in expected:
        other = ours.pop((book["channel"], book["key"]), None)
        if other is None:
            yield f"{book['channel']} {book['key']}: expected, not there"
        elif other != book:
            sides = [side for side in ("bids", "asks", "implied_bids", "implied_asks") if other[side] != book[side]]
            what = ", ".join(sides) or "what is known of it"
            yield f"{book['channel']} {book['key']}: {what} differ"
    yield from (f"{channel} {key}: not expected" for channel, key in ours)
