"""simbench convert: a BinaryFILE of ITCH 5.0 to a capture, and a capture to one of full snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import iso, span

if TYPE_CHECKING:
    from pathlib import Path


def convert(
    *,
    file: Path,
    output: Path,
    target: str,
    date: str | None,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
) -> int:
    """Write the capture and its feed.toml, and say what they hold; 1 where the file was not used to its end."""
    if target == "moldudp64":
        if date is None:
            raise SimbenchError("a BinaryFILE does not say its day; give it as --date 2019-12-30")
        return _binary_file(file, output, date)
    if date is not None:
        raise SimbenchError("a capture says its own day; leave --date away")
    return _snapshots(file, output, feed=feed, protocol=protocol, schema=schema, checksum=checksum)


def _binary_file(file: Path, output: Path, date: str) -> int:
    from simbench.synth.convert import convert as write

    done = write(file, output, date)
    (output.parent / "feed.toml").write_text(done.feed, encoding="utf-8")
    console = show.console()
    console.print(
        f"{output}: {done.messages:,} messages in {done.datagrams:,} datagrams on each line, "
        f"{iso(done.first_ns)} and {span(done.last_ns - done.first_ns)} on; feed.toml beside it"
    )
    if done.backward:
        console.print(f"{done.backward:,} messages are stamped before the one in front of them")
    if done.problem:
        show.complain(done.problem)
    return int(bool(done.problem))


def _snapshots(
    capture: Path, output: Path, *, feed: Path | None, protocol: str | None, schema: Path | None, checksum: str
) -> int:
    compilation.for_snapshots()
    from simbench.feed.definition import dump
    from simbench.receive.offline import open_source
    from simbench.synth.mbp10 import write_snapshots

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    beside = output.parent / "feed.toml"
    if beside.resolve() in {
        each.resolve() for each in (source.capture.path.parent / "feed.toml", *([feed] if feed else []))
    }:
        raise SimbenchError(
            f"{beside} would be replaced by that of the snapshots; write {output.name} into a new folder"
        )
    done = write_snapshots(source, output)
    beside.write_text(dump(done.feed), encoding="utf-8")
    console = show.console()
    console.print(
        f"{output}: {done.datagrams:,} snapshots of {done.packets:,} packets, {done.frames:,} frames, "
        f"{iso(done.first_ns)} and {span(done.last_ns - done.first_ns)} on; feed.toml beside it"
    )
    if done.beyond:
        show.complain(f"{done.beyond:,} changes of a book are left out: beyond what 64 bits say at 1e-9")
    if source.capture.problem:
        show.complain(source.capture.problem)
    return int(bool(done.beyond or source.capture.problem))
