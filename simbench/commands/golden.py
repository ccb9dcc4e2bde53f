"""simbench golden: write or refresh an expectation."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from simbench.commands import compilation, show

if TYPE_CHECKING:
    from pathlib import Path


def golden(
    *,
    capture: Path,
    feed: Path | None,
    protocol: str | None,
    schema: Path | None,
    checksum: str,
    checkpoints: int,
) -> int:
    """Write the expectation beside the capture, and a feed.toml where there is none."""
    compilation.for_building()
    from simbench.feed.definition import dump
    from simbench.golden.expectation import write
    from simbench.golden.folder import capture_of
    from simbench.receive.offline import open_source

    folder = capture if capture.is_dir() else capture.parent
    path = capture_of(folder) if capture.is_dir() else capture
    source = open_source(path, feed=feed, protocol=protocol, schema=schema, checksum=checksum)
    if feed is not None and feed.resolve() != (folder / "feed.toml").resolve():
        shutil.copyfile(feed, folder / "feed.toml")
    elif not (folder / "feed.toml").exists():
        (folder / "feed.toml").write_text(dump(source.feed))
    written = write(folder, checkpoints, protocol=protocol, schema=schema, checksum=checksum)
    show.console().print(f"{written}: engine and reference book agree")
    return 0
