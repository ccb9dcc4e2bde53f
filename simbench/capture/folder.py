"""A folder that holds one capture, which may be named in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simbench.errors import SimbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES: Final = ("capture.pcap", "capture.pcapng", "capture.pcap.gz", "capture.pcapng.gz", "capture.pcap.zst")


def capture_of(folder: Path) -> Path:
    """Return the capture of a folder.

    Raises:
        SimbenchError: there is none.
    """
    found = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if found is None:
        raise SimbenchError(f"{folder} is a folder without a capture: without one of {', '.join(NAMES)}")
    return found


def captures_under(folder: Path) -> Sequence[Path]:
    """Return the capture of every folder under one, itself included, that has one; sorted."""
    homes = {path.parent for name in NAMES for path in folder.rglob(name) if path.is_file()}
    return [capture_of(home) for home in sorted(homes)]
