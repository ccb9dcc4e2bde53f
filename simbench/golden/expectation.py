"""A golden folder's expectation: what its capture has to come out as, with digests on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from simbench.capture.folder import capture_of
from simbench.errors import SimbenchError
from simbench.golden.walk import against_reference
from simbench.receive.offline import Offline, Source, open_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EXPECTED: Final = "expected.json"
PARTS: Final = {
    "capture": dict, "messages": dict, "channels": list, "anomalies": dict, "checkpoints": list, "books": list,
}  # fmt: skip


def load(folder: Path) -> dict[str, Any]:
    """Return a folder's expectation.

    Raises:
        SimbenchError: it has none, or one that is not JSON of this kind.
    """
    path = folder / EXPECTED
    if not path.is_file():
        raise SimbenchError(f"{folder} has no {EXPECTED}; write it with: simbench golden {capture_of(folder)}")
    try:
        expected = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise SimbenchError(f"{path} is damaged: {error}") from None
    if expected.get("schema") != 1:
        raise SimbenchError(f"{path} is of another version; write it again with: simbench golden")
    if any(not isinstance(expected.get(part), kind) for part, kind in PARTS.items()):
        raise SimbenchError(f"{path} is not whole; write it again with: simbench golden")
    return expected


def plan(source: Source, count: int) -> list[tuple[int, int]]:
    """Return so many stops spread over each channel's sequences: (channel, sequence), the last one not included."""
    run = Offline(source)
    while run.advance():
        pass
    stops = []
    for number in range(len(source.feed.channels)):
        for epoch in run.result(books=False)["channels"][number]["epochs"][:1]:
            first, last = int(epoch["first"]), int(epoch["last"])
            step = max(1, (last - first + 1) // (count + 1))
            stops += [(number, sequence) for sequence in range(first + step - 1, last, step)][:count]
    return stops


def rebuild(source: Source, stops: Sequence[tuple[int, int]], **options: Any) -> dict[str, Any]:
    """Read the capture and return its outcome, with the digests at the stops.

    Args:
        source: the capture and its feed.
        stops: (channel, sequence) in the order in which they are passed within each channel.
        options: for the receiver.
    """
    outcome: dict[str, Any] = {}
    checkpoints = []
    for number, channel in enumerate(source.feed.channels):
        run = Offline(source, **options)
        for sequence in [stop for place, stop in stops if place == number]:
            run.receiver.stop_after(number, sequence)
            if not run.advance():
                break
            checkpoints.append(
                {
                    "channel": channel.name,
                    "epoch": len(run.receiver.state.sequencer.epochs(number, ())) - 1,
                    "sequence": sequence,
                    "digest": run.receiver.state.books.digest(number),
                }
            )
        while run.advance():
            pass
        outcome = outcome or run.result()
    outcome["checkpoints"] = checkpoints
    return outcome


def expectation(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return what of an outcome is compared: not the notes, not where the file lies."""
    capture = {
        key: outcome["capture"][key]
        for key in ("frames", "datagrams", "other_frames", "truncated", "backward_stamps", "first_ns", "last_ns")
    }
    kept = {key: outcome[key] for key in ("schema", "messages", "channels", "anomalies", "checkpoints", "books")}
    return {**kept, "capture": capture}


def write(folder: Path, checkpoints: int, **options: Any) -> Path:
    """Write a folder's expectation from the engine, after the reference book has come to the same.

    Raises:
        SimbenchError: engine and reference book differ, or there is nothing in the books.
    """
    source = open_source(capture_of(folder), **options)
    stops = plan(source, checkpoints)
    differences = against_reference(source, stops)
    if differences:
        raise SimbenchError(f"no expectation written: {differences[0]}")
    outcome = expectation(rebuild(source, stops))
    if not any(book["bids"] or book["asks"] for book in outcome["books"]):
        raise SimbenchError(f"no expectation written: the books of {folder} are empty at the end")
    path = folder / EXPECTED
    temporary = path.with_suffix(".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n")
    temporary.replace(path)
    return path
