"""simbench golden: write or refresh an expectation."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from simbench.commands import compilation, show
from simbench.errors import SimbenchError
from simbench.times import iso, span, time_ns

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.receive.offline import Source


def golden(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    checkpoints: int,
    into: Path | None,
    start: str | None,
    stop: str | None,
) -> int:
    """Write the expectation beside the capture, and a feed.toml where there is none; or a new folder of a part."""
    if into is None and (start or stop):
        raise SimbenchError("--from and --to cut a capture, and need a new folder: --into FOLDER")
    compilation.for_building()
    from simbench.feed.definition import dump
    from simbench.golden.expectation import write
    from simbench.receive.offline import open_source

    source = open_source(capture, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    folder = source.capture.path.parent
    if into is not None:
        return _cut(source, into, (start, stop), (checkpoints, schema, checksum))
    if feed is not None and feed.resolve() != (folder / "feed.toml").resolve():
        shutil.copyfile(feed, folder / "feed.toml")
    elif not (folder / "feed.toml").exists():
        (folder / "feed.toml").write_text(dump(source.feed))
    written = write(folder, checkpoints, protocol=protocol, schema=schema, checksum=checksum)
    show.console().print(f"{written}: engine and reference book agree")
    return 0


def _cut(
    source: Source,
    folder: Path,
    times: tuple[str | None, str | None],
    how: tuple[int, Path | None, str],
) -> int:
    from simbench.feed.definition import dump
    from simbench.golden.window import FOREVER, Config, cut

    since, until = (None if text is None else time_ns(text, source.first_ns) for text in times)
    config = Config(
        str(source.capture.path), dump(source.feed), FOREVER if until is None else until, str(folder), since or 0
    )
    checkpoints, schema, checksum = how
    done = cut(config, checkpoints, schema=schema, checksum=checksum)
    show.console().print(
        f"{folder}: {done.frames:,} frames from {iso(done.first_ns)}, {span(done.last_ns - done.first_ns)}; "
        "engine and reference book agree"
    )
    return 0
