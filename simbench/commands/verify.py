"""simbench verify: golden captures rebuilt offline and over every wire there is, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbench.commands import show
from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path("captures")


def verify(*, folders: Sequence[Path], wires: Sequence[str]) -> int:
    """Check each folder twice offline and once over each wire; 1 on any difference."""
    show.announce_compilation()
    chosen = [folder for given in folders or [HERE] for folder in _golden(given)]
    console = show.console()
    wrong = 0
    for folder in chosen:
        for name, lines in _check(folder, wires):
            console.print(f"{folder} {name}: {'as expected' if not lines else 'differs'}")
            for line in lines:
                console.print(f"  {line}", markup=False)
            wrong += bool(lines)
    return int(wrong > 0)


def _golden(folder: Path) -> list[Path]:
    from simbench.golden.expectation import EXPECTED

    if (folder / EXPECTED).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{EXPECTED}")) if folder.is_dir() else []
    if not found:
        raise SimbenchError(f"{folder} holds no golden captures; simbench golden CAPTURE makes one")
    return found


def _check(folder: Path, wires: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    from simbench.golden.compare import differences
    from simbench.golden.expectation import capture_of, expectation, load, rebuild
    from simbench.receive.offline import open_source

    expected = load(folder)
    source = open_source(capture_of(folder))
    stops = _stops(expected, [channel.name for channel in source.feed.channels])
    outcomes = [expectation(rebuild(source, stops)) for _ in range(2)]
    yield "offline", differences(expected, outcomes[0], wire=False)
    yield "offline again", differences(outcomes[0], outcomes[1], wire=False)
    from simbench.session import run_quietly
    from simbench.wire.probe import available

    for wire, stack in available():
        if wires and wire not in wires:
            continue
        found = run_quietly(source, wire=wire, stack=stack, speed="max", recover="none")
        name = f"over {wire} ({stack})" if stack else f"over {wire}"
        yield name, differences(expected, found["book"], wire=True)


def _stops(expected: dict[str, Any], names: list[str]) -> list[tuple[int, int]]:
    return [
        (names.index(point["channel"]), int(point["sequence"]))
        for point in expected["checkpoints"]
        if point["channel"] in names
    ]
