"""Check a folder with a capture: what `verify` and the pytest plug-in do, and the lines that they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simbench.capture.folder import capture_of
from simbench.golden.compare import differences
from simbench.golden.expectation import EXPECTED, expectation, load, plan, rebuild
from simbench.golden.explain import explain, ladders
from simbench.golden.walk import against_reference
from simbench.receive.offline import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simbench.receive.offline import Source

CHECKPOINTS = 16  # of a capture without an expectation: where to look, should the second time come out otherwise


def check(folder: Path, wires: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Rebuild a folder's capture twice offline and once over each wire; yield what was done and what differs.

    Without an expectation the offline outcomes have to be the same, and those of engine and reference book, and that
    of the wires has to be that of the first one.

    Args:
        folder: with a capture.
        wires: names; every wire that this user can have where there are none.
    """
    source = open_source(capture_of(folder))
    if (folder / EXPECTED).is_file():
        expected = load(folder)
        stops = _stops(expected, [channel.name for channel in source.feed.channels])
        found = expectation(rebuild(source, stops))
        wrong = differences(expected, found, wire=False)
        yield "offline", [*wrong, *(explain(source, expected, found) if wrong else ())]
    else:
        stops, wrong = plan(source, CHECKPOINTS), []
        expected = found = expectation(rebuild(source, stops))
        yield "beside the reference book", against_reference(source, stops)
    again = expectation(rebuild(source, stops))
    yield "offline again", differences(found, again, wire=False)
    for name, outcome in _over_wires(source, wires):
        other = differences(expected, outcome, wire=True)
        # What is wrong offline has been shown already.
        yield name, [*other, *(ladders(expected, outcome) if other and not wrong else ())]


def _over_wires(source: Source, wires: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    from simbench.session import run_quietly
    from simbench.wire.probe import available

    for wire, stack in available():
        if wires and wire not in wires:
            continue
        name = f"over {wire} ({stack})" if stack else f"over {wire}"
        yield name, run_quietly(source, wire=wire, stack=stack, speed="max", recover="none")["book"]


def _stops(expected: dict[str, Any], names: list[str]) -> list[tuple[int, int]]:
    return [
        (names.index(point["channel"]), int(point["sequence"]))
        for point in expected["checkpoints"]
        if point["channel"] in names
    ]
