"""simbench book: offline, from a capture to its final books."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import time_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simbench.receive.offline import Offline, Source


def book(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    as_json: bool,
    instrument: str | None,
    line: str | None,
    at: str | None,
    at_seq: str | None,
    depth: int,
    paranoid: bool,
) -> int:
    """Build the books and show them; 1 where the data had gaps or damage, or a snapshot or the reference differs."""
    compilation.for_building()
    from simbench.receive.offline import open_source

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    run, check = _prepare(source, line, paranoid=paranoid)
    if at is not None:
        run.until(time_ns(at, source.first_ns))
    if at_seq is not None:
        run.receiver.stop_after(*_sequence(source, at_seq))
    stopped = run.advance()
    if at_seq is not None and not stopped:
        raise SimbenchError(f"the capture ends before {at_seq}")
    differences = check()
    found = run.result()
    if instrument is not None:
        found["books"] = _chosen(found["books"], instrument)
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show.console().print(show.result(found, depth=depth, instrument=instrument is not None))
    for difference in differences:
        show.complain(difference)
    return int(show.damaged(found) or bool(differences))


def _prepare(source: Source, line: str | None, *, paranoid: bool) -> tuple[Offline, Callable[[], list[str]]]:
    from simbench.receive.offline import Offline

    if not paranoid:
        return Offline(source, only_line=line), list
    from simbench.golden.paranoid import Paranoid

    checker = Paranoid(source)
    run = Offline(source, only_line=line, on_events=checker.apply)
    return run, lambda: checker.differences(run.receiver)


def _sequence(source: Source, text: str) -> tuple[int, int]:
    name, _, number = text.rpartition(":")
    names = [channel.name for channel in source.feed.channels]
    if not number.isdigit():
        raise SimbenchError(f"{text!r} is no channel and sequence; write CHANNEL:N, for example {names[0]}:1000")
    if name not in names:
        raise SimbenchError(f"there is no channel {name!r}; there are {', '.join(names)}")
    return names.index(name), int(number)


def _chosen(books: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    chosen = [one for one in books if wanted in {one["key"], one["symbol"]}]
    if not chosen:
        raise SimbenchError(f"there is no instrument {wanted!r}; without --instrument all of them are listed")
    return chosen
