"""What was seen, as a file: the whole snapshot and the bookmarks as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from simbench_tui.format import time_of_day

if TYPE_CHECKING:
    from pathlib import Path

    from simbench.measure.snapshot import Snapshot
    from simbench_tui.look import Look

SCHEMA = 1


def file_name(snapshot: Snapshot | None, suffix: str) -> str:
    """A name with the recorded time in it: `simbench-143025-968.svg`."""
    when = time_of_day(snapshot.position_ns, 3) if snapshot else "start"
    return f"simbench-{when.replace(':', '').replace('.', '-')}.{suffix}"


def save_json(path: Path, snapshot: Snapshot, look: Look) -> None:
    """Write the snapshot, as its classes name everything, and the bookmarks; OSError where it cannot be written."""
    found = {"schema": SCHEMA, "bookmarks": look.bookmarks, "snapshot": snapshot}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found, enc_hook=_plain), indent=1) + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in JSON")
