"""Why an outcome is not the expected one: the first message that the reference book would have taken otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simbench.golden.ladders import beside
from simbench.golden.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simbench.receive.offline import Source

MOST_LADDERS: Final = 3
MOST_KEYS: Final = 12
NAMES: Final = ("ours", "expected")


class Stretch(NamedTuple):
    """A stretch of a channel's sequence: its books were as expected before it and are not behind it.

    Attributes:
        channel: number of the channel.
        good: sequence of the last checkpoint that agrees; None the beginning.
        bad: sequence of the first one that does not; None the end.
        digest: of our books there.
    """

    channel: int
    good: int | None
    bad: int | None
    digest: str


def explain(source: Source, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what led to the first books that are not as expected; nothing where the books are.

    The expectation has digests only at its checkpoints. What is true between two of them says the reference book, which
    gets the same events as the engine.

    Args:
        source: the capture and its feed.
        expected: an expectation.
        found: an offline outcome.
    """
    stretch = _stretch(expected, found)
    if stretch is None:
        return ladders(expected, found)
    walk = Walk(source, stretch.channel)
    if stretch.good is not None:
        walk.to(stretch.good)
        if walk.differs():  # in a way that no digest of levels shows: a queue, or an instrument without levels
            walk, stretch = Walk(source, stretch.channel), stretch._replace(good=None)
    before = walk.books()
    walk.step_to(stretch.bad)
    if walk.found is not None:
        return walk.found.lines()
    name = source.feed.channels[stretch.channel].name
    changed = [key for key, book in walk.books().items() if book != before.get(key)]
    lines = [
        f"engine and reference book agree on every event of {name} {_between(stretch)}",
        _verdict(stretch, walk.run.receiver.state.books.digest(stretch.channel)),
        _messages(walk, name),
        f"they change {_listed(changed)}",
    ]
    concerned = [place for place in _differing(expected, found) if place[0] == name and place[1] in changed]
    if concerned:
        return [*lines, *ladders(expected, found, concerned)]
    if changed:
        lines.append("the final books of these are as expected: what differed is gone, or only the digest is wrong")
    return lines


def _stretch(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Stretch | None:
    names = [channel["name"] for channel in found["channels"]]
    last: dict[str, int] = {}
    for before, now in zip(expected["checkpoints"], found["checkpoints"], strict=False):
        name, sequence = now["channel"], int(now["sequence"])
        if before["digest"] != now["digest"] and (before["channel"], before["sequence"]) == (name, now["sequence"]):
            return Stretch(names.index(name), last.get(name), sequence, now["digest"])
        last[name] = sequence
    for number, (before, now) in enumerate(zip(expected["channels"], found["channels"], strict=False)):
        if any(before.get(key) != now[key] for key in ("digest", "digest_orders")):
            return Stretch(number, last.get(names[number]), None, now["digest"])
    return None


def _verdict(stretch: Stretch, digest: str) -> str:
    if digest != stretch.digest:
        return f"taken one by one they come to {digest}: the engine does not do the same every time, or in every batch"
    return "so the expectation was made by other code, or of another capture or feed.toml"


def _between(stretch: Stretch) -> str:
    first = "from the beginning" if stretch.good is None else f"after sequence {stretch.good}"
    return f"{first} to {'the end' if stretch.bad is None else f'sequence {stretch.bad}'}"


def _messages(walk: Walk, name: str) -> str:
    if walk.first is None or walk.last is None:
        return f"there is no message of {name} in between"
    types = ", ".join(f"{count} of {kind}" for kind, count in walk.messages.most_common())
    return (
        f"messages {walk.first[0]} (sequence {walk.first[1]}) to {walk.last[0]} (sequence {walk.last[1]}) of {name} "
        f"lie in between; with events: {types}"
    )


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
    return f"{', '.join(keys[:MOST_KEYS])}{more}" if keys else "no book"


def ladders(
    expected: Mapping[str, Any], found: Mapping[str, Any], places: Sequence[tuple[str, str]] | None = None
) -> list[str]:
    """Return the final ladders of the books that are not as expected, ours beside the expected ones.

    Args:
        expected: an expectation.
        found: an outcome, offline or of a run.
        places: (channel, key) of the books; all that differ where None.
    """
    theirs, ours = _by_place(expected), _by_place(found)
    chosen = _differing(expected, found) if places is None else places
    lines = []
    for place in chosen[:MOST_LADDERS]:
        lines += ["at the end:", *beside(ours.get(place), theirs.get(place), NAMES)]
    if len(chosen) > MOST_LADDERS:
        lines.append(f"and {len(chosen) - MOST_LADDERS} more books differ at the end")
    return lines


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[tuple[str, str]]:
    theirs, ours = _by_place(expected), _by_place(found)
    return [place for place in {**ours, **theirs} if ours.get(place) != theirs.get(place)]


def _by_place(outcome: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(book["channel"], book["key"]): book for book in outcome["books"]}
